"""Pooling in fewer passes, for prediction on a CPU with channels last."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

_LEAST_CHANNELS = 16  # below, the slices are too short to be worth it


def replace_pooling(network: nn.Module, example: Any = None) -> int:
    """Make a network's max pooling and squeeze-and-excite blocks quicker, in place; returns how many there were.

    example : not looked at
    """
    found = 0
    for module in network.modules():
        if type(module) is nn.MaxPool2d and _is_plain(module):
            module.__class__ = SlicedMaxPool2d
            found += 1
        elif type(module).__name__ == "SqueezeExcite" and type(module).__module__ == "timm.models._efficientnet_blocks":
            module.forward = _SqueezeExcite(module)
            found += 1
    return found


class SlicedMaxPool2d(nn.MaxPool2d):
    """Max pooling as maxima of shifted slices, first over rows, then over columns.

    torch's own also finds where each maximum stood, which prediction has no use for.
    """

    def forward(self, x: Tensor) -> Tensor:
        """float (B, C, H, W) -> (B, C, H', W'), as the pooling that it stands for."""
        if x.shape[1] < _LEAST_CHANNELS or not x.is_contiguous(memory_format=torch.channels_last):
            return super().forward(x)
        geometry = _pair(self.kernel_size), _pair(self.stride), _pair(self.padding)
        for axis, kernel, stride, padding in zip((2, 3), *geometry, strict=True):
            x = _slide(x, axis, kernel, stride, padding)
        return x


class _SqueezeExcite:
    """The forward of timm's block, whose mean over a bfloat16 map would go through a copy of it in float32."""

    def __init__(self, block: Any) -> None:
        self.block = block

    def __call__(self, x: Tensor) -> Tensor:
        block = self.block
        squeezed = F.avg_pool2d(x, x.shape[2:])
        return x * block.gate(block.conv_expand(block.act1(block.conv_reduce(squeezed))))


def _is_plain(pool: nn.MaxPool2d) -> bool:
    """No dilation, no rounding up, nothing returned but the maxima, and each window with a pixel of its own to begin with."""
    sides = zip(_pair(pool.kernel_size), _pair(pool.padding), strict=True)
    inside = all(2 * padding <= kernel - 1 and kernel > 1 for kernel, padding in sides)
    return inside and _pair(pool.dilation) == (1, 1) and not pool.ceil_mode and not pool.return_indices


def _slide(x: Tensor, axis: int, kernel: int, stride: int, padding: int) -> Tensor:
    """Maxima of windows along one axis; what lies outside of the image does not count."""
    n = x.shape[axis]
    n_windows = (n + 2 * padding - kernel) // stride + 1

    def pixels(offset: int, first: int, last: int) -> Tensor:
        """Of each window from the first to the last the pixel at an offset from its middle."""
        return _every(x.narrow(axis, first * stride + offset, (last - first) * stride + 1), axis, stride)

    maxima, ours = pixels(0, 0, n_windows - 1), False  # a view of x, which must not be written to
    for offset in [o for o in range(kernel - padding - 1, -padding - 1, -1) if o]:
        first = max(0, -(offset // stride))  # the first and last window whose pixel at the offset lies in the image
        last = min(n_windows - 1, (n - 1 - offset) // stride)
        if not ours and (first, last) == (0, n_windows - 1):
            maxima, ours = torch.maximum(maxima, pixels(offset, first, last)), True
            continue
        if not ours:
            maxima, ours = maxima.clone(memory_format=torch.channels_last), True
        there = maxima.narrow(axis, first, last - first + 1)
        torch.maximum(there, pixels(offset, first, last), out=there)
    return maxima


def _every(x: Tensor, axis: int, stride: int) -> Tensor:
    return x[:, :, ::stride] if axis == 2 else x[:, :, :, ::stride]


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
