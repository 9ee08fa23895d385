"""Raw columns to what models take, fitted on the training rows of a fold and on no others.

Numbers are clipped to the range that all but a hundredth of the training rows keep to, filled by the median where they are not known, and
brought to mean 0 and deviation 1; a column with gaps has a second one that marks them. A category has a place for each of its values, less
the value's share among the training rows: a value that those lack is 0 in all places, the average of what they have.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from harness.competition.samples import Columns

_TAILS = (0.005, 0.995)
_SEEN = 2  # training rows that a value needs for a place of its own: what one row says of it is that row's label
MOST_PLACES = 1000
"""Of a category: its most frequent values; the others are as unknown."""


@dataclass(frozen=True)
class ColumnEncoder:
    """Columns -> float32 (n, width); see `fit`.

    Attributes
    ----------
    low, high, middle, mean, std : float32 (N,) of each number: its range, the median, mean and deviation of what is clipped
    gaps : int64 (G,), the numbers that have a column for their gaps; gap_share : float32 (G,), of the training rows
    places : int64 (sum of all categories' values,): a value's place among those of its category, -1 = unknown
    first : int64 (M + 1,), where a category's values begin; widths : int64 (M,), how many places it has
    share : float32 (sum of widths,), each place's share of the training rows
    """

    low: np.ndarray
    high: np.ndarray
    middle: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    gaps: np.ndarray
    gap_share: np.ndarray
    places: np.ndarray
    first: np.ndarray
    widths: np.ndarray
    share: np.ndarray

    @classmethod
    def fit(cls, columns: Columns, rows: np.ndarray, test: Columns | None = None) -> ColumnEncoder:
        """Fit on some rows (int64, one or more) of the training columns.

        test : of the test rows; which columns have gaps, and so the width, is the same in every fold
        """
        numbers = columns.numbers[rows]
        gappy = np.isnan(columns.numbers).any(axis=0)
        if test is not None:
            gappy |= np.isnan(test.numbers).any(axis=0)
        gaps = np.flatnonzero(gappy)
        known = _filled_with_median(numbers)
        low, high = _range(known)
        clipped = np.clip(known, low, high)
        std = clipped.std(axis=0, dtype=np.float64)
        return cls(
            low=low.astype(np.float32),
            high=high.astype(np.float32),
            middle=np.median(known, axis=0).astype(np.float32),
            mean=clipped.mean(axis=0, dtype=np.float64).astype(np.float32),
            std=np.where(std > 0, std, 1.0).astype(np.float32),
            gaps=gaps.astype(np.int64),
            gap_share=np.isnan(numbers[:, gaps]).mean(axis=0).astype(np.float32),
            **_fit_categories(columns, rows),
        )

    @property
    def width(self) -> int:
        """Numbers of an encoded row."""
        return len(self.low) + len(self.gaps) + len(self.share)

    @property
    def shares(self) -> list[np.ndarray]:
        """`share`, a category at a time."""
        return np.split(self.share, np.cumsum(self.widths)[:-1]) if len(self.widths) else []

    def encode(self, columns: Columns, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """float32 (len(rows), width): the numbers, the marks of gaps, the places of categories."""
        numbers, codes = columns.numbers[rows], columns.codes[rows]
        unknown = np.isnan(numbers)
        known = np.clip(np.where(unknown, self.middle, numbers), self.low, self.high)
        marks = unknown[:, self.gaps] - self.gap_share
        return np.concatenate([(known - self.mean) / self.std, marks, self._one_hot(codes)], axis=1, dtype=np.float32)

    def place_of(self, codes: np.ndarray) -> np.ndarray:
        """int64 (n, M): each category's place, -1 where its value is unknown."""
        return self.places[codes + self.first[:-1]] if codes.shape[1] else codes.astype(np.int64)

    def _one_hot(self, codes: np.ndarray) -> np.ndarray:
        table = np.zeros((len(codes), len(self.share)), dtype=np.float32)
        begin = np.concatenate([[0], np.cumsum(self.widths)])
        for number, places in enumerate(self.place_of(codes).T):
            seen = np.flatnonzero(places >= 0)
            block = table[:, begin[number] : begin[number + 1]]
            block[seen] = -self.share[begin[number] : begin[number + 1]]
            block[seen, places[seen]] += 1
        return table

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that it holds, to be saved; `of_arrays` takes it back."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of_arrays(cls, arrays: dict[str, Any]) -> ColumnEncoder:
        """The encoder that `arrays` came from."""
        return cls(**{field.name: np.asarray(arrays[field.name]) for field in fields(cls)})


def _filled_with_median(numbers: np.ndarray) -> np.ndarray:
    """The numbers, gaps filled by their column's median (0 where all are gaps)."""
    unknown = np.isnan(numbers)
    if not unknown.any():
        return numbers
    filled = numbers.copy()
    for place in np.flatnonzero(unknown.any(axis=0)):
        known = numbers[~unknown[:, place], place]
        filled[unknown[:, place], place] = np.median(known) if len(known) else 0.0
    return filled


def _range(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float (N,) each: what all but the tails keep to; where that is one value, all there are (a rare mark is no tail)."""
    low, high = np.quantile(known, _TAILS, axis=0, method="nearest")
    one = low == high
    return np.where(one, known.min(axis=0), low), np.where(one, known.max(axis=0), high)


def _fit_categories(columns: Columns, rows: np.ndarray) -> dict[str, np.ndarray]:
    """places, first, widths and share of `ColumnEncoder`."""
    places, widths, shares = [np.zeros(0, np.int64)], [], [np.zeros(0, np.float32)]
    sizes = [len(values) for values in columns.categories.values()]
    for codes, size in zip(columns.codes[rows].T, sizes, strict=True):
        counts = np.bincount(codes, minlength=size)
        width = min(size, MOST_PLACES)
        common = np.sort(np.argsort(-counts, kind="stable")[:width])  # all of them, in order, where they are few
        seen = counts[common] >= _SEEN
        of_value = np.full(size, -1, dtype=np.int64)
        of_value[common[seen]] = np.flatnonzero(seen)
        places.append(of_value)
        widths.append(width)
        shares.append(np.where(seen, counts[common] / len(rows), 0).astype(np.float32))
    return {
        "places": np.concatenate(places),
        "first": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        "widths": np.array(widths, dtype=np.int64),
        "share": np.concatenate(shares),
    }
