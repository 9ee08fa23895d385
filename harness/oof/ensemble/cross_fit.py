"""What an ensemble is worth: fitted on the other folds, scored on this one; the in-sample score stands beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.base.progress import LineWatcher
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


def cross_fit(
    predictions: Predictions,
    metric: Metric,
    names: list[str] | None = None,
    asked: str | None = None,
    watcher: LineWatcher | None = None,
) -> list[CrossFitted]:
    """Every method that is affordable with so many models, rows and classes, and the one asked for (or the named ones alone), the plain mean first."""
    methods = methods_of(predictions.task)
    tried = [n for n, method in methods.items() if method.bears(*predictions.oof.shape) or n == asked]
    chosen = ["mean", *(n for n in names or tried if n != "mean")]
    judge = _Judge(predictions, metric)
    mean_of = methods["mean"].apply(predictions.oof, None)
    told = judge.told(mean_of)
    plain = judge.resampled(mean_of, told), told
    found, watcher = [], watcher or LineWatcher(quiet=True)
    for name in chosen:
        with watcher.waiting(f"combining by {name}"):
            found.append(_one(methods[name], predictions, judge, plain))
    return found


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

    def told(self, oof: np.ndarray, like: dict[str, Any] | None = None) -> dict[str, Any]:
        """The decision of outputs (n, C), as `score_run` finds it of the saved ensemble: thresholds or cuts, or how they are scaled.

        like : that of the plain mean, where the search for a scaling begins
        """
        if not (self.decides or self.metric.of_probabilities):
            return {}
        outputs = self._saved(oof)
        if self.decides:
            return self.task.find_decision(self.metric, self.labels, outputs, self.fold)
        scaling = self.task.find_scaling(
            self.metric, self.labels, outputs, self.fold, self.groups, (like or {}).get("scaling")
        )
        return {"scaling": scaling} if scaling else {}

    def resampled(self, oof: np.ndarray, told: dict[str, Any]) -> Resampled:
        """The score of outputs (n, C), each fold judged by the decision that the others have."""
        moves = self.decides or bool(told and told["scaling"]["values"])
        outputs = self.task.judged_by(self.metric, self._saved(oof), self.fold, told) if moves else oof[self.kept]
        return Resampled.of(self.metric, self.labels, outputs, self.groups)

    def in_sample(self, outputs: np.ndarray, told: dict[str, Any]) -> float:
        """The score of outputs of the kept rows by the decision that they themselves have."""
        if told and not self.decides:
            found = self.task.fit_scaling(told["scaling"]["method"], self.metric, self.labels, outputs)
            return self.metric(self.labels, self.task.scaled(outputs, found))
        return self.task.score_apart(self.metric, self.labels, outputs)

    def _saved(self, oof: np.ndarray) -> np.ndarray:
        """The kept rows as they are saved: a decision found on them is that of the saved run."""
        return oof[self.kept].astype(np.float32)


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


def _one(
    method: Method, predictions: Predictions, judge: _Judge, plain: tuple[Resampled, dict[str, Any]]
) -> CrossFitted:
    """plain : the mean's score, and its decision."""
    labels, kept = predictions.labels, judge.kept
    fitted = method.fit(predictions.oof[:, kept], labels[kept], judge.by)
    if method.learns:
        fitted_without = [_fit_without(fold, method, predictions, by) for fold, by in enumerate(judge.by_without)]
        oof = _by_fold(method, predictions, fitted_without)
        seen = method.apply(predictions.oof[:, kept], fitted)
    else:
        fitted_without = [fitted] * predictions.folds.k
        oof = method.apply(predictions.oof, fitted)
        seen = oof[kept]
    told = plain[1] if method.name == "mean" else judge.told(oof, plain[1])
    in_sample = judge.in_sample(seen, told)
    ours = plain[0] if method.name == "mean" else judge.resampled(oof, told)
    score, low, high, gain, gain_low, gain_high = ours.against(plain[0])
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
