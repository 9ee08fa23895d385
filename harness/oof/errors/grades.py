"""What there is to say of grades besides what is said of classes: how far off, in which direction, and the expected grade's calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.competition.tasks.answering import expected_grade
from harness.oof.errors.analysis import Errors
from harness.oof.errors.resampling import Interval, group_sums, intervals_of
from harness.runs import Run

_BINS = 10


@dataclass(frozen=True)
class GradeErrors:
    """Of the rows that `Errors` is of; deviation = grade that was said - true grade.

    Attributes
    ----------
    deviation : int64 (m,)
    signed, absolute : mean deviation, and its mean size; near : share of the rows at most one grade off
    by_grade : for each true grade its rows, and the same three; rows 0 and NaN of one that does not occur
    farthest : rows of the run that are wrong, those first that are most grades off, of these the surest
    expected, true, rows : float (b,), float (b,), int (b,): mean expected grade and mean true one of tenths of the rows by it
    off : mean |expected - true| of these, weighted by rows
    """

    deviation: np.ndarray
    signed: Interval
    absolute: Interval
    near: Interval
    by_grade: list[tuple[int, Interval, Interval, Interval]]
    farthest: np.ndarray
    expected: np.ndarray
    true: np.ndarray
    rows: np.ndarray
    off: float


def find_grade_errors(run: Run, found: Errors) -> GradeErrors:
    """Of the rows and the answers that `found` has."""
    labels, rows, n = found.labels[found.rows], found.rows, len(run.classes)
    deviation = found.predicted[rows] - labels
    facts = np.column_stack([deviation, np.abs(deviation), np.abs(deviation) <= 1])
    member = np.eye(n)[labels]
    columns = np.hstack([np.ones((len(rows), 1)), facts, member, *(member * fact[:, None] for fact in facts.T)])
    sums = group_sums(run.folds.groups[rows], columns)
    with np.errstate(invalid="ignore", divide="ignore"):
        signed, absolute, near = intervals_of(sums[:, 1:4] / sums[:, :1])
        count, rest = sums[:, 4 : 4 + n], sums[:, 4 + n :]
        each = [intervals_of(rest[:, k * n : (k + 1) * n] / count) for k in range(3)]
    size = np.abs(found.predicted - found.labels)[found.mistakes]
    expected, true, filled = _calibration(expected_grade(np.asarray(run.oof[rows])), labels)
    return GradeErrors(
        deviation=deviation,
        signed=signed,
        absolute=absolute,
        near=near,
        by_grade=[(int(count[0, k]), each[0][k], each[1][k], each[2][k]) for k in range(n)],
        farthest=found.mistakes[np.argsort(-size, kind="stable")],
        expected=expected,
        true=true,
        rows=filled,
        off=float((np.abs(expected - true) * filled).sum() / filled.sum()),
    )


def _calibration(expected: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, _BINS + 1)[1:-1]))
    place = np.searchsorted(edges, expected, side="right")
    rows = np.bincount(place, minlength=len(edges) + 1)
    filled = rows > 0
    means = (np.bincount(place, values, len(edges) + 1)[filled] / rows[filled] for values in (expected, labels))
    return *means, rows[filled]  # type: ignore[return-value]
