"""What a network is fed: batches of pixels, augmented for training or in views for prediction; or stored features."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from harness.base.storage.npy import open_array
from harness.competition import Recipe
from harness.train.augment import Draws, augment
from harness.train.augment.per_image import PerImage
from harness.train.balance.draws import repeats
from harness.train.inputs.pixels import HostChange, Images, read_batches, to_float
from harness.train.precision import Layout
from harness.train.prediction.views import weighted_views
from harness.train.transfer import to_device


class Inputs(Protocol):
    """Batches of network inputs by row: tensors, or what else a network takes. A class may have its own `epoch_batches`
    (see `harness.train.fit`).

    Attributes
    ----------
    n : rows in all
    device : where batches come out
    index_device : where row numbers must lie
    view_weights : (V,) weights of the views of a prediction; they sum to one
    """

    n: int
    device: torch.device
    index_device: torch.device
    view_weights: list[float]

    def training(self, batches: list[Tensor], epoch: int) -> Iterator[Any]:
        """Each batch as it is trained on in this epoch."""
        ...

    def plain(self, batches: list[Tensor]) -> Iterator[Any]:
        """Each batch unchanged."""
        ...

    def views(self, batches: list[Tensor]) -> Iterator[list[Any]]:
        """Each batch in the V views of a prediction."""
        ...


class PixelInputs:
    """Pixels of a data set as float (B, C, H, W) in [0, 1], by a recipe's augmentation and views."""

    def __init__(self, images: Images, recipe: Recipe, layout: Layout, seed: int = 0, threads: int = 1) -> None:
        self.images, self.recipe, self.layout, self.seed = images, recipe, layout, seed
        self.n, self.device, self.index_device = images.shape[0], images.device, images.index_device
        self.draws = Draws(images.device, seed)
        self.looks = weighted_views(recipe.predict)
        self.view_weights = [look.weight for look in self.looks]
        transforms = recipe.augment.albumentations
        self.per_image = PerImage(transforms, seed, threads) if transforms else None

    def training(self, batches: list[Tensor], epoch: int) -> Iterator[Tensor]:
        """Augmented batches, float (B, C, H, W), for an epoch."""
        again = repeats(batches) if self._draws_by_row else []
        read = read_batches(self.images, batches, self._host_change(epoch, again))
        for number, (rows, pixels) in enumerate(zip(batches, read, strict=True)):
            x, on_device = self._float(pixels), to_device(rows, self.device)
            turn = epoch + to_device(again[number], self.device) if again else epoch
            yield augment(x, self.recipe.augment, self.draws, on_device, turn, self.seed)

    def plain(self, batches: list[Tensor]) -> Iterator[Tensor]:
        """Batches as they are."""
        return map(self._float, read_batches(self.images, batches))

    def views(self, batches: list[Tensor]) -> Iterator[list[Tensor]]:
        """Each batch in every view that prediction combines."""
        for x in self.plain(batches):
            yield [look.view(x).contiguous(memory_format=self.layout.memory_format) for look in self.looks]

    def _float(self, pixels: Tensor) -> Tensor:
        return to_float(pixels, self.layout.memory_format)

    @property
    def _draws_by_row(self) -> bool:
        """Whether what happens to an image hangs on its row and the epoch alone, so that a row that comes again must be told."""
        return self.recipe.train.sampling != "uniform" and bool(self.per_image or self.recipe.augment.alternating_flip)

    def _host_change(self, epoch: int, again: list[Tensor]) -> HostChange | None:
        per_image = self.per_image
        if per_image is None:
            return None
        times = iter(again)  # batches are read in their order
        return lambda pixels, rows: per_image(pixels, rows, epoch, next(times).cpu().numpy() if again else None)


class FeatureInputs:
    """Stored features of a frozen backbone as float32 (B, F): a view of each row drawn for training.

    Parameters
    ----------
    training : float16 (V, n, F), view 0 unchanged, or None where nothing is trained on them (test rows)
    predicting : float16 (T, n, F), the views of a prediction
    """

    def __init__(
        self,
        training: np.ndarray | None,
        predicting: np.ndarray,
        view_weights: list[float],
        device: torch.device,
        seed: int = 0,
    ) -> None:
        self.stored, self.looks, self.view_weights = training, predicting, view_weights
        self.n, self.device, self.index_device = predicting.shape[1], device, torch.device("cpu")
        self.draws = np.random.default_rng([seed, 2])

    def training(self, batches: list[Tensor], epoch: int) -> Iterator[Tensor]:
        """Augmented batches, float (B, C, H, W), for an epoch."""
        assert self.stored is not None  # only training rows are trained on
        for rows in batches:
            view = self.draws.integers(len(self.stored), size=len(rows))
            yield self._tensor(self.stored[view, rows.numpy()])

    def plain(self, batches: list[Tensor]) -> Iterator[Tensor]:
        """Batches as they are."""
        assert self.stored is not None
        for rows in batches:
            yield self._tensor(self.stored[0, rows.numpy()])

    def views(self, batches: list[Tensor]) -> Iterator[list[Tensor]]:
        """Each batch in every view that prediction combines."""
        for rows in batches:
            yield [self._tensor(look[rows.numpy()]) for look in self.looks]

    def _tensor(self, features: np.ndarray) -> Tensor:
        return to_device(torch.from_numpy(features.astype(np.float32)), self.device)


def open_features(path: Path) -> np.ndarray:
    """Stored features float16 (views, n, F), as a memory map."""
    return open_array(path)
