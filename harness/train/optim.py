"""Optimisers, parameter groups and learning-rate schedules of a recipe."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
import torch.nn as nn

from harness.competition.train_spec import TrainSpec
from harness.train.freeze import blocks


def build_optimizer(network: nn.Module, spec: TrainSpec) -> torch.optim.Optimizer:
    """The recipe's optimiser over all parameters, fused where torch has it; frozen ones have no gradient and stay.

    Call `take_step` instead of its `step`.
    """
    _skip_dynamo()
    groups = parameter_groups(network, spec)
    if spec.optimizer == "sgd":
        nesterov = spec.momentum > 0
        return torch.optim.SGD(groups, lr=spec.lr, momentum=spec.momentum, nesterov=nesterov, fused=True)
    if spec.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=spec.lr, momentum=spec.momentum)
    if spec.optimizer in ("lion", "muon"):
        return _of_timm(groups, spec)
    kinds: dict[str, Any] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[spec.optimizer](groups, lr=spec.lr, fused=True)


def take_step(optimizer: torch.optim.Optimizer) -> None:
    """One step by the gradients, which are cleared.

    torch's own `step` imports torch._dynamo, which is there for networks compiled together with their optimiser: 1.5 s
    and 140 MB a process for nothing. So the method behind its wrappers is called.
    """
    with torch.no_grad():
        inspect.unwrap(type(optimizer).step)(optimizer)
    optimizer.zero_grad(set_to_none=True)


def _skip_dynamo() -> None:
    """Let an optimiser's other methods do without torch._dynamo too (see `take_step`); without effect in other versions."""
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        method = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if method is not None and not hasattr(method, "__dynamo_disable"):
            setattr(method, "__dynamo_disable", method)


def _of_timm(groups: list[dict[str, Any]], spec: TrainSpec) -> torch.optim.Optimizer:
    from timm.optim import Lion, Muon

    if spec.optimizer == "lion":
        return Lion(groups, lr=spec.lr)
    return Muon(groups, lr=spec.lr, momentum=spec.momentum, nesterov=True)


def parameter_groups(network: nn.Module, spec: TrainSpec) -> list[dict[str, Any]]:
    """Groups of equal weight decay and learning rate; "lr_scale" is what the schedule's rate is multiplied by.

    Weight decay is for matrices and kernels; biases and norms have one dimension and get none, unless decay_all.
    """
    depth: dict[str, int] = {}
    if spec.layer_decay < 1:
        depth = {name: number for number, names in enumerate(reversed(blocks(network))) for name in names}
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        decay = spec.weight_decay if parameter.ndim > 1 or spec.decay_all else 0.0
        scale = spec.layer_decay ** depth.get(name, 0) * (spec.bias_lr if parameter.ndim <= 1 else 1.0)
        group = groups.setdefault((decay, scale), {"params": [], "weight_decay": decay, "lr_scale": scale})
        group["params"].append(parameter)
    return list(groups.values())


def lr_factor(step: int, total: int, steps_per_epoch: int, spec: TrainSpec) -> float:
    """What the peak learning rate is multiplied by at a step (0-based) of `total`; plateau comes on top of it."""
    rise = spec.rise * total
    if step < rise:
        return (step + 1) / (rise + 1)
    if spec.schedule in ("constant", "plateau"):
        return 1.0
    if spec.schedule == "step":
        return spec.step_factor ** (step // steps_per_epoch // spec.step_epochs)
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / (total - rise)))


class Plateau:
    """What the learning rate is multiplied by after epochs without a better loss."""

    def __init__(self, patience: int, factor: float) -> None:
        self.patience, self.decay = patience, factor
        self.factor, self.best, self.waited = 1.0, math.inf, 0

    def after_epoch(self, loss: float) -> None:
        """Lower the learning rate where the loss has not improved for long enough."""
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        if self.waited > self.patience:
            self.factor, self.waited = self.factor * self.decay, 0


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every parameter group this learning rate, times its own scale."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]
