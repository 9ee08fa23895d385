"""Rows as pictures on a page: what their model said of them, who they are, and which of many are shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.report.gallery import Shot, in_turns, top_bars


def class_shot(classes: Sequence[str], label: int, said: int, proba: np.ndarray, row_id: str, fold: int) -> Shot:
    """A row of one class.

    label, said : classes by number; proba : float (C,); fold : whose model said it
    """
    sure = float(proba[said])
    what = classes[label] if label == said else f"{classes[label]} taken for {classes[said]}"
    return Shot(
        caption=f"{what} ({100 * sure:.0f} %), id {row_id}",
        id=str(row_id),
        facts={
            "class": classes[label],
            "predicted": classes[said],
            "answer": "right" if label == said else "wrong",
            "fold": str(fold),
        },
        confidence=sure,
        bars=top_bars(classes, np.asarray(proba, dtype=np.float32), [label, said]),
        own=[classes[label]],
    )


def of_each_confusion(labels: np.ndarray, predicted: np.ndarray, most: int) -> np.ndarray:
    """Places (int64) of rows to be shown, of rows that stand in order: the first, and some of every confusion.

    labels, predicted : int64 (n,)
    """
    return in_turns(labels * (int(predicted.max(initial=0)) + 1) + predicted, most)
