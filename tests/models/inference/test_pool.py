"""Quicker pooling says the very same as torch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn as nn

from harness.models.backbone import timm_model
from harness.models.inference.pool import SlicedMaxPool2d, replace_pooling


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (5, 3, 2), (3, 3, 0), (2, 1, 0)]
)
@pytest.mark.parametrize("size", [(5, 8), (9, 7), (16, 16)])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_maxima_are_the_same(kernel: int, stride: int, padding: int, size: tuple[int, int], kind: torch.dtype):
    pool = nn.MaxPool2d(kernel, stride, padding)
    x = torch.randn(2, 24, *size, dtype=kind).to(memory_format=torch.channels_last)
    x[0, 3, 2, 2] = torch.nan
    expected = pool(x)
    assert replace_pooling(pool) == 1 and type(pool) is SlicedMaxPool2d
    with torch.inference_mode():  # where views do not tell that they are views
        given = x.clone()
        torch.testing.assert_close(pool(given), expected, rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(given, x, rtol=0, atol=0, equal_nan=True)
    assert pool(x).is_contiguous(memory_format=torch.channels_last)


def test_few_channels_and_other_memory_go_torchs_way():
    pool = nn.MaxPool2d(2)
    few, contiguous = torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last), torch.randn(2, 32, 8, 8)
    expected = pool(few), pool(contiguous)
    replace_pooling(pool)
    assert torch.equal(pool(few), expected[0]) and torch.equal(pool(contiguous), expected[1])


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(2, dilation=2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.MaxPool2d(2, return_indices=True),
        nn.MaxPool2d(2, padding=1),
        nn.AdaptiveMaxPool2d(1),
    ],
)
def test_other_pooling_stays(pool: nn.Module):
    kind = type(pool)
    assert replace_pooling(pool) == 0 and type(pool) is kind


def test_squeeze_and_excite_is_as_exact_as_before():
    network = timm_model(64, 64, 3, 4, backbone="efficientnet_b0").eval()
    block = next(m for m in network.modules() if type(m).__name__ == "SqueezeExcite")
    x = torch.rand(3, block.conv_reduce.in_channels, 24, 24).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        exact = block(x)
        with torch.autocast("cpu", torch.bfloat16):
            before = block(x.bfloat16()).float()
            assert replace_pooling(block) == 1
            after = block(x.bfloat16()).float()
        torch.testing.assert_close(block(x), exact)
    assert (after - exact).abs().max() <= 1.2 * (before - exact).abs().max()
