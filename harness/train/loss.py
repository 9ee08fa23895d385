"""Losses of every task: of classes, labels, grades and numbers, with class weights, row weights, label smoothing, mixed targets."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.base.errors import UserError
from harness.base.python import registered
from harness.competition.scoring.registry import LABELS, NUMBERS
from harness.competition.tasks import TASKS, Task
from harness.competition.train_spec import TrainSpec


class Loss(Protocol):
    """The mean loss over a batch's rows, a scalar."""

    def __call__(self, logits: Tensor, targets: Tensor, rows: Tensor | None = None, /) -> Tensor:
        """logits (B, C), targets int64 (B,) or float (B, C); rows : float (B,), weight of each row, None = all the same.

        Weighted or not, the sum is divided by B: weights that are 1 in the mean over an epoch leave the gradient's scale as it is.
        """
        ...


def build_loss(
    spec: TrainSpec,
    weights: Tensor | None,
    task: Task = TASKS["single"],
    scale: tuple[Tensor, Tensor] | None = None,
    prior: Tensor | None = None,
) -> Loss:
    """The recipe's loss for a task. Weighted losses are divided by the rows, not by the weights, for hard and mixed targets alike.

    scale : of numbers, (mean, standard deviation) (K,) that logits are in units of
    prior : of classes, (C,) that is added to the logits before the loss is taken (`harness.train.balance.prior`)
    """
    if prior is not None:
        plain_loss = build_loss(spec, weights, task, scale)
        return lambda logits, targets, rows=None: plain_loss(logits.float() + prior, targets, rows)
    name = task.losses[0] if spec.loss == "auto" else spec.loss
    if own := registered.find("loss", name):
        return _own_loss(name, own.value)
    if task.of == NUMBERS:
        return _number_loss(name, scale)
    if task.of == LABELS:
        return _label_loss(name, weights, spec)
    if name in ("cumulative", *_DISTANCES):
        return _grade_loss(name, weights)
    plain = name == "cross_entropy" and weights is None

    def cross_entropy(logits: Tensor, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        if rows is None:
            return F.cross_entropy(logits.float(), targets, label_smoothing=spec.label_smoothing)
        each = F.cross_entropy(logits.float(), targets, label_smoothing=spec.label_smoothing, reduction="none")
        return _mean(each, rows)

    def general(logits: Tensor, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        return soft_loss(logits.float(), targets, weights, spec.label_smoothing, _gamma(spec), rows)

    return cross_entropy if plain else general


def _own_loss(name: str, function: Callable[..., Tensor]) -> Loss:
    """A loss that a script registered."""
    weighs = len(inspect.signature(function).parameters) > 2

    def loss(logits: Tensor, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        if rows is not None and not weighs:
            raise UserError(
                f"train.loss = '{name}': the rows are weighted, and it takes none. Give it a third parameter, each row's weight (B,) or None, or "
                "set train.row_weights = false"
            )
        value = function(logits.float(), targets, rows) if weighs else function(logits.float(), targets)
        if not isinstance(value, Tensor) or value.ndim:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise UserError(f"train.loss = '{name}': returns {got}; return the mean over the rows, a scalar tensor")
        return value

    return loss


def _mean(each: Tensor, rows: Tensor | None) -> Tensor:
    """Mean of each row's (B,), or each element's (B, K), loss, weighted by row."""
    if rows is None:
        return each.mean()
    return ((each if each.ndim == 1 else each.mean(dim=1)) * rows).mean()


def _distance(name: str, found: Tensor, wanted: Tensor) -> Tensor:
    """Of each element."""
    return _DISTANCES[name](found, wanted, reduction="none")


_DISTANCES = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.smooth_l1_loss}


def _number_loss(name: str, scale: tuple[Tensor, Tensor] | None) -> Loss:
    """In units of the targets' spread; bce: of numbers from 0 to 1 whose log odds the network gives."""
    mean, std = scale if scale is not None else (0.0, 1.0)

    def loss(logits: Tensor, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        if name != "bce":
            return _mean(_distance(name, logits.float(), (targets.float() - mean) / std), rows)
        if rows is None:
            return F.binary_cross_entropy_with_logits(logits.float(), targets.float())
        return _mean(F.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="none"), rows)

    return loss


def _label_loss(name: str, weights: Tensor | None, spec: TrainSpec) -> Loss:
    """Binary cross-entropy of each label; focal: sure hits count less; asymmetric: sure absences hardly at all."""
    smoothing = spec.label_smoothing

    def loss(logits: Tensor, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        logits, targets = logits.float(), targets.float() * (1 - smoothing) + smoothing / 2
        there, away = -F.logsigmoid(logits), -F.logsigmoid(-logits)
        if name == "asymmetric":
            p = logits.sigmoid()
            shifted = (1 - p + _SHIFT).clamp(max=1)  # easy absences are dropped
            away = -shifted.clamp(min=1e-8).log() * (1 - shifted).clamp(min=0) ** _ASYMMETRIC_GAMMA
        elif name == "focal":
            p = logits.sigmoid()
            there, away = there * (1 - p) ** spec.focal_gamma, away * p**spec.focal_gamma
        if weights is not None:
            there = there * weights
        return _mean(targets * there + (1 - targets) * away, rows)

    return loss


_SHIFT, _ASYMMETRIC_GAMMA = 0.05, 4.0  # the paper's


def _grade_loss(name: str, weights: Tensor | None) -> Loss:
    """Of ordered grades: binary cross-entropy of "above grade k" for every k, or a distance of the expected grade."""

    def loss(logits: Tensor, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        proba, n = logits.float().softmax(dim=1), logits.shape[1]
        soft = F.one_hot(targets, n).float() if targets.ndim == 1 else targets
        if name == "cumulative":
            above, truth = (1 - p.cumsum(dim=1)[:, :-1] for p in (proba, soft))
            each = F.binary_cross_entropy(above.clamp(1e-6, 1 - 1e-6), truth.clamp(0, 1), reduction="none").sum(dim=1)
        else:
            grades = torch.arange(n, device=logits.device, dtype=torch.float32)
            # the distance alone leaves the classes' probabilities free: a little cross-entropy holds them to the truth
            each = _distance(name, proba @ grades, soft @ grades) + _ANCHOR * -(
                soft * logits.float().log_softmax(dim=1)
            ).sum(dim=1)
        return _mean(each if weights is None else each * (soft @ weights), rows)

    return loss


_ANCHOR = 0.1


def soft_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None,
    smoothing: float,
    gamma: float,
    rows: Tensor | None = None,
) -> Tensor:
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
    return -_mean(terms.sum(dim=1), rows)


def _gamma(spec: TrainSpec) -> float:
    return spec.focal_gamma if spec.loss == "focal" else 0.0
