"""Weight of each class in the loss (train.class_weights)."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.competition.train_spec import TrainSpec
from harness.train.balance.counts import class_counts


def class_weights(
    labels: Tensor, n_classes: int, spec: TrainSpec, exclusive: bool = False, rows: Tensor | None = None
) -> Tensor | None:
    """Weight of each class (C,), scaled so that the mean over the given rows is 1; None where all are the same.

    Of several labels (float (n, C)) it is the weight of a label's presence against its absence: "balanced" makes the two count alike.

    labels : int64 (n,), of the rows that are trained on; with `exclusive` also shares of votes (n, C)
    rows : float (n,), 1 in the mean: weight of each row, by which it is counted; None = once each
    """
    if spec.class_weights == "none":
        return None
    if labels.ndim > 1 and not exclusive:
        return _presence_weights(labels if rows is None else labels * rows[:, None], spec)
    counts = class_counts(labels, n_classes, rows).float().clamp(min=1)
    if spec.class_weights == "balanced":
        weights = 1 / counts
    else:
        weights = (1 - spec.effective_beta) / (1 - spec.effective_beta**counts)
    return weights * counts.sum() / (weights * counts).sum()


def target_weights(labels: Tensor, n_classes: int, spec: TrainSpec, rows: Tensor | None = None) -> Tensor | None:
    """What each target counts, by its class and its row, for models that take no weights of classes; None where all count alike.

    labels : int64 (n,) -> float (n,); float (n, C) of several labels, where a label's presence is weighed -> (n, C), or (n,) by rows alone
    rows : float (n,), 1 in the mean: weight of each row
    """
    weights = class_weights(labels, n_classes, spec, rows=rows)
    if weights is None:
        return rows
    if labels.ndim == 1:
        return weights[labels] if rows is None else weights[labels] * rows
    each = torch.where(labels >= 0.5, weights, 1.0)
    return each if rows is None else each * rows[:, None]


def _presence_weights(labels: Tensor, spec: TrainSpec) -> Tensor:
    there = labels.float().sum(dim=0).clamp(min=1)
    away = (len(labels) - there).clamp(min=1)
    if spec.class_weights == "balanced":
        return away / there
    share = lambda counts: (1 - spec.effective_beta) / (1 - spec.effective_beta**counts)
    return share(there) / share(away)
