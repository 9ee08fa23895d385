"""Columns beside the images: a batch that holds both, and the part of a network that joins them to its pooled features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from harness.data.columns.encoder import ColumnEncoder

HIDDEN = 64


@dataclass(frozen=True)
class WithColumns:
    """A batch of images, or of features, and what is known of each beside it.

    Attributes
    ----------
    images : float (B, C, H, W) or (B, F)
    columns : float32 (B, D), encoded
    """

    images: Tensor
    columns: Tensor

    @property
    def device(self) -> torch.device:
        """Of both."""
        return self.images.device

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: slice) -> WithColumns:
        return WithColumns(self.images[rows], self.columns[rows])


class ColumnBranch(nn.Module):
    """Encoded columns (B, D) -> what is put beside the pooled features (B, width); holds the encoder that they were made by.

    The first layer is, of a category's places, the embedding of its value.
    """

    def __init__(self, encoder: ColumnEncoder, learns: bool = True) -> None:
        super().__init__()
        self.inputs = encoder.width
        self.width = HIDDEN if learns else encoder.width
        self.layers = nn.Sequential(nn.Linear(encoder.width, HIDDEN), nn.ReLU()) if learns else nn.Sequential()
        for name, array in encoder.arrays().items():
            self.register_buffer(f"encoder_{name}", torch.from_numpy(array))

    @property
    def encoder(self) -> ColumnEncoder:
        """The encoder whose numbers it takes."""
        prefix = "encoder_"
        return ColumnEncoder.of_arrays(
            {n.removeprefix(prefix): b.cpu().numpy() for n, b in self.named_buffers() if n.startswith(prefix)}
        )

    def forward(self, columns: Tensor) -> Tensor:
        """float (B, D) -> float (B, width)."""
        return self.layers(columns)


def add_columns(network: Any, body: Any, encoder: ColumnEncoder) -> None:
    """Let a network take columns: `body` gets wider where its head begins, `network.columns` makes what goes there.

    body : has `features`, `head` and `widen`; a module without them is called with the images and the columns
    """
    joins = hasattr(body, "widen")
    network.columns = ColumnBranch(encoder, learns=joins)
    if joins:
        body.widen(network.columns.width)


def joined(network: Any, body: Any, images: Tensor, columns: Tensor) -> Tensor:
    """Logits (B, n_classes) of images and columns by a network that `add_columns` changed."""
    beside = network.columns(columns)
    if not hasattr(body, "widen"):
        return body(images, beside)
    return body.head(torch.cat([body.features(images), beside], dim=1))


def widen(layers: nn.Sequential, more: int) -> None:
    """Let the first dense layer of a head take so many features more, in place; what it had drawn for the others stays."""
    for name, layer in layers.named_children():
        if isinstance(layer, nn.Linear):
            layers._modules[name] = wider(layer, more)
            return
    raise ValueError("a head without a dense layer cannot take columns")


def wider(layer: nn.Linear, more: int) -> nn.Linear:
    """A dense layer with so many inputs more behind its own; the weights of those stay."""
    new = nn.Linear(layer.in_features + more, layer.out_features, bias=layer.bias is not None)
    with torch.no_grad():
        new.weight[:, : layer.in_features] = layer.weight
        if layer.bias is not None:
            new.bias.copy_(layer.bias)
    return new


def with_average_columns(network: Any, images: Tensor) -> Any:
    """Images as the network takes them: with columns of an average row, where it has any. For trials and timings."""
    branch = getattr(network, "columns", None)
    if branch is None:
        return images
    return WithColumns(images, torch.zeros(len(images), branch.inputs, device=images.device))
