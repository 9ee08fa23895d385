"""harness.submit --code: from a run to a scored entry of a code competition, the notebook really run; each fault and kill spends one at most."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.ledger import Entry, State, open_ledger
from tests.conftest import run_inside, start_forked
from tests.kernels.conftest import CV, make_project
from tests.kernels.server import Notebooks, Recorded
from tests.submit.servers import FAULTS

WORDS = ("shapes", "--code", "--hidden-rows", "1000")


class Contest:
    """A project with a finished run, and the notebook's session that was really played."""

    def __init__(self, project: Path, kaggle: Notebooks) -> None:
        self.project, self.kaggle = project, kaggle
        self.files: dict[str, bytes] = {}
        self.first: list[Entry] = []

    def submit(self, *words: str):
        return run_inside("harness.submit", *(words or ("--resume",)), cwd=self.project)

    def entries(self):
        return open_ledger(self.project).entries("shapes")

    def clear(self) -> None:
        """Built, tried and written down, nothing sent yet; sessions give what the first one gave."""
        self.kaggle.reset()
        [entry] = self.first
        for path in (self.project / "submissions" / "ledger.sqlite", Path(f"{entry.intent.file}.sent")):
            path.unlink(missing_ok=True)
        shutil.rmtree(Path(entry.intent.file).with_suffix(".kaggle"), ignore_errors=True)
        open_ledger(self.project).add_once(entry.intent)
        self.kaggle.notebooks_only, self.kaggle.notebooks = True, []
        self.kaggle.recorded_all = Recorded(self.files)


@pytest.fixture(scope="module")
def played_contest(kaggle: Notebooks, tmp_path_factory: pytest.TempPathFactory) -> Contest:
    kaggle.reset()
    kaggle.notebooks_only = True
    project = make_project(tmp_path_factory.mktemp("contest"), kaggle)
    assert run_inside("harness.cv", *CV, cwd=project).returncode == 0
    contest = Contest(project, kaggle)
    done = contest.submit(*WORDS)
    assert done.returncode == 0, done.stdout + done.stderr + "".join(s.text for s in kaggle.sessions)
    [session], [entry] = kaggle.sessions, contest.entries()
    contest.files, contest.first = session.outputs(), [entry]
    assert (entry.state, entry.public) == (State.COMPLETE, 0.91)
    assert "ms a picture" in done.stderr and "1,000 pictures of the hidden test" in done.stdout
    [sent] = kaggle.notebooks
    assert sent["fileName"] == "submission.csv" and sent["kernelVersion"] == 1
    pushed = kaggle.kernels[sent["kernelSlug"]][0]
    assert not pushed.get("enableInternet") and pushed["competitionDataSources"] == ["shapes"]
    return contest


@pytest.fixture
def contest(played_contest: Contest) -> Contest:
    played_contest.clear()
    return played_contest


def test_the_notebook_writes_the_file_that_harness_submit_writes(played_contest: Contest):
    assert played_contest.submit("shapes", "--dry-run").returncode == 0
    [own] = (played_contest.project / "submissions" / "shapes").glob("*.csv")
    assert played_contest.files["submission.csv"] == own.read_bytes()


def test_the_same_is_not_sent_twice(contest: Contest):
    assert contest.submit().returncode == 0
    again = contest.submit(*WORDS)
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
        if now == when and process.is_alive():
            process.kill()
            process.join()

    contest.kaggle.hooks = {step: kill}
    process = start_forked("harness.submit", "--resume", cwd=contest.project)
    process.join(60)
    assert process.exitcode == -9
    contest.kaggle.hooks = {}
    end_it(contest)


def test_what_is_nothing_for_a_notebook_is_refused(contest: Contest):
    told = contest.submit(*WORDS, "--bundle", "--dry-run")
    assert told.returncode == 2 and "give one of them" in told.stderr
    told = contest.submit("shapes", "--hidden-rows", "7", "--dry-run")
    assert told.returncode == 2 and "is for --code" in told.stderr
