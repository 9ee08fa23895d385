"""Which layers learn: all, or the last few, and the rest from some epoch on."""

from __future__ import annotations

from typing import Any

import torch.nn as nn

from harness.base.errors import UserError
from harness.competition.train_spec import TrainSpec


def blocks(network: nn.Module) -> list[list[str]]:
    """Parameter names in blocks, first to last: timm's own grouping of a backbone, else module by module; head last."""
    backbone: Any = next((m for m in network.modules() if hasattr(m, "group_matcher")), None)
    if backbone is None:
        found = [names for _, names in layers(network)]
        return [*found[:-1], found[-1] + sorted(_columns(network))] if found else found
    prefix = next(name for name, module in network.named_modules() if module is backbone)
    prefix = f"{prefix}." if prefix else ""
    from timm.models import group_parameters

    grouped = group_parameters(backbone, backbone.group_matcher(coarse=False))
    found = [[prefix + name for name in grouped[number]] for number in sorted(grouped)]
    inside = {name for names in found for name in names}
    rest = [name for name, _ in network.named_parameters() if name not in inside]
    return [*found, rest] if rest else found


def layers(network: nn.Module) -> list[tuple[nn.Module, list[str]]]:
    """Modules that have parameters of their own, in order, with the parameters' full names; without those that columns go through."""
    return [
        (module, [f"{name}.{own}" if name else own for own, _ in module.named_parameters(recurse=False)])
        for name, module in network.named_modules()
        if any(True for _ in module.parameters(recurse=False)) and not name.startswith(_COLUMNS)
    ]


def frozen_names(network: nn.Module, spec: TrainSpec) -> set[str]:
    """Names of the parameters that stay as they are.

    Raises
    ------
    UserError
        If the network has fewer layers or blocks than should be trained.
    """
    if spec.freeze_layers is not None:
        key, kept, units = "freeze_layers", spec.freeze_layers, [names for _, names in layers(network)]
    elif spec.freeze_blocks is not None:
        key, kept, units = "freeze_blocks", spec.freeze_blocks + 1, blocks(network)  # 1: the head
    else:
        return set()
    if kept >= len(units):
        raise UserError(
            f"train.{key} = {getattr(spec, key)}: the network has only {len(units)}; leave it out to train all"
        )
    trained = {name for names in units[len(units) - kept :] for name in names} if kept else set()
    trained |= _head(network) | _columns(network)
    return {name for name, _ in network.named_parameters()} - trained


def fixed_names(network: nn.Module) -> set[str]:
    """Parameters that the network's own author never trains (whitening kernels, scales that stay 1)."""
    return {name for name, parameter in network.named_parameters() if not parameter.requires_grad}


def set_mode(network: nn.Module, frozen: set[str]) -> None:
    """Training mode, but for layers whose parameters are all frozen: their batch norms keep their statistics."""
    network.train()
    for parameter_name, parameter in network.named_parameters():
        parameter.requires_grad_(parameter_name not in frozen)
    for module, names in layers(network):
        if frozen.issuperset(names):
            module.eval()


_COLUMNS = "columns."


def _columns(network: nn.Module) -> set[str]:
    """What columns beside the images go through: new, and trained with the head."""
    return {name for name, _ in network.named_parameters() if name.startswith(_COLUMNS)}


def _head(network: nn.Module) -> set[str]:
    """The head is new and always trained: the last layer, and all of a timm model's head."""
    heads = {
        name for name, _ in network.named_parameters() if ".head." in f".{name}" and ".backbone." not in f".{name}"
    }
    return heads or set(layers(network)[-1][1])
