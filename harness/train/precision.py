"""Precision and memory layout: the fastest of four by a short timing, once per model, batch and device.

Which one wins depends on the model: bfloat16 makes a small convolutional network three times as fast on a CPU with
bf16 units, and a network of depthwise convolutions slower. The choice is kept in the cache, so that a repeated run
computes the same numbers.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from harness.base.errors import UserError
from harness.base.storage.atomic_files import read_json, write_json
from harness.base.untrusted_text import plain
from harness.competition.train_spec import TrainSpec
from harness.models.inference.copy import copy_for_prediction
from harness.models.inference.parts import images_in_part
from harness.models.network import Network
from harness.models.tabular.columns import WithColumns, with_average_columns
from harness.train.freeze import fixed_names, frozen_names, set_mode
from harness.train.optim import build_optimizer, take_step

_VERSION = 6  # of what is timed and kept
_LEAST, _MOST, _SECONDS = 3, 12, 0.6  # how often something is timed
_LONG = 1.5  # seconds after which once more is enough: what takes that long is little disturbed by others
_HOPELESS = 1.5  # times the best so far: such a candidate is not timed further


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

    @classmethod
    def of(cls, chosen: dict[str, Any], predicting: bool = False) -> Layout:
        """What `choose_layout` chose, for training or for prediction."""
        if not predicting:
            return cls(chosen["precision"], chosen["channels_last"])
        return cls(chosen["predict_precision"], chosen.get("predict_channels_last", chosen["channels_last"]))

    @property
    def memory_format(self) -> torch.memory_format:
        """torch's name of the layout."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self, device: torch.device) -> torch.autocast:
        """The context in which the network runs."""
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    def __str__(self) -> str:
        return self.precision + (" + channels_last" if self.channels_last else "")


def ready_to_predict(network: nn.Module, batch: Any, layout: Layout) -> nn.Module:
    """A copy of the network that predicts faster (`harness.models.inference.copy`); the network is left in evaluation mode.

    batch : of what it will be called with
    """
    example = batch[:2] if isinstance(batch, Tensor | WithColumns) else batch
    return copy_for_prediction(network.eval(), example, layout.memory_format, layout.precision == "bf16")


def choose_layout(
    network: Network,
    shape: tuple[int, int, int, int],
    spec: TrainSpec,
    device: torch.device,
    cache: Path,
    model: str,
    trains: bool = True,
) -> dict[str, Any]:
    """Pick the layout a recipe pins, or time the candidates; a layout must be 5 % faster than a simpler one to win.

    Prediction may win with another one than training, as it does in depthwise networks: it is made by a copy.

    Parameters
    ----------
    network : on `device`; its weights are changed by the timing
    shape : (B, C, H, W) of a training batch
    cache : folder where timings are kept
    model : what names the model in the cache: JSON of its spec
    trains : False for a network that only predicts (a frozen backbone): just that is timed

    Returns
    -------
    dict with "precision", "channels_last", "predict_precision", "predict_channels_last", "how": the reason in words, and
    where it was timed "ms_per_step", "ms_per_prediction" (of "images_predicted" images)
    """
    if spec.precision != "auto" and spec.channels_last != "auto":
        pinned = asdict(Layout(spec.precision, spec.channels_last))
        return {**pinned, **{f"predict_{key}": value for key, value in pinned.items()}, "how": "pinned by the recipe"}
    path = cache / "layouts" / f"{_key(shape, spec, device, model, trains)}.json"
    if path.is_file():
        return {**read_json(path), "how": "timed before on this machine"}
    found = _time_layouts(network, shape, spec, device, trains)
    write_json(path, found)
    return {**found, "how": "timed now"}


def fitting_batch(
    network: Network, shape: tuple[int, int, int, int], spec: TrainSpec, device: torch.device, trains: bool
) -> int:
    """The largest of half, a quarter, ... of a batch that the device has memory for; 0 where not even one image fits."""
    layout, batch = _candidates(spec)[-1], shape[0]
    while batch := batch // 2:
        try:
            if trains:
                _step_milliseconds(network, (batch, *shape[1:]), spec, layout, device)
            else:
                _prediction_milliseconds(network, (batch, *shape[1:]), layout, device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            continue
        return batch
    return 0


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch failed for lack of memory; its CPU allocator raises a plain RuntimeError."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in str(error) for word in words)


def _time_layouts(
    network: Network, shape: tuple[int, int, int, int], spec: TrainSpec, device: torch.device, trains: bool
) -> dict[str, Any]:
    candidates, found = _candidates(spec), {}
    if trains:
        steps = _timed(candidates, lambda layout, best: _step_milliseconds(network, shape, spec, layout, device, best))
        chosen = _fastest(steps)
        found = {**asdict(chosen), "ms_per_step": _rounded(steps)}
    if device.type == "cpu":  # as many as are predicted at once
        shape = (min(shape[0], images_in_part(network, *shape[2:])), *shape[1:])
    predictions = _timed(
        candidates, lambda layout, best: _prediction_milliseconds(network, shape, layout, device, best)
    )
    best = _fastest(predictions)
    return {
        **(found or asdict(best)),
        **{f"predict_{key}": value for key, value in asdict(best).items()},
        "ms_per_prediction": _rounded(predictions),
        "images_predicted": shape[0],
    }


def _timed(candidates: list[Layout], cost: Callable[[Layout, float], float]) -> dict[Layout, float]:
    """Milliseconds of each; cost : given the least so far, so that it need not be exact about what is far slower."""
    found: dict[Layout, float] = {}
    for layout in candidates:
        found[layout] = cost(layout, min(found.values(), default=math.inf))
    return found


def _rounded(timings: dict[Layout, float]) -> dict[str, float]:
    return {str(layout): round(cost, 3) for layout, cost in timings.items()}


def _fastest(timings: dict[Layout, float]) -> Layout:
    """Simpler ones come first, and must be beaten by 5 %."""
    chosen, best = next(iter(timings.items()))
    for layout, cost in timings.items():
        if cost < 0.95 * best:
            chosen, best = layout, cost
    return chosen


def _candidates(spec: TrainSpec) -> list[Layout]:
    precisions = ["fp32", "bf16"] if spec.precision == "auto" else [spec.precision]
    formats = [False, True] if spec.channels_last == "auto" else [spec.channels_last]
    return [Layout(p, f) for p in precisions for f in formats]


def _key(shape: tuple[int, ...], spec: TrainSpec, device: torch.device, model: str, trains: bool) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
    threads = torch.get_num_threads() if device.type == "cpu" else 0
    asked = [spec.optimizer, spec.precision, spec.channels_last, spec.freeze_layers, spec.freeze_blocks]
    content = [_VERSION, model, shape, trains, asked, device.type, name, threads, torch.__version__]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _step_milliseconds(
    network: Network,
    shape: tuple[int, int, int, int],
    spec: TrainSpec,
    layout: Layout,
    device: torch.device,
    best: float = math.inf,
) -> float:
    """Time of one training step on noise."""
    network = network.to(memory_format=layout.memory_format)
    set_mode(network, frozen_names(network, spec) | fixed_names(network))
    optimizer = build_optimizer(network, spec)
    x = with_average_columns(network, torch.rand(shape, device=device).contiguous(memory_format=layout.memory_format))
    y = torch.zeros(len(x), dtype=torch.long, device=device)

    def step() -> None:
        with layout.autocast(device):
            logits = network(x)
        F.cross_entropy(logits.float(), y).backward()
        take_step(optimizer)

    return _milliseconds(step, device, best)


def _prediction_milliseconds(
    network: Network, shape: tuple[int, int, int, int], layout: Layout, device: torch.device, best: float = math.inf
) -> float:
    x = with_average_columns(network, torch.rand(shape, device=device).contiguous(memory_format=layout.memory_format))
    ready = ready_to_predict(network, x, layout)

    @torch.inference_mode()
    def step() -> None:
        with layout.autocast(device):
            ready(x)

    return _milliseconds(step, device, best)


def _milliseconds(work: Callable[[], None], device: torch.device, best: float = math.inf) -> float:
    """The least of several, after one to warm up: what takes longer was disturbed by others. Short work is done more often.

    best : milliseconds of another candidate; one that twice takes half as much again is not timed further
    """
    times: list[float] = []
    while (
        len(times) < 2
        or (len(times) <= _LEAST and sum(times) < _LONG)
        or (sum(times) < _SECONDS and len(times) <= _MOST)
    ):
        start = time.perf_counter()
        work()
        synchronize(device)
        times.append(time.perf_counter() - start)
        if len(times) > 2 and 1000 * min(times[1:]) > _HOPELESS * best:
            break
    return 1000 * min(times[1:])


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
        reason = plain(str(error).splitlines()[0], 200)
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
