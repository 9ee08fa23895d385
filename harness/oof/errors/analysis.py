"""Where a run is wrong: by class, by confidence, by group, and which labels it doubts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.clean.label_errors import suspected_rows
from harness.competition.metrics import argmax_rows, confused_pairs, group_weights, row_pieces, tally
from harness.competition.scoring.calibration import bins, ece_of
from harness.competition.scoring.temperature import calibrated, fitted_temperature
from harness.oof.errors.resampling import RESAMPLES, Interval, hardest_groups
from harness.runs import Run

_PAIRS = 40


@dataclass(frozen=True)
class Reliability:
    """How far the probabilities can be believed.

    Attributes
    ----------
    confidence, accuracy : float (b,), of the rows of each bin of the largest probability; rows : int (b,)
    ece : expected calibration error, mean |confidence - accuracy| weighted by rows (Naeini and others 2015), 15 bins
    brier : mean squared distance of probabilities and truth over all classes, in [0, 2]
    temperature : that would fit them to the labels; above 1 they are too sure
    ece_after : with it, cross-fitted by fold; NaN where only one fold was trained
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    rows: np.ndarray
    ece: float
    brier: float
    temperature: float
    ece_after: float


@dataclass(frozen=True)
class Errors:
    """Everything that `find_errors` says; rows are numbers of the run's rows (int64 arrays), the first the worst.

    Attributes
    ----------
    rows : rows that were judged; labels, predicted : int64 (n,) of all rows; proba : float (n, C)
    confused : (true class, predicted class, rows) of the commonest mistakes, commonest first
    classes : {class: {"precision" | "recall" | "f1": Interval}}, and "rows"
    mistakes : wrong, by the probability of what was said; unsure : right, by the distance to the second class
    suspected : rows whose given label the model doubts most (confident learning, Northcutt and others 2021)
    groups : (number of the group, rows, wrong rows), groups of two rows and more with mistakes
    """

    rows: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    proba: np.ndarray
    confused: list[tuple[int, int, int]]
    classes: dict[str, dict[str, Any]]
    reliability: Reliability
    mistakes: np.ndarray
    unsure: np.ndarray
    suspected: np.ndarray
    groups: list[tuple[int, int, float]]

    def summary(self) -> dict[str, Any]:
        """How many rows are wrong or doubted, and how far the probabilities can be trusted."""
        counts = {"wrong": len(self.mistakes), "rows": len(self.rows), "suspected": len(self.suspected)}
        return {**counts, "ece": self.reliability.ece, "brier": self.reliability.brier}


def judged_rows(run: Run) -> np.ndarray:
    """Rows (int64) that the run's score is of.

    Raises
    ------
    UserError
        If no row was predicted.
    """
    rows = np.flatnonzero(run.folds.kept & ~np.isnan(run.oof[:, 0]))
    if not len(rows):
        raise UserError(f"run '{run.name}': no row was predicted. Repeat the run.")
    return rows


def _answers(run: Run, rows: np.ndarray) -> np.ndarray:
    """Class of each of some rows: the likeliest, or the grade by the decision that the other folds have."""
    if not run.task.decides:
        return argmax_rows(run.oof, rows)
    return argmax_rows(run.task.judged(run.oof[rows], run.folds.fold[rows], run.scores.get("decision")))


def find_errors(run: Run) -> Errors:
    """Judge the rows that the run's score is of (`judged_rows`)."""
    rows = judged_rows(run)
    labels, proba = run.labels, run.oof
    predicted = np.zeros(len(labels), dtype=np.int64)
    predicted[rows] = _answers(run, rows)
    wrong, right = rows[labels[rows] != predicted[rows]], rows[labels[rows] == predicted[rows]]
    n_classes = len(run.classes)
    return Errors(
        rows=rows,
        labels=labels,
        predicted=predicted,
        proba=proba,
        confused=confused_pairs(labels[rows], predicted[rows], n_classes, _PAIRS),
        classes=_by_class(run, rows, predicted),
        reliability=_reliability(labels, proba, rows, run.folds.fold),
        mistakes=wrong[np.argsort(-proba[wrong, predicted[wrong]], kind="stable")],
        unsure=right[np.argsort(_margins(proba, right), kind="stable")],
        suspected=rows[suspected_rows(labels, proba, rows)],
        groups=hardest_groups(run.folds.groups[rows], labels[rows] != predicted[rows]),
    )


def _by_class(run: Run, rows: np.ndarray, predicted: np.ndarray) -> dict[str, dict[str, Any]]:
    labels, n_classes = run.labels[rows], len(run.classes)
    hits, truth, said = (np.empty((RESAMPLES + 1, n_classes), dtype=np.float32) for _ in range(3))
    for number, weights in enumerate((None, *group_weights(run.folds.groups[rows], RESAMPLES))):
        counts = tally(labels, predicted[rows], n_classes, weights)
        hits[number], truth[number], said[number] = counts.hits, counts.truth, counts.said
    with np.errstate(invalid="ignore", divide="ignore"):
        values = {"precision": hits / said, "recall": hits / truth, "f1": 2 * hits / (said + truth)}
    found: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(run.classes):
        found[name] = {"rows": int(truth[0, number])}
        for metric, value in values.items():
            drawn = value[1:, number]
            drawn = drawn[np.isfinite(drawn)]
            low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
            found[name][metric] = Interval(float(value[0, number]), float(low), float(high))
    return found


def _margins(proba: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """float (m,): how far the two largest probabilities of some rows are apart."""
    found = np.empty(len(rows))
    for piece in row_pieces(len(rows), proba.shape[1]):
        two = np.partition(proba[rows[piece]].astype(np.float32), -2, axis=1)
        found[piece] = two[:, -1] - two[:, -2]
    return found


def _reliability(labels: np.ndarray, proba: np.ndarray, rows: np.ndarray, fold: np.ndarray) -> Reliability:
    sure, hit = _most_confident(proba, rows), argmax_rows(proba, rows) == labels[rows]
    numbers, after = np.unique(fold[rows]), None
    if len(numbers) != 1:
        after = np.empty(len(rows))
        for number in numbers:
            mine = fold[rows] == number
            after[mine] = _most_confident(proba, rows[mine], fitted_temperature(proba, labels, rows[~mine]))
    confidence, accuracy, filled = bins(sure, hit)
    return Reliability(
        confidence=confidence,
        accuracy=accuracy,
        rows=filled,
        ece=ece_of(confidence, accuracy, filled),
        brier=_brier(labels, proba, rows),
        temperature=fitted_temperature(proba, labels, rows),
        ece_after=float("nan") if after is None else ece_of(*bins(after, hit)),
    )


def _most_confident(proba: np.ndarray, rows: np.ndarray, temperature: float | None = None) -> np.ndarray:
    """Largest probability of some rows, float (m,); at a temperature, where one is given."""
    found = np.empty(len(rows))
    for piece in row_pieces(len(rows), proba.shape[1]):
        part = proba[rows[piece]]
        found[piece] = (part if temperature is None else calibrated(part, temperature)).max(axis=1)
    return found


def _brier(labels: np.ndarray, proba: np.ndarray, rows: np.ndarray) -> float:
    total = 0.0
    for piece in row_pieces(len(rows), proba.shape[1]):
        part, own = proba[rows[piece]].astype(np.float64), labels[rows[piece]]
        total += float((part**2).sum() - 2 * part[np.arange(len(own)), own].sum() + len(own))
    return total / len(rows)


def errors_table(run: Run, found: Errors) -> Any:
    """All wrong or suspected rows as a pandas table: id, label, predicted, their probabilities, group, fold, why."""
    import pandas as pd

    suspected = np.zeros(len(found.labels), dtype=bool)
    suspected[found.suspected] = True
    wrong = np.zeros(len(found.labels), dtype=bool)
    wrong[found.mistakes] = True
    rows = np.concatenate([found.mistakes, found.suspected[~wrong[found.suspected]]])
    names = np.array(run.classes)
    return pd.DataFrame(
        {
            "id": run.folds.ids[rows],
            "label": names[found.labels[rows]],
            "predicted": names[found.predicted[rows]],
            "proba_predicted": found.proba[rows, found.predicted[rows]],
            "proba_label": found.proba[rows, found.labels[rows]],
            "group": run.folds.groups[rows],
            "fold": run.folds.fold[rows],
            "wrong": wrong[rows],
            "label_suspected": suspected[rows],
        }
    )
