"""A trial: a recipe trained fold by fold, pruned between folds or between epochs, within what is allowed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.competition import Competition, Recipe
from harness.competition.metrics import Metric
from harness.cv.opening import OpenedRun, open_run
from harness.cv.options import Options, Watcher
from harness.cv.pipeline import train_fold_of
from harness.cv.scores import competition_metrics
from harness.data.cache import Dataset
from harness.runs import FoldResult
from harness.tune.arguments import Limits
from harness.tune.space import Space, check_trial, suggest, with_values


@dataclass(frozen=True)
class Trials:
    """What all trials of a study share.

    Attributes
    ----------
    home : the study's folder; the trials' runs lie below it
    prune : "none", "folds" or "epochs": where a trial may be given up
    by_fold : whether the pruner compares fold with fold (Wilcoxon's test); else it is told the mean so far
    objectives : ("score",) or ("score", "seconds")
    """

    competition: Competition
    recipe: Recipe
    dataset: Dataset
    space: Space
    home: Path
    prune: str
    by_fold: bool
    objectives: tuple[str, ...]
    limits: Limits
    device: str
    verdicts: Path | None
    watcher: Watcher
    metric: Metric = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metric", competition_metrics(self.competition)[0])

    def __call__(self, trial: Any) -> float | tuple[float, ...]:
        """Train a trial's folds; returns the mean score over them (and the seconds).

        What it cost and the folds' scores are kept in the trial. A trial whose process was killed goes on with the folds
        that stand.

        Raises
        ------
        optuna.TrialPruned
            If the pruner gives it up, or it cannot keep the limits.
        """
        values, started = suggest(trial, self.space), time.perf_counter()
        options = Options(self.home, workers=1, device=self.device, verdicts=self.verdicts)
        try:
            recipe = with_values(self.recipe, values)
            check_trial(self.competition, recipe)
            opened = open_run(self.competition, recipe, self.dataset, options, _Silent())
            trial.set_user_attr("run", opened.folder.name)
            folds = opened.folds
            if not opened.folder.started:
                opened.start(self.competition, recipe, options, _Silent())
            parameters = int(opened.folder.environment()["parameters"])
            self._keep_limits(trial, 0.0, parameters, recipe)
            scores, results, seconds, epochs = [], [], 0.0, 0
            for fold in range(folds.k):
                result = self._fold(trial, opened, fold, options)
                results.append(result)
                scores.append(self._score(opened, result))
                seconds, epochs = seconds + result.seconds, epochs + len(result.history)
                trial.set_user_attr("epochs", epochs)
                trial.set_user_attr("scores", scores)
                trial.set_user_attr("seconds", round(seconds, 2))
                self._keep_limits(trial, seconds, parameters, recipe)
                self._between_folds(trial, fold, scores, folds.k)
            scores = self._decided(opened, results, scores)
            trial.set_user_attr("scores", scores)
        except UserError as error:  # this recipe cannot be trained; the next one may
            trial.set_user_attr("mistake", str(error))
            raise _Failed(str(error)) from error
        finally:
            trial.set_user_attr("wall_seconds", round(time.perf_counter() - started, 2))
        score = _mean(scores)
        if not np.isfinite(score):
            trial.set_user_attr("mistake", f"its score is {score}")
            raise _Failed(f"its score is {score}")
        return score if self.objectives == ("score",) else (score, seconds)

    def _fold(self, trial: Any, opened: OpenedRun, fold: int, options: Options) -> FoldResult:
        after = self._between_epochs(trial) if self.prune == "epochs" and fold == 0 else None
        return train_fold_of(opened, self.competition, fold, options, _Silent(), after)

    def _score(self, opened: OpenedRun, result: FoldResult) -> float:
        """Of a fold's rows that count, apart from the other folds' (`Task.score_apart`): what the pruner compares."""
        if opened.folder.recipe().clusters:
            from harness.cv.clustering.fold_job import fold_score

            return fold_score(opened.folder, result, opened.folds, self.metric)
        targets, outputs = self._scored(opened, result)
        return self.competition.kind.score_apart(self.metric, targets, outputs)

    def _scored(self, opened: OpenedRun, result: FoldResult) -> tuple[np.ndarray, np.ndarray]:
        """Targets and outputs of a fold's rows that count."""
        counts = np.isin(result.valid_index, opened.folds.scored_rows([result.fold]))
        labels = opened.dataset.train.labels
        assert labels is not None
        return labels[self._rows(opened, result)], result.valid_proba[counts]

    def _rows(self, opened: OpenedRun, result: FoldResult) -> np.ndarray:
        """The data set's rows (int64) that a fold is scored on."""
        return result.valid_index[np.isin(result.valid_index, opened.folds.scored_rows([result.fold]))]

    def _decided(self, opened: OpenedRun, results: list[FoldResult], scores: list[float]) -> list[float]:
        """Each fold's score by the decision of the other folds, as the run is scored; the same where the task decides nothing."""
        task, metric = self.competition.kind, self.metric
        decides = task.decides and metric.of_answers
        if not (decides or metric.of_probabilities) or opened.folder.recipe().clusters:
            return scores
        targets, outputs = (
            np.concatenate(parts) for parts in zip(*(self._scored(opened, r) for r in results), strict=True)
        )
        fold = np.concatenate([np.full(len(self._scored(opened, r)[0]), r.fold) for r in results])
        if decides:
            told = task.find_decision(metric, targets, outputs, fold)
        else:
            groups = np.concatenate([opened.folds.groups[self._rows(opened, r)] for r in results])
            told = {"scaling": task.find_scaling(metric, targets, outputs, fold, groups)}
        decided = task.judged_by(metric, outputs, fold, told)
        return [metric(targets[fold == r.fold], decided[fold == r.fold]) for r in results]

    def _between_folds(self, trial: Any, fold: int, scores: list[float], k: int) -> None:
        import optuna

        if self.prune != "folds":
            return
        told = scores[-1] if self.by_fold else _mean(scores)
        if np.isnan(told):
            return  # a pruner would give the trial up for it
        trial.report(told, fold)
        if fold + 1 < k and trial.should_prune():
            raise optuna.TrialPruned

    def _between_epochs(self, trial: Any) -> Callable[[int, float], None]:
        import optuna

        def after_epoch(epoch: int, score: float) -> None:
            trial.set_user_attr("epochs", epoch)
            if np.isnan(score):
                return  # the metric has no value on these rows, which is no merit and no fault of the trial
            trial.report(score, epoch)
            if epoch < self.recipe.train.epochs and trial.should_prune():
                raise optuna.TrialPruned

        return after_epoch

    def _keep_limits(self, trial: Any, seconds: float, parameters: int, recipe: Recipe) -> None:
        import optuna

        excess = self.limits.excess(seconds, parameters, recipe.cv.folds, recipe.train.seeds)
        trial.set_user_attr("constraints", excess)
        if any(value > 0 for value in excess):
            trial.set_user_attr("beyond", True)
            raise optuna.TrialPruned


class _Failed(Exception):
    """A trial that cannot be trained; the study goes on."""


FAILURES = (_Failed,)
"""What ends a trial and not the study."""


class _Silent:
    """A study says one line for a trial, and nothing for its folds."""

    def say(self, text: str) -> None: ...

    def begin(self, stage: str) -> None: ...

    def expect(self, folds: int) -> None: ...

    def progress(self, fold: int, done: int, total: int, epoch: Mapping[str, float] | None = None) -> None: ...

    def waiting(self, what: str) -> AbstractContextManager[None]:
        return nullcontext()


def _mean(scores: list[float]) -> float:
    """Over the folds on which the metric has a value, as a run's mean; NaN where it has none on any (an AUC of one class)."""
    known = [score for score in scores if not np.isnan(score)]
    return float(np.mean(known)) if known else float("nan")
