"""The layout is timed once, kept, and can be pinned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness.competition.train_spec import TrainSpec
from harness.models.network import Network
from harness.models.small import cnn
from harness.train import precision
from harness.train.precision import choose_layout, fitting_batch, is_out_of_memory

CPU = torch.device("cpu")


def choose(cache: Path, **spec):
    network = Network(cnn(8, 8, 1, 2, stages=[[4]]), [0.5], [0.3], 2)
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


def test_a_timed_network_can_be_trained(tmp_path: Path):
    network = Network(cnn(8, 8, 1, 2, stages=[[4]]), [0.5], [0.3], 2)
    choose_layout(network, (4, 1, 8, 8), TrainSpec(), CPU, tmp_path, "tiny")
    network.train()(torch.rand(4, 1, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_pinned_precision_leaves_the_memory_format_to_be_timed(tmp_path: Path):
    assert set(choose(tmp_path, precision="fp32")["ms_per_step"]) == {"fp32", "fp32 + channels_last"}


def test_a_frozen_backbone_is_timed_on_prediction_only(tmp_path: Path):
    network = Network(cnn(8, 8, 1, 2, stages=[[4]]), [0.5], [0.3], 2)
    chosen = choose_layout(network, (4, 1, 8, 8), TrainSpec(), CPU, tmp_path, "tiny", trains=False)
    assert "ms_per_step" not in chosen and len(chosen["ms_per_prediction"]) == 4
    assert chosen["precision"] == chosen["predict_precision"]


def test_a_batch_that_fits_is_found_by_halving(monkeypatch: pytest.MonkeyPatch):
    def limited(network, shape, *rest):
        if shape[0] > 20:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 123 bytes")
        return 1.0

    monkeypatch.setattr(precision, "_step_milliseconds", limited)
    assert fitting_batch(None, (128, 1, 8, 8), TrainSpec(), CPU, True) == 16
    assert is_out_of_memory(RuntimeError("CUDA out of memory. Tried")) and not is_out_of_memory(RuntimeError("shape"))
