"""Losses agree with torch and torchvision; class weights are scaled so that a mean row weighs one; a row that weighs two is two rows."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
import torchvision.ops

from harness.competition.tasks import TASKS
from harness.competition.train_spec import TrainSpec
from harness.train.balance.weights import class_weights
from harness.train.loss import build_loss, soft_loss

LOGITS = torch.randn(32, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(32) % 5


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_plain_cross_entropy_is_torchs(smoothing: float):
    expected = F.cross_entropy(LOGITS, LABELS, label_smoothing=smoothing)
    torch.testing.assert_close(build_loss(TrainSpec(label_smoothing=smoothing), None)(LOGITS, LABELS), expected)
    torch.testing.assert_close(soft_loss(LOGITS, LABELS, None, smoothing, 0.0), expected)


def test_hard_and_one_hot_targets_give_the_same_weighted_loss():
    weights = torch.tensor([0.5, 1.0, 2.0, 1.0, 0.5])
    loss = build_loss(TrainSpec(label_smoothing=0.1), weights)
    torch.testing.assert_close(loss(LOGITS, LABELS), loss(LOGITS, F.one_hot(LABELS, 5).float()))
    expected = F.cross_entropy(LOGITS, LABELS, weight=weights, label_smoothing=0.1, reduction="none").mean()
    torch.testing.assert_close(loss(LOGITS, LABELS), expected)


def test_focal_loss_of_two_classes_is_torchvisions():
    x = LOGITS[:, :1]
    y = (LABELS % 2).float().view(-1, 1)
    theirs = torchvision.ops.sigmoid_focal_loss(x, y, alpha=-1, gamma=2.0, reduction="mean")
    ours = build_loss(TrainSpec(loss="focal"), None)(torch.cat([torch.zeros_like(x), x], dim=1), y.long().view(-1))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kind", ["balanced", "effective"])
def test_rare_classes_weigh_more_and_the_mean_row_weighs_one(kind: str):
    labels = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)
    weights = class_weights(labels, 3, TrainSpec(class_weights=kind))
    assert weights[0] < weights[1] < weights[2]
    assert weights[labels].mean().item() == pytest.approx(1.0)
    if kind == "balanced":
        torch.testing.assert_close(weights * torch.tensor([900.0, 90.0, 10.0]), torch.full((3,), 1000 / 3))


def test_effective_number_is_cuis_formula():
    weights = class_weights(
        torch.tensor([0] * 5 + [1] * 50), 2, TrainSpec(class_weights="effective", effective_beta=0.9)
    )
    expected = [(1 - 0.9) / (1 - 0.9**n) for n in (5, 50)]
    assert (weights[0] / weights[1]).item() == pytest.approx(expected[0] / expected[1])


def test_no_weights():
    assert class_weights(LABELS, 5, TrainSpec()) is None


TIMES = torch.tensor([0.0, 1.0, 2.0, 3.0]).repeat(8)
REPEATED = torch.arange(32).repeat_interleave(TIMES.long())
EVERY_LOSS = [
    (name, loss, mixed)
    for name, task in TASKS.items()
    for loss in task.losses
    for mixed in (False, True)
    if mixed or task.is_one_class
]


def targets_of(name: str, mixed: bool) -> torch.Tensor:
    if not mixed:
        return LABELS
    drawn = torch.rand(32, 5, generator=torch.Generator().manual_seed(1))
    return drawn / drawn.sum(dim=1, keepdim=True) if TASKS[name].is_one_class else drawn


@pytest.mark.parametrize("with_class_weights", [False, True])
@pytest.mark.parametrize(("name", "loss", "mixed"), EVERY_LOSS)
def test_a_row_that_weighs_k_is_k_rows(name: str, loss: str, mixed: bool, with_class_weights: bool):
    weights = torch.tensor([0.5, 1.0, 2.0, 1.0, 0.5]) if with_class_weights else None
    built = build_loss(TrainSpec(loss=loss, label_smoothing=0.1), weights, TASKS[name])
    targets = targets_of(name, mixed)
    weighted, repeated = LOGITS.clone().requires_grad_(), LOGITS.clone().requires_grad_()
    one = built(weighted, targets, TIMES)
    many = built(repeated[REPEATED], targets[REPEATED]) * len(REPEATED) / 32
    torch.testing.assert_close(one, many)
    one.backward()
    many.backward()
    torch.testing.assert_close(weighted.grad, repeated.grad)
    torch.testing.assert_close(built(LOGITS, targets, torch.ones(32)), built(LOGITS, targets))


@pytest.mark.parametrize("kind", ["balanced", "effective"])
def test_classes_are_counted_by_the_weights_of_their_rows(kind: str):
    labels, times = torch.tensor([0] * 90 + [1] * 9), torch.tensor([1.0] * 90 + [10.0] * 9)
    spec = TrainSpec(class_weights=kind)
    by_weight = class_weights(labels, 2, spec, rows=times)
    torch.testing.assert_close(by_weight, class_weights(labels.repeat_interleave(times.long()), 2, spec))
    torch.testing.assert_close(by_weight, torch.ones(2))
    shares = F.one_hot(labels, 2).float()
    torch.testing.assert_close(class_weights(shares, 2, spec, exclusive=True, rows=times), by_weight)
    mean_one = torch.tensor([2.0, 1.0, 0.0, 1.0])
    tags = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    of_labels = class_weights(tags, 2, TrainSpec(class_weights="balanced"), rows=mean_one)
    torch.testing.assert_close(of_labels, torch.tensor([1 / 3, 3.0]))
