"""Folds of a play: fewer where groups leave a fold without a class; no submission is lost to that."""

from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.base.progress import LineWatcher
from harness.clean.verdicts import Verdict, read_verdicts, write_verdicts
from harness.competition import Recipe, find_competition, load_recipe
from harness.data.dataset import load_dataset
from harness.play.steps import folds
from harness.play.steps.table import Table


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
