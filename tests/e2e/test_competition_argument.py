"""Every command takes its competition as an argument and as --comp."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.__main__ import COMMANDS

_OF_OOF = ("compare", "errors", "ensemble", "forecast", "calibrate")
CALLS = [
    *((module,) for module in COMMANDS if module not in ("harness.oof", "harness.tune")),
    ("harness.tune", "--recipe", "tiny"),
    ("harness.data", "preview"),
    ("harness.train", "preview"),
    *(("harness.oof", name) for name in _OF_OOF),
    ("harness.oof", "label", "--run", "tiny-1"),
]
WITHOUT = [("harness.leaderboard",), ("harness.board",)]
"""These show all competitions where none is named."""


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_a_competition_is_named_either_way_but_not_two(run_command, tmp_path: Path, call: tuple[str, ...]):
    ways = (("shapes",), ("--comp", "shapes"), ("shapes", "--comp", "shapes"))
    for way in ways:
        done = run_command(*call, *way, cwd=tmp_path)
        assert (done.returncode, done.stderr[:34]) == (2, "error: 'shapes' is no competition:"), done.stderr
    two = run_command(*call, "shapes", "--comp", "leaves", cwd=tmp_path)
    assert two.returncode == 2 and two.stderr == "error: competition 'shapes' and --comp leaves: give one of them\n"


@pytest.mark.parametrize("call", [c for c in CALLS if c not in WITHOUT], ids=" ".join)
def test_a_competition_that_is_not_named_is_asked_for(run_command, tmp_path: Path, call: tuple[str, ...]):
    done = run_command(*call, cwd=tmp_path)
    assert done.returncode == 2 and "name the competition" in done.stderr and "--comp digit-recognizer" in done.stderr
