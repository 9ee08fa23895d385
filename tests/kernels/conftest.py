"""A loopback Kaggle, and a project whose competition is there; a session of it is played once, and then as it was recorded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.runs import Run, load_run
from tests.conftest import make_shapes, run_inside
from tests.kernels.server import Notebooks, Recorded
from tests.submit import servers

QUICK = {
    "HARNESS_RETRY_SECONDS": "0.01",
    "HARNESS_GRACE_SECONDS": "0.1",
    "HARNESS_CALL_SECONDS": "10",
    "HARNESS_POLL_SECONDS": "0.3",
}
CV = ("shapes", "--recipe", "tiny", "--workers", "1", "--set", "cv.folds=2", "--set", "train.epochs=1")
THERE = (*CV, "--on", "kaggle", "--accelerator", "none")


@pytest.fixture(scope="module")
def kaggle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebooks]:
    servers.skip_without_kaggle()
    server = Notebooks(tmp_path_factory.mktemp("kaggle"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (QUICK | server.environment()).items():
            patch.setenv(name, value)
        yield server
    server.close()
    assert server.stray == []


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


@pytest.fixture(scope="module")
def played(kaggle: Notebooks, tmp_path_factory: pytest.TempPathFactory) -> Field:
    """The project after one command, whose session was really run."""
    project = make_project(tmp_path_factory.mktemp("project"), kaggle)
    done = run_inside("harness.cv", *THERE, cwd=project)
    assert done.returncode == 0, done.stderr + "".join(s.text for s in kaggle.sessions)
    [run] = [p.parent for p in (project / "oof" / "shapes").glob("*/scores.json")]
    [session] = kaggle.sessions
    files = session.outputs()
    key = json.loads(files["harness-session.json"])["job"]
    told = {"stderr": done.stderr, "text": session.text}
    (project / "told.json").write_text(json.dumps(told))
    return Field(project, kaggle, key, files, load_run(run))


@pytest.fixture
def field(played: Field) -> Field:
    played.clear()
    return played
