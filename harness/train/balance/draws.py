"""The rows of an epoch, where they are not drawn alike (train.sampling)."""

from __future__ import annotations

import torch
from torch import Tensor


def drawn_rows(rows: Tensor, rates: Tensor, classes: Tensor, order: torch.Generator) -> Tensor:
    """As many rows as there are, each drawn the whole number of times just below or just above its rate, at random; class by class.

    Systematic sampling (Madow 1949): rows lie in random order within their class, each as long as its rate, and a comb of spacing 1 is laid
    over them. So the rows of a class too are within one of the sum of their rates, and no row comes again before all of its class were there.

    rows : int64 (n,); rates : float64 (n,) on the CPU, of sum n; classes : int64 (n,) on the CPU
    """
    shuffled = torch.randperm(len(rows), generator=order)
    places = shuffled[torch.argsort(classes[shuffled], stable=True)]
    edges = rates[places].cumsum(0)
    edges[-1] = len(rows)  # whatever was lost in rounding
    teeth = torch.floor(edges + torch.rand((), generator=order, dtype=torch.float64)).long()
    times = torch.diff(teeth, prepend=teeth.new_zeros(1))
    return rows[places.repeat_interleave(times).to(rows.device)]


def repeats(batches: list[Tensor]) -> list[Tensor]:
    """How often each row of each batch was in this epoch before, int64 (B,) on the batches' device: 0 where no row is drawn twice."""
    rows = torch.cat(batches)
    order = torch.argsort(rows, stable=True)
    ranked, places = rows[order], torch.arange(len(rows), device=rows.device)
    starts = torch.ones_like(ranked, dtype=torch.bool)
    starts[1:] = ranked[1:] != ranked[:-1]
    found = torch.empty_like(rows)
    found[order] = places - torch.where(starts, places, 0).cummax(0).values
    return list(found.split([len(batch) for batch in batches]))
