"""Which shares of the classes are learnt, and the way back: by the law of each, and by a network whose right answer is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn as nn
from hypothesis import given
from hypothesis import strategies as st

from harness.competition import Recipe
from harness.competition.recipe import ModelSpec
from harness.competition.train_spec import TrainSpec
from harness.models.network import Network, logit_shift, set_logit_shift
from harness.train.balance.prior import prior_of
from harness.train.fit import Rows, fit
from harness.train.inputs.network_inputs import PixelInputs
from harness.train.inputs.pixels import ResidentImages
from harness.train.precision import Layout

LABELS = torch.tensor([0] * 6 + [1] * 3 + [2])
EVERY_WAY: list[dict[str, Any]] = [
    {"sampling": "balanced"},
    {"sampling": "sqrt"},
    {"logit_adjustment": 1.0},
    {"logit_adjustment": 0.5},
    {"sampling": "sqrt", "logit_adjustment": 1.0},
]


def test_what_leaves_classes_as_they_are_has_none():
    assert prior_of(LABELS, 3, TrainSpec()) is None
    assert prior_of(LABELS, 3, TrainSpec(class_weights="balanced")) is None


def test_logit_adjustment_is_menon_s():
    found = prior_of(LABELS, 3, TrainSpec(logit_adjustment=1.5))
    assert found is not None and found.rates is None
    shares = torch.tensor([0.6, 0.3, 0.1])
    torch.testing.assert_close(found.in_loss, 1.5 * shares.log())
    torch.testing.assert_close(
        found.to_data, 1.5 * shares.log()
    )  # on the same logits: what the loss saw is what the data say


@pytest.mark.parametrize("spec", EVERY_WAY, ids=str)
def test_what_the_loss_saw_and_the_shift_lead_to_the_data_s_shares(spec: dict[str, Any]):
    """An image that tells nothing: the network that is best in the loss predicts the classes' own shares."""
    found = prior_of(LABELS, 3, TrainSpec(**spec))
    assert found is not None
    rates = torch.ones(10, dtype=torch.float64) if found.rates is None else found.rates
    seen = torch.bincount(LABELS, rates, minlength=3) / 10
    best = seen.log() - found.in_loss  # softmax(logits + in_loss) is what the loss saw
    torch.testing.assert_close((best + found.to_data).softmax(0), torch.tensor([0.6, 0.3, 0.1]).double())
    if spec.get("logit_adjustment") == 1 or spec.get("sampling") == "balanced":
        torch.testing.assert_close(best.softmax(0), torch.full((3,), 1 / 3).double())


@given(st.lists(st.integers(0, 3), min_size=2, max_size=20), st.sampled_from(EVERY_WAY), st.data())
def test_a_row_that_weighs_k_is_k_rows(labels: list[int], spec: dict[str, Any], data: st.DataObject):
    times = torch.tensor(data.draw(st.lists(st.integers(1, 4), min_size=len(labels), max_size=len(labels))))
    truth, weights = torch.tensor(labels), times / times.double().mean()
    one = prior_of(truth, 4, TrainSpec(**spec), weights)
    many = prior_of(truth.repeat_interleave(times), 4, TrainSpec(**spec))
    assert one is not None and many is not None
    there = torch.bincount(truth, minlength=4) > 0
    torch.testing.assert_close(one.in_loss[there], many.in_loss[there])
    torch.testing.assert_close(one.to_data[there], many.to_data[there])
    if one.rates is not None:
        assert float((one.rates * weights).mean() * one.weight_scale) == pytest.approx(1)


@pytest.mark.parametrize("spec", EVERY_WAY, ids=str)
def test_shares_of_votes_that_are_sure_are_classes_and_a_class_without_rows_is_a_number(spec: dict[str, Any]):
    one, votes = (prior_of(y, 4, TrainSpec(**spec)) for y in (LABELS, torch.eye(4)[LABELS]))
    assert one is not None and votes is not None
    torch.testing.assert_close(one.to_data, votes.to_data)
    assert one.to_data.isfinite().all() and one.in_loss.isfinite().all()
    assert (one.rates is None) == (votes.rates is None)
    if one.rates is not None and votes.rates is not None:
        torch.testing.assert_close(one.rates, votes.rates)
    assert torch.equal(one.classes, votes.classes)


class Level(nn.Module):
    """Logits of the mean brightness alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.mean(dim=(1, 2, 3))[:, None])


def trained(spec: dict[str, Any], shift: bool, weights: bool = False) -> tuple[Network, torch.Tensor, torch.Tensor]:
    """A network on images of two brightnesses that overlap: 900 of the first class, 100 of the second."""
    draws = torch.Generator().manual_seed(0)
    labels = (torch.arange(1000) >= 900).long()
    level = 100 + 40 * labels + 40 * torch.randn(1000, generator=draws)
    images = level.clamp(0, 255).byte().view(-1, 1, 1, 1).expand(-1, 2, 2, 1).contiguous()
    torch.manual_seed(0)
    network = Network(Level(), [0.4], [0.17], 2)
    train = TrainSpec(epochs=25, batch_size=50, lr=0.05, schedule="cosine", **spec)
    recipe = Recipe(name="x", model=ModelSpec(name="cnn"), train=train)
    inputs, rows = (
        PixelInputs(ResidentImages(images.numpy(), torch.device("cpu")), recipe, Layout("fp32", False), 1),
        None,
    )
    rows = Rows(torch.arange(1000), None, torch.ones(1000) if weights else None)
    prior = prior_of(labels, 2, train)
    if shift and prior:
        set_logit_shift(network, prior.to_data)
    fit(network, inputs, labels, rows, recipe, Layout("fp32", False), 1)
    return network.eval(), images.permute(0, 3, 1, 2) / 255, labels


@pytest.mark.parametrize("spec", EVERY_WAY, ids=str)
@torch.no_grad()
def test_a_network_finds_the_rare_class_or_predicts_by_the_data_s_shares_as_asked(spec: dict[str, Any]):
    with torch.enable_grad():
        plain, x, labels = trained({}, shift=False)
        network, _, _ = trained(spec, shift=False)
        back, _, _ = trained(spec, shift=True)
    recall = {
        name: (n(x).argmax(1)[labels == 1] == 1).float().mean() for name, n in (("plain", plain), ("raw", network))
    }
    assert recall["raw"] > recall["plain"] + 0.1
    assert torch.equal(network.body.layer.weight, back.body.layer.weight)  # the shift is no part of training
    said = back(x).softmax(1)
    assert said[:, 1].mean() == pytest.approx(0.1, abs=0.02)
    torch.testing.assert_close(said, plain(x).softmax(1), atol=0.06, rtol=0)
    loss = nn.functional.cross_entropy
    assert loss(back(x), labels) < loss(plain(x), labels) + 0.005 < loss(network(x), labels)


def test_equal_weights_change_nothing():
    one, other = (trained({"sampling": "sqrt"}, False, weights)[0].state_dict() for weights in (False, True))
    for a, b in zip(one.values(), other.values(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def test_a_network_that_is_trained_is_not_shifted():
    network = Network(Level(), [0.4], [0.17], 2)
    x, before = torch.rand(3, 1, 2, 2), network.eval()(torch.zeros(1, 1, 2, 2))
    set_logit_shift(network, torch.tensor([1.0, -1.0]))
    assert torch.equal(network.eval()(torch.zeros(1, 1, 2, 2)), before + torch.tensor([1.0, -1.0]))
    assert torch.equal(network.train()(x) + logit_shift(network), network.eval()(x))
    assert "logit_shift" in network.state_dict()
