"""Corruptions: the same for every run, stronger with severity, and what they say they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.train.corruptions import COLOURED, CORRUPTIONS, SEVERITIES, corrupt
from tests.clean.cells import cells


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.from_numpy(cells(24)[0])


ROWS = np.arange(100, 124)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_row_comes_out_the_same_whatever_batch_it_is_in(name: str, pixels: torch.Tensor):
    whole = corrupt(pixels, ROWS, name, 3)
    parts = [corrupt(pixels[some], ROWS[some.numpy()], name, 3) for some in torch.tensor([5, 2, 20]).split(1)]
    for part, row in zip(parts, (5, 2, 20), strict=True):
        assert (part[0].int() - whole[row].int()).abs().max() <= 1  # rounding
    assert torch.equal(whole, corrupt(pixels, ROWS, name, 3))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_it_changes_pictures_the_more_the_severer(name: str, pixels: torch.Tensor):
    changes = [(corrupt(pixels, ROWS, name, s).float() - pixels.float()).abs().mean().item() for s in SEVERITIES]
    assert changes[0] > 0 and changes[-1] > 1.3 * changes[0]
    assert changes == sorted(changes)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_grey_pictures_stay_grey_and_bytes_bytes(name: str, pixels: torch.Tensor):
    grey = pixels.float().mean(dim=3, keepdim=True).to(torch.uint8)
    out = corrupt(grey, ROWS, name, 2)
    assert out.shape == grey.shape and out.dtype == torch.uint8
    assert torch.equal(out, grey) == (name in COLOURED)


def test_white_noise_has_the_strength_it_says():
    grey = torch.full((50, 32, 32, 1), 128, dtype=torch.uint8)
    out = corrupt(grey, np.arange(50), "white_noise", 3).float()
    assert out.std().item() == pytest.approx(0.10 * 255, rel=0.03) and out.mean().item() == pytest.approx(128, abs=0.5)


def test_jpeg_is_libjpegs(pixels: torch.Tensor):
    import io

    from PIL import Image

    out = corrupt(pixels[:1], ROWS[:1], "jpeg", 1)[0].numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels[0].numpy()).save(buffer, "JPEG", quality=70)
    wanted = np.asarray(Image.open(buffer)).astype(int)
    assert np.abs(out.astype(int) - wanted).mean() < 1.0


def test_a_tenth_of_the_shift_is_a_tenth_of_the_side():
    picture = torch.zeros(1, 100, 100, 1, dtype=torch.uint8)
    picture[0, 48:52, 48:52] = 255
    out = corrupt(picture, np.array([7]), "shift", 3)[0, :, :, 0].float()
    y, x = (float((out * torch.arange(100.0).view(shape)).sum() / out.sum()) for shape in ((-1, 1), (1, -1)))
    assert np.hypot(y - 49.5, x - 49.5) == pytest.approx(12, abs=0.3)


def test_occlusion_covers_the_share_it_says(pixels: torch.Tensor):
    noise = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (10, 50, 50, 3), dtype=np.uint8))
    changed = (corrupt(noise, np.arange(10), "occlusion", 3) != noise).any(dim=3).float().mean().item()
    assert changed == pytest.approx(0.3**2, rel=0.03)
