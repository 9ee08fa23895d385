"""What all commands share."""

from __future__ import annotations

import pytest

from harness.base.command import carried


@pytest.mark.parametrize(
    ("words", "carries"),
    [
        ("shapes --out x --data=y", " --out x --data=y"),
        ("shapes --sample --recipe out", ""),
        ("--data d shapes", " --data d"),
        ("--dat d", ""),
    ],
)
def test_a_command_that_is_offered_next_looks_in_the_same_places(
    monkeypatch: pytest.MonkeyPatch, words: str, carries: str
):
    monkeypatch.setattr("sys.argv", ["harness.cv", *words.split()])
    assert carried("--data", "--out") == carries


def test_what_is_carried_is_quoted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["harness.cv", "--out", "a b; rm", "--sample"])
    assert carried("--out", "--sample") == " --out 'a b; rm' --sample"
