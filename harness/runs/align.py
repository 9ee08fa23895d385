"""Runs that may be put side by side: same rows, same folds, same classes; anything else is refused with the reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.base.errors import UserError
from harness.runs.run import Run


def check_alignable(runs: Sequence[Run]) -> None:
    """Refuse runs whose predictions do not belong to the same rows.

    Raises
    ------
    UserError
        Names the two runs, what differs, and the cure.
    """
    first = runs[0]
    for other in runs[1:]:
        pair = f"runs '{first.name}' and '{other.name}' cannot be blended"
        ours, theirs = first.environment["data"], other.environment["data"]
        if ours["fingerprint"] != theirs["fingerprint"]:
            raise UserError(
                f"{pair}: they saw different data ({ours['source']}; {theirs['source']}). Train both on the same."
            )
        if ours.get("clean", "") != theirs.get("clean", ""):
            raise UserError(
                f"{pair}: they go by different verdicts of harness.clean, so that a row that one was scored on may be left "
                "out, regrouped or relabelled in the other. Train both by the same clean.csv."
            )
        if first.classes != other.classes:
            raise UserError(f"{pair}: their classes differ ({first.classes}; {other.classes}).")
        if first.folds.hash != other.folds.hash:
            raise UserError(
                f"{pair}: their folds differ ({first.folds.k} folds, seed {first.recipe.cv.seed}; {other.folds.k} folds, "
                f"seed {other.recipe.cv.seed}), so a row that one was judged on trained the other. Train both with the "
                "same [cv]."
            )


def align_rows(ids: np.ndarray, wanted: np.ndarray, where: str) -> np.ndarray:
    """Positions in `ids` of each of `wanted`, both str arrays of unique ids: ids[result] == wanted.

    Raises
    ------
    UserError
        If an id is missing (names the first and counts them).
    """
    if not len(ids):
        raise UserError(f"{where}: {len(wanted):,} ids are missing, e.g. '{wanted[0]}'.")
    order = np.argsort(ids)
    position = np.searchsorted(ids, wanted, sorter=order).clip(max=len(ids) - 1)
    rows: np.ndarray = order[position]
    missing = wanted[ids[rows] != wanted]
    if len(missing):
        raise UserError(f"{where}: {len(missing):,} ids are missing, e.g. '{missing[0]}'.")
    return rows
