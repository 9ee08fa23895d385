"""Scaled probabilities: laws that hold of any outputs, and what is found of outputs that were spoilt in a known way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.competition.scoring.registry import find_metric
from harness.competition.scoring.temperature import softmax
from harness.competition.tasks import TASKS, scaling
from harness.competition.tasks.scaling import METHODS, find_scaling, fit_scaling, scaled

LOSS = find_metric("log_loss")


def case(power: float, n: int = 1500, n_classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that are too sure (power above 1) or not sure enough by that factor."""
    rng = np.random.default_rng(seed)
    true = softmax(2 * rng.normal(size=(n, n_classes)))
    labels = (true.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    off = true**power
    return labels, (off / off.sum(axis=1, keepdims=True)).astype(np.float32)


def labelled(power: float, n: int = 1500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The same of three labels a row."""
    rng = np.random.default_rng(seed)
    odds = 2 * rng.normal(size=(n, 3))
    labels = (rng.random((n, 3)) < 1 / (1 + np.exp(-odds))).astype(np.float32)
    return labels, (1 / (1 + np.exp(-power * odds))).astype(np.float32)


def folds_of(n: int, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(n) % k, np.arange(n)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), k=st.integers(2, 6), spread=st.floats(0.0, 40.0))
def test_fitting_never_raises_the_loss_of_the_rows_that_it_is_fitted_to(seed: int, n: int, k: int, spread: float):
    """The identity is a choice too, and the prior likes it best; labels here have nothing to do with the outputs."""
    rng = np.random.default_rng(seed)
    outputs, labels = softmax(spread * rng.normal(size=(n, k))), rng.integers(0, k, n)
    unscaled = scaled(outputs, {"scale": [1.0], "bias": [0.0]}, True)
    before = -np.log(np.maximum(np.float64(unscaled[np.arange(n), labels]), 1e-12)).mean()
    for method in METHODS:
        after = scaled(outputs, fit_scaling(method, labels, outputs), True)
        assert np.isfinite(after).all()
        np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-5)
        assert -np.log(np.maximum(np.float64(after[np.arange(n), labels]), 1e-12)).mean() <= before + 1e-4


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 10.0))
def test_a_temperature_changes_no_order_within_a_row(seed: int, scale: float):
    outputs = softmax(np.random.default_rng(seed).normal(size=(20, 5)))
    after = scaled(outputs, {"scale": [scale], "bias": [0.0]}, True)
    for before, moved in zip(outputs, after, strict=True):
        assert (np.diff(moved[np.argsort(before)]) >= 0).all()


def test_a_scaling_of_one_and_no_bias_is_the_identity():
    _, outputs = case(1.0)
    np.testing.assert_allclose(scaled(outputs, {"scale": [1.0], "bias": [0.0]}, True), outputs, atol=1e-6)
    _, given = labelled(1.0)
    np.testing.assert_allclose(scaled(given, {"scale": [1.0] * 3, "bias": [0.0] * 3}, False), given, atol=1e-6)


@pytest.mark.parametrize("power", [0.5, 2.5])
def test_outputs_that_are_too_sure_or_too_unsure_are_put_right(power: float):
    labels, outputs = case(power)
    told = find_scaling(LOSS, labels, outputs, *folds_of(len(labels)))
    assert told["method"] == "temperature"  # a class of its own has nothing to add
    assert told["values"]["scale"][0] == pytest.approx(1 / power, rel=0.12) and told["values"]["bias"] == [0.0]
    assert told["ece_after"] < told["ece"] / 3
    tried = told["tried"]["temperature"]
    assert 0 < tried["low"] < tried["gain"] < tried["high"]
    assert tried["score"] == pytest.approx(LOSS(labels, outputs) - tried["gain"])
    brier = find_scaling(find_metric("brier"), labels, outputs, *folds_of(len(labels)))
    assert brier["method"] == "temperature" and brier["values"] == told["values"]


def test_calibrated_outputs_stay_as_they_are():
    labels, outputs = case(1.0)
    told = find_scaling(LOSS, labels, outputs, *folds_of(len(labels)))
    assert told["method"] == "none" and told["values"] == {} == told["folds"]
    assert told["ece_after"] == told["ece"] and set(told["tried"]) == {"temperature", "vector"}
    task = TASKS["single"]
    assert task.judged_by(LOSS, outputs, np.arange(len(labels)) % 5, {"scaling": told}).tolist() == outputs.tolist()
    assert task.decided_by(LOSS, outputs, {"scaling": told}) is outputs


def test_a_class_that_is_said_too_often_is_put_right_by_its_bias():
    labels, outputs = case(1.0, n=3000)
    outputs[:, 2] *= 4
    outputs /= outputs.sum(axis=1, keepdims=True)
    told = find_scaling(LOSS, labels, outputs, *folds_of(len(labels)))
    assert told["method"] == "vector"
    bias = np.asarray(told["values"]["bias"])
    assert bias.argmin() == 2 and (np.delete(bias, 2) - bias[2]).mean() == pytest.approx(np.log(4), abs=0.25)


def test_a_fold_is_scaled_by_what_the_others_say():
    labels, outputs = case(2.0, n=400)
    fold, groups = folds_of(400)
    first = find_scaling(LOSS, labels, outputs, fold, groups)["folds"]["1"]
    spoilt = labels.copy()
    spoilt[fold == 1] = (spoilt[fold == 1] + 1) % 4
    tampered = outputs.copy()
    tampered[fold == 1] = 0.25
    again = {
        str(k): fit_scaling("temperature", spoilt[fold != k], tampered[fold != k]) for k in range(5)
    }  # fold 1's own rows changed
    assert again["1"] == first and again["0"] != find_scaling(LOSS, labels, outputs, fold, groups)["folds"]["0"]


@pytest.mark.parametrize("n", [12, 60, 150])
def test_few_rows_move_little(n: int):
    """Fitted without a prior, rows that are all right would be made as sure as can be."""
    labels = np.arange(n) % 3
    outputs = np.where(np.eye(3)[labels] == 1, 0.9, 0.05)
    for method in METHODS:
        found = fit_scaling(method, labels, outputs)
        assert max(found["scale"]) < 4 and max(map(abs, found["bias"])) < 0.5
    rng = np.random.default_rng(n)
    noise = softmax(rng.normal(size=(n, 3)))
    drawn = np.array([rng.choice(3, p=row) for row in noise])
    found = fit_scaling("vector", drawn, noise)
    assert min(found["scale"]) > 0.3 and max(found["scale"]) < 2.5 and max(map(abs, found["bias"])) < 1


def test_many_classes_of_seven_rows_one_of_them_missing_are_stable():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(120), 7)  # of 121
    outputs = softmax(3 * np.eye(121)[labels] + rng.normal(size=(840, 121)))
    told = find_scaling(LOSS, labels, outputs.astype(np.float32), np.arange(840) % 5, np.arange(840))
    assert told["method"] in ("none", *METHODS)
    found = fit_scaling("vector", labels, outputs)
    scale, bias = np.asarray(found["scale"]), np.asarray(found["bias"])
    assert np.isfinite(scale).all() and np.isfinite(bias).all()
    assert scale.max() / scale.min() < 3 and np.abs(bias).max() < 2
    assert bias[120] < 0  # what never came is said less, not never
    after = scaled(outputs, found, True)
    assert (after[:, 120] > 0).all()
    assert find_metric("log_loss")(labels, after) < find_metric("log_loss")(labels, outputs)


def test_outputs_that_are_never_in_doubt_stay_finite():
    labels = np.arange(40) % 2
    outputs = np.eye(2, dtype=np.float32)[np.where(np.arange(40) < 4, 1 - labels, labels)]  # four are wrong, and sure
    told = find_scaling(LOSS, labels, outputs, *folds_of(40))
    assert told["method"] != "none" and told["tried"]["temperature"]["low"] > 0
    after = scaled(outputs, told["values"], True)
    assert np.isfinite(after).all() and after.max() < 0.999


def test_labels_are_scaled_by_their_log_odds_one_for_all_or_each():
    labels, outputs = labelled(2.5)
    told = find_scaling(find_metric("log_loss", "labels"), labels, outputs, *folds_of(len(labels)))
    assert told["method"] == "temperature" and told["values"]["scale"][0] == pytest.approx(0.4, rel=0.12)
    assert told["ece_after"] < told["ece"] / 3
    odds = np.log(outputs[:, 1] / (1 - outputs[:, 1]))
    outputs[:, 1] = 1 / (1 + np.exp(-(odds + 2)))  # one of them is given too often besides
    each = find_scaling(find_metric("brier", "labels"), labels, outputs, *folds_of(len(labels)))
    assert each["method"] == "vector" and np.argmin(each["values"]["bias"]) == 1


def test_classes_that_the_metric_weighs_are_said_more_often():
    labels, outputs = case(1.0, n=3000, n_classes=3)
    weighed = find_metric("log_loss(weights=[1, 1, 8])")
    told = find_scaling(weighed, labels, outputs, *folds_of(len(labels)))
    assert told["method"] == "vector" and np.argmax(told["values"]["bias"]) == 2
    assert find_scaling(LOSS, labels, outputs, *folds_of(len(labels)))["method"] == "none"


def test_only_proper_scores_of_probabilities_are_scaled_for():
    labels, outputs = case(2.0, n=200)
    fold, groups = folds_of(200)
    proper = {name for name in ("log_loss", "brier", "accuracy", "roc_auc", "macro_f1", "map_at_k")
              if TASKS["single"].find_scaling(find_metric(name), labels, outputs, fold, groups)}  # fmt: skip
    assert proper == {"log_loss", "brier"}
    numbers = TASKS["regression"]
    assert numbers.find_scaling(find_metric("rmse", "numbers"), outputs, outputs, fold, groups) is None
    assert find_scaling(LOSS, labels, outputs, np.zeros(200, int), groups) is None  # one fold: nothing is cross-fitted


def test_of_many_cells_rows_evenly_spread_are_fitted_to(monkeypatch: pytest.MonkeyPatch):
    labels, outputs = case(2.0, n=6000)
    whole = fit_scaling("temperature", labels, outputs)["scale"][0]
    monkeypatch.setattr(scaling, "_FITTED_CELLS", 0)
    part = fit_scaling("temperature", labels, outputs)["scale"][0]
    assert part != whole and part == pytest.approx(whole, rel=0.1)
    monkeypatch.setattr(scaling, "_MOST_CELLS", outputs.size - 1)
    assert find_scaling(LOSS, labels, outputs, *folds_of(6000)) is None


def test_where_only_classes_that_count_nothing_are_left_nothing_moves():
    labels, outputs = np.zeros(20, dtype=np.int64), softmax(np.random.default_rng(0).normal(size=(20, 3)))
    found = fit_scaling("vector", labels, outputs, [0.0, 1.0, 1.0])
    assert found == {"scale": [1.0] * 3, "bias": [0.0] * 3}


@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_where_a_fit_begins_does_not_matter(method: str):
    rng = np.random.default_rng(9)
    labels = rng.integers(0, 5, 900)
    outputs = rng.dirichlet(np.ones(5), 900)
    outputs[np.arange(900), labels] += 1.0
    outputs /= outputs.sum(axis=1, keepdims=True)
    plain = fit_scaling(method, labels, outputs)
    far = {"scale": [2.0, 0.7, 1.5, 0.9, 1.1], "bias": [0.5, -0.5, 0.0, 1.0, -1.0]}
    for start in (plain, far, {"scale": [3.0], "bias": [0.0]}):
        again = fit_scaling(method, labels, outputs, start=start)
        np.testing.assert_allclose(again["scale"], plain["scale"], rtol=0.02)
        np.testing.assert_allclose(again["bias"], plain["bias"], atol=0.02)
