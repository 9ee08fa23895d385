"""The remedy computes the same convolution and gradients, and is only in force where it helps."""

from __future__ import annotations

import copy

import pytest
import torch

from harness.models.depthwise import DepthwiseConv2d, use_fp32_gradients
from harness.models.inference.fold import is_layer


def pair(**settings) -> tuple[torch.nn.Conv2d, torch.nn.Conv2d]:
    torch.manual_seed(0)
    plain = torch.nn.Conv2d(6, 6, 5, groups=6, **settings)
    ours = torch.nn.Conv2d(6, 6, 5, groups=6, **settings)
    ours.load_state_dict(plain.state_dict())
    assert use_fp32_gradients(torch.nn.Sequential(ours)) == 1
    return plain, ours


def gradients(layer: torch.nn.Module, x: torch.Tensor, low: bool) -> list[torch.Tensor]:
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
        y = layer(x)
    (y.float() * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
    return [y.float(), x.grad, *[p.grad for p in layer.parameters()]]


@pytest.mark.parametrize("settings", [{"padding": 2}, {"stride": 2, "bias": False}, {"padding": 4, "dilation": 2}])
@pytest.mark.parametrize("low", [False, True], ids=["fp32", "bf16"])
def test_output_and_gradients_agree_with_torchs(settings: dict, low: bool):
    plain, ours = pair(**settings)
    x = torch.randn(2, 6, 12, 12)
    for a, b in zip(gradients(plain, x, low), gradients(ours, x, low), strict=True):
        scale = a.abs().max()
        torch.testing.assert_close(a / scale, b / scale, atol=2e-2 if low else 1e-6, rtol=0)


def test_the_weight_gradient_in_bf16_is_nearer_to_the_true_one():
    plain, ours = pair(padding=2)
    x = torch.randn(2, 6, 12, 12)
    true = gradients(pair(padding=2)[0], x, low=False)[2]
    error = [(gradients(layer, x, low=True)[2] - true).abs().mean() for layer in (plain, ours)]
    assert error[1] <= error[0]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("low", [False, True], ids=["fp32", "bf16"])
def test_timms_padding_as_tensorflow_does_it_is_kept(stride: int, low: bool):
    pytest.importorskip("timm")
    from timm.layers.conv2d_same import Conv2dSame

    torch.manual_seed(0)
    plain, ours = (Conv2dSame(6, 6, 5, stride=stride, groups=6, bias=stride == 1) for _ in range(2))
    ours.load_state_dict(plain.state_dict())
    network = torch.nn.Sequential(ours)
    assert use_fp32_gradients(network) == 1 and use_fp32_gradients(network) == 0
    assert isinstance(ours, Conv2dSame) and is_layer(ours)
    x = torch.randn(2, 6, 13, 12)
    for a, b in zip(gradients(plain, x, low), gradients(ours, x, low), strict=True):
        torch.testing.assert_close(a / a.abs().max(), b / a.abs().max(), atol=2e-2 if low else 1e-6, rtol=0)
    again = copy.deepcopy(network)
    assert torch.equal(again(x), network(x))


def test_the_gradient_of_the_input_is_as_good_where_it_strides():
    plain, ours = pair(stride=2, bias=False)
    x = torch.randn(2, 6, 13, 13)
    true = gradients(pair(stride=2, bias=False)[0], x, low=False)[1]
    error = [(gradients(layer, x, low=True)[1] - true).abs().mean() for layer in (plain, ours)]
    assert error[1] <= error[0]


def test_only_plain_depthwise_convolutions_are_changed():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(4, 4, 3),
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.Conv2d(4, 8, 3, groups=2),
        torch.nn.Conv2d(4, 4, 3, groups=4),
    )
    assert use_fp32_gradients(network) == 1
    assert [type(m) is DepthwiseConv2d for m in network] == [False, False, False, True]


def test_nothing_changes_at_prediction():
    plain, ours = pair(padding=2)
    x = torch.randn(1, 6, 9, 9)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(plain(x), ours(x))
