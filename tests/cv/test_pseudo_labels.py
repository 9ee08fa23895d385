"""Pseudo-labels follow the labels of the training rows, whatever these are."""

from __future__ import annotations

import numpy as np

from harness.cv.pseudo_labels import joined


def test_pseudo_labels_follow_the_labels_as_they_are_kept():
    shares = np.array([[0.5, 0.5], [1.0, 0.0]], dtype=np.float32)
    assert joined(np.array([1, 0]), np.array([1])).tolist() == [1, 0, 1]
    assert joined(shares, np.array([1])).tolist() == [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]
    assert joined(shares, np.array([[1.0, 1.0]])).tolist() == [[0.5, 0.5], [1.0, 0.0], [1.0, 1.0]]
