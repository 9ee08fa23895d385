"""The speed-run network whitens by what it was shown, passes channels on at the start, and keeps its fixed parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.competition import Recipe
from harness.competition.recipe import ModelSpec
from harness.competition.train_spec import TrainSpec
from harness.models.network import Network
from harness.models.speedrun import speedrun
from harness.train.fit import Rows, fit
from harness.train.inputs.network_inputs import PixelInputs
from harness.train.inputs.pixels import ResidentImages
from harness.train.precision import Layout


def images(n: int = 64) -> torch.Tensor:
    """Correlated colours and neighbours, as photographs have them."""
    rough = torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(rough, size=(32, 32), mode="bilinear")
    return 0.6 * smooth + 0.4 * smooth.mean(1, keepdim=True)


def test_the_whitened_patches_are_uncorrelated_and_of_unit_variance():
    torch.manual_seed(0)
    network = speedrun(32, 32, 3, 10, widths=[8, 16], whitening_eps=0.0)
    x = images() - images().mean()
    network.initialise(x)
    y = network.whiten(x)[:, :12].permute(1, 0, 2, 3).flatten(1).double()
    torch.testing.assert_close(y @ y.T / y.shape[1], torch.eye(12, dtype=torch.float64), atol=1e-2, rtol=0)
    assert torch.equal(network.whiten.weight[:12], -network.whiten.weight[12:])


def test_fixed_parts_stay_and_the_rest_learns():
    torch.manual_seed(0)
    body = speedrun(32, 32, 3, 4, widths=[8, 16])
    body.initialise(images())
    network = Network(body, [0.5] * 3, [0.25] * 3, 4)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 32, 3), dtype=np.uint8)
    recipe = Recipe(
        name="x",
        model=ModelSpec(name="speedrun"),
        train=TrainSpec(
            epochs=1, batch_size=16, optimizer="sgd", lr=0.1, bias_lr=64.0, freeze_layers=1, unfreeze_epoch=1
        ),
    )
    inputs = PixelInputs(ResidentImages(pixels, torch.device("cpu")), recipe, Layout("fp32", False))
    fit(network, inputs, torch.arange(32) % 4, Rows(torch.arange(32)), recipe, Layout("fp32", False), 0)
    stayed = {name for name, p in network.named_parameters() if torch.equal(p, before[name])}
    norms = {f"body.stages.{i}.norm{j}.weight" for i in (0, 1) for j in (1, 2)}
    assert stayed == {"body.whiten.weight", *norms}


def test_small_images_are_refused():
    with pytest.raises(ValueError, match="images of 8x8 are too small for 3 stages"):
        speedrun(8, 8, 3, 10)
