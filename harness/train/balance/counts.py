"""Rows of each class among those that are trained on."""

from __future__ import annotations

import torch
from torch import Tensor


def class_counts(labels: Tensor, n_classes: int, rows: Tensor | None = None) -> Tensor:
    """Rows of each class (C,), a row counted by its weight.

    labels : int64 (n,), or float (n, C): shares of votes, or several labels
    rows : float (n,), 1 in the mean: weight of each row; None = once each
    """
    if labels.ndim > 1:
        return (labels if rows is None else labels * rows[:, None]).sum(dim=0)
    return torch.bincount(labels, rows, minlength=n_classes)
