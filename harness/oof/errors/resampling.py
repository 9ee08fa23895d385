"""Intervals of sums over rows: whole groups are drawn, as for every score, each group's sums made once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.competition.metrics import group_weights

RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval (bootstrap over groups); NaN where it is not defined."""

    value: float
    low: float
    high: float

    def shown(self, digits: str = ".4f", without: str = "-") -> str:
        """'0.8123 [0.8000, 0.8250]'."""
        if not np.isfinite(self.value):
            return without
        return f"{self.value:{digits}} [{self.low:{digits}}, {self.high:{digits}}]"


def group_sums(groups: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Sums float64 (1 + resamples, p) of columns (n, p): over all rows, then over each resample of groups int (n,)."""
    _, place = np.unique(groups, return_inverse=True)
    n_groups = int(place.max()) + 1
    of_group = np.stack([np.bincount(place, column, n_groups) for column in np.asarray(columns).T], axis=1)
    drawn = [weights @ of_group for weights in group_weights(np.arange(n_groups), RESAMPLES)]
    return np.vstack([of_group.sum(axis=0), *drawn])


def intervals_of(values: np.ndarray) -> list[Interval]:
    """Of values (1 + resamples, k): the first row is what they are, the others what resamples say; those that are NaN say nothing."""
    found = []
    for column in np.asarray(values, dtype=np.float64).T:
        drawn = column[1:][np.isfinite(column[1:])]
        low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
        found.append(Interval(float(column[0]), float(low), float(high)))
    return found


def hardest_groups(groups: np.ndarray, harm: np.ndarray) -> list[tuple[int, int, float]]:
    """(number of the group, rows, harm) of groups of two rows and more that do harm, most first; harm float (n,): 1 of a wrong row."""
    numbers, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    total = np.bincount(place, harm)
    some = np.flatnonzero((sizes > 1) & (total > 0))
    order = some[np.lexsort((-total[some] / sizes[some], -total[some]))]
    return [(int(numbers[i]), int(sizes[i]), float(total[i])) for i in order]
