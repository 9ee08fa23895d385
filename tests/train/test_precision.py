"""The layout is timed once, kept, and can be pinned."""

from __future__ import annotations

from pathlib import Path

import torch

from harness.competition.recipe import TrainSpec
from harness.models.network import Network
from harness.models.small import cnn
from harness.train.precision import choose_layout

CPU = torch.device("cpu")


def choose(cache: Path, **spec):
    network = Network(cnn(8, 8, 1, 2, stages=[[4]]), [0.5], [0.3])
    return choose_layout(network, (4, 1, 8, 8), TrainSpec(**spec), CPU, cache, "tiny")


def test_pinned_layout_is_not_timed(tmp_path: Path):
    chosen = choose(tmp_path, precision="bf16", channels_last=True)
    assert (chosen["precision"], chosen["channels_last"], chosen["how"]) == ("bf16", True, "pinned by the recipe")
    assert list(tmp_path.iterdir()) == []


def test_timed_once_then_read_back(tmp_path: Path):
    first, second = choose(tmp_path), choose(tmp_path)
    assert first["how"] == "timed now" and second["how"] == "timed before on this machine"
    assert first["ms_per_step"] == second["ms_per_step"] and len(first["ms_per_step"]) == 4
    assert {k: first[k] for k in ("precision", "channels_last")} == {
        k: second[k] for k in ("precision", "channels_last")
    }


def test_a_pinned_precision_leaves_the_memory_format_to_be_timed(tmp_path: Path):
    assert set(choose(tmp_path, precision="fp32")["ms_per_step"]) == {"fp32", "fp32 + channels_last"}
