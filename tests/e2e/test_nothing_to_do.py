"""Where there is nothing to do or nothing was sent yet, commands say so kindly, with exit code 0, and leave nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import PINNED


@pytest.mark.parametrize("words", [(), ("shapes",), ("--plan",)])
def test_a_leaderboard_without_a_ledger_says_what_to_send(run_command, shapes: Path, words: tuple[str, ...]):
    done = run_command("harness.leaderboard", *words, cwd=shapes)
    assert done.returncode == 0 and done.stderr == ""
    assert "Nothing was sent yet" in done.stdout and "python -m harness.submit" in done.stdout
    told = run_command("harness.leaderboard", *words, "--json", cwd=shapes)
    assert json.loads(told.stdout) == {"submissions": [], "plans": {}, "page": None}
    assert not (shapes / "submissions").exists()


@pytest.mark.parametrize(("option", "said"), [("--resume", "is unfinished"), ("--queued", "was kept for later")])
def test_nothing_is_followed_up_where_nothing_was_begun(run_command, shapes: Path, option: str, said: str):
    done = run_command("harness.submit", option, cwd=shapes)
    assert done.returncode == 0 and f"nothing to do: nothing {said}" in done.stdout
    told = run_command("harness.submit", option, "--json", cwd=shapes)
    assert json.loads(told.stdout) == {"entries": []}
    assert not (shapes / "submissions").exists()


def test_a_run_that_stands_is_not_trained_again(run_command, shapes: Path):
    command = ("harness.cv", "shapes", "--recipe", "tiny", "--set", "cv.folds=2", "--workers", "1", *PINNED)
    assert run_command(*command, cwd=shapes).returncode == 0
    again = run_command(*command, cwd=shapes)
    assert again.returncode == 0 and "nothing is trained" in again.stderr
    assert "(--fresh would train them anew)" in again.stderr
    resumed = run_command(*command, "--resume", cwd=shapes)
    assert resumed.returncode == 0 and "nothing is trained." in resumed.stderr and "--fresh" not in resumed.stderr
    quiet = run_command(*command, "--quiet", cwd=shapes)
    assert quiet.returncode == 0 and quiet.stderr == "" and "report:" in quiet.stdout


def test_a_partial_run_is_sent_only_where_that_is_meant(run_command, shapes: Path):
    command = ("harness.cv", "shapes", "--recipe", "tiny", "--set", "cv.folds=3", "--workers", "1", *PINNED)
    made = json.loads(run_command(*command, "--folds", "0-1", "--json", cwd=shapes).stdout)
    send = ("harness.submit", "shapes", "--dry-run", "--run", made["run"])
    refused = run_command(*send, cwd=shapes)
    assert (
        refused.returncode == 2
        and "is partial: 2 of 3 folds. Finish it: python -m harness.cv shapes --recipe tiny" in refused.stderr
    )
    assert "--folds" not in refused.stderr and "--resume" in refused.stderr
    sent = run_command(*send, "--partial", cwd=shapes)
    assert sent.returncode == 0 and "partial: 1 of 3 folds not trained; no forecast" in sent.stdout, sent.stderr
    main = made["metrics"]["accuracy"]
    assert f"OOF:      accuracy {main['pooled']:.5f}" in sent.stdout
    two = run_command(*send, "--run", made["run"] + "x", "--partial", cwd=shapes)
    none = run_command("harness.submit", "shapes", "--dry-run", "--partial", cwd=shapes)
    for done in (two, none):
        assert done.returncode == 2 and "--partial: is for the file of one run" in done.stderr
