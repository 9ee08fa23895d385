"""Averages of the weights along the way: EMA and SWA."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn
from torch import Tensor


class WeightAverage:
    """An average of weights and batch-norm statistics over steps or epochs, kept beside the network."""

    def __init__(self, network: nn.Module) -> None:
        self.average = [t.detach().clone() for t in float_state(network)]

    @torch.no_grad()
    def blend(self, network: nn.Module, share: float) -> None:
        """Move the average towards the network by `share`."""
        torch._foreach_lerp_(self.average, [t.detach() for t in float_state(network)], share)

    @torch.no_grad()
    def copy_to(self, network: nn.Module) -> None:
        """Put the averaged weights into the network."""
        torch._foreach_copy_(float_state(network), self.average)

    @contextmanager
    def applied_to(self, network: nn.Module) -> Iterator[None]:
        """The network with the average's weights, for as long as it lasts."""
        own = [t.detach().clone() for t in float_state(network)]
        self.copy_to(network)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(float_state(network), own)


class Ema(WeightAverage):
    """Exponential moving average over steps (Polyak, Juditsky 1992).

    The decay grows from 0.1 towards its final value over the first steps, so that the random start is soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network)
        self.decay = decay

    def after_step(self, network: nn.Module, step: int) -> None:
        """Blend the network's weights in after an optimiser step."""
        self.blend(network, 1 - min(self.decay, (1 + step) / (10 + step)))


class Swa(WeightAverage):
    """Plain mean over the ends of the last epochs (Izmailov and others 2018).

    The mean weights' batch-norm statistics are not the mean of the statistics: `harness.train.fit` takes them anew.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.seen = 0

    def after_epoch(self, network: nn.Module) -> None:
        """Blend the network's weights in after an epoch."""
        self.seen += 1
        self.blend(network, 1 / self.seen)


def float_state(network: nn.Module) -> list[Tensor]:
    """All floating-point parameters and buffers, themselves."""
    return [t for t in network.state_dict(keep_vars=True).values() if t.is_floating_point()]
