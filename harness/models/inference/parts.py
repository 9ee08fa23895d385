"""Batches in parts that a CPU predicts fastest.

A layer's output of 250 images of 224x224 is hundreds of megabytes: each layer then waits for memory. Of few images it stays in the
cache: EfficientNet-Lite0 at 224 pixels takes 12 ms an image in parts of 8, and 50 in one of 250 (benchmarks/RESULTS.md).
"""

from __future__ import annotations

from typing import Any

import torch

_PIXELS = 2**18
"""In a part, at most; of eight images more, since less keeps no core busy."""
_LEAST = 8


def in_parts(x: Any, network: Any) -> list[Any]:
    """A batch of images in parts; whole where it is no images, or not on a CPU.

    Parameters
    ----------
    x : float (B, C, H, W), or `WithColumns` of it; or anything else, with `device`
    network : what it is for; one that brings images to an `image_size` of its own looks at so many pixels
    """
    images = getattr(x, "images", x)
    if not isinstance(images, torch.Tensor) or images.ndim != 4 or images.device.type != "cpu":
        return [x]
    n = images_in_part(network, *images.shape[2:])
    return [x[start : start + n] for start in range(0, max(len(images), 1), n)]


def images_in_part(network: Any, height: int, width: int) -> int:
    """How many images of that size a part has."""
    side = getattr(getattr(network, "body", network), "image_size", 0)
    return max(_PIXELS // (side * side if side else height * width), _LEAST)
