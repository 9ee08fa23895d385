"""A remedy: depthwise convolutions whose weight gradient is taken in fp32.

On a CPU the weight gradient of a depthwise convolution is slow in bfloat16: a whole convnext_tiny trains faster when this
one product is taken in fp32 and everything else stays in bfloat16 (figures in benchmarks/RESULTS.md).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


def use_fp32_weight_gradient(network: nn.Module) -> int:
    """Give every plain depthwise convolution of a network the fp32 weight gradient; returns how many there are.

    The parameters stay the same objects; on a GPU, in fp32 and at prediction nothing changes.
    """
    found = 0
    for module in network.modules():
        depthwise = type(module) is nn.Conv2d and module.groups == module.in_channels > 1
        if depthwise and module.padding_mode == "zeros" and not isinstance(module.padding, str):
            module.__class__ = DepthwiseConv2d
            found += 1
    return found


class DepthwiseConv2d(nn.Conv2d):
    """nn.Conv2d that, under bfloat16 autocast on a CPU, takes its weight gradient in fp32."""

    def forward(self, x: Tensor) -> Tensor:
        """float (B, C, H, W) -> (B, C, H', W'), as `torch.nn.Conv2d`."""
        slow = x.device.type == "cpu" and torch.is_grad_enabled() and self.weight.requires_grad
        if not (slow and torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16):
            return super().forward(x)
        low = torch.bfloat16
        bias = None if self.bias is None else self.bias.to(low)
        y = _Fp32WeightGradient.apply(x.to(low), self.weight, self.stride, self.padding, self.dilation, self.groups)
        return y if bias is None else y + bias.view(1, -1, 1, 1)


class _Fp32WeightGradient(torch.autograd.Function):
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
        low = weight.to(x.dtype)

        def convolution_backward(g: Tensor, a: Tensor, w: Tensor, wanted: list[bool]) -> Any:
            return torch.ops.aten.convolution_backward(
                g, a, w, None, stride, padding, dilation, False, [0, 0], groups, wanted
            )

        of_x = None
        if context.needs_input_grad[0]:
            strided = max(stride) > 1
            g, a, w = (gradient.float(), x.float(), weight.float()) if strided else (gradient, x, low)
            of_x = convolution_backward(g, a, w, [True, False, False])[0].to(x.dtype)
        of_weight = convolution_backward(gradient.float(), x.float(), weight.float(), [False, True, False])[1]
        return of_x, of_weight.to(weight.dtype), None, None, None, None
