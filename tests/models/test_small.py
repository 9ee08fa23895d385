"""The small networks: HOG agrees with scikit-image, shapes and parameters are what the recipes say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.feature import hog

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.competition.recipe import ModelSpec
from harness.models import build_network, check_model
from harness.models.network import Network
from harness.models.small import Hog, cnn
from tests.conftest import REPOSITORY

DIGITS = find_competition(REPOSITORY / "competitions" / "digit-recognizer")


@pytest.mark.parametrize("cell", [2, 4, 7])
@pytest.mark.parametrize("orientations", [8, 9])
def test_hog_agrees_with_scikit_image(cell: int, orientations: int):
    from sklearn.datasets import load_digits

    digits = load_digits().images[:20] / 16
    images = np.kron(digits, np.ones((1, 4, 4)))[:, 2:30, 2:30] + 0.01 * np.random.default_rng(0).random((20, 28, 28))
    ours = Hog(cell, orientations)(torch.tensor(images, dtype=torch.float32).unsqueeze(1))  # (B, orientations, h, w)
    for image, features in zip(images, ours, strict=True):
        theirs = hog(
            image, orientations, (cell, cell), cells_per_block=(1, 1), block_norm="L2-Hys", feature_vector=False
        )
        np.testing.assert_allclose(features.permute(1, 2, 0).numpy(), theirs[:, :, 0, 0], atol=2e-3)


def test_pooling_first_is_the_same_function_where_the_scale_is_positive():
    torch.manual_seed(0)
    networks = [
        cnn(28, 28, 1, 10, stages=[[8], [16]], batch_norm=True, pool_first=first).eval() for first in (True, False)
    ]
    networks[1].load_state_dict(networks[0].state_dict())
    x = torch.rand(4, 1, 28, 28)
    torch.testing.assert_close(networks[0](x), networks[1](x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        (ModelSpec(name="mlp", args={"hidden": [6, 6]}), 784 * 6 + 6 + 6 * 6 + 6 + 6 * 10 + 10),
        (ModelSpec(name="mlp", args={"hog_cell": 7, "hidden": [8]}), 4 * 4 * 8 * 8 + 8 + 8 * 10 + 10),
        (
            ModelSpec(name="cnn", args={"stages": [[8], [16]], "dense": [200], "dropout": [0.2, 0.2]}),
            80 + 1168 + 784 * 200 + 200 + 2010,
        ),
    ],
)
def test_networks_have_the_reports_sizes(spec: ModelSpec, parameters: int):
    network = build_network(spec, DIGITS)
    assert all(module.training for module in network.modules())
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert network(torch.rand(2, 1, 28, 28)).shape == (2, 10)


def test_timm_backbone_by_name():
    network = build_network(ModelSpec(name="timm", args={"backbone": "resnet10t"}), DIGITS)
    assert network(torch.rand(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            ModelSpec(name="cn"),
            "model.name = 'cn': unknown .did you mean 'cnn'.*known: mlp, cnn, resnet, speedrun, timm, boosting, custom",
        ),
        (ModelSpec(name="cnn", args={"stage": [[8]]}), "model.args.stage: unknown key .did you mean 'stages'"),
        (ModelSpec(name="cnn", args={"pool": "mean"}), "pool = 'mean'; known: max, stride"),
        (ModelSpec(name="cnn", args={"dropout": [0.1]}), "dropout has 1 values for 2 stages"),
        (ModelSpec(name="cnn", args={"stages": [[8], [8], [8], [8], [8]]}), "cannot be built"),
        (ModelSpec(name="mlp", args={"hog_cell": 1}), "hog_cell and hog_orientations must be 2 or more"),
        (ModelSpec(name="timm", args={"backbone": "resnet1t8"}), "timm has no model 'resnet1t8'; the nearest: resnet"),
        (ModelSpec(name="custom"), "needs build_model"),
    ],
)
def test_mistakes_in_model(spec: ModelSpec, said: str):
    with pytest.raises(UserError, match=said):
        build_network(spec, DIGITS)


def test_arguments_are_checked_without_building():
    check_model(ModelSpec(name="cnn", args={"stages": [[10_000_000]]}), DIGITS)


def test_network_normalises_and_its_statistics_travel_with_the_weights():
    network = Network(torch.nn.Identity(), [0.5, 0.1], [0.5, 0.2], 2)
    x = torch.rand(3, 2, 4, 4)
    expected = (x - torch.tensor([0.5, 0.1]).view(1, 2, 1, 1)) / torch.tensor([0.5, 0.2]).view(1, 2, 1, 1)
    torch.testing.assert_close(network(x), expected)
    assert {"mean", "std"} <= set(network.state_dict())
