"""A grid of what the model sees: training images beside augmented ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.base.pictures import as_picture
from harness.base.storage.atomic_files import complete_file
from harness.competition import Competition, Recipe
from harness.data.cache import Dataset
from harness.train.augment import Draws, check_augment, mix
from harness.train.inputs.network_inputs import PixelInputs
from harness.train.inputs.pixels import open_images
from harness.train.precision import Layout

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_GAP, _MARGIN, _SIDE = 4, 96, 96


def preview(
    competition: Competition, recipe: Recipe, dataset: Dataset, path: Path, rows: int = 10, columns: int = 8
) -> None:
    """Write a PNG: in each line a training image and `columns` augmentations of it, as the first epochs would draw them.

    The lines take the classes in turn. Mixup and cutmix take their partners from the lines of the image.
    """
    check_augment(recipe.augment, *competition.data.size, competition.data.channels)
    assert dataset.train.labels is not None  # training rows always have labels
    task = competition.kind
    chosen = one_of_each_class(task.strata(dataset.train.labels), rows, recipe.seed)
    cpu = torch.device("cpu")
    inputs = PixelInputs(open_images(dataset.train.images, cpu), recipe, Layout("fp32", False), recipe.seed)
    index = torch.from_numpy(chosen)
    labels, draws = torch.from_numpy(dataset.train.labels[chosen]), Draws(cpu, recipe.seed)
    seen = [next(iter(inputs.plain([index])))]
    for epoch in range(1, columns + 1):
        x = next(iter(inputs.training([index], epoch)))
        seen.append(mix(x, labels, len(competition.classes), recipe.augment, draws)[0])
    tiles = torch.stack(seen, dim=1).clamp(0, 1).mul(255).round().byte()  # (rows, 1 + columns, C, H, W)
    names = [task.describe(label, competition.classes) for label in labels.numpy()]
    picture = montage(tiles.permute(0, 1, 3, 4, 2).numpy(), names)
    with complete_file(path) as temporary:
        picture.save(temporary, format="PNG")


def one_of_each_class(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Row numbers (n,): the classes in turn, a random row of each."""
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = np.zeros(len(labels), dtype=np.int64)  # how many of its class come before a row in that order
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        turn[of_class] = np.arange(len(of_class))
    return np.lexsort((labels, turn))[: min(n, len(labels))]


def montage(tiles: np.ndarray, names: list[str]) -> Picture:
    """A PIL image of uint8 (rows, columns, H, W, C): a name before each line, a gap after its first image."""
    from PIL import Image, ImageDraw

    rows, columns, height, width, _ = tiles.shape
    zoom = max(round(_SIDE / max(height, width)), 1)
    tall, wide = height * zoom + _GAP, width * zoom + _GAP
    picture = Image.new("RGB", (_MARGIN + columns * wide + 3 * _GAP, 24 + rows * tall), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((_MARGIN, 6), "original", fill="black")
    draw.text((_MARGIN + wide + 3 * _GAP, 6), "as the model sees it, epoch by epoch", fill="black")
    for row in range(rows):
        draw.text((4, 24 + row * tall + tall // 2 - 6), names[row][:15], fill="black")
        for column in range(columns):
            tile = tiles[row, column].repeat(zoom, axis=0).repeat(zoom, axis=1)
            image = as_picture(tile)
            left = _MARGIN + column * wide + (3 * _GAP if column else 0)
            picture.paste(image, (left, 24 + row * tall))
    return picture
