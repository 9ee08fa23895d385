"""What the corruptions look like: a few rows as the suite's models saw them, with what these said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.competition.metrics import argmax_rows
from harness.competition.scoring.registry import LABELS
from harness.cv.noise.suite import Suite
from harness.report.gallery import Shot, top_bars
from harness.runs import Run

ROWS = 3
"""Rows that are shown under every corruption, in every severity."""

_NONE = "none"


def pictured_rows(labels: np.ndarray, is_one_class: bool) -> np.ndarray:
    """Places (int64, three at most) among the suite's rows: the first of so many classes, spread over them; else the first rows.

    labels : (m,) or (m, K), of the suite's rows
    """
    first = np.unique(labels, return_index=True)[1] if is_one_class else np.arange(len(labels))
    return first[np.linspace(0, len(first) - 1, min(ROWS, len(first))).round().astype(np.int64)]


def noise_pictures(run: Run, suite: Suite, images: Any, seed: int) -> tuple[list[np.ndarray], list[Shot]]:
    """Each pictured row as it is and under every corruption, uint8 (H, W, C), and what its fold's model said of it.

    images : of the training rows, at the size that the suite corrupted them in; seed : the suite's
    """
    places = pictured_rows(run.labels[suite.rows], run.task.is_one_class)
    rows = suite.rows[places]
    found: tuple[list[np.ndarray], list[Shot]] = ([], [])
    for name, severity, pixels, outputs in _seen(run, suite, images, places, seed):
        answers = argmax_rows(_judged(run, rows, outputs)) if run.task.is_one_class else rows
        for place, row in enumerate(rows.tolist()):
            found[0].append(pixels[place])
            found[1].append(_shot(run, row, name, severity, outputs[place], int(answers[place])))
    return found


def _seen(
    run: Run, suite: Suite, images: Any, places: np.ndarray, seed: int
) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    """Corruption, severity, pixels uint8 (r, H, W, C) and outputs float (r, C) of the rows at these places of the suite."""
    import torch

    from harness.train.corruptions import SEVERITIES, corrupt

    rows = suite.rows[places]
    pixels = np.array(images[rows])
    yield _NONE, 0, pixels, np.asarray(run.oof[rows], dtype=np.float32)
    for number, name in enumerate(suite.names):
        for level in SEVERITIES:
            changed = corrupt(torch.from_numpy(pixels), rows, name, level, seed).numpy()
            yield name, level, changed, suite.proba[number, level - 1, places].astype(np.float32)


def _judged(run: Run, rows: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    told = run.scores.get("decision")
    return run.task.judged(outputs, run.folds.fold[rows], told) if run.task.decides else outputs


def _shot(run: Run, row: int, name: str, severity: int, outputs: np.ndarray, answer: int) -> Shot:
    what, classes, row_id = name.replace("_", " "), run.classes, str(run.folds.ids[row])
    facts = {"corruption": what, "severity": str(severity)}
    under = f"{what} {severity}" if severity else "no corruption"
    if not run.task.is_one_class:
        own = np.flatnonzero(run.labels[row] >= 0.5).tolist() if run.task.of == LABELS else []
        bars = top_bars(classes, outputs, own[:10]) if run.task.of == LABELS else ()
        return Shot(f"{under}, id {row_id}", row_id, facts | {"id": row_id}, None, bars, [classes[i] for i in own])
    label, sure = int(run.labels[row]), float(outputs[answer])
    facts |= {"class": classes[label], "predicted": classes[answer], "answer": "right" if answer == label else "wrong"}
    return Shot(
        caption=f"{under}: {classes[label]}, predicted {classes[answer]} ({100 * sure:.0f} %)",
        id=row_id,
        facts=facts,
        confidence=sure,
        bars=top_bars(classes, outputs, [label, answer]),
        own=[classes[label]],
    )
