"""Columns joined to networks: what was drawn without them stays, every built-in model takes them, copies say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness.competition.recipe import ModelSpec
from harness.competition.samples import Columns
from harness.data.columns.encoder import ColumnEncoder
from harness.models import build_network
from harness.models.inference.copy import copy_for_prediction
from harness.models.network import Network
from harness.models.tabular.columns import WithColumns, add_columns, with_average_columns
from tests.models.test_small import DIGITS

SPECS = [
    ModelSpec(name="mlp"),
    ModelSpec(name="mlp", args={"hidden": [], "hog_cell": 7}),
    ModelSpec(name="cnn", args={"batch_norm": True, "dense": [16], "dense_dropout": 0.3}),
    ModelSpec(name="resnet", args={"stem": 8, "widths": [16, 16], "residuals": [1, 0], "dropout": 0.2}),
    ModelSpec(name="speedrun", args={"widths": [16, 16]}),
    ModelSpec(name="timm", args={"backbone": "resnet10t", "head": [16]}),
]


def encoder() -> ColumnEncoder:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (50, 1)).astype(np.int32)
    table = Columns(rng.normal(size=(50, 3)).astype(np.float32), codes, ("a", "b", "c"), {"d": ("x", "y")})
    return ColumnEncoder.fit(table, np.arange(50))


def network(spec: ModelSpec, columns: bool) -> Any:
    torch.manual_seed(0)
    body = build_network(spec, DIGITS)
    made = Network(body, [0.5], [0.5], 10)
    if columns:
        add_columns(made, body, encoder())
    return made.eval()


def batch() -> WithColumns:
    torch.manual_seed(1)
    return WithColumns(torch.rand(6, 1, 28, 28), torch.randn(6, encoder().width))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_model_depends_on_both_and_on_nothing_of_other_rows(spec: ModelSpec):
    made, x = network(spec, columns=True), batch()
    said = made(x)
    assert said.shape == (6, 10)
    other = made(WithColumns(x.images, x.columns.flip(0)))
    assert not torch.allclose(said, other, atol=1e-5)
    assert not torch.allclose(said, made(WithColumns(x.images.flip(0), x.columns)), atol=1e-5)
    torch.testing.assert_close(made(x[:2]), said[:2], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_rest_of_the_network_is_drawn_as_without_columns(spec: ModelSpec):
    plain, joined = network(spec, False).state_dict(), network(spec, True).state_dict()
    wider = []
    for name, tensor in plain.items():
        if joined[name].shape != tensor.shape:
            wider.append(name)
            assert torch.equal(joined[name][:, : tensor.shape[1]], tensor)
        else:
            assert torch.equal(joined[name], tensor), name
    assert len(wider) == 1


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_copy_that_predicts_says_the_same(spec: ModelSpec):
    made, x = network(spec, columns=True), batch()
    with torch.inference_mode():
        ready = copy_for_prediction(made, x[:2], torch.channels_last)
        torch.testing.assert_close(ready(x), made(x), atol=1e-3, rtol=1e-3)


def test_the_encoder_travels_with_the_weights():
    made = network(SPECS[0], columns=True)
    fresh = network(SPECS[0], columns=True)
    for buffer in fresh.columns.buffers():
        buffer.zero_()
    fresh.load_state_dict(made.state_dict())
    again, first = fresh.columns.encoder.arrays(), encoder().arrays()
    assert all(np.array_equal(again[name], first[name]) for name in first)


def test_a_trial_takes_an_average_row():
    images = torch.rand(2, 1, 28, 28)
    assert with_average_columns(network(SPECS[0], False), images) is images
    x = with_average_columns(network(SPECS[0], True), images)
    assert x.columns.shape == (2, encoder().width) and not x.columns.any()
