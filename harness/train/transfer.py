"""From the host's memory to the device's, without waiting."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; itself, where it lies there.

    To a CUDA device it goes from pinned memory: from any other the host waits until it is sent.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
