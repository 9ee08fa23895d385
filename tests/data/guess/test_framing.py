"""The rule for data.resize, on drawn sizes and grounds, and what init writes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.files.archives import FileTree
from harness.data.guess.framing import Border, choose_resize, sizes_tell
from harness.data.guess.guess import guess
from harness.data.guess.inventory import take_stock
from harness.data.guess.written import competition_toml

RNG = np.random.default_rng(0)
EVEN, UNEVEN = [Border(3.0, 250.0)] * 40, [Border(120.0, 110.0)] * 40
LONG = RNG.uniform(30, 300, 40)
ASPECTS = np.exp(RNG.uniform(-0.9, 0.9, 40))


def sizes(long: np.ndarray, aspects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    widths = np.where(aspects > 1, long, long * aspects)
    return np.round(widths / aspects).astype(int), np.round(widths).astype(int)


@pytest.mark.parametrize(
    ("long", "aspects", "borders", "wanted", "said"),
    [
        (np.full(40, 64.0), np.ones(40), UNEVEN, None, ""),
        (LONG, ASPECTS, EVEN, "scale", "light ground"),
        (LONG, ASPECTS, [Border(3.0, 9.0)] * 40, "scale", "dark ground"),
        (np.exp(RNG.normal(4.2, 0.6, 40)), ASPECTS, EVEN, "stretch", "of the frame's side"),
        (np.full(40, 300.0), ASPECTS, EVEN, "fit", "width by height"),
        (LONG, ASPECTS, UNEVEN, "stretch", "fit"),
        (LONG, np.full(40, 4 / 3), EVEN, None, ""),  # photographs of one shape
        (LONG, np.full(40, 4 / 3), UNEVEN, None, ""),
        (LONG, ASPECTS, EVEN[:25] + UNEVEN[:15], "stretch", "shapes are lost"),
    ],
)
def test_the_rule(long: np.ndarray, aspects: np.ndarray, borders: list[Border], wanted: str | None, said: str):
    found = choose_resize(*sizes(long, aspects), borders)
    assert (found[0] if found else None) == wanted
    assert said in (found[1] if found else "")


@pytest.mark.parametrize(
    ("long", "borders", "in_test", "tell"),
    [
        (LONG, EVEN, LONG[::-1], True),
        (LONG, UNEVEN, LONG, False),  # photographs
        (LONG, EVEN, 3 * LONG, False),  # the test was taken otherwise
        (RNG.uniform(90, 110, 40), EVEN, LONG, False),
        (LONG, EVEN, LONG[:0], False),
    ],
)
def test_sizes_tell_where_things_are_cut_out_in_the_test_too(
    long: np.ndarray, borders: list[Border], in_test: np.ndarray, tell: bool
):
    shapes = ASPECTS[: len(in_test)]
    assert bool(sizes_tell(*sizes(long, ASPECTS), borders, sizes(in_test, shapes))) == tell


def test_a_border_is_even_though_things_touch_it():
    image = np.full((40, 40), 240, np.uint8)
    image[10:14, :20] = 30
    found = Border.of(image)
    assert found.spread == 0 and found.tone == 240


def test_init_writes_it_with_the_reason(tmp_path: Path):
    for n, (height, width) in enumerate(zip(*sizes(LONG, ASPECTS), strict=True)):
        path = tmp_path / "train" / ("a", "b")[n % 2] / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.full((height, width), 255, np.uint8)
        image[height // 4 : -(height // 4) or None, width // 4 : -(width // 4) or None] = 60
        Image.fromarray(image).save(path)
    layout, targets = guess(take_stock(FileTree(tmp_path)))
    assert layout.values["resize"] == "scale"
    assert '\nresize = "scale" ' in competition_toml("t", "none", layout, targets)
