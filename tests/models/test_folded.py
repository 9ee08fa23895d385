"""A copy for prediction says what the network says."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn as nn
from torch import Tensor

from harness.models.backbone import timm_model
from harness.models.folded import folded
from harness.models.resnet import resnet
from harness.models.small import cnn

BF16 = torch.bfloat16


def with_statistics(network: nn.Module) -> nn.Module:
    """As if it had been trained: norms that do something."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2.0)
            nn.init.normal_(module.weight, 1.0, 0.3)
            nn.init.normal_(module.bias, 0.0, 0.3)
    return network.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in network.modules())


def said(network: nn.Module, x: Tensor, low: bool = False) -> Tensor:
    with torch.inference_mode(), torch.autocast("cpu", BF16, enabled=low):
        return network(x).float()


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("build", "args", "left"),
    [
        (cnn, {"stages": [[8], [8, 16]], "batch_norm": True, "dense": [16]}, 0),
        (cnn, {"stages": [[8, 8]], "batch_norm": True, "pool_first": True}, 1),  # pooling stands between
        (resnet, {"stem": 8, "widths": [8, 16], "residuals": [1, 0]}, 2),
        (timm_model, {"backbone": "resnet18"}, 0),
        (timm_model, {"backbone": "efficientnet_b0", "head": [16]}, 0),
        (timm_model, {"backbone": "tf_efficientnet_lite0"}, 0),
    ],
)
def test_the_copy_says_the_same_without_its_norms(build: Callable[..., nn.Module], args: dict, left: int):
    network = with_statistics(build(32, 32, 3, 4, **args))
    before = copy.deepcopy(network.state_dict())
    x = torch.rand(5, 3, 32, 32)
    ready = folded(network, x[:2], torch.channels_last)
    assert norms(ready) == left < norms(network)
    torch.testing.assert_close(said(ready, x), said(network, x), rtol=1e-3, atol=1e-4)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


class Aside(nn.Module):
    """A convolution whose output goes into the norm and past it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return (y + self.norm(y)).mean(dim=(2, 3))


class Twice(Aside):
    """One convolution, called twice."""

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(self.conv(x))).mean(dim=(2, 3))


@pytest.mark.parametrize("kind", [Aside, Twice])
def test_what_cannot_be_folded_stays_as_it_is(kind: type[nn.Module]):
    network = with_statistics(kind())
    x = torch.rand(2, 3, 8, 8)
    ready = folded(network, x, torch.contiguous_format)
    assert norms(ready) == 1 and torch.equal(said(ready, x), said(network, x))


def test_low_weights_give_the_very_numbers_of_autocast():
    network = cnn(16, 16, 3, 4, stages=[[8], [16]], dense=[8]).eval()
    x = torch.rand(6, 3, 16, 16)
    ready = folded(network, x[:2], torch.contiguous_format, low_precision=True)
    assert {p.dtype for p in ready.parameters()} == {BF16} and {p.dtype for p in network.parameters()} == {
        torch.float32
    }
    assert torch.equal(said(ready, x, low=True), said(network, x, low=True))


class LeavesAutocast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return self.dense(x)


def test_a_layer_that_wants_full_precision_keeps_it():
    network = LeavesAutocast().eval()
    ready = folded(network, torch.rand(2, 4), torch.contiguous_format, low_precision=True)
    assert ready.dense.weight.dtype == torch.float32
