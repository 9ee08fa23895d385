"""Columns beside batches: of the very rows, whole or batch by batch, over several parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.competition.samples import Columns
from harness.data.columns.encoder import ColumnEncoder
from harness.train.inputs import columns as module
from harness.train.inputs.columns import ColumnInputs, EncodedColumns
from harness.train.inputs.network_inputs import FeatureInputs

CPU = torch.device("cpu")


def part(n: int, start: float) -> Columns:
    numbers = np.arange(start, start + n, dtype=np.float32)[:, None]
    return Columns(numbers, np.zeros((n, 1), np.int32), ("row",), {"kind": ("a", "b")})


@pytest.mark.parametrize("resident", [1 << 20, 0])
def test_rows_of_the_second_part_follow_those_of_the_first(resident: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_RESIDENT_BYTES", resident)
    first, second = part(10, 0), part(5, 100)
    encoder = ColumnEncoder.fit(first, np.arange(10))
    columns = EncodedColumns([first, second], encoder, CPU)
    assert (columns.whole is None) == (resident == 0)
    got = columns.take(torch.tensor([9, 12, 0, 10]))
    wanted = np.concatenate([encoder.encode(first), encoder.encode(second)])[[9, 12, 0, 10]]
    np.testing.assert_array_equal(got.numpy(), wanted)


def test_every_view_of_a_batch_has_its_rows_columns():
    stored = np.random.default_rng(0).normal(size=(2, 10, 4)).astype(np.float16)
    inner = FeatureInputs(stored, stored, [0.5, 0.5], CPU)
    table = part(10, 0)
    inputs = ColumnInputs(inner, EncodedColumns([table], ColumnEncoder.fit(table, np.arange(10)), CPU))
    batches = list(torch.tensor([3, 1, 7, 5]).split(2))
    rows = np.concatenate([x.columns[:, 0].numpy() for x in inputs.plain(batches)])
    assert np.argsort(rows).tolist() == [1, 0, 3, 2]
    for views, x in zip(inputs.views(batches), inputs.training(batches, 1), strict=True):
        assert len(views) == 2 and all(torch.equal(view.columns, x.columns) for view in views)
