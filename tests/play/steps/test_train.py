"""Folds of a race are folds of the runs: trained side by side, they are not trained again, and give the same numbers."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from harness.competition import load_recipe
from harness.play.steps.table import Table
from harness.play.steps.train import clearly_behind, train_fold, train_run
from harness.runs import RunFolder, load_run


def test_a_fold_of_a_race_counts_for_its_run(table: Table):
    recipe = load_recipe(table.competition.folder, "tiny", ["cv.folds=3"])
    other = recipe.model_copy(update={"seed": 1, "name": "other"})
    raced = train_fold(table, [recipe, other], 0)
    assert set(raced["scores"]) == {"tiny", "other"} and all(0 <= s <= 1 for s in raced["scores"].values())
    folder = RunFolder(table.out / "oof" / "shapes" / raced["runs"]["tiny"])
    assert raced["trained"] == ["tiny", "other"] and not train_fold(table, [recipe, other], 0)["trained"]
    fold = folder.load_fold(0)
    written = folder.fold_path(0).stat().st_mtime_ns
    told = train_run(table, recipe)
    assert told["run"] == folder.name and told["folds"] == 2  # the third was there
    assert folder.fold_path(0).stat().st_mtime_ns == written
    run = load_run(folder.path)
    np.testing.assert_array_equal(run.oof[fold.valid_index], fold.valid_proba)
    labels = table.dataset.train.labels
    assert labels is not None
    of_fold = (run.oof[fold.valid_index].argmax(axis=1) == labels[fold.valid_index]).mean()
    assert raced["scores"]["tiny"] == pytest.approx(of_fold)
    assert (table.home / "recipes" / "tiny.toml").is_file()


def test_features_that_another_run_took_are_told(table: Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    model = 'model={name="timm", args={backbone="test_resnet", image_size=32, head=[4]}}'
    recipe = load_recipe(table.competition.folder, "tiny", ["cv.folds=3", "features.views=1", model])
    assert train_run(table, recipe)["found_features"] is False
    wider = recipe.model_copy(update={"name": "wider", "train": recipe.train.model_copy(update={"epochs": 3})})
    raced = train_fold(table, [wider], 0)
    assert raced["found_features"] == ["wider"] and train_run(table, wider)["found_features"] is True
    assert train_run(table, load_recipe(table.competition.folder, "tiny", ["cv.folds=3"]))["found_features"] is False


def test_what_is_trained_elsewhere_leaves_no_recipe_and_no_run(table: Table, tmp_path: Path):
    recipe = load_recipe(table.competition.folder, "tiny", ["cv.folds=3", "cv.seed=7"])
    train_fold(table, [recipe], 1, table.home / "judged")
    assert not (table.home / "recipes").exists()
    assert [p.name for p in (table.out / "oof" / "shapes").iterdir()] == ["play"]


def test_what_is_worse_beyond_chance_on_a_fold_falls_out_and_a_twin_does_not(table: Table):
    """Predictions of 14 rows, put in the place of those that were trained: all right, one wrong, all wrong."""
    recipe = load_recipe(table.competition.folder, "tiny", ["cv.folds=3", "train.epochs=1"])
    recipes = [recipe.model_copy(update={"seed": seed, "name": name}) for seed, name in enumerate("abc")]
    runs = train_fold(table, recipes, 0)["runs"]
    labels = table.dataset.train.labels
    assert labels is not None
    for recipe, wrong in zip(recipes, (0, 1, 14), strict=True):
        folder = RunFolder(table.out / "oof" / "shapes" / runs[recipe.name])
        fold = folder.load_fold(0)
        answers = labels[fold.valid_index].copy()
        answers[:wrong] = 1 - answers[:wrong]
        folder.save_fold(dataclasses.replace(fold, valid_proba=np.eye(2, dtype=np.float32)[answers]))
    assert clearly_behind(table, recipes, 0, 0) == ["c"]
    assert clearly_behind(table, recipes, 0, 1) == ["c"]
    assert clearly_behind(table, recipes, 0, 2) == []  # nobody is behind the last


def test_a_fold_on_which_the_metric_has_no_value_has_no_score(table: Table, monkeypatch: pytest.MonkeyPatch):
    """As the AUC of rows of one class; NaN would be no JSON, and rank anywhere."""
    recipe = load_recipe(table.competition.folder, "tiny", ["cv.folds=3", "train.epochs=1"])
    undefined = dataclasses.replace(table.metric, prepare=lambda labels, outputs: lambda weights: float("nan"))
    monkeypatch.setattr(type(table), "metric", undefined)
    assert train_fold(table, [recipe], 0)["scores"] == {"tiny": None}
    twin = recipe.model_copy(update={"seed": 1, "name": "twin"})
    train_fold(table, [twin], 0)
    assert clearly_behind(table, [recipe, twin], 0, 0) == []
