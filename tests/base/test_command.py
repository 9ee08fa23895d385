"""What all commands share."""

from __future__ import annotations

import sys
import time

import pytest
import typer

from harness.base import terminal
from harness.base.command import carried, user_command
from harness.base.errors import UserError, needs
from harness.base.progress import LineWatcher
from harness.base.terminal import note


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


def test_a_package_that_is_missing_is_named_and_a_module_of_our_own_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    @user_command
    def imports_pillow() -> None:
        raise ModuleNotFoundError("No module named 'PIL'", name="PIL.Image")

    with pytest.raises(typer.Exit) as ended:
        imports_pillow()
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == "error: the package pillow is not installed: pip install pillow\n"

    @user_command
    def imports_ours() -> None:
        import harness.no_such_module  # noqa: F401

    with pytest.raises(ModuleNotFoundError):
        imports_ours()
    monkeypatch.setitem(sys.modules, "py7zr", None)
    with (
        pytest.raises(UserError, match="a .7z archive needs py7zr: pip install py7zr"),
        needs("a .7z archive", "py7zr"),
    ):
        import py7zr  # noqa: F401


def test_quiet_is_without_progress_and_notes_but_with_results_and_errors(capsys: pytest.CaptureFixture[str]):
    @user_command
    def works() -> None:
        LineWatcher().say("progress")
        note("a note")
        print("the result")
        raise UserError("no more")

    for quiet, heard in ((False, "progress\na note\nerror: no more\n"), (True, "error: no more\n")):
        with pytest.raises(typer.Exit):
            works(quiet=quiet)
        assert capsys.readouterr() == ("the result\n", heard)


def test_a_command_that_loads_for_long_says_so_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(terminal, "SLOW", 0.05)

    @user_command
    def loads(first: str = "", as_json: bool = False) -> None:
        print(first, end="")
        time.sleep(0.3)

    for options, said in (({}, "loading ...\n"), ({"first": "x"}, ""), ({"quiet": True}, ""), ({"as_json": True}, "")):
        loads(**options)
        assert capsys.readouterr().err == said, options
