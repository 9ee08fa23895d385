"""Any image model of timm, by name."""

from __future__ import annotations

import difflib

import torch.nn as nn


def timm_model(
    height: int, width: int, channels: int, n_classes: int, *, backbone: str = "resnet18", dropout: float = 0.0
) -> nn.Module:
    """A timm network from scratch: no weights are fetched.

    Raises
    ------
    ValueError
        If timm does not know the name; lists the nearest ones.
    """
    import timm

    if not timm.is_model(backbone):
        near = difflib.get_close_matches(backbone, timm.list_models(), n=5)
        raise ValueError(f"timm has no model '{backbone}'; the nearest: {', '.join(near) or 'none'}")
    return timm.create_model(backbone, pretrained=False, in_chans=channels, num_classes=n_classes, drop_rate=dropout)
