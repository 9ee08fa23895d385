"""Folds of a play: fewer where groups leave a fold without a class; no submission is lost to that."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.base.progress import LineWatcher
from harness.clean.verdicts import Verdict, read_verdicts, write_verdicts
from harness.competition import Recipe, find_competition, load_recipe
from harness.data.cache import open_cache
from harness.data.dataset import load_dataset
from harness.play.steps import folds
from harness.play.steps.judge import judge_anew
from harness.play.steps.table import Table
from harness.play.steps.train import train_run
from harness.runs import RunFolder


@pytest.mark.parametrize(("borne", "k"), [(5, 5), (4, 3), (3, 3), (2, 2), (1, None)])
def test_as_many_folds_as_the_data_bear(shapes: Path, monkeypatch: pytest.MonkeyPatch, borne: int, k: int | None):
    """The true folds of some data, refused beyond so many as groups that stay together would have it."""
    monkeypatch.chdir(shapes)
    made = folds.open_run

    def refusing(competition, recipe: Recipe, *rest):
        if recipe.cv.folds > borne:
            raise UserError("fold 0 has no sample of class 'circle'")
        return made(competition, recipe, *rest)

    monkeypatch.setattr(folds, "open_run", refusing)
    contest = find_competition("shapes")
    dataset = load_dataset(contest, shapes / "data")
    home = shapes / "oof" / "shapes" / "play"
    table = Table(dataset.competition or contest, dataset, shapes, home, LineWatcher(quiet=True), "shapes", workers=1)
    recipe = load_recipe(contest.folder, "tiny", ["cv.folds=5"])
    if k is None:
        with pytest.raises(UserError, match="no sample of class 'circle'"):
            folds.usable_folds(table, recipe)
        return
    assert folds.usable_folds(table, recipe) == k
    assert list((shapes / "oof" / "shapes" / "folds").glob(f"*-k{k}-*.csv"))


@pytest.fixture
def given(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """The drawn shapes in four folds of their own."""
    monkeypatch.chdir(shapes)
    contest = find_competition("shapes")
    first = load_dataset(contest, shapes / "data")
    np.save(first.cache / "train" / "fold.npy", (np.arange(len(first.train)) % 4).astype(np.int8))
    dataset = dataclasses.replace(open_cache(first.cache), competition=first.competition)
    home = shapes / "oof" / "shapes" / "play"
    return Table(dataset.competition or contest, dataset, shapes, home, LineWatcher(quiet=True), "shapes", workers=1)


def test_folds_that_the_data_give_are_the_plays(given: Table):
    recipe = load_recipe(given.competition.folder, "tiny", ["cv.folds=5"])
    assert folds.given_folds(given) == folds.usable_folds(given, recipe) == 4


def test_on_given_folds_the_choice_is_judged_from_other_seeds(given: Table):
    recipe = load_recipe(given.competition.folder, "tiny", ["cv.folds=4", "train.epochs=3"])
    name = train_run(given, recipe)["run"]
    told = judge_anew(given, name, 3)
    assert told["given_folds"] and told["rows"] == 30
    (judged,) = (given.home / "judged" / "oof" / "shapes").glob("tiny-*")
    mine, theirs = (RunFolder(path) for path in (given.out / "oof" / "shapes" / name, judged))
    assert (mine.load_fold(0).valid_index == theirs.load_fold(0).valid_index).all()
    assert (mine.load_fold(0).valid_proba != theirs.load_fold(0).valid_proba).any()


def test_copies_that_leave_one_group_are_told_and_then_not_kept_together(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(shapes)
    contest = find_competition("shapes")
    dataset = load_dataset(contest, shapes / "data")
    path = shapes / "oof" / "shapes" / "clean" / "clean.csv"
    path.parent.mkdir(parents=True)
    alike = [Verdict(row, "near duplicate", "group", "family-1", "looks alike") for row in dataset.train.ids[1:]]
    write_verdicts(path, [Verdict(dataset.train.ids[0], "foreign", "exclude", "", "odd"), *alike])
    home = shapes / "oof" / "shapes" / "play"
    table = Table(dataset.competition or contest, dataset, shapes, home, LineWatcher(quiet=True), "shapes", workers=1)
    recipe = load_recipe(contest.folder, "tiny", ["cv.folds=5"])
    with pytest.raises(UserError, match="too few for 2 folds.* 39 rows as 'group' in .*clean.csv: .*--no-clean"):
        folds.usable_folds(table, recipe)
    assert folds.ungroup(table) == 39
    assert [v.action for v in read_verdicts(path)] == ["exclude", *["keep"] * 39]
    assert folds.usable_folds(table, recipe) == 5 and folds.ungroup(table) == 0
