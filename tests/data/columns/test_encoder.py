"""The encoder of columns: fitted on its rows only, robust, with a place for what they lack."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.competition.samples import Columns
from harness.data.columns.encoder import MOST_PLACES, ColumnEncoder

SITES = ("", "arm", "leg", "torso")


def columns(numbers: np.ndarray, codes: np.ndarray | None = None, values: tuple[str, ...] = SITES) -> Columns:
    codes = np.zeros((len(numbers), 0), np.int32) if codes is None else codes.astype(np.int32)
    names = tuple(f"n{i}" for i in range(numbers.shape[1]))
    return Columns(numbers.astype(np.float32), codes, names, {f"c{i}": values for i in range(codes.shape[1])})


def drawn(n: int = 200, seed: int = 0) -> Columns:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(50, 10, (n, 3))
    numbers[rng.random((n, 3)) < [0.0, 0.2, 0.0]] = np.nan
    return columns(numbers, rng.integers(0, 3, (n, 1)))


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(2, 40), st.integers(1, 4)), elements=st.one_of(st.just(np.nan), st.floats(-1e6, 1e6, width=32))
    )
)  # fmt: skip
def test_every_encoded_number_is_finite_and_none_depends_on_other_rows(numbers: np.ndarray):
    table, rows = columns(numbers), np.arange(len(numbers) // 2 + 1)
    encoder = ColumnEncoder.fit(table, rows)
    encoded = encoder.encode(table)
    assert encoded.shape == (len(numbers), encoder.width) and np.isfinite(encoded).all()
    np.testing.assert_array_equal(encoded[rows], encoder.encode(table, rows))


def test_it_is_fitted_on_its_rows_alone():
    table, rows = drawn(), np.arange(0, 200, 2)
    other = dataclasses.replace(table, numbers=table.numbers.copy(), codes=table.codes.copy())
    other.numbers[1::2] = 1e6  # rows that are scored
    other.codes[1::2] = 3
    ours, theirs = ColumnEncoder.fit(table, rows).arrays(), ColumnEncoder.fit(other, rows).arrays()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_numbers_have_mean_zero_and_deviation_one_whatever_lies_far_out():
    table = drawn(1000)
    table.numbers[7, 0] = 1e20
    encoder = ColumnEncoder.fit(table, np.arange(1000))
    encoded = encoder.encode(table)
    np.testing.assert_allclose(encoded.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(encoded[:, :3].std(axis=0), 1, atol=1e-4)
    assert np.abs(encoded).max() < 5


def test_a_gap_is_the_median_and_is_marked():
    table = drawn()
    encoder = ColumnEncoder.fit(table, np.arange(200))
    gap = np.isnan(table.numbers[:, 1])
    encoded = encoder.encode(table)
    middle = (np.nanmedian(table.numbers[:, 1]) - encoder.mean[1]) / encoder.std[1]
    np.testing.assert_allclose(encoded[gap, 1], middle, rtol=1e-4)
    assert encoder.gaps.tolist() == [1]
    np.testing.assert_allclose(encoded[:, 3], gap - gap.mean(), atol=1e-6)


def test_a_rare_mark_is_no_tail():
    marks = np.zeros((1000, 1))
    marks[3] = 1
    encoded = ColumnEncoder.fit(columns(marks), np.arange(1000)).encode(columns(marks))
    assert encoded[3, 0] - encoded[0, 0] > 5


def test_a_value_that_the_training_rows_lack_is_the_average_of_what_they_have():
    codes = np.array([1, 1, 1, 2, 2, 3, 0])[:, None]  # 'torso' once, '' in a row that is not trained on
    table = columns(np.zeros((7, 0)), codes)
    encoder = ColumnEncoder.fit(table, np.arange(6))
    encoded = encoder.encode(table)
    assert encoder.width == 4
    assert not encoded[5].any() and not encoded[6].any()  # seen once, not seen: unknown
    assert encoded[0].argmax() == 1 and encoded[3].argmax() == 2
    assert encoder.place_of(table.codes).ravel().tolist() == [1, 1, 1, 2, 2, -1, -1]


def test_of_very_many_values_the_most_frequent_have_places():
    rng, many = np.random.default_rng(0), MOST_PLACES + 500
    codes = np.concatenate([np.repeat(np.arange(20), 30), rng.integers(20, many, 4000)])[:, None]
    table = columns(np.zeros((len(codes), 0)), codes, tuple(map(str, range(many))))
    encoder = ColumnEncoder.fit(table, np.arange(len(codes)))
    assert encoder.width == MOST_PLACES
    assert (encoder.place_of(table.codes[:600]) >= 0).all() and (encoder.place_of(table.codes) < MOST_PLACES).all()


def test_every_fold_has_the_same_width():
    table = drawn()
    widths = {ColumnEncoder.fit(table, np.arange(start, start + 20)).width for start in (0, 50, 100)}
    assert len(widths) == 1


@pytest.mark.parametrize("n", [1, 2])
def test_one_row_is_enough(n: int):
    table = drawn()
    assert np.isfinite(ColumnEncoder.fit(table, np.arange(n)).encode(table)).all()


def test_its_arrays_make_it_again():
    table = drawn()
    encoder = ColumnEncoder.fit(table, np.arange(100))
    again = ColumnEncoder.of_arrays(encoder.arrays())
    np.testing.assert_array_equal(again.encode(table), encoder.encode(table))
