"""Scores of a clustering run: a network against the pseudo-labels, the clusters by themselves and against a truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.clustering.matching import match
from harness.clustering.quality import TRUTH_METRICS, against_truth, agreement, balance
from harness.competition import Competition, Recipe
from harness.competition.metrics import group_weights
from harness.cv.clustering.fold_job import load_clusters
from harness.cv.scores import score_run
from harness.runs import FoldResult, Folds, RunFolder

_RESAMPLES = 300


class Pooled:
    """Folds' results under one numbering of the clusters: fold by fold the numbers that fit the first fold's best.

    Attributes
    ----------
    labels : int64 (n,), the pseudo-label of every row by the fold that does not know it; -1 where that was not trained
    oof : float32 (n, k); NaN where not trained; tests : float32 (n_test, k) of each fold
    all_labels : int64 (n,) of each fold: what it says of every row
    parts : what clusters/fold-K.npz holds of each fold
    """

    def __init__(self, folder: RunFolder, results: list[FoldResult], n: int, k: int) -> None:
        self.parts = [load_clusters(folder, result.fold) for result in results]
        raw = [part["labels"].astype(np.int64) for part in self.parts]
        numbers = [match(labels, raw[0], k) for labels in raw]
        self.all_labels = [number[labels] for number, labels in zip(numbers, raw, strict=True)]
        self.labels = np.full(n, -1, dtype=np.int64)
        self.oof = np.full((n, k), np.nan, dtype=np.float32)
        self.silhouette = np.full(n, np.nan, dtype=np.float32)
        self.tests = []
        for result, part, number, labels in zip(results, self.parts, numbers, self.all_labels, strict=True):
            rows = result.valid_index
            self.labels[rows] = labels[rows]
            self.oof[rows] = _renumbered(result.valid_proba, number)
            self.tests.append(_renumbered(result.test_proba, number))
            if "silhouette" in part:
                self.silhouette[rows] = part["silhouette"]


def _renumbered(proba: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    out = np.empty_like(proba)
    out[:, numbers] = proba
    return out


def score_clusters(
    competition: Competition, recipe: Recipe, pooled: Pooled, folds: Folds, trained: list[int], truth: np.ndarray | None
) -> dict[str, Any]:
    """As `score_run`, with the metrics of clusters; the main one of a clustering alone is the silhouette.

    Adds "clusters": {"k", "leaky", "sizes", "balance", "stability_folds", "stability_seeds", "davies_bouldin",
    "calinski_harabasz"}. Intervals are a bootstrap over groups; that of the silhouette takes each row's value as it is.
    """
    rows, k = folds.scored_rows(trained), pooled.oof.shape[1]
    named = competition.model_copy(update={"classes": tuple(map(str, range(k)))})
    scores = score_run(named, np.where(pooled.labels < 0, 0, pooled.labels), pooled.oof, folds, trained)
    scores["threshold"] = None  # clusters have no positive class
    own = recipe.model.name == "kmeans"
    if own:
        scores["metrics"], scores["metric"] = {}, "silhouette"
        scores["folds"] = [{"fold": line["fold"], "n": line["n"]} for line in scores["folds"]]
    if np.isfinite(pooled.silhouette[rows]).any():
        add_metric(scores, "silhouette", _silhouettes(pooled, folds, trained))
    if truth is not None:
        said = pooled.oof.argmax(axis=1)
        for name, found in _truth_scores(truth, said, folds, trained).items():
            add_metric(scores, name, found)
    labels = pooled.labels[rows]
    assert recipe.clusters is not None

    def mean_of(name: str) -> float | None:
        values = [float(part[name]) for part in pooled.parts if name in part]
        return float(np.mean(values)) if values and np.isfinite(values).all() else None

    scores["clusters"] = {
        "k": k,
        "leaky": recipe.clusters.leaky,
        "sizes": np.bincount(labels, minlength=k).tolist(),
        "balance": balance(labels, k),
        "stability_folds": agreement(pooled.all_labels),
        "stability_seeds": mean_of("stability"),
        "davies_bouldin": mean_of("davies_bouldin"),
        "calinski_harabasz": mean_of("calinski_harabasz"),
    }
    return scores


def add_metric(scores: dict[str, Any], name: str, found: dict[str, Any]) -> None:
    """Put a `summary` into scores.json's metrics and folds."""
    scores["metrics"][name] = {key: found[key] for key in ("mean", "std", "pooled", "low", "high", "greater_is_better")}
    for line, value in zip(scores["folds"], found["folds"], strict=True):
        line[name] = value


def _silhouettes(pooled: Pooled, folds: Folds, trained: list[int]) -> dict[str, Any]:
    rows = folds.scored_rows(trained)
    rows = rows[np.isfinite(pooled.silhouette[rows])]
    values, per_fold = pooled.silhouette[rows].astype(np.float64), []
    for fold in trained:
        of_fold = pooled.silhouette[folds.scored_rows([fold])]
        of_fold = of_fold[np.isfinite(of_fold)]
        per_fold.append(float(of_fold.mean()) if len(of_fold) else None)
    drawn = [np.average(values, weights=w) for w in group_weights(folds.groups[rows], _RESAMPLES) if w.any()]
    return summary(float(values.mean()), drawn, per_fold)


def _truth_scores(truth: np.ndarray, said: np.ndarray, folds: Folds, trained: list[int]) -> dict[str, dict[str, Any]]:
    rows = folds.scored_rows(trained)
    per_fold = [against_truth(truth[r], said[r]) for r in (folds.scored_rows([fold]) for fold in trained)]
    whole = against_truth(truth[rows], said[rows])
    drawn = []
    for weights in group_weights(folds.groups[rows], _RESAMPLES):
        again = np.repeat(rows, weights.astype(np.int64))
        drawn.append(against_truth(truth[again], said[again]))
    return {name: summary(whole[name], [d[name] for d in drawn], [f[name] for f in per_fold]) for name in TRUTH_METRICS}


def summary(pooled: float, drawn: list[float], per_fold: list[float | None]) -> dict[str, Any]:
    """A metric as scores.json has it, and its value in each fold under "folds"; drawn : in bootstrap resamples."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    known = [value for value in per_fold if value is not None]
    return {
        "mean": float(np.mean(known)),
        "std": float(np.std(known, ddof=1)) if len(known) > 1 else None,
        "pooled": pooled,
        "low": float(low),
        "high": float(high),
        "greater_is_better": True,
        "folds": per_fold,
    }
