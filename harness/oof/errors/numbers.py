"""Where predicted numbers are off: bias, by quantile of the target and of the prediction, the largest residuals, groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.competition.tasks.task import spreads
from harness.oof.errors.resampling import Interval, group_sums, hardest_groups, intervals_of
from harness.runs import Run

_QUANTILES = 10
_OUTLIER = 5.0  # robust standard deviations of the residuals from which on a target is doubted


@dataclass(frozen=True)
class Quantile:
    """Rows of one tenth of a number's targets, or of its predictions.

    Attributes
    ----------
    low, high : the range; rows : in it
    truth, said : their means; bias : mean of prediction - target; mae, rmse : of these rows
    """

    low: float
    high: float
    rows: int
    truth: float
    said: float
    bias: Interval
    mae: float
    rmse: float


@dataclass(frozen=True)
class NumberScores:
    """How far a number's predictions are off; residual = prediction - target.

    Attributes
    ----------
    bias, mae, rmse, r2 : with their intervals (bootstrap over groups)
    by_target : tenths of the targets. A model that cannot see everything is above the small ones and below the large ones: regression to
        the mean, which no shift mends
    by_prediction : tenths of the predictions: where these have a bias, a correction of the outputs would take it out
    """

    bias: Interval
    mae: Interval
    rmse: Interval
    r2: Interval
    by_target: list[Quantile]
    by_prediction: list[Quantile]


@dataclass(frozen=True)
class NumberErrors:
    """Everything that `find_number_errors` says.

    Attributes
    ----------
    rows : int64 (m,), rows of the run that were judged
    truth, outputs : float64 (m, K), of these
    numbers : by name
    largest : (place in rows, number) int64 (m * K, 2), the largest residual first, each in its number's standard deviations
    suspected : the same of targets that are doubted: residuals beyond five robust standard deviations of all
    groups : (number of the group, rows, sum of its rows' error above the mean error)
    error : float (m,), mean over the numbers of |residual| in standard deviations
    """

    rows: np.ndarray
    truth: np.ndarray
    outputs: np.ndarray
    numbers: dict[str, NumberScores]
    largest: np.ndarray
    suspected: np.ndarray
    groups: list[tuple[int, int, float]]
    error: np.ndarray

    @property
    def residuals(self) -> np.ndarray:
        """Prediction - target, float64 (m, K)."""
        return self.outputs - self.truth


def find_number_errors(run: Run, rows: np.ndarray) -> NumberErrors:
    """Judge these rows (int64)."""
    truth, outputs, groups = (
        run.labels[rows].astype(np.float64),
        run.oof[rows].astype(np.float64),
        run.folds.groups[rows],
    )
    off, names = outputs - truth, run.classes
    away = np.abs(off) / spreads(truth)
    largest = np.column_stack(np.unravel_index(np.argsort(-away, axis=None, kind="stable"), away.shape))
    middle = np.median(off, axis=0)
    robust = 1.4826 * np.median(np.abs(off - middle), axis=0)
    doubted = np.abs(off - middle) > _OUTLIER * np.where(robust > 0, robust, np.inf)
    error = run.task.row_errors(truth, outputs)
    scores = [_score(truth[:, k], outputs[:, k], groups) for k in range(len(names))]
    return NumberErrors(
        rows=rows,
        truth=truth,
        outputs=outputs,
        numbers=dict(zip(names, scores, strict=True)),
        largest=largest,
        suspected=largest[doubted[tuple(largest.T)]],
        groups=hardest_groups(groups, error - error.mean()),
        error=error,
    )


def _score(truth: np.ndarray, said: np.ndarray, groups: np.ndarray) -> NumberScores:
    off, centred = said - truth, truth - truth.mean()  # centred: the variance is no difference of large numbers
    sums = group_sums(groups, np.column_stack([np.ones(len(off)), off, np.abs(off), off**2, centred, centred**2]))
    n = sums[:, 0]
    bias, mae, mse, mean, square = (sums[:, k] / n for k in range(1, 6))
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = square - mean**2
        r2 = np.where(variance > 0, 1 - mse / variance, np.nan)
    of_bias, of_mae, of_rmse, of_r2 = intervals_of(np.column_stack([bias, mae, np.sqrt(mse), r2]))
    return NumberScores(
        of_bias,
        of_mae,
        of_rmse,
        of_r2,
        _by_quantile(truth, truth, said, groups),
        _by_quantile(said, truth, said, groups),
    )


def _by_quantile(by: np.ndarray, truth: np.ndarray, said: np.ndarray, groups: np.ndarray) -> list[Quantile]:
    """Rows in tenths of `by`; equal values stay together, so that there may be fewer."""
    edges = np.unique(np.quantile(by, np.linspace(0, 1, _QUANTILES + 1)[1:-1]))
    place = np.searchsorted(edges, by, side="right")
    filled, place = np.unique(place, return_inverse=True)
    member = np.eye(len(filled))[place]
    sums = group_sums(groups, np.hstack([member, member * (said - truth)[:, None]]))
    with np.errstate(invalid="ignore", divide="ignore"):
        biases = intervals_of(sums[:, len(filled) :] / sums[:, : len(filled)])
    found = []
    for number, bias in enumerate(biases):
        mine = place == number
        off = said[mine] - truth[mine]
        ends = (float(by[mine].min()), float(by[mine].max()), int(mine.sum()))
        means = (float(truth[mine].mean()), float(said[mine].mean()))
        found.append(Quantile(*ends, *means, bias, float(np.abs(off).mean()), float(np.sqrt((off**2).mean()))))
    return found
