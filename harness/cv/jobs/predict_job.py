"""Images that were not there when a run was trained, predicted by its folds' models as its test was."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.competition import Competition
from harness.competition.recipe import BOOSTING
from harness.cv.jobs.executor import run_jobs
from harness.cv.jobs.fold_job import FoldJob
from harness.cv.jobs.prepare import pick_devices
from harness.runs import Run, RunFolder


@dataclass(frozen=True)
class PredictJob:
    """Predict images by the weights of a fold.

    Attributes
    ----------
    of : the fold, as it was trained
    images : .npy, uint8 (n, H, W, C) of the competition's size
    to : .npy that the outputs are written to, float32 (n, C)
    """

    of: FoldJob
    images: Path
    to: Path

    def __call__(self, progress: Callable[[int, int, int], None]) -> None:
        """Predict, mean over the networks of the fold's seeds, and write."""
        import torch

        from harness.base.storage.npy import open_array
        from harness.cv.jobs.fold_job import FoldTraining
        from harness.data.resize import frame_of, resize_pixels
        from harness.runs.probabilities import check_probabilities
        from harness.train.inputs.network_inputs import PixelInputs
        from harness.train.inputs.pixels import open_images
        from harness.train.prediction.predict import Predictor, predict

        training = FoldTraining.open(self.of, RunFolder(self.of.run), lambda *said: None)
        networks, competition = training.whole_networks(), training.opening.competition
        pixels: np.ndarray = open_array(self.images, "c")
        if pixels.shape[1:3] != competition.data.size:
            pixels = resize_pixels(pixels, frame_of(competition.data))
        inputs = PixelInputs(open_images(pixels, networks.images.device), training.recipe, networks.layout)
        rows, parts = torch.arange(len(pixels), device=inputs.index_device), []
        for state in training.saved_states():
            predictor = Predictor(networks.load(state), networks.layout)
            parts.append(predict(predictor, inputs, rows, training.recipe.predict).numpy())
        said = np.mean(parts, axis=0)
        numbers = np.arange(len(said)).astype(np.str_)
        check_probabilities(said, numbers, f"fold {self.of.fold}, images (by number from 0)", "", competition.kind)
        np.save(self.to, said)
        progress(self.of.fold, len(pixels), len(pixels))


def predict_images(
    competition: Competition,
    run: Run,
    cache: Path,
    images: np.ndarray,
    device: str = "auto",
    workers: int = 1,
    progress: Callable[[int, int, int], None] = lambda fold, done, total: None,
) -> np.ndarray:
    """Outputs float32 (n, C) of the models of all trained folds together, as of the run's own test.

    Parameters
    ----------
    cache : the decoded data that the run was trained on
    images : uint8 (n, H, W, C) of the competition's size, `data.size`

    Raises
    ------
    UserError
        If the run has no networks, or they need more than images, or these are of another size.
    """
    from harness.cv.pooling import combine_folds

    _check(competition, run, images)
    folder, plan = RunFolder(run.path), run.environment
    devices = plan["devices"] if device == "auto" else pick_devices(device)
    with tempfile.TemporaryDirectory() as made:
        source = Path(made) / "images.npy"
        np.save(source, images)
        jobs = [
            PredictJob(
                FoldJob(
                    folder.path, competition.folder, cache, f["fold"], devices[i % len(devices)], plan["threads"][0]
                ),
                source,
                Path(made) / f"fold-{f['fold']}.npy",
            )
            for i, f in enumerate(run.scores["folds"])
        ]
        run_jobs(jobs, min(workers, len(jobs)), progress, lanes=[job.of.device for job in jobs])
        said = [np.load(job.to, allow_pickle=False) for job in jobs]
        return np.array(combine_folds(said, run.recipe.predict.across_folds, Path(made) / "all.npy", run.task))


def _check(competition: Competition, run: Run, images: np.ndarray) -> None:
    told = run.environment
    if told.get("ensemble") or run.recipe.clusters or run.recipe.model.name == BOOSTING:
        raise UserError(
            f"run '{run.name}': has no networks that take images; predict with a run that harness.cv trained"
        )
    if told.get("columns"):
        raise UserError(
            f"run '{run.name}': its networks take columns beside images; give the rows as test_images when it is trained"
        )
    wanted = (*competition.data.size, competition.data.channels)
    if images.dtype != np.uint8 or images.shape[1:] != wanted or not len(images):
        raise UserError(
            f"images: are {images.dtype} {images.shape}, wanted uint8 (n, {', '.join(map(str, wanted))}), as the training images"
        )
