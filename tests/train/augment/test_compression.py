"""JPEG on tensors: Pillow's, image by image, and the worse the lower the quality."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from harness.train.augment.compression import jpeg
from tests.clean.cells import cells


def pillow(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer)).reshape(image.shape)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [10, 30, 50, 75, 95])
def test_it_is_pillows_up_to_the_smoothing_of_colours(channels: int, quality: int):
    images = cells(8)[0] if channels == 3 else cells(8)[0].mean(axis=3, keepdims=True).astype(np.uint8)
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    ours = jpeg(x, torch.full((8,), float(quality))).mul(255).permute(0, 2, 3, 1).numpy()
    theirs = np.stack([pillow(image, quality) for image in images]).astype(float)
    lost = np.abs(theirs - images).mean()
    assert np.abs(ours - theirs).mean() < 0.15 * lost + 0.7


def test_each_image_has_its_own_quality():
    x = torch.from_numpy(cells(3)[0][[0, 0, 0]]).permute(0, 3, 1, 2).float() / 255
    lost = (jpeg(x, torch.tensor([95.0, 40.0, 8.0])) - x).abs().mean(dim=(1, 2, 3))
    assert lost[0] < lost[1] < lost[2]
    alone = jpeg(x[:1], torch.tensor([40.0]))
    assert torch.equal(jpeg(x, torch.tensor([95.0, 40.0, 8.0]))[1], alone[0])


@pytest.mark.parametrize("shape", [(2, 3, 28, 28), (2, 1, 13, 21), (1, 3, 96, 96)])
def test_any_size_comes_out_as_it_went_in(shape: tuple[int, ...]):
    out = jpeg(torch.rand(shape), torch.full((shape[0],), 50.0))
    assert out.shape == shape and out.min() >= 0 and out.max() <= 1
