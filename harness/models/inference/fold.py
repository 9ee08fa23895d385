"""Batch norm and scales folded into the convolution or dense layer before them, for prediction.

There batch norm is a fixed scale and shift per channel, which the layer before it can take over (Jacob et al. 2018, section
3.2): one pass less over every feature map.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import torch.nn as nn
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from harness.models.depthwise import Fp32Gradients, is_timms_same
from harness.models.inference.graph import called_layers

_LAYERS = (nn.Conv2d, nn.Linear)  # these very types: a subclass may do something else with its weight
_TIMM_NORM = "BatchNormAct2d"


def fold_batch_norm(network: nn.Module, example: Any) -> int:
    """Fold a network's batch norms into the layers before them, in place; returns how many there were.

    Parameters
    ----------
    network : in evaluation mode, on the example's device
    example : what it is called with, of one or two images
    """
    if not any(_is_norm(module) for module in network.modules()):
        return 0
    _, pairs = called_layers(network, example, is_layer, _is_norm)
    for layer, norm in pairs.items():
        _fold(network, layer, norm)
    return len(pairs)


def fold_layer_scale(network: nn.Module, example: Any = None) -> int:
    """Fold the scale at the end of timm's ConvNeXt blocks into the layer before it, in place; returns how many there were.

    example : not looked at
    """
    found = 0
    block: Any  # timm's
    for block in network.modules():
        if _is_timms(block, "ConvNeXtBlock") and block.gamma is not None and is_layer(block.mlp.fc2):
            layer = block.mlp.fc2
            scale = block.gamma.view(-1, *[1] * (layer.weight.dim() - 1))
            layer.weight = nn.Parameter(layer.weight * scale, requires_grad=False)
            layer.bias = nn.Parameter(layer.bias * block.gamma, requires_grad=False)
            block.gamma = None
            found += 1
    return found


def is_layer(module: nn.Module) -> TypeGuard[nn.Conv2d | nn.Linear]:
    """Whether it is a plain convolution or dense layer, timm's with padding as TensorFlow does it too."""
    return type(module) in _LAYERS or isinstance(module, Fp32Gradients) or is_timms_same(module)


def _is_norm(module: nn.Module) -> bool:
    """Batch norm with statistics of its own; timm's with an activation in it too."""
    plain = type(module) in (nn.BatchNorm1d, nn.BatchNorm2d) or _is_timms(module, _TIMM_NORM)
    return plain and module.running_mean is not None


def _is_timms(module: nn.Module, name: str) -> bool:
    kind = type(module)  # by its name: timm takes a second to import, and most networks have nothing of it
    return kind.__name__ == name and kind.__module__.startswith("timm.")


def _fold(network: nn.Module, layer_name: str, norm_name: str) -> None:
    layer: Any = network.get_submodule(layer_name)
    norm: Any = network.get_submodule(norm_name)
    statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    fuse: Any = fuse_linear_bn_weights if isinstance(layer, nn.Linear) else fuse_conv_bn_weights
    layer.weight, layer.bias = fuse(layer.weight, layer.bias, *statistics)
    rest = nn.Sequential(norm.drop, norm.act) if _is_timms(norm, _TIMM_NORM) else nn.Identity()
    network.set_submodule(norm_name, rest.eval())
