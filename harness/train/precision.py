"""Precision and memory layout: the fastest of four by a short timing, once per model, batch and device.

Which one wins depends on the model: bfloat16 makes a small convolutional network three times as fast on a CPU with
bf16 units, and a network of depthwise convolutions slower. The choice is kept in the cache, so that a repeated run
computes the same numbers.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from harness.base.errors import UserError
from harness.base.files import read_json, write_json
from harness.competition.recipe import TrainSpec
from harness.models.network import Network
from harness.train.optim import build_optimizer


@dataclass(frozen=True)
class Layout:
    """How numbers are computed and laid out.

    Attributes
    ----------
    precision : "fp32" or "bf16" (autocast; weights stay fp32)
    channels_last : memory format of images and kernels
    """

    precision: str
    channels_last: bool

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    def __str__(self) -> str:
        return self.precision + (" + channels_last" if self.channels_last else "")


def choose_layout(
    network: Network, shape: tuple[int, int, int, int], spec: TrainSpec, device: torch.device, cache: Path, model: str
) -> dict[str, Any]:
    """Pick the layout a recipe pins, or time the candidates; a layout must be 5 % faster than a simpler one to win.

    Parameters
    ----------
    network : on `device`; its weights are changed by the timing
    shape : (B, C, H, W) of a training batch
    cache : folder where timings are kept
    model : what names the model in the cache: JSON of its spec

    Returns
    -------
    dict with "precision", "channels_last", and "how": the reason in words, "ms_per_step": the timings
    """
    candidates = _candidates(spec)
    if len(candidates) == 1:
        return {**asdict(candidates[0]), "how": "pinned by the recipe"}
    path = cache / "layouts" / f"{_key(shape, spec, device, model)}.json"
    if path.is_file():
        return {**read_json(path), "how": "timed before on this machine"}
    timings = {str(layout): (layout, _milliseconds(network, shape, spec, layout, device)) for layout in candidates}
    chosen, best = next(iter(timings.values()))
    for layout, cost in timings.values():
        if cost < 0.95 * best:
            chosen, best = layout, cost
    found = {**asdict(chosen), "ms_per_step": {name: round(cost, 3) for name, (_, cost) in timings.items()}}
    write_json(path, found)
    return {**found, "how": "timed now"}


def _candidates(spec: TrainSpec) -> list[Layout]:
    precisions = ["fp32", "bf16"] if spec.precision == "auto" else [spec.precision]
    formats = [False, True] if spec.channels_last == "auto" else [spec.channels_last]
    return [Layout(p, f) for p in precisions for f in formats]


def _key(shape: tuple[int, ...], spec: TrainSpec, device: torch.device, model: str) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
    threads = torch.get_num_threads() if device.type == "cpu" else 0
    content = [model, shape, spec.optimizer, spec.precision, spec.channels_last, device.type, name, threads]
    return hashlib.sha256(json.dumps([*content, torch.__version__]).encode()).hexdigest()[:16]


def _milliseconds(
    network: Network, shape: tuple[int, int, int, int], spec: TrainSpec, layout: Layout, device: torch.device
) -> float:
    """Median time of one training step on noise, after one step to warm up."""
    network = network.to(memory_format=layout.memory_format).train()
    optimizer = build_optimizer(network, spec)
    x = torch.rand(shape, device=device).contiguous(memory_format=layout.memory_format)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        with layout.autocast(device):
            logits = network(x)
        F.cross_entropy(logits.float(), torch.zeros(len(x), dtype=torch.long, device=device)).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        synchronize(device)
        times.append(time.perf_counter() - start)
    return 1000 * sorted(times[1:])[1]


def usable_device(name: str) -> torch.device:
    """The device of that name.

    Raises
    ------
    UserError
        If torch does not know it or this machine does not have it.
    """
    try:
        torch.zeros(1, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device '{name}' cannot be used: {reason} Take --device cpu, or leave it out.") from error


def cpu_name() -> str:
    """The processor's model, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what was asked of it, so that a clock read after it is true."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
