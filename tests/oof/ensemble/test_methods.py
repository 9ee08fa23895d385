"""Ways to combine: each gives probabilities, and the fitted ones find what they are made to find."""

from __future__ import annotations

import numpy as np
import pytest

from harness.competition.metrics import METRICS, paired
from harness.competition.scoring.registry import find_metric
from harness.oof.ensemble.methods import METHODS, convex_weights, fit_temperature
from tests.oof.ensemble.test_hill_climbing import models


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
    weights = convex_weights(proba, labels, find_metric("log_loss"))
    best = find_metric("log_loss")(labels, np.tensordot(weights, proba, axes=1))
    grid = [(a, b, 1 - a - b) for a in np.linspace(0, 1, 21) for b in np.linspace(0, 1 - a, 21)]
    others = min(find_metric("log_loss")(labels, np.tensordot(np.array(w), proba, axes=1)) for w in grid)
    assert best <= others + 1e-5 and weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_is_found(true: float):
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(4000, 3)) * 2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in p])
    off = p**true / (p**true).sum(axis=1, keepdims=True)  # too sure, or not sure enough, by that factor
    assert fit_temperature(off[None], labels, find_metric("log_loss")) == pytest.approx(true, rel=0.1)


def test_the_paired_interval_is_narrower_than_two_apart():
    proba, labels = models(2, 600, 3, 8, noise=0.5)
    _, low, high, gain, gain_low, gain_high = paired(METRICS["accuracy"], labels, proba[0], proba[1], np.arange(600))
    assert gain_low <= gain <= gain_high and gain_high - gain_low < 1.2 * (high - low)
    same = paired(find_metric("log_loss"), labels, proba[0], proba[0], np.arange(600))
    assert same[3:] == (0, 0, 0)


def test_stacking_finds_what_scikit_learn_finds():
    from sklearn.linear_model import LogisticRegression

    for n_classes in (2, 5):
        proba, labels = models(3, 500, n_classes, 4, noise=2.0)
        logs = np.log(np.clip(proba, 1e-4, 1.0)).transpose(1, 0, 2).reshape(500, -1).astype(float)
        theirs = LogisticRegression(C=0.01, max_iter=20_000, tol=1e-8).fit(logs, labels)
        stack = METHODS["stacking"].fit(proba, labels, find_metric("log_loss"))
        np.testing.assert_allclose(stack.weights, theirs.coef_.T, rtol=0, atol=2e-3)
        np.testing.assert_allclose(
            METHODS["stacking"].apply(proba, stack), theirs.predict_proba(logs), rtol=0, atol=2e-3
        )


def test_stacking_gives_a_class_that_no_row_has_no_probability():
    proba, labels = models(2, 200, 4, 5)
    for seen in ((0, 1, 3), (1, 3), (3,)):
        rows = np.isin(labels, seen)
        stack = METHODS["stacking"].fit(proba[:, rows], labels[rows], find_metric("log_loss"))
        out = METHODS["stacking"].apply(proba, stack)
        assert set(np.flatnonzero(out.sum(axis=0))) == set(seen)
        np.testing.assert_allclose(out.sum(axis=1), 1)
