"""harness.clean, harness.tune and harness.play --on kaggle: the same mechanism, other results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.clean.verdicts import read_verdicts
from harness.runs import load_run
from tests.conftest import run_inside
from tests.kernels.field import make_project
from tests.kernels.server import Notebooks


@pytest.fixture
def project(kaggle: Notebooks, tmp_path: Path) -> Path:
    kaggle.reset()
    project = make_project(tmp_path, kaggle)
    for name in ("circle", "square"):
        folder = project / "data" / "shapes" / "train" / name
        shutil.copyfile(folder / "0.png", folder / "copy.png")
    return project


def test_rows_are_judged_there_as_here(kaggle: Notebooks, project: Path):
    done = run_inside("harness.clean", "shapes", "--on", "kaggle", cwd=project)
    assert done.returncode == 0, done.stderr + "".join(s.text for s in kaggle.sessions)
    path = project / "oof" / "shapes" / "clean" / "clean.csv"
    there, page = read_verdicts(path), path.with_name("clean.html").read_text()
    assert "circle/copy.png" in {verdict.id for verdict in there} and "Shapes" in page
    shutil.rmtree(path.parent)
    assert run_inside("harness.clean", "shapes", cwd=project).returncode == 0
    assert read_verdicts(path) == there
    [[pushed]] = kaggle.kernels.values()
    assert not pushed.get("machineShape") and not pushed.get("enableGpu")  # none is of use to it
    path.write_text(path.read_text() + "circle/1.png,blank,keep,,mine\n")
    told = run_inside("harness.clean", "shapes", "--on", "kaggle", cwd=project)
    assert told.returncode == 2 and "changed by hand" in told.stderr


def test_a_study_there_brings_its_recipe(kaggle: Notebooks, project: Path):
    recipe = project / "competitions" / "shapes" / "recipes" / "tiny.toml"
    recipe.write_text(recipe.read_text() + '\n[tune]\n"train.lr" = { choices = [0.01, 0.02] }\n')
    words = (
        "shapes",
        "--recipe",
        "tiny",
        "--trials",
        "2",
        "--no-nested",
        "--set",
        "cv.folds=2",
        "--set",
        "train.epochs=1",
    )
    done = run_inside("harness.tune", *words, "--on", "kaggle", "--accelerator", "none", cwd=project)
    assert done.returncode == 0, done.stderr + "".join(s.text for s in kaggle.sessions)
    best = recipe.with_name("tiny-tuned.toml")
    assert best.read_text().startswith("# Written by python -m harness.tune")
    assert list((project / "oof" / "shapes" / "studies").glob("*/study.html"))
    again = run_inside("harness.tune", *words, "--on", "kaggle", "--accelerator", "none", cwd=project)
    assert again.returncode == 0 and len(kaggle.sessions) == 1
    told = run_inside("harness.tune", *words, "--keep", "--on", "kaggle", cwd=project)
    assert told.returncode == 2 and "--keep" in told.stderr


def times(told: dict, kind: str) -> dict[str, float]:
    return {step["key"]: step["spent"] for step in told["steps"] if step["kind"] == kind}


def test_a_whole_play_there(kaggle: Notebooks, project: Path):
    words = ("shapes", "--fold-epochs", "6", "--workers", "1")
    there = (*words, "--on", "kaggle", "--accelerator", "none")
    done = run_inside("harness.play", *there, "--dry-run", cwd=project)
    assert done.returncode == 0 and "plays: harness.play shapes --fold-epochs 6" in done.stderr, done.stderr
    assert "(private): oof/shapes/kaggle/" in done.stderr  # the project's folder is the current one
    done = run_inside("harness.play", *there, "--json", cwd=project)
    assert done.returncode == 0, done.stderr + "".join(s.text for s in kaggle.sessions)
    told = json.loads(done.stdout)
    home = project / "oof" / "shapes"
    assert load_run(home / told["final"]).name == told["final"] and set(told["runs"]) <= {
        p.name for p in home.iterdir()
    }
    assert read_verdicts(home / "clean" / "clean.csv") and (home / "play" / "play.html").is_file()
    assert times(told, "train")
    [file] = [step["outcome"]["file"] for step in told["steps"] if step["kind"] == "submission"]
    assert (project / file).read_text().startswith("id,label") and file.startswith("submissions/")
    assert not (project / "submissions" / "ledger.sqlite").exists()
    again = run_inside("harness.play", *there, cwd=project)
    assert again.returncode == 0 and len(kaggle.sessions) == 1 and f"final:    {told['final']}" in again.stdout
    assert "page:     oof/shapes/play/play.html" in again.stdout
    here = run_inside("harness.play", *words, "--json", cwd=project)
    assert here.returncode == 0, here.stderr
    assert times(json.loads(here.stdout), "train") == times(
        told, "train"
    )  # what was trained there is not trained again
    (home / "play" / "result.json").unlink()
    refused = run_inside("harness.play", *there, "--submit", "1", cwd=project)
    assert refused.returncode == 2 and "--submit" in refused.stderr
    begun = run_inside("harness.play", *there, "--session-hours", "2", cwd=project)
    assert begun.returncode == 2 and "begun here" in begun.stderr and len(kaggle.sessions) == 1
