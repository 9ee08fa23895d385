"""A remedy: depthwise convolutions whose slow gradients are taken in fp32.

On a CPU the weight gradient of a depthwise convolution is slow in bfloat16, and where it strides the gradient of its input even more (at
144 channels of 32 pixels, 5x5, forty times as slow as in fp32). Networks of them train faster when these products are taken in
fp32 and everything else stays in bfloat16 (figures in benchmarks/RESULTS.md).
"""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


def use_fp32_gradients(network: nn.Module) -> int:
    """Give every plain depthwise convolution of a network, and timm's with padding as TensorFlow does it, the fp32 gradients; returns how
    many there are.

    The parameters stay the same objects; on a GPU, in fp32 and at prediction nothing changes.
    """
    found = 0
    for module in network.modules():
        if not isinstance(module, nn.Conv2d) or not module.groups == module.in_channels > 1:
            continue
        if module.padding_mode != "zeros" or isinstance(module.padding, str):
            continue
        if type(module) is nn.Conv2d:
            module.__class__ = DepthwiseConv2d
        elif is_timms_same(module):
            module.__class__ = _same(type(module))  # type: ignore[arg-type]
        else:
            continue
        found += 1
    return found


def is_timms_same(module: nn.Module) -> bool:
    """Whether it is timm's convolution with padding as TensorFlow does it; by its name: timm takes a second to import."""
    kind = type(module)
    return kind.__name__ == "Conv2dSame" and kind.__module__.startswith("timm.")


class Fp32Gradients(nn.Conv2d):
    """A depthwise convolution that, under bfloat16 autocast on a CPU, takes its slow gradients in fp32."""

    def _padded(self, x: Tensor) -> tuple[Tensor, Any]:
        """The input, and the padding that it wants still."""
        return x, self.padding

    def forward(self, x: Tensor) -> Tensor:
        """float (B, C, H, W) -> (B, C, H', W'), as the convolution that it was."""
        slow = x.device.type == "cpu" and torch.is_grad_enabled() and self.weight.requires_grad
        if not (slow and torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16):
            return super().forward(x)
        low = torch.bfloat16
        bias = None if self.bias is None else self.bias.to(low)
        x, padding = self._padded(x.to(low))
        y = _Fp32Gradients.apply(x, self.weight, self.stride, padding, self.dilation, self.groups)
        return y if bias is None else y + bias.view(1, -1, 1, 1)


class DepthwiseConv2d(Fp32Gradients):
    """nn.Conv2d with the remedy."""


@functools.cache
def _same(kind: type[nn.Conv2d]) -> type[nn.Conv2d]:
    """timm's class with the remedy."""
    from timm.layers.padding import pad_same

    class DepthwiseConv2dSame(Fp32Gradients, kind):  # type: ignore[misc,valid-type]
        """timm's Conv2dSame with the remedy."""

        def _padded(self, x: Tensor) -> tuple[Tensor, Any]:
            return pad_same(x, list(self.weight.shape[-2:]), list(self.stride), list(self.dilation)), (0, 0)

    return DepthwiseConv2dSame


class _Fp32Gradients(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, x: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> Tensor:
        """float (B, C, H, W) -> (B, C, H', W'), as `torch.nn.Conv2d`."""
        context.save_for_backward(x, weight)
        context.settings = (stride, padding, dilation, groups)
        with torch.autocast("cpu", enabled=False):
            return F.conv2d(x, weight.to(x.dtype), None, stride, padding, dilation, groups)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = context.saved_tensors
        stride, padding, dilation, groups = context.settings
        wants_x = context.needs_input_grad[0]

        def gradients(low: torch.dtype, *wanted: bool) -> Any:
            parts = [part.to(low) for part in (gradient, x, weight)]
            return torch.ops.aten.convolution_backward(
                *parts, None, stride, padding, dilation, False, [0, 0], groups, wanted
            )

        strided = wants_x and max(stride) > 1
        of_x, of_weight, _ = gradients(torch.float32, strided, True, False)
        if wants_x and not strided:
            of_x = gradients(x.dtype, True, False, False)[0]
        return (of_x.to(x.dtype) if wants_x else None), of_weight.to(weight.dtype), None, None, None, None
