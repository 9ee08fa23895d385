"""A small residual network: a convolution that halves and widens, then a residual pair, stage by stage.

The layout of the DAWNBench winner (Page 2018, "How to train your ResNet"), which learns CIFAR-10 in few epochs, with
stages of one's own: for data of some thousand images that a ResNet-18 would only learn by heart.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn as nn
from torch import Tensor

from harness.models.dropout import Dropout
from harness.models.small import ConvBlock, Headed


def resnet(
    height: int,
    width: int,
    channels: int,
    n_classes: int,
    *,
    stem: int = 48,
    stem_kernel: int = 3,
    stem_pool: bool = False,
    widths: Sequence[int] = (96, 192, 384),
    residuals: Sequence[int] = (1, 0, 1),
    head: str = "max",
    dropout: float = 0.0,
) -> nn.Module:
    """Stem, then for each width a convolution with 2x2 max pooling and some residual pairs, then global pooling.

    Parameters
    ----------
    stem : filters of the first convolution
    stem_kernel : side of its kernels
    stem_pool : whether it halves
    widths : filters of each stage
    residuals : residual pairs of 3x3 convolutions in each stage
    head : "max" or "average": global pooling
    dropout : before the output
    """
    if len(widths) != len(residuals):
        raise ValueError(f"residuals has {len(residuals)} values for {len(widths)} widths")
    heads = {"max": nn.AdaptiveMaxPool2d, "average": nn.AdaptiveAvgPool2d}
    if head not in heads:
        raise ValueError(f"head = {head!r}; known: {', '.join(heads)}")
    body: list[nn.Module] = [ConvBlock(channels, stem, stem_kernel, "same", True, stem_pool, pool_first=True)]
    inputs = stem
    for filters, n in zip(widths, residuals, strict=True):
        body.append(ConvBlock(inputs, filters, 3, "same", True, True, pool_first=True))
        body += [ResidualPair(filters) for _ in range(n)]
        inputs = filters
    body += [heads[head](1), nn.Flatten()]
    last: list[nn.Module] = [Dropout(dropout)] if dropout else []
    return Headed(body, [*last, nn.Linear(inputs, n_classes)])


class ResidualPair(nn.Module):
    """x + two 3x3 convolutions, each with batch norm and ReLU."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.first = ConvBlock(filters, filters, 3, "same", True)
        self.second = ConvBlock(filters, filters, 3, "same", True)

    def forward(self, x: Tensor) -> Tensor:
        """float (B, C, H, W) -> the same shape."""
        return x + self.second(self.first(x))
