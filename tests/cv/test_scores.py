"""Scores per fold and pooled; untrained rows do not count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.competition import find_competition
from harness.competition.metrics import METRICS
from harness.cv.pooling import pool_oof
from harness.cv.scores import score_run
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
    assert scores["metrics"]["log_loss"]["pooled"] == pytest.approx(METRICS["log_loss"](labels[rows], oof[rows]))
    alone = score_run(DIGITS, labels, oof, folds, [1])
    assert alone["metrics"]["accuracy"]["std"] is None


def test_pooled_oof_puts_each_row_in_its_place():
    proba = np.random.default_rng(0).random((6, 2)).astype(np.float32)
    rows = [np.array([5, 0]), np.array([2, 3])]
    results = [FoldResult(i, r, proba[r], np.zeros((0, 2)), [], 0.0) for i, r in enumerate(rows)]
    oof = pool_oof(results, 6, 2, Path("unused"))
    np.testing.assert_array_equal(oof[[0, 2, 3, 5]], proba[[0, 2, 3, 5]])
    assert np.isnan(oof[[1, 4]]).all()
