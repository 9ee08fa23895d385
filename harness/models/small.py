"""The small networks of the digit, CIFAR-10 and pneumonia reports, and ours: a dense network on pixels or HOG, and a plain convolutional one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from harness.models.dropout import Dropout
from harness.models.tabular.columns import wider


def mlp(
    height: int,
    width: int,
    channels: int,
    n_classes: int,
    *,
    hidden: Sequence[int] = (64,),
    dropout: float = 0.0,
    hog_cell: int = 0,
    hog_orientations: int = 8,
) -> nn.Module:
    """Dense network with ReLU on raw pixels, or on HOG features.

    Parameters
    ----------
    hidden : sizes of the hidden layers
    dropout : after each of them
    hog_cell : side in pixels of the cells of HOG features (histograms of oriented gradients); 0 = raw pixels
    hog_orientations : directions of a cell's histogram
    """
    layers: list[nn.Module] = []
    if hog_cell:
        layers.append(Hog(hog_cell, hog_orientations))
    layers.append(nn.Flatten())
    features = _n_features(layers, channels, height, width)
    for size in hidden:
        layers += [nn.Linear(features, size), nn.ReLU()]
        layers += [Dropout(dropout)] if dropout else []
        features = size
    return Headed([*layers], [nn.Linear(features, n_classes)])


def cnn(
    height: int,
    width: int,
    channels: int,
    n_classes: int,
    *,
    stages: Sequence[Sequence[int]] = ((32,), (64,)),
    kernel: int | Sequence[int] = 3,
    padding: str = "same",
    pool: str = "max",
    pool_last: bool = True,
    batch_norm: bool = False,
    pool_first: bool = False,
    dropout: float | Sequence[float] = 0.0,
    dense: Sequence[int] = (),
    dense_dropout: float = 0.0,
    head: str = "flatten",
) -> nn.Module:
    """Plain convolutional network: stages of convolutions with a halving after each, then dense layers.

    Parameters
    ----------
    stages : filters of each convolution, stage by stage: ((32, 32), (64,)) is two convolutions, halve, one, halve
    kernel : side of the kernels, one for all or one per convolution
    padding : "same" or "valid"
    pool : how a stage halves: "max" (2x2), or "stride": one more convolution, 5x5 with stride 2, that learns how
    pool_last : whether the last stage halves too
    batch_norm : batch norm after each convolution
    pool_first : pool before batch norm and ReLU: a quarter of the work for them. With max pooling and a positive
        scale it is the same function at prediction
    dropout : after each stage, one for all or one per stage
    dense : sizes of the dense layers before the output
    dense_dropout : after each of them; without any, before the output
    head : "flatten", or "max" / "average" for global pooling
    """
    dropouts = [dropout] * len(stages) if isinstance(dropout, int | float) else list(dropout)
    convolutions = sum(map(len, stages))
    kernels = [kernel] * convolutions if isinstance(kernel, int) else list(kernel)
    if len(kernels) != convolutions:
        raise ValueError(f"kernel has {len(kernels)} values for {convolutions} convolutions")
    if pool not in ("max", "stride"):
        raise ValueError(f"pool = {pool!r}; known: max, stride")
    if len(dropouts) != len(stages):
        raise ValueError(f"dropout has {len(dropouts)} values for {len(stages)} stages")
    body: list[nn.Module] = []
    inputs = channels
    for number, (filters, rate) in enumerate(zip(stages, dropouts, strict=True)):
        halves = pool_last or number < len(stages) - 1
        for position, outputs in enumerate(filters):
            pools = halves and pool == "max" and position == len(filters) - 1
            body.append(ConvBlock(inputs, outputs, kernels.pop(0), padding, batch_norm, pools, pool_first))
            inputs = outputs
        if halves and pool == "stride":
            body.append(ConvBlock(inputs, inputs, 5, "half", batch_norm))
        body += [Dropout(rate)] if rate else []
    body += _pooled_head(head)
    features = _n_features(body, channels, height, width)
    return Headed(body, dense_layers(features, dense, dense_dropout, batch_norm, n_classes))


class Headed(nn.Sequential):
    """Layers in a row, of which the last ones are the head: columns join the features before it."""

    def __init__(self, body: Sequence[nn.Module], head: Sequence[nn.Module]) -> None:
        super().__init__(*body, *head)
        self.head_at = len(body)

    def features(self, x: Tensor) -> Tensor:
        """What the head takes, (B, F)."""
        for layer in list(self)[: self.head_at]:
            x = layer(x)
        return x

    def head(self, features: Tensor) -> Tensor:
        """Features (B, F) -> logits (B, n_classes)."""
        for layer in list(self)[self.head_at :]:
            features = layer(features)
        return features

    def widen(self, more: int) -> None:
        """Let the head take so many features more."""
        for place in range(self.head_at, len(self)):
            layer = self[place]
            if isinstance(layer, nn.Linear):
                self[place] = wider(layer, more)
                return


def _n_features(layers: list[nn.Module], channels: int, height: int, width: int) -> int:
    """Length of what the layers make of one image; batch norm's statistics and the mode stay as they were."""
    body = nn.Sequential(*layers).eval()
    with torch.no_grad():
        features = body(torch.zeros(1, channels, height, width)).shape[1]
    body.train()
    return features


def _pooled_head(head: str) -> list[nn.Module]:
    heads: dict[str, list[nn.Module]] = {
        "flatten": [],
        "max": [nn.AdaptiveMaxPool2d(1)],
        "average": [nn.AdaptiveAvgPool2d(1)],
    }
    if head not in heads:
        raise ValueError(f"head = {head!r}; known: {', '.join(heads)}")
    return [*heads[head], nn.Flatten()]


def dense_layers(
    features: int, sizes: Sequence[int], dropout: float | Sequence[float], batch_norm: bool, n_classes: int
) -> list[nn.Module]:
    """Dense layers with ReLU and the output; dropout: one for all or one per layer, without layers before the output."""
    dropouts = [dropout] * max(len(sizes), 1) if isinstance(dropout, int | float) else list(dropout)
    if len(dropouts) != max(len(sizes), 1):
        raise ValueError(f"dropout has {len(dropouts)} values for {len(sizes)} dense layers")
    layers: list[nn.Module] = []
    for size, rate in zip(sizes, dropouts, strict=False):
        layers.append(nn.Linear(features, size, bias=not batch_norm))
        layers += [nn.BatchNorm1d(size)] if batch_norm else []
        layers.append(nn.ReLU())
        layers += [Dropout(rate)] if rate else []
        features = size
    if dropouts[0] and not sizes:
        layers.append(Dropout(dropouts[0]))
    return [*layers, nn.Linear(features, n_classes)]


class ConvBlock(nn.Module):
    """Convolution, then batch norm, ReLU and 2x2 max pooling as asked for."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        padding: str,
        batch_norm: bool,
        pools: bool = False,
        pool_first: bool = False,
    ) -> None:
        super().__init__()
        stride = 2 if padding == "half" else 1
        pads: dict[str, str | int] = {"same": "same", "valid": 0, "half": kernel // 2}
        pad = pads.get(padding)
        if pad is None:
            raise ValueError(f"padding = {padding!r}; known: same, valid")
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=pad, bias=not batch_norm)
        self.norm = nn.BatchNorm2d(outputs) if batch_norm else nn.Identity()
        self.pool = nn.MaxPool2d(2) if pools else nn.Identity()
        self.act = nn.ReLU()
        self.pool_first = pool_first

    def forward(self, x: Tensor) -> Tensor:
        """float (B, C, H, W) -> (B, C', H', W')."""
        x = self.conv(x)
        if self.pool_first:
            return self.act(self.norm(self.pool(x)))
        return self.act(self.pool(self.norm(x)))  # ReLU and pooling change places freely: a quarter of the work


class Hog(nn.Module):
    """Histogram of oriented gradients (Dalal, Triggs 2005), batched and on the device; one cell per block (L2-Hys).

    Unsigned gradients by central differences; a pixel votes with its magnitude for the orientation bin it falls in
    (no interpolation between bins, as scikit-image's `hog`, with which it agrees); one block is one cell.
    """

    def __init__(self, cell: int, orientations: int = 8) -> None:
        super().__init__()
        if cell < 2 or orientations < 2:
            raise ValueError("hog_cell and hog_orientations must be 2 or more")
        self.cell, self.orientations = cell, orientations

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] -> (B, orientations, H // cell, W // cell)."""
        with torch.autocast(x.device.type, enabled=False):
            gray = x.float().mean(dim=1)  # (B, H, W)
            dy, dx = torch.zeros_like(gray), torch.zeros_like(gray)
            dy[:, 1:-1] = gray[:, 2:] - gray[:, :-2]
            dx[:, :, 1:-1] = gray[:, :, 2:] - gray[:, :, :-2]
            angle = torch.remainder(torch.atan2(dy, dx), math.pi)
            bins = (angle * (self.orientations / math.pi)).long().clamp(max=self.orientations - 1)
            votes = torch.hypot(dx, dy)
            planes = votes.new_zeros(len(x), self.orientations, *x.shape[2:])
            planes.scatter_(1, bins.unsqueeze(1), votes.unsqueeze(1))
            cells = F.avg_pool2d(planes, self.cell)  # (B, orientations, h, w)
            return _l2_hys(cells)


def _l2_hys(cells: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each cell's histogram to length 1, clip at 0.2, normalise again."""
    cells = cells / torch.sqrt((cells**2).sum(dim=1, keepdim=True) + eps**2)
    cells = cells.clamp(max=0.2)
    return cells / torch.sqrt((cells**2).sum(dim=1, keepdim=True) + eps**2)
