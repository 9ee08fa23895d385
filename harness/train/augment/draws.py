"""Where every random number of an augmentation comes from."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.train.transfer import to_device


class Draws:
    """Two seeded generators: one on the device for numbers, one on the host for decisions.

    A decision that picks rows (which operation changes which image) is drawn on the host: picking rows by a tensor of
    the device would make the host wait for it at every step. torch's and numpy's global generators are left alone.
    """

    def __init__(self, device: torch.device | str, seed: int) -> None:
        self.device = torch.device(device)
        self.numbers = torch.Generator(device=self.device).manual_seed(seed)
        self.host = np.random.default_rng([seed, 1])

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """float32 tensor of that shape on the device, uniform in [low, high)."""
        return torch.rand(*shape, generator=self.numbers, device=self.device) * (high - low) + low

    def symmetric(self, bound: float, n: int) -> Tensor:
        """(n,) uniform in [-bound, bound)."""
        return self.uniform(-bound, bound, n)

    def normal(self, *shape: int) -> Tensor:
        """float32 tensor of that shape on the device, standard normal."""
        return torch.randn(*shape, generator=self.numbers, device=self.device)

    def chance(self, probability: float, n: int) -> Tensor:
        """bool (n,), each True with that probability."""
        return torch.rand(n, generator=self.numbers, device=self.device) < probability

    def integers(self, high: int, *shape: int) -> np.ndarray:
        """int64 array on the host, uniform in [0, high)."""
        return self.host.integers(high, size=shape)

    def to_device(self, values: np.ndarray) -> Tensor:
        """Host draws as a tensor on the device, without waiting for it; floats as float32."""
        tensor = torch.from_numpy(values.astype(np.float32) if values.dtype.kind == "f" else values)
        return to_device(tensor, self.device)


@functools.lru_cache(maxsize=64)
def constant(values: tuple[Any, ...], device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor of these (nested) values, brought to the device once: at every step the host would wait for it. Not to be changed."""
    return torch.tensor(values, dtype=dtype, device=device)


def per_image(values: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1, 1), so that it goes with a batch of images."""
    return values.view(-1, 1, 1, 1)
