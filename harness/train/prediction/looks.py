"""Loss and score of some validation and training rows as training goes on: for curves alone, nothing is chosen by them.

A look costs at most 3 % of what the training between two looks costs, reckoned by counts of images, not by the clock: so that the numbers
are the same on every machine. It leaves everything as it was: weights, batch-norm statistics, modes of modules, generators.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from harness.models.inference.parts import in_parts
from harness.models.network import target_scale
from harness.train.inputs.network_inputs import Inputs
from harness.train.loss import Loss
from harness.train.precision import Layout
from harness.train.prediction.tta import combine

SHARE = 0.02
"""Of the cost of training that looks are reckoned to cost: what is reckoned may be off by half."""

_FORWARD = 3  # forward passes that cost as much as a training step of the same images
_LEAST, _MOST = 100, 2048  # rows below which a score says little, and beyond which more of them say little

Score = Callable[[np.ndarray, np.ndarray], float]
"""Of targets and outputs of some rows, by the competition's metric."""


@dataclass(frozen=True)
class Looks:
    """What is looked at, and how often.

    Attributes
    ----------
    valid, train : int64 (m,), rows that the model is not trained on, and some that it is
    every : epochs from one look to the next; the last epoch has one
    batch_size : images per forward pass
    score : see there
    """

    valid: Tensor
    train: Tensor
    every: int
    batch_size: int
    score: Score

    def are_due(self, epoch: int, epochs: int) -> bool:
        """Whether to look after an epoch (counted from 1)."""
        return (epochs - epoch) % self.every == 0 and epoch >= self.every


def plan_looks(n_train: int, n_valid: int, per_epoch: int, epochs: int) -> tuple[int, int]:
    """(rows of each kind, epochs between two looks), so that the looks cost at most SHARE of the training.

    Both kinds are looked at, a forward pass each. What a look costs besides its rows is reckoned as one training step. Where an epoch is too
    short for 100 rows, looks are rarer; where all epochs are, the one look at the end has fewer rows.

    n_train : rows of an epoch; per_epoch : steps of an epoch
    """
    of_epoch = SHARE * n_train * _FORWARD / 2
    enough = min(_LEAST, n_valid, n_train)
    every = max(math.ceil(enough / of_epoch), math.ceil(1 / (SHARE * per_epoch)), 1)
    every = min(every, epochs)
    return min(int(of_epoch * every), _MOST), every


def some_rows(rows: Tensor, n: int, seed: int) -> Tensor:
    """n of the rows at most, the same for the same seed, sorted; no generator of the training is asked."""
    if n >= len(rows):
        return rows
    chosen = np.sort(np.random.default_rng([seed, 7]).permutation(len(rows))[:n])
    return rows[torch.from_numpy(chosen).to(rows.device)]


def look(
    network: nn.Module, inputs: Inputs, labels: Tensor, looks: Looks, layout: Layout, loss: Loss
) -> dict[str, float]:
    """valid_loss, valid_score and train_score by the network's weights as they are; one that is no number is left out."""
    with _left_as_it_was(network, inputs.device):
        valid_loss, valid_score = _measured(network, inputs, labels, looks.valid, looks, layout, loss)
        _, train_score = _measured(network, inputs, labels, looks.train, looks, layout, loss)
    found = {"valid_loss": valid_loss, "valid_score": valid_score, "train_score": train_score}
    return {name: value for name, value in found.items() if math.isfinite(value)}


@torch.no_grad()  # not inference mode: what a network keeps of a pass must serve in training too
def _measured(
    network: nn.Module, inputs: Inputs, labels: Tensor, rows: Tensor, looks: Looks, layout: Layout, loss: Loss
) -> tuple[float, float]:
    if not len(rows):
        return math.nan, math.nan
    parts, outputs = list(rows.split(looks.batch_size)), []
    for x in inputs.plain(parts):
        with layout.autocast(x.device):
            outputs += [network(part).float() for part in in_parts(x, network)]
    logits, targets = torch.cat(outputs), labels[rows.to(labels.device)]
    mean = float(loss(logits, targets))
    scale = target_scale(network)
    logits = logits if scale is None else logits * scale[1] + scale[0]
    one = torch.ones(1, 1, 1, device=logits.device)
    proba = combine(logits[None], one, "probability", getattr(network, "activation", "softmax")).cpu().numpy()
    try:
        return mean, float(looks.score(targets.cpu().numpy(), proba))
    except (
        Exception
    ):  # a metric that some rows are too few for, a competition's own among them: no reason to end a training
        return mean, math.nan


@contextlib.contextmanager
def _left_as_it_was(network: nn.Module, device: torch.device) -> Iterator[None]:
    """The network in prediction mode; afterwards modes and global generators are as before."""
    modes = [(module, module.training) for module in network.modules()]
    drawn, numpy_drawn = random.getstate(), np.random.get_state()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        network.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
            random.setstate(drawn)
            np.random.set_state(numpy_drawn)
