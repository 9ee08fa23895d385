"""Blood cells: what TOML can't say is only how the embedded sample is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_SIDE, _OF_EACH, _TEST = 96, 20, 5

# colour of the cell's body, colour of its nucleus, radius of the body, lobes of the nucleus
_LOOKS = [
    ((120, 90, 170), (60, 30, 110), 28, 1),  # basophil
    ((230, 140, 130), (90, 50, 140), 28, 2),  # eosinophil
    ((190, 170, 200), (50, 20, 80), 20, 1),  # erythroblast
    ((180, 150, 210), (110, 70, 160), 32, 1),  # immature granulocyte
    ((150, 160, 220), (80, 50, 150), 22, 1),  # lymphocyte
    ((170, 170, 200), (110, 80, 150), 36, 2),  # monocyte
    ((235, 205, 215), (90, 50, 140), 28, 3),  # neutrophil
    ((200, 130, 190), (170, 90, 170), 8, 1),  # platelet
]


def make_sample(folder: Path) -> None:
    """Draw 20 training and 5 test cells of each class: a body of its class's colour and size, a nucleus with lobes.

    Drawn by this program, no photographs: 160 rows in training_set.npz, 40 in test_set.npz.
    """
    rng = np.random.default_rng(7)
    for name, each in (("training_set.npz", _OF_EACH), ("test_set.npz", _TEST)):
        labels = rng.permutation(np.repeat(np.arange(len(_LOOKS)), each))
        images = np.stack([_draw(rng, *_LOOKS[label]) for label in labels])
        arrays = {"images": images}
        if name == "training_set.npz":
            arrays["labels"] = labels.astype(np.uint8)[:, None]
        np.savez_compressed(folder / name, **arrays)


def _draw(rng: np.random.Generator, body: tuple, nucleus: tuple, radius: int, lobes: int) -> np.ndarray:
    """uint8 (96, 96, 3): pale red cells around, the cell in the middle."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (_SIDE, _SIDE), (255, 232, 210))
    pen = ImageDraw.Draw(picture)
    for x, y in rng.integers(0, _SIDE, (6, 2)):
        _disc(pen, x, y, 12, (232, 190, 180))
    x, y = _SIDE / 2 + rng.normal(0, 3, 2)
    radius = radius * rng.uniform(0.85, 1.15)
    _disc(pen, x, y, radius, body)
    turn = rng.uniform(0, 2 * np.pi)
    for k in range(lobes):
        angle, away = turn + 2 * np.pi * k / lobes, radius * (0.4 if lobes > 1 else 0.1)
        _disc(pen, x + away * np.cos(angle), y + away * np.sin(angle), radius * (0.42 if lobes > 1 else 0.6), nucleus)
    noisy = np.asarray(picture) + rng.normal(0, 6, (_SIDE, _SIDE, 3)) + rng.normal(0, 6, 3)
    return noisy.clip(0, 255).astype(np.uint8)


def _disc(pen, x: float, y: float, radius: float, colour: tuple) -> None:
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
