"""The loop learns, is seeded, averages weights rightly, and stops with a cure when the loss explodes."""

from __future__ import annotations

import copy

import pytest
import torch

from harness.base.errors import UserError
from harness.competition import Recipe
from harness.competition.recipe import AugmentSpec, ModelSpec, TrainSpec
from harness.models.network import Network
from harness.models.small import cnn
from harness.train.batches import channel_statistics, take_batch
from harness.train.fit import WeightAverage, epoch_batches, fit, steps_per_epoch
from harness.train.precision import Layout

PLAIN = Layout("fp32", False)


def bright_or_dark(n: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(n) % 2
    images = (
        torch.rand(n, 8, 8, 1, generator=torch.Generator().manual_seed(0)) * 100 + 100 * labels.view(-1, 1, 1, 1)
    ).byte()
    return images, labels


def recipe(**train) -> Recipe:
    spec = TrainSpec(**({"epochs": 3, "batch_size": 16, "lr": 0.01} | train))
    return Recipe(name="x", model=ModelSpec(name="cnn"), train=spec, augment=AugmentSpec(shift=0.1))


def network() -> Network:
    torch.manual_seed(0)
    return Network(cnn(8, 8, 1, 2, stages=[[4]], batch_norm=True), [0.5], [0.3])


def trained(layout: Layout = PLAIN, seed: int = 1, **train) -> tuple[Network, list[dict], list[int]]:
    model, ticks = network(), []
    images, labels = bright_or_dark()
    torch.manual_seed(5)
    history = fit(model, images, labels, torch.arange(48), recipe(**train), layout, seed, ticks.append)
    return model, history, ticks


def test_it_learns_and_tells():
    model, history, ticks = trained(epochs=8)
    images, labels = bright_or_dark()
    held_out = take_batch(images, torch.arange(48, 64), torch.contiguous_format)
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
    results = []
    for pixels, truth in ((images, labels), (spoiled, wrong)):
        model = network()
        torch.manual_seed(5)
        fit(model, pixels, truth, torch.arange(48), recipe(), PLAIN, 1, lambda n: None)
        results.append(model.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(results[0].values(), results[1].values(), strict=True))
    assert channel_statistics(images, torch.arange(48)) == channel_statistics(spoiled, torch.arange(48))


def test_average_starts_as_a_copy_and_follows_by_the_warmed_up_decay():
    model = network()
    average = WeightAverage(model, 0.9)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1.0)
    average.update(model, step=1)  # decay = 2 / 11
    moved = copy.deepcopy(model)
    average.copy_to(moved)
    weight = next(moved.parameters())
    torch.testing.assert_close(weight, next(model.parameters()) - 2 / 11)


def test_averaged_weights_differ_from_the_last_ones_and_still_predict():
    last, averaged = trained(epochs=8)[0], trained(epochs=8, ema=0.9)[0]
    assert not torch.equal(next(last.parameters()), next(averaged.parameters()))
    images, labels = bright_or_dark()
    x = take_batch(images, torch.arange(48, 64), torch.contiguous_format)
    assert (averaged.eval()(x).argmax(1) == labels[48:]).all()


def test_an_exploding_loss_stops_with_epoch_values_and_cure():
    with pytest.raises(
        UserError, match=r"epoch \d: the loss is (nan|inf) \(learning rate 100, batch 16\). Lower it: --set train.lr=3"
    ):
        trained(lr=100.0, weight_decay=10.0, optimizer="sgd", epochs=60)


def test_each_epoch_sees_full_batches_in_a_new_order():
    rows, order = torch.arange(100, 150), torch.Generator().manual_seed(0)
    first, second = epoch_batches(rows, 16, order), epoch_batches(rows, 16, order)
    assert [len(b) for b in first] == [16, 16, 16] and steps_per_epoch(50, 16) == 3
    assert len(set(torch.cat(first).tolist())) == 48 and set(torch.cat(first).tolist()) <= set(rows.tolist())
    assert torch.cat(first).tolist() != torch.cat(second).tolist()
    assert [len(b) for b in epoch_batches(rows[:5], 16, order)] == [5]


def test_batches_are_the_pixels_over_255():
    images = torch.randint(0, 256, (6, 4, 5, 3), dtype=torch.uint8)
    x = take_batch(images, torch.tensor([4, 1]), torch.channels_last)
    assert x.shape == (2, 3, 4, 5) and x.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(x[0, 2, 3, 4] * 255, images[4, 3, 4, 2].float())


def test_channel_statistics_are_numpys():
    images = torch.randint(0, 256, (50, 4, 5, 3), dtype=torch.uint8)
    mean, std = channel_statistics(images, torch.arange(10, 50), pixels_at_once=400)
    pixels = images[10:].numpy().reshape(-1, 3) / 255
    torch.testing.assert_close(torch.tensor(mean), torch.tensor(pixels.mean(0)).float(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.tensor(std), torch.tensor(pixels.std(0)).float(), atol=1e-5, rtol=1e-4)
