"""Do the test images look like the training images? A domain classifier on named image statistics.

Its cross-fitted AUC is 0.5 where nobody can tell them apart and 1 where anybody can; its odds are the weights that make
training images stand for test images (Bickel and others 2009).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.train.inputs.image_statistics import STATISTICS

MOST_ROWS = 5000
"""So many images of each side are looked at; more would not change the answer."""

LEAST_ROWS = 12
"""With fewer on a side nothing can be told."""

_FOLDS, _LARGEST_WEIGHT = 3, 20.0
_CUT = 5.0  # robust standard deviations
_NARROW = 0.05  # of a standard deviation: a statistic that hardly varies has no ratio of spreads


@dataclass(frozen=True)
class Shift:
    """Training images (m) against test images (t).

    Attributes
    ----------
    auc : cross-fitted, with its 95 % interval low, high
    weights : float (m,), odds of being a test image, mean about 1, at most 20
    likeness : float (t,), cross-fitted probability of being a test image; the largest give it away
    telling : (name of a statistic, its AUC alone, difference of the means in standard deviations), the most telling first
    """

    auc: float
    low: float
    high: float
    weights: np.ndarray
    likeness: np.ndarray
    telling: list[tuple[str, float, float]]

    @property
    def is_seen(self) -> bool:
        """Whether the two can be told apart beyond chance."""
        return self.low > 0.5

    @property
    def apart(self) -> float:
        """Up to this share of the test images may have no like among the training images: the largest total variation distance d
        that goes with the AUC. Sets at a distance d are told apart with an AUC of (1 + d) / 2 or more; 0 where they are not told apart."""
        return 2 * self.auc - 1 if self.is_seen else 0.0

    @property
    def at_most(self) -> float:
        """`apart` at the upper end of the AUC's interval: what few images cannot rule out, near 0 where many are told apart by nobody."""
        return max(2 * self.high - 1, 0.0)


def detect_shift(train: np.ndarray, test: np.ndarray) -> Shift:
    """Compare image statistics (m, S) and (t, S)."""
    both = np.concatenate([train, test])
    is_test = np.r_[np.zeros(len(train), dtype=int), np.ones(len(test), dtype=int)]
    proba = cross_fitted_proba(both, is_test)
    auc = _auc(proba, is_test)
    error = _auc_error(auc, len(train), len(test))
    return Shift(
        auc=auc,
        low=max(auc - 1.96 * error, 0.0),
        high=min(auc + 1.96 * error, 1.0),
        weights=odds(proba[: len(train)], len(train), len(test)),
        likeness=proba[len(train) :],
        telling=_telling(train, test, both, is_test),
    )


def domain_weights(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, float]:
    """`Shift.weights` and `Shift.auc` only."""
    is_test = np.r_[np.zeros(len(train), dtype=int), np.ones(len(test), dtype=int)]
    proba = cross_fitted_proba(np.concatenate([train, test]), is_test)
    return odds(proba[: len(train)], len(train), len(test)), _auc(proba, is_test)


def cross_fitted_proba(features: np.ndarray, is_test: np.ndarray) -> np.ndarray:
    """float (n,): probability of being a test image by a classifier that did not see the row.

    Logistic regression on the statistics and their squares: it tells means and spreads apart, and cannot memorise.
    """
    from sklearn.linear_model import LogisticRegression

    inputs = _expanded(features)
    part = np.empty(len(inputs), dtype=int)
    rng = np.random.default_rng(0)
    for side in (0, 1):  # each part has rows of both
        rows = np.flatnonzero(is_test == side)
        part[rng.permutation(rows)] = np.arange(len(rows)) % _FOLDS
    proba = np.empty(len(inputs))
    for number in range(_FOLDS):
        fitted = LogisticRegression(C=0.1, max_iter=300).fit(inputs[part != number], is_test[part != number])
        proba[part == number] = fitted.predict_proba(inputs[part == number])[:, 1]
    return proba


def odds(proba: np.ndarray, n_train: int, n_test: int) -> np.ndarray:
    """Weights from probabilities of being a test image, cut off at 20 so that no single image decides."""
    return np.minimum(proba / np.maximum(1 - proba, 1e-6) * (n_train / n_test), _LARGEST_WEIGHT)


def displacement(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """float32 (2 S,): how image statistics (n, S) and (m, S) differ: means in standard deviations, then logarithms of the spreads' ratios."""
    middle, spread = _middle_and_spread(here)
    mine, theirs = (np.clip((of - middle) / spread, -_CUT, _CUT) for of in (here, there))
    wider = np.log((theirs.std(axis=0) + _NARROW) / (mine.std(axis=0) + _NARROW))
    return np.concatenate([theirs.mean(axis=0) - mine.mean(axis=0), wider]).astype(np.float32)


def _middle_and_spread(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = np.median(features, axis=0)
    spread = np.subtract(*np.quantile(features, [0.84, 0.16], axis=0)) / 2
    return middle, np.where(spread > 1e-9, spread, 1)


def _expanded(features: np.ndarray) -> np.ndarray:
    """Robustly standardised, cut off at 5, with squares."""
    middle, spread = _middle_and_spread(features)
    scaled = np.clip((features - middle) / spread, -_CUT, _CUT)
    return np.concatenate([scaled, scaled**2], axis=1)


def _telling(
    train: np.ndarray, test: np.ndarray, both: np.ndarray, is_test: np.ndarray
) -> list[tuple[str, float, float]]:
    spread = both.std(axis=0)
    difference = (test.mean(axis=0) - train.mean(axis=0)) / np.where(spread > 1e-9, spread, np.inf)
    alone = [_auc(both[:, i], is_test) for i in range(both.shape[1])]
    lines = [(STATISTICS[i], max(a, 1 - a), float(difference[i])) for i, a in enumerate(alone)]
    return sorted(lines, key=lambda line: -line[1])


def _auc(score: np.ndarray, positive: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(positive, score))


def _auc_error(auc: float, n_train: int, n_test: int) -> float:
    """Standard error of an AUC (Hanley and McNeil 1982)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (n_test - 1) * (q1 - auc**2) + (n_train - 1) * (q2 - auc**2)
    return float(np.sqrt(max(variance, 0) / (n_train * n_test)))
