"""Pooled features of a frozen backbone for every image, computed once and kept in the cache.

Nothing is fitted on the images, so the features of all folds are the same and leak nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.competition.cluster_spec import ImageSpec
from harness.data.cache import Dataset

_BATCH = 64

Tick = Callable[[int, int], None]
"""(images done, of how many)."""


def image_features(
    dataset: Dataset, spec: ImageSpec, cache: Path, device: str = "cpu", tick: Tick = lambda done, total: None
) -> tuple[np.ndarray, np.ndarray | None]:
    """float32 (n, F) of the training images and (n_test, F) of the test's, or None.

    Raises
    ------
    UserError
        If the data have no images, or the weights cannot be had.
    """
    if tuple(dataset.train.images.shape[1:3]) == (1, 1):
        raise UserError("these data hold captions only; this recipe looks at images (data.set names another set)")
    path = cache / "features" / f"pooled-{_key(dataset, spec)}.npz"
    if not path.is_file():
        n, n_test = len(dataset.train), len(dataset.test) if dataset.test else 0
        backbone = _Backbone(spec, device)
        train = backbone.features(dataset.train.images, lambda done: tick(done, n + n_test))
        test = backbone.features(dataset.test.images, lambda done: tick(n + done, n + n_test)) if dataset.test else None
        with complete_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, train=train, **({} if test is None else {"test": test}))  # type: ignore[arg-type]  # as if a key could be allow_pickle
    with np.load(path, allow_pickle=False) as file:
        return file["train"], file["test"] if "test" in file.files else None


def _key(dataset: Dataset, spec: ImageSpec) -> str:
    import timm

    from harness.models.weights import weights_digest

    content = [
        1,
        dataset.fingerprint,
        list(dataset.train.images.shape[1:]),
        *([dataset.way] if dataset.way else []),
        spec.model_dump(mode="json"),
        timm.__version__,
        spec.weights_sha256,
    ]
    content.append(weights_digest({"weights": spec.weights}))
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


class _Backbone:
    def __init__(self, spec: ImageSpec, device: str) -> None:
        import timm
        import torch

        from harness.models.weights import with_weights

        if not timm.is_model(spec.backbone):
            raise UserError(f"image.backbone = '{spec.backbone}': timm has no such model")
        torch.manual_seed(0)  # random filters are the same every time
        kwargs = {"in_chans": 3, "num_classes": 0}
        try:
            network = with_weights(spec.backbone, spec.weights, spec.weights_sha256, kwargs)
        except UserError as error:
            raise UserError(str(error).replace("model.args.weights", "image.weights")) from error
        self.network = network.eval().to(device)
        mean, std = getattr(self.network, "normalisation", None) or ([0.5] * 3, [0.25] * 3)
        self.mean = torch.tensor(mean, device=device).view(1, -1, 1, 1)
        self.std = torch.tensor(std, device=device).view(1, -1, 1, 1)
        self.size, self.device = (spec.size, spec.size), device

    def features(self, images: np.ndarray, tick: Callable[[int], None]) -> np.ndarray:
        import torch
        import torch.nn.functional as F

        parts = []
        with torch.inference_mode():
            for start in range(0, len(images), _BATCH):
                pixels = torch.from_numpy(np.array(images[start : start + _BATCH])).to(self.device)
                x = pixels.permute(0, 3, 1, 2).float().div_(255)
                if x.shape[1] == 1:
                    x = x.expand(-1, 3, -1, -1)
                if x.shape[2:] != self.size:
                    x = F.interpolate(x, size=self.size, mode="bilinear", align_corners=False, antialias=True)
                x = ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
                parts.append(self.network(x).float().cpu().numpy())
                tick(min(start + _BATCH, len(images)))
        return np.concatenate(parts)
