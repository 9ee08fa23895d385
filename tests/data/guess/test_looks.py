"""What some images look like; files that are no images, or too large, are not opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from harness.data.files.archives import FileTree
from harness.data.guess.guess import guess
from harness.data.guess.inventory import take_stock
from harness.data.guess.looks import Looks, axis_of_channels, look_at


def look(folder: Path, name: str) -> Looks:
    return look_at(FileTree(folder), [name])


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((8, 8, 103), 2),
        ((103, 8, 8), 0),
        ((3, 8, 9), 0),
        ((8, 9, 3), 2),
        ((8, 8, 8), 2),
        ((6, 12, 9), 0),
        ((8, 9), None),
    ],
)
def test_two_equal_axes_are_the_sides(shape: tuple[int, ...], axis: int | None):
    assert axis_of_channels(shape) == axis


@pytest.mark.parametrize("shape", [(8, 8, 103), (103, 8, 8)])
def test_bands_of_a_small_image_are_channels(tmp_path: Path, shape: tuple[int, ...]):
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    looks = look(tmp_path, "a.npy")
    assert (looks.heights.tolist(), looks.widths.tolist(), looks.channels) == ([8], [8], 103)


@pytest.mark.parametrize("values", [[0.5, np.inf, -np.inf, np.nan], [np.nan, np.inf, np.inf, np.inf]])
def test_values_that_are_not_finite_are_no_bounds(tmp_path: Path, values: list[float]):
    for name in ("train/a/1", "train/a/2", "train/b/1"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / f"{name}.npy", np.array(values, np.float32).reshape(2, 2))
    np.save(tmp_path / "train/b/2.npy", np.array([[1.5, 2], [0, 0]], np.float32))
    assert guess(take_stock(FileTree(tmp_path)))[0].values["range"] == [0, 2]


def test_what_postscript_is_called_an_image_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *args, **more: pytest.fail("Ghostscript was called"))
    Image.new("RGB", (8, 8)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")
    looks = look(tmp_path, "a.png")
    assert not len(looks.heights) and "no image, or of a format that is not read" in looks.odd


def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was decoded"))
    with pytest.warns(Image.DecompressionBombWarning):
        looks = look(tmp_path, "a.png")
    assert "64 pixels, more than the limit of 40" in looks.odd
