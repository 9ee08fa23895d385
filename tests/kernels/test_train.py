"""harness.cv --on kaggle with the real client against the loopback server, which really runs what is pushed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.runs import load_run
from tests.conftest import make_shapes, run_inside, run_module
from tests.kernels.server import Notebooks
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


@pytest.fixture
def project(kaggle: Notebooks, tmp_path: Path) -> Path:
    kaggle.reset()
    make_shapes(tmp_path)
    toml = tmp_path / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace("metric", 'platform = "kaggle"\nmetric', 1))
    kaggle.competition = tmp_path / "data" / "shapes"
    return tmp_path


def cv(project: Path, *words: str):
    return run_inside("harness.cv", *words, cwd=project)


def test_a_run_comes_back_as_if_it_had_been_trained_here(kaggle: Notebooks, project: Path):
    done = cv(project, *THERE)
    assert done.returncode == 0, done.stderr + "".join(s.text for s in kaggle.sessions)
    [run] = [p.parent for p in (project / "oof" / "shapes").glob("*/scores.json")]
    there = load_run(run)
    run.rename(project / "there")
    assert run_module("harness.cv", *CV, cwd=project).returncode == 0
    here = load_run(run)
    assert (here.oof == there.oof).all() and (here.test == there.test).all()
    assert len(kaggle.sessions) == 1 and "fold 1: trained and predicted" in done.stderr
