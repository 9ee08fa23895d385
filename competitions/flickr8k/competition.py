"""Flickr8k: the true kinds that the second set's file names tell, and the embedded sample."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

UCM_KINDS = [
    "agricultural",
    "airplane",
    "baseball-diamond",
    "beach",
    "buildings",
    "chaparral",
    "dense-residential",
    "forest",
    "freeway",
    "golf-course",
    "harbor",
    "intersection",
    "medium-residential",
    "mobile-home-park",
    "overpass",
    "parking-lot",
    "river",
    "runway",
    "sparse-residential",
    "storage-tanks",
    "tennis-court",
]
"""Of the UC Merced Land Use set, whose 2,100 images are numbered in this order, a hundred of each kind."""

SAMPLE_KINDS = ["ball", "boat", "house", "tree", "window"]


def truth(ids: np.ndarray) -> tuple[np.ndarray | None, list[str]]:
    """Kinds by file name: 'ucm_0101.jpg' is the first airplane, 'sample_ball_3.png' a ball; Flickr8k has none."""
    numbers = [re.fullmatch(r"ucm_(\d+)\.\w+", i) for i in ids]
    if all(numbers):
        return np.array([(int(m[1]) - 1) // 100 for m in numbers]), UCM_KINDS
    names = [re.fullmatch(r"sample_([a-z]+)_\d+\.png", i) for i in ids]
    if all(names):
        return np.array([SAMPLE_KINDS.index(m[1]) for m in names]), SAMPLE_KINDS
    return None, []


def make_sample(folder: Path) -> None:
    """Draw 200 small scenes of five kinds with five captions each, and 25 without, in Flickr8k's layout."""
    rng = np.random.default_rng(8)
    lines = ["image,caption"]
    for name, count in (("Images", 40), ("test_Images", 5)):
        (folder / name).mkdir()
        for kind in SAMPLE_KINDS:
            for i in range(count):
                colour, ground = rng.choice(len(_COLOURS), 2, replace=False)
                file = f"sample_{kind}_{i if name == 'Images' else 100 + i}.png"
                _draw(kind, colour, ground, rng).save(folder / name / file)
                if name == "Images":
                    lines += [f"{file},{_caption(kind, colour, ground, rng)}" for _ in range(5)]
    (folder / "captions.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


_COLOURS = {
    "red": (200, 40, 40),
    "green": (40, 160, 60),
    "blue": (50, 80, 200),
    "yellow": (220, 200, 60),
    "white": (235, 235, 235),
    "brown": (130, 90, 50),
}
_WORDS = {
    "ball": ("ball", "round toy", "ball on the lawn", "circle that a child plays with"),
    "boat": ("boat", "sailing boat", "ship on the water", "vessel with a sail"),
    "house": ("house", "small building", "cottage with a roof", "hut"),
    "tree": ("tree", "tall tree", "plant with a trunk", "fir in the park"),
    "window": ("window", "pane of glass", "square window", "frame with four panes"),
}


def _caption(kind: str, colour: int, ground: int, rng: np.random.Generator) -> str:
    names = list(_COLOURS)
    what = _WORDS[kind][rng.integers(len(_WORDS[kind]))]
    before = ("There is a", "An image of a", "Here we see a", "Somebody drew a", "A")[rng.integers(5)]
    return f"{before} {names[colour]} {what}" + (f", before a {names[ground]} ground ." if rng.random() < 0.5 else " .")


def _draw(kind: str, colour: int, ground: int, rng: np.random.Generator):
    """An image 96x96 of one thing, somewhere, of some size, on noisy ground."""
    from PIL import Image, ImageDraw

    values = list(_COLOURS.values())
    pixels = np.array(values[ground]) + rng.normal(0, 14, (96, 96, 3))
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    size, (x, y), pen = int(rng.integers(22, 36)), rng.integers(36, 60, 2).tolist(), ImageDraw.Draw(image)
    fill = values[colour]
    if kind == "ball":
        pen.ellipse((x - size, y - size, x + size, y + size), fill=fill)
    elif kind == "boat":
        pen.polygon([(x - size, y + 8), (x + size, y + 8), (x + size // 2, y + 24), (x - size // 2, y + 24)], fill=fill)
        pen.polygon([(x, y - size), (x, y + 4), (x + size * 2 // 3, y + 4)], fill=fill)
    elif kind == "house":
        pen.rectangle((x - size // 2, y, x + size // 2, y + size), fill=fill)
        pen.polygon([(x - size * 2 // 3, y), (x + size * 2 // 3, y), (x, y - size * 2 // 3)], fill=fill)
    elif kind == "tree":
        pen.rectangle((x - 4, y + size // 2, x + 4, y + size), fill=fill)
        for level in range(3):
            top = y - size + level * size // 2
            pen.polygon([(x, top), (x - size // 2, top + size // 2), (x + size // 2, top + size // 2)], fill=fill)
    else:
        pen.rectangle((x - size, y - size, x + size, y + size), outline=fill, width=7)
        pen.line((x, y - size, x, y + size), fill=fill, width=6)
        pen.line((x - size, y, x + size, y), fill=fill, width=6)
    return image
