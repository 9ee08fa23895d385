"""Levels of a backbone: what they are, and that they stand behind the pooled features of the plain one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.models.backbone import timm_model
from harness.models.levels import levels_of, with_levels

KINDS = ["test_resnet", "test_efficientnet", "test_vit", "test_convnext"]


def built(name: str, **args) -> nn.Module:
    torch.manual_seed(0)
    return timm_model(32, 32, 3, 4, backbone=name, **args).eval()


@pytest.mark.parametrize("name", KINDS)
def test_levels_stand_behind_the_pooled_features(name: str):
    network, x = built(name, levels=True, head=[8]), torch.rand(2, 3, 32, 32)
    plain = built(name)
    plain.backbone.load_state_dict(network.backbone.state_dict())
    with torch.no_grad():
        features, pooled = network.features(x), plain.features(x)
    assert features.shape[1] == network.head[0].in_features > pooled.shape[1]
    torch.testing.assert_close(features[:, : pooled.shape[1]], pooled)
    assert network(x).shape == (2, 4)


def test_a_backbone_of_one_size_gives_its_levels_above_256_pixels():
    network = built("vit_tiny_patch16_224", levels=True, image_size=272)
    assert network(torch.rand(1, 3, 272, 272)).shape == (1, 4)


def test_they_are_means_and_standard_deviations_of_each_block():
    network, x = built("test_efficientnet", levels=True), torch.rand(2, 3, 32, 32)
    seen: list[torch.Tensor] = []
    for block in network.backbone.blocks:
        block.register_forward_hook(lambda module, args, out: seen.append(out))
    with torch.no_grad():
        features = network.features(x)
    wanted = [v for out in seen for v in (out.mean((2, 3)), out.flatten(2).std(2, correction=0).clamp(min=1e-3))]
    assert len(seen) == len(network.backbone.blocks) == len(network.levels["indices"])
    torch.testing.assert_close(features[:, -sum(v.shape[1] for v in wanted) :], torch.cat(wanted, 1))


def test_of_many_blocks_eight_are_taken_the_last_among_them():
    class Deep(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.feature_info = [{}] * n

        def forward_intermediates(self, x: torch.Tensor, indices: list[int]) -> None: ...

    for n in (1, 4, 8, 12, 24, 40):
        indices = levels_of(Deep(n))["indices"]
        assert len(indices) == min(n, 8) and indices[0] == 0 and indices[-1] == n - 1
    with pytest.raises(ValueError, match=r"Linear does not give its levels; take model\.args\.levels out"):
        levels_of(nn.Linear(1, 1))


def test_where_a_level_is_flat_gradients_are_finite():
    network = built("test_resnet", levels=True)
    x = torch.zeros(2, 3, 32, 32, requires_grad=True)
    with_levels(network.backbone, x, network.levels).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_a_number_of_levels_is_refused():
    with pytest.raises(ValueError, match="levels = 3: must be true or false"):
        built("test_resnet", levels=3)
