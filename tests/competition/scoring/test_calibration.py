"""Calibration error: by hand, of classes and of labels."""

from __future__ import annotations

import numpy as np
import pytest

from harness.competition.scoring.calibration import believed, bins, ece_of


def test_the_error_of_two_bins_by_hand():
    sure = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    hit = np.array([True, True, True, False, True, False])
    confidence, accuracy, rows = bins(sure, hit)
    np.testing.assert_allclose(confidence, [0.55, 0.95])
    np.testing.assert_allclose(accuracy, [0.5, 0.75])
    assert rows.tolist() == [2, 4]
    assert ece_of(confidence, accuracy, rows) == pytest.approx((2 * 0.05 + 4 * 0.2) / 6)


def test_what_is_believed_of_classes_is_the_largest_and_of_labels_each():
    outputs = np.array([[0.7, 0.3], [0.4, 0.6]], dtype=np.float32)
    sure, hit = believed(np.array([0, 0]), outputs)
    np.testing.assert_allclose(sure, [0.7, 0.6], rtol=1e-6)
    assert hit.tolist() == [True, False]
    sure, hit = believed(np.array([[1.0, 0.0], [0.0, 0.0]]), outputs)
    np.testing.assert_allclose(sure, [0.7, 0.3, 0.4, 0.6], rtol=1e-6)
    assert hit.tolist() == [True, False, False, False]


def test_all_sure_and_all_right_have_no_error():
    confidence, accuracy, rows = bins(np.ones(5), np.ones(5, dtype=bool))
    assert ece_of(confidence, accuracy, rows) == 0 and rows.tolist() == [5]
