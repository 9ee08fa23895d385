"""A Ray cluster of two nodes on this machine: the same OOF as without it, a lost node, nothing shared, wrong addresses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import REPOSITORY, TINY_RECIPE, make_shapes, run_inside

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A head and a second node, one core each."""
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ["PYTHONPATH"] = str(REPOSITORY)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100 * 2**20},
    )
    cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_shapes(tmp_path)
    recipe = TINY_RECIPE.replace("epochs = 2", "epochs = 6")
    (tmp_path / "competitions" / "shapes" / "recipes" / "tiny.toml").write_text(recipe)
    return tmp_path


FIXED = ("shapes", "--data", "data", "--recipe", "tiny", "--device", "cpu", "--json")


def cv(project: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In this process: those that matter here are the nodes' own."""
    return run_inside("harness.cv", *FIXED, *options, cwd=project, env={**os.environ, **environment})


def oof(done: subprocess.CompletedProcess[str], project: Path) -> pd.DataFrame:
    assert done.returncode == 0, done.stderr
    return pd.read_parquet(project / json.loads(done.stdout)["path"] / "oof.parquet")


def test_the_same_oof_where_no_folder_is_shared(nodes, project: Path):
    plain = oof(cv(project, "--out", "plain"), project)
    brought = cv(project, "--out", "brought", "--cluster", nodes.address, HARNESS_SHARED="0")
    pd.testing.assert_frame_equal(plain, oof(brought, project))
    run = project / json.loads(brought.stdout)["path"]
    assert len(list((run / "checkpoints").glob("*.safetensors"))) == 5 and not list(run.glob(".seen-*"))


FROZEN = """\
[model]
name = "timm"
args = { backbone = "test_resnet", image_size = 32 }
[features]
views = 2
[train]
epochs = 6
lr = 0.01
"""


def test_a_fold_of_several_runs_side_by_side_one_on_stored_features(
    nodes, project: Path, monkeypatch: pytest.MonkeyPatch
):
    from harness.base.progress import LineWatcher
    from harness.competition import Recipe, find_competition
    from harness.cv.opening import open_run
    from harness.cv.options import Options
    from harness.cv.pipeline import train_side_by_side
    from harness.data.dataset import load_dataset
    from harness.distributed.executor import Cluster

    watcher = LineWatcher(quiet=True)
    dataset = load_dataset(find_competition(project / "competitions" / "shapes"), project / "data")
    contest = dataset.competition
    texts = {"tiny": TINY_RECIPE, "frozen": FROZEN}
    recipes = [Recipe(name=name, cv={"folds": 3}, **tomllib.loads(text)) for name, text in texts.items()]

    def trained(out: Path, cluster: Cluster | None) -> list:
        options = Options(out=out, device="cpu", workers=1, cluster=cluster)
        opened = [open_run(contest, recipe, dataset, options, watcher) for recipe in recipes]
        for run, recipe in zip(opened, recipes, strict=True):
            run.start(contest, recipe, options, watcher)
        found = train_side_by_side(opened, contest, 1, options, watcher)
        assert Path(opened[1].folder.environment()["features"]).is_dir()  # the driver's own
        if cluster:  # the fold stands: nothing is left to do
            train_side_by_side(opened, contest, 1, options, watcher)
        return [result.valid_proba for result in found]

    here = trained(project / "here", None)
    for shared in ("0", "1"):
        monkeypatch.setenv("HARNESS_SHARED", shared)
        there = trained(project / f"shared-{shared}", Cluster(nodes.address, cpus=1))
        assert all((a == b).all() for a, b in zip(here, there, strict=True))
    assert (here[0] != here[1]).any()


def test_the_same_oof_where_folders_are_shared_and_a_node_is_lost(nodes, project: Path):
    plain = oof(cv(project, "--out", "plain", "--set", "train.epochs=40"), project)
    extra = nodes.add_node(num_cpus=1, object_store_memory=100 * 2**20)
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    options = ("--out", "lost", "--cluster", nodes.address, "--set", "train.epochs=40")
    command = [sys.executable, "-m", "harness.cv", *FIXED, *options]
    process = subprocess.Popen(
        command, cwd=project, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    ends = time.monotonic() + 120
    while not list((project / "lost").rglob("fold-*.npz")) and process.poll() is None and time.monotonic() < ends:
        time.sleep(0.1)
    nodes.remove_node(extra, allow_graceful=False)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    found = pd.read_parquet(project / json.loads(out)["path"] / "oof.parquet")
    pd.testing.assert_frame_equal(plain, found)


def test_a_study_on_the_nodes(nodes, project: Path):
    pytest.importorskip("optuna")
    path = project / "competitions" / "shapes" / "recipes" / "tiny.toml"
    path.write_text(
        path.read_text() + '\n[cv]\nfolds = 2\n[tune]\n"train.lr" = { low = 1e-3, high = 1e-1, log = true }\n'
    )
    options = (
        "shapes",
        "--data",
        "data",
        "--recipe",
        "tiny",
        "--trials",
        "2",
        "--pruner",
        "none",
        "--no-nested",
        "--json",
    )
    done = run_inside("harness.tune", *options, "--parallel", "2", "--cluster", nodes.address, cwd=project)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trials"]["complete"] == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--cluster", "127.0.0.1:9"), "does not answer"),
        (("--cluster", "nonsense"), "write 'auto', HOST:PORT"),
    ],
)
def test_an_address_where_nobody_is(project: Path, options: tuple[str, ...], said: str):
    done = cv(project, *options)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_python_takes_a_cluster_too(project: Path, monkeypatch: pytest.MonkeyPatch):
    import harness

    monkeypatch.chdir(project)
    with pytest.raises(harness.UserError, match="--cluster nonsense: write 'auto', HOST:PORT"):
        harness.cv("shapes", "tiny", cluster="nonsense", out="python", quiet=True)


def test_what_no_node_has_is_said_at_once(nodes, project: Path):
    done = cv(project, "--cluster", nodes.address, "--gpus-per-fold", "1")
    assert done.returncode == 2 and "which no node has" in done.stderr


def test_a_node_with_another_harness_or_other_data_is_refused(project: Path):
    from harness.base.errors import UserError
    from harness.cv.jobs.fold_job import FoldJob
    from harness.distributed.executor import _check_data, _do

    done = cv(project, "--workers", "1")
    run = project / json.loads(done.stdout)["path"]
    from harness.competition import find_competition
    from harness.data.dataset import load_dataset

    contest = find_competition(project / "competitions" / "shapes")
    cache = load_dataset(contest, project / "data").cache
    job = FoldJob(run, contest.folder, cache, 0, "cpu", 1)
    told = _do(job, None, ".seen-x", "0.0.0+other", None)
    assert "another harness" in told["mistake"] and "install the same" in told["mistake"]
    _check_data(job)
    environment = json.loads((run / "environment.json").read_text())
    environment["data"]["fingerprint"] = "f" * 16
    (run / "environment.json").write_text(json.dumps(environment))
    with pytest.raises(UserError, match="holds other data"):
        _check_data(job)


def test_results_stay_inside_the_run(tmp_path: Path):
    from harness.base.errors import UserError
    from harness.distributed.parcel import write_results

    with pytest.raises(UserError, match="does not belong"):
        write_results(tmp_path / "run", {"../evil": b"x"})
    write_results(tmp_path / "run", {"fold-0.npz": b"a", "checkpoints/fold-0.safetensors": b"b"})
    assert (tmp_path / "run" / "fold-0.npz").read_bytes() == b"a" and not (tmp_path / "evil").exists()
