"""An albumentations pipeline: image by image on the CPU, in threads, each image seeded on its own."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from harness.base.errors import UserError, nearest


class PerImage:
    """Callable that changes a batch of bytes; equal (seed, epoch, row) give equal images, whatever the threads; a row that comes again in
    an epoch is told apart by how often it was there.

    albumentations gives every transform of a pipeline the same seed, so that two flips with p = 0.5 would always fire
    together; here each transform has a seed of its own.

    Parameters
    ----------
    transforms : dicts {"name": class of albumentations, ...its arguments}
    threads : images side by side; OpenCV releases Python's lock

    Raises
    ------
    UserError
        If albumentations is not installed, or has no such transform or argument (names the nearest).
    """

    def __init__(self, transforms: Sequence[dict[str, Any]], seed: int, threads: int = 1) -> None:
        self.specs, self.seed, self.threads = transforms, seed, threads
        self._own = threading.local()
        self._own.transforms = [build_transform(spec) for spec in transforms]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __call__(self, images: np.ndarray, rows: np.ndarray, epoch: int, again: np.ndarray | None = None) -> np.ndarray:
        """uint8 (B, H, W, C) of these rows, changed as in this epoch; of the same shape.

        again : int (B,), how often each row was in this epoch before; None: never
        """
        times = np.zeros(len(rows), np.int64) if again is None else again
        keys = [(epoch, int(row), *([int(time)] if time else [])) for row, time in zip(rows, times, strict=True)]
        tasks = list(zip(images, keys, strict=True))
        changed = list(self._pool.map(self._change, tasks) if self._pool else map(self._change, tasks))
        return np.stack(changed)

    def _change(self, task: tuple[np.ndarray, tuple[int, ...]]) -> np.ndarray:
        image, key = task
        if not hasattr(self._own, "transforms"):
            self._own.transforms = [build_transform(spec) for spec in self.specs]
        seeds = np.random.SeedSequence([self.seed, *key]).generate_state(len(self.specs))
        changed = np.ascontiguousarray(image)
        for transform, seed, spec in zip(self._own.transforms, seeds, self.specs, strict=True):
            transform.set_random_seed(int(seed))
            changed = _apply(transform, changed, spec["name"])
        if changed.shape != image.shape or changed.dtype != np.uint8:
            names = ", ".join(spec["name"] for spec in self.specs)
            raise UserError(
                f"augment.albumentations ({names}): made {changed.dtype} {changed.shape} of uint8 {image.shape}; take out "
                "what changes the size or the type of an image"
            )
        return changed


def build_transform(spec: dict[str, Any]) -> Any:
    """One transform of albumentations from {"name": ..., **arguments}; wrong ones are refused, not warned of."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else its import asks the network for a newer version
    try:
        import albumentations
    except ImportError as error:
        raise UserError(
            "augment.albumentations: the package is not installed. pip install 'albumentations==2.0.8' (the last release "
            "under the MIT licence), or use the batched changes of [augment]."
        ) from error
    name, arguments = spec["name"], {key: value for key, value in spec.items() if key != "name"}
    kind = getattr(albumentations, name, None)
    if not (isinstance(kind, type) and issubclass(kind, albumentations.BasicTransform)):
        known = [n for n in dir(albumentations) if n[0].isupper()]
        raise UserError(f"augment.albumentations: there is no transform '{name}'{nearest(name, known)}")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in arguments.items()})
        except (UserWarning, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"augment.albumentations: {name}: {reason}") from error


def milliseconds_per_image(per_image: PerImage, images: np.ndarray) -> float:
    """What one image costs, on uint8 (n, H, W, C); the first pass warms up."""
    rows = np.arange(len(images))
    per_image(images, rows, 0)
    started = time.perf_counter()
    per_image(images, rows, 1)
    return 1000 * (time.perf_counter() - started) / len(images)


def _apply(transform: Any, image: np.ndarray, name: str) -> np.ndarray:
    try:
        return transform(image=image)["image"]
    except Exception as error:  # a library of a hundred transforms raises what it likes
        raise UserError(f"augment.albumentations: {name} failed on an image {image.shape}: {error}") from error
