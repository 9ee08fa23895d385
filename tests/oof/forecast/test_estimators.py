"""Estimators without labels: each against its definition, a simulation, or labels drawn from the probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from harness.competition.metrics import METRICS, custom_metric
from harness.competition.scoring.registry import find_metric
from harness.competition.scoring.temperature import calibrated, fitted_temperature
from harness.oof.forecast.estimators import ESTIMATORS, Known, Unknown, drops, gain_of_averaging
from harness.oof.forecast.kinds import Classes, class_weights, expected_score


def calibrated_rows(n: int, sharpness: float = 3.0, n_classes: int = 3, seed: int = 0):
    """Probabilities, and labels drawn from them: a model that is as sure as it is right."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, 1 / sharpness), n)
    labels = (rng.random((n, 1)) > np.cumsum(proba, axis=1)[:, :-1]).sum(axis=1)
    return proba, labels


def known_of(n: int = 4000, metric: str = "accuracy", **options) -> Known:
    proba, labels = calibrated_rows(n, **options)
    return Known(find_metric(metric), labels, proba, np.arange(n))


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc"])
def test_the_expected_score_is_the_score_of_labels_drawn_from_the_belief(metric: str):
    proba, labels = calibrated_rows(20_000)
    assert expected_score(find_metric(metric), proba, proba) == pytest.approx(
        find_metric(metric)(labels, proba), abs=0.01
    )


def test_the_expected_accuracy_is_the_mean_confidence_and_a_metric_of_ones_own_works():
    proba, _ = calibrated_rows(500)
    assert expected_score(METRICS["accuracy"], proba, proba) == pytest.approx(proba.max(axis=1).mean())
    own = custom_metric(lambda labels, said: float((said.argmax(axis=1) == labels).mean()))
    assert expected_score(own, proba, proba) == pytest.approx(proba.max(axis=1).mean(), abs=0.03)


def test_nothing_falls_on_the_same_rows():
    known = known_of()
    found = drops(known, Unknown(known.proba, np.ones(4000)))
    found = found[np.isfinite(found)]
    np.testing.assert_allclose(found, 0, atol=0.005)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_a_fall_is_positive_where_it_is_worse_whatever_the_metrics_direction(metric: str):
    known, (softer, labels) = known_of(metric=metric), calibrated_rows(4000, sharpness=1.0, seed=1)
    truth = known.sign * (known.score - known.metric(labels, softer))
    found = dict(zip(ESTIMATORS, drops(known, Unknown(softer, np.ones(4000))), strict=True))
    assert truth > 0.05 and found["confidence"] == pytest.approx(truth, abs=0.03)
    assert found["threshold"] > 0.05 and found["entropy"] > 0.05


def test_what_cannot_be_had_is_nan():
    known = known_of()
    found = dict(zip(ESTIMATORS, drops(known, Unknown(known.proba, None)), strict=True))
    assert {name for name, value in found.items() if np.isnan(value)} == {
        "importance",
        "distance",
        "domain",
        "dispersity",
        "imbalance",
    }


def test_a_model_that_takes_all_for_one_class_is_seen_however_sure_it_is_where_images_differ():
    known = known_of(sharpness=8.0)
    one = np.tile([0.98, 0.01, 0.01], (500, 1))
    for auc, low, high in ((0.5, 0, 0), (0.75, 0.1, 0.4), (1.0, 0.3, 0.7)):
        found = dict(zip(ESTIMATORS, drops(known, Unknown(one, np.ones(4000), auc=auc)), strict=True))
        assert low <= found["dispersity"] <= high and low <= found["imbalance"] <= high
        assert found["confidence"] < 0  # surer than ever


def test_other_shares_of_the_classes_are_found():
    known = known_of(20_000, sharpness=8.0)
    proba, labels = calibrated_rows(20_000, sharpness=8.0, seed=2)
    rng = np.random.default_rng(0)
    chance = np.array([0.6, 0.3, 0.1])[labels]
    rows = rng.choice(20_000, 20_000, p=chance / chance.sum())
    here, there = np.bincount(known.labels) / 20_000, np.bincount(labels[rows]) / 20_000
    np.testing.assert_allclose(class_weights(known.labels, known.proba, proba[rows]), there / here, atol=0.08)


def test_weights_bring_the_score_of_the_rows_they_stand_for():
    known = known_of()
    hard = known.proba.max(axis=1) < 0.6
    fall = dict(zip(ESTIMATORS, drops(known, Unknown(known.proba, hard.astype(float))), strict=True))["importance"]
    right = known.proba.argmax(axis=1) == known.labels
    assert fall == pytest.approx(known.score - right[hard].mean())


def test_disagreement_by_hand():
    a, b, c = np.eye(2)[[0, 0, 1, 1]], np.eye(2)[[0, 1, 1, 1]], np.eye(2)[[1, 1, 1, 1]]
    apart = Classes().apart
    assert apart([a, b]) == 0.25 and apart([a]) is None
    assert apart([a, b, c]) == pytest.approx((0.25 + 0.5 + 0.25) / 3)


def test_averaging_gains_nothing_with_one_model_and_something_with_unlike_ones():
    rng = np.random.default_rng(0)
    truth, labels = calibrated_rows(3000)
    models = [calibrated(np.clip(truth * rng.lognormal(0, 0.5, truth.shape), 1e-6, None), 1.0) for _ in range(5)]
    models = [m / m.sum(axis=1, keepdims=True) for m in models]
    accuracy = METRICS["accuracy"]
    assert gain_of_averaging(accuracy, models[:1], 0.8) == 0
    assert gain_of_averaging(accuracy, [models[0]] * 3, 0.8) == pytest.approx(0, abs=1e-12)
    alone = np.mean([accuracy(labels, m) for m in models])
    truth = accuracy(labels, np.mean(models, axis=0)) - alone
    assert gain_of_averaging(accuracy, models, alone) == pytest.approx(truth, abs=0.015) and truth > 0.01
    loss = find_metric("log_loss")
    alone = np.mean([loss(labels, m) for m in models])
    truth = alone - loss(labels, np.mean(models, axis=0))  # better is positive there too
    assert gain_of_averaging(loss, models, alone) == pytest.approx(truth, rel=0.5) and truth > 0


def test_a_temperature_is_found_again():
    proba, labels = calibrated_rows(20_000)
    for t in (0.5, 2.0):
        assert fitted_temperature(calibrated(proba, t), labels) == pytest.approx(1 / t, rel=0.05)


def test_an_auc_without_a_class_left_is_no_fall():
    proba, labels = calibrated_rows(3000, n_classes=2)
    known = Known(METRICS["roc_auc"], labels, proba, np.arange(3000))
    all_positive = np.tile([0.01, 0.99], (500, 1))
    found = dict(zip(ESTIMATORS, drops(known, Unknown(all_positive, np.ones(3000), auc=0.5)), strict=True))
    assert {name for name, value in found.items() if np.isnan(value)} == {"distance", "domain"}  # for numbers only


def test_many_classes_do_not_fill_the_memory():
    proba = np.random.default_rng(0).dirichlet(np.ones(400), 3000)
    truth = float(-(proba * np.log(proba)).sum(axis=1).mean())
    assert expected_score(find_metric("log_loss"), proba, proba) == pytest.approx(truth, rel=1e-4)


def test_models_that_disagree_more_than_they_err_do_not_promise_a_mean_without_errors():
    """Three models that part in a tenth of the rows, of which out of fold one erred in a fiftieth: some folds' luck."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 500)
    models = []
    for _ in range(3):
        said = np.where(rng.random(500) < 0.06, 1 - labels, labels)
        models.append(np.where(np.eye(2)[said] > 0, 0.97, 0.03))
    gain = gain_of_averaging(METRICS["accuracy"], models, 0.98)
    assert 0 < gain < 0.4 * 0.02
