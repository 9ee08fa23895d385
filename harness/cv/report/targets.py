"""Of a run's page: what it gets right and wrong where a row has several labels, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.competition.scoring.answers import LabelCounts, ratio
from harness.competition.scoring.auc import BinaryAuc
from harness.competition.scoring.registry import LABELS
from harness.competition.tasks import Task
from harness.data.cache import Dataset
from harness.report.gallery import Shot, top_bars
from harness.report.page import Page

_GALLERY = 24


def targets_sections(
    page: Page,
    task: Task,
    dataset: Dataset,
    oof: np.ndarray,
    rows: np.ndarray,
    fold: np.ndarray,
    test: np.ndarray,
    names: Sequence[str],
    decision: dict[str, Any] | None,
) -> None:
    """A table of the labels or numbers, and the rows that are furthest off.

    oof : float (n, K); rows : int64, those that are scored; fold : int8 (n,); decision : as scores.json has it
    """
    assert dataset.train.labels is not None  # training rows always have labels
    targets, outputs = dataset.train.labels[rows], np.asarray(oof[rows], dtype=np.float64)
    targets_table(page, task, targets, outputs, test, names, decision)
    if task.of == LABELS:
        wrong = -(targets * np.log(outputs + 1e-7) + (1 - targets) * np.log(1 - outputs + 1e-7)).sum(axis=1)
    else:
        spread = targets.std(axis=0)
        wrong = (((outputs - targets) / np.where(spread > 0, spread, 1)) ** 2).mean(axis=1)
    answers = (
        outputs
        if task.of != LABELS or not (decision and "values" in decision)
        else task.decide(outputs, decision["values"])
    )
    worst = np.argsort(-wrong, kind="stable")[:_GALLERY]
    shots = []
    for i in worst:
        row_id, is_labels = str(dataset.train.ids[rows[i]]), task.of == LABELS
        there: list[int] = np.flatnonzero(targets[i] >= 0.5).tolist() if is_labels else []
        shots.append(
            Shot(
                caption=f"{task.describe(targets[i], names)} taken for {task.describe(answers[i], names)}, id {row_id}",
                id=row_id,
                facts={"fold": str(fold[rows[i]])},
                bars=top_bars(names, outputs[i], there[:10]) if is_labels else (),
                own=[names[place] for place in there],
            )
        )
    section = page.section("Furthest off")
    section.text("Look here first for wrong labels and for what the model cannot see.")
    section.gallery(np.asarray(dataset.train.images[rows[worst]]), shots)


def targets_table(
    page: Page,
    task: Task,
    targets: np.ndarray,
    outputs: np.ndarray,
    test: np.ndarray,
    names: Sequence[str],
    decision: dict[str, Any] | None,
) -> None:
    """A section with a line for each label or number.

    targets : float (n, K) of the rows that are scored; outputs : float64 (n, K); test : float (n_test, K), or empty
    """
    if task.of == LABELS:
        page.section("Labels").table(*label_table(targets, outputs, np.asarray(test), names, decision), folded=True)
    else:
        page.section("Numbers").table(*number_table(targets, outputs, names), folded=True)


def label_table(
    targets: np.ndarray, outputs: np.ndarray, test: np.ndarray, names: Sequence[str], decision: dict[str, Any] | None
) -> tuple[list[str], list[list[str]]]:
    """Header and rows: how often each label is there, how well it is found, from which probability on it is given."""
    thresholds = np.asarray(decision["values"] if decision and "values" in decision else [0.5] * len(names))
    counts = LabelCounts(targets, (outputs >= thresholds).astype(np.float32))
    hits, truth, said = counts.per_label(None)
    precision, recall, f1 = ratio(hits, said), ratio(hits, truth), ratio(2 * hits, truth + said)
    shares = (np.asarray(test) >= thresholds).mean(axis=0) if len(test) else None
    header = ["label", "rows", "precision", "recall", "F1", "AUC", "given from", "given, OOF"]
    rows = []
    for i, name in enumerate(names):
        auc = BinaryAuc(targets[:, i] >= 0.5, outputs[:, i])(None)
        line = [name, f"{truth[i]:,.0f}", *(f"{v[i]:.5f}" for v in (precision, recall, f1)), _shown(auc)]
        line += [f"{thresholds[i]:.3f}", f"{100 * said[i] / len(targets):.2f} %"]
        rows.append(line + ([f"{100 * shares[i]:.2f} %"] if shares is not None else []))
    return header + (["given, test"] if shares is not None else []), rows


def number_table(targets: np.ndarray, outputs: np.ndarray, names: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: mean and spread of each number, and how far predictions are off."""
    off = outputs - targets
    spread = targets.var(axis=0)
    r2 = 1 - np.divide((off**2).mean(axis=0), spread, out=np.full(len(spread), np.nan), where=spread > 0)
    rows = [
        [name, *(f"{v[i]:.5g}" for v in (targets.mean(axis=0), targets.std(axis=0), np.sqrt((off**2).mean(axis=0)))),
         f"{np.abs(off[:, i]).mean():.5g}", _shown(r2[i])]
        for i, name in enumerate(names)
    ]  # fmt: skip
    return ["number", "mean", "std", "RMSE", "MAE", "R2"], rows


def _shown(value: float) -> str:
    return f"{value:.5f}" if np.isfinite(value) else "-"
