"""Captions and features of images as batches, all rows in one tensor, batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from harness.base.errors import UserError, nearest
from harness.models.captioned import Captioned
from harness.train.transfer import to_device

VIEWS = ("identity", "caption_dropout")
"""`predict.tta` of these inputs; caption_dropout: as many views as there are captions, each without one of them."""

_POOL = 50  # batches that are sorted by length together: enough to waste little padding, few enough to stay random


def check_views(names: Sequence[str]) -> None:
    """Refuse unknown views (UserError)."""
    for name in names:
        if name not in VIEWS:
            raise UserError(f"predict.tta: unknown view '{name}'{nearest(name, VIEWS)}; known: {', '.join(VIEWS)}")


class CaptionedInputs:
    """Rows of captions and features; see `harness.train.inputs.network_inputs.Inputs`.

    How long captions are and which are there is kept on the host too: a batch's shape hangs on it, and asked for it a device is waited for.

    Parameters
    ----------
    tokens : int32 (n, K, L) or None; images : float32 (n, F) or None
    views : names of VIEWS
    caption_dropout : share of captions that a training batch does without
    """

    def __init__(
        self,
        tokens: np.ndarray | None,
        images: np.ndarray | None,
        views: Sequence[str],
        device: torch.device,
        seed: int = 0,
        caption_dropout: float = 0.0,
    ) -> None:
        self.tokens = None if tokens is None else torch.from_numpy(tokens).to(device)
        self.images = None if images is None else torch.from_numpy(images).to(device)
        rows = self.tokens if self.tokens is not None else self.images
        assert rows is not None
        self.n, self.device, self.index_device = len(rows), device, torch.device("cpu")
        captions = 1 if self.tokens is None else self.tokens.shape[1]
        self.left_out: list[int | None] = [None] if captions == 1 or "identity" in views else []
        if captions > 1 and "caption_dropout" in views:
            self.left_out += list(range(captions))
        self.view_weights = [1 / len(self.left_out)] * len(self.left_out)
        words = None if tokens is None else torch.from_numpy(tokens) != 0
        self.lengths = None if words is None else words.sum(dim=2).amax(dim=1)
        self.there = None if words is None else words.any(dim=2)
        self.dropout, self.draws = caption_dropout, torch.Generator().manual_seed(seed + 3)

    def epoch_batches(self, rows: Tensor, batch_size: int, order: torch.Generator) -> list[Tensor]:
        """Rows in a new random order, rows of like length together, the batches in random order; all full but one pool's."""
        shuffled = rows[torch.randperm(len(rows), generator=order).to(rows.device)]
        n_batches = max(len(rows) // batch_size, 1)
        shuffled = shuffled[: n_batches * batch_size]
        if self.lengths is None:
            return list(shuffled.split(batch_size))
        batches = []
        for pool in shuffled.split(_POOL * batch_size):
            by_length = pool[torch.argsort(self.lengths[pool], stable=True)]
            batches += list(by_length.split(batch_size))
        return [batches[i] for i in torch.randperm(len(batches), generator=order).tolist()]

    def training(self, batches: list[Tensor], epoch: int) -> Iterator[Captioned]:
        """Batches with captions dropped at random."""
        for rows in batches:
            yield self._batch(rows, dropped=True)

    def plain(self, batches: list[Tensor]) -> Iterator[Captioned]:
        """Batches as they are."""
        for rows in batches:
            yield self._batch(rows)

    def views(self, batches: list[Tensor]) -> Iterator[list[Captioned]]:
        """Batches with one caption left out at a time: views for prediction."""
        for rows in batches:
            yield [self._batch(rows, without=place) for place in self.left_out]

    def _batch(self, rows: Tensor, dropped: bool = False, without: int | None = None) -> Captioned:
        on_device = to_device(rows, self.device)
        images = None if self.images is None else self.images[on_device]
        if self.tokens is None or self.lengths is None or self.there is None:
            return Captioned(None, images)
        tokens = self.tokens[on_device, :, : max(int(self.lengths[rows].max()), 1)].long()
        there = kept = self.there[rows]
        if without is not None:
            kept = self._without(there, without)
        if dropped and self.dropout:
            kept = self._drop(there)
        if kept is not there:
            tokens = tokens * to_device(kept, self.device).unsqueeze(2)
        return Captioned(tokens, images, to_device(kept.flatten().nonzero().squeeze(1), self.device))

    @staticmethod
    def _without(there: Tensor, place: int) -> Tensor:
        """Captions that are there, bool (B, K), without that of a place where there is another."""
        left = there.clone()
        left[:, place] = False
        return torch.where(left.any(dim=1, keepdim=True), left, there)

    def _drop(self, there: Tensor) -> Tensor:
        drawn = torch.rand(there.shape, generator=self.draws)
        kept = (drawn >= self.dropout) & there
        surest = drawn.masked_fill(~there, -1).argmax(dim=1)
        kept[torch.arange(len(kept)), surest] |= ~kept.any(dim=1) & there.any(dim=1)
        return kept
