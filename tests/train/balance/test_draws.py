"""An epoch's rows: as many as there are, each about as often as its rate, classes in their shares; the seed decides them."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.competition.train_spec import TrainSpec
from harness.train.balance.draws import drawn_rows, repeats
from harness.train.balance.prior import prior_of

LABELS = st.lists(st.integers(0, 5), min_size=2, max_size=120)


def drawn(labels: torch.Tensor, sampling: str, seed: int = 0) -> torch.Tensor:
    prior = prior_of(labels, 6, TrainSpec(sampling=sampling))
    assert prior is not None and prior.rates is not None
    rows = torch.arange(len(labels)) + 1000  # numbers of rows are no places
    return drawn_rows(rows, prior.rates, prior.classes, torch.Generator().manual_seed(seed)) - 1000


@given(LABELS, st.sampled_from(["balanced", "sqrt"]), st.integers(0, 9))
def test_an_epoch_has_as_many_rows_and_each_class_its_share(labels: list[int], sampling: str, seed: int):
    truth = torch.tensor(labels)
    rows = drawn(truth, sampling, seed)
    assert len(rows) == len(labels)
    count = torch.bincount(truth, minlength=6).double()
    weight = (count > 0).double() if sampling == "balanced" else count.sqrt()
    wanted = len(labels) * weight / weight.sum()
    got = torch.bincount(truth[rows], minlength=6).double()
    assert ((got - wanted).abs() < 1 + 1e-6).all()
    times = torch.bincount(rows, minlength=len(labels)).double()
    assert ((times - (wanted / count)[truth]).abs() < 1 + 1e-6).all()  # no row again before all of its class were there


def test_the_seed_decides_which_and_an_epoch_is_another_draw():
    labels = torch.tensor([0] * 90 + [1] * 10)
    assert torch.equal(drawn(labels, "balanced", 1), drawn(labels, "balanced", 1))
    rows = [set(drawn(labels, "balanced", seed).tolist()) for seed in range(12)]
    assert rows[0] != rows[1]
    assert len(set.union(*rows)) == 100  # over the epochs every row of a large class has its turn


@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=8))
def test_a_row_that_comes_again_is_counted(batches: list[list[int]]):
    found, seen = repeats([torch.tensor(batch) for batch in batches]), dict.fromkeys(range(5), 0)
    for batch, times in zip(batches, found, strict=True):
        for row, time in zip(batch, times.tolist(), strict=True):
            assert time == seen[row]
            seen[row] += 1
