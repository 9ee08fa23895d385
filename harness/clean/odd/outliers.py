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
_JOINTLY = 3  # channels: the colours of all of them together are 6^C
_CORE, _ROUNDS, _VARIANCE = 0.75, 8, 0.95
_ROWS_PER_AXIS = 10
_PLACES = 36  # of 6x6 whose colours are described
_FITTED_ON = 20_000
_AT_ONCE = 512

STRANGE = 3.0
"""Spreads of the bulk beyond which an image is foreign."""

KINDS = ("strange in colour or structure", "dark", "bright", "flat", "blurred", "full of edges")
"""What foreign images are; the first is none of the others."""

Tick = Callable[[int, int], None]


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


@dataclass(frozen=True)
class Oddness:
    """How odd images are.

    Attributes
    ----------
    strange : float64 (n,), spreads of the bulk beyond its middle, on the scale of the log distance: about 0 for the typical image,
        rarely above 3 for one that belongs
    kind : int64 (n,), index into `KINDS`
    """

    strange: np.ndarray
    kind: np.ndarray


def oddness(
    images: np.ndarray, test: np.ndarray | None = None, tick: Tick = lambda done, total: None
) -> tuple[Oddness, Oddness | None]:
    """Hold images, uint8 (n, H, W, C), and those of the test, against the bulk of the first.

    tick : told (images described, of all that will be)
    """
    n, m = len(images), 0 if test is None else len(test)
    sampled = np.sort(np.random.default_rng(0).permutation(n)[:_FITTED_ON])
    total, done = 2 * len(sampled) + n + m, 0.0

    def described(of: np.ndarray, rows: np.ndarray, change: Callable[[Tensor], Tensor], weight: float) -> np.ndarray:
        parts = []
        for start in range(0, len(rows), 4096):
            parts.append(_features(of, rows[start : start + 4096], change))
            count(weight * len(parts[-1]))
        return np.concatenate(parts)

    def count(more: float) -> None:
        nonlocal done
        done += more
        tick(int(done), total)

    bulks = [Bulk.fit(described(images, sampled, change, 1)) for change in _VIEWS]

    def seen(of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logs, looks = [], []
        for start in range(0, len(of), 4096):
            rows = np.arange(start, min(start + 4096, len(of)))
            views = [described(of, rows, view, 0.5) for view in _VIEWS]
            logs.append(np.stack([np.log(b.distance(f) + 1e-9) for b, f in zip(bulks, views, strict=True)]))
            looks.append(_looks(views[0], of.shape[3]))
        return np.concatenate(logs, axis=1), np.concatenate(looks, axis=1)

    logs, looks = seen(images)
    both = [(logs, looks), seen(test)] if test is not None and m else [(logs, looks)]
    found = [
        Oddness(
            np.min([_spreads(row, of) for row, of in zip(these, logs, strict=True)], axis=0),
            _kinds(np.stack([_spreads(row, of) for row, of in zip(look, looks, strict=True)])),
        )
        for these, look in both
    ]
    return found[0], found[1] if len(found) > 1 else None


def outlier_scores(images: np.ndarray) -> np.ndarray:
    """float64 (n,): `Oddness.strange` of images."""
    return oddness(images)[0].strange


def _spreads(values: np.ndarray, bulk: np.ndarray) -> np.ndarray:
    """Distance from the bulk's median in units of the spread of its upper middle; the far tail has no say in it."""
    middle, upper = np.quantile(bulk, [0.5, 0.75])
    return (values - middle) / max((upper - middle) / 0.6745, 1e-9)


def _looks(features: np.ndarray, channels: int) -> np.ndarray:
    """float64 (5, n): how dark, bright, flat, blurred and full of edges images of these features are."""
    colours = features[:, : _PLACES * channels].reshape(len(features), channels, _PLACES).astype(np.float64)
    light, contrast = colours.mean(axis=(1, 2)), np.log(colours.std(axis=2).mean(axis=1) + 1e-4)
    edges = np.log(features[:, -_DIRECTIONS * 16 :].sum(axis=1, dtype=np.float64) + 1e-4)
    return np.stack([-light, light, -contrast, -edges, edges])


def _kinds(looks: np.ndarray) -> np.ndarray:
    """int64 (n,) into `KINDS`, of looks (5, n) in spreads."""
    return np.where(looks.max(axis=0) >= STRANGE, looks.argmax(axis=0) + 1, 0)


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
    """Shares of 6 (grey), 6x6 or 6x6x6 colours, (B, 6, 36 or 216); of more channels, of 6 values of each alone, (B, 6 C)."""
    if x.shape[1] > _JOINTLY:
        return torch.cat([_histogram(channel) for channel in x.split(1, dim=1)], dim=1) / x.shape[1]
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
