"""harness.oof ensemble as a user runs it: a saved run that submit takes, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.base.errors import UserError
from harness.base.storage.manifest import MANIFEST, read_manifest, write_manifest
from harness.competition import find_competition
from harness.data.dataset import load_dataset
from harness.runs import load_run
from harness.submit.bundle.build import check_bundled
from harness.submit.prepare.blend import chosen_runs
from tests.conftest import make_shapes

CV = ("shapes", "--data", "data", "--recipe", "tiny", "--workers", "1", "--set", "cv.folds=3")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, run_command_module) -> Path:
    """Three runs of one recipe with other seeds."""
    folder = tmp_path_factory.mktemp("ensemble")
    make_shapes(folder)
    for seed in (0, 1, 2):
        done = run_command_module("harness.cv", *CV, "--set", f"seed={seed}", cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    shutil.copytree(project, tmp_path / "copy")
    return tmp_path / "copy"


def test_an_ensemble_is_a_run_that_submit_takes(copy: Path, run_command):
    done = run_command("harness.oof", "ensemble", "shapes", "--method", "convex", "--json", cwd=copy)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert len(said["members"]) == 3 and next(iter(said["methods"])) == "mean" and len(said["methods"]) == 11
    run = load_run(copy / said["path"])
    members = [load_run(copy / "oof" / "shapes" / name) for name in said["members"]]
    weights = run.recipe.model.args["weights"]
    np.testing.assert_allclose(run.test, sum(w * m.test for w, m in zip(weights, members, strict=True)), atol=1e-5)
    hits = (run.oof.argmax(axis=1) == run.labels).mean()
    assert (
        run.scores["metrics"]["accuracy"]["pooled"] == pytest.approx(hits) == said["methods"]["convex"]["cross_fitted"]
    )
    page = (run.path / "report.html").read_text()
    assert all(f'href="../{name}/report.html"' in page for name in said["members"]) and "Ways to combine" in page
    sent = run_command("harness.submit", "--comp", "shapes", "--data", "data", "--run", run.name, "--dry-run", cwd=copy)
    assert sent.returncode == 0 and "passes its checks" in sent.stdout
    table = pd.read_csv(copy / "submissions" / "shapes" / f"{run.name}.csv", dtype=str).set_index("id")["label"]
    classes = np.array(["circle", "square"])
    assert table[run.test_ids.tolist()].tolist() == classes[run.test.argmax(axis=1)].tolist()


def test_a_table_names_noise_and_the_ensemble_is_no_member_of_the_next(copy: Path, run_command):
    first = run_command("harness.oof", "ensemble", "shapes", cwd=copy)
    assert first.returncode == 0 and "the gain over the mean is noise" in first.stdout and "in sample" in first.stdout
    again = run_command("harness.oof", "ensemble", "shapes", "--json", cwd=copy)
    assert len(json.loads(again.stdout)["members"]) == 3
    assert "ensemble-" in run_command("harness.oof", "compare", "shapes", cwd=copy).stdout


def test_as_code_goes_the_best_run_and_no_ensemble(copy: Path, run_command):
    done = run_command("harness.oof", "ensemble", "shapes", "--method", "convex", "--json", cwd=copy)
    saved = load_run(copy / json.loads(done.stdout)["path"])
    contest = find_competition(copy / "competitions" / "shapes")
    dataset = load_dataset(contest, copy / "data")
    every, alone = (
        [run.name for run in chosen_runs(contest, dataset, [], 4, copy, as_code)] for as_code in (False, True)
    )
    assert saved.name in every and alone == [name for name in every if name != saved.name]
    with pytest.raises(UserError, match=f"is an ensemble; .* by --run: .*{alone[0]}"):
        check_bundled(saved)


def break_run(project: Path, what: str) -> None:
    run = sorted((project / "oof" / "shapes").glob("tiny-*"))[0]
    oof = pd.read_parquet(run / "oof.parquet")
    if what == "nan":
        oof.loc[3, "proba_circle"] = np.nan
    elif what == "sum":
        oof.loc[3, "proba_circle"] += 0.5
    elif what == "half copied":
        (run / "test.parquet").unlink()
        return
    oof.to_parquet(run / "oof.parquet", index=False)
    write_manifest(run / MANIFEST, list(read_manifest(run / MANIFEST)))  # wrong, not damaged


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nan", "1 of 40 rows are no probabilities"),
        ("sum", "they do not sum to one"),
        ("half copied", "test.parquet is not there"),
    ],
)
def test_damaged_members_are_refused_with_the_row(copy: Path, run_command, what: str, said: str):
    break_run(copy, what)
    done = run_command("harness.oof", "ensemble", "shapes", cwd=copy)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_one_run_other_folds_partial_runs_and_unknown_methods_are_refused(copy: Path, run_command):
    names = sorted(p.name for p in (copy / "oof" / "shapes").glob("tiny-*"))
    alone = run_command("harness.oof", "ensemble", "shapes", "--run", names[0], cwd=copy)
    assert alone.returncode == 2 and "needs two runs or more" in alone.stderr
    other = run_command("harness.cv", *CV[:-1], "cv.folds=2", "--json", cwd=copy)
    mixed = run_command(
        "harness.oof", "ensemble", "shapes", "--run", names[0], "--run", json.loads(other.stdout)["run"], cwd=copy
    )
    assert mixed.returncode == 2 and "their folds differ" in mixed.stderr
    part = run_command("harness.cv", *CV, "--set", "seed=9", "--folds", "0", "--json", cwd=copy)
    partial = run_command(
        "harness.oof", "ensemble", "shapes", "--run", names[0], "--run", json.loads(part.stdout)["run"], cwd=copy
    )
    assert partial.returncode == 2 and "is partial: 1 of 3 folds" in partial.stderr
    unknown = run_command("harness.oof", "ensemble", "shapes", "--method", "stackin", cwd=copy)
    assert unknown.returncode == 2 and "did you mean 'stacking'" in unknown.stderr
