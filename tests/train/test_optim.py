"""Schedules have the shapes they are named after; weight decay spares what it must."""

from __future__ import annotations

import pytest
import torch

from harness.competition.recipe import TrainSpec
from harness.train.optim import build_optimizer, lr_factor


def factors(**spec) -> list[float]:
    return [lr_factor(step, 100, 10, TrainSpec(**spec)) for step in range(100)]


def test_constant():
    assert set(factors(schedule="constant")) == {1.0}


def test_cosine_falls_from_one_to_nothing():
    values = factors(schedule="cosine")
    assert values[0] == 1.0 and values[-1] < 0.01 and values == sorted(values, reverse=True)


def test_one_cycle_rises_linearly_then_falls():
    values = factors(schedule="one_cycle", warmup=0.2)
    assert values[:20] == pytest.approx([(i + 1) / 21 for i in range(20)])
    assert max(values) == pytest.approx(1.0) and values[20:] == sorted(values[20:], reverse=True) and values[-1] < 0.01


def test_step_halves_every_n_epochs():
    values = factors(schedule="step", step_epochs=3, step_factor=0.5)
    assert values[::10] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_weight_decay_is_for_matrices_only_and_a_step_descends(name: str):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    optimizer = build_optimizer(network, TrainSpec(optimizer=name, lr=0.01, weight_decay=0.1))
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.1, 0.0]
    assert all(p.ndim > 1 for p in optimizer.param_groups[0]["params"])
    x, y = torch.randn(32, 4), torch.randn(32, 1)
    losses = []
    for _ in range(20):
        loss = (network(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
