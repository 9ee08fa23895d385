"""Where a run of several labels is wrong: by label, by label beside label, by confidence, by group; a mistake is a row and a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.clean.label_errors import suspected_rows
from harness.competition.scoring.auc import auc_parts
from harness.competition.scoring.calibration import bins, ece_of
from harness.competition.scoring.ranking import average_precision_parts
from harness.oof.errors.resampling import Interval, group_sums, hardest_groups, intervals_of
from harness.runs import Run

_PAIRS = 40

Bins = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Mean probability, share of the rows that have the label, rows; of each bin of probabilities that has rows."""


@dataclass(frozen=True)
class LabelScores:
    """How well a label is found; intervals are bootstraps over groups, those of AP and AUC to first order.

    Attributes
    ----------
    rows : that have it; threshold : from which on it is given, found on all rows (each fold is judged by what the others found)
    bins, ece : its calibration
    """

    rows: int
    precision: Interval
    recall: Interval
    f1: Interval
    average_precision: Interval
    auc: Interval
    threshold: float
    bins: Bins
    ece: float


@dataclass(frozen=True)
class LabelErrors:
    """Everything that `find_label_errors` says.

    Attributes
    ----------
    rows : int64 (m,), rows of the run that were judged
    truth, said : bool (m, T), of these; outputs : float32 (m, T)
    labels : by name
    bins : of all labels together
    wrong : (place in rows, label) int64 (w, 2) of the mistakes, the surest first
    suspected : the same of the labels that are doubted (confident learning, Northcutt and others 2021, each label for itself)
    instead : (missed label, label given without being there, rows) of the commonest, commonest first
    together : (label, label, rows that have both, rows given both), those first that differ most
    furthest : places in rows, the largest log loss first
    groups : (number of the group, rows, wrong labels)
    """

    rows: np.ndarray
    truth: np.ndarray
    said: np.ndarray
    outputs: np.ndarray
    labels: dict[str, LabelScores]
    bins: Bins
    wrong: np.ndarray
    suspected: np.ndarray
    instead: list[tuple[int, int, int]]
    together: list[tuple[int, int, int, int]]
    furthest: np.ndarray
    groups: list[tuple[int, int, float]]

    @property
    def instead_matrix(self) -> np.ndarray:
        """Rows (T, T) of which the first label is missed and the second given without being there."""
        missed, added = self.truth & ~self.said, self.said & ~self.truth
        return missed.T.astype(np.float32) @ added.astype(np.float32)


def find_label_errors(run: Run, rows: np.ndarray) -> LabelErrors:
    """Judge these rows (int64) by the answers that the decision of the other folds gives."""
    truth, outputs, groups = run.labels[rows] >= 0.5, run.oof[rows], run.folds.groups[rows]
    decision = run.scores.get("decision")
    said = run.task.judged(outputs, run.folds.fold[rows], decision) >= 0.5
    wrong, away = truth != said, np.abs(truth - outputs)
    cells = np.argwhere(wrong)
    instead, together = _beside(truth, said)
    loss = -np.log(np.clip(1 - away, 1e-7, 1.0)).sum(axis=1)
    return LabelErrors(
        rows=rows,
        truth=truth,
        said=said,
        outputs=outputs,
        labels=_by_label(run.classes, truth, said, outputs, groups, decision),
        bins=bins(outputs.ravel(), truth.ravel()),
        wrong=cells[np.argsort(-away[wrong], kind="stable")],
        suspected=_suspected(truth, outputs),
        instead=instead,
        together=together,
        furthest=np.argsort(-loss, kind="stable"),
        groups=hardest_groups(groups, wrong.sum(axis=1)),
    )


def _by_label(
    names: list[str],
    truth: np.ndarray,
    said: np.ndarray,
    outputs: np.ndarray,
    groups: np.ndarray,
    decision: dict[str, Any] | None,
) -> dict[str, LabelScores]:
    n_labels = len(names)
    counts = group_sums(groups, np.hstack([truth & said, truth, said]))
    hits, has, given = counts[:, :n_labels], counts[:, n_labels : 2 * n_labels], counts[:, 2 * n_labels :]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [intervals_of(values) for values in (hits / given, hits / has, 2 * hits / (has + given))]
    ranked = [_ranked(truth, outputs, groups, parts) for parts in (average_precision_parts, auc_parts)]
    thresholds = decision["values"] if decision and "values" in decision else [0.5] * n_labels
    found = {}
    for number, name in enumerate(names):
        of_label = bins(outputs[:, number], truth[:, number])
        precision, recall, f1, area, auc = (values[number] for values in (*shares, *ranked))
        rows, threshold = int(has[0, number]), float(thresholds[number])
        found[name] = LabelScores(rows, precision, recall, f1, area, auc, threshold, of_label, ece_of(*of_label))
    return found


def _ranked(truth: np.ndarray, outputs: np.ndarray, groups: np.ndarray, parts_of: Any) -> list[Interval]:
    """A metric of each label's order, with its interval by each row's influence."""
    values, influence = np.full(truth.shape[1], np.nan), np.zeros(truth.shape)
    for label in range(truth.shape[1]):
        values[label], parts = parts_of(truth[:, label], outputs[:, label].astype(np.float64))
        if parts is not None:
            influence[:, label] = parts
    sums = group_sums(groups, influence)
    drawn = np.clip(values + sums - influence.sum(axis=0), 0, 1)
    drawn[0] = values
    return intervals_of(drawn)


def _suspected(truth: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """(place, label) int64 (s, 2), the least likely labels first."""
    everywhere = np.arange(len(truth))
    found = [np.zeros((0, 2), dtype=np.int64)]
    for label in range(truth.shape[1]):
        p = outputs[:, label].astype(np.float64)
        places = suspected_rows(truth[:, label].astype(np.int64), np.column_stack([1 - p, p]), everywhere)
        found.append(np.column_stack([places, np.full(len(places), label)]).astype(np.int64))
    cells = np.vstack(found)
    own = 1 - np.abs(truth[tuple(cells.T)] - outputs[tuple(cells.T)])
    return cells[np.argsort(own, kind="stable")]


def _beside(truth: np.ndarray, said: np.ndarray) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int, int]]]:
    """Labels that are given instead of others, and pairs that are given together too often or too seldom."""
    n = truth.shape[1]
    missed, added = (truth & ~said).astype(np.float32), (said & ~truth).astype(np.float32)
    instead = (missed.T @ added).round().astype(np.int64)
    there, given = ((t.T @ t).round().astype(np.int64) for t in (truth.astype(np.float32), said.astype(np.float32)))
    apart = np.triu(np.abs(there - given), 1)
    first, second = np.unravel_index(np.argsort(-instead, axis=None, kind="stable")[:_PAIRS], (n, n))
    one, other = np.unravel_index(np.argsort(-apart, axis=None, kind="stable")[:_PAIRS], (n, n))
    swapped = [(int(a), int(b), int(instead[a, b])) for a, b in zip(first, second, strict=True) if instead[a, b]]
    paired = [
        (int(a), int(b), int(there[a, b]), int(given[a, b])) for a, b in zip(one, other, strict=True) if apart[a, b]
    ]
    return swapped, paired
