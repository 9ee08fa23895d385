"""Build a bundle from a finished run: export the network once, store every fold's weights beside it."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.errors import UserError
from harness.base.files import complete_file
from harness.competition import Competition
from harness.data.cache import Dataset
from harness.runs import Run, RunFolder

if TYPE_CHECKING:
    import torch
    import torch.nn as nn

NEEDS = ("torch>=2.6", "numpy", "pillow")
"""What the platform's container must have."""

_STAMP = (1980, 1, 1, 0, 0, 0)  # the same run gives the same bytes


@dataclass(frozen=True)
class Opened:
    """A run's networks, ready to predict on the CPU in fp32.

    Attributes
    ----------
    network : pixels uint8 (B, h, w, C) -> probabilities float32 (B, classes)
    states : weights of each fold and seed, by name "fold-K" or "fold-K-seed-S", keys as `network.state_dict()`
    size : (h, w)
    """

    network: nn.Module
    states: dict[str, dict[str, torch.Tensor]]
    size: tuple[int, int]


def build_bundle(competition: Competition, run: Run, dataset: Dataset, path: Path, half: bool) -> Opened:
    """Write the bundle as a flat zip; returns the networks that it was made of.

    half : store weights as float16: half the size, and labels may change where two classes are level

    Raises
    ------
    UserError
        If the run has no weights of its own, or its network cannot be exported.
    """
    opened = open_run(competition, run, dataset)
    about = {
        "run": run.name,
        "classes": len(competition.classes),
        "size": list(opened.size),
        "vote": run.recipe.predict.across_folds == "vote",
        "graph": "graph.pt2",
        "weights": [f"{name}.npz" for name in opened.states],
        "needs": list(NEEDS),
    }
    graph = _exported(opened, competition.data.channels)
    with complete_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "model.py", Path(__file__).with_name("model.py").read_bytes())
        _add(archive, "bundle.json", json.dumps(about, indent=1).encode())
        _add(archive, "graph.pt2", graph)
        for name, state in opened.states.items():
            _add(archive, f"{name}.npz", _arrays(state, half))
    return opened


def open_run(competition: Competition, run: Run, dataset: Dataset) -> Opened:
    """Load a run's networks.

    Raises
    ------
    UserError
        If it is an ensemble or partial, or its recipe combines views by ranks (which need all rows at once).
    """
    from harness.cv.fold_job import FoldJob, FoldTraining

    if "ensemble" in run.environment:
        raise UserError(f"run '{run.name}' is an ensemble; a bundle holds the folds of one run")
    if not run.complete:
        raise UserError(f"run '{run.name}' is partial; finish it with --resume")
    if run.recipe.predict.combine == "rank":
        raise UserError("predict.combine = 'rank' needs all rows at once; a bundle predicts batch by batch")
    states, network, size = {}, None, (0, 0)
    for fold in range(run.folds.k):
        job = FoldJob(run.path, competition.folder, dataset.cache, fold, "cpu", 1)
        training = FoldTraining.open(job, RunFolder(run.path), lambda *told: None)
        whole, saved = training.whole_networks(), training.saved_states()
        for seed, state in enumerate(saved):
            network = _predictor(whole.load(state).float(), run.recipe.predict)
            name = f"fold-{fold}" + (f"-seed-{seed}" if len(saved) > 1 else "")
            states[name] = {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
        size = tuple(whole.images.shape[1:3])
    assert network is not None
    return Opened(network.eval(), states, size)


def predict_opened(opened: Opened, pixels: np.ndarray, vote: bool) -> np.ndarray:
    """What the bundle should say: probabilities float64 (n, classes) of pictures uint8 (n, H, W, C), all folds together."""
    import torch

    from harness.data.resized import resize_pixels
    from harness.runs.vote import vote as majority

    resized = pixels if pixels.shape[1:3] == opened.size else resize_pixels(pixels, opened.size)
    parts = []
    with torch.inference_mode():
        for state in opened.states.values():
            opened.network.load_state_dict(state)
            batches = torch.from_numpy(np.ascontiguousarray(resized)).split(128)
            parts.append(np.concatenate([opened.network(batch).numpy() for batch in batches]))
    return majority(parts) if vote else np.mean(parts, axis=0, dtype=np.float64)


def _predictor(network: nn.Module, spec: Any) -> nn.Module:
    import torch
    import torch.nn as nn

    from harness.train.batches import to_float
    from harness.train.predict import combine
    from harness.train.views import weighted_views

    class Predictor(nn.Module):
        """Preprocessing, views, network, combination."""

        def __init__(self) -> None:
            super().__init__()
            self.network, self.looks = network, weighted_views(spec)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            x = to_float(pixels, torch.contiguous_format)
            logits = torch.stack([self.network(look.view(x).contiguous()).float() for look in self.looks])
            weights = torch.tensor([look.weight for look in self.looks]).to(logits.device).view(-1, 1, 1)
            return combine(logits, weights, spec.combine)

    return Predictor().eval()


def _exported(opened: Opened, channels: int) -> bytes:
    import torch

    opened.network.load_state_dict(next(iter(opened.states.values())))
    example = torch.zeros((4, *opened.size, channels), dtype=torch.uint8)
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore", UserWarning)
            program = torch.export.export(
                opened.network, (example,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1_000_000)},)
            )
            torch.export.save(program, buffer)
    except (RuntimeError, torch._dynamo.exc.TorchDynamoException) as error:
        raise UserError(f"the network cannot be exported by torch.export: {str(error).splitlines()[0]}") from error
    return buffer.getvalue()


def _arrays(state: dict[str, torch.Tensor], half: bool) -> bytes:
    buffer = io.BytesIO()
    arrays = {key: tensor.numpy() for key, tensor in state.items()}
    np.savez(buffer, **{k: a.astype(np.float16) if half and a.dtype == np.float32 else a for k, a in arrays.items()})
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _STAMP)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, content)
