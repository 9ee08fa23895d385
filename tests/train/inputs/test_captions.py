"""Batches of captions: every row once, rows of like length together, captions left out as asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.base.errors import UserError
from harness.train.inputs.captions import CaptionedInputs, check_views

RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(1, 30, (500, 3))
TOKENS = (np.arange(30)[None, None] < LENGTHS[:, :, None]).astype(np.int32) * RNG.integers(
    1, 9, (500, 3, 30), dtype=np.int32
)
CPU = torch.device("cpu")


def inputs(views=("identity",), dropout=0.0) -> CaptionedInputs:
    return CaptionedInputs(TOKENS, None, views, CPU, 0, dropout)


def test_an_epoch_has_every_row_once_in_batches_of_like_length():
    found = inputs()
    batches = found.epoch_batches(torch.arange(500), 20, torch.Generator().manual_seed(0))
    assert sorted(torch.cat(batches).tolist()) == list(range(500)) and {len(b) for b in batches} == {20}
    width = np.mean([found._batch(b).tokens.shape[2] for b in batches])
    random = [found._batch(b).tokens.shape[2] for b in torch.randperm(500).split(20)]
    assert width < 0.9 * np.mean(random)
    again = inputs().epoch_batches(torch.arange(500), 20, torch.Generator().manual_seed(0))
    assert all(torch.equal(a, b) for a, b in zip(batches, again, strict=True))


def test_each_caption_is_left_out_in_turn():
    found = inputs(("identity", "caption_dropout"))
    assert found.view_weights == [0.25] * 4
    views = next(found.views([torch.arange(10)]))
    kept = [(view.tokens != 0).any(dim=2).sum(dim=1).tolist() for view in views]
    assert kept == [[3] * 10, [2] * 10, [2] * 10, [2] * 10]


def test_the_only_caption_is_never_left_out():
    lone = TOKENS[:10].copy()
    lone[:, 1:] = 0
    found = CaptionedInputs(lone, None, ("caption_dropout",), CPU, 0, 0.9)
    for view in next(found.views([torch.arange(10)])):
        assert torch.equal(view.tokens, found._batch(torch.arange(10)).tokens)
    for batch in found.training([torch.arange(10)] * 20, 1):
        assert (batch.tokens != 0).any(dim=2).any(dim=1).all()


def test_training_drops_captions_as_often_as_asked():
    found = inputs(dropout=0.4)
    shares = [(b.tokens != 0).any(dim=2).float().mean() for b in found.training([torch.arange(500)] * 10, 1)]
    assert abs(float(np.mean(shares)) - (0.6 + 0.4**3 / 3)) < 0.03  # one is always left


def test_unknown_views_are_named():
    with pytest.raises(UserError, match="unknown view 'hflip'"):
        check_views(("identity", "hflip"))
