"""The small residual network: its layers, its residual pairs, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from harness.models.resnet import ResidualPair, resnet


def test_stages_halve_and_widen_and_residual_pairs_stand_where_they_were_asked_for():
    network = resnet(32, 32, 3, 10, stem=8, widths=[16, 24, 32], residuals=[1, 0, 2]).eval()
    shapes = []
    for layer in network:
        layer.register_forward_hook(lambda module, args, out: shapes.append(tuple(out.shape[1:])))
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    assert shapes[:7] == [(8, 32, 32), (16, 16, 16), (16, 16, 16), (24, 8, 8), (32, 4, 4), (32, 4, 4), (32, 4, 4)]
    assert sum(isinstance(m, ResidualPair) for m in network) == 3


def test_a_residual_pair_adds_to_its_input():
    pair = ResidualPair(4).eval()
    torch.nn.init.zeros_(pair.second.norm.weight)
    x = torch.rand(2, 4, 6, 6)
    assert torch.equal(pair(x), x)
    torch.nn.init.ones_(pair.second.norm.weight)
    assert (pair(x) >= x).all() and not torch.equal(pair(x), x)


@pytest.mark.parametrize(
    ("args", "said"),
    [({"widths": [8], "residuals": [1, 1]}, "2 values for 1 widths"), ({"head": "mean"}, "known: max")],
)
def test_impossible_arguments_are_named(args: dict, said: str):
    with pytest.raises(ValueError, match=said):
        resnet(32, 32, 3, 10, **args)
