"""python -m harness: its table, and commands by their short names."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import __main__ as harness_main
from tests.conftest import REPOSITORY


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | None:
    monkeypatch.setattr(sys, "argv", ["harness", *words])
    try:
        return harness_main.main()
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.parametrize("name", ["cv", "harness.cv"])
def test_a_command_by_its_short_name_is_the_module(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, name, "--help") == 0
    assert "python -m harness.cv [OPTIONS] [COMPETITION]" in capsys.readouterr().out
    assert run(monkeypatch, name, "no-such") == 2
    assert "'no-such' is no competition" in capsys.readouterr().err


def test_no_such_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert run(monkeypatch, "fly") == 2
    said = capsys.readouterr()
    assert "'fly' is no command" in said.err and "harness.cv" in said.out
    assert run(monkeypatch, "leaderbord") == 2
    assert "did you mean 'leaderboard'?" in capsys.readouterr().err
    for word, meant in (("comparr", "oof compare"), ("errors", "oof errors"), ("init", "data init")):
        assert run(monkeypatch, word, "shapes") == 2
        assert f"did you mean '{meant}'?" in capsys.readouterr().err


def test_it_begins_with_a_competition_that_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    first = "Start with:  python -m harness.{}\n"
    (tmp_path / "competitions" / "leaves").mkdir(parents=True)
    assert run(monkeypatch) == 0 and first.format("data init --like digit-recognizer") in capsys.readouterr().out
    (tmp_path / "competitions" / "digit-recognizer").mkdir()
    (tmp_path / "competitions" / "digit-recognizer" / "competition.toml").touch()
    assert run(monkeypatch) == 0 and first.format("cv digit-recognizer --sample") in capsys.readouterr().out


def test_the_first_command_for_files_of_ones_own_is_found_from_the_table_and_from_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch) == 0 and "python -m harness.data init PLACE" in capsys.readouterr().out
    assert run(monkeypatch, "data", "--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert all(f"python -m harness.data {part}" in said for part in harness_main.DATA_PARTS)
    assert run(monkeypatch, "data", "preview", "--help") == 0
    assert "Usage: python -m harness.data preview" in capsys.readouterr().out


def test_the_table_of_commands_keeps_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "80")
    for words in ((), ("-h",), ("--help",)):
        assert run(monkeypatch, *words) == 0
        table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
        assert len(table) > len(harness_main.COMMANDS) and max(map(len, table)) <= 80


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("c", ["clean", "cv", "completion"]),
        ("completion z", ["zsh"]),
        ("oof e", ["errors", "ensemble"]),
        ("oof compare sh", ["shapes"]),
        ("oof compare --comp sh", ["shapes"]),
        ("oof compare shapes --run t", ["tiny-1"]),
        ("cv shapes --recipe t", ["tiny", "transfer"]),
        ("cv shapes --rec", ["--recipe"]),
        ("cv shapes --folds 0 --dev", ["--device"]),
        ("cv --folds 0 s", ["shapes"]),
        ("cv shapes --out ", []),
        ("cv shapes ", []),
        ("data i", ["init"]),
        ("data init --li", ["--like"]),
        ("data preview shapes --recipe t", ["tiny", "transfer"]),
        ("fly ", []),
    ],
)
def test_the_shell_is_told_what_may_follow(
    words: str, offered: list[str], shapes: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(shapes)
    (shapes / "oof" / "shapes" / "tiny-1").mkdir(parents=True)
    (shapes / "oof" / "shapes" / "tiny-1" / "recipe.json").write_text("{}")
    assert harness_main.completed(words.split(" ")) == offered


def test_each_shell_has_a_script(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    for shell in ("bash", "zsh", "fish"):
        assert run(monkeypatch, "completion", shell) == 0 and "harness completion --words" in capsys.readouterr().out
    assert run(monkeypatch, "completion", "tcsh") == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes(tmp_path: Path):
    command = tmp_path / "harness"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m harness "$@"\n')
    command.chmod(0o755)
    script = 'eval "$(harness completion bash)"; COMP_WORDS=(harness cv --rec); COMP_CWORD=2; _harness; echo "${COMPREPLY[@]}"'
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(["bash", "-c", script], env=path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "--recipe\n", done.stderr
