"""Sizes by headers, and the one scale that is chosen by them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.data.files.archives import FileTree
from harness.data.files.decode import Decoder
from harness.data.files.sizes import choose_scale, count_larger, read_sizes

SHAPES = [(5, 9), (3000, 1), (1, 1), (40, 30)]


def write_images(folder: Path) -> list[str]:
    folder.mkdir()
    names = []
    for kind in ("png", "jpg", "tif", "webp"):
        for height, width in SHAPES:
            names.append(f"{kind}-{height}.{kind}")
            Image.fromarray(np.zeros((height, width), np.uint8)).save(folder / names[-1])
    turned = Image.Exif()
    turned[0x0112] = 6
    for kind in ("png", "jpg"):
        names.append(f"turned.{kind}")
        Image.fromarray(np.zeros((5, 9), np.uint8)).save(folder / names[-1], exif=turned)
    np.save(folder / "front.npy", np.zeros((2, 7, 4), np.uint8))
    np.save(folder / "behind.npy", np.zeros((7, 4, 2), np.uint8))
    (folder / "broken.png").write_bytes(b"nothing of the kind")
    return [*names, "front.npy", "behind.npy", "broken.png"]


def test_headers_say_what_decoding_finds_in_folders_and_zips(tmp_path: Path):
    names = write_images(tmp_path / "images")
    with zipfile.ZipFile(tmp_path / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(tmp_path / "images" / name, name)
    for place in (tmp_path / "images", tmp_path / "images.zip"):
        tree = FileTree(place)
        found = read_sizes(tree, names, 2, lambda done, total: None)
        assert found[-1].tolist() == [0, 0]
        for name, size in zip(names[:-1], found, strict=False):
            with tree.open(name) as file:
                decoded = Decoder(4, 4, 2 if name.endswith(".npy") else 1)(file, name)
            assert size.tolist() == [decoded.height, decoded.width], name


def test_pixels_are_not_decoded(tmp_path: Path):
    """A file that is cut off behind its header has a size."""
    (tmp_path / "images").mkdir()
    path = tmp_path / "images" / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 80), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:200])
    assert read_sizes(FileTree(tmp_path / "images"), ["a.png"], 1, lambda done, total: None).tolist() == [[90, 80]]


@given(
    st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), min_size=1, max_size=50),
    st.floats(0.05, 1.0),
)
def test_the_scale_is_the_largest_at_which_the_share_fits(sizes: list[tuple[int, int]], share: float):
    array, frame = np.array(sizes), (30, 50)
    told = choose_scale(array, frame, share)
    assert told["images"] == len(sizes)
    assert told["larger"] == count_larger(array, frame, told["factor"]) <= (1 - share) * len(sizes) + 1e-6
    larger = count_larger(array, frame, told["factor"] * 1.001)
    assert len(sizes) - larger < share * len(sizes)


@pytest.mark.parametrize("sizes", [np.zeros((0, 2)), np.zeros((3, 2))])
def test_where_no_size_is_known_a_pixel_stays_a_pixel(sizes: np.ndarray):
    assert choose_scale(sizes, (8, 8), 0.98)["factor"] == 1.0
