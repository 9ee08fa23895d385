"""A copy of a network that only predicts: it says the same in less time.

Batch norm goes into the layer before it (`folded`), on a CPU pooling takes fewer passes (`pooling`) and layers apply the
activation behind them (`fused`); weights that autocast would bring to bfloat16 in every batch are kept so.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from harness.models.folded import fold_norms, is_layer
from harness.models.fused import fuse, keep_packed
from harness.models.pooling import quicken_pooling

_TOLERANCE = 1e-3  # of the largest output, in fp32

Change = Callable[[nn.Module, Any], int]
"""Changes a network in place, given an example of what it is called with; returns how many of its modules."""


@torch.inference_mode(False)
@torch.no_grad()
def copy_for_prediction(
    network: nn.Module, example: Any, memory_format: torch.memory_format, low_precision: bool = False
) -> nn.Module:
    """A copy of `network` for prediction. The network itself is left as it is.

    Each change is tried on the example, and left out where the copy would say something else or the processor cannot do
    it: nothing else shows, say, that a layer's output goes nowhere but into its norm.

    Parameters
    ----------
    network : in evaluation mode, on the example's device
    example : what it is called with, of one or two images
    memory_format : of the copy's kernels
    low_precision : whether predictions are made under bfloat16 autocast
    """
    said = network(example)
    made = _tried(fold_norms, copy.deepcopy(network), example, said, low_precision)
    on_cpu = said.device.type == "cpu"
    if on_cpu:
        made = _tried(lambda net, _: quicken_pooling(net), made, example, said, low_precision)
        made = _tried(fuse, made, example, said, low_precision)
    made = made.to(memory_format=memory_format)
    if low_precision:
        made = _lowered(made, example)
    keep_packed(made)
    return made


def _tried(change: Change, network: nn.Module, example: Any, said: Tensor, low_precision: bool) -> nn.Module:
    """The network with a change, or as it was where that does not say the same."""
    made = copy.deepcopy(network)
    try:
        if not change(made, example) or not _agree(said, made(example), _TOLERANCE):
            return network
        if low_precision:
            with torch.autocast(said.device.type, torch.bfloat16):
                made(example)
    except RuntimeError:  # the processor has no such operation
        return network
    return made


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
        if is_layer(module) and all(owners[id(p)] == 1 for p in module.parameters(recurse=False)):
            module.to(torch.bfloat16)
    with torch.autocast(example.device.type, torch.bfloat16):
        try:
            same = _agree(network(example).float(), made(example).float(), 0.0)
        except RuntimeError:  # two types in one product
            return network
    return made if same else network
