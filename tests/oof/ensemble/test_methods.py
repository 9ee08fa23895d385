"""Ways to combine: each gives probabilities, the fitted ones find what they are made to find, and scores are cross-fitted."""

from __future__ import annotations

import numpy as np
import pytest

from harness.competition.metrics import METRICS, paired
from harness.oof.ensemble.cross_fit import cross_fit
from harness.oof.ensemble.methods import METHODS, convex_weights, fit_temperature
from harness.oof.predictions import Predictions
from harness.runs import Folds
from tests.oof.ensemble.test_hill_climbing import models


def predictions(proba: np.ndarray, labels: np.ndarray, k: int = 5) -> Predictions:
    n = len(labels)
    folds = Folds(np.arange(n).astype(str), np.arange(n), (np.arange(n) % k).astype(np.int8))
    return Predictions(tuple(f"m{i}" for i in range(len(proba))), labels, folds, proba, None, None)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_probabilities(name: str):
    proba, labels = models(4, 120, 3, 0)
    method = METHODS[name]
    out = method.apply(proba, method.fit(proba, labels, METRICS["accuracy"]))
    assert out.shape == (120, 3) and (out >= 0).all()
    np.testing.assert_allclose(out.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", ["mean", "vote", "geometric_mean", "hill_climbing", "bagged_climbing", "convex"])
def test_one_model_says_what_it_said(name: str):
    proba, labels = models(1, 80, 4, 1)
    method = METHODS[name]
    out = method.apply(proba, method.fit(proba, labels, METRICS["accuracy"]))
    np.testing.assert_array_equal(out.argmax(axis=1), proba[0].argmax(axis=1))


def test_votes_beat_probabilities_and_ties_go_to_the_mean():
    proba = np.array([[[0.6, 0.4, 0.0]], [[0.6, 0.4, 0.0]], [[0.0, 1.0, 0.0]]])
    assert METHODS["vote"].apply(proba, None).argmax() == 0 and METHODS["mean"].apply(proba, None).argmax() == 1
    tie = np.array([[[0.6, 0.4]], [[0.1, 0.9]]])
    assert METHODS["vote"].apply(tie, None).argmax() == 1


def test_means_by_hand():
    proba = np.array([[[0.2, 0.8]], [[0.5, 0.5]]])
    root = np.sqrt([0.1, 0.4])
    np.testing.assert_allclose(METHODS["geometric_mean"].apply(proba, None)[0], root / root.sum())
    np.testing.assert_allclose(METHODS["logit_mean"].apply(proba, None)[0], [1 / 3, 2 / 3])  # odds 1/4 and 1: 1/2


def test_convex_weights_are_the_best_of_all_mixtures():
    proba, labels = models(3, 400, 3, 2, noise=2.0)
    weights = convex_weights(proba, labels, METRICS["log_loss"])
    best = METRICS["log_loss"](labels, np.tensordot(weights, proba, axes=1))
    grid = [(a, b, 1 - a - b) for a in np.linspace(0, 1, 21) for b in np.linspace(0, 1 - a, 21)]
    others = min(METRICS["log_loss"](labels, np.tensordot(np.array(w), proba, axes=1)) for w in grid)
    assert best <= others + 1e-5 and weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_is_found(true: float):
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(4000, 3)) * 2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in p])
    off = p**true / (p**true).sum(axis=1, keepdims=True)  # too sure, or not sure enough, by that factor
    assert fit_temperature(off[None], labels, METRICS["log_loss"]) == pytest.approx(true, rel=0.1)


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


def test_the_paired_interval_is_narrower_than_two_apart():
    proba, labels = models(2, 600, 3, 8, noise=0.5)
    _, low, high, gain, gain_low, gain_high = paired(METRICS["accuracy"], labels, proba[0], proba[1], np.arange(600))
    assert gain_low <= gain <= gain_high and gain_high - gain_low < 1.2 * (high - low)
    same = paired(METRICS["log_loss"], labels, proba[0], proba[0], np.arange(600))
    assert same[3:] == (0, 0, 0)
