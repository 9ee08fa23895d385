"""A copy of a network that only predicts: it says the same in less time.

Batch norm and scales go into the layer before them (`folded`), on a CPU pooling takes fewer passes (`pooling`) and layers
apply the activation behind them (`fused`); weights that autocast would bring to bfloat16 in every batch are kept so.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from harness.models.inference.fold import fold_batch_norm, fold_layer_scale, is_layer
from harness.models.inference.fuse import fuse, pack_weights
from harness.models.inference.pool import replace_pooling

_TOLERANCE = 1e-3  # of the largest output, in fp32

Change = Callable[[nn.Module, Any], int]
"""Changes a network in place, given an example of what it is called with; returns how many of its modules."""


@torch.inference_mode(False)
@torch.no_grad()
def copy_for_prediction(
    network: nn.Module, example: Any, memory_format: torch.memory_format, low_precision: bool = False
) -> nn.Module:
    """A copy of `network` for prediction. The network itself is left as it is.

    What is changed is tried on the example, and left out where the copy would say something else or the processor cannot do
    it: nothing else shows, say, that a layer's output goes nowhere but into its norm.

    Parameters
    ----------
    network : in evaluation mode, on the example's device
    example : what it is called with, of one or two images
    memory_format : of the copy's kernels
    low_precision : whether predictions are made under bfloat16 autocast
    """
    said = network(example)
    changes: list[Change] = [fold_batch_norm, fold_layer_scale]
    if said.device.type == "cpu":
        changes += [replace_pooling, fuse]
    made = _changed(network, changes, example, said, memory_format, low_precision)
    if low_precision:
        made = _lowered(made, example)
    pack_weights(made)
    return made


def _changed(
    network: nn.Module,
    changes: list[Change],
    example: Any,
    said: Tensor,
    memory_format: torch.memory_format,
    low_precision: bool,
) -> nn.Module:
    """A copy with all changes; where that says something else, with those that do no harm."""

    def changed(changes: list[Change]) -> nn.Module:
        made = _twin(network)
        for change in changes:
            change(made, example)
        _order(made, memory_format)
        pack_weights(made)
        return made

    def tried(changes: list[Change]) -> nn.Module | None:
        try:
            made = changed(changes)
            if not _outputs_match(made, example, said, low_precision):
                return None
        except (RuntimeError, AttributeError):  # the processor lacks the operation; somebody asks for a layer's inside
            return None
        pack_weights(made)  # for batches of another size
        return made

    made = tried(changes)
    if made is not None:
        return made
    kept: list[Change] = []
    for change in changes:
        kept += [change] if tried([*kept, change]) is not None else []
    return changed(kept)


@torch.inference_mode()
def _outputs_match(made: nn.Module, example: Any, said: Tensor, low_precision: bool) -> bool:
    """Whether a copy says the same in float32, asked as it will be; that it can be asked in bfloat16 is tried too."""
    if low_precision:
        with torch.autocast(said.device.type, torch.bfloat16):
            made(example)
    return _agree(said, made(example), _TOLERANCE)


def _twin(network: nn.Module) -> nn.Module:
    """A copy that shares the network's parameters and buffers, which must be replaced and not written to."""
    return copy.deepcopy(network, {id(tensor): tensor for tensor in [*network.parameters(), *network.buffers()]})


def _agree(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Whether they differ by at most this share of the largest value."""
    return bool((one - other).abs().max() <= tolerance * one.abs().max().clamp(min=1e-6))


def _order(network: nn.Module, memory_format: torch.memory_format) -> None:
    """Give the kernels of convolutions a memory format; packed ones have an order of their own."""
    for module in network.modules():
        if is_layer(module) and module.weight.dim() == 4:
            module.weight = _constant(module.weight.contiguous(memory_format=memory_format))


def _lowered(network: nn.Module, example: Any) -> nn.Module:
    """The network with weights in bfloat16 where autocast would bring them to it in every batch: the very same numbers.

    As it is where they are not, as in one that leaves autocast for some of its layers.
    """
    if not any(is_layer(module) for module in network.modules()):
        return network
    owners = Counter(id(p) for module in network.modules() for p in module._parameters.values())
    made = _twin(network)
    for module in made.modules():
        own = [(name, p) for name, p in module.named_parameters(recurse=False) if owners[id(p)] == 1]
        if is_layer(module) and len(own) == len(list(module.parameters(recurse=False))):
            for name, parameter in own:
                setattr(module, name, _constant(parameter.to(torch.bfloat16)))
    with torch.autocast(example.device.type, torch.bfloat16):
        try:
            same = _agree(network(example).float(), made(example).float(), 0.0)
        except RuntimeError:  # two types in one product
            return network
    return made if same else network


def _constant(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value, requires_grad=False)
