"""Weights of a fold's training rows: scaled by what is trained on alone, so that no other fold's rows have a say."""

from __future__ import annotations

import numpy as np

from harness.base.errors import UserError
from harness.runs import Folds


def row_weights(weight: np.ndarray | None, train: np.ndarray, n: int) -> np.ndarray | None:
    """Weights float32 (n,) of all rows, 1 in the mean over those that are trained on and 0 elsewhere; None where there are none.

    weight : float (n_labelled,), as the data have them
    train : int64, rows that are trained on; pseudo-labelled ones have numbers from n_labelled on, and weigh 1

    Raises
    ------
    UserError
        If all of them weigh 0.
    """
    if weight is None:
        return None
    own = train[train < len(weight)]
    largest = weight[own].max(initial=0)
    if not largest > 0:
        raise UserError(
            f"data.weight: all {len(own):,} training rows weigh 0, so that nothing can be learnt. Correct the column, or take fewer folds "
            "(--set cv.folds=2)."
        )
    scaled = weight[own] / largest  # first, so that large weights cannot overflow in the sum
    found = np.zeros(n, dtype=np.float32)
    found[train] = 1
    found[own] = scaled / scaled.mean()
    return found


def check_row_weights(weight: np.ndarray | None, folds: Folds) -> None:
    """Refuse, before anything is trained, weights that leave a fold nothing to learn from.

    Raises
    ------
    UserError
        Names the fold.
    """
    if weight is None:
        return
    for fold in range(folds.k):
        try:
            row_weights(weight, folds.train_rows(fold), len(weight))
        except UserError as error:
            raise UserError(f"fold {fold}: {error}") from error
