"""How an image meets the frame: every way, every fill, images of any shape; laws that hold for all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.data.files.frame import Frame

WAYS = [
    ("stretch", "edge"),
    ("cover", "edge"),
    *((w, f) for w in ("fit", "scale") for f in ("edge", "mean", "constant", "reflect")),
]


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize(("resize", "fill"), WAYS)
@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (1, 1), (2, 2), (7, 5), (300, 40)])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_an_image_of_any_shape_gives_a_picture(resize: str, fill: str, shape: tuple[int, int], channels: int):
    image = np.full((*shape, channels), 90, dtype=np.uint8)
    for factor in (None, 0.01, 1.0, 50.0):
        found = Frame(12, 20, resize, fill, "grey", factor).pixels(image)
        assert found.shape == (12, 20, channels) and found.dtype == np.uint8
        assert set(np.unique(found)) <= {90, 128} and (90 in found)  # of an even image: its value, and the background


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(WAYS),
    st.integers(0, 9),
)
def test_channels_do_not_touch_each_other(h: int, w: int, height: int, width: int, way: tuple[str, str], seed: int):
    frame, image = Frame(height, width, *way, factor=0.7), noise(h, w, 3, seed)
    each = [frame.pixels(image[:, :, c : c + 1]) for c in range(3)]
    np.testing.assert_array_equal(frame.pixels(image), np.concatenate(each, axis=2))
    np.testing.assert_array_equal(frame.pixels(np.concatenate([image, image], axis=2))[:, :, :3], frame.pixels(image))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(WAYS), st.integers(0, 9))
def test_an_image_of_the_frames_size_stays_as_it_is(h: int, w: int, way: tuple[str, str], seed: int):
    frame, image = Frame(h, w, *way), noise(h, w, 3, seed)
    np.testing.assert_array_equal(frame.pixels(image), image)
    np.testing.assert_array_equal(frame._replace(factor=3.0).pixels(image), image)  # larger does not fit


def test_stretch_is_pillows_bilinear_filter():
    image = Image.fromarray(noise(31, 17))
    np.testing.assert_array_equal(
        Frame(12, 20).picture(image), np.asarray(image.resize((20, 12), Image.Resampling.BILINEAR))
    )


@pytest.mark.parametrize("fill", ["edge", "mean", "constant", "reflect"])
def test_fit_puts_the_whole_image_in_the_middle(fill: str):
    image = noise(20, 10)
    found = Frame(10, 15, "fit", fill, "black").pixels(image)
    small = np.asarray(Image.fromarray(image).resize((5, 10), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(found[:, 5:10], small)
    left = {
        "edge": np.repeat(small[:, :1], 5, axis=1),
        "mean": np.broadcast_to(np.round(small.mean(axis=(0, 1))).astype(np.uint8), (10, 5, 3)),
        "constant": np.zeros((10, 5, 3), np.uint8),
        "reflect": np.pad(small, ((0, 0), (5, 5), (0, 0)), mode="reflect")[:, :5],
    }[fill]
    np.testing.assert_array_equal(found[:, :5], left)


def test_reflect_and_edge_are_numpys():
    image = noise(3, 2)
    for fill in ("edge", "reflect"):
        found = Frame(12, 11, "scale", fill, factor=1.0).pixels(image)
        np.testing.assert_array_equal(found, np.pad(image, ((4, 5), (4, 5), (0, 0)), mode=fill))


def test_cover_shows_the_middle_and_keeps_the_shape():
    image = noise(20, 50)
    middle = Image.fromarray(image[:, 15:35]).resize((10, 10), Image.Resampling.BILINEAR)
    found = Frame(10, 10, "cover").pixels(image)
    np.testing.assert_array_equal(
        found[:, 1:-1], np.asarray(middle)[:, 1:-1]
    )  # beside the cut the filter sees what is cut off


def test_scale_keeps_what_a_pixel_means():
    """A disk of 8 pixels is as large in a small image as in a large one; what does not fit is shrunk to fit."""

    def disk(side: int) -> np.ndarray:
        y, x = np.mgrid[:side, :side] - (side - 1) / 2
        return np.where(x**2 + y**2 < 16, 255, 0).astype(np.uint8)[:, :, None]

    frame = Frame(32, 32, "scale", "constant", "black", factor=1.0)
    np.testing.assert_array_equal(frame.pixels(disk(12)), frame.pixels(disk(30)))
    shrunk = frame.pixels(disk(128))
    assert 0 < (shrunk > 127).sum() < (frame.pixels(disk(12)) > 127).sum() / 8
    np.testing.assert_array_equal(shrunk, frame._replace(resize="fit").pixels(disk(128)))
