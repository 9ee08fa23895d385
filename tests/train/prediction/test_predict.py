"""Views are combined as the recipe says, in any batch size, and nothing is drawn."""

from __future__ import annotations

import pytest
import torch

from harness.competition import Recipe
from harness.competition.recipe import ModelSpec, PredictSpec
from harness.models.network import Network
from harness.train.inputs.network_inputs import PixelInputs
from harness.train.inputs.pixels import ResidentImages
from harness.train.precision import Layout
from harness.train.prediction.predict import Predictor, predict
from harness.train.prediction.tta import combine

PLAIN = Layout("fp32", False)


def corner_network() -> Network:
    """Logits are the four corner pixels: every view shows."""

    class Corners(torch.nn.Module):
        def forward(self, x):
            return torch.stack([x[:, 0, 0, 0], x[:, 0, 0, -1], x[:, 0, -1, 0], x[:, 0, -1, -1]], dim=1)

    return Network(Corners(), [0.0], [1.0], 4)


def predicted(network: Network, images: torch.Tensor, rows: torch.Tensor, **spec) -> torch.Tensor:
    recipe = Recipe(name="x", model=ModelSpec(name="cnn"), predict=PredictSpec(**spec))
    inputs = PixelInputs(ResidentImages(images.numpy(), torch.device("cpu")), recipe, PLAIN)
    return predict(Predictor(network, PLAIN), inputs, rows, recipe.predict)


def test_mean_over_views_in_any_batch_size():
    images = torch.randint(0, 256, (7, 6, 6, 1), dtype=torch.uint8)
    rows, network = torch.tensor([5, 0, 3, 6]), corner_network()
    alone = {name: predicted(network, images, rows, tta=(name,)) for name in ("identity", "hflip", "rot90")}
    both = predicted(network, images, rows, tta=tuple(alone), batch_size=3)
    torch.testing.assert_close(both, sum(alone.values()) / 3)
    torch.testing.assert_close(both.sum(dim=1), torch.ones(4))
    torch.testing.assert_close(alone["hflip"], alone["identity"][:, [1, 0, 3, 2]])
    weighted = predicted(network, images, rows, tta=("identity", "hflip"), weights=(3.0, 1.0))
    torch.testing.assert_close(weighted, 0.75 * alone["identity"] + 0.25 * alone["hflip"])


def test_prediction_draws_nothing_and_leaves_dropout_off():
    network = Network(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.9)), [0.0], [1.0], 4).train()
    images = torch.randint(0, 256, (4, 2, 2, 1), dtype=torch.uint8)
    first, again = (predicted(network, images, torch.arange(4)) for _ in range(2))
    assert torch.equal(first, again)


LOGITS = torch.randn(3, 50, 4, generator=torch.Generator().manual_seed(0))
WEIGHTS = torch.tensor([0.5, 0.3, 0.2]).view(3, 1, 1)


@pytest.mark.parametrize("how", ["probability", "logit", "max", "rank"])
def test_a_combination_is_a_distribution_and_one_view_keeps_its_order(how: str):
    proba = combine(LOGITS, WEIGHTS, how)
    assert proba.shape == (50, 4) and (proba >= 0).all()
    torch.testing.assert_close(proba.sum(dim=1), torch.ones(50))
    alone = combine(LOGITS[:1], torch.ones(1, 1, 1), how)
    if how != "rank":
        torch.testing.assert_close(alone, LOGITS[0].softmax(dim=1))


def test_each_combination_is_its_definition():
    torch.testing.assert_close(combine(LOGITS, WEIGHTS, "logit"), (LOGITS * WEIGHTS).sum(0).softmax(1))
    largest = LOGITS.softmax(2).amax(0)
    torch.testing.assert_close(combine(LOGITS, WEIGHTS, "max"), largest / largest.sum(1, keepdim=True))
    ranks = combine(LOGITS[:1], torch.ones(1, 1, 1), "rank")
    by_hand = torch.stack([(LOGITS[0].softmax(1) <= row).float().mean(0) for row in LOGITS[0].softmax(1)])
    torch.testing.assert_close(ranks, by_hand / by_hand.sum(1, keepdim=True))


def test_ranks_do_not_depend_on_the_batch_size():
    images = torch.randint(0, 256, (9, 6, 6, 1), dtype=torch.uint8)
    settings = {"tta": ("identity", "hflip"), "combine": "rank"}
    whole, parts = (predicted(corner_network(), images, torch.arange(9), **settings, batch_size=b) for b in (9, 2))
    torch.testing.assert_close(whole, parts)
