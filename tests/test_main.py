"""python -m harness: its table, and commands by their short names."""

from __future__ import annotations

import sys

import pytest

from harness import __main__ as harness_main


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
