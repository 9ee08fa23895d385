"""Ensembles are scored on rows that they were not fitted on, and what they gain comes with its interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.competition.metrics import METRICS, paired
from harness.competition.scoring.registry import find_metric
from harness.oof.ensemble.cross_fit import cross_fit
from harness.oof.ensemble.methods import METHODS
from harness.oof.predictions import Predictions
from harness.runs import Folds
from tests.oof.ensemble.test_hill_climbing import models


def predictions(proba: np.ndarray, labels: np.ndarray, k: int = 5) -> Predictions:
    n = len(labels)
    folds = Folds(np.arange(n).astype(str), np.arange(n), (np.arange(n) % k).astype(np.int8))
    return Predictions(tuple(f"m{i}" for i in range(len(proba))), labels, folds, proba, None, None)


def test_a_fitted_method_is_scored_on_rows_that_it_was_not_fitted_on():
    proba, labels = models(3, 150, 3, 4)
    given = predictions(proba, labels)
    found = {r.method.name: r for r in cross_fit(given, METRICS["accuracy"])}
    climbed, method = found["hill_climbing"], METHODS["hill_climbing"]
    by_hand = np.empty((150, 3))
    for fold in range(5):
        train, valid = given.folds.train_rows(fold), given.folds.valid_rows(fold)
        by_hand[valid] = method.apply(proba[:, valid], method.fit(proba[:, train], labels[train], METRICS["accuracy"]))
    np.testing.assert_allclose(climbed.oof, by_hand)
    assert climbed.score == pytest.approx((by_hand.argmax(axis=1) == labels).mean())
    assert found["mean"].gain == 0 and not found["mean"].is_noise


def test_in_sample_scores_flatter_and_cross_fitted_ones_do_not():
    """Thirty models of noise beside two weak ones: the in-sample score is above the score on fresh rows."""
    in_sample, crossed, fresh = [], [], []
    for seed in range(12):
        good, labels = models(2, 1200, 3, seed, noise=3.0)
        noise = np.random.default_rng(seed).dirichlet(np.ones(3), (30, 1200)).astype(np.float32)
        proba = np.concatenate([good, noise])
        result = cross_fit(predictions(proba[:, :300], labels[:300]), METRICS["accuracy"], ["hill_climbing"])[1]
        in_sample.append(result.in_sample)
        crossed.append(result.score)
        fresh.append((result.method.apply(proba[:, 300:], result.fitted).argmax(axis=1) == labels[300:]).mean())
    error = np.std(np.array(crossed) - fresh, ddof=1) / np.sqrt(12)
    assert np.mean(in_sample) - np.mean(fresh) > 3 * error
    assert abs(np.mean(crossed) - np.mean(fresh)) < 2.5 * error


@pytest.mark.parametrize(
    ("size", "left_out"),
    [
        ((5, 40_000, 10), set()),
        ((10, 50_000, 100), {"priors"}),
        ((5, 10, 5_000), {"priors", "stacking"}),  # 24 GB of weights
        ((3, 1_000_000, 200), {"priors", "stacking"}),  # hours
    ],
)
def test_what_so_many_models_rows_and_classes_make_dear_is_not_tried_unasked(
    size: tuple[int, int, int], left_out: set[str]
):
    assert {name for name, method in METHODS.items() if not method.bears(*size)} == left_out


def test_excluded_rows_teach_nothing():
    proba, labels = models(3, 150, 3, 6)
    kept = np.arange(150) % 10 != 0
    folds = Folds(np.arange(150).astype(str), np.arange(150), (np.arange(150) % 5).astype(np.int8), kept)
    wrong = np.where(kept, labels, (labels + 1) % 3)
    scores = []
    for given in (labels, wrong):
        found = cross_fit(
            Predictions(("a", "b", "c"), given, folds, proba, None, None), METRICS["accuracy"], ["convex"]
        )[1]
        scores.append((found.score, found.in_sample, found.fitted.tolist()))
    assert scores[0] == scores[1]


def test_the_plain_mean_comes_first_and_each_method_once():
    proba, labels = models(2, 60, 3, 1)
    given = predictions(proba, labels)
    for names, found in (
        (["convex"], ["mean", "convex"]),
        (["vote", "mean", "convex"], ["mean", "vote", "convex"]),
        (None, ["mean", *(name for name in METHODS if name != "mean")]),
    ):
        assert [r.method.name for r in cross_fit(given, METRICS["accuracy"], names)] == found


def test_everything_that_is_told_of_a_method_is_of_kept_rows_and_of_its_own_fits():
    """Every number again by hand, of a method that learns and of one that does not."""
    proba, labels = models(3, 160, 3, 9, noise=2.0)
    metric, groups, kept = find_metric("log_loss"), np.arange(160) // 2, np.arange(160) % 9 != 0
    folds = Folds(np.arange(160).astype(str), groups, (groups % 4).astype(np.int8), kept)
    given = Predictions(("a", "b", "c"), labels, folds, proba, None, None)
    plain = METHODS["mean"].apply(proba, None)
    for result in cross_fit(given, metric, ["convex", "geometric_mean"]):
        method = result.method
        whole = method.fit(proba[:, kept], labels[kept], metric)
        oof, fits = np.empty((160, 3)), []
        for fold in range(4):
            train = (folds.fold != fold) & kept
            fits.append(method.fit(proba[:, train], labels[train], metric) if method.learns else whole)
            oof[folds.fold == fold] = method.apply(proba[:, folds.fold == fold], fits[-1])
        np.testing.assert_allclose(result.oof, oof, atol=1e-12)
        assert len(result.fitted_without) == 4
        for told, wanted in zip([result.fitted, *result.fitted_without], [whole, *fits], strict=True):
            assert (told is None and wanted is None) or np.allclose(told, wanted)
        in_sample = metric(labels[kept], method.apply(proba[:, kept], whole))
        assert result.in_sample == pytest.approx(in_sample, abs=1e-12)
        wanted = paired(metric, labels[kept], oof[kept], plain[kept], groups[kept])
        told = (result.score, result.low, result.high, result.gain, result.gain_low, result.gain_high)
        assert told == pytest.approx(wanted, abs=1e-7)
        assert result.is_noise == (method.name != "mean" and result.gain_low <= 0 <= result.gain_high)


def test_a_gain_that_no_resample_doubts_is_none_of_noise():
    good, labels = models(1, 300, 3, 2, noise=0.1)
    noise = np.random.default_rng(0).dirichlet(np.ones(3), (6, 300)).astype(np.float32)
    found = cross_fit(predictions(np.concatenate([good, noise]), labels), find_metric("log_loss"), ["convex", "vote"])
    assert found[1].gain_low > 0 and not found[1].is_noise
    assert not found[0].is_noise and found[0].gain == 0
    for low, high, noise in ((0, 0.1, True), (-0.1, 0, True), (0.01, 0.1, False), (-0.2, -0.1, False)):
        assert replace(found[1], gain_low=low, gain_high=high).is_noise == noise


def test_a_search_over_all_classes_is_only_made_where_it_is_asked_for():
    proba, labels = models(2, 120, 31, 6)
    given = predictions(proba, labels, k=2)
    assert "priors" not in {r.method.name for r in cross_fit(given, METRICS["accuracy"])}
    assert cross_fit(given, METRICS["accuracy"], ["mean"], asked="priors")[0].method.name == "mean"
    few = predictions(*models(2, 120, 4, 6), k=2)
    assert "priors" in {r.method.name for r in cross_fit(few, METRICS["accuracy"])}
