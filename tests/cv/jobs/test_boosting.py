"""Which rows trees learn from, and what each counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.competition import Recipe, Samples
from harness.competition.recipe import ModelSpec
from harness.competition.train_spec import TrainSpec
from harness.cv.jobs.boosting import learnt_rows


def samples(labels: list[Any], weight: list[float] | None = None) -> Samples:
    n = len(labels)
    return Samples(
        np.arange(n).astype(str),
        np.zeros((n, 1, 1, 1), np.uint8),
        np.array(labels),
        weight=np.array(weight) if weight else None,
    )


def recipe(**train: Any) -> Recipe:
    return Recipe(name="x", model=ModelSpec(name="boosting"), train=TrainSpec(**train))


def test_a_row_without_weight_is_not_learnt_from_and_the_others_weigh_one_in_the_mean():
    rows, weights = learnt_rows(samples([0, 1, 0, 1, 1], [9, 0, 1, 3, 7]), np.arange(4), 2, recipe())
    assert rows.tolist() == [0, 2, 3]
    np.testing.assert_allclose(weights, np.array([9, 1, 3]) * 3 / 13, rtol=1e-6)


@pytest.mark.parametrize("train", [{}, {"row_weights": False}])
def test_without_weights_every_row_counts_alike(train: dict[str, Any]):
    rows, weights = learnt_rows(samples([0, 1, 1], None if not train else [0, 1, 1]), np.arange(3), 2, recipe(**train))
    assert rows.tolist() == [0, 1, 2] and weights is None


def test_classes_count_as_the_recipe_says_by_the_weights_of_their_rows():
    rows, weights = learnt_rows(samples([0, 0, 0, 1]), np.arange(4), 2, recipe(class_weights="balanced"))
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2], rtol=1e-6)
    weighted = samples([0, 0, 0, 1], [1, 1, 1, 3])
    np.testing.assert_allclose(
        learnt_rows(weighted, rows, 2, recipe(class_weights="balanced"))[1], weighted.weight * 2 / 3, rtol=1e-6
    )


def test_of_several_labels_presence_is_weighed():
    several = samples(np.array([[1, 0], [0, 0], [0, 1], [0, 1]], np.float32).tolist())
    _, weights = learnt_rows(several, np.arange(4), 2, recipe(class_weights="balanced"))
    np.testing.assert_allclose(weights, [[3, 1], [1, 1], [1, 1], [1, 1]], rtol=1e-6)
