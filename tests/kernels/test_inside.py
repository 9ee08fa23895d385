"""What is done on Kaggle's machine, without one: a command that is ended in time, an earlier session's files, the data by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.kernels import inside
from harness.kernels.command import Command
from harness.kernels.kaggle.notebook import session_cells
from tests.kernels.server import Session


def job(**changes):
    return {
        "job": "aa",
        "module": "timeit",
        "words": [],
        "seconds": 60.0,
        "fingerprint": "",
        "slug": "leaves",
        "folder": "leaves",
    } | changes


def test_a_command_is_ended_before_the_session_is(tmp_path: Path):
    sleeps = job(words=["-n", "1", "import time; time.sleep(60)"], seconds=0.5)
    assert inside._played(sleeps, tmp_path, tmp_path) == ("time", "the session's time was over")


def test_how_a_command_ended(tmp_path: Path):
    assert inside._played(job(words=["-n", "1", "pass"]), tmp_path, tmp_path) == ("done", "")
    how, said = inside._played(job(module="harness", words=["no-such-command"]), tmp_path, tmp_path)
    assert how == "error" and said.startswith("error:") and "no-such-command" in said and "exit code 2" in said


def test_only_this_jobs_files_are_gone_on_from(tmp_path: Path):
    for name, key in (("one", "bb"), ("two", "aa")):
        home = tmp_path / "input" / name
        (home / "oof" / "leaves").mkdir(parents=True)
        (home / "oof" / "leaves" / "x.txt").write_text(name)
        (home / inside.REPORT).write_text(json.dumps({"job": key}))
    (tmp_path / "working").mkdir()
    assert inside._earlier(job(), tmp_path / "input", tmp_path / "working").endswith("two")
    assert (tmp_path / "working" / "oof" / "leaves" / "x.txt").read_text() == "two"


@pytest.mark.parametrize("place", ["leaves", "competitions/leaves", "datasets/somebody/leaves", "renamed"])
def test_the_data_are_found_wherever_they_are_mounted(tmp_path: Path, place: str):
    folder = tmp_path / "competitions" / "leaves"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(
        'title = "Leaves"\nmetric = "accuracy"\n[data]\nformat = "image_folder"\nsize = [8, 8]\n'
    )
    (tmp_path / "input" / place / "train" / "oak").mkdir(parents=True)
    (tmp_path / "input" / place / "train" / "oak" / "1.png").write_bytes(b"x")
    (tmp_path / "input" / "other" / "files").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    told = job(pack=str(tmp_path / "input" / "other" / "leaves.pack"))
    root = inside._data(told, tmp_path / "input", tmp_path / "home", folder)
    assert (root / "leaves" / "train" / "oak" / "1.png").is_file()


def test_Command_leave_out_what_is_for_here():
    words = [
        "leaves",
        "--on",
        "kaggle",
        "--recipe=a/b.toml",
        "--set",
        "train.epochs=3",
        "--data",
        "leaves",
        "--resume",
        "--accelerator=none",
    ]
    typed = Command("harness.cv", tuple(words), "leaves")
    assert typed.there("leaves", "b") == ("leaves", "--recipe", "b", "--set", "train.epochs=3")
    by_option = Command("harness.cv", ("--comp", "x/leaves", "--folds", "0"), None)
    assert by_option.there("leaves") == ("leaves", "--folds", "0")
    assert by_option.again("--attach") == "python -m harness.cv --comp x/leaves --folds 0 --attach"


def test_a_session_of_the_test_server_sees_neither_network_nor_writable_inputs(tmp_path: Path):
    """The server that the other tests trust: what is pushed there cannot cheat."""
    from tests.kernels.server import jail

    if not jail():
        pytest.skip("needs unshare and mount")
    code = """
import os, socket
for what in ("socket.create_connection(('192.0.2.1', 80), timeout=2)", "open(os.environ['KAGGLE_INPUT_DIR'] + '/x', 'w')"):
    try:
        exec(what)
        print("well")
    except OSError as error:
        print("refused")
"""
    text = json.dumps({"cells": [{"cell_type": "code", "source": code}]})
    session = Session(tmp_path, text, {"set": {"a.txt": b"a"}})
    session.wait()
    assert session.text.split() == ["refused", "refused"]


def test_a_notebook_reads_well_and_holds_its_job():
    cells = session_cells({"job": "aa", "files": {}}, "tag-1", "harness.cv leaves")
    assert cells[0][0] == "markdown" and "tag-1" in cells[0][1] and "harness.cv leaves" in cells[0][1]
    for kind, text in cells[1:]:
        compile(text, kind, "exec")
