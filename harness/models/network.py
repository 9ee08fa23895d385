"""What is trained and saved: a network together with the normalisation of its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from harness.models.tabular.columns import joined


class Network(nn.Module):
    """Pixels in [0, 1] -> logits. Mean and standard deviation travel with the weights, so that no one forgets them.

    Parameters
    ----------
    body : module (B, C, H, W) -> (B, n_classes)
    mean, std : per channel, length C, of the training rows only, or what pretrained weights expect
    activation : what makes outputs of its logits: "softmax" (one of several classes), "sigmoid" (several labels), "identity" (numbers)
    columns, in a network that takes them too (`harness.models.tabular.columns.add_columns`): makes what is put beside the pooled features
    scale : of numbers, (mean, standard deviation) (K,) each of the training targets: logits are in units of them
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        body: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        n_classes: int,
        activation: str = "softmax",
        scale: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__()
        set_outputs(self, activation, scale)
        self.columns: nn.Module | None = None
        self.body, self.n_classes = body, n_classes
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, x: Any) -> Tensor:
        """float (B, C, H, W), values in [0, 1], or `WithColumns` -> logits (B, n_classes)."""
        if self.columns is None:
            return shifted(self, self.body((x - self.mean) / self.std))
        return shifted(self, joined(self, self.body, (x.images - self.mean) / self.std, x.columns))


def set_outputs(network: Any, activation: str, scale: tuple[Tensor, Tensor] | None) -> None:
    """Tell a network what its logits are; the scale of numbers travels with its weights."""
    network.activation = activation
    if scale is not None:
        network.register_buffer("target_mean", scale[0].float())
        network.register_buffer("target_std", scale[1].float())


def target_scale(network: Any) -> tuple[Tensor, Tensor] | None:
    """(mean, standard deviation) that a network's logits are in units of; None where they are no numbers."""
    mean = getattr(network, "target_mean", None)
    return None if mean is None else (mean, network.target_std)


def set_logit_shift(network: Any, shift: Tensor) -> None:
    """Let a network add (C,) to its logits whenever it predicts, not while it is trained; it travels with its weights."""
    network.register_buffer("logit_shift", shift.float())


def logit_shift(network: Any) -> Tensor | None:
    """(C,) that a network adds to its logits when it predicts; None where it adds nothing."""
    return getattr(network, "logit_shift", None)


def shifted(network: nn.Module, logits: Tensor) -> Tensor:
    """Logits (B, C) of a network's last layer as it gives them."""
    shift = logit_shift(network)
    return logits if network.training or shift is None else logits + shift
