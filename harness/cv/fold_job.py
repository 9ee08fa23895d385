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
    from harness.models.network import Network
    from harness.runs import RunFolder
    from harness.train.precision import Layout

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
        import torch

        from harness.runs import RunFolder

        folder = RunFolder(self.run)
        if folder.fold_path(self.fold).is_file():
            return
        try:
            train_fold(self, folder, progress)
        except UserError as error:
            raise UserError(f"fold {self.fold}: {error}") from error
        except torch.OutOfMemoryError as error:
            batch = folder.recipe().train.batch_size
            raise UserError(
                f"fold {self.fold}: {self.device} has too little memory for batches of {batch}. Lower it: --set "
                f"train.batch_size={max(batch // 2, 1)}"
            ) from error


def train_fold(job: FoldJob, folder: RunFolder, progress: Progress) -> None:
    """Train every seed of a fold, average their probabilities, save."""
    from harness.runs import FoldResult

    started = time.perf_counter()
    fold = FoldTraining.open(job, folder, progress)
    seeds = fold.recipe.train.seeds
    valid_proba, test_proba, history, states = 0.0, 0.0, [], {}
    for seed in range(seeds):
        network, lines = fold.train(seed)
        valid_proba += fold.predict(network, fold.images, fold.valid_rows)
        test_proba += fold.predict_test(network)
        history += [{"fold": job.fold, "seed": seed, **line} for line in lines]
        states |= {f"seed-{seed}.{name}": tensor for name, tensor in network.state_dict().items()}
    save_checkpoint(folder.checkpoint_path(job.fold), states)
    folder.save_fold(
        FoldResult(
            fold=job.fold,
            valid_index=fold.valid_rows.cpu().numpy(),
            valid_proba=(valid_proba / seeds).astype(np.float32),
            test_proba=(test_proba / seeds).astype(np.float32),
            history=history,
            seconds=time.perf_counter() - started,
        )
    )


@dataclass(frozen=True)
class FoldTraining:
    """What all seeds of a fold share: the pixels on the device, the rows, the recipe, the layout.

    Attributes
    ----------
    images, test_images : uint8 tensors (n, H, W, C) on the device; on a CPU maps of the cache. No test: None
    labels : int64 (n,); train_rows, valid_rows : int64, all on the device
    tick : told how many images were done
    """

    fold: int
    competition: Competition
    recipe: Recipe
    layout: Layout
    images: torch.Tensor
    test_images: torch.Tensor | None
    labels: torch.Tensor
    train_rows: torch.Tensor
    valid_rows: torch.Tensor
    tick: Callable[[int], None]

    @classmethod
    def open(cls, job: FoldJob, folder: RunFolder, progress: Progress) -> FoldTraining:
        import torch

        from harness.competition import find_competition
        from harness.data.dataset import open_cache
        from harness.runs import Folds
        from harness.train.batches import device_images
        from harness.train.memory import keep_freed_memory
        from harness.train.precision import Layout, usable_device

        torch.set_num_threads(job.threads)
        keep_freed_memory()
        recipe, dataset, folds = folder.recipe(), open_cache(job.cache), Folds.load(folder.path / "folds.csv")
        device, chosen = usable_device(job.device), folder.environment()["layout"]
        n_predicted = len(folds.valid_rows(job.fold)) + (len(dataset.test) if dataset.test else 0)
        total = _images_in_all(recipe, len(folds.train_rows(job.fold)), n_predicted)
        return cls(
            fold=job.fold,
            competition=find_competition(job.competition),
            recipe=recipe,
            layout=Layout(chosen["precision"], chosen["channels_last"]),
            images=device_images(dataset.train.images, device),
            test_images=device_images(dataset.test.images, device) if dataset.test else None,
            labels=torch.from_numpy(dataset.train.labels).to(device),
            train_rows=torch.from_numpy(folds.train_rows(job.fold)).to(device),
            valid_rows=torch.from_numpy(folds.valid_rows(job.fold)).to(device),
            tick=_ticker(job.fold, total, progress),
        )

    def train(self, seed: int) -> tuple[Network, list[dict[str, Any]]]:
        """Train one network; returns it with a dict per epoch."""
        import torch

        from harness.train.fit import fit

        number = _seed_of(self.recipe.seed, self.fold, seed)
        torch.manual_seed(number)  # weights and dropout
        network = new_network(self.competition, self.recipe, self.images, self.train_rows)
        lines = fit(network, self.images, self.labels, self.train_rows, self.recipe, self.layout, number, self.tick)
        return network, lines

    def predict(self, network: Network, images: torch.Tensor, rows: torch.Tensor) -> np.ndarray:
        """Probabilities float64 (len(rows), C)."""
        from harness.train.predict import predict

        cost = _prediction_cost(self.recipe)
        proba = predict(network, images, rows, self.recipe.predict, self.layout, lambda n: self.tick(n * cost))
        return proba.numpy().astype(np.float64)

    def predict_test(self, network: Network) -> np.ndarray:
        """Probabilities float64 (n_test, C); n_test = 0 where the test is hidden."""
        import torch

        if self.test_images is None:
            return np.zeros((0, len(self.competition.classes)))
        rows = torch.arange(len(self.test_images), device=self.test_images.device)
        return self.predict(network, self.test_images, rows)


def new_network(competition: Competition, recipe: Recipe, images: torch.Tensor, rows: torch.Tensor) -> Network:
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


def _seed_of(recipe_seed: int, fold: int, seed: int) -> int:
    """Distinct for every (recipe seed, fold, bagging seed): SplitMix-style mixing, 31 bits."""
    mixed = (recipe_seed * 1_000_003 + fold * 10_007 + seed * 101 + 1) * 0x9E3779B97F4A7C15
    return (mixed >> 33) & 0x7FFFFFFF


def _prediction_cost(recipe: Recipe) -> int:
    """A forward pass of all views in units of a training step's image (a third of one each, rounded up)."""
    from harness.train.predict import views

    return -(-len(views(recipe.predict.tta)) // 3)


def _images_in_all(recipe: Recipe, n_train: int, n_predicted: int) -> int:
    """What a fold's ticks add up to."""
    from harness.train.fit import steps_per_epoch

    batch = min(recipe.train.batch_size, n_train)
    training = recipe.train.epochs * steps_per_epoch(n_train, batch) * batch
    return recipe.train.seeds * (training + n_predicted * _prediction_cost(recipe))


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
