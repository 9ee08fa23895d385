"""Scores per fold and pooled; untrained rows do not count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.competition.metrics import METRICS, intervals
from harness.competition.scoring.registry import find_metric
from harness.competition.scoring.temperature import softmax
from harness.competition.tasks import TASKS
from harness.competition.tasks.threshold import cross_fitted
from harness.cv.pooling import pool_oof
from harness.cv.scores import competition_metrics, score_run
from harness.runs import FoldResult, Folds
from tests.conftest import REPOSITORY

DIGITS = find_competition(REPOSITORY / "competitions" / "digit-recognizer")


def case() -> tuple[np.ndarray, np.ndarray, Folds]:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 10
    oof = rng.dirichlet(np.ones(10), 200).astype(np.float32)
    oof[np.arange(150), labels[:150]] += 1
    oof /= oof.sum(axis=1, keepdims=True)
    return labels, oof, Folds(np.arange(200).astype(str), np.arange(200), (np.arange(200) // 10 % 4).astype(np.int8))


def test_folds_mean_spread_and_pooled():
    labels, oof, folds = case()
    scores = score_run(DIGITS, labels, oof, folds, [0, 1, 2, 3])
    per_fold = [METRICS["accuracy"](labels[folds.fold == f], oof[folds.fold == f]) for f in range(4)]
    accuracy = scores["metrics"]["accuracy"]
    assert [f["accuracy"] for f in scores["folds"]] == per_fold and scores["complete"]
    assert accuracy["mean"] == pytest.approx(np.mean(per_fold)) and accuracy["std"] == pytest.approx(
        np.std(per_fold, ddof=1)
    )
    assert accuracy["pooled"] == METRICS["accuracy"](labels, oof)
    assert accuracy["low"] < accuracy["pooled"] < accuracy["high"]
    assert list(scores["metrics"]) == ["accuracy", "macro_f1", "log_loss"] and scores["metric"] == "accuracy"


def test_rows_of_untrained_folds_do_not_count():
    labels, oof, folds = case()
    oof[folds.fold >= 2] = np.nan
    scores = score_run(DIGITS, labels, oof, folds, [0, 1])
    rows = folds.fold < 2
    assert not scores["complete"]
    assert scores["metrics"]["log_loss"]["pooled"] == pytest.approx(find_metric("log_loss")(labels[rows], oof[rows]))
    alone = score_run(DIGITS, labels, oof, folds, [1])
    assert alone["metrics"]["accuracy"]["std"] is None


def two_classes() -> tuple[np.ndarray, np.ndarray, Folds]:
    """Probabilities of two classes that are all too high, in two folds of pairs."""
    rng = np.random.default_rng(1)
    labels = np.arange(80) // 2 % 2
    positive = (0.75 + 0.1 * (labels - 0.5) + 0.04 * rng.normal(size=80)).clip(0, 1)
    oof = np.column_stack([1 - positive, positive]).astype(np.float32)
    groups = np.arange(80) // 2
    return labels, oof, Folds(np.arange(80).astype(str), groups, (groups // 2 % 2).astype(np.int8))


def of(metric: str, *also: str, **changes):
    return DIGITS.model_copy(update={"metric": metric, "also": also, "classes": ("a", "b"), **changes})


def test_every_number_of_a_run_again_by_hand():
    labels, oof, folds = two_classes()
    scores = score_run(of("accuracy", "log_loss", "accuracy"), labels, oof, folds, [0, 1])
    assert list(scores["metrics"]) == ["accuracy", "log_loss"]  # once each
    assert [(f["fold"], f["n"]) for f in scores["folds"]] == [(0, 40), (1, 40)]
    scorers = [find_metric(name).prepare(labels, oof) for name in ("accuracy", "log_loss")]
    for name, (low, high) in zip(("accuracy", "log_loss"), intervals(scorers, folds.groups), strict=True):
        found = scores["metrics"][name]
        assert (found["low"], found["high"]) == (low, high) and found["greater_is_better"] == (name == "accuracy")
        assert found["pooled"] == find_metric(name)(labels, oof)
        per_fold = [find_metric(name)(labels[folds.fold == k], oof[folds.fold == k]) for k in range(2)]
        assert (found["mean"], found["std"]) == pytest.approx((np.mean(per_fold), np.std(per_fold, ddof=1)))
    moved = cross_fitted([METRICS["accuracy"], find_metric("log_loss")], labels, oof, folds.fold, folds.groups)
    assert scores["threshold"] == moved and moved["scores"]["accuracy"]["pooled"] > 0.8
    assert scores["excluded"] == {"n": 0}


def test_excluded_rows_are_scored_apart_and_change_nothing_else():
    labels, oof, folds = two_classes()
    kept = np.arange(80) % 10 > 1
    apart = Folds(folds.ids, folds.groups, folds.fold, kept)
    spoilt = np.where(kept[:, None], oof, [[1, 0]]).astype(np.float32)
    scores = score_run(of("accuracy", "roc_auc"), labels, spoilt, apart, [0, 1])
    again = score_run(of("accuracy", "roc_auc"), labels, oof, apart, [0, 1])
    assert scores["excluded"]["n"] == 16 and scores["excluded"]["accuracy"] == np.mean(labels[~kept] == 0)
    assert {k: v for k, v in scores.items() if k != "excluded"} == {k: v for k, v in again.items() if k != "excluded"}
    assert [f["n"] for f in scores["folds"]] == [np.sum(kept & (folds.fold == k)) for k in range(2)]
    one = score_run(of("accuracy", "roc_auc"), np.where(kept, labels, 0), oof, apart, [0])
    assert one["excluded"]["n"] == np.sum(~kept & (folds.fold == 0))
    assert one["excluded"]["roc_auc"] is None  # they are all of one class


def test_a_fold_in_which_a_metric_is_not_defined_is_left_out_of_the_mean():
    labels, oof, folds = two_classes()
    labels = np.where(folds.fold == 1, 0, labels)
    scores = score_run(of("roc_auc", "accuracy"), labels, oof, folds, [0, 1])
    first = METRICS["roc_auc"](labels[folds.fold == 0], oof[folds.fold == 0])
    assert [f["roc_auc"] for f in scores["folds"]] == [first, None]
    found = scores["metrics"]["roc_auc"]
    assert (found["mean"], found["std"]) == (first, None) and found["pooled"] == METRICS["roc_auc"](labels, oof)
    with pytest.raises(UserError, match="metric 'roc_auc' is not defined on these rows: they are all of one class"):
        score_run(of("roc_auc"), labels, oof, folds, [1])


def test_a_score_of_ones_own_is_asked_for_and_must_be_a_number(tmp_path: Path):
    labels, oof, folds = two_classes()
    with pytest.raises(
        UserError, match=rf"metric = 'custom' needs score\(labels, proba\) in {tmp_path}/competition.py"
    ):
        competition_metrics(of("custom", folder=tmp_path))
    (tmp_path / "competition.py").write_text("def score(labels, proba):\n    return float(labels.mean())\n")
    scores = score_run(of("custom", folder=tmp_path), labels, oof, folds, [0, 1])
    assert scores["metric"] == "custom" and scores["metrics"]["custom"]["pooled"] == labels.mean()
    (tmp_path / "competition.py").write_text("def score(labels, proba):\n    return float('nan')\n")
    with pytest.raises(UserError, match="fold 0: metric 'custom' is nan; correct score in competition.py"):
        score_run(of("custom", folder=tmp_path), labels, oof, folds, [0, 1])
    (loss,) = competition_metrics(of("custom(greater_is_better=false)", folder=tmp_path))
    (gain,) = competition_metrics(of("custom", folder=tmp_path))
    assert (loss.greater_is_better, gain.greater_is_better) == (False, True)


def grades(n: int = 120) -> tuple[np.ndarray, np.ndarray, Folds]:
    """Probabilities of three grades that are all half a grade too high."""
    rng = np.random.default_rng(3)
    labels = np.arange(n) % 3
    expected = (labels + 0.6 + 0.15 * rng.normal(size=n)).clip(0, 2)
    low = np.floor(expected).clip(0, 1).astype(int)
    oof = np.zeros((n, 3), np.float32)
    oof[np.arange(n), low] = 1 - (expected - low)
    oof[np.arange(n), low + 1] += expected - low
    return labels, oof, Folds(np.arange(n).astype(str), np.arange(n), (np.arange(n) // 3 % 4).astype(np.int8))


def test_answers_are_judged_by_the_decision_that_the_other_folds_found_and_outputs_as_they_are():
    labels, oof, folds = grades()
    kept = np.arange(120) % 11 > 0
    folds = Folds(folds.ids, folds.groups, folds.fold, kept)
    ordinal = of("log_loss", "accuracy", task="ordinal", classes=("0", "1", "2"))
    scores, task, accuracy = score_run(ordinal, labels, oof, folds, [0, 1, 2, 3]), TASKS["ordinal"], METRICS["accuracy"]
    told = task.find_decision(task.metric(accuracy), labels[kept], oof[kept], folds.fold[kept])
    scaling = scores["decision"].pop("scaling")
    assert scores["decision"] == told and set(told["folds"]) == {"0", "1", "2", "3"} and scores["threshold"] is None
    by_hand = np.concatenate([task.decide(oof[kept & (folds.fold == k)], told["folds"][str(k)]) for k in range(4)])
    right = np.concatenate([labels[kept & (folds.fold == k)] for k in range(4)])
    found = scores["metrics"]["accuracy"]
    assert (
        found["pooled"] == pytest.approx(accuracy(right, by_hand)) and found["low"] < found["pooled"] <= found["high"]
    )
    assert found["pooled"] > accuracy(labels[kept], task.plain(oof[kept])) + 0.1  # half a grade off
    assert scaling["method"] != "none"  # the leaderboard's metric is of probabilities
    scaled = np.concatenate([task.scaled(oof[kept & (folds.fold == k)], scaling["folds"][str(k)]) for k in range(4)])
    loss = find_metric("log_loss")(right, scaled)
    assert scores["metrics"]["log_loss"]["pooled"] == pytest.approx(loss, abs=1e-6)
    first = kept & (folds.fold == 0)
    assert scores["folds"][0]["accuracy"] == accuracy(labels[first], task.decide(oof[first], told["folds"]["0"]))
    left = accuracy(labels[~kept], task.decide(oof[~kept], told["values"]))
    assert scores["excluded"]["accuracy"] == left
    loss = find_metric("log_loss")(labels[~kept], task.scaled(oof[~kept], scaling["values"]))
    assert scores["excluded"]["log_loss"] == pytest.approx(loss, abs=1e-6)


def test_without_a_metric_of_answers_nothing_is_decided():
    labels, oof, folds = grades()
    ranked = of("roc_auc", "log_loss", task="ordinal", classes=("0", "1", "2"))
    scores = score_run(ranked, labels, oof, folds, [0, 1, 2, 3])
    assert scores["decision"] is None and scores["threshold"] is None
    two_grades = score_run(of("accuracy", task="ordinal"), *two_classes(), [0, 1])
    assert two_grades["decision"] and two_grades["threshold"] is None  # one of them is enough
    one_class = of("accuracy", classes=("0", "1", "2"))
    assert score_run(one_class, labels, oof, folds, [0, 1, 2, 3])["decision"] is None


def test_probabilities_are_scaled_where_the_leaderboard_judges_them_and_nowhere_else():
    rng = np.random.default_rng(5)
    true = softmax(2 * rng.normal(size=(400, 3)))
    labels = np.array([rng.choice(3, p=row) for row in true])
    oof = (true**3 / (true**3).sum(axis=1, keepdims=True)).astype(np.float32)  # three times too sure
    folds = Folds(np.arange(400).astype(str), np.arange(400), (np.arange(400) % 4).astype(np.int8))
    three = ("0", "1", "2")
    by_loss = score_run(of("log_loss", "accuracy", "brier", classes=three), labels, oof, folds, [0, 1, 2, 3])
    plain = score_run(of("accuracy", "log_loss", "brier", classes=three), labels, oof, folds, [0, 1, 2, 3])
    assert plain["decision"] is None and set(by_loss["decision"]) == {"scaling"}
    scaling = by_loss["decision"]["scaling"]
    tried = scaling["tried"][scaling["method"]]
    assert tried["low"] > 0 and scaling["ece_after"] < scaling["ece"]
    for name in ("log_loss", "brier"):  # both judge what is sent
        assert by_loss["metrics"][name]["pooled"] < plain["metrics"][name]["pooled"]
    loss = by_loss["metrics"]["log_loss"]["pooled"]
    assert loss == tried["score"] == pytest.approx(plain["metrics"]["log_loss"]["pooled"] - tried["gain"])
    assert np.mean([fold["log_loss"] for fold in by_loss["folds"]]) == pytest.approx(loss)  # folds of one size
    assert by_loss["metrics"]["accuracy"] == plain["metrics"]["accuracy"]
    alone = score_run(of("log_loss", classes=three), labels, oof, folds, [1])
    assert alone["decision"] is None  # of one fold nothing can be cross-fitted


def test_of_labels_answers_are_decided_and_probabilities_scaled_side_by_side():
    rng = np.random.default_rng(6)
    odds = 2 * rng.normal(size=(300, 3))
    labels = (rng.random((300, 3)) < 1 / (1 + np.exp(-odds))).astype(np.float32)
    oof = (1 / (1 + np.exp(-3 * odds))).astype(np.float32)
    folds = Folds(np.arange(300).astype(str), np.arange(300), (np.arange(300) % 3).astype(np.int8))
    tagged = {"task": "multilabel", "classes": ("a", "b", "c")}
    both = score_run(of("log_loss", "f2", **tagged), labels, oof, folds, [0, 1, 2])
    answers = score_run(of("f2", "log_loss", **tagged), labels, oof, folds, [0, 1, 2])
    assert both["decision"]["values"] == answers["decision"]["values"] and "scaling" not in answers["decision"]
    assert both["decision"]["scaling"]["method"] == "temperature"
    assert (
        both["metrics"]["f2"]["pooled"] == answers["metrics"]["f2"]["pooled"]
    )  # thresholds are of what the models say
    assert both["metrics"]["log_loss"]["pooled"] < answers["metrics"]["log_loss"]["pooled"] - 0.1


def test_pooled_oof_puts_each_row_in_its_place():
    proba = np.random.default_rng(0).random((6, 2)).astype(np.float32)
    rows = [np.array([5, 0]), np.array([2, 3])]
    results = [FoldResult(i, r, proba[r], np.zeros((0, 2)), [], 0.0) for i, r in enumerate(rows)]
    oof = pool_oof(results, 6, 2, Path("unused"))
    np.testing.assert_array_equal(oof[[0, 2, 3, 5]], proba[[0, 2, 3, 5]])
    assert np.isnan(oof[[1, 4]]).all()
