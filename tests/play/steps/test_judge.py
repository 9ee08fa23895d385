"""The judgement compares like with like: the same recipes, on the same rows, without pseudo-labels on both sides."""

from pathlib import Path

import pytest

from harness.base.progress import LineWatcher
from harness.competition import find_competition, load_recipe
from harness.data.dataset import load_dataset
from harness.play.plan.candidates import with_pseudo
from harness.play.steps.judge import cross_fitted_choice, judge_anew
from harness.play.steps.table import Table
from harness.play.steps.train import train_run
from harness.runs import RunFolder, load_run


@pytest.fixture
def table(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.chdir(shapes)
    contest = find_competition("shapes")
    dataset = load_dataset(contest, shapes / "data")
    home = shapes / "oof" / "shapes" / "play"
    return Table(dataset.competition or contest, dataset, shapes, home, LineWatcher(quiet=True), "shapes", workers=1)


def test_pseudo_labels_are_left_out_on_both_sides(table: Table):
    recipe = load_recipe(table.competition.folder, "tiny", ["cv.folds=3"])
    plain = train_run(table, recipe)["run"]
    pseudo = with_pseudo(recipe, plain)
    pseudo = pseudo.model_copy(update={"pseudo": pseudo.pseudo.model_copy(update={"threshold": 0.5})})
    learnt = train_run(table, pseudo)["run"]
    of_plain, of_learnt = judge_anew(table, plain), judge_anew(table, learnt)
    assert of_learnt["without_pseudo"] == 1 and of_plain["without_pseudo"] == 0
    for key in ("rows", "oof", "anew", "optimism", "low", "high"):
        assert of_learnt[key] == pytest.approx(of_plain[key])
    judged = table.home / "judged" / "oof" / "shapes"
    [other] = [path for path in judged.iterdir() if (path / "recipe.json").is_file()]
    run, fold = load_run(table.out / "oof" / "shapes" / plain), RunFolder(other).load_fold(0)
    labels, rows = run.labels, fold.valid_index
    assert of_plain["rows"] == len(rows)
    assert of_plain["anew"] == pytest.approx((fold.valid_proba.argmax(axis=1) == labels[rows]).mean())
    assert of_plain["oof"] == pytest.approx((run.oof[rows].argmax(axis=1) == labels[rows]).mean())


def test_the_choice_of_one_run_is_that_run(table: Table):
    recipe = load_recipe(table.competition.folder, "tiny", ["cv.folds=3"])
    told = train_run(table, recipe)
    choice = cross_fitted_choice(table, [told["run"]])
    assert choice["score"] == pytest.approx(told["score"]) and set(choice["chosen"]) == {told["run"]}
