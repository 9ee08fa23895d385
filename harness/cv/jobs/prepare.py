"""What is settled before the first fold: the recipe is checked against code, the layout timed, the run folder started."""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.base.errors import UserError
from harness.base.places.templates import package_folder

if TYPE_CHECKING:
    import torch

    from harness.competition import Competition, Recipe
    from harness.data.cache import Dataset
    from harness.models.network import Network

_VERSIONED = ("torch", "torchvision", "timm", "numpy", "pandas", "pyarrow", "scikit-learn", "safetensors")


@dataclass(frozen=True)
class PrepareJob:
    """Check the recipe by building its network, time the layouts, write recipe.json, folds.csv, environment.json.

    It runs where the folds run (a worker process), so that the parent need not import torch.
    """

    run: Path
    competition: Path
    cache: Path
    timings: Path
    recipe: Recipe
    folds: Path
    environment: dict[str, Any]
    device: str
    threads: int
    verdicts: Path | None

    def __call__(self, progress: Callable[[int, int, int], None]) -> None:
        """Check the recipe against code and data, and time precision and layout."""
        import torch

        from harness.competition import find_competition
        from harness.cv.scores import competition_metrics
        from harness.data.resize import open_resized
        from harness.runs import Folds, RunFolder
        from harness.train.allocator import keep_freed_memory
        from harness.train.precision import cpu_name, usable_device
        from harness.train.prediction.views import doubtful_views

        torch.set_num_threads(self.threads)
        keep_freed_memory()
        torch.manual_seed(0)
        competition, dataset = open_resized(find_competition(self.competition), self.cache, self.recipe.data)
        check_recipe(self.recipe, competition)
        competition_metrics(competition)
        device = usable_device(self.device)
        found = {
            **self.tried(competition, dataset, device),
            **_augmentation(self.recipe, dataset, self.threads),
            "doubtful_views": doubtful_views(self.recipe.predict.tta, competition),
            "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        }
        verdicts = self.verdicts.read_text(encoding="utf-8") if self.verdicts else None
        RunFolder(self.run).start(self.recipe, Folds.load(self.folds), {**self.environment, **found}, verdicts)

    def tried(self, competition: Competition, dataset: Dataset, device: torch.device) -> dict[str, Any]:
        """What is known of the model when it was tried."""
        return tried_model(self.recipe, competition, dataset, device, self.timings)


def tried_model(
    recipe: Recipe, competition: Competition, dataset: Dataset, device: torch.device, timings: Path
) -> dict[str, Any]:
    """Build the network and try it; returns its layout, its size, and where its features will lie.

    timings : folder where the timings of layouts are kept
    """
    import numpy as np
    import torch

    from harness.cv.jobs.fold_data import feature_network, feature_store, fitted_encoder, new_network
    from harness.train.freeze import frozen_names
    from harness.train.inputs.pixels import ResidentImages
    from harness.train.precision import choose_layout, is_out_of_memory

    images = dataset.train.images
    few = ResidentImages(images[: min(len(images), 64)], device)
    encoder = fitted_encoder(competition, recipe, dataset, np.arange(len(images)))  # of these only its width counts
    if recipe.features:
        network = feature_network(competition, recipe, device)
    else:
        rows = torch.arange(few.shape[0], device=device)
        network = new_network(competition, recipe, few, rows, encoder=encoder)
    try_network(network, few.pixels[:2], len(competition.classes), recipe.train.batch_size)
    frozen = frozen_names(network, recipe.train)
    sizes = {name: p.numel() for name, p in network.named_parameters()}
    batch = recipe.predict.batch_size if recipe.features else recipe.train.batch_size
    shape = (min(batch, len(images)), images.shape[3], *images.shape[1:3])
    name = recipe.model.model_dump_json() + (
        f" with {encoder.width} columns" if encoder and not recipe.features else ""
    )
    try:
        layout = choose_layout(network, shape, recipe.train, device, timings, name, not recipe.features)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(too_large_a_batch(network, shape, recipe, device)) from error
    found: dict[str, Any] = {
        "layout": layout,
        **({} if dataset.train.columns is None else {"columns": encoder.width if encoder else 0}),
        "parameters": sum(sizes.values()),
        "trained_parameters": sum(n for name, n in sizes.items() if name not in frozen),
    }
    if recipe.features:
        store = feature_store(timings, recipe, dataset, layout["predict_precision"])
        found["features"] = str(store.folder)
        found["trained_parameters"] = sum(p.numel() for p in network.body.get_submodule("head").parameters())
    return found


def check_recipe(recipe: Recipe, competition: Competition) -> None:
    """Check what the schema cannot: views, augmentation against the images, what [features] allows.

    Raises
    ------
    UserError
        Names the key.
    """
    from harness.competition.tasks.fitting import check_fits
    from harness.train.augment import check_augment
    from harness.train.frozen_features import check_features
    from harness.train.prediction.views import check_views

    check_views(recipe.predict, *competition.data.size)
    check_fits(recipe, competition.kind)
    check_augment(recipe.augment, *competition.data.size, competition.data.channels)
    if recipe.features:
        check_features(recipe)


def too_large_a_batch(network: Network, shape: tuple[int, int, int, int], recipe: Recipe, device: torch.device) -> str:
    """What to say of a batch that does not fit in memory: the largest half, quarter, ... of it that does."""
    from harness.train.precision import fitting_batch

    key = "predict.batch_size" if recipe.features else "train.batch_size"
    fits = fitting_batch(network, shape, recipe.train, device, not recipe.features)
    if not fits:
        return f"{device} has too little memory for this model: a single image of {shape[1:]} (C, H, W) does not fit"
    keeps = "" if recipe.features else f" (train.accumulate={shape[0] // fits} keeps the step as it was)"
    return f"{device} has too little memory for batches of {shape[0]}. {fits} fit: --set {key}={fits}{keeps}"


def _augmentation(recipe: Recipe, dataset: Dataset, threads: int) -> dict[str, Any]:
    """Try what works image by image, and what an image costs: that is said in the log."""
    if not recipe.augment.albumentations:
        return {}
    import numpy as np

    from harness.train.augment.per_image import PerImage, milliseconds_per_image

    few = np.asarray(dataset.train.images[:64])
    cost = milliseconds_per_image(PerImage(recipe.augment.albumentations, 0, threads), few)
    return {"albumentations_ms_per_image": round(cost, 3)}


def try_network(network: torch.nn.Module, images: torch.Tensor, n_classes: int, batch_size: int) -> None:
    """Predict two images (2, H, W, C), so that a network that cannot is found before anything is trained.

    In training mode it gets as many of them as a batch has: batch norm cannot learn from a single image.

    Raises
    ------
    UserError
        If it fails, or gives something else than logits (2, n_classes).
    """
    import torch

    from harness.models.tabular.columns import with_average_columns

    pixels = images.permute(0, 3, 1, 2).float().div(255)
    x = with_average_columns(network, pixels)
    try:
        with torch.inference_mode():
            shape = tuple(network.eval()(x).shape)
            network.train()(x[:batch_size])
    except (RuntimeError, ValueError, AssertionError, TypeError, IndexError) as error:
        raise UserError(f"[model] cannot take images {tuple(pixels.shape[1:])} (C, H, W): {error}") from error
    if shape != (len(images), n_classes):
        raise UserError(f"[model] gives {shape} for {len(images)} images; wanted ({len(images)}, {n_classes}) logits")


def describe_environment() -> dict[str, Any]:
    """Versions, git commit, hardware: what a result depends on besides data and recipe."""
    return {
        "harness": __version__,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": usable_cores(),
        "versions": {name: importlib.metadata.version(name) for name in _VERSIONED},
    }


def usable_cores() -> int:
    """CPU cores this process may use: those that the system gives it, or $HARNESS_CORES of them.

    Processes that share a machine should share its cores: threads of OpenMP wait busily, and two processes with a thread for
    every core slow each other down many times over.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("HARNESS_CORES", "")
    return min(int(asked), there) if asked.isascii() and asked.isdigit() and int(asked) else there


def pick_devices(wanted: str) -> list[str]:
    """Device names to put folds on: every CUDA GPU, else MPS, else the CPU; or just the one that was named.

    A machine without an NVIDIA driver or an Apple chip is told apart without importing torch.
    """
    if wanted != "auto":
        return [wanted]
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return ["mps"]
    if not Path("/dev/nvidiactl").exists() and platform.system() != "Windows":
        return ["cpu"]
    import torch

    return [f"cuda:{i}" for i in range(torch.cuda.device_count())] or ["cpu"]


def plan_threads(k: int, workers: int, cores: int) -> list[int]:
    """CPU threads of each fold: the workers share the cores; in an incomplete last round its folds do.

    Where a fold has one thread, all have: what is left at the end then shares the cores by taking turns (`plan_rounds`).

    >>> plan_threads(5, workers=2, cores=8)
    [4, 4, 4, 4, 8]
    """
    last_round, shared = k % workers, max(cores // workers, 1)
    if shared == 1 or not last_round:
        return [shared] * k
    return [shared] * (k - last_round) + [max(cores // last_round, 1)] * last_round


def plan_rounds(threads: list[int], workers: int, may_crowd: bool) -> list[tuple[int, int]]:
    """Rounds of folds as (how many, processes), in order; folds of unlike threads never run together.

    An incomplete last round would leave cores idle. Folds of one thread each wait for nobody, so with `may_crowd` the
    last full round takes them in and the system shares the cores out: five folds take 2.5 times one fold's time on two
    cores, not 3.

    >>> plan_rounds([1, 1, 1, 1, 1], workers=2, may_crowd=True)
    [(2, 2), (3, 3)]
    >>> plan_rounds([4, 4, 4, 4, 8], workers=2, may_crowd=True)
    [(4, 2), (1, 2)]
    """
    groups = [len(list(group)) for _, group in itertools.groupby(threads)]
    n, rest = len(threads), len(threads) % workers
    if not (may_crowd and set(threads) == {1} and rest and n > workers):
        return [(size, workers) for size in groups]
    before = n - workers - rest
    return [(before, workers)] * bool(before) + [(workers + rest, workers + rest)]


def git_commit() -> str | None:
    """Commit of the harness's checkout, '+' when it has uncommitted changes; None outside a checkout."""
    checkout = package_folder().parent
    if not (checkout / ".git").exists():
        return None  # installed: a repository further up is somebody else's

    def git(*args: str) -> str:
        command = ["git", "-C", str(checkout), *args]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    try:
        return git("rev-parse", "HEAD")[:12] + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None
