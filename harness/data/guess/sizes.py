"""data.size, channels, resize and range of images, by what some of them look like."""

from __future__ import annotations

import math

import numpy as np

from harness.data.columns.patterns import IMAGE_COLUMNS
from harness.data.guess.framing import choose_resize, sizes_tell
from harness.data.guess.inventory import Images, Inventory
from harness.data.guess.layout import Layout
from harness.data.guess.looks import Looks, look_at

_LARGEST_SIDES, _DECODED_BYTES = (256, 192, 128), 2**30
"""Images are decoded to the first of these sides at which all of them take no more than that: pretrained networks see more in larger ones."""


def set_size(layout: Layout, inventory: Inventory, train: Images, test: Images | None, n_files: int) -> None:
    """data.size, channels and range, and whether sizes are columns, by what some images look like."""
    looks = look_at(inventory.tree, train.files)
    if not len(looks.heights):
        layout.set("size", [64, 64], f"no image could be opened ({looks.odd})" if looks.odd else "")
        layout.set("channels", 3)
        return
    layout.set("size", *sides(looks, largest_side(len(train.files))))
    chosen = choose_resize(looks.heights, looks.widths, looks.borders)
    if chosen:
        layout.set("resize", *chosen)
    if test is not None and n_files < 2:
        there = look_at(inventory.tree, test.files)
        why = sizes_tell(looks.heights, looks.widths, looks.borders, (there.heights, there.widths))
        if why:
            layout.set("features", list(IMAGE_COLUMNS), why)
    of_a_file = looks.channels or (1 if looks.grey else 3)
    channels = max(n_files, 1) * of_a_file
    grey = "all that were looked at are grey" if channels == 1 else ""
    of_arrays = "as the arrays have" if looks.channels else grey
    of_files = f"{'one' if of_a_file == 1 else of_a_file} for each file of a row"
    layout.set("channels", channels, of_files if n_files > 1 else of_arrays)
    if looks.bounds and looks.bounds[0] < looks.bounds[1]:
        bounds = [math.floor(looks.bounds[0]), math.ceil(looks.bounds[1])]
        layout.set("range", bounds, "what becomes black and white: about what some arrays hold")
    if looks.deep is not None and looks.deep < 32_768:
        upto = next(2**bits - 1 for bits in range(8, 17) if 2**bits > looks.deep)
        layout.set("range", [0, upto], "16 bits a pixel, of which fewer are used")
    if looks.odd:
        layout.unknown.append(f"an image could not be opened: {looks.odd}")


def largest_side(n: int) -> int:
    """The side that so many images are decoded to at most."""
    fitting = (side for side in _LARGEST_SIDES if n * side * side * 3 <= _DECODED_BYTES)
    return next(fitting, _LARGEST_SIDES[-1])


def sides(looks: Looks, largest: int) -> tuple[list[int], str]:
    """data.size of images that look so, and why."""
    heights, widths = looks.heights, looks.widths
    # of unlike sizes what three quarters of them fit into: larger ones lose little, small ones nothing
    height, width = float(np.quantile(heights, 0.75)), float(np.quantile(widths, 0.75))
    same = len(set(heights)) == 1 and len(set(widths)) == 1
    had = (
        f"{int(height)} x {int(width)}"
        if same
        else f"{heights.min()} to {heights.max()} x {widths.min()} to {widths.max()}"
    )
    shrink = min(largest / max(height, width), 1.0)
    if same and shrink == 1:
        return [int(height), int(width)], "as they are"
    aspect = width / height
    if 0.75 < aspect < 1.34:
        side = max(round(min(max(height, width), largest)), 8)
        return [side, side], f"they are {had}; decoded once to this size, recipes may take less"
    sides = [max(round(height * shrink / 8) * 8, 8), max(round(width * shrink / 8) * 8, 8)]
    return sides, f"they are {had}; decoded once to this size, recipes may take less"
