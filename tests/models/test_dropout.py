"""Our dropout is torch's in distribution: rate, scale, gradient, layout; off at prediction; seeded."""

from __future__ import annotations

import pytest
import torch

from harness.models.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rate_and_scale(p: float, form: torch.memory_format, dtype: torch.dtype):
    torch.manual_seed(0)
    x = torch.ones(64, 7, 15, 13, dtype=dtype).contiguous(memory_format=form)
    y = Dropout(p)(x)
    assert y.stride() == x.stride()
    values = y.unique()
    assert values[0] == 0 and values[1].item() == pytest.approx(1 / (1 - p), rel=5e-3) and len(values) == 2
    n = x.numel()
    assert abs((y == 0).float().mean().item() - p) < 4 * (p * (1 - p) / n) ** 0.5
    per_place = (y == 0).float().mean(dim=0)  # no place is favoured
    assert per_place.std() < 1.1 * (p * (1 - p) / 64) ** 0.5


def test_neighbours_are_independent():
    torch.manual_seed(0)
    dropped = (Dropout(0.5)(torch.ones(200_000)) == 0).float()
    for lag in (1, 2, 3, 4, 5):
        assert abs((dropped[lag:] * dropped[:-lag]).mean().item() - 0.25) < 0.01


def test_the_gradient_goes_where_the_values_went():
    torch.manual_seed(0)
    x = torch.rand(32, 5, 4, 4, requires_grad=True)
    y = Dropout(0.4)(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad * x, y)


def test_seeded_off_at_prediction_and_fine_with_any_strides():
    layer, x = Dropout(0.5), torch.rand(6, 8).T
    torch.manual_seed(3)
    first = layer(x)
    torch.manual_seed(3)
    assert torch.equal(first, layer(x)) and first.shape == x.shape
    assert torch.equal(layer.eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x) and not Dropout(1.0)(x).any()
