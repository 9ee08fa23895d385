"""Values agree with torchvision and OpenCV on fixed parameters, image by image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as tv

from harness.train.augment import color


def images(channels: int = 3, n: int = 4) -> torch.Tensor:
    """uint8 images (n, C, 12, 10): noise, a gradient, one value, few values."""
    noise = torch.randint(0, 256, (n, channels, 12, 10), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    noise[1] = torch.linspace(20, 180, 120).view(1, 12, 10).byte()
    noise[2] = 90
    noise[3] = noise[3] // 64 * 64
    return noise


FACTORS = torch.tensor([0.3, 1.0, 1.4, 1.9])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (color.brightness, tv.adjust_brightness),
        (color.contrast, tv.adjust_contrast),
        (color.saturation, tv.adjust_saturation),
        (color.sharpness, tv.adjust_sharpness),
    ],
)
def test_factors_agree_with_torchvision(channels: int, ours, theirs):
    x = images(channels).float() / 255
    changed = ours(x, FACTORS)
    for i, factor in enumerate(FACTORS):
        torch.testing.assert_close(changed[i], theirs(x[i], float(factor)), atol=2e-4, rtol=0)


def test_hue_agrees_with_torchvision():
    x, turns = images().float() / 255, torch.tensor([-0.4, 0.1, 0.3, 0.5])
    changed = color.hue(x, turns)
    for i, turn in enumerate(turns):
        torch.testing.assert_close(changed[i], tv.adjust_hue(x[i], float(turn)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(color.equalize, tv.equalize), (color.autocontrast, tv.autocontrast)],
)
def test_histograms_agree_with_torchvision_on_bytes(channels: int, ours, theirs):
    pixels = images(channels)
    changed = ours(pixels.float() / 255) * 255
    for i in range(len(pixels)):
        torch.testing.assert_close(changed[i], theirs(pixels[i]).float(), atol=1.0, rtol=0)  # they cut, we round


def test_posterize_and_solarize_agree_with_torchvision_on_bytes():
    pixels, bits = images(), torch.tensor([1, 4, 8, 2])
    posterized = color.posterize(pixels.float() / 255, bits) * 255
    thresholds = torch.tensor([0, 100, 128, 255])
    solarized = color.solarize(pixels.float() / 255, thresholds / 255) * 255
    for i in range(4):
        torch.testing.assert_close(posterized[i], tv.posterize(pixels[i], int(bits[i])).float(), atol=1e-3, rtol=0)
        torch.testing.assert_close(
            solarized[i], tv.solarize(pixels[i], float(thresholds[i])).float(), atol=1e-3, rtol=0
        )


@pytest.mark.parametrize(("alpha", "beta"), [(1.5, 0.0), (0.7, 30.0), (1.2, -100.0)])
def test_scale_abs_agrees_with_opencv(alpha: float, beta: float):
    cv2 = pytest.importorskip("cv2")
    pixels = images()
    ours = color.scale_abs(pixels.float() / 255, alpha, beta) * 255
    theirs = cv2.convertScaleAbs(pixels.numpy().reshape(-1, 10), alpha=alpha, beta=beta).reshape(pixels.shape)
    assert np.abs(ours.numpy() - theirs.astype(float)).max() <= 1.0  # halves are rounded to even there
    assert (np.abs(ours.numpy() - theirs) < 1e-3).mean() > 0.9


def test_gaussian_blur_agrees_with_torchvision():
    x, sigmas = images().float() / 255, torch.tensor([0.4, 0.8, 1.2, 0.1])
    changed = color.gaussian_blur(x, sigmas, radius=4)
    for i, sigma in enumerate(sigmas):
        torch.testing.assert_close(changed[i], tv.gaussian_blur(x[i], [9, 9], [float(sigma)] * 2), atol=1e-5, rtol=0)


def test_noise_and_channel_shift_agree_with_the_definition():
    x = images().float() / 255
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    noisy = color.add_noise(x, noise, torch.tensor([0.0, 0.1, 0.2, 0.3]))
    assert torch.equal(noisy[0], x[0])
    torch.testing.assert_close(noisy[3], (x[3] + 0.3 * noise[3]).clamp(0, 1))
    shift = torch.tensor([[0.1, -0.1, 0.0]]).expand(4, 3)
    shifted = color.channel_shift(x, shift)
    torch.testing.assert_close(shifted[:, 1], (x[:, 1] - 0.1).clamp(0, 1))
    assert torch.equal(shifted[:, 2], x[:, 2])
