"""A competition by log loss: what cv finds of its probabilities, every stage applies: files, blends, ensembles, bundles."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.competition.scoring.registry import find_metric
from harness.runs import Run, RunFolder, load_run
from tests.conftest import make_shapes
from tests.submit.inside import tried_inside  # noqa: F401 - a fixture

SUBMISSION = '\n[submission]\nid = "id"\nvalue = "probability"\n'
CV = ("shapes", "--data", "data", "--recipe", "tiny", "--workers", "1")
SETTINGS = {
    "train.seeds": "2",
    "train.label_smoothing": "0.4",
    "train.epochs": "25",
    "cv.folds": "3",
}  # never sure, all right


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, run_command_module) -> Path:
    """Two runs of one recipe with other seeds."""
    folder = tmp_path_factory.mktemp("loss")
    make_shapes(folder, per_class=40, n_test=8)
    toml = folder / "competitions" / "shapes" / "competition.toml"
    toml.write_text(
        toml.read_text().replace('metric = "accuracy"', 'metric = "log_loss"\nalso = ["brier", "accuracy"]')
        + SUBMISSION
    )
    for seed in (0, 1):
        sets = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
        done = run_command_module("harness.cv", *CV, *sets, "--set", f"seed={seed}", "--json", cwd=folder)
        assert done.returncode == 0, done.stderr
        (folder / f"{seed}.json").write_text(done.stdout)
    return folder


def runs_of(project: Path) -> list[Run]:
    return [load_run(project / json.loads((project / f"{seed}.json").read_text())["path"]) for seed in (0, 1)]


def sent(project: Path, run_command, *names: str) -> pd.DataFrame:
    words = [word for name in names for word in ("--run", name)]
    done = run_command("harness.submit", "shapes", "--data", "data", *words, "--dry-run", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return pd.read_csv(told["file"], dtype={"id": str}).set_index("id")[["circle", "square"]]


def of_folds(run: Run) -> list[np.ndarray]:
    return [RunFolder(run.path).load_fold(fold).test_proba for fold in range(run.folds.k)]


def test_cv_tells_what_it_scales_and_scores_by_it(project: Path, run_command):
    told, run = json.loads((project / "0.json").read_text()), runs_of(project)[0]
    scaling = told["decision"]["scaling"]
    assert scaling["method"] in ("temperature", "vector") and told["ece"] == scaling["ece"] > told["ece_after"]
    assert min(scaling["values"]["scale"]) > 1.2  # they were not sure enough
    loss, task = find_metric("log_loss"), run.task
    scaled = task.judged_by(loss, run.oof, run.folds.fold, run.scores["decision"])
    assert told["metrics"]["log_loss"]["pooled"] == pytest.approx(loss(run.labels, scaled))
    assert loss(run.labels, scaled) < loss(run.labels, run.oof) - 0.05
    page = (run.path / "report.html").read_text()
    assert "as sure as they are right" in page and "applied" in page and f"{scaling['ece_after']:.4f}" in page
    again = run_command(
        "harness.cv", *CV, *[w for k, v in SETTINGS.items() for w in ("--set", f"{k}={v}")], cwd=project
    )
    assert "probabilities are scaled" in again.stdout and "log loss gains +" in again.stdout


def test_a_file_holds_each_folds_scaled_probabilities_averaged(project: Path, run_command):
    first, second = runs_of(project)
    by_hand = np.mean(
        [first.task.scaled(p, first.scores["decision"]["scaling"]["values"]) for p in of_folds(first)], axis=0
    )
    file = sent(project, run_command, first.name)
    np.testing.assert_allclose(file.loc[list(first.test_ids)], by_hand, atol=1e-6)
    assert np.abs(by_hand - first.test).max() > 0.05  # it matters
    np.testing.assert_allclose(file.sum(axis=1), 1, atol=1e-6)
    blend = sent(project, run_command, first.name, second.name)
    plain = (first.test + second.test) / 2
    assert np.abs(np.log(blend / (1 - blend))["circle"]).mean() > np.abs(np.log(plain / (1 - plain))[:, 0]).mean() + 0.2


def test_an_ensemble_is_scaled_after_it_is_combined_and_its_table_says_so(project: Path, run_command):
    done = run_command("harness.oof", "ensemble", "shapes", "--method", "convex", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    run, members = load_run(project / said["path"]), runs_of(project)
    by_name = {member.name: member for member in members}
    weights = run.recipe.model.args["weights"]
    plain = sum(w * by_name[name].oof for w, name in zip(weights, said["members"], strict=True))
    np.testing.assert_allclose(run.oof, plain, atol=0.05)  # stored as combined, so that it can be combined again
    scaling = run.scores["decision"]["scaling"]
    assert scaling["values"] and run.scores["metrics"]["log_loss"]["pooled"] == pytest.approx(
        said["methods"]["convex"]["cross_fitted"], abs=1e-6
    )
    by_hand = np.mean([run.task.scaled(p, scaling["values"]) for p in of_folds(run)], axis=0)
    np.testing.assert_allclose(sent(project, run_command, run.name).loc[list(run.test_ids)], by_hand, atol=1e-6)


@pytest.mark.usefixtures("tried_inside")
def test_a_bundle_gives_the_probabilities_of_the_file(project: Path, run_command, tmp_path: Path):
    run = runs_of(project)[0]
    words = ("shapes", "--data", "data", "--run", run.name, "--bundle", "--dry-run", "--json")
    done = run_command("harness.submit", *words, cwd=project)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(json.loads(done.stdout)["file"]) as archive:
        archive.extractall(tmp_path)
    module: dict[str, object] = {"__name__": "bundle", "__file__": str(tmp_path / "model.py")}
    exec(compile((tmp_path / "model.py").read_text(), str(tmp_path / "model.py"), "exec"), module)
    images = [np.asarray(Image.open(project / "data" / "shapes" / "test" / f"{name}.png")) for name in run.test_ids]
    model = module["Model"]()  # type: ignore[operator]
    file = sent(project, run_command, run.name).loc[list(run.test_ids)]
    np.testing.assert_allclose(model.predict_proba(np.stack(images)), file, atol=1e-4)


def test_by_accuracy_nothing_is_scaled_and_the_run_keeps_its_name(project: Path, run_command, tmp_path: Path):
    make_shapes(tmp_path, per_class=40, n_test=8)
    sets = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    done = run_command("harness.cv", *CV, *sets, "--set", "seed=0", "--json", cwd=tmp_path)
    told, by_loss = json.loads(done.stdout), runs_of(project)[0]
    assert told["decision"] is None and "ece" not in told
    assert told["run"] == by_loss.name
    np.testing.assert_array_equal(load_run(tmp_path / told["path"]).oof, by_loss.oof)
