"""harness.submit --code: from a run to a scored entry of a code competition, the notebook really run; each fault and kill spends one at most."""

from __future__ import annotations

import os

import pytest

from harness.ledger import State
from tests.conftest import kill_from_a_thread, start_forked
from tests.kernels.field import CODE, Contest
from tests.kernels.server import Recorded
from tests.submit.servers import FAULTS


def test_the_notebook_writes_the_file_that_harness_submit_writes(played_contest: Contest):
    assert played_contest.submit("shapes", "--dry-run").returncode == 0
    [own] = (played_contest.project / "submissions" / "shapes").glob("*.csv")
    assert played_contest.files["submission.csv"] == own.read_bytes()


def test_the_same_is_not_sent_twice(contest: Contest):
    assert contest.submit().returncode == 0
    again = contest.submit(*CODE)
    assert again.returncode == 2 and len(contest.kaggle.submissions) == 1 and len(contest.kaggle.sessions) == 1


def test_a_file_that_says_something_else_is_not_submitted(contest: Contest):
    lines = contest.files["submission.csv"].decode().splitlines()
    turned = [
        lines[0],
        *(line.replace("circle", "x").replace("square", "circle").replace("x", "square") for line in lines[1:]),
    ]
    wrong = {
        "the harness": "\n".join(turned),
        "other rows": "\n".join(lines[:-1]),
        "begins with": "\n".join(["who,what", *lines[1:]]),
    }
    for words, text in wrong.items():
        contest.clear()
        contest.kaggle.recorded_all = Recorded({**contest.files, "submission.csv": text.encode()})
        told = contest.submit()
        assert words in told.stderr, told.stderr
        [entry] = contest.entries()
        assert entry.state == State.REFUSED and not contest.kaggle.submissions


def test_what_would_take_too_long_is_not_submitted(contest: Contest):
    contest.kaggle.recorded_all = Recorded(
        {**contest.files, "harness-code.json": b'{"rows": 6, "load": 1, "predict": 600}'}
    )
    told = contest.submit()
    assert "would take" in told.stderr and not contest.kaggle.submissions


def test_a_notebook_that_fails_spends_nothing_and_a_cancelled_one_is_pushed_again(contest: Contest):
    contest.kaggle.recorded_all = Recorded({}, "ERROR")
    told = contest.submit()
    assert "the notebook failed" in told.stderr and not contest.kaggle.submissions
    contest.clear()
    contest.kaggle.recorded_all = Recorded({}, "CANCEL_ACKNOWLEDGED")
    told = contest.submit()
    assert "--resume" in told.stderr and contest.entries()[0].state == State.INTENT
    contest.kaggle.recorded_all = Recorded(contest.files)
    assert contest.submit("--resume").returncode == 0
    assert len(contest.kaggle.submissions) == 1 and len(contest.kaggle.sessions) == 2


def end_it(contest: Contest) -> None:
    """--resume, as often as it takes."""
    for _ in range(4):
        if contest.entries()[0].state == State.COMPLETE:
            break
        contest.submit("--resume")
        assert len(contest.kaggle.submissions) <= 1 and len(contest.kaggle.sessions) <= 1
    assert contest.entries()[0].state == State.COMPLETE and len(contest.kaggle.submissions) == 1


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        ("CreateDataset", "lost"),
        ("SaveKernel", "lost"),
        ("GetKernelSessionStatus", "500"),
        ("ListKernelSessionOutput", "reset"),
        ("CreateCodeSubmission", "lost"),
        ("CreateCodeSubmission", "429"),
    ],
)
def test_one_notebook_and_one_submission_whatever_is_answered(contest: Contest, step: str, fault: str):
    contest.kaggle.faults = {step: [FAULTS[fault]]}
    contest.submit()
    end_it(contest)


@pytest.mark.parametrize(
    ("step", "when"),
    [("SaveKernel", "after"), ("ListKernelSessionOutput", "before"), ("CreateCodeSubmission", "after")],
)
def test_killed_at_any_step(contest: Contest, step: str, when: str):
    def kill(now: str) -> None:
        if now == when:
            kill_from_a_thread(process.pid)

    contest.kaggle.hooks = {step: kill}
    process = start_forked("harness.submit", "--resume", cwd=contest.project, env=dict(os.environ))
    process.join(60)
    assert process.exitcode == -9
    contest.kaggle.hooks = {}
    end_it(contest)


def test_what_is_nothing_for_a_notebook_is_refused(contest: Contest):
    told = contest.submit(*CODE, "--bundle", "--dry-run")
    assert told.returncode == 2 and "give one of them" in told.stderr
    told = contest.submit("shapes", "--hidden-rows", "7", "--dry-run")
    assert told.returncode == 2 and "is for --code" in told.stderr
    told = contest.submit("shapes", "--accelerator", "NvidiaTeslaT4", "--dry-run")
    assert told.returncode == 2 and "is for --code" in told.stderr
    told = contest.submit(*CODE, "--accelerator", "abacus", "--dry-run")
    assert told.returncode == 2 and "unknown" in told.stderr
