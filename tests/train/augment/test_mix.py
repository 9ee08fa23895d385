"""Mixup and cutmix: images, targets and weights are mixed by the same shares."""

from __future__ import annotations

import pytest
import torch

from harness.competition.augment_spec import AugmentSpec
from harness.models.tabular.columns import WithColumns
from harness.train.augment import Draws, mix
from harness.train.augment.mix import cutmix, mixup


def batch(n: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Image i is filled with its class, so that its mean pixel tells what it was mixed of."""
    y = torch.arange(n) % 2
    return y.float().view(-1, 1, 1, 1).expand(n, 3, 16, 20).contiguous(), y


def test_nothing_asked_for_gives_the_labels_back():
    x, y = batch()
    mixed, targets, _ = mix(x, y, 2, AugmentSpec(), Draws("cpu", 0))
    assert mixed is x and targets is y


@pytest.mark.parametrize(
    "spec", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0, "mix_probability": 0.8}]
)
def test_targets_tell_what_the_pixels_are_made_of(spec: dict):
    x, y = batch()
    mixed, targets, _ = mix(x, y, 2, AugmentSpec(**spec), Draws("cpu", 0))
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(64))
    torch.testing.assert_close(mixed.mean(dim=(1, 2, 3)), targets[:, 1], atol=1e-5, rtol=0)
    assert ((targets > 0.01) & (targets < 0.99)).any(dim=1).sum() > 8
    again = mix(x, y, 2, AugmentSpec(**spec), Draws("cpu", 0))
    assert torch.equal(mixed, again[0]) and torch.equal(targets, again[1])


def test_mix_probability_is_the_share_of_changed_images():
    x, y = batch(4000)
    _, targets, _ = mix(x, y, 2, AugmentSpec(mixup=1.0, mix_probability=0.3), Draws("cpu", 0))
    changed = ((targets > 0) & (targets < 1)).any(dim=1).float().mean()
    assert 0.12 < changed < 0.18  # half of the partners are of the same class


def test_mixup_is_the_weighted_mean():
    x, y = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(mixup(x, y, torch.tensor([0.25, 1.0]))[0], 0.25 * x[0] + 0.75 * y[0])


def test_cutmix_cuts_a_box_of_the_given_share_at_the_given_place():
    x, other = torch.zeros(2, 1, 16, 16), torch.ones(2, 1, 16, 16)
    mixed, kept = cutmix(x, other, torch.tensor([0.75, 0.75]), torch.tensor([0.5, 0.0]), torch.tensor([0.5, 0.0]))
    assert kept.tolist() == [0.75, 1 - 16 / 256]  # the second box is cut off at the corner
    assert mixed[0, 0, 4:12, 4:12].all() and mixed[0].sum() == 64 and mixed[1, 0, :4, :4].all()


BOTH = AugmentSpec(mixup=0.4, cutmix=1.0, mix_probability=0.8)


def test_a_mixture_s_loss_is_what_its_rows_weighted_losses_come_to():
    x, y = batch()
    weights = torch.arange(64.0) % 5
    mixed, targets, weight = mix(x, y, 2, BOTH, Draws("cpu", 0), weights)
    plain, shares, _ = mix(x, torch.arange(64), 64, BOTH, Draws("cpu", 0))  # of which row it has how much
    assert torch.equal(mixed, plain)
    torch.testing.assert_close(weight, shares @ weights)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(64))
    log_p = torch.randn(64, 2, generator=torch.Generator().manual_seed(0)).log_softmax(dim=1)
    each = -(shares * weights * log_p[:, y]).sum(dim=1)
    torch.testing.assert_close(weight * -(targets * log_p).sum(dim=1), each)


def test_equal_weights_mix_as_none_do():
    x, y = batch()
    mixed, targets, weight = mix(x, y, 2, BOTH, Draws("cpu", 0), torch.ones(64))
    plain, wanted, _ = mix(x, y, 2, BOTH, Draws("cpu", 0))
    assert torch.equal(mixed, plain)
    torch.testing.assert_close(targets, wanted)
    torch.testing.assert_close(weight, torch.ones(64))


def test_the_label_of_a_row_without_weight_is_learnt_from_in_no_mixture():
    x, y = batch()
    weights = (y == 0).float()
    _, targets, weight = mix(x, y, 2, BOTH, Draws("cpu", 0), weights)
    assert targets.isfinite().all() and (targets[weight > 0, 1] == 0).all() and (weight == 0).any()


def test_without_mixing_weights_are_given_back():
    x, y = batch()
    weights = torch.rand(64)
    assert mix(x, y, 2, AugmentSpec(), Draws("cpu", 0), weights)[2] is weights


@pytest.mark.parametrize("spec", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_columns_are_mixed_by_the_share_of_the_targets(spec: dict):
    x, y = batch()
    columns = torch.stack([y.float(), 10.0 * y, torch.ones(64)], dim=1)
    mixed, targets, _ = mix(WithColumns(x, columns), y, 2, AugmentSpec(**spec), Draws("cpu", 0))
    torch.testing.assert_close(mixed.columns[:, 0], targets[:, 1])
    torch.testing.assert_close(mixed.columns[:, 1], 10 * targets[:, 1])
    assert torch.equal(mixed.images, mix(x, y, 2, AugmentSpec(**spec), Draws("cpu", 0))[0])
