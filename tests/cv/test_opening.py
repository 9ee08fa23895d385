"""What is refused when a run is opened, before anything is trained."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition import Recipe, Samples
from harness.competition.recipe import ModelSpec
from harness.competition.tasks import TASKS
from harness.competition.train_spec import TrainSpec
from harness.cv.opening import check_numbers


def samples(*numbers: float) -> Samples:
    labels = np.array([[0.0, number] for number in numbers], np.float32)
    return Samples(np.array([f"r{i}" for i in range(len(labels))]), np.zeros((len(labels), 1, 1, 1), np.uint8), labels)


@pytest.mark.parametrize("number", [1.5, 100.0, -0.25])
def test_numbers_that_a_loss_of_probabilities_cannot_teach_are_refused(number: float):
    recipe = Recipe(name="x", model=ModelSpec(name="cnn"), train=TrainSpec(loss="bce"))
    scores = SimpleNamespace(kind=TASKS["regression"], classes=("ink", "age"))
    with pytest.raises(
        UserError, match=rf"train.loss = 'bce'.* and age of 'r1' is {number:g}. Take another: --set train.loss=mse"
    ):
        check_numbers(recipe, scores, samples(0.5, number))
    check_numbers(recipe, scores, samples(0.0, 1.0))
    check_numbers(recipe.model_copy(update={"train": TrainSpec(loss="mse")}), scores, samples(number))
