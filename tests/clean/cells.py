"""A small world of drawn cells, and what a careless hand does to it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw


def cells(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (n, 48, 48, 3) of a disc with dots on a pale ground, and labels (n,): its colour, of three."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    colours = [(120, 80, 170), (220, 120, 120), (90, 140, 200)]
    return np.stack([_cell(rng, colours[label]) for label in labels]), labels.astype(np.int64)


def _cell(rng: np.random.Generator, colour: tuple[int, int, int]) -> np.ndarray:
    picture = Image.new("RGB", (96, 96), (245, 230, 215))
    pen = ImageDraw.Draw(picture)
    x, y = 48 + rng.normal(0, 8, 2)
    radius = rng.uniform(20, 34)
    pen.ellipse(
        (x - radius, y - radius, x + radius, y + radius),
        fill=tuple(int(v) for v in np.array(colour) + rng.normal(0, 8, 3)),
    )
    for _ in range(9):
        a, d, r = rng.uniform(0, 6.3), rng.uniform(0, 0.8) * radius, rng.uniform(3, 8)
        cx, cy = x + d * np.cos(a), y + d * np.sin(a)
        pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=(60, 40, 90))
    small = np.asarray(picture.resize((48, 48), Image.Resampling.BILINEAR)) + rng.normal(0, 4, (48, 48, 3))
    return small.clip(0, 255).astype(np.uint8)


def as_jpeg(image: np.ndarray, quality: int = 80) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def brighter(image: np.ndarray) -> np.ndarray:
    return (image * 1.05).clip(0, 255).astype(np.uint8)


def photograph(seed: int) -> np.ndarray:
    """uint8 (48, 48, 3): greens and browns in many hard-edged patches; no cell."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (48, 48), (70, 110, 50))
    pen = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y = rng.integers(0, 48, 2)
        pen.polygon(
            [(int(x + a), int(y + b)) for a, b in rng.integers(-12, 12, (4, 2))],
            fill=tuple(int(v) for v in rng.integers(10, 160, 3)),
        )
    return np.asarray(picture)
