"""One fold of one run as a unit of work: picklable, idempotent, the same in this process, another one, or on a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.errors import UserError
from harness.base.files import complete_file

if TYPE_CHECKING:
    import torch

    from harness.competition import Competition, Recipe
    from harness.data import Dataset
    from harness.runs import RunFolder

Progress = Callable[[int, int, int], None]
"""(fold, images done, images in all), training and prediction together."""


@dataclass(frozen=True)
class FoldJob:
    """Train a fold's models and write fold-K.npz and its checkpoint; nothing, where fold-K.npz stands.

    Attributes
    ----------
    run : the run folder, started (recipe, folds and environment are read from it)
    competition : the competition's folder
    cache : the decoded data set
    fold : its number
    device : "cpu", "cuda:1", "mps"
    threads : CPU threads to compute with
    """

    run: Path
    competition: Path
    cache: Path
    fold: int
    device: str
    threads: int

    def __call__(self, progress: Progress) -> None:
        from harness.runs import RunFolder

        folder = RunFolder(self.run)
        if not folder.fold_path(self.fold).is_file():
            try:
                train_fold(self, folder, progress)
            except UserError as error:
                raise UserError(f"fold {self.fold}: {error}") from error


def train_fold(job: FoldJob, folder: RunFolder, progress: Progress) -> None:
    """Train every seed of a fold, average their probabilities, save."""
    import torch

    from harness.competition import find_competition
    from harness.data import open_cache
    from harness.runs import FoldResult, Folds
    from harness.train.batches import device_images

    started = time.perf_counter()
    torch.set_num_threads(job.threads)
    competition, recipe, dataset = find_competition(job.competition), folder.recipe(), open_cache(job.cache)
    folds = Folds.load(folder.path / "folds.csv")
    device = torch.device(job.device)
    tick = _ticker(job.fold, _images_in_all(recipe, folds, dataset, job.fold), progress)
    images = device_images(dataset.train.images, device)
    valid = torch.from_numpy(folds.valid_rows(job.fold)).to(device)
    valid_proba, test_proba, history, states = 0.0, 0.0, [], {}
    for seed in range(recipe.train.seeds):
        network, lines = _train_seed(job, folder, competition, dataset, recipe, folds, images, seed, tick)
        valid_proba += _predict(network, images, valid, recipe, folder, tick)
        test_proba += _predict_test(network, dataset, recipe, folder, device, tick)
        history += [{"fold": job.fold, "seed": seed, **line} for line in lines]
        states |= {f"seed-{seed}.{name}": tensor for name, tensor in network.state_dict().items()}
    save_checkpoint(folder.checkpoint_path(job.fold), states)
    folder.save_fold(
        FoldResult(
            fold=job.fold,
            valid_index=folds.valid_rows(job.fold),
            valid_proba=(valid_proba / recipe.train.seeds).astype(np.float32),
            test_proba=(test_proba / recipe.train.seeds).astype(np.float32),
            history=history,
            seconds=time.perf_counter() - started,
        )
    )


def new_network(competition: Competition, recipe: Recipe, images: torch.Tensor, rows: torch.Tensor) -> Any:
    """A network with fresh weights (seed torch first) that normalises by the statistics of the given rows."""
    from harness.models import build_network
    from harness.models.network import Network
    from harness.train.batches import channel_statistics

    mean, std = channel_statistics(images, rows)
    return Network(build_network(recipe.model, competition), mean, std).to(images.device)


def save_checkpoint(path: Path, states: dict[str, torch.Tensor]) -> None:
    """Write weights as safetensors, complete or not at all."""
    from safetensors.torch import save

    content = save({name: t.detach().cpu().contiguous() for name, t in states.items()})
    with complete_file(path) as temporary:
        temporary.write_bytes(content)  # save_file hides a full disk in an error of its own


def _train_seed(
    job: FoldJob,
    folder: RunFolder,
    competition: Competition,
    dataset: Dataset,
    recipe: Recipe,
    folds: Any,
    images: torch.Tensor,
    seed: int,
    tick: Callable[[int], None],
) -> tuple[Any, list[dict[str, Any]]]:
    import torch

    from harness.train.fit import fit

    number = _seed_of(recipe.seed, job.fold, seed)
    torch.manual_seed(number)  # weights and dropout
    rows = torch.from_numpy(folds.train_rows(job.fold)).to(images.device)
    labels = torch.from_numpy(dataset.train.labels).to(images.device)
    network = new_network(competition, recipe, images, rows)
    lines = fit(network, images, labels, rows, recipe, _layout(folder), number, tick)
    return network, lines


def _predict(network: Any, images: Any, rows: Any, recipe: Recipe, folder: RunFolder, tick: Any) -> np.ndarray:
    from harness.train.predict import predict

    proba = predict(network, images, rows, recipe.predict, _layout(folder)).numpy()
    tick(len(rows) * _prediction_cost(recipe))
    return proba.astype(np.float64)


def _predict_test(
    network: Any, dataset: Dataset, recipe: Recipe, folder: RunFolder, device: Any, tick: Any
) -> np.ndarray:
    import torch

    from harness.train.batches import device_images

    if dataset.test is None:
        return np.zeros((0, network(torch.zeros(1, *_chw(dataset), device=device)).shape[1]))
    rows = torch.arange(len(dataset.test), device=device)
    return _predict(network, device_images(dataset.test.images, device), rows, recipe, folder, tick)


def _chw(dataset: Dataset) -> tuple[int, int, int]:
    _, height, width, channels = dataset.train.images.shape
    return channels, height, width


def _layout(folder: RunFolder) -> Any:
    from harness.train.precision import Layout

    chosen = folder.environment()["layout"]
    return Layout(chosen["precision"], chosen["channels_last"])


def _seed_of(recipe_seed: int, fold: int, seed: int) -> int:
    """Distinct for every (recipe seed, fold, bagging seed): SplitMix-style mixing, 31 bits."""
    mixed = (recipe_seed * 1_000_003 + fold * 10_007 + seed * 101 + 1) * 0x9E3779B97F4A7C15
    return (mixed >> 33) & 0x7FFFFFFF


def _prediction_cost(recipe: Recipe) -> int:
    """A forward pass of all views in units of a training step's image (a third of one each, rounded up)."""
    from harness.train.predict import views

    return -(-len(views(recipe.predict.tta)) // 3)


def _images_in_all(recipe: Recipe, folds: Any, dataset: Dataset, fold: int) -> int:
    from harness.train.fit import steps_per_epoch

    n_train = int((folds.fold != fold).sum())
    batch = min(recipe.train.batch_size, n_train)
    training = recipe.train.epochs * steps_per_epoch(n_train, recipe.train.batch_size) * batch
    predicted = len(folds.fold) - n_train + (len(dataset.test) if dataset.test else 0)
    return recipe.train.seeds * (training + predicted * _prediction_cost(recipe))


def _ticker(fold: int, total: int, progress: Progress, every: float = 0.25) -> Callable[[int], None]:
    """Add up images and report at most every quarter of a second."""
    done, last = 0, 0.0

    def tick(images: int) -> None:
        nonlocal done, last
        done += images
        now = time.monotonic()
        if now - last >= every or done >= total:
            last = now
            progress(fold, done, total)

    return tick
