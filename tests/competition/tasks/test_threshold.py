"""Decision thresholds: the best one is found, and is scored on rows that it was not found on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.competition.metrics import METRICS, custom_metric
from harness.competition.scoring.registry import find_metric
from harness.competition.tasks.answering import moved
from harness.competition.tasks.threshold import best_threshold, cross_fitted, decide


def skewed(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that are all too high: the right threshold is about 0.75."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.5).astype(np.int64)
    return labels, (0.75 + 0.12 * (labels - 0.5) + 0.06 * rng.normal(size=n)).clip(0, 1)


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1", "macro_f1"])
def test_the_best_threshold_is_at_least_as_good_as_any_other(name: str):
    labels, positive = skewed(300, 0)
    metric = find_metric(name)
    found = best_threshold(metric, labels, positive)
    others = [metric(labels, decide(positive, t)) for t in np.linspace(0, 1, 501)]
    assert metric(labels, decide(positive, found)) >= max(others) - 0.011  # candidates are 400 quantiles


def test_the_cross_fitted_score_uses_no_row_for_its_own_threshold():
    labels, positive = skewed(400, 1)
    proba, fold = np.column_stack([1 - positive, positive]), np.arange(400) % 5
    found = cross_fitted([METRICS["accuracy"], METRICS["roc_auc"]], labels, proba, fold, np.arange(400))
    of_fold = [best_threshold(METRICS["accuracy"], labels[fold != f], positive[fold != f]) for f in range(5)]
    per_row = np.array(of_fold)[fold]
    assert found["scores"]["accuracy"]["pooled"] == pytest.approx(((positive >= per_row) == labels).mean())
    assert found["scores"]["accuracy"]["pooled"] > METRICS["accuracy"](labels, proba) + 0.2
    assert "roc_auc" not in found["scores"]  # no threshold changes it
    assert (
        found["scores"]["accuracy"]["low"]
        <= found["scores"]["accuracy"]["pooled"]
        <= found["scores"]["accuracy"]["high"]
    )


def test_what_is_found_is_told_with_its_metric_and_two_folds_are_enough():
    labels, positive = skewed(100, 3)
    proba = np.column_stack([1 - positive, positive])
    metrics = [find_metric("log_loss"), find_metric("f1"), custom_metric(lambda y, p: 0.0)]
    found = cross_fitted([METRICS["accuracy"], *metrics], labels, proba, np.arange(100) % 2, np.arange(100))
    assert found["metric"] == "accuracy" and list(found["scores"]) == ["accuracy", "f1"]
    assert found["value"] == best_threshold(METRICS["accuracy"], labels, positive)
    for name in ("accuracy", "f1"):
        line = found["scores"][name]
        assert line["low"] < line["pooled"] < line["high"]
    own = cross_fitted([metrics[2]], labels, proba, np.arange(100) % 2, np.arange(100))
    assert own is None  # a score of one's own may be of anything, not of decisions alone


def test_of_a_metric_that_is_the_better_the_smaller_the_smallest_is_found():
    labels, positive = skewed(150, 4)
    mistakes = replace(
        METRICS["accuracy"],
        prepare=lambda y, p: lambda w: 1 - METRICS["accuracy"].prepare(y, p)(w),
        greater_is_better=False,
    )
    assert best_threshold(mistakes, labels, positive) == best_threshold(METRICS["accuracy"], labels, positive)


def test_where_all_rows_are_alike_the_threshold_is_a_half():
    assert best_threshold(METRICS["accuracy"], np.array([0, 1, 1]), np.full(3, 0.8)) == 0.5


def test_of_several_best_thresholds_the_middle_one_is_taken():
    labels, positive = np.repeat([0, 1], 3), np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    assert 0.45 < best_threshold(METRICS["accuracy"], labels, positive) < 0.55
    assert decide(positive, 0.7)[:, 1].tolist() == [0, 0, 0, 1, 1, 1]  # from it on, itself included


def test_noise_gains_nothing_by_a_cross_fitted_threshold():
    rng = np.random.default_rng(2)
    gains = []
    for _ in range(20):
        labels, positive = rng.integers(0, 2, 100), rng.random(100)
        proba = np.column_stack([1 - positive, positive])
        found = cross_fitted([METRICS["accuracy"]], labels, proba, np.arange(100) % 5, np.arange(100))
        gains.append(found["scores"]["accuracy"]["pooled"] - 0.5)
    assert abs(np.mean(gains)) < 0.04  # in sample it would be about + 0.06


@pytest.mark.parametrize(("classes", "metric", "folds"), [(3, "accuracy", 5), (2, "roc_auc", 5), (2, "accuracy", 1)])
def test_where_a_threshold_means_nothing_there_is_none(classes: int, metric: str, folds: int):
    proba = np.random.default_rng(0).dirichlet(np.ones(classes), 50)
    assert (
        cross_fitted([find_metric(metric)], np.arange(50) % classes, proba, np.arange(50) % folds, np.arange(50))
        is None
    )


@given(st.lists(st.floats(0.001, 0.999), min_size=2, max_size=50), st.floats(0.02, 0.98))
def test_moved_probabilities_say_what_the_threshold_says_in_the_same_order(values: list[float], threshold: float):
    positive = np.array(values)
    new = moved(np.column_stack([1 - positive, positive]), threshold)
    np.testing.assert_allclose(new.sum(axis=1), 1)
    clear = np.abs(positive - threshold) > 1e-9
    assert (new.argmax(axis=1)[clear] == (positive[clear] >= threshold)).all()
    order = np.argsort(positive, kind="stable")
    assert (np.diff(new[order, 1]) >= -1e-12).all()
