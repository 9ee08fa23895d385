"""Which module takes a layer's very output: seen in one pass, not guessed from names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch.nn as nn
from torch import Tensor

Kind = Callable[[nn.Module], bool]


def called_layers(
    network: nn.Module, example: Any, is_layer: Kind, is_follower: Kind
) -> tuple[list[str], dict[str, str]]:
    """Names of the layers that one pass over the example calls, and of the follower behind each that has one.

    A follower counts where it takes the layer's output as it was made, nothing having been added to it in place, and each
    is called once. Whether the output goes to others too does not show here.
    """
    made: dict[int, tuple[str, Tensor, int]] = {}  # by identity; the tensor is held so that no other takes its number
    calls: Counter[str] = Counter()
    found, hooks = {}, []

    def after(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            calls[name] += 1
            made[id(output)] = (name, output, output._version)

        return hook

    def before(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any) -> None:
            calls[name] += 1
            layer, tensor, version = made.get(id(inputs[0]), ("", None, 0))
            if tensor is not None and tensor._version == version:
                found[layer] = name

        return hook

    layers = [name for name, module in network.named_modules() if is_layer(module)]
    for name, module in network.named_modules():
        if is_layer(module):
            hooks.append(module.register_forward_hook(after(name)))
        elif is_follower(module):
            hooks.append(module.register_forward_pre_hook(before(name)))
    try:
        network(example)
    finally:
        for hook in hooks:
            hook.remove()
    pairs = {layer: follower for layer, follower in found.items() if calls[layer] == calls[follower] == 1}
    return [name for name in layers if calls[name]], pairs
