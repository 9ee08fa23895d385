"""The training loop: batches by row, autocast, fused optimiser, averaged weights, early stopping."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from harness.base.errors import UserError
from harness.competition import Recipe
from harness.competition.tasks import TASKS, Task
from harness.competition.train_spec import TrainSpec
from harness.models.network import logit_shift, target_scale
from harness.train.augment import Draws, mix
from harness.train.balance.draws import drawn_rows
from harness.train.balance.prior import prior_of
from harness.train.balance.weights import class_weights
from harness.train.freeze import fixed_names, frozen_names, set_mode
from harness.train.inputs.network_inputs import Inputs
from harness.train.loss import Loss, build_loss
from harness.train.optim import Plateau, build_optimizer, lr_factor, set_lr, take_step
from harness.train.precision import Layout
from harness.train.prediction.looks import Looks, look
from harness.train.transfer import to_device
from harness.train.weight_averaging import Ema, Swa, float_state

Tick = Callable[[int], None]
"""Called with the number of images done since the last call."""

_LOOK_EVERY = 200  # steps between two looks at the loss: a look waits for the device
_EXPLODED = 1e4
WATCHED = TrainSpec()
"""What early stopping watches: the task's plain loss, without weights of classes and rows and smoothing."""


@dataclass(frozen=True)
class Rows:
    """Which rows one model learns from.

    Attributes
    ----------
    train : int64 (n_train,) on the inputs' index device
    watched : int64 (n_watched,), rows that early stopping and plateau look at; never trained on. None: nothing is held out
    weights : float32 (n,) beside the labels, of all rows; 1 in the mean over those that are trained on. None: all the same
    """

    train: Tensor
    watched: Tensor | None = None
    weights: Tensor | None = None


def fit(
    network: nn.Module,
    inputs: Inputs,
    labels: Tensor,
    rows: Rows,
    recipe: Recipe,
    layout: Layout,
    seed: int,
    tick: Tick = lambda images: None,
    after_epoch: Callable[[nn.Module, int], None] | None = None,
    task: Task = TASKS["single"],
    tell: Callable[[dict[str, Any]], None] = lambda line: None,
    looks: Looks | None = None,
) -> list[dict[str, Any]]:
    """Train a network on some rows, in place.

    Parameters
    ----------
    network : on the device of `inputs`, with an attribute n_classes; gives logits (B, n_classes)
    inputs : batches of all rows of the competition, by row
    labels : int64 (n,) on the device, or float (n, K) of several labels and of numbers
    seed : of the order of the rows and of mixing
    after_epoch : called with the network and the epoch's number; what it raises ends the training
    task : what the labels are, and so which losses train it
    tell : told each epoch's line as it ends
    looks : rows whose loss and score are noted for curves, and used for nothing

    Returns
    -------
    One dict per epoch: epoch, loss (mean over the epoch, weighted as it is trained), lr (last), seconds; watched_loss where rows are watched;
    valid_loss, valid_score, train_score after epochs that are looked at

    Raises
    ------
    UserError
        If the loss is no longer a number or explodes (names epoch, batch, learning rate and the cure).
    """
    training = Training(network, inputs, labels, rows, recipe, layout, seed, task)
    history: list[dict[str, Any]] = []
    for epoch in range(1, recipe.train.epochs + 1):
        line = training.epoch(epoch, tick)
        if looks and looks.are_due(epoch, recipe.train.epochs):
            line |= training.look(looks)
        history.append(line)
        tell(history[-1])
        if after_epoch:
            after_epoch(network, epoch)
        if training.should_stop:
            tick((recipe.train.epochs - epoch) * training.images_per_epoch)
            break
    training.finish()
    return history


class Training:
    """The state of one model's training: optimiser, schedule, averages, the best epoch so far."""

    def __init__(
        self,
        network: nn.Module,
        inputs: Inputs,
        labels: Tensor,
        rows: Rows,
        recipe: Recipe,
        layout: Layout,
        seed: int,
        task: Task = TASKS["single"],
    ) -> None:
        self.network, self.inputs, self.labels, self.rows = network, inputs, labels, rows
        self.mixing, self.spec, self.layout = recipe.augment, recipe.train, layout
        network.to(memory_format=layout.memory_format)
        assert isinstance(network.n_classes, int)
        self.n_classes: int = network.n_classes
        self.fixed = fixed_names(network)
        self.frozen = frozen_names(network, self.spec) | self.fixed
        set_mode(network, self.frozen)
        self.optimizer = build_optimizer(network, self.spec)
        trained_labels = labels[rows.train.to(labels.device)]
        scale = target_scale(network)
        of_trained = None if rows.weights is None else rows.weights[rows.train.to(rows.weights.device)]
        weights = class_weights(trained_labels, self.n_classes, self.spec, task.is_one_class, of_trained)
        self.prior = prior_of(trained_labels, self.n_classes, self.spec, of_trained)
        in_loss, to_data = self._priors()
        self.loss: Loss = build_loss(self.spec, weights, task, scale, in_loss)
        self.watching = build_loss(WATCHED, None, task, scale, to_data)
        self.row_weights = rows.weights
        if self.prior and rows.weights is not None:
            self.row_weights = rows.weights * self.prior.weight_scale
        self.forward = torch.compile(network) if self.spec.compile else network
        self.order = torch.Generator().manual_seed(seed)
        self.draws = Draws(inputs.device, seed + 1)
        self.plateau = Plateau(self.spec.plateau_patience, self.spec.plateau_factor)
        self.best = BestEpoch(self.spec.patience) if self.spec.patience else None
        self.ema = Ema(network, self.spec.ema) if self.spec.ema else None
        self.swa = Swa(network) if self.spec.swa else None
        self.step, self.batch_size = 0, min(self.spec.batch_size, len(rows.train))
        self.per_epoch = batches_per_epoch(len(rows.train), self.batch_size)

    def _priors(self) -> tuple[Tensor | None, Tensor | None]:
        """What is added to logits in the loss, and to predicted ones so that watched rows are judged by the data's shares of the classes."""
        if self.prior is None:
            return None, None
        device = self.labels.device
        shifts_itself = logit_shift(self.network) is not None
        return self.prior.in_loss.to(device), None if shifts_itself else self.prior.to_data.to(device)

    def _rows_of_epoch(self) -> Tensor:
        if self.prior is None or self.prior.rates is None:
            return self.rows.train
        return drawn_rows(self.rows.train, self.prior.rates, self.prior.classes, self.order)

    @property
    def images_per_epoch(self) -> int:
        """Rows that an epoch trains on: whole batches."""
        return self.per_epoch * self.batch_size

    @property
    def should_stop(self) -> bool:
        """Whether the held-out loss has not improved for `patience` epochs."""
        return self.best is not None and self.best.waited >= self.best.patience

    def epoch(self, epoch: int, tick: Tick) -> dict[str, Any]:
        """Train one epoch (counted from 1); returns its line of the history."""
        started = time.perf_counter()
        self._unfreeze(epoch)
        losses = torch.zeros(self.per_epoch, device=self.inputs.device)
        make = getattr(self.inputs, "epoch_batches", epoch_batches)  # text puts rows of like length together
        batches = make(self._rows_of_epoch(), self.batch_size, self.order)
        lr = self.spec.lr
        for number, x in enumerate(self.inputs.training(batches, epoch)):
            lr = self._set_lr()
            losses[number] = self._batch(x, batches[number], number)
            tick(len(x))
            if (number + 1) % _LOOK_EVERY == 0:
                self._check(losses[: number + 1], epoch, lr)
        line = {"epoch": epoch, "loss": self._check(losses, epoch, lr), "lr": lr}
        if self.swa and epoch > (1 - self.spec.swa) * self.spec.epochs:
            self.swa.after_epoch(self.network)
        if self.rows.watched is not None:
            line["watched_loss"] = self._look_at_watched()
        self.plateau.after_epoch(line.get("watched_loss", line["loss"]))
        return {**line, "seconds": time.perf_counter() - started}

    def look(self, looks: Looks) -> dict[str, float]:
        """Loss and score of some rows by the weights that would predict now, if no average over epochs is made; changes nothing."""
        with self.ema.applied_to(self.network) if self.ema else contextlib.nullcontext():
            return look(self.network, self.inputs, self.labels, looks, self.layout, self.watching)

    def finish(self) -> None:
        """Leave the network with the weights that predict: the best epoch's, or an average."""
        if self.best is not None:
            self.best.copy_to(self.network)
        elif self.swa and self.swa.seen:
            self.swa.copy_to(self.network)
            self._renew_statistics()
        elif self.ema:
            self.ema.copy_to(self.network)

    def _batch(self, x: Tensor, rows: Tensor, number: int) -> Tensor:
        """Forward and backward on one batch, and the optimiser's step where it is due; the loss, not waited for."""
        picked = to_device(rows, self.labels.device)
        weights = None if self.row_weights is None else self.row_weights[picked]
        x, targets, weights = mix(x, self.labels[picked], self.n_classes, self.mixing, self.draws, weights)
        with self.layout.autocast(x.device):
            logits = self.forward(x)
        loss = self.loss(logits, targets, weights)
        share = min(self.spec.accumulate, self.per_epoch - number // self.spec.accumulate * self.spec.accumulate)
        (loss / share if share > 1 else loss).backward()
        if (number + 1) % self.spec.accumulate == 0 or number + 1 == self.per_epoch:
            self._optimizer_step()
        self.step += 1
        return loss.detach()

    def _optimizer_step(self) -> None:
        if self.spec.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.spec.clip_norm)
        take_step(self.optimizer)
        if self.ema:
            self.ema.after_step(self.network, self.step + 1)

    def _set_lr(self) -> float:
        total = self.spec.epochs * self.per_epoch
        lr = self.spec.lr * self.plateau.factor * lr_factor(self.step, total, self.per_epoch, self.spec)
        set_lr(self.optimizer, lr)
        return lr

    def _unfreeze(self, epoch: int) -> None:
        if epoch == self.spec.unfreeze_epoch:
            self.frozen = self.fixed
        set_mode(self.network, self.frozen)

    def _look_at_watched(self) -> float:
        """Mean cross-entropy of the watched rows by the weights that would predict now; keeps them if they are best."""
        assert self.rows.watched is not None
        with self.ema.applied_to(self.network) if self.ema else contextlib.nullcontext():
            loss = mean_loss(
                self.network, self.inputs, self.labels, self.rows.watched, self.layout, self.batch_size, self.watching
            )
            if self.best is not None:
                self.best.look(self.network, loss)
        return loss

    @torch.no_grad()
    def _renew_statistics(self) -> None:
        """Batch-norm statistics of averaged weights, but of frozen layers: the mean over one pass of training batches."""
        set_mode(self.network, self.frozen)
        norms = [m for m in self.network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
        if not norms:
            return
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
        batches = epoch_batches(self._rows_of_epoch(), self.batch_size, self.order)
        for number, x in enumerate(self.inputs.plain(batches), start=1):
            for norm in norms:
                norm.momentum = 1 / number  # a plain mean; None would read the number from the device
            with self.layout.autocast(x.device):
                self.network(x)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def _check(self, losses: Tensor, epoch: int, lr: float) -> float:
        """Mean of the losses so far in this epoch; waits for the device."""
        values = losses.cpu()
        bad = (~(values < _EXPLODED)).nonzero()
        if len(bad):
            number = int(bad[0])
            what = f"is {float(values[number]):.3g}" if values[number].isfinite() else f"is {float(values[number])}"
            raise UserError(
                f"epoch {epoch}, batch {number + 1} of {self.per_epoch}: the loss {what} (learning rate {lr:.3g}, "
                f"{self.batch_size} images). Lower it: --set train.lr={self.spec.lr / 3:.1g}, or limit the gradient: "
                "--set train.clip_norm=1.0"
            )
        return float(values.mean())


class BestEpoch:
    """The weights of the epoch with the least loss, and how many epochs ago that was."""

    def __init__(self, patience: int) -> None:
        self.patience, self.waited, self.loss = patience, 0, float("inf")
        self.weights: list[Tensor] | None = None

    def look(self, network: nn.Module, loss: float) -> None:
        """Note an epoch's held-out loss; keep the weights if it is the best."""
        self.waited += 1
        if self.weights is None or loss < self.loss:
            self.loss, self.waited = loss, 0
            self.weights = [t.detach().clone() for t in float_state(network)]

    @torch.no_grad()
    def copy_to(self, network: nn.Module) -> None:
        """Put the best weights into the network."""
        if self.weights is not None:
            torch._foreach_copy_(float_state(network), self.weights)


@torch.inference_mode()
def mean_loss(
    network: nn.Module,
    inputs: Inputs,
    labels: Tensor,
    rows: Tensor,
    layout: Layout,
    batch_size: int,
    loss: Loss = nn.functional.cross_entropy,
) -> float:
    """Mean loss (cross-entropy, where none is given) over rows, without augmentation; leaves the network in prediction mode."""
    network.eval()
    losses, parts = [], list(rows.split(max(batch_size, 250)))
    for part, x in zip(parts, inputs.plain(parts), strict=True):
        with layout.autocast(x.device):
            logits = network(x)
        y = labels[to_device(part, labels.device)]
        losses.append(loss(logits.float(), y) * len(y))
    total = torch.zeros((), dtype=torch.float64)
    for each in torch.stack(losses).cpu():  # one wait for the device, not one a batch
        total += each
    return float(total / len(rows))


def batches_per_epoch(n_rows: int, batch_size: int) -> int:
    """Full batches in n rows; the rest is left out of this epoch (other rows in each), or is the only batch."""
    return max(n_rows // batch_size, 1)


def epoch_batches(rows: Tensor, batch_size: int, order: torch.Generator) -> list[Tensor]:
    """Rows in a new random order, in full batches on the device of `rows`."""
    shuffled = rows[torch.randperm(len(rows), generator=order).to(rows.device)]
    return list(shuffled.split(batch_size))[: batches_per_epoch(len(rows), batch_size)]
