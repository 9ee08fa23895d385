"""Trees: outputs of every kind of task, gaps and unknown categories, classes that the training rows lack."""

from __future__ import annotations

import numpy as np
import pytest

from harness.competition.tasks import TASKS
from harness.models.tabular.boosting import Boosting, Trees, tree_columns

SPEC = Boosting(0.1, 60, 15, 5, 1.0, 1.0)


def drawn(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    x[rng.random(n) < 0.1, 1] = np.nan
    return x, rng.random(n) < 0.1


def trees(task: str, n_outputs: int) -> Trees:
    return Trees(SPEC, TASKS[task], n_outputs, np.zeros(3, bool), 0)


@pytest.mark.parametrize("task", ["single", "binary", "ordinal"])
def test_classes_are_probabilities(task: str):
    x, held = drawn()
    y = (x[:, 0] > 0).astype(np.int64)
    made = trees(task, 2)
    made.fit(x, y, held)
    said = made.predict(x)
    assert said.dtype == np.float32 and not TASKS[task].wrong_rows(said).any()
    assert (said.argmax(axis=1) == y).mean() > 0.95


def test_a_class_that_no_training_row_has_is_possible_and_unlikely():
    x, held = drawn()
    made = trees("single", 4)
    made.fit(x, np.where(x[:, 0] > 0, 3, 1), held)
    said = made.predict(x)
    assert not TASKS["single"].wrong_rows(said).any() and (said[:, [0, 2]] > 0).all() and (said[:, [0, 2]] < 1e-2).all()


def test_several_labels_each_have_trees_and_one_that_all_have_needs_none():
    x, held = drawn()
    y = np.stack([x[:, 0] > 0, x[:, 2] > 0, np.ones(300)], axis=1).astype(np.float32)
    made = trees("multilabel", 3)
    made.fit(x, y, held)
    said = made.predict(x)
    assert not TASKS["multilabel"].wrong_rows(said).any()
    assert ((said > 0.5) == (y > 0.5)).mean() > 0.95 and (said[:, 2] > 0.99).all()


def test_numbers_are_numbers():
    x, held = drawn()
    y = np.stack([3 * x[:, 0], 100 + x[:, 2]], axis=1)
    made = trees("regression", 2)
    made.fit(x, y, held)
    assert np.corrcoef(made.predict(x)[:, 1], y[:, 1])[0, 1] > 0.9


def test_too_few_rows_to_choose_by_take_a_fixed_number_of_rounds():
    x, _ = drawn(12)
    made = trees("single", 2)
    made.fit(x, np.arange(12) % 2, np.zeros(12, bool))
    assert made.parts[0].rounds == 50 and not TASKS["single"].wrong_rows(made.predict(x)).any()


def test_an_unknown_category_is_no_category():
    x, which = tree_columns(np.zeros((3, 2), np.float32), np.array([[0], [-1], [300]]))
    assert which.tolist() == [False, False, True]
    assert x[0, 2] == 0 and np.isnan(x[1:, 2]).all()


@pytest.mark.parametrize("wrong", [{"learning_rate": 0}, {"max_leaf_nodes": 1}, {"max_features": 2.0}])
def test_impossible_arguments_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match="must be"):
        Boosting(**{**vars(SPEC), **wrong})
