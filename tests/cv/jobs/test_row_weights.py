"""Weights of a fold's rows: 1 in the mean over what is trained on, whatever their unit and whatever other rows weigh."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import UserError
from harness.cv.jobs.row_weights import check_row_weights, row_weights
from harness.runs import Folds

WEIGHTS = st.lists(st.floats(0, 1e6), min_size=4, max_size=30).filter(lambda w: max(w[:3]) > 1e-6)


@given(WEIGHTS, st.floats(1e-200, 1e200))
def test_a_fold_s_training_rows_weigh_one_in_the_mean_in_any_unit(weights: list[float], unit: float):
    train, weight = np.arange(3), np.array(weights)
    found = row_weights(weight, train, len(weight))
    assert found.dtype == np.float32 and found[train].mean() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(row_weights(weight * unit, train, len(weight)), found, rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(found[train] * weight[train].sum(), 3 * weight[train], rtol=1e-5, atol=1e-30)


def test_rows_that_are_scored_have_no_say():
    weight, train = np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 1])
    found = row_weights(weight, train, 4)
    assert found.tolist() == [0.5, 1.5, 0, 0]
    weight[2:] = 1e9
    assert row_weights(weight, train, 4).tolist() == found.tolist()


def test_pseudo_labelled_rows_weigh_one():
    assert row_weights(np.array([1.0, 3.0]), np.array([0, 1, 4]), 5).tolist() == [0.5, 1.5, 0, 0, 1]
    assert row_weights(None, np.array([0]), 5) is None


def test_a_fold_without_weight_is_refused_before_training():
    folds = Folds(np.array(list("abcd")), np.arange(4), np.array([0, 0, 1, 1], np.int8), np.ones(4, bool))
    check_row_weights(None, folds)
    check_row_weights(np.array([1.0, 0, 0, 1]), folds)
    with pytest.raises(UserError, match=r"fold 0: data.weight: all 2 training rows weigh 0"):
        check_row_weights(np.array([1.0, 0, 0, 0]), folds)
