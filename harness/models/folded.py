"""A copy of a network that only predicts: batch norm folded into the convolution or dense layer before it.

In prediction batch norm is a fixed scale and shift per channel, which the layer before it can take over (Jacob et al.
2018, section 3.2): one pass less over every feature map. Weights that autocast would bring to bfloat16 in every batch are
kept so.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from harness.models.depthwise import DepthwiseConv2d

_TOLERANCE = 1e-3  # of the largest output, in fp32
_LAYERS = (nn.Conv2d, DepthwiseConv2d, nn.Linear)  # these very types: a subclass may do something else with its weight
_TIMM_LAYER, _TIMM_NORM = "Conv2dSame", "BatchNormAct2d"


@torch.no_grad()
def folded(
    network: nn.Module, example: Any, memory_format: torch.memory_format, low_precision: bool = False
) -> nn.Module:
    """A copy of `network` for prediction: it says the same in less time. The network itself is left as it is.

    Which norm stands behind which layer is seen in one pass over the example, not guessed from names; whether the copy
    says the same is tried, since nothing else shows that the layer's output goes nowhere but into the norm.

    Parameters
    ----------
    network : in evaluation mode, on the example's device
    example : what it is called with, of one or two images
    memory_format : of the copy's kernels
    low_precision : whether predictions are made under bfloat16 autocast
    """
    made, (pairs, said) = copy.deepcopy(network), _pairs(network, example)
    if pairs:
        for layer, norm in pairs.items():
            _fold(made, layer, norm)
        if not _agree(said, made(example), _TOLERANCE):
            made = copy.deepcopy(network)
    made = made.to(memory_format=memory_format)
    return _lowered(made, example) if low_precision else made


def _pairs(network: nn.Module, example: Any) -> tuple[dict[str, str], Tensor | None]:
    """Names of layers and of the norms that take their very output, each called once; and what the network says.

    None where it has no norms and was not asked.
    """
    if not any(_is_norm(module) for module in network.modules()):
        return {}, None
    made: dict[int, tuple[str, Tensor]] = {}  # by identity; the tensor is held so that no other takes its number
    found, calls, hooks = {}, {}, []

    def after(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            calls[name] = calls.get(name, 0) + 1
            made[id(output)] = (name, output)

        return hook

    def before(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any) -> None:
            calls[name] = calls.get(name, 0) + 1
            if id(inputs[0]) in made:
                found[made[id(inputs[0])][0]] = name

        return hook

    for name, module in network.named_modules():
        if _is_layer(module):
            hooks.append(module.register_forward_hook(after(name)))
        elif _is_norm(module):
            hooks.append(module.register_forward_pre_hook(before(name)))
    try:
        said = network(example)
    finally:
        for hook in hooks:
            hook.remove()
    return {layer: norm for layer, norm in found.items() if calls[layer] == calls[norm] == 1}, said


def _is_layer(module: nn.Module) -> bool:
    return type(module) in _LAYERS or _is_timms(module, _TIMM_LAYER)


def _is_norm(module: nn.Module) -> bool:
    """Batch norm with statistics of its own; timm's with an activation in it too."""
    plain = type(module) in (nn.BatchNorm1d, nn.BatchNorm2d) or _is_timms(module, _TIMM_NORM)
    return plain and module.running_mean is not None


def _is_timms(module: nn.Module, name: str) -> bool:
    kind = type(module)  # by its name: timm takes a second to import, and most networks have nothing of it
    return kind.__name__ == name and kind.__module__.startswith("timm.")


def _fold(network: nn.Module, layer_name: str, norm_name: str) -> None:
    layer, norm = network.get_submodule(layer_name), network.get_submodule(norm_name)
    statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    fuse = fuse_linear_bn_weights if isinstance(layer, nn.Linear) else fuse_conv_bn_weights
    layer.weight, layer.bias = fuse(layer.weight, layer.bias, *statistics)
    rest = nn.Sequential(norm.drop, norm.act) if _is_timms(norm, _TIMM_NORM) else nn.Identity()
    network.set_submodule(norm_name, rest.eval())


def _agree(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Whether they differ by at most this share of the largest value."""
    return bool((one - other).abs().max() <= tolerance * one.abs().max().clamp(min=1e-6))


def _lowered(network: nn.Module, example: Any) -> nn.Module:
    """A copy whose weights are in bfloat16 where autocast would bring them to it in every batch: the very same numbers.

    The network itself where they are not, as in one that leaves autocast for some of its layers.
    """
    made = copy.deepcopy(network)
    owners = Counter(id(p) for module in made.modules() for p in module._parameters.values())
    for module in made.modules():
        if _is_layer(module) and all(owners[id(p)] == 1 for p in module.parameters(recurse=False)):
            module.to(torch.bfloat16)
    with torch.autocast(example.device.type, torch.bfloat16):
        try:
            same = _agree(network(example).float(), made(example).float(), 0.0)
        except RuntimeError:  # two types in one product
            return network
    return made if same else network
