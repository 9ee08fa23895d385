"""Pixels as one uint8 tensor on the device, and batches of it as floats."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def device_images(images: np.ndarray, device: torch.device) -> Tensor:
    """uint8 array or memory map (n, H, W, C) as a tensor of the same shape; on a CPU without a copy."""
    return torch.from_numpy(images).to(device)


def take_batch(images: Tensor, rows: Tensor, memory_format: torch.memory_format) -> Tensor:
    """Rows of uint8 (n, H, W, C) as float32 (B, C, H, W) in [0, 1]; (H, W, C) bytes are already channels-last."""
    batch = images.index_select(0, rows).permute(0, 3, 1, 2)
    return batch.to(torch.float32, memory_format=memory_format).div_(255)


def channel_statistics(images: Tensor, rows: Tensor, pixels_at_once: int = 2**24) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of the given rows, pixels in [0, 1]; std is at least 0.001."""
    _, height, width, channels = images.shape
    total = torch.zeros(channels, dtype=torch.float64)
    squares = torch.zeros_like(total)
    for part in rows.split(max(pixels_at_once // (height * width * channels), 1)):
        pixels = images.index_select(0, part).flatten(0, 2).float().div_(255)  # (B * H * W, C)
        total += pixels.sum(dim=0).cpu().double()
        squares += pixels.square_().sum(dim=0).cpu().double()
    mean = total / (len(rows) * height * width)
    std = (squares / (len(rows) * height * width) - mean**2).clamp(min=1e-6).sqrt()
    return mean.tolist(), std.tolist()
