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


def patients(n: int, seed: int, rows: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Statistics of patients of one population, whose images look alike; and whose each is."""
    of = np.repeat(np.arange(n), rows)
    own = np.random.default_rng([seed, 1]).normal(size=(n, S))
    return (own[of] + 0.5 * statistics(len(of), seed)).astype(np.float32), of


def test_other_patients_of_one_population_are_no_shift():
    found = []
    for seed in range(6):
        train, of = patients(30, 2 * seed)
        found.append(detect_shift(train, patients(15, 2 * seed + 1)[0], of))
    assert np.mean([f.by_groups for f in found]) > 0.6
    assert sum(f.is_seen for f in found) <= 1
    assert sum(f.is_hidden_by_groups for f in found) >= 4
    assert max(f.apart for f in found) < 0.5


def test_patients_of_another_camera_are_a_shift():
    train, of = patients(30, 0)
    test = patients(15, 1)[0]
    test[:, :3] += 12
    found = detect_shift(train, test, of)
    assert found.is_seen and found.apart > 0.7


def test_a_few_pairs_of_rows_are_as_no_groups():
    train, test = statistics(2000, 0), statistics(1500, 1)
    test[:, 0] += 0.7
    plain, paired = detect_shift(train, test), detect_shift(train, test, np.maximum(np.arange(2000), 10))
    assert paired.by_groups < 0.55 and paired.is_seen
    assert paired.apart == pytest.approx(plain.apart, abs=0.1)


def test_one_group_alone_tells_no_shift():
    found = detect_shift(statistics(40, 0), statistics(40, 1) + np.float32(3), np.zeros(40, dtype=np.int64))
    assert found.by_groups == 1 and not found.is_seen and found.apart == 0


def test_where_each_row_is_its_own_group_nothing_changes():
    train, test = statistics(300, 0), statistics(200, 1)
    test[:, 0] += 1
    plain, grouped = detect_shift(train, test), detect_shift(train, test, np.arange(300)[::-1] + 7)
    assert plain.by_groups == grouped.by_groups == 0.5
    assert (plain.low, plain.high) == pytest.approx((grouped.low, grouped.high), abs=0.02)
    assert plain.apart == pytest.approx(2 * plain.auc - 1) and plain.auc_beyond_groups == plain.auc


def test_too_few_groups_tell_no_shift():
    train, of = patients(5, 0)
    found = detect_shift(train, patients(5, 1)[0] + np.float32(3), of)
    assert found.by_groups == 1 and found.is_hidden_by_groups and found.apart == 0


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
