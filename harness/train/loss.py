"""Losses: cross-entropy and focal, with class weights, label smoothing, and targets that are mixtures."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.competition.train_spec import TrainSpec

Loss = Callable[[Tensor, Tensor], Tensor]
"""(logits (B, C), targets int64 (B,) or float (B, C)) -> mean loss, a scalar."""


def class_weights(labels: Tensor, n_classes: int, spec: TrainSpec) -> Tensor | None:
    """Weight of each class (C,), scaled so that the mean over the given rows is 1; None where all are the same.

    labels : int64 (n,), of the rows that are trained on
    """
    if spec.class_weights == "none":
        return None
    counts = torch.bincount(labels, minlength=n_classes).float().clamp(min=1)
    if spec.class_weights == "balanced":
        weights = 1 / counts
    else:
        weights = (1 - spec.effective_beta) / (1 - spec.effective_beta**counts)
    return weights * counts.sum() / (weights * counts).sum()


def build_loss(spec: TrainSpec, weights: Tensor | None) -> Loss:
    """The recipe's loss. Weighted losses are divided by the rows, not by the weights, for hard and mixed targets alike."""
    plain = spec.loss == "cross_entropy" and weights is None

    def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), targets, label_smoothing=spec.label_smoothing)

    def general(logits: Tensor, targets: Tensor) -> Tensor:
        return soft_loss(logits.float(), targets, weights, spec.label_smoothing, _gamma(spec))

    return cross_entropy if plain else general


def soft_loss(logits: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float, gamma: float) -> Tensor:
    """Mean over rows of -sum_c w_c t_c (1 - p_c)^gamma log p_c; gamma = 0 is cross-entropy, else focal loss.

    Lin and others 2017, "Focal Loss for Dense Object Detection", in its softmax form.
    """
    n_classes = logits.shape[1]
    if targets.ndim == 1:
        targets = F.one_hot(targets, n_classes).float()
    targets = targets * (1 - smoothing) + smoothing / n_classes
    log_p = logits.log_softmax(dim=1)
    terms = targets * log_p
    if gamma:
        terms = terms * (1 - log_p.exp()).clamp(min=0).pow(gamma)
    if weights is not None:
        terms = terms * weights
    return -terms.sum(dim=1).mean()


def _gamma(spec: TrainSpec) -> float:
    return spec.focal_gamma if spec.loss == "focal" else 0.0
