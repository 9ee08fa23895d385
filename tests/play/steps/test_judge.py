"""The judgement compares like with like: the same recipes, on the same rows, without pseudo-labels on both sides."""

from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.base.progress import LineWatcher
from harness.competition import find_competition, load_recipe
from harness.data.dataset import load_dataset
from harness.oof.ensemble.build import build_ensemble
from harness.play.plan.refinements import another_seed, with_pseudo
from harness.play.steps import judge
from harness.play.steps.judge import cross_fitted_choice, judge_anew
from harness.play.steps.table import Table
from harness.play.steps.train import train_run
from harness.runs import RunFolder, load_run


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


def test_by_log_loss_both_sides_are_scaled_as_the_run_is(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    toml = shapes / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace('metric = "accuracy"', 'metric = "log_loss"'))
    monkeypatch.chdir(shapes)
    contest = find_competition("shapes")
    dataset, home = load_dataset(contest, shapes / "data"), shapes / "oof" / "shapes" / "play"
    table = Table(dataset.competition or contest, dataset, shapes, home, LineWatcher(quiet=True), "shapes", workers=1)
    recipe = load_recipe(contest.folder, "tiny", ["cv.folds=3", "train.label_smoothing=0.4", "train.epochs=25"])
    told = train_run(table, recipe)
    run = load_run(table.out / "oof" / "shapes" / told["run"])
    scaling, plain = run.scores["decision"]["scaling"], table.metric(run.labels, run.oof)
    assert scaling["method"] != "none" and told["score"] < plain - 0.05
    choice = cross_fitted_choice(table, [told["run"]])
    assert choice["score"] == pytest.approx(told["score"])
    anew = judge_anew(table, told["run"])
    assert anew["oof"] < plain - 0.05 and anew["anew"] < plain


def test_one_fold_at_least_is_left_for_what_is_fitted(table: Table):
    recipe = load_recipe(table.competition.folder, "tiny", ["cv.folds=3", "train.epochs=25"])
    names = [train_run(table, recipe)["run"], train_run(table, another_seed(recipe, 1))["run"]]
    judged = []
    for method in ("logit_mean", "hill_climbing"):
        final = build_ensemble(table.competition, table.out, names, method=method, watcher=table.watcher).path.name
        told = judge_anew(table, final, n_folds=3)
        judged.append(told)
        assert told["members"] <= 2 and 0 < told["rows"] < len(load_run(table.out / "oof" / "shapes" / names[0]).labels)
    assert all(told["oof"] > 0.5 and told["anew"] > 0.5 for told in judged)


def test_a_metric_without_a_value_on_the_judged_rows_is_said(table: Table, monkeypatch: pytest.MonkeyPatch):
    """As the AUC of a fold with rows of one class."""
    run = train_run(table, load_recipe(table.competition.folder, "tiny", ["cv.folds=3"]))["run"]
    monkeypatch.setattr(judge, "paired", lambda *given: (float("nan"),) * 6)
    with pytest.raises(UserError, match="accuracy says nothing of these 14 rows"):
        judge_anew(table, run)
