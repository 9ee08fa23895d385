"""The network of the CIFAR-10 speed runs: patch whitening, three wide stages, a scaled output.

After Keller Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (2024), which stands on David Page's "How to train
your ResNet" (2019): the shapes and constants are theirs, the code is ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from harness.models.tabular.columns import wider

_PATCH = 2
_LOGIT_SCALE = 1 / 9


def speedrun(
    height: int,
    width: int,
    channels: int,
    n_classes: int,
    *,
    widths: Sequence[int] = (64, 256, 256),
    whitening_eps: float = 5e-4,
) -> nn.Module:
    """Whitening of 2x2 patches (fixed, from the training images), then a stage of two convolutions per entry of `widths`.

    Each stage halves the image; images must be at least 2^(stages + 1) pixels wide.

    Parameters
    ----------
    widths : filters of each stage
    whitening_eps : added to the variances of the patches before they are divided by
    """
    if min(height, width) < 2 ** (len(widths) + 1):
        raise ValueError(f"images of {height}x{width} are too small for {len(widths)} stages")
    return Speedrun(channels, n_classes, widths, whitening_eps)


class Speedrun(nn.Module):
    """float (B, C, H, W), normalised -> logits (B, n_classes). Call `initialise` with training images first."""

    def __init__(self, channels: int, n_classes: int, widths: Sequence[int], eps: float) -> None:
        super().__init__()
        self.eps, patch = eps, channels * _PATCH**2
        self.whiten = nn.Conv2d(channels, 2 * patch, _PATCH, padding=0, bias=True)
        self.whiten.weight.requires_grad_(False)
        inputs = [2 * patch, *widths]
        self.stages = nn.Sequential(*(Stage(a, b) for a, b in zip(inputs, widths, strict=False)))
        self.output = nn.Linear(widths[-1], n_classes, bias=False)

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set the whitening from images (n, C, H, W), normalised: eigenvectors of their patches, and their negatives."""
        c = x.shape[1]
        patches = x.unfold(2, _PATCH, 1).unfold(3, _PATCH, 1)  # (n, C, h, w, 2, 2)
        patches = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, c * _PATCH**2)
        covariance = (patches.T @ patches / len(patches)).cpu().double()
        values, vectors = torch.linalg.eigh(covariance)
        kernels = (vectors / torch.sqrt(values + self.eps)).T.flip(0).reshape(-1, c, _PATCH, _PATCH)
        self.whiten.weight.copy_(torch.cat([kernels, -kernels]))
        assert self.whiten.bias is not None
        self.whiten.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """float (B, C, H, W) -> logits (B, n_classes) of the network, (B, C', H/2, W/2) of a stage."""
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Pooled features (B, F)."""
        return self.stages(F.gelu(self.whiten(x))).amax(dim=(2, 3))

    def head(self, features: Tensor) -> Tensor:
        """Features (B, F) -> logits (B, n_classes)."""
        return self.output(features) * _LOGIT_SCALE

    def widen(self, more: int) -> None:
        """Let the output take so many features more."""
        self.output = wider(self.output, more)


class Stage(nn.Module):
    """Convolution, halving, batch norm, GELU, convolution, batch norm, GELU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(inputs, outputs), _convolution(outputs, outputs)
        self.norm1, self.norm2 = _norm(outputs), _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """float (B, C, H, W) -> logits (B, n_classes) of the network, (B, C', H/2, W/2) of a stage."""
        x = F.gelu(self.norm1(F.max_pool2d(self.first(x), 2)))
        return F.gelu(self.norm2(self.second(x)))


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3 without bias; the first kernels pass their channel on (Dirac), so that depth does not hurt at the start."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(convolution.weight[:inputs].data)
    return convolution


def _norm(features: int) -> nn.BatchNorm2d:
    """Batch norm of short memory whose scale stays 1."""
    norm = nn.BatchNorm2d(features, eps=1e-12, momentum=0.4)
    norm.weight.requires_grad_(False)
    return norm
