"""How far probabilities can be believed: bins of rows, and how far each bin's share of hits is from its mean probability."""

from __future__ import annotations

import numpy as np

_BINS = 15


def bins(sure: np.ndarray, hit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, share of hits and rows of each of 15 bins of equal width in [0, 1] that has rows; sure, hit : (n,)."""
    place = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    rows = np.bincount(place, minlength=_BINS)
    filled = rows > 0
    confidence = np.bincount(place, sure, _BINS)[filled] / rows[filled]
    return confidence, np.bincount(place, hit, _BINS)[filled] / rows[filled], rows[filled]


def ece_of(confidence: np.ndarray, accuracy: np.ndarray, rows: np.ndarray) -> float:
    """Expected calibration error of `bins`: mean |confidence - accuracy| weighted by rows (Naeini and others 2015; Guo and others 2017)."""
    return float((np.abs(confidence - accuracy) * rows).sum() / rows.sum())


def believed(targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `bins` takes: of int64 targets (n,) each row's largest probability and whether it is right, of labels (n, T) every
    label's probability and whether the row has it."""
    outputs = np.asarray(outputs)
    if targets.ndim == 1:
        return outputs.max(axis=1).astype(np.float64), outputs.argmax(axis=1) == targets
    return outputs.ravel().astype(np.float64), targets.ravel() >= 0.5
