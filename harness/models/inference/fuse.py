"""Convolutions and dense layers that apply the activation behind them as they write, for prediction on a CPU.

oneDNN applies a ReLU, SiLU or GELU to a product before it leaves the registers, which saves a pass over the feature map, and
takes weights in the order in which its kernels read them, which saves bringing them into it in every batch. torch has both as
`torch.ops.mkldnn`, of which torch.compile makes its predictions on CPUs; here they are used without compiling (seconds, not
half a minute). Where torch or the processor lacks them, networks stay as they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from harness.models.depthwise import DepthwiseConv2d
from harness.models.inference.graph import called_layers

_OPERATIONS = (
    "_convolution_pointwise",
    "_linear_pointwise",
    "_reorder_convolution_weight",
    "_reorder_linear_weight",
)

Activation = tuple[str, list[float], str]
"""oneDNN's name of it, its numbers, its way of computing it."""

_NONE: Activation = ("none", [], "")
_ACTIVATIONS: dict[type[nn.Module], Activation] = {
    nn.ReLU: ("relu", [], ""),
    nn.ReLU6: ("hardtanh", [0.0, 6.0], ""),
    nn.SiLU: ("swish", [], ""),
    nn.Sigmoid: ("sigmoid", [], ""),
}


def fuse(network: nn.Module, example: Any) -> int:
    """Replace a network's plain convolutions and dense layers, in place; returns how many there were.

    Parameters
    ----------
    network : in evaluation mode, on the CPU
    example : what it is called with, of one or two images
    """
    if not _available():
        return 0
    layers, activations = called_layers(network, example, _is_layer, _is_activation)
    for name in layers:
        layer: Any = network.get_submodule(name)
        activation = _NONE
        if name in activations:
            activation = _activation(network.get_submodule(activations[name])) or _NONE
            network.set_submodule(activations[name], nn.Identity())
        network.set_submodule(name, (FusedLinear if type(layer) is nn.Linear else FusedConv2d)(layer, activation))
    return len(layers)


def pack_weights(network: nn.Module) -> None:
    """From the next batch on, keep the weights as the kernels want them for a batch like it (any other fits as well)."""
    for module in network.modules():
        if isinstance(module, _Fused):
            module.packs, module.packed = True, None


class _Fused(nn.Module, ABC):
    """A layer and the activation behind it."""

    def __init__(self, layer: Any, activation: Activation) -> None:
        super().__init__()
        self.weight, self.bias, self.activation = layer.weight, layer.bias, activation
        self.packs = False
        self.packed: tuple[Tensor, Tensor | None] | None = None  # weight and bias, as they are given to oneDNN

    def forward(self, x: Tensor) -> Tensor:
        kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else self.weight.dtype
        x = x.to(kind)
        if self.packed is not None and self.packed[0].dtype == kind:
            return self.apply_to(x, *self.packed)
        weight, bias = self.weight.to(kind), None if self.bias is None else self.bias.to(kind)
        if self.packs:
            weight = self.pack(x, weight)
            self.packed = weight, bias
        return self.apply_to(x, weight, bias)

    @abstractmethod
    def apply_to(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """activation(layer(x)), by a weight that is packed or not."""

    @abstractmethod
    def pack(self, x: Tensor, weight: Tensor) -> Tensor:
        """The weight in the order of the kernel that takes batches like x."""


class FusedConv2d(_Fused):
    """activation(conv2d(x))."""

    def __init__(self, layer: nn.Conv2d, activation: Activation) -> None:
        super().__init__(layer, activation)
        self.padding = _padding(layer)
        self.geometry = (self.padding, list(layer.stride), list(layer.dilation), layer.groups)

    def apply_to(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The layer with its activation, by oneDNN; `weight` may be packed."""
        return torch.ops.mkldnn._convolution_pointwise(x, weight, bias, *self.geometry, *self.activation)

    def pack(self, x: Tensor, weight: Tensor) -> Tensor:
        """The weight in the memory layout that oneDNN takes for inputs like `x`."""
        return torch.ops.mkldnn._reorder_convolution_weight(weight, *self.geometry, list(x.shape))


class FusedLinear(_Fused):
    """activation(linear(x))."""

    def apply_to(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The layer with its activation, by oneDNN; `weight` may be packed."""
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, *self.activation)

    def pack(self, x: Tensor, weight: Tensor) -> Tensor:
        """The weight in the memory layout that oneDNN takes for inputs like `x`."""
        return torch.ops.mkldnn._reorder_linear_weight(weight, x.numel() // x.shape[-1])


def _available() -> bool:
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in _OPERATIONS)


def _is_layer(module: nn.Module) -> bool:
    """These very types: a subclass may do something else with its weight."""
    if isinstance(module, nn.Conv2d) and type(module) in (nn.Conv2d, DepthwiseConv2d):
        return module.padding_mode == "zeros" and _padding(module) is not None
    return type(module) is nn.Linear


def _padding(layer: nn.Conv2d) -> list[int] | None:
    """Pixels on each side, by height and width; None where the sides differ."""
    if layer.padding == "valid":
        return [0, 0]
    if not isinstance(layer.padding, str):  # else it is "same"
        return list(layer.padding)
    whole = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    return None if any(pixels % 2 for pixels in whole) else [pixels // 2 for pixels in whole]


def _is_activation(module: nn.Module) -> bool:
    return _activation(module) is not None


def _activation(module: nn.Module) -> Activation | None:
    if type(module) is nn.GELU:
        return ("gelu", [], module.approximate)
    if type(module).__name__ == "GELU" and type(module).__module__ == "timm.layers.activations":
        return ("gelu", [], "none")
    return _ACTIVATIONS.get(type(module))
