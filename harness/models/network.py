"""What is trained and saved: a network together with the normalisation of its input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn as nn
from torch import Tensor


class Network(nn.Module):
    """Pixels in [0, 1] -> logits. Mean and standard deviation travel with the weights, so that no one forgets them.

    Parameters
    ----------
    body : module (B, C, H, W) -> (B, n_classes)
    mean, std : per channel, length C, of the training rows only, or what pretrained weights expect
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, mean: Sequence[float], std: Sequence[float], n_classes: int) -> None:
        super().__init__()
        self.body, self.n_classes = body, n_classes
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """float (B, C, H, W), values in [0, 1] -> logits (B, n_classes)."""
        return self.body((x - self.mean) / self.std)
