"""Do the test images look like the training images? A domain classifier on named image statistics.

Its cross-fitted AUC is 0.5 where nobody can tell them apart and 1 where anybody can; its odds are the weights that make
training images stand for test images (Bickel and others 2009).

Where training rows have groups (patients), test images are of other groups, and a classifier that knows them by their looks tells
them from the training images though all are of one population. How far it comes by that alone is tried on training groups: some of
them play the test. Only what it tells beyond that is a shift.
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
_LEAST_GROUPS, _SPLITS = 6, 8  # of training groups, to try what groups alone tell; how often
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
    by_groups : AUC that groups of one population may reach by themselves; 0.5 where each row is its own group, 1 where groups are too few to
        tell
    """

    auc: float
    low: float
    high: float
    weights: np.ndarray
    likeness: np.ndarray
    telling: list[tuple[str, float, float]]
    by_groups: float = 0.5

    @property
    def is_seen(self) -> bool:
        """Whether the two can be told apart beyond chance, and beyond what groups tell by themselves."""
        return self.low > self.by_groups

    @property
    def is_hidden_by_groups(self) -> bool:
        """Whether the two can be told apart, but no better than groups of one population."""
        return self.low > 0.5 and not self.is_seen

    @property
    def auc_beyond_groups(self) -> float:
        """The AUC as it would be without groups: 0.5 where it is what these reach, 1 where it is 1."""
        return self._beyond(self.auc)

    def _beyond(self, auc: float) -> float:
        return (
            auc if self.by_groups <= 0.5 else 0.5 + 0.5 * max(auc - self.by_groups, 0.0) / max(1 - self.by_groups, 1e-9)
        )

    @property
    def apart(self) -> float:
        """Up to this share of the test images may have no like among the training images: the largest total variation distance d
        that goes with the AUC. Sets at a distance d are told apart with an AUC of (1 + d) / 2 or more; 0 where they are not told apart."""
        return 2 * self.auc_beyond_groups - 1 if self.is_seen else 0.0

    @property
    def at_most(self) -> float:
        """`apart` at the upper end of the AUC's interval: what few images cannot rule out, near 0 where many are told apart by nobody."""
        return max(2 * self._beyond(self.high) - 1, 0.0)


def detect_shift(train: np.ndarray, test: np.ndarray, groups: np.ndarray | None = None) -> Shift:
    """Compare image statistics (m, S) and (t, S); groups : int (m,) of the training rows, default: each row its own. Those of test rows
    are not known."""
    groups = np.arange(len(train)) if groups is None else np.unique(groups, return_inverse=True)[1]
    both = np.concatenate([train, test])
    is_test = np.r_[np.zeros(len(train), dtype=int), np.ones(len(test), dtype=int)]
    proba = cross_fitted_proba(both, is_test, groups)
    auc = _auc(proba, is_test)
    error = _auc_error(auc, int(groups.max()) + 1, len(test))
    return Shift(
        auc=auc,
        low=max(auc - 1.96 * error, 0.0),
        high=min(auc + 1.96 * error, 1.0),
        weights=odds(proba[: len(train)], len(train), len(test)),
        likeness=proba[len(train) :],
        telling=_telling(train, test, both, is_test),
        by_groups=_auc_of_groups(train, groups, len(test)),
    )


def _auc_of_groups(train: np.ndarray, groups: np.ndarray, n_test: int) -> float:
    """AUC that tells some training groups, of about so many rows, from the others as if they were the test: the largest of some splits,
    less the standard error that its rows alone have, so that hardly any groups are nearly as none."""
    n = int(groups.max()) + 1
    if n == len(groups):
        return 0.5
    if n < _LEAST_GROUPS:
        return 1.0
    taken = int(np.clip(round(n * n_test / len(groups)), 2, n // 2))
    found = []
    for seed in range(_SPLITS):
        chosen = np.isin(groups, np.random.default_rng([seed, 5]).permutation(n)[:taken])
        if min(chosen.sum(), (~chosen).sum()) >= LEAST_ROWS:
            here, there = train[~chosen], train[chosen]
            is_test = np.repeat([0, 1], [len(here), len(there)])
            auc = _auc(cross_fitted_proba(np.concatenate([here, there]), is_test, groups[~chosen]), is_test)
            found.append(auc - _auc_error(auc, len(here), len(there)))
    return float(np.clip(max(found), 0.5, 1.0)) if found else 1.0


def domain_weights(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, float]:
    """`Shift.weights` and `Shift.auc` only."""
    is_test = np.r_[np.zeros(len(train), dtype=int), np.ones(len(test), dtype=int)]
    proba = cross_fitted_proba(np.concatenate([train, test]), is_test)
    return odds(proba[: len(train)], len(train), len(test)), _auc(proba, is_test)


def cross_fitted_proba(features: np.ndarray, is_test: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """float (n,): probability of being a test image by a classifier that did not see the row, nor of a training row any of its group.

    groups : int of the training rows, in their order; default: each row its own

    Logistic regression on the statistics and their squares: it tells means and spreads apart, and cannot memorise.
    """
    from sklearn.linear_model import LogisticRegression

    inputs = _expanded(features)
    part = np.empty(len(inputs), dtype=int)
    rng = np.random.default_rng(0)
    for side in (0, 1):  # each part has rows of both
        rows = np.flatnonzero(is_test == side)
        of = np.arange(len(rows)) if side or groups is None else np.unique(groups, return_inverse=True)[1]
        of = of if of.any() else np.arange(len(rows))  # a single group cannot be held out
        part_of = np.empty(int(of.max()) + 1, dtype=int)
        part_of[rng.permutation(len(part_of))] = np.arange(len(part_of)) % _FOLDS
        part[rows] = part_of[of]
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
