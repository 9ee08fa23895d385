"""The training loop: uint8 pixels on the device, batched augmentation, autocast, fused optimiser, averaged weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from harness.base.errors import UserError
from harness.competition import Recipe
from harness.models.network import Network
from harness.train.augment import augment
from harness.train.batches import take_batch
from harness.train.optim import build_optimizer, lr_factor, set_lr
from harness.train.precision import Layout

Tick = Callable[[int], None]
"""Called with the number of images done since the last call."""


def fit(
    network: Network,
    images: Tensor,
    labels: Tensor,
    rows: Tensor,
    recipe: Recipe,
    layout: Layout,
    seed: int,
    tick: Tick,
) -> list[dict[str, Any]]:
    """Train a network on some rows, in place.

    Parameters
    ----------
    network : on the device of `images`
    images : uint8 (n, H, W, C), all rows of the competition; never copied
    labels : int64 (n,)
    rows : int64 (n_train,), the rows to train on
    seed : of the order of the rows and of the augmentation

    Returns
    -------
    One dict per epoch: epoch, loss (mean over the epoch), lr (last), seconds

    Raises
    ------
    UserError
        If the loss is no longer a number (names epoch, learning rate, batch size and the cure).
    """
    spec, device = recipe.train, images.device
    network.to(memory_format=layout.memory_format).train()
    optimizer = build_optimizer(network, spec)
    average = WeightAverage(network, spec.ema) if spec.ema else None
    order = torch.Generator().manual_seed(seed)
    draws = torch.Generator(device=device).manual_seed(seed + 1)
    history, step, per_epoch = [], 0, steps_per_epoch(len(rows), spec.batch_size)
    for epoch in range(1, spec.epochs + 1):
        started, loss_sum, lr = time.perf_counter(), torch.zeros((), device=device), spec.lr
        for batch in epoch_batches(rows, spec.batch_size, order):
            lr = spec.lr * lr_factor(step, spec.epochs * per_epoch, per_epoch, spec)
            set_lr(optimizer, lr)
            x = augment(take_batch(images, batch, layout.memory_format), recipe.augment, draws)
            loss_sum += train_step(network, optimizer, x, labels[batch], recipe, layout)
            step += 1
            if average:
                average.update(network, step)
            tick(len(batch))
        history.append(_epoch_line(epoch, loss_sum / per_epoch, lr, started, recipe))
    if average:
        average.copy_to(network)
    return history


def train_step(
    network: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, recipe: Recipe, layout: Layout
) -> Tensor:
    """One step of the optimiser on x (B, C, H, W), y (B,); returns the loss, not yet waited for."""
    with layout.autocast(x.device):
        logits = network(x)
    loss = F.cross_entropy(logits.float(), y, label_smoothing=recipe.train.label_smoothing)
    loss.backward()
    if recipe.train.clip_norm:
        nn.utils.clip_grad_norm_(network.parameters(), recipe.train.clip_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def steps_per_epoch(n_rows: int, batch_size: int) -> int:
    """Full batches in n rows; the rest is left out of this epoch (other rows in each), or is the only batch."""
    return max(n_rows // batch_size, 1)


def epoch_batches(rows: Tensor, batch_size: int, order: torch.Generator) -> list[Tensor]:
    """Rows in a new random order, in full batches on the device of `rows`."""
    shuffled = rows[torch.randperm(len(rows), generator=order).to(rows.device)]
    return list(shuffled.split(batch_size))[: steps_per_epoch(len(rows), batch_size)]


class WeightAverage:
    """Exponential moving average of weights and batch-norm statistics (Polyak, Juditsky 1992).

    The decay grows from 0.1 towards its final value over the first steps, so that the random start is soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.average = [t.detach().clone() for t in _float_state(network)]

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.average, [t.detach() for t in _float_state(network)], 1 - decay)

    @torch.no_grad()
    def copy_to(self, network: nn.Module) -> None:
        torch._foreach_copy_(_float_state(network), self.average)


def _float_state(network: nn.Module) -> list[Tensor]:
    return [t for t in network.state_dict(keep_vars=True).values() if t.is_floating_point()]


def _epoch_line(epoch: int, loss: Tensor, lr: float, started: float, recipe: Recipe) -> dict[str, Any]:
    value = float(loss)  # the first and only wait for the device in an epoch
    if not torch.isfinite(loss):
        raise UserError(
            f"epoch {epoch}: the loss is {value} (learning rate {lr:.3g}, batch {recipe.train.batch_size}). Lower it: "
            f"--set train.lr={recipe.train.lr / 3:.1g}, or limit the gradient: --set train.clip_norm=1.0"
        )
    return {"epoch": epoch, "loss": value, "lr": lr, "seconds": time.perf_counter() - started}
