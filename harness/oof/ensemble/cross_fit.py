"""What an ensemble is worth: fitted on the other folds, scored on this one; the in-sample score stands beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.competition.metrics import Metric, Resampled
from harness.competition.tasks import Task
from harness.oof.ensemble.by_task import methods_of
from harness.oof.ensemble.methods import Method, mean
from harness.oof.predictions import Predictions


@dataclass(frozen=True)
class CrossFitted:
    """An ensemble by one method.

    Attributes
    ----------
    method : how
    oof : float64 (n, C), each row by what was fitted on the other folds; before the task's decision
    fitted : what was fitted on all kept rows; it makes the test predictions
    fitted_without : for each fold what was fitted on the others; it made that fold's rows of `oof`
    score, in_sample : of the cross-fitted rows, and of what was fitted and scored on all rows; each fold answered by the decision that
        the other folds' rows have (thresholds, cuts), as `score_run` scores the saved ensemble
    low, high : 95 % interval of the score
    gain, gain_low, gain_high : over the plain mean, with its 95 % interval (paired bootstrap over groups)
    """

    method: Method
    oof: np.ndarray
    fitted: Any
    fitted_without: list[Any]
    score: float
    in_sample: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float

    @property
    def is_noise(self) -> bool:
        """Whether the gain over the plain mean may be chance: its interval holds zero."""
        return self.method.name != "mean" and self.gain_low <= 0 <= self.gain_high


def cross_fit(predictions: Predictions, metric: Metric, names: list[str] | None = None) -> list[CrossFitted]:
    """Every method (or the named ones), the plain mean first."""
    methods = methods_of(predictions.task)
    chosen = ["mean", *(n for n in names or methods if n != "mean")]
    judge = _Judge(predictions, metric)
    plain = judge.resampled(methods["mean"].apply(predictions.oof, None))
    return [_one(methods[name], predictions, judge, plain) for name in chosen]


class _Judge:
    """Scores outputs as the task does, and tells methods what to be fitted by."""

    def __init__(self, predictions: Predictions, metric: Metric) -> None:
        folds, self.metric, self.task = predictions.folds, metric, predictions.task
        self.kept = np.flatnonzero(folds.kept)
        self.labels, self.fold, self.groups = (
            predictions.labels[self.kept],
            folds.fold[self.kept],
            folds.groups[self.kept],
        )
        self.decides = self.task.decides and metric.of_answers
        self.by = _fitted_by(predictions, metric, self.kept) if self.decides else metric
        without = [folds.train_rows(fold) for fold in range(folds.k)]
        self.by_without = [_fitted_by(predictions, metric, rows) if self.decides else metric for rows in without]

    def resampled(self, oof: np.ndarray) -> Resampled:
        """The score of outputs (n, C), each fold answered by the decision that the others have, probabilities scaled by them."""
        outputs = oof[self.kept]
        if self.decides or self.metric.of_probabilities:
            outputs = outputs.astype(np.float32)  # as they are saved: a threshold found is that of the saved run
        if self.decides:
            told = self.task.find_decision(self.metric, self.labels, outputs, self.fold)
            outputs = self.task.decide_by_fold(outputs, self.fold, told)
        elif scaling := self.task.find_scaling(self.metric, self.labels, outputs, self.fold, self.groups):
            outputs = self.task.judged_by(self.metric, outputs, self.fold, {"scaling": scaling})
        return Resampled.of(self.metric, self.labels, outputs, self.groups)

    def in_sample(self, outputs: np.ndarray) -> float:
        """The score of outputs of the kept rows by the decision that they themselves have; probabilities as they are."""
        return self.task.score_apart(self.metric, self.labels, outputs)


def _fitted_by(predictions: Predictions, metric: Metric, rows: np.ndarray) -> Metric:
    """What methods are fitted by on these rows: the metric, answered by the decision that the members' mean has on them."""
    task: Task = predictions.task
    decision = task.fit_decision(metric, predictions.labels[rows], mean(predictions.oof[:, rows]))
    return Metric(
        metric.name,
        lambda labels, outputs: metric.prepare(labels, task.decide(outputs, decision)),
        metric.greater_is_better,
        of_answers=True,
    )


def _one(method: Method, predictions: Predictions, judge: _Judge, plain: Resampled) -> CrossFitted:
    labels, kept = predictions.labels, judge.kept
    fitted = method.fit(predictions.oof[:, kept], labels[kept], judge.by)
    if method.learns:
        fitted_without = [_fit_without(fold, method, predictions, by) for fold, by in enumerate(judge.by_without)]
        oof = _by_fold(method, predictions, fitted_without)
        in_sample = judge.in_sample(method.apply(predictions.oof[:, kept], fitted))
    else:
        fitted_without = [fitted] * predictions.folds.k
        oof = method.apply(predictions.oof, fitted)
        in_sample = judge.in_sample(oof[kept])
    score, low, high, gain, gain_low, gain_high = (plain if method.name == "mean" else judge.resampled(oof)).against(
        plain
    )
    return CrossFitted(method, oof, fitted, fitted_without, score, in_sample, low, high, gain, gain_low, gain_high)


def _fit_without(fold: int, method: Method, predictions: Predictions, metric: Metric) -> Any:
    """What the kept rows of the other folds teach."""
    train = predictions.folds.train_rows(fold)
    return method.fit(predictions.oof[:, train], predictions.labels[train], metric)


def _by_fold(method: Method, predictions: Predictions, fitted_without: list[Any]) -> np.ndarray:
    """float64 (n, C): each fold's rows, excluded ones too, by what the other folds taught."""
    out = np.empty(predictions.oof.shape[1:])
    for fold, fitted in enumerate(fitted_without):
        valid = predictions.folds.valid_rows(fold)
        out[valid] = method.apply(predictions.oof[:, valid], fitted)
    return out
