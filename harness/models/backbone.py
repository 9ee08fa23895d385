"""Any image model of timm, from scratch or pretrained, with a head of one's own."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import socket
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from harness.base.errors import UserError
from harness.models.small import dense_layers


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
    head: Sequence[int] = (),
    head_batch_norm: bool = True,
    dropout: float = 0.0,
    drop_path: float = 0.0,
) -> nn.Module:
    """A timm network and, on its pooled features, dense layers.

    Parameters
    ----------
    backbone : timm's name
    weights : "scratch", "pretrained" (timm downloads them once, then takes them from its cache), or the path of a
        .safetensors file with this backbone's weights
    weights_sha256 : checksum that such a file must have; "" = not checked
    image_size : side that images are brought to before the backbone; 0 = as they are
    head : sizes of dense layers between features and output, each with batch norm (head_batch_norm), ReLU, dropout
    dropout : after each dense layer; without any, before the output
    drop_path : stochastic depth, for backbones that have it

    Raises
    ------
    ValueError
        If timm does not know the name (lists the nearest).
    UserError
        If weights cannot be had, or do not fit.
    """
    import timm

    if not timm.is_model(backbone):
        near = difflib.get_close_matches(backbone, timm.list_models(), n=5)
        raise ValueError(f"timm has no model '{backbone}'; the nearest: {', '.join(near) or 'none'}")
    kwargs: dict[str, Any] = {"in_chans": channels, "num_classes": 0}
    if drop_path:
        kwargs["drop_path_rate"] = drop_path
    if _fixed_size(backbone):
        kwargs["img_size"] = image_size or (height, width)
    features = _with_weights(backbone, weights, weights_sha256, kwargs)
    layers = dense_layers(_n_features(features), head, dropout, head_batch_norm, n_classes)
    return Backbone(features, nn.Sequential(*layers), image_size)


def new_head(n_features: int, n_classes: int, args: dict[str, Any]) -> nn.Module:
    """The head that `timm_model` would put on n_features, by the same [model.args]."""
    batch_norm, dropout = args.get("head_batch_norm", True), args.get("dropout", 0.0)
    return nn.Sequential(*dense_layers(n_features, args.get("head", ()), dropout, batch_norm, n_classes))


class Backbone(nn.Module):
    """Pixels (B, C, H, W) -> pooled features of a backbone -> head -> logits.

    Attributes
    ----------
    normalisation : mean and standard deviation per channel that pretrained weights expect, else None
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, image_size: int) -> None:
        super().__init__()
        self.backbone, self.head, self.image_size = backbone, head, image_size
        self.normalisation: tuple[list[float], list[float]] | None = getattr(backbone, "normalisation", None)

    def features(self, x: Tensor) -> Tensor:
        """Pooled features (B, F)."""
        if self.image_size and x.shape[2:] != (self.image_size, self.image_size):
            size = (self.image_size, self.image_size)
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)
        return self.backbone(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def weights_digest(args: dict[str, Any]) -> str:
    """SHA-256 of the file that [model.args] takes its weights from; "" where it names none."""
    weights = args.get("weights", "scratch")
    if not isinstance(weights, str) or weights in ("scratch", "pretrained"):
        return ""
    return _sha256(_weights_file(weights))


def _with_weights(backbone: str, weights: str, sha256: str, kwargs: dict[str, Any]) -> nn.Module:
    """A timm model with the weights asked for; never silently from scratch."""
    import timm

    if weights == "scratch":
        return timm.create_model(backbone, pretrained=False, **kwargs)
    if weights == "pretrained":
        return _pretrained(backbone, kwargs)
    path = _weights_file(weights)
    if sha256 and _sha256(path) != sha256.lower():
        raise UserError(
            f"{path}: its SHA-256 is {_sha256(path)}, the recipe says {sha256}: not the file that was meant"
        )
    return _from_file(backbone, path, kwargs)


def _pretrained(backbone: str, kwargs: dict[str, Any]) -> nn.Module:
    import timm

    config = timm.get_pretrained_cfg(backbone)
    if config is None or not config.has_weights:
        names = ", ".join(timm.list_pretrained(f"{backbone.split('.')[0]}*")[:5]) or "none of this family"
        raise UserError(f"model.args.weights: timm has no pretrained weights for '{backbone}'; it has: {names}")
    try:
        with _quick_to_give_up():
            model = timm.create_model(backbone, pretrained=True, **kwargs)
    except Exception as error:  # whatever the hub's client raises: no network, no such file, a broken download
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"model.args.weights = 'pretrained': the weights of '{backbone}' could not be fetched ({reason}). Three ways:\n"
            "  1. run once with network access: timm downloads them into the Hugging Face cache, from then on it is enough;\n"
            "  2. copy that cache from another machine and set HF_HOME (and HF_HUB_OFFLINE=1);\n"
            f"  3. name a file: --set model.args.weights=PATH/{backbone}.safetensors\n"
            "Training from scratch instead must be asked for: --set model.args.weights=scratch"
        ) from error
    return _with_normalisation(model, config.to_dict(), kwargs["in_chans"])


@contextlib.contextmanager
def _quick_to_give_up() -> Iterator[None]:
    """Let the hub's client look into its cache only where the hub cannot be reached: it would retry for a minute and a half."""
    from huggingface_hub import constants

    was = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = was or not _hub_answers()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = was


def _hub_answers(timeout: float = 5.0) -> bool:
    """Whether a connection to the hub can be opened; behind a proxy that is left to the client to find out."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    hub = urllib.parse.urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    try:
        socket.create_connection((hub.hostname, hub.port or (80 if hub.scheme == "http" else 443)), timeout).close()
    except OSError:
        return False
    return True


def _from_file(backbone: str, path: Path, kwargs: dict[str, Any]) -> nn.Module:
    """timm's own loader on a local file: it adapts the first convolution to grey images and drops the classifier."""
    import timm

    try:
        overlay = {"file": str(path), "url": "", "hf_hub_id": None}
        model = timm.create_model(backbone, pretrained=True, pretrained_cfg_overlay=overlay, **kwargs)
    except Exception as error:  # safetensors and torch raise their own kinds
        reason = "\n  ".join(line.strip() for line in str(error).splitlines()[:6])
        raise UserError(f"{path}: these weights do not fit '{backbone}':\n  {reason}") from error
    _check_keys(model, backbone, path)
    return _with_normalisation(model, timm.get_pretrained_cfg(backbone).to_dict(), kwargs["in_chans"])


def _check_keys(model: nn.Module, backbone: str, path: Path) -> None:
    """timm's loader leaves out what a file lacks, or has too much, without a word; here it is an error."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        there = set(file.keys())
    wanted = {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    classifiers = model.pretrained_cfg.get("classifier") or ()
    classifiers = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers)
    unknown = {name for name in there - set(model.state_dict()) if not name.startswith(classifiers)}
    lines = [f"{what}: {', '.join(sorted(names)[:4])}{', ...' if len(names) > 4 else ''} ({len(names)} in all)"
             for what, names in (("not in the file", wanted - there), ("only in the file", unknown)) if names]  # fmt: skip
    if lines:
        raise UserError(f"{path}: these weights do not fit '{backbone}':\n  " + "\n  ".join(lines))


def _weights_file(name: str) -> Path:
    path = Path(name).expanduser()
    if path.suffix != ".safetensors":
        raise UserError(
            f"model.args.weights = '{name}': must be 'scratch', 'pretrained' or a .safetensors file. Other formats can hold "
            "code that runs when they are read: convert them with safetensors.torch.save_file."
        )
    if not path.is_file():
        raise UserError(f"model.args.weights: {path}: not there (looked up from {Path.cwd()})")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _with_normalisation(model: nn.Module, config: dict[str, Any], channels: int) -> nn.Module:
    """Remember what pixels the weights were trained on; grey images take the mean over the colours."""
    mean, std = list(config["mean"]), list(config["std"])
    if channels == 1:
        mean, std = [sum(mean) / len(mean)], [sum(std) / len(std)]
    model.normalisation = (mean, std)
    return model


def _fixed_size(backbone: str) -> bool:
    import timm

    config = timm.get_pretrained_cfg(backbone)
    return bool(config and config.fixed_input_size)


def _n_features(model: nn.Module) -> int:
    return int(getattr(model, "head_hidden_size", None) or model.num_features)
