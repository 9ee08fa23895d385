"""Scores of a run: per fold, their mean and spread, and pooled over all OOF rows with an interval."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.competition import Competition
from harness.competition.metrics import METRICS, Metric, custom_metric, intervals
from harness.competition.threshold import cross_fitted
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

    Parameters
    ----------
    labels : int64 (n,)
    oof : float32 (n, C); rows of untrained folds are not looked at
    trained : folds that were trained

    Returns
    -------
    {"metric": name, "complete": bool, "folds": [{"fold", "n", <metric>...}], "metrics": {<metric>: {"mean", "std"
    over folds, "pooled", "low", "high" of the 95 % interval, "greater_is_better"}}; a fold's value is None where it is not
    defined there (an AUC without one of the classes). "threshold": see
    `cross_fitted`, "excluded": {"n", <metric>: its value on the rows that verdicts exclude}}
    """
    metrics = competition_metrics(competition)
    rows = folds.scored_rows(trained)
    per_fold = []
    for fold in trained:
        valid = folds.scored_rows([fold])
        values = {m.name: m(labels[valid], rows_of_table(oof, valid)) for m in metrics}
        for name, value in values.items():
            if name == "custom" and not np.isfinite(value):
                raise UserError(f"fold {fold}: metric '{name}' is {value}; correct score in competition.py")
        known = {
            name: float(value) if np.isfinite(value) else None for name, value in values.items()
        }  # an AUC of one class
        per_fold.append({"fold": fold, "n": len(valid), **known})
    scorers = [m.prepare(labels[rows], rows_of_table(oof, rows)) for m in metrics]
    found = intervals(scorers, folds.groups[rows])
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
        "threshold": cross_fitted(
            metrics, labels[rows], rows_of_table(oof, rows), folds.fold[rows], folds.groups[rows]
        ),
        "excluded": _score_excluded(metrics, labels, oof, folds, trained),
    }


def _score_excluded(
    metrics: list[Metric], labels: np.ndarray, oof: np.ndarray, folds: Folds, trained: list[int]
) -> dict[str, Any]:
    """Scores of the rows that no model was trained on and no score is taken from; None where one is not defined."""
    rows = np.flatnonzero(np.isin(folds.fold, trained) & ~folds.kept)
    if not len(rows):
        return {"n": 0}
    values = {m.name: m(labels[rows], rows_of_table(oof, rows)) for m in metrics}
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


def _metric(competition: Competition, name: str) -> Metric:
    if name in METRICS:
        return METRICS[name]
    score = competition.hook("score")
    if score is None:
        raise UserError(f"metric = 'custom' needs score(labels, proba) in {competition.folder / 'competition.py'}")
    return custom_metric(score)
