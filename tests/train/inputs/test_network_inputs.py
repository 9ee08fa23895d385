"""A row that is drawn several times in an epoch is changed anew each time, also where a change hangs on the row and the epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness.competition import Recipe
from harness.competition.augment_spec import AugmentSpec
from harness.competition.recipe import ModelSpec
from harness.competition.train_spec import TrainSpec
from harness.train.inputs.network_inputs import PixelInputs
from harness.train.inputs.pixels import ResidentImages
from harness.train.precision import Layout

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), dtype=np.uint8)
ROWS = [torch.tensor([0, 1, 0, 2]), torch.tensor([0, 2, 0, 3])]
NOISE = {"name": "GaussNoise", "p": 1.0}


def batches(augment: dict[str, Any], sampling: str = "sqrt", epoch: int = 1) -> list[torch.Tensor]:
    recipe = Recipe(
        name="x", model=ModelSpec(name="cnn"), augment=AugmentSpec(**augment), train=TrainSpec(sampling=sampling)
    )
    inputs = PixelInputs(ResidentImages(IMAGES, torch.device("cpu")), recipe, Layout("fp32", False), seed=2)
    return [x.clone() for x in inputs.training(ROWS, epoch)]


def test_alternating_flips_alternate_within_an_epoch():
    first, second = batches({"alternating_flip": True})
    plain = torch.from_numpy(IMAGES[0]).permute(2, 0, 1) / 255
    flipped = [not torch.equal(x, plain) for x in (first[0], first[2], second[0], second[2])]
    assert flipped in ([True, False, True, False], [False, True, False, True])
    assert torch.equal(batches({"alternating_flip": True})[1], second)


def test_albumentations_change_a_row_that_comes_again_otherwise():
    pytest.importorskip("albumentations")
    first, second = batches({"albumentations": [NOISE]})
    seen = [first[0], first[2], second[0], second[2]]
    assert not any(torch.equal(a, b) for i, a in enumerate(seen) for b in seen[:i])
    for a, b in zip(batches({"albumentations": [NOISE]}), (first, second), strict=True):
        assert torch.equal(a, b)
    once = batches({"albumentations": [NOISE]}, "uniform")[0]
    assert torch.equal(once[0], first[0]) and torch.equal(once[0], once[2])  # a row's first time is as it was without
