"""Images from another world: outliers of the bulk of the data, whatever the lighting.

Each image is described without any trained network: colours by place, a histogram of colours, directions of edges by
place. A robust model of the bulk (principal axes of the three quarters of the rows that fit best, found by turns as in
FAST-MCD, Rousseeuw and Van Driessen 1999) says how far an image lies from it. Foreign is what lies far off twice: as it
is, and after its white has been made white; a cell under another lamp lies far off only once.

The distance of the bulk is nearly log-normal, so the threshold is taken from the middle of the distribution: nothing has
to be set, and a family of 200 equal foreign images cannot pull the model towards itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_SIDE, _COLOURS, _DIRECTIONS = 48, 6, 8
_CORE, _ROUNDS, _VARIANCE = 0.75, 8, 0.95
_ROWS_PER_AXIS = 10
_FITTED_ON = 20_000
_AT_ONCE = 512


@dataclass(frozen=True)
class Bulk:
    """A robust model of most of the rows.

    Attributes
    ----------
    mean : float32 (F,); axes : float32 (k, F); spread : float32 (k,), standard deviations along the axes
    rest : mean squared distance from the axes' plane
    """

    mean: np.ndarray
    axes: np.ndarray
    spread: np.ndarray
    rest: float

    @classmethod
    def fit(cls, features: np.ndarray) -> Bulk:
        """Model the core of features (n, F)."""
        kept = max(int(_CORE * len(features)), 2)
        core = np.argsort(np.abs(features - np.median(features, axis=0)).sum(axis=1), kind="stable")[:kept]
        for _ in range(_ROUNDS):
            bulk = cls._of(features[core])
            core = np.argsort(bulk.distance(features), kind="stable")[:kept]
        return bulk

    @classmethod
    def _of(cls, core: np.ndarray) -> Bulk:
        mean = core.mean(axis=0)
        centred = core - mean
        values, vectors = np.linalg.eigh(centred.T @ centred / len(core))
        values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]
        k = int(np.searchsorted(np.cumsum(values) / max(values.sum(), 1e-12), _VARIANCE)) + 1
        k = min(k, max(len(core) // _ROWS_PER_AXIS, 1))  # few rows: more axes would fit them and nothing else
        axes, spread = vectors[:, :k].T, np.sqrt(values[:k])
        rest = float(np.median((centred**2).sum(axis=1) - ((centred @ axes.T) ** 2).sum(axis=1)))
        return cls(mean, axes, np.maximum(spread, 1e-6), max(rest, 1e-9))

    def distance(self, features: np.ndarray) -> np.ndarray:
        """float (n,): squared distance within the plane of the axes, per axis, and off it; about 2 for the bulk."""
        centred = features - self.mean
        along = centred @ self.axes.T
        off = (centred**2).sum(axis=1) - (along**2).sum(axis=1)
        return ((along / self.spread) ** 2).mean(axis=1) + off / self.rest


def outlier_scores(images: np.ndarray, tick: Callable[[int, int], None] = lambda done, total: None) -> np.ndarray:
    """float64 (n,): how many spreads of the bulk an image lies beyond its middle, on the scale of the log distance.

    images : uint8 (n, H, W, C). About 0 for the typical image, rarely above 3 for one that belongs.
    """
    n = len(images)
    sampled = np.sort(np.random.default_rng(0).permutation(n)[:_FITTED_ON])
    bulks = [Bulk.fit(_features(images, sampled, change)) for change in _VIEWS]
    scores = []
    for start in range(0, n, 4096):
        rows = np.arange(start, min(start + 4096, n))
        both = [np.log(b.distance(_features(images, rows, v)) + 1e-9) for b, v in zip(bulks, _VIEWS, strict=True)]
        scores.append(np.stack(both))
        tick(int(rows[-1]) + 1, n)
    return np.min([_spreads(view) for view in np.concatenate(scores, axis=1)], axis=0)


def _spreads(logs: np.ndarray) -> np.ndarray:
    """Distance from the median in units of the spread of the upper middle; the far tail has no say in it."""
    middle, upper = np.quantile(logs, [0.5, 0.75])
    return (logs - middle) / max((upper - middle) / 0.6745, 1e-9)


def _white_balanced(x: Tensor) -> Tensor:
    """Scale each channel of each image so that its 90th percentile is 0.9."""
    flat = x.flatten(2)
    rank = max(int(0.9 * flat.shape[2]), 1)
    bright = flat.kthvalue(rank, dim=2).values.clamp(min=1 / 255)
    return (x * (0.9 / bright)[:, :, None, None]).clamp(0, 1)


def describe(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """float32 (len(rows), F): the features of some images with their white made white."""
    return _features(images, rows, _white_balanced)


_VIEWS: tuple[Callable[[Tensor], Tensor], ...] = (lambda x: x, _white_balanced)


def _features(images: np.ndarray, rows: np.ndarray, change: Callable[[Tensor], Tensor]) -> np.ndarray:
    parts = []
    for start in range(0, len(rows), _AT_ONCE):
        pixels = np.ascontiguousarray(images[rows[start : start + _AT_ONCE]])
        x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
        parts.append(_describe(F.interpolate(change(x), size=(_SIDE, _SIDE), mode="area")))
    return torch.cat(parts).numpy()


def _describe(x: Tensor) -> Tensor:
    """float32 (B, F) of images (B, C, 48, 48): colours by place, histogram of colours, directions of edges by place."""
    colours = F.adaptive_avg_pool2d(x, 6).flatten(1)
    return torch.cat([colours, _histogram(x).sqrt(), 4 * _edges(x.mean(dim=1))], dim=1)


def _histogram(x: Tensor) -> Tensor:
    """Shares of 6 (grey) or 6x6x6 colours, (B, 6 or 216)."""
    bins = (x * (_COLOURS - 0.001)).long()
    index = bins[:, 0]
    for channel in bins.unbind(dim=1)[1:]:
        index = index * _COLOURS + channel
    index = index.flatten(1)
    counts = torch.zeros(len(x), _COLOURS ** x.shape[1])
    return counts.scatter_add_(1, index, torch.ones_like(index, dtype=torch.float32)) / index.shape[1]


def _edges(grey: Tensor) -> Tensor:
    """Mean strength of edges of 8 directions in 4x4 places, (B, 128), of grey (B, H, W)."""
    dx = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2]
    dy = grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]
    angle = torch.remainder(torch.atan2(dy, dx), torch.pi)
    direction = (angle * (_DIRECTIONS / torch.pi)).long().clamp(max=_DIRECTIONS - 1)
    planes = torch.zeros(len(grey), _DIRECTIONS, *dx.shape[1:]).scatter_(
        1, direction[:, None], torch.hypot(dx, dy)[:, None]
    )
    return F.adaptive_avg_pool2d(planes, 4).flatten(1)
