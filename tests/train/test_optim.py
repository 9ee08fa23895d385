"""Schedules have the shapes they are named after; weight decay spares what it must."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import get_args

import pytest
import torch

from harness.competition.train_spec import TrainSpec
from harness.models.backbone import timm_model
from harness.models.network import Network
from harness.train.optim import Plateau, build_optimizer, lr_factor, parameter_groups, set_lr, take_step


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


def test_warm_up_goes_before_any_schedule_that_asks_for_it():
    values = factors(schedule="cosine", warmup=0.1)
    assert values[:10] == pytest.approx([(i + 1) / 11 for i in range(10)]) and values[-1] < 0.01
    assert TrainSpec(schedule="one_cycle").rise == 0.15 and TrainSpec(schedule="one_cycle", warmup=0.0).rise == 0


def test_plateau_reduces_after_patience_and_not_while_the_loss_falls():
    plateau = Plateau(patience=1, factor=0.5)
    seen = []
    for loss in (1.0, 0.9, 0.95, 0.95, 0.95, 0.95, 0.8):
        plateau.after_epoch(loss)
        seen.append(plateau.factor)
    assert seen == [1, 1, 1, 0.5, 0.5, 0.25, 0.25]


def small_network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))


@pytest.mark.parametrize("name", get_args(TrainSpec.model_fields["optimizer"].annotation))
def test_every_optimizer_descends(name: str):
    network = small_network()
    optimizer = build_optimizer(network, TrainSpec(optimizer=name, lr=0.01, weight_decay=0.1))
    x, y = torch.randn(32, 4), torch.randn(32, 1)
    losses = []
    for _ in range(40):
        loss = (network(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_weight_decay_is_for_matrices_unless_asked_for_all():
    groups = build_optimizer(small_network(), TrainSpec(weight_decay=0.1)).param_groups
    assert [(g["weight_decay"], {p.ndim for p in g["params"]}) for g in groups] == [(0.1, {2}), (0.0, {1})]
    groups = build_optimizer(small_network(), TrainSpec(weight_decay=0.1, decay_all=True)).param_groups
    assert [g["weight_decay"] for g in groups] == [0.1]


def test_layer_decay_scales_each_block_and_the_schedule_keeps_it():
    optimizer = build_optimizer(small_network(), TrainSpec(layer_decay=0.5))
    scales = {tuple(p.shape): g["lr_scale"] for g in optimizer.param_groups for p in g["params"]}
    assert scales[(4, 4)] == 0.25 and scales[(1, 4)] == 1.0
    set_lr(optimizer, 0.2)
    assert {round(g["lr"], 6) for g in optimizer.param_groups} == {0.05, 0.1, 0.2}


def test_layer_decay_follows_timms_blocks():
    network = Network(timm_model(32, 32, 3, 4, backbone="resnet18"), [0.0] * 3, [1.0] * 3, 4)
    groups = parameter_groups(network, TrainSpec(layer_decay=0.9))
    scale = {id(p): g["lr_scale"] for g in groups for p in g["params"]}
    names = {n: scale[id(p)] for n, p in network.named_parameters()}
    assert names["body.head.0.weight"] == 1.0
    assert names["body.backbone.layer4.1.conv2.weight"] == pytest.approx(0.9)
    assert names["body.backbone.conv1.weight"] == pytest.approx(0.9**9)


OPTIMIZERS = get_args(TrainSpec.model_fields["optimizer"].annotation)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_is_the_step_of_torch(name: str):
    torch.manual_seed(0)
    ours = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    theirs, before = copy.deepcopy(ours), copy.deepcopy(ours)
    spec = TrainSpec(optimizer=name, lr=0.05)
    for network in (ours, theirs):
        optimizer = build_optimizer(network, spec)
        for x in torch.arange(12.0).view(3, 1, 4):
            network(x / 10).square().sum().backward()
            if network is ours:
                take_step(optimizer)
            else:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
    assert all(p.grad is None for p in ours.parameters())
    for one, other, old in zip(ours.parameters(), theirs.parameters(), before.parameters(), strict=True):
        assert torch.equal(one, other) and not torch.equal(one, old)


def test_a_step_spares_the_import_of_dynamo():
    code = """
import sys, torch
from harness.competition.train_spec import TrainSpec
from harness.train.optim import build_optimizer, take_step
layer = torch.nn.Linear(2, 1)
optimizer = build_optimizer(layer, TrainSpec())
layer(torch.ones(1, 2)).sum().backward()
take_step(optimizer)
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
