"""Networks that read captions, features of images, or both; the reports' and one of ours."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from harness.base.errors import UserError, nearest
from harness.competition.recipe import ModelSpec
from harness.models.small import dense_layers


@dataclass(frozen=True)
class Captioned:
    """A batch.

    Attributes
    ----------
    tokens : int64 (B, K, L), 0 = padding at the end of a caption, or None
    images : float32 (B, F), pooled features, or None
    places : int64 (N,), rising: b * K + k of the captions that have a word. None: they are looked for, and a graphics card is waited for
    """

    tokens: Tensor | None
    images: Tensor | None
    places: Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Of the tensors that it holds."""
        return self._any.device

    @property
    def _any(self) -> Tensor:
        found = self.tokens if self.tokens is not None else self.images
        assert found is not None
        return found

    def __len__(self) -> int:
        return len(self._any)


class TextEncoder(nn.Module):
    """Captions int64 (B, K, L) -> (B, units): each by an LSTM or GRU, then pooled.

    vectors : float32 (V + 1, D), row 0 zero; they are not trained
    state : what stands for a caption: that after its "last" word, or the "mean" over its words
    pooling : over an image's captions: "mean" or "attention" (a learned weight for each)
    """

    vectors: Tensor

    def __init__(self, vectors: Tensor, units: int, cell: str, pooling: str, state: str = "last") -> None:
        super().__init__()
        self.register_buffer("vectors", vectors.clone())  # networks of several seeds are saved together
        kinds = {"lstm": nn.LSTM, "gru": nn.GRU}
        if cell not in kinds:
            raise ValueError(f"cell = {cell!r}; known: lstm, gru")
        if pooling not in ("mean", "attention"):
            raise ValueError(f"pooling = {pooling!r}; known: mean, attention")
        if state not in ("last", "mean"):
            raise ValueError(f"state = {state!r}; known: last, mean")
        self.state = state
        self.rnn = kinds[cell](vectors.shape[1], units, batch_first=True)
        self.attention = nn.Linear(units, 1) if pooling == "attention" else None
        self.units = units

    def forward(self, tokens: Tensor, places: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pooled states (B, units), zero where a row has no caption, and whether it has one, float (B, 1); places : as in `Captioned`."""
        lengths = (tokens != 0).sum(dim=2)  # (B, K)
        present = lengths > 0
        places = present.flatten().nonzero().squeeze(1) if places is None else places
        states = torch.zeros(present.numel(), self.units, device=tokens.device)
        if len(places):
            read = self._read(tokens.flatten(0, 1)[places], lengths.flatten()[places])
            states = states.to(read.dtype).index_copy(0, places, read)
        return self._pooled(states.view(*present.shape, -1), present), present.any(dim=1, keepdim=True).float()

    def _read(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """A state (N, units) for each caption; what follows its last word is padding and is not looked at."""
        out, _ = self.rnn(self.vectors[tokens])  # (N, L, units)
        if self.state == "mean":
            return (out * (tokens != 0).unsqueeze(2)).sum(dim=1) / lengths.unsqueeze(1)
        return out[torch.arange(len(out), device=out.device), lengths - 1]

    def _pooled(self, states: Tensor, present: Tensor) -> Tensor:
        mask = present.unsqueeze(2)
        if self.attention is None:
            return (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        scores = self.attention(torch.tanh(states)).masked_fill(~mask, -1e4)
        return (states * (scores.softmax(dim=1) * mask)).sum(dim=1)


class TextNetwork(nn.Module):
    """Captions -> logits."""

    def __init__(self, encoder: TextEncoder, head: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.encoder, self.head, self.n_classes = encoder, head, n_classes

    def forward(self, x: Captioned) -> Tensor:
        """Captions and features of B images -> logits (B, n_classes)."""
        return self.head(self.encoder(x.tokens, x.places)[0])


class ImageHead(nn.Module):
    """Features of a frozen backbone -> logits; features are brought to the training rows' mean and deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor, head: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())
        self.head, self.n_classes = head, n_classes

    def forward(self, x: Captioned) -> Tensor:
        """Captions and features of B images -> logits (B, n_classes)."""
        assert x.images is not None
        return self.head((x.images - self.mean) / self.std)


class Fusion(nn.Module):
    """Image and captions, each brought to `width` numbers, side by side -> logits.

    drop : while it trains, share of rows whose image or (as often) captions are hidden, so that one may be missing later
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, encoder: TextEncoder, mean: Tensor, std: Tensor, width: int, head: nn.Module, n_classes: int, drop: float
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())
        self.encoder, self.head, self.n_classes, self.drop = encoder, head, n_classes, drop
        self.of_image = nn.Sequential(nn.Linear(len(mean), width), nn.ReLU())
        self.of_text = nn.Sequential(nn.Linear(encoder.units, width), nn.ReLU())
        self.silent = nn.Parameter(torch.zeros(width))  # stands for captions that are not there

    def forward(self, x: Captioned) -> Tensor:
        """Captions and features of B images -> logits (B, n_classes)."""
        assert x.images is not None
        image = self.of_image((x.images - self.mean) / self.std)
        if x.tokens is None:
            text = self.silent.expand(len(image), -1)
        else:
            states, there = self.encoder(x.tokens, x.places)
            text = self.of_text(states) * there + self.silent * (1 - there)
        if self.training and self.drop:
            drawn = torch.rand(len(image), 1, device=image.device)
            image = image * (drawn > self.drop / 2)
            text = torch.where(drawn > 1 - self.drop / 2, self.silent, text)
        return self.head(torch.cat([image, text], dim=1))


@dataclass(frozen=True)
class Shape:
    """What a network is built for.

    Attributes
    ----------
    n_classes : int
    vectors : float32 (V + 1, D) of the words, or None without captions
    mean, std : float32 (F,) of the training rows' features, or None without images
    """

    n_classes: int
    vectors: Tensor | None
    mean: Tensor | None
    std: Tensor | None


def lstm(
    shape: Shape,
    *,
    units: int = 128,
    dense: Sequence[int] = (64,),
    dropout: float | Sequence[float] = 0.3,
    cell: str = "lstm",
    pooling: str = "mean",
    state: str = "last",
) -> nn.Module:
    """An LSTM (or GRU) over captions and dense layers, as in the report."""
    assert shape.vectors is not None  # by NEEDS
    head = nn.Sequential(*dense_layers(units, dense, dropout, False, shape.n_classes))
    return TextNetwork(TextEncoder(shape.vectors, units, cell, pooling, state), head, shape.n_classes)


def image_head(
    shape: Shape,
    *,
    dense: Sequence[int] = (256, 128),
    dropout: float | Sequence[float] = 0.3,
    batch_norm: bool = False,
) -> nn.Module:
    """Dense layers on features of a frozen backbone, as in the report."""
    assert shape.mean is not None and shape.std is not None  # by NEEDS
    head = nn.Sequential(*dense_layers(len(shape.mean), dense, dropout, batch_norm, shape.n_classes))
    return ImageHead(shape.mean, shape.std, head, shape.n_classes)


def fusion(
    shape: Shape,
    *,
    units: int = 128,
    width: int = 256,
    dense: Sequence[int] = (128,),
    dropout: float | Sequence[float] = 0.3,
    cell: str = "lstm",
    pooling: str = "mean",
    state: str = "last",
    modality_dropout: float = 0.0,
) -> nn.Module:
    """Late fusion: image 256 and text 256 side by side, then dense layers."""
    assert shape.vectors is not None and shape.mean is not None and shape.std is not None  # by NEEDS
    encoder = TextEncoder(shape.vectors, units, cell, pooling, state)
    head = nn.Sequential(*dense_layers(2 * width, dense, dropout, False, shape.n_classes))
    return Fusion(encoder, shape.mean, shape.std, width, head, shape.n_classes, modality_dropout)


BUILDERS: dict[str, Callable[..., nn.Module]] = {"lstm": lstm, "image_head": image_head, "fusion": fusion}
NEEDS = {"lstm": ("captions",), "image_head": ("images",), "fusion": ("captions", "images"), "kmeans": ()}
"""What each must be fed."""


def check_captioned(spec: ModelSpec) -> None:
    """Check a model's name and arguments; "kmeans" is no network: the clusters themselves are the result.

    Raises
    ------
    UserError
        Names the nearest.
    """
    if spec.name == "kmeans":
        known: list[str] = []
    elif spec.name in BUILDERS:
        known = list(inspect.signature(BUILDERS[spec.name]).parameters)[1:]
    else:
        raise UserError(
            f"model.name = '{spec.name}': unknown{nearest(spec.name, NEEDS)}; with [clusters] there are: {', '.join(NEEDS)}"
        )
    for name in spec.args:
        if name not in known:
            raise UserError(
                f"model.args.{name}: unknown key{nearest(name, known)}; '{spec.name}' takes: {', '.join(known) or 'none'}"
            )


def build_captioned(spec: ModelSpec, shape: Shape) -> Any:
    """Build a network, weights from torch's global generator (seed it first).

    Raises
    ------
    UserError
        If an argument has an impossible value.
    """
    check_captioned(spec)
    try:
        return BUILDERS[spec.name](shape, **spec.args)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"[model] '{spec.name}' cannot be built with {spec.args}: {error}") from error
