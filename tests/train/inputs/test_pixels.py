"""Batches are the same pixels whichever way they come; reading ahead keeps order and raises errors where they belong."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.base.errors import UserError
from harness.train.inputs import pixels as batches
from harness.train.inputs.pixels import (
    DecodedImages,
    FileImages,
    ResidentImages,
    channel_statistics,
    open_images,
    prefetch,
    read_batches,
    to_float,
)

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(0).integers(0, 256, (50, 4, 5, 3), dtype=np.uint8)


@pytest.fixture
def mapped(tmp_path: Path) -> np.ndarray:
    np.save(tmp_path / "images.npy", PIXELS)
    return np.load(tmp_path / "images.npy", mmap_mode="c", allow_pickle=False)


def test_every_way_gives_the_same_pixels(mapped: np.ndarray):
    rows = torch.tensor([49, 0, 7, 7, 31])
    for images in (ResidentImages(mapped, CPU), FileImages(mapped.filename, CPU), DecodedImages(mapped, CPU)):
        assert images.shape == (50, 4, 5, 3)
        parts = list(read_batches(images, list(rows.split(2))))
        assert torch.equal(torch.cat(parts), torch.from_numpy(PIXELS[rows.numpy()]))


def test_large_files_are_read_by_row_small_ones_stay_mapped(mapped: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    assert isinstance(open_images(mapped, CPU), ResidentImages)
    monkeypatch.setattr(batches, "RESIDENT_BYTES", 100)
    assert isinstance(open_images(mapped, CPU), FileImages)
    assert isinstance(open_images(PIXELS, CPU), ResidentImages)  # in memory already


def test_a_change_on_the_host_gets_pixels_and_rows(mapped: np.ndarray):
    images, rows = ResidentImages(mapped, CPU), torch.tensor([3, 4, 9])
    changed = read_batches(
        images, [rows], lambda pixels, which: (pixels // 2 + which[:, None, None, None]).astype("u1")
    )
    expected = PIXELS[rows.numpy()] // 2 + rows.numpy()[:, None, None, None]
    assert torch.equal(next(iter(changed)), torch.from_numpy(expected.astype("u1")))


def test_reading_ahead_keeps_order_and_passes_errors_on():
    def items():
        yield from range(10)
        raise UserError("broken image")

    seen = []
    with pytest.raises(UserError, match="broken image"):
        for item in prefetch(items()):
            seen.append(item)
    assert seen == list(range(10))


def test_a_reader_that_leaves_early_ends_the_thread():
    before = threading.active_count()
    items = prefetch(iter(range(1_000_000)))
    assert next(items) == 0 and threading.active_count() == before + 1
    items.close()
    assert threading.active_count() == before


def test_batches_are_the_pixels_over_255():
    x = to_float(torch.from_numpy(PIXELS[[4, 1]]), torch.channels_last)
    assert x.shape == (2, 3, 4, 5) and x.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(x[0, 2, 3, 4] * 255, torch.tensor(float(PIXELS[4, 3, 4, 2])))


def test_channel_statistics_are_numpys():
    mean, std = channel_statistics(ResidentImages(PIXELS, CPU), torch.arange(10, 50), pixels_at_once=400)
    pixels = PIXELS[10:].reshape(-1, 3) / 255
    torch.testing.assert_close(torch.tensor(mean), torch.tensor(pixels.mean(0)).float(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.tensor(std), torch.tensor(pixels.std(0)).float(), atol=1e-5, rtol=1e-4)


def test_statistics_of_many_rows_come_from_evenly_spaced_ones():
    some = channel_statistics(ResidentImages(PIXELS, CPU), torch.arange(50), most_rows=10)
    assert some == channel_statistics(ResidentImages(PIXELS, CPU), torch.arange(0, 50, 5))
