"""Votes hold by any decision that follows them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.errors import UserError
from harness.competition.recipe import ModelSpec, PredictSpec, Recipe
from harness.competition.tasks import TASKS
from harness.competition.tasks.answering import as_grades, expected_grade
from harness.competition.tasks.fitting import check_fits


def drawn(seed: int, models: int, n: int = 30, k: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.full(k, 0.7), n).astype(np.float32) for _ in range(models)]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), half=st.integers(0, 3), threshold=st.floats(0.05, 0.95))
def test_a_label_is_given_where_more_than_half_of_the_models_give_it(seed: int, half: int, threshold: float):
    parts = drawn(seed, 2 * half + 1)
    voted = TASKS["multilabel"].vote(parts)
    by_hand = np.mean([part >= threshold for part in parts], axis=0) > 0.5
    np.testing.assert_array_equal(voted >= threshold, by_hand)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), half=st.integers(0, 3))
def test_the_grade_is_the_median_one_whatever_the_cuts(seed: int, half: int):
    parts = drawn(seed, 2 * half + 1)
    cuts = np.sort(np.random.default_rng(seed + 1).uniform(0, 3, 3))
    voted = TASKS["ordinal"].vote(parts)
    grades = [as_grades(expected_grade(part), cuts, 4).argmax(axis=1) for part in parts]
    np.testing.assert_array_equal(as_grades(expected_grade(voted), cuts, 4).argmax(axis=1), np.median(grades, axis=0))
    np.testing.assert_allclose(voted.sum(axis=1), 1, atol=1e-6)


def test_the_middle_two_of_an_even_number_are_averaged():
    parts = [np.array([[p, 1 - p]]) for p in (0.0, 0.2, 0.6, 1.0)]
    np.testing.assert_allclose(TASKS["multilabel"].vote(parts), [[0.4, 0.6]])
    np.testing.assert_allclose(TASKS["ordinal"].vote(parts), [[0.4, 0.6]])


def test_numbers_have_no_vote_and_say_why():
    recipe = Recipe(name="r", model=ModelSpec(name="cnn"), predict=PredictSpec(across_folds="vote"))
    with pytest.raises(UserError, match="no two models say the same number"):
        check_fits(recipe, TASKS["regression"])
    for name in ("single", "binary", "multilabel", "ordinal"):
        check_fits(recipe, TASKS[name])


def test_rows_err_by_answers_and_numbers_each_in_its_own_spread():
    truth = np.array([[0.0, 0.0], [2.0, 200.0]], dtype=np.float32)  # spreads 1 and 100
    np.testing.assert_allclose(TASKS["regression"].row_errors(truth, truth + np.array([0.5, 50.0])), [0.5, 0.5])
    labels = np.array([[1, 0, 1, 0]], dtype=np.float32)
    assert TASKS["multilabel"].row_errors(labels, np.array([[0.9, 0.9, 0.1, 0.1]])).tolist() == [0.5]
    assert TASKS["ordinal"].row_errors(np.array([0, 1]), np.eye(2)[[1, 1]]).tolist() == [1, 0]
