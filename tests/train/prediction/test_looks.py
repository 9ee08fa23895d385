"""Looks at some rows as training goes on: they cost little, tell the truth, and change no bit of what is trained."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from harness.competition import Recipe
from harness.competition.metrics import METRICS
from harness.competition.recipe import ModelSpec
from harness.competition.train_spec import TrainSpec
from harness.train.fit import Rows, fit
from harness.train.inputs.network_inputs import PixelInputs
from harness.train.inputs.pixels import open_images
from harness.train.precision import Layout
from harness.train.prediction.looks import SHARE, Looks, plan_looks, some_rows

PLAIN = Layout("fp32", False)


class Net(nn.Module):
    n_classes = 2

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


def trained(looks: Looks | None, **spec: Any) -> tuple[Net, list[dict[str, Any]]]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 4, 4, 1), dtype=np.uint8)
    labels = torch.from_numpy((images.mean(axis=(1, 2, 3)) > 127).astype(np.int64))
    train = TrainSpec(epochs=4, batch_size=10, lr=0.05, **spec)
    recipe = Recipe(name="a", model=ModelSpec(name="cnn"), train=train)
    torch.manual_seed(0)
    net, inputs = Net(), PixelInputs(open_images(images, torch.device("cpu")), recipe, PLAIN)
    told: list[dict[str, Any]] = []
    history = fit(net, inputs, labels, Rows(torch.arange(40)), recipe, PLAIN, 0, tell=told.append, looks=looks)
    assert told == history
    return net, history


def looks(every: int = 1, score: Any = METRICS["accuracy"]) -> Looks:
    return Looks(torch.arange(40, 60), torch.arange(0, 40, 2), every, 7, score)


@pytest.mark.parametrize("spec", [{}, {"ema": 0.9}, {"swa": 0.5}, {"clip_norm": 1.0}], ids=str)
def test_looking_changes_no_bit(spec: dict[str, Any]):
    """Weights and statistics, losses and the generators that others draw from: all as if nobody had looked."""

    def noisy(targets: np.ndarray, outputs: np.ndarray) -> float:
        np.random.rand(3)
        random.random()
        torch.rand(3)
        return 0.5

    random.seed(1)
    np.random.seed(1)
    (blind, plain), after = trained(None, **spec), (random.random(), np.random.rand(), float(torch.rand(1)))
    random.seed(1)
    np.random.seed(1)
    (seen, told), again = trained(looks(score=noisy), **spec), (random.random(), np.random.rand(), float(torch.rand(1)))
    assert after == again and blind.training == seen.training
    assert [line["loss"] for line in plain] == [line["loss"] for line in told]
    for name, tensor in blind.state_dict().items():
        assert torch.equal(tensor, seen.state_dict()[name]), name
    assert all(line["valid_score"] == 0.5 for line in told) and "valid_score" not in plain[0]


def test_the_last_look_is_of_the_weights_that_predict():
    """By the averaged ones where there are any, in prediction mode."""
    for spec in ({}, {"ema": 0.9}):
        net, history = trained(looks(), **spec)
        net.eval()
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (60, 4, 4, 1), dtype=np.uint8)
        labels = (images.mean(axis=(1, 2, 3)) > 127).astype(np.int64)
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            logits = net(x)
        right = (logits.argmax(dim=1).numpy() == labels).astype(float)
        assert history[-1]["valid_score"] == pytest.approx(right[40:].mean())
        assert history[-1]["train_score"] == pytest.approx(right[:40:2].mean())
        loss = nn.functional.cross_entropy(logits[40:], torch.from_numpy(labels[40:]))
        assert history[-1]["valid_loss"] == pytest.approx(float(loss), rel=1e-5)


def test_every_few_epochs_and_after_the_last():
    _, history = trained(looks(every=3))
    assert [line["epoch"] for line in history if "valid_loss" in line] == [4]
    _, history = trained(looks(every=2))
    assert [line["epoch"] for line in history if "valid_loss" in line] == [2, 4]


def test_a_metric_that_fails_ends_nothing():
    def broken(targets: np.ndarray, outputs: np.ndarray) -> float:
        raise ZeroDivisionError

    _, history = trained(looks(score=broken))
    assert all("valid_loss" in line and "valid_score" not in line for line in history)
    _, history = trained(looks(score=lambda targets, outputs: float("nan")))
    assert all("train_score" not in line for line in history)


@given(
    n_train=st.integers(1, 10**7), n_valid=st.integers(1, 10**6), batch=st.integers(1, 512), epochs=st.integers(1, 300)
)
def test_looks_never_cost_more_than_their_share(n_train: int, n_valid: int, batch: int, epochs: int):
    """In forward passes, a third of a training step each, over all epochs together."""
    batch = min(batch, n_train)
    per_epoch = n_train // batch
    rows, every = plan_looks(per_epoch * batch, n_valid, per_epoch, epochs)
    plan = Looks(torch.zeros(0), torch.zeros(0), every, 1, METRICS["accuracy"])
    times = sum(plan.are_due(epoch, epochs) for epoch in range(1, epochs + 1))
    assert times >= 1 and times <= epochs / every
    assert times * 2 * rows / 3 <= SHARE * epochs * per_epoch * batch + 1e-6
    assert rows <= 2048


def test_what_is_usual():
    """Rows of each kind and epochs between two looks: of blood cells' size each epoch, of a few hundred rows now and then."""
    assert plan_looks(8000, 2000, 125, 20) == (240, 1)
    assert plan_looks(70_000, 12_000, 750, 6) == (2048, 1)
    assert plan_looks(640, 160, 10, 40) == (115, 6)
    assert plan_looks(160, 40, 5, 2) == (9, 2)


def test_the_rows_are_the_same_each_time():
    rows = torch.arange(100, 200)
    assert (
        torch.equal(some_rows(rows, 10, 3), some_rows(rows, 10, 3)) and len(set(some_rows(rows, 10, 3).tolist())) == 10
    )
    assert not torch.equal(some_rows(rows, 10, 3), some_rows(rows, 10, 4)) and some_rows(rows, 100, 0) is rows
