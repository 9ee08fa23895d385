"""The one check of class probabilities, for every door that they come in by."""

from __future__ import annotations

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.competition.tasks import TASKS, Task

_CELLS = 1 << 22


def check_probabilities(
    proba: np.ndarray, ids: np.ndarray, where: str, cure: str, task: Task = TASKS["single"]
) -> None:
    """Refuse rows that are no probabilities: NaN would count as the first class, since argmax takes it.

    Parameters
    ----------
    proba : float (n, C); ids : str (n,)
    where : whose they are, in words
    cure : what to do about it
    task : of which they are outputs: probabilities of one class sum to one, those of several labels do not, numbers are finite

    Raises
    ------
    UserError
        If a row is not finite, negative, or does not sum to one: says how many, and the first one's id and values.
    """
    bad = wrong_rows(proba, task)
    if len(bad):
        first = np.round(proba[bad[0]][:8].astype(float), 4).tolist()
        shown = f"{first}"[:-1] + (", ...]" if proba.shape[1] > 8 else "]")
        raise UserError(
            f"{where}: {len(bad):,} of {len(proba):,} rows {task.wrong_why}, "
            f"first id '{plain(ids[bad[0]], 80)}': {shown}. {cure}"
        )


def wrong_rows(proba: np.ndarray, task: Task = TASKS["single"]) -> np.ndarray:
    """Numbers (int64) of the rows of float (n, C) that are no outputs of the task."""
    found = []
    step = max(_CELLS // max(proba.shape[1], 1), 1) if len(proba) else 1
    for start in range(0, len(proba), step):
        found.append(start + np.flatnonzero(task.wrong_rows(proba[start : start + step])))
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
