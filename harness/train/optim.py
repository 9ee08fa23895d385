"""Optimisers and learning-rate schedules of a recipe."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn as nn

from harness.competition.recipe import TrainSpec


def build_optimizer(network: nn.Module, spec: TrainSpec) -> torch.optim.Optimizer:
    """The recipe's optimiser, fused; weight decay is for matrices and kernels only, not for biases and norms."""
    weights = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": spec.weight_decay}, {"params": others, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if spec.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=spec.lr, momentum=0.9, nesterov=True, fused=True)
    kinds: dict[str, Any] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[spec.optimizer](groups, lr=spec.lr, fused=True)


def lr_factor(step: int, total: int, steps_per_epoch: int, spec: TrainSpec) -> float:
    """What the peak learning rate is multiplied by at a step (0-based) of `total`."""
    if spec.schedule == "constant":
        return 1.0
    if spec.schedule == "step":
        return spec.step_factor ** (step // steps_per_epoch // spec.step_epochs)
    rise = spec.warmup * total if spec.schedule == "one_cycle" else 0.0
    if step < rise:
        return (step + 1) / (rise + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / (total - rise)))


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every parameter group this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr
