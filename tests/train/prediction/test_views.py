"""Views do what their names say; one that may change the label is doubtful."""

from __future__ import annotations

import pytest
import torch
import torchvision.transforms.v2.functional as tv

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.competition.recipe import PredictSpec
from harness.train.prediction.views import check_views, doubtful_views, views_of, weighted_views
from tests.conftest import REPOSITORY
from tests.train.augment.test_geometry import smooth_images


def test_shifts_move_by_pixels_and_repeat_the_border():
    x = torch.arange(25.0).view(1, 1, 5, 5)
    down, up, right, left = (view(x) for view in views_of("shift1"))
    assert torch.equal(down[..., 1:, :], x[..., :-1, :]) and torch.equal(down[..., 0, :], x[..., 0, :])
    assert torch.equal(up[..., :-1, :], x[..., 1:, :])
    assert torch.equal(views_of("diagonal1")[0](x)[..., 1:, 1:], x[..., :-1, :-1])
    assert torch.equal(right[..., 1:], x[..., :-1]) and torch.equal(left[..., :-1], x[..., 1:])


def test_five_crop_is_torchvisions_brought_back_to_size():
    x = smooth_images(2, 32, 24, 3)
    for ours, theirs in zip(views_of("five_crop"), tv.five_crop(x, [28, 21]), strict=True):
        expected = tv.resize(theirs, [32, 24], antialias=True)
        torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "name", ["scale80", "scale100", "scale125", "brightness120", "brightness60", "shift3", "rot90"]
)
def test_a_view_keeps_shape_and_range(name: str):
    x = smooth_images(2, 20, 20, 3)
    for view in views_of(name):
        seen = view(x)
        assert seen.shape == x.shape and seen.min() >= -1e-4 and seen.max() <= 1 + 1e-4


@pytest.mark.parametrize("name", ["rot90", "rot270"])
def test_views_that_change_the_size_are_refused(name: str):
    """A network with a dense head took a turned image as one of its own size, and was wrong without a word."""
    with pytest.raises(
        UserError, match=f"predict.tta: view '{name}' needs square images, these are 28x32. Take it out"
    ):
        check_views(PredictSpec(tta=("identity", name)), 28, 32)
    check_views(PredictSpec(tta=("identity", name)), 28, 28)
    check_views(
        PredictSpec(tta=("hflip", "rot180", "five_crop", "shift2", "diagonal1", "scale80", "scale110", "brightness90")),
        28,
        32,
    )


def test_scale_and_brightness():
    x = smooth_images(1, 20, 20)
    torch.testing.assert_close(views_of("scale100")[0](x), x, atol=1e-5, rtol=0)
    torch.testing.assert_close(views_of("brightness60")[0](x), tv.adjust_brightness(x, 0.6), atol=1e-5, rtol=0)
    dot = torch.zeros(1, 1, 21, 21)
    dot[..., 9:12, 9:12] = 1
    assert views_of("scale200")[0](dot).sum() > 2 * dot.sum() > 4 * views_of("scale50")[0](dot).sum()


def test_weights_of_entries_are_shared_by_their_views():
    even = weighted_views(PredictSpec(tta=("identity", "shift1")))
    assert [round(view.weight, 6) for view in even] == [0.2] * 5
    halves = weighted_views(PredictSpec(tta=("identity", "shift1"), weights=(1.0, 1.0)))
    assert [round(view.weight, 6) for view in halves] == [0.5, *[0.125] * 4]


@pytest.mark.parametrize(
    ("names", "said"), [(("hflop",), "unknown view 'hflop' .did you mean 'hflip'"), ((), "is empty")]
)
def test_unknown_views(names: tuple[str, ...], said: str):
    with pytest.raises(UserError, match=said):
        weighted_views(PredictSpec(tta=names))


def test_a_view_that_is_no_symmetry_is_doubtful():
    digits = find_competition(REPOSITORY / "competitions" / "digit-recognizer")
    assert doubtful_views(("identity", "shift1", "hflip", "rot180"), digits) == ["hflip", "rot180"]
