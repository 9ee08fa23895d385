"""The domain classifier: blind where there is nothing to see, and it names what there is."""

from __future__ import annotations

import numpy as np
import pytest

from harness.oof.forecast.domain_shift import cross_fitted_proba, detect_shift, displacement, domain_weights
from harness.train.inputs.image_statistics import STATISTICS

S = len(STATISTICS)


def statistics(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, S)).astype(np.float32)


def test_nobody_can_tell_equal_sets_apart():
    found = [detect_shift(statistics(800, 2 * seed), statistics(500, 2 * seed + 1)) for seed in range(8)]
    assert np.mean([f.auc for f in found]) == pytest.approx(0.5, abs=0.02)
    assert sum(f.is_seen for f in found) <= 2
    assert 0.7 < np.mean([f.weights.mean() for f in found]) < 1.4


@pytest.mark.parametrize("change", ["mean", "spread"])
def test_a_statistic_that_moved_is_named(change: str):
    train, test = statistics(800, 0), statistics(500, 1)
    place = STATISTICS.index("noise")
    test[:, place] = test[:, place] + 2 if change == "mean" else test[:, place] * 4
    found = detect_shift(train, test)
    assert found.is_seen and found.auc > 0.7
    if change == "mean":
        assert found.telling[0][0] == "noise" and found.telling[0][2] > 0.5


def test_weights_prefer_the_rows_that_look_like_the_test():
    train, test = statistics(2000, 0), statistics(1000, 1)
    test[:, 0] += 1.5
    weights, auc = domain_weights(train, test)
    assert auc > 0.7
    assert np.corrcoef(weights, train[:, 0])[0, 1] > 0.4
    assert np.average(train[:, 0], weights=weights) > 0.8
    assert weights.max() <= 20


def test_the_probability_of_a_row_is_from_a_classifier_that_did_not_see_it():
    features = statistics(300, 0)
    labels = np.random.default_rng(1).integers(0, 2, 300)  # nothing to learn: only memory could do better
    proba = cross_fitted_proba(features, labels)
    assert abs(np.corrcoef(proba, labels)[0, 1]) < 0.25


def test_displacement_names_what_moved_and_what_spread():
    rng = np.random.default_rng(0)
    here = rng.normal(size=(400, 3))
    there = here * [1, 1, 2] + [0, 1, 0]
    moved = displacement(here, there)
    assert moved.shape == (6,) and np.allclose(displacement(here, here), 0)
    assert moved[1] == pytest.approx(1, abs=0.1) and np.abs(moved[[0, 2]]).max() < 0.2
    assert moved[5] == pytest.approx(np.log(2), abs=0.1) and np.abs(moved[3:5]).max() < 0.1
    assert np.isfinite(displacement(np.zeros((20, 3)), there)).all()
