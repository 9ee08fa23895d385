"""Scores of a run: per fold, their mean and spread, and pooled over all OOF rows with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.python import registered
from harness.competition import Competition
from harness.competition.metrics import Metric, custom_metric, intervals
from harness.competition.scoring.registry import find_metric
from harness.competition.scoring.spec import parsed
from harness.competition.tasks import Task
from harness.competition.tasks.threshold import cross_fitted
from harness.runs import Folds
from harness.runs.probability_tables import rows_of_table


def competition_metrics(competition: Competition) -> list[Metric]:
    """The leaderboard's metric first, then the others."""
    names = dict.fromkeys((competition.metric, *competition.also))
    return [_metric(competition, name) for name in names]


def score_run(
    competition: Competition, labels: np.ndarray, oof: np.ndarray, folds: Folds, trained: list[int]
) -> dict[str, Any]:
    """All metrics of a run.

    Metrics of answers are of the task's decision, where it has one (thresholds of labels, cuts between grades): each fold's answers by
    what the other folds found. Where the leaderboard judges probabilities (log loss, Brier), so are such metrics of scaled ones.

    Parameters
    ----------
    labels : int64 (n,), or float32 (n, K) (see `harness.competition.tasks`)
    oof : float32 (n, C); rows of untrained folds are not looked at
    trained : folds that were trained

    Returns
    -------
    {"metric": name, "complete": bool, "folds": [{"fold", "n", <metric>...}], "metrics": {<metric>: {"mean", "std"
    over folds, "pooled", "low", "high" of the 95 % interval, "greater_is_better"}}; a fold's value is None where it is not
    defined there (an AUC without one of the classes). "threshold": see
    `cross_fitted`; "decision": see `Task.find_decision` and, as its "scaling", `Task.find_scaling`, or None; "excluded": {"n", <metric>: its
    value on the rows that verdicts exclude}}
    """
    metrics, task = competition_metrics(competition), competition.kind
    rows = folds.scored_rows(trained)
    outputs, fold = rows_of_table(oof, rows), folds.fold[rows]
    judged = _Judged.of(task, metrics, labels[rows], outputs, fold, folds.groups[rows])
    per_fold = [_score_fold(metrics, labels, oof, folds, number, fold == number, judged) for number in trained]
    scorers = [m.prepare(labels[rows], judged.outputs_for(m)) for m in metrics]
    found = intervals(scorers, folds.groups[rows], metrics)
    two = task.is_one_class and not task.decides
    return {
        "metric": metrics[0].name,
        "complete": len(trained) == folds.k,
        "folds": per_fold,
        "metrics": {
            metric.name: {
                **_over_folds(metric, per_fold),
                "pooled": _defined(metric, scorer(None)),
                "low": low,
                "high": high,
            }
            for metric, scorer, (low, high) in zip(metrics, scorers, found, strict=True)
        },
        "threshold": cross_fitted(metrics, labels[rows], outputs, fold, folds.groups[rows]) if two else None,
        "decision": judged.told,
        "excluded": _score_excluded(metrics, labels, oof, folds, trained, judged),
    }


def _score_fold(
    metrics: list[Metric],
    labels: np.ndarray,
    oof: np.ndarray,
    folds: Folds,
    number: int,
    valid: np.ndarray,
    judged: _Judged,
) -> dict[str, Any]:
    """{"fold", "n", <metric>: its value, None where it is not defined}; valid : bool, which of the judged rows are the fold's."""
    rows = folds.scored_rows([number])
    as_they_are = rows_of_table(oof, rows)  # of a large table no copy
    found: dict[str, Any] = {"fold": number, "n": int(valid.sum())}
    for metric in metrics:
        value = metric(labels[rows], judged.outputs_for(metric)[valid] if judged.moves(metric) else as_they_are)
        if is_custom(metric.name) and not np.isfinite(value):
            raise UserError(f"fold {number}: metric '{metric.name}' is {value}; correct score in competition.py")
        found[metric.name] = float(value) if np.isfinite(value) else None  # an AUC of one class
    return found


@dataclass(frozen=True)
class _Judged:
    """Outputs as metrics judge them: as they are, or as the task's decision moves them.

    Attributes
    ----------
    plain, decided, scaled : float (n, K), as they are, and as metrics of answers and of probabilities have them; the same where
        nothing is decided or scaled
    told : what scores.json says of the decision, or None
    """

    task: Task
    plain: np.ndarray
    decided: np.ndarray
    scaled: np.ndarray
    told: dict[str, Any] | None

    @classmethod
    def of(
        cls,
        task: Task,
        metrics: list[Metric],
        targets: np.ndarray,
        outputs: np.ndarray,
        fold: np.ndarray,
        groups: np.ndarray,
    ) -> _Judged:
        asking = next((m for m in metrics if m.of_answers), None) if task.decides else None
        told = task.find_decision(asking, targets, outputs, fold) if asking else {}
        scaling = task.find_scaling(metrics[0], targets, outputs, fold, groups)
        told |= {"scaling": scaling} if scaling else {}
        decided = task.judged_by(asking, outputs, fold, told) if asking else outputs
        return cls(
            task,
            outputs,
            decided,
            task.judged_by(metrics[0], outputs, fold, told) if scaling else outputs,
            told or None,
        )

    def outputs_for(self, metric: Metric) -> np.ndarray:
        """What a metric judges."""
        return self.decided if metric.of_answers else self.scaled if metric.of_probabilities else self.plain

    def moves(self, metric: Metric) -> bool:
        """Whether a metric judges other outputs than the models gave."""
        return self.outputs_for(metric) is not self.plain


def _score_excluded(
    metrics: list[Metric], labels: np.ndarray, oof: np.ndarray, folds: Folds, trained: list[int], judged: _Judged
) -> dict[str, Any]:
    """Scores of the rows that no model was trained on and no score is taken from; None where one is not defined."""
    rows = np.flatnonzero(np.isin(folds.fold, trained) & ~folds.kept)
    if not len(rows):
        return {"n": 0}
    outputs = rows_of_table(oof, rows)
    values = {m.name: m(labels[rows], judged.task.decided_by(m, outputs, judged.told)) for m in metrics}
    return {"n": len(rows), **{name: value if np.isfinite(value) else None for name, value in values.items()}}


def _defined(metric: Metric, value: float) -> float:
    """The pooled score, which must be one.

    Raises
    ------
    UserError
        If it is not: an AUC where only one class was predicted on.
    """
    if not np.isfinite(value):
        raise UserError(
            f"metric '{metric.name}' is not defined on these rows: they are all of one class. Train more folds (leave out --folds), or put "
            "another metric into competition.toml"
        )
    return value


def _over_folds(metric: Metric, per_fold: list[dict[str, Any]]) -> dict[str, Any]:
    values = [line[metric.name] for line in per_fold if line[metric.name] is not None]
    return {
        "mean": float(np.mean(values)) if values else None,
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "greater_is_better": metric.greater_is_better,
    }


def _metric(competition: Competition, text: str) -> Metric:
    if not is_custom(text):
        return competition.kind.metric(find_metric(text, competition.kind.of))
    _, told = parsed(text)
    if own := registered.find("metric", str(told.get("label", ""))):
        return custom_metric(own.value, text, own.greater_is_better)
    score = competition.hook("score")
    if score is None:
        where = competition.folder / "competition.py"
        or_else = f", or harness.register.metric('{told['label']}', ...)" if "label" in told else ""
        raise UserError(f"metric = 'custom' needs score(labels, proba) in {where}{or_else}")
    return custom_metric(score, text, told.get("greater_is_better", True))


def is_custom(text: str) -> bool:
    """Whether a metric is the competition's own `score`."""
    return parsed(text)[0] == "custom"
