"""Networks over captions and images: padding counts nothing, order of captions neither, a missing part is borne."""

from __future__ import annotations

import pytest
import torch

from harness.base.errors import UserError
from harness.competition.recipe import ModelSpec
from harness.models.captioned import Captioned, Shape, build_captioned, check_captioned

SHAPE = Shape(4, torch.randn(9, 5, generator=torch.Generator().manual_seed(0)), torch.zeros(6), torch.ones(6))
TOKENS = torch.tensor([[[1, 2, 3, 0], [4, 0, 0, 0]], [[5, 6, 0, 0], [0, 0, 0, 0]], [[0] * 4, [0] * 4]])
IMAGES = torch.randn(3, 6)


def network(name: str, **args):
    torch.manual_seed(0)
    return build_captioned(ModelSpec(name=name, args=args), SHAPE).eval()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("pooling", ["mean", "attention"])
@pytest.mark.parametrize("state", ["last", "mean"])
def test_padding_and_the_order_of_captions_count_nothing(cell: str, pooling: str, state: str):
    net = network("lstm", cell=cell, pooling=pooling, state=state, units=7)
    said = net(Captioned(TOKENS, None))
    longer = torch.nn.functional.pad(TOKENS, (0, 6))
    torch.testing.assert_close(net(Captioned(longer, None)), said)
    torch.testing.assert_close(net(Captioned(TOKENS.flip(1), None)), said)
    alone = net(Captioned(TOKENS[1:2, :1], None))
    torch.testing.assert_close(alone, said[1:2])


def test_the_state_after_the_last_word_is_torchs_own():
    net = network("lstm", units=7)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        SHAPE.vectors[TOKENS[0]], torch.tensor([3, 1]), batch_first=True, enforce_sorted=False
    )
    _, (last, _) = net.encoder.rnn(packed)
    torch.testing.assert_close(net.encoder(TOKENS[:1])[0], last[0].mean(dim=0, keepdim=True))


def test_fusion_bears_missing_captions_and_hides_parts_while_it_trains():
    net = network("fusion", modality_dropout=0.5)
    without = net(Captioned(None, IMAGES))
    silent = net(Captioned(torch.zeros_like(TOKENS), IMAGES))
    torch.testing.assert_close(without, silent)
    assert not torch.allclose(net(Captioned(TOKENS, IMAGES))[0], without[0])
    net.train()
    torch.manual_seed(1)
    first = net(Captioned(TOKENS, IMAGES))
    assert not torch.allclose(first, net(Captioned(TOKENS, IMAGES)))


def test_words_are_not_trained_and_everything_else_is():
    net = network("fusion").train()
    net(Captioned(TOKENS, IMAGES)).sum().backward()
    assert "encoder.vectors" not in dict(net.named_parameters())
    assert all(p.grad is not None for p in net.parameters())


def test_wrong_names_and_values_are_said():
    with pytest.raises(UserError, match=r"'ltsm': unknown \(did you mean 'lstm'\?\)"):
        check_captioned(ModelSpec(name="ltsm"))
    with pytest.raises(UserError, match=r"model.args.unit: unknown key \(did you mean 'units'\?\)"):
        check_captioned(ModelSpec(name="lstm", args={"unit": 3}))
    with pytest.raises(UserError, match="'kmeans' takes: none"):
        check_captioned(ModelSpec(name="kmeans", args={"k": 3}))
    with pytest.raises(UserError, match="known: mean, attention"):
        network("lstm", pooling="max")
