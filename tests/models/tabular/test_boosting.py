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


def test_rows_count_as_they_weigh_in_classes_and_numbers_and_by_label():
    x, held = np.zeros((200, 3), np.float32), np.arange(200) % 10 == 0
    y, weights = np.arange(200) % 2, np.where(np.arange(200) % 2, 1.5, 0.5)
    made = trees("single", 2)
    made.fit(x, y, held, weights)
    np.testing.assert_allclose(made.predict(x[:1]), [[0.25, 0.75]], atol=0.01)
    made = trees("regression", 1)
    made.fit(x, y[:, None].astype(np.float32), held, weights)
    np.testing.assert_allclose(made.predict(x[:1]), [[0.75]], atol=0.01)
    made = trees("multilabel", 2)
    made.fit(x, np.stack([y, y], axis=1), held, np.stack([weights, np.ones(200)], axis=1))
    np.testing.assert_allclose(made.predict(x[:1]), [[0.75, 0.5]], atol=0.01)


def test_an_unknown_category_is_no_category():
    x, which = tree_columns(np.zeros((2, 2), np.float32), np.array([[0], [-1]]), [np.array([1.0])])
    assert which.tolist() == [False, False, True]
    assert x[0, 2] == 0 and np.isnan(x[1, 2])


def test_of_many_categories_the_commonest_are_known():
    shares = np.full(300, 0.001)
    shares[290] = 0.7
    x, _ = tree_columns(np.zeros((300, 0), np.float32), np.arange(300)[:, None], [shares])
    assert x[290, 0] == 253 and np.isnan(x[:, 0]).sum() == 300 - 254
    assert x[:253, 0].tolist() == list(range(253))


@pytest.mark.parametrize("wrong", [{"learning_rate": 0}, {"max_leaf_nodes": 1}, {"max_features": 2.0}])
def test_impossible_arguments_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match="must be"):
        Boosting(**{**vars(SPEC), **wrong})
