"""Features of a frozen backbone, computed once for all folds and epochs, and kept in the cache.

<cache>/features/<key>/     key = data, backbone, its weights, views, augmentation, precision
    chunk-00000.npy ...     while it is computed: some thousand rows each, so that a killed run goes on
    train.npy               float16 (V, n, F): view 0 is the image itself, the others are augmented
    predict.npy test.npy    float16 (T, n, F) and (T, n_test, F): the views of a prediction
    complete.json           written last
    .lock                   held by the process that computes
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file, write_json
from harness.base.storage.npy import open_array
from harness.competition import Recipe
from harness.competition.recipe import BOOSTING
from harness.data.files.arrays import new_array
from harness.models.inference.parts import in_parts
from harness.models.network import shifted
from harness.models.tabular.boosting import backbone_of
from harness.models.tabular.columns import joined, widen
from harness.train.augment import Draws, augment
from harness.train.augment.per_image import PerImage
from harness.train.inputs.pixels import Images, to_float
from harness.train.precision import Layout, ready_to_predict
from harness.train.prediction.views import weighted_views
from harness.train.transfer import to_device

_CHUNK = 2048
_VERSION = 3
_BEAT = 1.0
"""Seconds between two ticks while another process is waited for."""


def check_features(recipe: Recipe) -> None:
    """Refuse what cannot be done on stored features.

    Raises
    ------
    UserError
        Names the key.
    """
    assert recipe.features is not None
    if recipe.model.name not in ("timm", BOOSTING):
        raise UserError(f"[features] needs a backbone: model.name = 'timm', not '{recipe.model.name}'")
    for key in ("mixup", "cutmix"):
        if getattr(recipe.augment, key):
            raise UserError(f"augment.{key} mixes images, but with [features] heads see stored features; take it out")
    if recipe.train.freeze_layers is not None or recipe.train.freeze_blocks is not None:
        raise UserError("[features] freezes the whole backbone: take train.freeze_layers and train.freeze_blocks out")


@dataclass(frozen=True)
class FeatureStore:
    """Where the features of a data set by a recipe's backbone lie."""

    folder: Path

    @classmethod
    def of(cls, cache: Path, recipe: Recipe, fingerprint: str, weights: str, precision: str) -> FeatureStore:
        """The store of these data (fingerprint), weights (digest of the file, if any) and precision."""
        import timm

        assert recipe.features is not None
        spec = recipe.model_dump(mode="json")
        args = {
            k: v for k, v in backbone_of(recipe.model).args.items() if k not in ("head", "head_batch_norm", "dropout")
        }
        content = [
            _VERSION,
            fingerprint,
            args,
            weights,
            spec["augment"],
            spec["features"],
            spec["predict"]["tta"],
            {key: value for key, value in spec["data"].items() if key != "columns"},
        ]
        drawn = args.get("weights", "scratch") == "scratch"  # else another seed is another head on the same features
        content += [precision, recipe.seed if drawn else 0, timm.__version__]
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
        return cls(cache / "features" / digest)

    @property
    def complete(self) -> bool:
        """Whether all of them were computed."""
        return (self.folder / "complete.json").is_file()

    @property
    def train(self) -> Path:
        """Features of the training views, float16 (views, n, F)."""
        return self.folder / "train.npy"

    @property
    def predict(self) -> Path:
        """Features of the training rows in the views of prediction."""
        return self.folder / "predict.npy"

    @property
    def test(self) -> Path:
        """Features of the test rows in the views of prediction."""
        return self.folder / "test.npy"


class Head(nn.Module):
    """What is trained on features: a backbone's head, as a network of its own."""

    def __init__(self, head: nn.Sequential, n_classes: int) -> None:
        super().__init__()
        self.head, self.n_classes = head, n_classes
        self.columns: nn.Module | None = None

    def features(self, x: Tensor) -> Tensor:
        """The features themselves (B, F)."""
        return x

    def widen(self, more: int) -> None:
        """Let the head take so many features more."""
        widen(self.head, more)

    def forward(self, x: Any) -> Tensor:
        """float (B, F), or `WithColumns` -> logits (B, n_classes)."""
        return shifted(self, self.head(x) if self.columns is None else joined(self, self, x.images, x.columns))


def compute_features(
    network: nn.Module,
    train: Images,
    test: Images | None,
    recipe: Recipe,
    layout: Layout,
    store: FeatureStore,
    threads: int,
    tick: Callable[[int], None],
) -> None:
    """Run the backbone over every view of every image; chunks that stand are not computed again.

    One process computes a store at a time; others wait, and take what it has made.

    network : a `Network` of a `Backbone`; tick : told how many images (views of them) were done, and 0 while another process is waited for
    """
    if store.complete:
        return
    with _alone(store, tick):
        if store.complete:  # by another process, meanwhile
            return
        first = train.take(torch.arange(min(2, train.shape[0]), device=train.index_device))
        ready = ready_to_predict(network, to_float(first, layout.memory_format), layout)
        assert recipe.features is not None
        n_views = recipe.features.views
        parts = [("train", train, n_views)] + ([("test", test, 0)] if test is not None else [])
        for name, images, views in parts:
            chunks = []
            for number, rows in enumerate(torch.arange(images.shape[0]).split(_CHUNK)):
                path = store.folder / f"chunk-{name}-{number:05d}.npy"
                if path.is_file():
                    tick(len(rows) * (views + len(weighted_views(recipe.predict))))
                else:
                    _compute_chunk(ready, images, rows, recipe, layout, path, views, number, threads, tick)
                chunks.append(path)
            _assemble(store, name, chunks, views, recipe)
        write_json(store.folder / "complete.json", {"recipe": recipe.model_dump(mode="json")})
        for path in store.folder.glob("chunk-*.npy"):
            path.unlink()


@contextlib.contextmanager
def _alone(store: FeatureStore, tick: Callable[[int], None]) -> Iterator[None]:
    """Keep other processes out of a store; the lock goes with the process, however it ends."""
    import filelock

    store.folder.mkdir(parents=True, exist_ok=True)
    lock, said = filelock.FileLock(store.folder / ".lock"), False
    while not lock.is_locked:
        try:
            lock.acquire(timeout=_BEAT)
        except filelock.Timeout:
            if not said:
                print(f"note: {store.folder}: another process computes these features; waiting for it", file=sys.stderr)
            said = True
            tick(0)
    try:
        yield
    finally:
        lock.release()


def features_ticks(recipe: Recipe, n_train: int, n_test: int) -> int:
    """What the ticks of `compute_features` add up to."""
    assert recipe.features is not None
    looks = len(weighted_views(recipe.predict))
    return n_train * (recipe.features.views + looks) + n_test * looks


def _compute_chunk(
    network: Any,
    images: Images,
    rows: Tensor,
    recipe: Recipe,
    layout: Layout,
    path: Path,
    n_views: int,
    number: int,
    threads: int,
    tick: Callable[[int], None],
) -> None:
    """Write float16 (views + looks, rows, F) of some rows, and tell each batch. Its draws depend on the chunk's number only."""
    looks = weighted_views(recipe.predict)
    draws = Draws(images.device, number)
    transforms = recipe.augment.albumentations
    per_image = PerImage(transforms, 0, threads) if transforms and n_views > 1 else None
    done: list[list[np.ndarray]] = [[] for _ in range(n_views + len(looks))]
    told = 0
    for batch in rows.split(recipe.predict.batch_size):
        if told:  # of the batch before: the last one's are told when the chunk is written, since whoever is told may end the work
            tick(told)
        told = len(batch) * len(done)
        pixels = images.take(to_device(batch, images.index_device))
        x = to_float(pixels, layout.memory_format)
        plain = _features(network, x, layout) if n_views or "identity" in recipe.predict.tta else None
        for view in range(n_views):
            if view == 0:
                assert plain is not None
                done[0].append(plain)
                continue
            seen = x
            if per_image is not None:
                changed = per_image(pixels.cpu().numpy(), batch.numpy(), view)
                seen = to_float(to_device(torch.from_numpy(changed), images.device), layout.memory_format)
            seen = augment(seen, recipe.augment, draws, to_device(batch, images.device), view, 0)
            done[view].append(_features(network, seen, layout))
        for place, look in enumerate(looks):
            seen = look.view(x)
            done[n_views + place].append(_features(network, seen, layout) if plain is None or seen is not x else plain)
    with complete_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.stack([np.concatenate(view) for view in done]))
    tick(told)


@torch.inference_mode()
def _features(network: Any, x: Tensor, layout: Layout) -> np.ndarray:
    parts = []
    with layout.autocast(x.device):
        for part in in_parts(x, network):
            normal = (part - network.mean) / network.std
            features = network.body.features(normal.contiguous(memory_format=layout.memory_format))
            parts.append(features.float())
    found = torch.cat(parts).cpu().numpy()
    if not np.abs(found).max(initial=0) < np.finfo(np.float16).max:
        raise UserError("[features]: the backbone gives values beyond float16 or none at all (NaN); take other weights")
    return found.astype(np.float16)


def _assemble(store: FeatureStore, name: str, chunks: list[Path], n_views: int, recipe: Recipe) -> None:
    """One file (views, n, F) of all chunks, a chunk in memory at a time."""
    first = open_array(chunks[0])
    n = sum(open_array(path).shape[1] for path in chunks)
    targets = [(store.train, 0, n_views), (store.predict, n_views, len(first))] if name == "train" else []
    targets = targets or [(store.test, 0, len(first))]
    for path, low, high in targets:
        with complete_file(path) as temporary:
            shape = (high - low, n, first.shape[2])
            whole = new_array(temporary, shape, np.float16)
            start = 0
            for chunk in chunks:
                part = np.load(chunk, allow_pickle=False)[low:high]
                whole[:, start : start + part.shape[1]] = part
                start += part.shape[1]
            whole.flush()
