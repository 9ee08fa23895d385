"""The interval: bounds of metrics, luck that follows the size of the test and its groups, falls that nothing has measured."""

from __future__ import annotations

import numpy as np
import pytest

from harness.competition.metrics import custom_metric
from harness.competition.scoring.registry import CLASSES, LABELS, NUMBERS, find_metric, metric_names
from harness.oof.forecast.domain_shift import Shift
from harness.oof.forecast.estimators import Known
from harness.oof.forecast.interval import UNMEASURED, blind_score, bounded, luck, unmeasured_falls, within_shift
from harness.oof.forecast.kinds import Numbers
from tests.oof.forecast.test_kinds import numbers_of


def shift_of(auc: float) -> Shift:
    return Shift(auc, auc - 0.02, min(auc + 0.02, 1.0), np.ones(1), np.ones(1), [("noise", auc, 1.0)])


def known_of(n: int = 2000) -> Known:
    outputs, targets = numbers_of(n)
    return Known(find_metric("rmse", NUMBERS), targets, outputs, np.arange(n), Numbers)


@pytest.mark.parametrize("of", [CLASSES, LABELS, NUMBERS])
def test_no_metric_passes_its_bounds_on_any_predictions(of: str):
    rng = np.random.default_rng(0)
    for name in metric_names(of):
        text = "cost(matrix=[[0,1],[1,0]])" if name == "cost" else name
        metric = find_metric(text, of)
        for _ in range(20):
            positive = rng.random(30) ** rng.uniform(0.2, 4)
            outputs = np.column_stack([1 - positive, positive])
            targets = rng.integers(0, 2, 30) if of == CLASSES else rng.integers(0, 2, (30, 2)).astype(np.float32)
            if of == NUMBERS:
                outputs = 3 * outputs
            value = metric(targets, outputs)
            if np.isfinite(value):
                assert metric.bounds[0] - 1e-9 <= value <= metric.bounds[1] + 1e-9, (name, value)


def test_bounds_are_the_metrics_own():
    draws = np.array([-2.0, 0.5, 7.0])
    assert bounded(draws, find_metric("accuracy")).tolist() == [0.0, 0.5, 1.0]
    assert bounded(draws, find_metric("quadratic_kappa")).tolist() == [-1.0, 0.5, 1.0]
    assert bounded(draws, find_metric("rmse", NUMBERS)).tolist() == [0.0, 0.5, 7.0]
    assert bounded(draws, find_metric("r2", NUMBERS)).tolist() == [-2.0, 0.5, 1.0]
    assert bounded(draws, custom_metric(lambda labels, proba: 0.0)).tolist() == draws.tolist()


def test_luck_follows_the_size_of_the_test_and_the_groups():
    known, rng = known_of(), np.random.default_rng(0)
    alone = np.arange(2000)
    small, large = (luck(known, alone, rows, rng).std() for rows in (100, 1600))
    assert small == pytest.approx(4 * large, rel=0.25)
    again = np.tile(
        np.arange(20), 100
    )  # 20 groups that hold the same as they would by chance: fewer pieces of evidence
    known.labels[:] = known.proba + (again[:, None] % 2) * [2.0, 90.0]
    assert luck(known, again, 400, rng).std() > 2 * luck(known, alone, 400, rng).std()


def test_a_shift_that_nothing_measured_reaches_to_what_blind_predictions_score():
    known, rng = known_of(), np.random.default_rng(0)
    said = known.proba[:300] * 0 + 900.0  # far off: worse than chance out of fold
    blind = blind_score(known, said, rng)
    assert blind > known.by_chance > known.score
    falls = unmeasured_falls(known, shift_of(1.0), blind, 0.0, -np.inf, rng)
    assert np.median(falls) < 0.05 * (blind - known.score)
    assert np.quantile(falls, 0.95) == pytest.approx(blind - known.score)
    assert sum(UNMEASURED.values()) == pytest.approx(1)


def test_what_looks_alike_costs_nothing_and_disagreement_is_a_floor():
    known, rng = known_of(), np.random.default_rng(0)
    assert not unmeasured_falls(known, shift_of(0.51), 1e4, 5.0, -np.inf, rng).any()
    assert unmeasured_falls(known, shift_of(0.8), known.by_chance, 0.0, 3.0, rng).min() == 3.0


def test_a_fall_is_no_deeper_than_the_shift_lets_it_be():
    known = known_of()
    falls, blind = np.array([-1e4, -1.0, 0.0, 2.0, 1e4]), known.score + 100.0
    assert not within_shift(falls, known, shift_of(0.48), blind).any()  # its upper end is 0.5: many images, alike
    few = within_shift(falls, known, shift_of(0.53), blind)  # up to an AUC of 0.55: a tenth of the images
    np.testing.assert_allclose(few, [-10, -1, 0, 2, 10])
    assert within_shift(falls, known, shift_of(1.0), blind).max() == pytest.approx(100)
