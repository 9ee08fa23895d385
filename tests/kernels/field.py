"""A project whose competition is on a loopback Kaggle: its session and its submission are played once, and then as they were recorded."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.ledger import Entry, State, open_ledger
from harness.runs import Run, load_run
from tests.conftest import make_shapes, run_inside
from tests.kernels.server import Notebooks, Recorded

QUICK = {
    "HARNESS_RETRY_SECONDS": "0.01",
    "HARNESS_GRACE_SECONDS": "0.1",
    "HARNESS_CALL_SECONDS": "10",
    "HARNESS_POLL_SECONDS": "0.3",
}
CV = ("shapes", "--recipe", "tiny", "--workers", "1", "--set", "cv.folds=2", "--set", "train.epochs=1")
THERE = (*CV, "--on", "kaggle", "--accelerator", "none")


CODE = ("shapes", "--code", "--hidden-rows", "1000")


def make_project(folder: Path, kaggle: Notebooks) -> Path:
    """competitions/shapes on Kaggle, with its data here and there."""
    make_shapes(folder)
    toml = folder / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace("metric", 'platform = "kaggle"\nmetric', 1))
    kaggle.competition = folder / "data" / "shapes"
    return folder


@dataclass
class Field:
    """A project, and the one session that was really played of its job."""

    project: Path
    kaggle: Notebooks
    key: str
    files: dict[str, bytes]
    first: Run

    def clear(self) -> None:
        """As before the first command, but for the recording."""
        self.kaggle.reset()
        shutil.rmtree(self.project / "oof" / "shapes" / "kaggle", ignore_errors=True)
        shutil.rmtree(self.run, ignore_errors=True)
        self.kaggle.recorded = {self.key: [Recorded(self.files)]}

    @property
    def run(self) -> Path:
        return self.project / "oof" / "shapes" / self.first.name

    def cv(self, *words: str):
        return run_inside("harness.cv", *(words or THERE), cwd=self.project)

    def partly(self, how: str = "time", status: str = "COMPLETE") -> Recorded:
        """What a session leaves that ended after the first fold."""
        last = (
            "fold-1",
            "scores.json",
            "oof.parquet",
            "test.parquet",
            "history",
            "report.html",
            f"{self.first.name}/manifest.json",
        )
        files = {name: content for name, content in self.files.items() if not any(word in name for word in last)}
        report = json.loads(files["harness-session.json"])
        report["files"] = {name: told for name, told in report["files"].items() if name in files}
        files["harness-session.json"] = json.dumps(report | {"how": how, "said": "it was late"}).encode()
        return Recorded(files, status)


def play_field(project: Path, kaggle: Notebooks) -> Field:
    """The project after one command, whose session was really run."""
    done = run_inside("harness.cv", *THERE, cwd=project)
    assert done.returncode == 0, done.stderr + "".join(s.text for s in kaggle.sessions)
    [run] = [p.parent for p in (project / "oof" / "shapes").glob("*/scores.json")]
    [session] = kaggle.sessions
    files = session.outputs()
    key = json.loads(files["harness-session.json"])["job"]
    (project / "told.json").write_text(json.dumps({"stderr": done.stderr, "text": session.text}))
    return Field(project, kaggle, key, files, load_run(run))


class Contest:
    """A project whose run was sent once, and all that the notebook left."""

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


def play_contest(project: Path, kaggle: Notebooks) -> Contest:
    """The project with a finished run, and the notebook's session that was really played."""
    kaggle.notebooks_only = True
    assert run_inside("harness.cv", *CV, cwd=project).returncode == 0
    contest = Contest(project, kaggle)
    done = contest.submit(*CODE)
    assert done.returncode == 0, done.stdout + done.stderr + "".join(s.text for s in kaggle.sessions)
    [session], [entry] = kaggle.sessions, contest.entries()
    contest.files, contest.first = session.outputs(), [entry]
    assert (entry.state, entry.public) == (State.COMPLETE, 0.91)
    assert "ms an image" in done.stderr and "1,000 images of the hidden test" in done.stdout
    [sent] = kaggle.notebooks
    assert sent["fileName"] == "submission.csv" and sent["kernelVersion"] == 1
    pushed = kaggle.kernels[sent["kernelSlug"]][0]
    assert not pushed.get("enableInternet") and pushed["competitionDataSources"] == ["shapes"]
    return contest
