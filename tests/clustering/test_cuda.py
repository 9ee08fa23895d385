"""Clustering's networks and features on a GPU, or on a pretended one: the CPU's numbers, and no wait for it in the loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness.clustering.image_features import _Backbone
from harness.competition import Recipe
from harness.competition.cluster_spec import ImageSpec
from harness.competition.recipe import ModelSpec, PredictSpec
from harness.competition.train_spec import TrainSpec
from harness.models.captioned import Shape, build_captioned
from harness.train.fit import Rows, fit
from harness.train.inputs.captions import CaptionedInputs
from harness.train.precision import Layout
from harness.train.prediction.predict import Predictor, predict
from tests.simulated_cuda import growing_waits

pytestmark = pytest.mark.usefixtures("card")

GPU = torch.device("cuda")
RNG = np.random.default_rng(0)
WORDS = (np.arange(6)[None, None] < RNG.integers(0, 7, (256, 3, 1))) * RNG.integers(1, 9, (256, 3, 6))
FEATURES = RNG.normal(size=(256, 5)).astype(np.float32)
CENTRE, SPREAD = torch.zeros(5), torch.ones(5)
VECTORS = torch.cat([torch.zeros(1, 4), torch.randn(8, 4, generator=torch.Generator().manual_seed(0))])
VIEWS = ("identity", "caption_dropout")
NETWORKS: dict[str, dict[str, Any]] = {
    "lstm": {"units": 7},
    "lstm of attention": {"units": 7, "pooling": "attention", "state": "mean"},
    "image_head": {"dense": (6,), "batch_norm": True},
    "fusion": {"units": 7, "width": 6, "modality_dropout": 0.3},
}


def opened(name: str, rows: int, device: torch.device) -> tuple[Recipe, Any, CaptionedInputs]:
    model = ModelSpec(name=name.split()[0], args=NETWORKS[name])
    tokens = None if model.name == "image_head" else WORDS[:rows].astype(np.int32)
    images = None if model.name == "lstm" else FEATURES[:rows]
    torch.manual_seed(0)
    network = build_captioned(
        model, Shape(3, None if tokens is None else VECTORS, *((None, None) if images is None else (CENTRE, SPREAD)))
    )
    spec = Recipe(
        name="x",
        model=model,
        train=TrainSpec(epochs=1, batch_size=32),
        predict=PredictSpec(tta=VIEWS if tokens is not None else ("identity",), batch_size=32),
    )
    return spec, network.to(device), CaptionedInputs(tokens, images, spec.predict.tta, device, 0, 0.3)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_waits_for_nothing(name: str):
    def train(rows: int) -> None:
        spec, network, inputs = opened(name, rows, GPU)
        labels = torch.arange(rows, device=GPU) % 3
        fit(network, inputs, labels, Rows(torch.arange(rows)), spec, Layout("bf16", False), 1)

    assert not growing_waits(train, 64, 128)


@pytest.mark.parametrize("name", NETWORKS)
def test_predictions_are_a_cpus_and_a_batch_is_waited_for_once(name: str):
    said: dict[str, torch.Tensor] = {}

    def predicted(rows: int, device: torch.device = GPU) -> None:
        spec, network, inputs = opened(name, rows, device)
        said[device.type] = predict(Predictor(network, Layout("fp32", False)), inputs, torch.arange(rows), spec.predict)

    assert len(growing_waits(predicted, 64, 128)) <= 2  # two batches more
    predicted(128, torch.device("cpu"))
    torch.testing.assert_close(said["cuda"], said["cpu"], atol=1e-4, rtol=0)


def test_pooled_features_are_a_cpus_and_a_batch_goes_there_and_comes_back():
    images = RNG.integers(0, 256, (192, 12, 12, 1), dtype=np.uint8)
    spec = ImageSpec(backbone="resnet18", weights="scratch", size=16)
    there, host = _Backbone(spec, "cuda"), _Backbone(spec, "cpu")
    found = growing_waits(lambda n: there.features(images[:n], lambda done: None), 64, 192)
    assert len(found) <= 4  # two batches more
    ours, wanted = (backbone.features(images[:64], lambda done: None) for backbone in (there, host))
    np.testing.assert_allclose(ours, wanted, atol=1e-3)
