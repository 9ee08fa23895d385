"""The one check of class probabilities, for every door that they come in by."""

from __future__ import annotations

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import plain

_SUM_TOLERANCE = 1e-2  # rows are stored as float32 or float16
_CELLS = 1 << 22


def check_probabilities(proba: np.ndarray, ids: np.ndarray, where: str, cure: str) -> None:
    """Refuse rows that are no probabilities: NaN would count as the first class, since argmax takes it.

    Parameters
    ----------
    proba : float (n, C); ids : str (n,)
    where : whose they are, in words
    cure : what to do about it

    Raises
    ------
    UserError
        If a row is not finite, negative, or does not sum to one: says how many, and the first one's id and values.
    """
    bad = wrong_rows(proba)
    if len(bad):
        first = np.round(proba[bad[0]][:8].astype(float), 4).tolist()
        shown = f"{first}"[:-1] + (", ...]" if proba.shape[1] > 8 else "]")
        raise UserError(
            f"{where}: {len(bad):,} of {len(proba):,} rows are no probabilities (NaN, infinite, negative, or they do not sum to one), "
            f"first id '{plain(ids[bad[0]], 80)}': {shown}. {cure}"
        )


def wrong_rows(proba: np.ndarray) -> np.ndarray:
    """Numbers (int64) of the rows of float (n, C) that are not finite, negative, or do not sum to one."""
    found = []
    step = max(_CELLS // max(proba.shape[1], 1), 1) if len(proba) else 1
    for start in range(0, len(proba), step):
        rows = np.asarray(proba[start : start + step], dtype=np.float32)
        with np.errstate(invalid="ignore"):
            sound = (rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1, dtype=np.float64) - 1) < _SUM_TOLERANCE)
        found.append(start + np.flatnonzero(~sound))
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
