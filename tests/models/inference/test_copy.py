"""A copy for prediction says what the network says."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import timm
import torch
import torch.nn as nn
from torch import Tensor

from harness.models.backbone import timm_model
from harness.models.inference import fuse as fused
from harness.models.inference.copy import copy_for_prediction
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
    ready = copy_for_prediction(network, x[:2], torch.channels_last)
    assert norms(ready) == left < norms(network)
    torch.testing.assert_close(said(ready, x), said(network, x), rtol=1e-3, atol=1e-4)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("conv_mlp", [True, False])
def test_the_scale_of_a_convnext_block_goes_into_the_layer_before_it(conv_mlp: bool):
    network = timm.create_model("convnext_atto", num_classes=4, conv_mlp=conv_mlp).eval()
    blocks = [m for m in network.modules() if type(m).__name__ == "ConvNeXtBlock"]
    for block in blocks:
        nn.init.normal_(block.gamma, 0.5, 0.5)
    x = torch.rand(5, 3, 32, 32)
    ready = copy_for_prediction(network, x[:2], torch.channels_last)
    assert all(block.gamma is None for block in ready.modules() if type(block).__name__ == "ConvNeXtBlock")
    assert all(block.gamma is not None for block in blocks)
    torch.testing.assert_close(said(ready, x), said(network, x), rtol=1e-3, atol=1e-4)


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
    ready = copy_for_prediction(network, x, torch.contiguous_format)
    assert norms(ready) == 1
    torch.testing.assert_close(said(ready, x), said(network, x))


def test_low_weights_give_the_very_numbers_of_autocast(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fused, "_available", lambda: False)
    network = cnn(16, 16, 3, 4, stages=[[8], [16]], dense=[8]).eval()
    x = torch.rand(6, 3, 16, 16)
    ready = copy_for_prediction(network, x[:2], torch.contiguous_format, low_precision=True)
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
    ready = copy_for_prediction(network, torch.rand(2, 4), torch.contiguous_format, low_precision=True)
    assert ready.dense.weight.dtype == torch.float32


def n_fused(network: nn.Module, activation: str) -> int:
    layers = [m for m in network.modules() if isinstance(m, fused.FusedConv2d | fused.FusedLinear)]
    return sum(layer.activation[0] == activation for layer in layers)


@pytest.mark.parametrize(
    ("backbone", "activation", "at_least"),
    [("resnet18", "relu", 9), ("efficientnet_b0", "swish", 48), ("convnext_atto", "gelu", 12)],
)
@pytest.mark.parametrize("low", [False, True])
def test_activations_are_taken_over(backbone: str, activation: str, at_least: int, low: bool):
    network = with_statistics(timm_model(64, 64, 3, 4, backbone=backbone))
    x = torch.rand(5, 3, 64, 64).to(memory_format=torch.channels_last)
    ready = copy_for_prediction(network, x[:2], torch.channels_last, low)
    assert n_fused(ready, activation) >= at_least
    close = {"rtol": 0.1, "atol": 0.02 * float(said(network, x).abs().max())} if low else {"rtol": 1e-3, "atol": 1e-4}
    for batch in (x, x[:1], x[:, :, 8:40, 16:48], x.transpose(2, 3)):  # packed for the first, right for all
        torch.testing.assert_close(said(ready, batch, low), said(network, batch, low), **close)


class AddsBetween(nn.Module):
    """A convolution that something is added to, in place, before its activation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 3, 3, padding="same"), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        y += x
        return self.act(y).mean(dim=(2, 3))


class SharesActivation(nn.Module):
    """One activation behind two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.act = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.two(self.act(self.one(x)))).mean(dim=(2, 3))


class LooksBefore(nn.Module):
    """A dense layer whose output goes into its activation and past it."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.act = nn.Linear(8, 3), nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.dense(x.flatten(1)[:, :8])
        return self.act(y) - y


@pytest.mark.parametrize("kind", [AddsBetween, SharesActivation, LooksBefore])
def test_an_activation_that_a_layer_cannot_take_over_stays(kind: type[nn.Module]):
    network, x = kind().eval(), torch.randn(2, 3, 8, 8)
    ready = copy_for_prediction(network, x, torch.contiguous_format)
    assert isinstance(ready.act, nn.ReLU | nn.GELU)
    torch.testing.assert_close(said(ready, x), said(network, x))


def test_where_the_processor_lacks_the_operation_nothing_is_taken_over(monkeypatch: pytest.MonkeyPatch):
    def refuse(self: nn.Module, *_: object) -> Tensor:
        raise RuntimeError("could not create a primitive descriptor")

    monkeypatch.setattr(fused.FusedConv2d, "apply_to", refuse)
    network, x = cnn(16, 16, 3, 4, stages=[[8]]).eval(), torch.rand(2, 3, 16, 16)
    ready = copy_for_prediction(network, x, torch.contiguous_format)
    assert n_fused(ready, "none") == n_fused(ready, "relu") == 0
    assert torch.equal(said(ready, x), said(network, x))


@pytest.mark.parametrize("backbone", ["resnet18", "dla34"])
def test_it_is_made_in_inference_mode_too(backbone: str):
    network, x = with_statistics(timm_model(32, 32, 3, 4, backbone=backbone)), torch.rand(5, 3, 32, 32)
    with torch.inference_mode():
        ready = copy_for_prediction(network, x[:2].clone(), torch.channels_last)
    assert norms(ready) == 0 and n_fused(ready, "relu") >= 9
    scale = float(said(network, x).abs().max())
    torch.testing.assert_close(said(ready, x), said(network, x), rtol=1e-3, atol=1e-4 * scale)
