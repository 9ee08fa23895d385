"""Build a bundle from a finished run: what the backend makes of its networks, in one flat zip."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.competition import Competition
from harness.data.cache import Dataset
from harness.runs import Run, RunFolder
from harness.runs.cure import finish
from harness.submit.bundle.answers import Answering
from harness.submit.bundle.backends import BACKENDS, Opened

if TYPE_CHECKING:
    import torch.nn as nn

_STAMP = (1980, 1, 1, 0, 0, 0)  # the same run gives the same bytes


def build_bundle(answering: Answering, dataset: Dataset, path: Path, half: bool, backend: str = "torch") -> Opened:
    """Write the bundle as a flat zip; returns the networks that it was made of.

    half : store weights as float16: half the size, and labels may change where two classes are level
    backend : a name of `backends.BACKENDS`

    Raises
    ------
    UserError
        If the run has no weights of its own, or its network is nothing for that backend.
    """
    competition, run, made = answering.competition, answering.run, BACKENDS[backend]
    opened = open_run(competition, run, dataset)
    about = {
        "run": run.name,
        "backend": backend,
        "classes": len(competition.classes),
        "names": list(competition.classes),
        "channels": competition.data.channels,
        "frame": opened.frame._asdict(),
        "decoded": list(competition.data.size),
        "seeds": run.recipe.train.seeds,
        "vote": answering.votes,
        "scaling": answering.scaling,
        "answer": answering.about(),
        "needs": list(made.needs),
    }
    files = list(made.files(opened, about, run.recipe, half))  # it adds to `about`
    with complete_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "model.py", made.program().encode())
        _add(archive, "bundle.json", json.dumps(about, indent=1).encode())
        for name, content in files:
            _add(archive, name, content)
    return opened


def check_bundled(run: Run) -> None:
    """Refuse a run that no bundle holds.

    Raises
    ------
    UserError
        If it is an ensemble or partial, or its recipe combines views by ranks (which need all rows at once).
    """
    if "ensemble" in run.environment:
        members = ", ".join(run.environment["ensemble"]["members"])
        raise UserError(
            f"run '{run.name}' is an ensemble; a bundle holds the folds of one run. Name one of its members by --run: {members}"
        )
    if not run.complete:
        raise UserError(f"run '{run.name}' is partial. {finish(run.path)}")
    if run.recipe.predict.combine == "rank":
        raise UserError("predict.combine = 'rank' needs all rows at once; a bundle predicts batch by batch")


def open_run(competition: Competition, run: Run, dataset: Dataset) -> Opened:
    """Load a run's networks.

    Raises
    ------
    UserError
        If no bundle holds it (`check_bundled`).
    """
    from harness.cv.jobs.fold_job import FoldJob, FoldTraining
    from harness.data.resize import frame_of_raw

    check_bundled(run)
    frame = frame_of_raw(competition, dataset.cache, run.recipe.data)
    states, network = {}, None
    for fold in range(run.folds.k):
        job = FoldJob(run.path, competition.folder, dataset.cache, fold, "cpu", 1)
        training = FoldTraining.open(job, RunFolder(run.path), lambda *told: None)
        whole, saved = training.whole_networks(), training.saved_states()
        for seed, state in enumerate(saved):
            network = _predictor(whole.load(state).float(), run.recipe.predict)
            name = f"fold-{fold}" + (f"-seed-{seed}" if len(saved) > 1 else "")
            states[name] = {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
    assert network is not None
    return Opened(network.eval(), states, frame)


def predict_opened(opened: Opened, pixels: np.ndarray, seeds: int) -> list[np.ndarray]:
    """What each fold's models should say: outputs float32 (n, K) of images uint8 (n, H, W, C) as the harness decoded them.

    seeds : networks of a fold; their mean is what it says
    """
    import torch

    from harness.data.resize import resize_pixels

    resized = pixels if pixels.shape[1:3] == opened.size else resize_pixels(pixels, opened.frame.of_frames())
    parts = []
    with torch.inference_mode():
        for state in opened.states.values():
            opened.network.load_state_dict(state)
            batches = torch.from_numpy(np.ascontiguousarray(resized)).split(128)
            parts.append(np.concatenate([opened.network(batch).numpy() for batch in batches]))
    means = (np.mean(parts[i : i + seeds], axis=0, dtype=np.float64) for i in range(0, len(parts), seeds))
    return [np.asarray(mean, dtype=np.float32) for mean in means]


def _predictor(network: Any, spec: Any) -> nn.Module:
    import torch
    import torch.nn as nn

    from harness.models.network import target_scale
    from harness.train.inputs.pixels import to_float
    from harness.train.prediction.tta import combine
    from harness.train.prediction.views import weighted_views

    class Predictor(nn.Module):
        """Preprocessing, views, network, numbers in their own unit, combination."""

        def __init__(self) -> None:
            super().__init__()
            self.network, self.looks = network, weighted_views(spec)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            x = to_float(pixels, torch.contiguous_format)
            logits = torch.stack([self.network(look.view(x).contiguous()).float() for look in self.looks])
            scale = target_scale(self.network)  # travels with the weights
            logits = logits if scale is None else logits * scale[1] + scale[0]
            weights = torch.tensor([look.weight for look in self.looks]).to(logits.device).view(-1, 1, 1)
            return combine(logits, weights, spec.combine, self.network.activation)

    return Predictor().eval()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _STAMP)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, content)
