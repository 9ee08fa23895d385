"""What platforms do with a submission: check header, ids and cells, then score. Written anew, nothing of harness is imported."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import metrics


class Refused(Exception):
    """A file that the platform would not take, and why."""


@dataclass(frozen=True)
class Grader:
    """Checks and scores files.

    Attributes
    ----------
    header : of the file
    answers : by id
    read : a row's cells -> what they say (raises Refused)
    score : (answers, what rows say) -> score; NaN where so few rows have none
    place : of the id in the header
    """

    header: tuple[str, ...]
    answers: dict[str, Any]
    read: Callable[[list[str]], Any]
    score: Callable[[list[Any], list[Any]], float]
    place: int = 0

    def __call__(self, path: Path) -> float:
        """The score of a file; raises Refused."""
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        if not rows or tuple(rows[0]) != self.header:
            raise Refused(
                f"header {','.join(rows[0])[:120] if rows else '(none)'}; wanted {','.join(self.header)[:120]}"
            )
        ids = [row[self.place] for row in rows[1:] if len(row) > self.place]
        if len(set(ids)) < len(ids):
            raise Refused(f"id '{next(i for i in ids if ids.count(i) > 1)}' stands there twice")
        missing, surplus = set(self.answers) - set(ids), set(ids) - set(self.answers)
        if missing or surplus:
            raise Refused(
                f"{len(missing)} ids missing (e.g. {min(missing, default='-')}), {len(surplus)} too many (e.g. {min(surplus, default='-')})"
            )
        said = []
        for number, row in enumerate(rows[1:], start=1):
            if len(row) != len(self.header):
                raise Refused(f"row {number} has {len(row)} cells, wanted {len(self.header)}")
            said.append(self.read(row[: self.place] + row[self.place + 1 :]))
        return float(self.score([self.answers[i] for i in ids], said))


def _float(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise Refused(f"'{cell[:60]}' is no number") from None
    if not math.isfinite(value):
        raise Refused(f"'{cell}' is not finite")
    return value


def _probability(cell: str) -> float:
    value = _float(cell)
    if not -1e-6 <= value <= 1 + 1e-6:
        raise Refused(f"'{cell}' is no probability")
    return value


def one_class(header: Sequence[str], answers: dict[str, str], names: Sequence[Any], metric: str) -> Grader:
    """One name in a cell; answers are names."""
    known = {str(name) for name in names}

    def read(cells: list[str]) -> str:
        if cells[0] not in known:
            raise Refused(f"'{cells[0][:60]}' is no class; there are {', '.join(sorted(known)[:5])}, ...")
        return cells[0]

    scores: dict[str, Callable[[list[str], list[str]], float]] = {
        "accuracy": metrics.accuracy_score,
        "error": lambda y, p: 1 - metrics.accuracy_score(y, p),
        "macro F1": lambda y, p: metrics.f1_score(y, p, average="macro", zero_division=0),
        "micro F1": lambda y, p: metrics.f1_score(y, p, average="micro", zero_division=0),
        "balanced accuracy": lambda y, p: float(
            np.mean([np.mean([b == a for a, b in zip(y, p, strict=True) if a == c]) for c in set(y)])
        ),
        "quadratic kappa": lambda y, p: metrics.cohen_kappa_score(
            list(map(int, y)), list(map(int, p)), labels=sorted(map(int, known)), weights="quadratic"
        ),
    }
    return Grader(tuple(header), {k: str(v) for k, v in answers.items()}, read, scores[metric])


def one_probability(header: Sequence[str], answers: dict[str, int], metric: str) -> Grader:
    """One probability of the positive class; answers are 0 or 1."""

    def auc(y: list[int], p: list[float]) -> float:
        return metrics.roc_auc_score(y, p) if len(set(y)) == 2 else math.nan

    def above_80(y: list[int], p: list[float]) -> float:
        """Area between the ROC curve and a true-positive rate of 0.8, by turning both axes around (1 - rates)."""
        if len(set(y)) < 2:
            return math.nan
        turned = [1 - v for v in y]
        partial = metrics.roc_auc_score(turned, [-v for v in p], max_fpr=0.2)
        return 0.5 * 0.2**2 + (0.2 - 0.5 * 0.2**2) / 0.5 * (partial - 0.5)

    def weighted_auc(y: list[int], p: list[float]) -> float:
        """The ROC curve below a true-positive rate of 0.4 counts twice (steganalysis)."""
        if len(set(y)) < 2:
            return math.nan
        fpr, tpr, _ = metrics.roc_curve(y, p)
        parts = []
        for low, high, weight in ((0.0, 0.4, 2), (0.4, 1.0, 1)):
            clipped = np.clip(tpr, low, high) - low
            parts.append(weight * float(np.trapezoid(clipped, fpr)))
        return sum(parts) / (2 * 0.4 + 0.6)

    def log_loss(y: list[int], p: list[float]) -> float:
        return metrics.log_loss(y, np.clip(p, 1e-15, 1 - 1e-15), labels=[0, 1])

    def soft_f1(y: list[int], p: list[float]) -> float:
        hits = sum(a * b for a, b in zip(y, p, strict=True))
        return 2 * hits / (sum(y) + sum(p)) if hits else 0.0

    by_name = {"AUC": auc, "partial AUC": above_80, "weighted AUC": weighted_auc, "log loss": log_loss}
    by_name |= {
        "probabilistic F1": soft_f1,
        "accuracy": lambda y, p: float(np.mean((np.array(p) >= 0.5) == np.array(y))),
    }
    return Grader(tuple(header), answers, lambda cells: _probability(cells[0]), by_name[metric])


def class_columns(header: Sequence[str], answers: dict[str, str]) -> Grader:
    """A probability for each class, rows scaled to sum to one; log loss. answers are names of the header."""
    place = {name: number for number, name in enumerate(header[1:])}

    def read(cells: list[str]) -> np.ndarray:
        row = np.array([_probability(cell) for cell in cells])
        if row.sum() <= 0:
            raise Refused("a row's probabilities sum to nothing")
        return row / row.sum()

    def score(truth: list[str], said: list[np.ndarray]) -> float:
        rows = np.clip(np.array(said), 1e-15, 1 - 1e-15)
        return float(-np.mean(np.log(rows[np.arange(len(truth)), [place[t] for t in truth]])))

    return Grader(tuple(header), answers, read, score)


def label_columns(header: Sequence[str], answers: dict[str, Sequence[int]]) -> Grader:
    """A probability for each label; mean over columns of the AUC. answers are 0 or 1 for each column."""

    def score(truth: list[Sequence[int]], said: list[list[float]]) -> float:
        y, p = np.array(truth), np.array(said)
        columns = [c for c in range(y.shape[1]) if 0 < y[:, c].sum() < len(y)]
        return float(np.mean([metrics.roc_auc_score(y[:, c], p[:, c]) for c in columns])) if columns else math.nan

    return Grader(tuple(header), answers, lambda cells: [_probability(cell) for cell in cells], score)


def label_sets(
    header: Sequence[str], answers: dict[str, Sequence[Any]], names: Sequence[Any], average: str, beta: float = 1.0
) -> Grader:
    """Names with blanks between in a cell; F-beta, micro, macro or by row ('samples')."""
    known = {str(name): number for number, name in enumerate(names)}

    def read(cells: list[str]) -> set[str]:
        found = cells[0].split(" ") if cells[0] else []
        for name in found:
            if name not in known:
                raise Refused(f"'{name[:60]}' is no label")
        if len(set(found)) < len(found):
            raise Refused(f"'{cells[0][:60]}' names a label twice")
        return set(found)

    def score(truth: list[set[str]], said: list[set[str]]) -> float:
        y, p = (np.array([[name in row for name in known] for row in rows], dtype=int) for rows in (truth, said))
        return metrics.fbeta_score(y, p, beta=beta, average=average, zero_division=0)

    return Grader(tuple(header), {k: {str(v) for v in values} for k, values in answers.items()}, read, score)


def ranked(header: Sequence[str], answers: dict[str, str], names: Sequence[Any], k: int) -> Grader:
    """Up to k names with blanks between, likeliest first; MAP@k."""
    known = {str(name) for name in names}

    def read(cells: list[str]) -> list[str]:
        found = cells[0].split()
        wrong = next((name for name in found if name not in known), None)
        if wrong is not None or not found:
            raise Refused(f"'{cells[0][:60]}' holds what is no name")
        if len(found) > k:
            raise Refused(f"{len(found)} names in a cell, at most {k} are taken")
        return found

    def score(truth: list[str], said: list[list[str]]) -> float:
        return float(np.mean([1 / (row.index(t) + 1) if t in row else 0 for t, row in zip(truth, said, strict=True)]))

    return Grader(tuple(header), answers, read, score)


def numbers(
    header: Sequence[str], answers: dict[str, Sequence[float]], low: float = -math.inf, high: float = math.inf
) -> Grader:
    """Numbers; RMSE over all cells."""

    def read(cells: list[str]) -> list[float]:
        values = [_float(cell) for cell in cells]
        if any(not low <= value <= high for value in values):
            raise Refused(f"{max(values)} or {min(values)} is not within {low} and {high}")
        return values

    def score(truth: list[Sequence[float]], said: list[Sequence[float]]) -> float:
        return float(np.sqrt(np.mean((np.array(truth) - np.array(said)) ** 2)))

    return Grader(tuple(header), answers, read, score)


def with_confidence(header: Sequence[str], answers: dict[str, str]) -> Grader:
    """'name confidence' in a cell, or an empty one; micro average precision over all rows (GAP)."""

    def read(cells: list[str]) -> tuple[str, float]:
        parts = cells[0].split()
        if len(parts) not in (0, 2):
            raise Refused(f"'{cells[0][:60]}' is no name with its confidence")
        return (parts[0], _probability(parts[1])) if parts else ("", 0.0)

    def score(truth: list[str], said: list[tuple[str, float]]) -> float:
        order = sorted(range(len(said)), key=lambda row: -said[row][1])
        hits, total = 0, 0.0
        for seen, row in enumerate(order, start=1):
            hit = said[row][0] == truth[row]
            hits += hit
            total += hits / seen if hit else 0.0
        return total / max(len(truth), 1)

    return Grader(tuple(header), answers, read, score)
