"""The same rows at another size: a recipe's `data.size`. Ids, folds and fingerprint stay those of the data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.storage.manifest import faults, manifest_beside, sealed_file
from harness.base.storage.npy import open_array
from harness.competition import Competition, Samples
from harness.competition.recipe import DataChoice
from harness.data.cache import Dataset, open_cache
from harness.data.files.arrays import new_array
from harness.data.streaming import StreamedImages

_AT_ONCE = 1024

Tick = Callable[[int, int], None]


def resize(dataset: Dataset, choice: DataChoice, tick: Tick = lambda done, total: None) -> None:
    """Write the images at the size that a recipe chose beside the decoded ones; nothing, where they stand undamaged."""
    for split, samples in _splits(dataset):
        path = _path(dataset, split, choice)
        if (
            path is None
            or choice.size is None
            or _as_chosen(samples, choice)
            or (path.is_file() and not faults(manifest_beside(path)))
        ):
            continue
        with sealed_file(path) as temporary:
            _write(samples.images, temporary, choice.size, tick)


def open_resized(competition: Competition, cache: Path, choice: DataChoice) -> tuple[Competition, Dataset]:
    """The competition and its data as a recipe chose them; `resize` was called before."""
    competition, dataset = competition.using(choice), _with_columns(open_cache(cache), choice)
    if choice.size is None or choice.size == competition.data.size:
        return competition, dataset
    train = _resized(dataset, "train", dataset.train, choice)
    test = _resized(dataset, "test", dataset.test, choice) if dataset.test else None
    data = competition.data.model_copy(update={"size": choice.size})
    return competition.model_copy(update={"data": data}), dataclasses.replace(dataset, train=train, test=test)


def resize_pixels(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (B, H, W, C) at another height and width, as `resize` makes them."""
    out = np.empty((len(images), *size, images.shape[3]), dtype=np.uint8)
    for row, picture in enumerate(images):
        out[row] = _resized_picture(picture, size)
    return out


def _with_columns(dataset: Dataset, choice: DataChoice) -> Dataset:
    """The data with the columns beside the images, or without, as the recipe has it."""
    if choice.columns or dataset.train.columns is None:
        return dataset
    test = dataclasses.replace(dataset.test, columns=None) if dataset.test else None
    return dataclasses.replace(dataset, train=dataclasses.replace(dataset.train, columns=None), test=test)


def _splits(dataset: Dataset) -> list[tuple[str, Samples]]:
    return [("train", dataset.train)] + ([("test", dataset.test)] if dataset.test else [])


def _path(dataset: Dataset, split: str, choice: DataChoice) -> Path | None:
    return dataset.cache / split / "images-{}x{}.npy".format(*choice.size) if choice.size else None


def _as_chosen(samples: Samples, choice: DataChoice) -> bool:
    return samples.images.shape[1:3] == choice.size or isinstance(samples.images, StreamedImages)


def _resized(dataset: Dataset, split: str, samples: Samples, choice: DataChoice) -> Samples:
    path = _path(dataset, split, choice)
    assert choice.size is not None and path is not None
    old: Any = samples.images
    images: Any = old.at_size(choice.size) if isinstance(old, StreamedImages) else open_array(path, "c")
    return dataclasses.replace(samples, images=images)


def _write(images: np.ndarray, path: Path, size: tuple[int, int], tick: Tick) -> None:
    """Resize uint8 (n, H, W, C) into a new .npy, in threads, by Pillow's antialiased bilinear filter."""
    resized = new_array(path, (len(images), *size, images.shape[3]), np.uint8)

    def resize_row(row: int) -> None:
        resized[row] = _resized_picture(images[row], size)

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(images), _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, len(images)))
            for row, _ in zip(rows, pool.map(resize_row, rows), strict=True):
                tick(row + 1, len(images))
    resized.flush()


def _resized_picture(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    from PIL import Image

    if picture.shape[-1] not in (1, 3):  # each channel for itself
        return np.concatenate([_resized_picture(b, size) for b in np.split(picture, picture.shape[-1], axis=2)], axis=2)
    image = Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture)
    small = np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR))
    return small.reshape(*size, picture.shape[-1])
