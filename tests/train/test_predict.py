"""Views, their mean, and the warning where a view may change the label."""

from __future__ import annotations

import pytest
import torch

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.competition.recipe import PredictSpec
from harness.models.network import Network
from harness.train.precision import Layout
from harness.train.predict import doubtful_views, predict, views
from tests.conftest import REPOSITORY

PLAIN = Layout("fp32", False)


def corner_network() -> Network:
    """Logits are the four corner pixels: every view shows."""

    class Corners(torch.nn.Module):
        def forward(self, x):
            return torch.stack([x[:, 0, 0, 0], x[:, 0, 0, -1], x[:, 0, -1, 0], x[:, 0, -1, -1]], dim=1)

    return Network(Corners(), [0.0], [1.0])


def test_mean_over_views_in_any_batch_size():
    images = torch.randint(0, 256, (7, 6, 6, 1), dtype=torch.uint8)
    rows, network = torch.tensor([5, 0, 3, 6]), corner_network()
    alone = {
        name: predict(network, images, rows, PredictSpec(tta=(name,)), PLAIN) for name in ("identity", "hflip", "rot90")
    }
    both = predict(network, images, rows, PredictSpec(tta=tuple(alone), batch_size=3), PLAIN)
    torch.testing.assert_close(both, sum(alone.values()) / 3)
    torch.testing.assert_close(both.sum(dim=1), torch.ones(4))
    torch.testing.assert_close(alone["hflip"], alone["identity"][:, [1, 0, 3, 2]])


def test_shifts_move_by_pixels_and_repeat_the_border():
    x = torch.arange(25.0).view(1, 1, 5, 5)
    down, up, right, left = (view(x) for view in views(("shift1",)))
    assert torch.equal(down[..., 1:, :], x[..., :-1, :]) and torch.equal(down[..., 0, :], x[..., 0, :])
    assert torch.equal(up[..., :-1, :], x[..., 1:, :])
    assert torch.equal(views(("diagonal1",))[0](x)[..., 1:, 1:], x[..., :-1, :-1])
    assert torch.equal(right[..., 1:], x[..., :-1]) and torch.equal(left[..., :-1], x[..., 1:])


def test_prediction_draws_nothing_and_leaves_dropout_off():
    network = Network(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.9)), [0.0], [1.0]).train()
    images = torch.randint(0, 256, (4, 2, 2, 1), dtype=torch.uint8)
    first, again = (predict(network, images, torch.arange(4), PredictSpec(), PLAIN) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize(
    ("names", "said"), [(("hflop",), "unknown view 'hflop' .did you mean 'hflip'"), ((), "is empty")]
)
def test_unknown_views(names: tuple[str, ...], said: str):
    with pytest.raises(UserError, match=said):
        views(names)


def test_a_view_that_is_no_symmetry_is_doubtful():
    digits = find_competition(REPOSITORY / "competitions" / "digit-recognizer")
    assert doubtful_views(("identity", "shift1", "hflip", "rot180"), digits) == ["hflip", "rot180"]
