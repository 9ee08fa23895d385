"""Which of two labels of the same image is right: asked of a linear model of the rows that nobody doubts."""

from __future__ import annotations

import numpy as np

from harness.clean.odd.outliers import describe

_FITTED_ON = 20_000
_TIMES_AS_LIKELY = 4.0


def label_probabilities(images: np.ndarray, labels: np.ndarray, doubted: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """Probabilities (len(doubted), C) of labels for some rows, by a model fitted on other rows only.

    Multinomial logistic regression on the features of `foreign`; strongly regularised, so that they may be many.

    Parameters
    ----------
    images : uint8 (n, H, W, C); labels : int64 (n,)
    doubted, trusted : row numbers without a row in common; of many trusted rows a sample is taken
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    n_classes = int(labels.max()) + 1
    some = np.sort(np.random.default_rng(0).permutation(trusted)[:_FITTED_ON])
    proba = np.full((len(doubted), n_classes), 1 / n_classes)
    if len(np.unique(labels[some])) < 2:
        return proba
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    model.fit(describe(images, some), labels[some])
    found = model.predict_proba(describe(images, doubted))
    proba[:] = 0
    proba[:, model.classes_] = found
    return proba


def winner(labels: np.ndarray, proba: np.ndarray) -> int | None:
    """The label that a family of copies should have, or None where that is open.

    labels : int64 (m,) of the copies; proba : (C,) mean probabilities. Two thirds of three or more copies decide; else the
    label that is at least four times as likely as each other one that is given.
    """
    given, count = np.unique(labels, return_counts=True)
    if len(labels) >= 3 and count.max() >= 2 * len(labels) / 3:
        return int(given[count.argmax()])
    order = np.argsort(-proba[given])
    best, second = proba[given[order[0]]], proba[given[order[1]]]
    return int(given[order[0]]) if best >= _TIMES_AS_LIKELY * second else None
