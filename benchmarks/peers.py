"""The contenders of `benchmarks.train_speed`: the harness, a plain PyTorch loop, fastai, Lightning; one per process.

Everyone gets the same cores, rows, folds, network (the peers' of torch's own layers), batch size, epochs, AdamW settings and one-cycle learning rate, the
same strength of augmentation (bilinear, drawn per image), leaves the last part of a batch out, and predicts the
validation rows once, after training. What differs is what a competitor would get with that tool:

plain      a Dataset of PIL images with torchvision transforms in a DataLoader, fp32
fastai     a Learner (its own AdamW and fit_one_cycle) on the plain loop's DataLoaders
lightning  a Trainer, without logger, checkpoints and bars, on the plain loop's DataLoaders and optimiser
harness    `harness.cv.pipeline.cross_validate` as the command calls it, with all that it writes: folds in worker
           processes, layouts and precision by the harness's own timing, test rows predicted too, files, report

    python -m benchmarks.peers FOLDER CONTENDER     reads FOLDER/job.json, writes FOLDER/result.json
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.storage.atomic_files import read_json, write_json
from harness.competition import Competition, Recipe, find_competition, load_recipe
from harness.data.dataset import Dataset, load_dataset

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler
    from torch.utils.data import DataLoader

    from harness.runs import Folds, Run

ROOT = Path(__file__).resolve().parents[1]
EQUAL_WORK = (
    "predict.tta=['identity']",
    "train.ema=0.0",
    "train.label_smoothing=0.0",
    "train.optimizer=adamw",
    "train.schedule=one_cycle",
)
"""Overrides of the recipe: what the peers do not do, the harness does not either."""


@dataclass(frozen=True)
class Job:
    """What a contender is asked for; written by `benchmarks.train_speed`.

    Attributes
    ----------
    competition : its folder
    recipe : name of the recipe whose network, augmentation and batch size all take
    data : data root that holds the rows to train on
    epochs : passes over the training rows
    threads : CPU cores it may use
    num_workers : of the peers' DataLoaders
    device : "cpu", or "cuda" (plain loop and harness only)
    folds : folds to train; None = all
    """

    competition: str
    recipe: str
    data: str
    epochs: int
    threads: int
    num_workers: int = 0
    device: str = "cpu"
    folds: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Task:
    """A job with everything read, so that the clock sees training and prediction only."""

    job: Job
    competition: Competition
    recipe: Recipe
    dataset: Dataset
    folds: Folds

    @property
    def numbers(self) -> tuple[int, ...]:
        """Folds to train."""
        return tuple(range(self.folds.k)) if self.job.folds is None else self.job.folds

    @property
    def images(self) -> int:
        """Images that take part in a step, all folds and epochs together."""
        batch = self.recipe.train.batch_size
        per_epoch = sum(len(self.folds.train_rows(fold)) // batch * batch for fold in self.numbers)
        return per_epoch * self.job.epochs


FoldTrainer = Callable[[Task, int], "Tensor"]
"""(task, fold) -> logits (m, C) of the fold's validation rows, by a network trained on the others"""


def main(folder: Path, name: str) -> None:
    """Carry out FOLDER/job.json as contender `name`."""
    job = Job(**read_json(folder / "job.json"))
    if hasattr(os, "sched_setaffinity"):  # before torch counts the cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job.threads])
    task = load_task(job)
    result = time_harness(task) if name == "harness" else time_peer(task, PEERS[name]())
    write_json(folder / "result.json", {**result, "images": task.images})


def load_task(job: Job) -> Task:
    """Read data and recipe, and make the folds that the harness will make too."""
    from harness.cv.folds import make_folds

    competition = find_competition(Path(job.competition))
    recipe = load_recipe(competition.folder, job.recipe, [f"train.epochs={job.epochs}", *EQUAL_WORK])
    dataset = load_dataset(competition, Path(job.data))
    return Task(job, competition, recipe, dataset, make_folds(dataset.train, competition.classes, recipe.cv))


# ----------------------------------------------------------------------------------------------------------- harness


def time_harness(task: Task) -> dict[str, Any]:
    """Time one whole `cross_validate` into a temporary folder; starting and ending its workers is part of it.

    As for the peers, what is needed is imported and the folds are split before the clock starts.
    """
    import harness.cv.report.page  # noqa: F401 - the peers import before the clock starts, so may the harness
    from harness.base.progress import LineWatcher
    from harness.cv.opening import open_run
    from harness.cv.options import Options
    from harness.cv.pipeline import cross_validate

    with tempfile.TemporaryDirectory() as out:
        options = Options(Path(out), task.job.folds, device=task.job.device)
        open_run(task.competition, task.recipe, task.dataset, options, LineWatcher(quiet=True))
        started = time.perf_counter()
        run = cross_validate(task.competition, task.recipe, task.dataset, options, LineWatcher(quiet=True))
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "accuracy": run.scores["metrics"]["accuracy"]["pooled"], **_describe(run)}


def _describe(run: Run) -> dict[str, Any]:
    layout, workers = run.environment["layout"], run.environment["workers"]
    form = " + channels_last" if layout["channels_last"] else ""
    how = f"{layout['precision']}{form}, {workers} folds at a time" if workers > 1 else f"{layout['precision']}{form}"
    return {"how": how, "cpu": run.environment["device_name"], "layout": layout["how"]}


# ------------------------------------------------------------------------------------------------------------- peers


def time_peer(task: Task, train_fold: FoldTrainer) -> dict[str, Any]:
    """Time the folds, one after the other, each with all the cores."""
    import torch

    torch.set_num_threads(task.job.threads)
    hits, rows = 0, 0
    started = time.perf_counter()
    for fold in task.numbers:
        torch.manual_seed(fold)
        guess = train_fold(task, fold).argmax(dim=1).numpy()
        truth = task.dataset.train.labels[task.folds.valid_rows(fold)]
        hits, rows = hits + int((guess == truth).sum()), rows + len(truth)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "accuracy": hits / rows, "how": f"fp32, num_workers={task.job.num_workers}"}


class Pictures:
    """The Dataset that a competitor writes: row -> (transformed image, label)."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Callable[[Any], Tensor]) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.images[row])), int(self.labels[row])


def loaders(task: Task, fold: int) -> tuple[DataLoader, DataLoader]:
    """Training rows, augmented and shuffled, and validation rows of a fold."""
    from torch.utils.data import DataLoader
    from torchvision import transforms

    train, valid = task.folds.train_rows(fold), task.folds.valid_rows(fold)
    images, labels = np.asarray(task.dataset.train.images), task.dataset.train.labels
    images = images[..., 0] if images.shape[3] == 1 else images  # PIL's grey images have two dimensions
    pixels = images[train].reshape(-1, task.dataset.train.images.shape[3]) / np.float32(255)
    finish = [transforms.ToTensor(), transforms.Normalize(pixels.mean(axis=0).tolist(), pixels.std(axis=0).tolist())]
    changes = [random_affine(task.recipe), transforms.RandomHorizontalFlip(task.recipe.augment.horizontal_flip)]
    augmented = Pictures(images[train], labels[train], transforms.Compose([*changes, *finish]))
    plain = Pictures(images[valid], labels[valid], transforms.Compose(finish))
    workers = task.job.num_workers
    kwargs = {"num_workers": workers, "persistent_workers": workers > 0}
    return (
        DataLoader(augmented, batch_size=task.recipe.train.batch_size, shuffle=True, drop_last=True, **kwargs),
        DataLoader(plain, batch_size=task.recipe.predict.batch_size, **kwargs),
    )


def random_affine(recipe: Recipe) -> Callable[[Any], Any]:
    """The recipe's augmentation in torchvision's terms (which zooms both axes alike)."""
    from torchvision import transforms

    spec = recipe.augment
    return transforms.RandomAffine(
        degrees=spec.rotation,
        translate=(spec.shift, spec.shift),
        scale=(1 - spec.zoom, 1 + spec.zoom),
        shear=spec.shear,
        interpolation=transforms.InterpolationMode.BILINEAR,
    )


def new_network(task: Task) -> nn.Module:
    """The recipe's network of torch's own layers, every part in training mode (Lightning leaves modes as they are).

    The same parameters and the same function: what the harness's layers do faster (dropout, ReLU after pooling), a
    competitor's would not.
    """
    from torch import nn

    from harness.models import build_network
    from harness.models.dropout import Dropout
    from harness.models.small import ConvBlock

    layers: list[nn.Module] = []
    for layer in build_network(task.recipe.model, task.competition):
        if isinstance(layer, ConvBlock) and not layer.pool_first:
            layers += [layer.conv, layer.norm, nn.ReLU(), layer.pool]
        else:
            layers.append(nn.Dropout(layer.p) if isinstance(layer, Dropout) else layer)
    return nn.Sequential(*layers).train()


def new_optimizer(network: nn.Module, task: Task, steps: int) -> tuple[Optimizer, LRScheduler]:
    """AdamW and one cycle of the learning rate, by the recipe's numbers."""
    import torch

    spec = task.recipe.train
    optimizer = torch.optim.AdamW(network.parameters(), lr=spec.lr, weight_decay=spec.weight_decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, spec.lr, total_steps=steps, pct_start=spec.rise)
    return optimizer, cycle


def plain() -> FoldTrainer:
    """The loop of every tutorial."""
    import torch
    import torch.nn.functional as F
    import torchvision  # noqa: F401 - before the clock

    def train_fold(task: Task, fold: int) -> Tensor:
        train, valid = loaders(task, fold)
        device = task.job.device
        network = new_network(task).to(device)
        optimizer, cycle = new_optimizer(network, task, task.job.epochs * len(train))
        network.train()
        for _ in range(task.job.epochs):
            for x, y in train:
                optimizer.zero_grad()
                loss = F.cross_entropy(network(x.to(device)), y.to(device))
                loss.backward()
                optimizer.step()
                cycle.step()
        network.eval()
        with torch.no_grad():
            return torch.cat([network(x.to(device)).cpu() for x, _ in valid])

    return train_fold


def fastai() -> FoldTrainer:
    """A Learner; the validation after each epoch is left out, since the others have none."""
    import torch
    import torchvision  # noqa: F401 - before the clock
    from fastai.callback.core import Callback, CancelValidException
    from fastai.callback.schedule import Learner  # with fit_one_cycle
    from fastai.data.core import DataLoaders
    from fastai.torch_core import default_device

    default_device(use=False)  # the CPU

    class NoValidation(Callback):
        def before_validate(self) -> None:
            raise CancelValidException

    def train_fold(task: Task, fold: int) -> Tensor:
        train, valid = loaders(task, fold)
        learner = Learner(
            DataLoaders(train, valid, device=torch.device("cpu")),
            new_network(task),
            loss_func=torch.nn.CrossEntropyLoss(),
            wd=task.recipe.train.weight_decay,
        )
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(
                task.job.epochs, task.recipe.train.lr, pct_start=task.recipe.train.rise, cbs=NoValidation()
            )
            return learner.get_preds(dl=valid)[0]

    return train_fold


def lightning() -> FoldTrainer:
    """A Trainer with everything off that the others do not do."""
    import torch
    import torch.nn.functional as F
    import torchvision  # noqa: F401 - before the clock

    pl = importlib.import_module("lightning.pytorch" if importlib.util.find_spec("lightning") else "pytorch_lightning")

    class Module(pl.LightningModule):
        def __init__(self, task: Task, steps: int) -> None:
            super().__init__()
            self.network, self.task, self.steps = new_network(task), task, steps

        def training_step(self, batch: list[Tensor], _: int) -> Tensor:
            return F.cross_entropy(self.network(batch[0]), batch[1])

        def predict_step(self, batch: list[Tensor], _: int) -> Tensor:
            return self.network(batch[0])

        def configure_optimizers(self) -> tuple[list[Any], list[Any]]:
            optimizer, cycle = new_optimizer(self.network, self.task, self.steps)
            return [optimizer], [{"scheduler": cycle, "interval": "step"}]

    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")

    def train_fold(task: Task, fold: int) -> Tensor:
        train, valid = loaders(task, fold)
        module = Module(task, task.job.epochs * len(train))
        trainer = pl.Trainer(accelerator="cpu", devices=1, max_epochs=task.job.epochs, **dict.fromkeys(off, False))
        trainer.fit(module, train)
        return torch.cat(trainer.predict(module, valid))

    return train_fold


PEERS: dict[str, Callable[[], FoldTrainer]] = {"plain": plain, "fastai": fastai, "lightning": lightning}

if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
