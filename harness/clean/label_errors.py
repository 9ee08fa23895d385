"""Labels in doubt by out-of-fold probabilities: confident learning (Northcutt, Jiang, Chuang 2021)."""

from __future__ import annotations

import importlib.util

import numpy as np

from harness.competition.metrics import row_pieces

_CLEANLAB_CLASSES = 500  # it makes tables of all pairs of classes
_EPS = 1e-12


def suspected_rows(labels: np.ndarray, proba: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Places in `rows` of the rows whose label is doubted, the most doubtful first; classes without a row among them are not judged.

    labels : int64 (n,); proba : float (n, C), not NaN in `rows`, int64 (m,)
    """
    if proba.shape[1] > _CLEANLAB_CLASSES or importlib.util.find_spec("cleanlab") is None:
        return _suspected_of_many(labels, proba, rows)
    from cleanlab.filter import find_label_issues

    there, number = np.unique(labels[rows], return_inverse=True)  # cleanlab needs a row of every class
    if len(there) < 2:
        return np.zeros(0, dtype=np.int64)
    own = np.clip(proba[rows][:, there].astype(np.float64), _EPS, None)
    own /= own.sum(axis=1, keepdims=True)
    return np.asarray(find_label_issues(number, own, return_indices_ranked_by="self_confidence", n_jobs=1))


def _suspected_of_many(labels: np.ndarray, proba: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Confident learning's rule without its table of all pairs: a row is doubted where another class is as sure as that class is on
    average of its own rows, and its own label is not."""
    own = np.empty(len(rows), dtype=np.float32)
    for piece in row_pieces(len(rows), proba.shape[1]):
        own[piece] = proba[rows[piece], labels[rows[piece]]]
    count = np.bincount(labels[rows], minlength=proba.shape[1])
    usual = np.bincount(labels[rows], own, proba.shape[1]) / np.maximum(count, 1)
    usual[count == 0] = np.inf
    doubted = np.zeros(len(rows), dtype=bool)
    for piece in row_pieces(len(rows), proba.shape[1]):
        part = proba[rows[piece]].astype(np.float32)
        said = np.where(part >= usual, part, 0).argmax(axis=1)
        sure = part[np.arange(len(part)), said] >= usual[said]
        doubted[piece] = sure & (said != labels[rows[piece]])
    found = np.flatnonzero(doubted)
    return found[np.argsort(own[found], kind="stable")]
