"""Temperatures: the one that was put in is found, of the rows that are named, and no predicted class changes."""

from __future__ import annotations

import numpy as np
import pytest

from harness.competition.scoring import temperature
from harness.competition.scoring.registry import find_metric
from harness.competition.scoring.temperature import calibrated, fitted_temperature, softmax


def case(true: float, n: int, n_classes: int = 3, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are too sure (true > 1) or not sure enough by that factor, and labels."""
    rng = np.random.default_rng(seed)
    p = softmax(rng.normal(size=(n, n_classes)) * 2)
    labels = np.array([rng.choice(n_classes, p=row) for row in p])
    return p**true / (p**true).sum(axis=1, keepdims=True), labels


def test_softmax_by_hand_and_of_numbers_whose_exponent_is_infinite():
    np.testing.assert_allclose(softmax(np.log([[1.0, 3.0], [2.0, 2.0]])), [[0.25, 0.75], [0.5, 0.5]])
    with np.errstate(all="raise"):
        np.testing.assert_allclose(softmax(np.array([[1000.0, 1000.0], [-1000.0, -1000.0]])), 0.5)


def test_a_temperature_of_two_takes_the_square_root():
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    np.testing.assert_allclose(calibrated(p, 2), np.sqrt(p) / np.sqrt(p).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(calibrated(p, 1), p)
    sure = calibrated(np.array([[1, 0], [0, 1]], dtype=np.float16), 1.5)
    least = 1e-6 ** (1 / 1.5)  # nothing is impossible
    np.testing.assert_allclose(sure[0], [1 / (1 + least), least / (1 + least)], rtol=0.02)  # of float16
    assert sure.dtype == np.float64
    np.testing.assert_allclose(calibrated(np.array([[1.001, 0.2]]), 2), calibrated(np.array([[1, 0.2]]), 2))  # rounded


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found_and_the_log_loss_falls(true: float):
    off, labels = case(true, 4000)
    found = fitted_temperature(off, labels)
    assert found == pytest.approx(true, rel=0.1)
    new = calibrated(off, found)
    np.testing.assert_array_equal(new.argmax(axis=1), off.argmax(axis=1))
    losses = [find_metric("log_loss")(labels, calibrated(off, t)) for t in (0.98 * found, found, 1.02 * found)]
    assert losses[1] == min(losses)


def test_only_the_rows_that_are_named_are_fitted_to():
    off, labels = case(2.0, 2000)
    rows = np.arange(0, 2000, 2)
    spoilt = labels.copy()
    spoilt[1::2] = (spoilt[1::2] + 1) % 3
    assert fitted_temperature(off, spoilt, rows) == fitted_temperature(off[rows], labels[rows])
    assert fitted_temperature(off, spoilt) > 2.5


def test_of_many_cells_a_part_from_the_first_row_to_the_last_is_fitted_to(monkeypatch: pytest.MonkeyPatch):
    (sure, first), (unsure, last) = case(2.0, 2000), case(0.5, 2000, seed=4)
    off, labels = np.concatenate([sure, unsure]), np.concatenate([first, last])
    whole, rows = fitted_temperature(off, labels), np.arange(4000)
    monkeypatch.setattr(temperature, "_CELLS", 3 * 2000)
    assert fitted_temperature(off, labels) == pytest.approx(whole, rel=0.1)
    assert fitted_temperature(off, labels) != whole
    monkeypatch.setattr(temperature, "_CELLS", 0)  # at least 200 rows, however many classes
    some = rows[np.linspace(0, 3999, 200).astype(int)]
    assert fitted_temperature(off, labels) == fitted_temperature(off[some], labels[some])
    assert fitted_temperature(off[:200], labels[:200]) == fitted_temperature(off, labels, rows[:200])


@pytest.mark.parametrize(("right", "wanted"), [(True, 0.08), (False, 12)])
def test_temperatures_have_bounds(right: bool, wanted: float):
    """All right and unsure: it would fall to nothing; all wrong and sure: it would rise for ever."""
    labels = np.arange(300) % 2
    p = np.where(np.eye(2)[labels if right else 1 - labels] == 1, 0.8, 0.2)
    assert fitted_temperature(p, labels) == pytest.approx(wanted, rel=0.05)
