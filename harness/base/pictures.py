"""Pixels as a picture that people can look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image


def as_picture(pixels: np.ndarray) -> Image:
    """uint8 (H, W, C) as an image: grey, RGB; of two channels their mean, of more than three the first three."""
    from PIL import Image

    channels = pixels.shape[-1]
    if channels == 2:
        pixels = pixels.mean(axis=2, keepdims=True).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if channels <= 2 else pixels[..., :3]))
