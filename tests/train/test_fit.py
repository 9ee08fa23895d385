"""The loop learns, is seeded, averages weights rightly, and stops with a cure when the loss explodes."""

from __future__ import annotations

import copy

import pytest
import torch

from harness.base.errors import UserError
from harness.competition import Recipe
from harness.competition.augment_spec import AugmentSpec
from harness.competition.recipe import ModelSpec
from harness.competition.train_spec import TrainSpec
from harness.models.network import Network
from harness.models.small import cnn
from harness.train.fit import Rows, batches_per_epoch, epoch_batches, fit, mean_loss
from harness.train.inputs.network_inputs import PixelInputs
from harness.train.inputs.pixels import ResidentImages, channel_statistics, to_float
from harness.train.precision import Layout
from harness.train.weight_averaging import Ema

PLAIN, CPU = Layout("fp32", False), torch.device("cpu")


def bright_or_dark(n: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(n) % 2
    images = (
        torch.rand(n, 8, 8, 1, generator=torch.Generator().manual_seed(0)) * 100 + 100 * labels.view(-1, 1, 1, 1)
    ).byte()
    return images, labels


def recipe(augment: AugmentSpec | None = None, **train) -> Recipe:
    spec = TrainSpec(**({"epochs": 3, "batch_size": 16, "lr": 0.01} | train))
    return Recipe(name="x", model=ModelSpec(name="cnn"), train=spec, augment=augment or AugmentSpec(shift=0.1))


def network() -> Network:
    torch.manual_seed(0)
    return Network(cnn(8, 8, 1, 2, stages=[[4]], batch_norm=True), [0.5], [0.3], 2)


def fitted(
    played: Recipe,
    layout: Layout = PLAIN,
    seed: int = 1,
    rows: Rows | None = None,
    data: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> tuple[Network, list[dict], list[int]]:
    model, ticks = network(), []
    images, labels = data or bright_or_dark()
    inputs = PixelInputs(ResidentImages(images.numpy(), CPU), played, layout, seed)
    torch.manual_seed(5)
    history = fit(model, inputs, labels, rows or Rows(torch.arange(48)), played, layout, seed, ticks.append)
    return model, history, ticks


def trained(layout: Layout = PLAIN, seed: int = 1, **train) -> tuple[Network, list[dict], list[int]]:
    return fitted(recipe(**train), layout, seed)


def pixels(images: torch.Tensor, rows: torch.Tensor, layout: torch.memory_format = torch.contiguous_format):
    return to_float(images[rows], layout)


def test_it_learns_and_tells():
    model, history, ticks = trained(epochs=8)
    images, labels = bright_or_dark()
    held_out = pixels(images, torch.arange(48, 64))
    assert (model.eval()(held_out).argmax(1) == labels[48:]).all()
    assert [line["epoch"] for line in history] == list(range(1, 9))
    assert history[-1]["loss"] < history[0]["loss"]
    assert sum(ticks) == 8 * 48


@pytest.mark.parametrize("layout", [PLAIN, Layout("bf16", True)], ids=str)
def test_the_seed_decides_every_bit(layout: Layout):
    first, again, other = trained(layout), trained(layout), trained(layout, seed=2)
    for a, b in zip(first[0].state_dict().values(), again[0].state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert [x["loss"] for x in first[1]] == [x["loss"] for x in again[1]] != [x["loss"] for x in other[1]]


def test_rows_outside_the_training_rows_are_never_looked_at():
    images, labels = bright_or_dark()
    spoiled, wrong = images.clone(), labels.clone()
    spoiled[48:], wrong[48:] = 255 - spoiled[48:], 1 - wrong[48:]
    results = [fitted(recipe(), data=data)[0].state_dict() for data in ((images, labels), (spoiled, wrong))]
    assert all(torch.equal(a, b) for a, b in zip(results[0].values(), results[1].values(), strict=True))
    kept, changed = (channel_statistics(ResidentImages(x.numpy(), CPU), torch.arange(48)) for x in (images, spoiled))
    assert kept == changed


def test_average_starts_as_a_copy_and_follows_by_the_warmed_up_decay():
    model = network()
    average = Ema(model, 0.9)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1.0)
    average.after_step(model, step=1)  # decay = 2 / 11
    moved = copy.deepcopy(model)
    average.copy_to(moved)
    weight = next(moved.parameters())
    torch.testing.assert_close(weight, next(model.parameters()) - 2 / 11)


def test_averaged_weights_differ_from_the_last_ones_and_still_predict():
    last, averaged = trained(epochs=8)[0], trained(epochs=8, ema=0.9)[0]
    assert not torch.equal(next(last.parameters()), next(averaged.parameters()))
    images, labels = bright_or_dark()
    x = pixels(images, torch.arange(48, 64))
    assert (averaged.eval()(x).argmax(1) == labels[48:]).all()


def test_an_exploding_loss_stops_with_epoch_values_and_cure():
    with pytest.raises(
        UserError,
        match=r"epoch \d, batch \d of 3: the loss is \S+ \(learning rate 100, 16 images\). Lower it: --set train.lr=3",
    ):
        trained(lr=100.0, weight_decay=10.0, optimizer="sgd", epochs=60)


def test_each_epoch_sees_full_batches_in_a_new_order():
    rows, order = torch.arange(100, 150), torch.Generator().manual_seed(0)
    first, second = epoch_batches(rows, 16, order), epoch_batches(rows, 16, order)
    assert [len(b) for b in first] == [16, 16, 16] and batches_per_epoch(50, 16) == 3
    assert len(set(torch.cat(first).tolist())) == 48 and set(torch.cat(first).tolist()) <= set(rows.tolist())
    assert torch.cat(first).tolist() != torch.cat(second).tolist()
    assert [len(b) for b in epoch_batches(rows[:5], 16, order)] == [5]


def test_accumulated_small_batches_step_like_one_large_batch():
    still = AugmentSpec()
    whole = fitted(recipe(still, batch_size=48, lr=0.1, optimizer="sgd", epochs=1))[0]
    plain = network()  # batch norm sees other batches: compare the head's step only to first order
    parts = fitted(recipe(still, batch_size=16, accumulate=3, lr=0.1, optimizer="sgd", epochs=1))[0]
    moved = [a - b for a, b in zip(whole.parameters(), plain.parameters(), strict=True)]
    moved_in_parts = [a - b for a, b in zip(parts.parameters(), plain.parameters(), strict=True)]
    cosine = torch.cosine_similarity(*(torch.cat([m.flatten() for m in ms]) for ms in (moved, moved_in_parts)), dim=0)
    assert cosine > 0.98
    assert sum(not torch.equal(a, b) for a, b in zip(parts.parameters(), plain.parameters(), strict=True)) >= 4


def test_early_stopping_keeps_the_best_epoch_and_never_trains_on_what_it_watches():
    rows = Rows(torch.arange(32), torch.arange(32, 48))
    played = recipe(epochs=40, patience=2, lr=0.05)
    images, labels = bright_or_dark()
    model, history, ticks = fitted(played, rows=rows)
    losses = [line["watched_loss"] for line in history]
    assert len(history) < 40 and len(losses) - 1 - losses.index(min(losses)) == 2
    inputs = PixelInputs(ResidentImages(images.numpy(), CPU), played, PLAIN)
    assert mean_loss(model, inputs, labels, rows.watched, PLAIN, 16) == pytest.approx(min(losses))
    assert sum(ticks) == 40 * 32  # what is not trained is counted as done
    wrong = labels.clone()
    wrong[48:] = 1 - wrong[48:]
    again = fitted(played, rows=rows, data=(images, wrong))[0]
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))


def test_plateau_lowers_the_learning_rate_in_a_run():
    history = trained(epochs=12, schedule="plateau", plateau_patience=0, plateau_factor=0.5, lr=0.2)[1]
    assert history[-1]["lr"] < history[0]["lr"] == 0.2


def test_swa_predicts_by_the_mean_of_the_last_epochs_with_statistics_of_its_own():
    last, averaged = trained(epochs=8)[0], trained(epochs=8, swa=0.5)[0]
    assert not torch.equal(next(last.parameters()), next(averaged.parameters()))
    images, labels = bright_or_dark()
    assert (averaged.eval()(pixels(images, torch.arange(48, 64))).argmax(1) == labels[48:]).all()
    norm = next(m for m in averaged.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert norm.momentum == 0.1 and norm.num_batches_tracked == 3


def test_swa_leaves_the_statistics_of_frozen_layers_alone():
    norm = next(m for m in trained(freeze_layers=1, swa=0.5)[0].modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert norm.num_batches_tracked == 0 and norm.running_mean.eq(0).all()
    thawed = trained(freeze_layers=1, unfreeze_epoch=2, swa=0.5)[0]
    norm = next(m for m in thawed.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert norm.num_batches_tracked == 3


def test_frozen_layers_stay_until_they_are_thawed():
    start = network()
    frozen = trained(freeze_layers=1)[0]
    names = [n for n, p in frozen.named_parameters() if not torch.equal(p, start.get_parameter(n))]
    assert names == [n for n, _ in start.named_parameters()][-2:]  # the head
    norm = next(m for m in frozen.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert norm.num_batches_tracked == 0  # a frozen batch norm keeps its statistics
    thawed = trained(freeze_layers=1, unfreeze_epoch=2)[0]
    assert all(not torch.equal(p, start.get_parameter(n)) for n, p in thawed.named_parameters())


def test_mixed_targets_are_learned_from():
    model = fitted(recipe(AugmentSpec(mixup=0.4, cutmix=1.0), epochs=8, label_smoothing=0.1, loss="focal"))[0]
    images, labels = bright_or_dark()
    assert (model.eval()(pixels(images, torch.arange(48, 64))).argmax(1) == labels[48:]).float().mean() > 0.9


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_rows_without_weight_are_not_learnt_from(mixup: float):
    images, labels = bright_or_dark()
    wrong = torch.arange(64) % 3 > 0  # two thirds of the labels
    spoilt = torch.where(wrong, 1 - labels, labels)
    played = recipe(AugmentSpec(mixup=mixup), epochs=8)
    weights = torch.where(wrong, 0.0, 3.0)
    for rows, right in ((Rows(torch.arange(48), weights=weights), True), (Rows(torch.arange(48)), False)):
        model, _, _ = fitted(played, rows=rows, data=(images, spoilt))
        said = model.eval()(pixels(images, torch.arange(48, 64))).argmax(dim=1)
        assert ((said == labels[48:]).float().mean() > 0.9) == right


def test_equal_weights_train_as_none_do():
    plain, lines, _ = fitted(recipe())
    weighted, told, _ = fitted(recipe(), rows=Rows(torch.arange(48), weights=torch.ones(64)))
    for one, other in zip(plain.parameters(), weighted.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)
    assert [line["loss"] for line in lines] == pytest.approx([line["loss"] for line in told], rel=1e-3)


def test_the_watched_loss_is_unweighted():
    rows = Rows(torch.arange(32), torch.arange(32, 48), torch.cat([torch.ones(32), torch.zeros(32)]))
    _, history, _ = fitted(recipe(patience=2), rows=rows)
    assert all(line["watched_loss"] > 0.01 for line in history)
