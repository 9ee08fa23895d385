"""Pictures of rows on a page: what is known of each, by which a gallery is filtered, and the pixels in as many bytes as there are."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.base.pictures import as_picture
from harness.base.untrusted_text import plain

PICTURE_BYTES = 3_500_000
"""What all pictures of a page may weigh; with text, tables and figures it stays below 5 MB."""

LOSSLESS = 64
"""Pixels of an image's longer side up to which it is kept as it is; larger ones are compressed as photographs are."""

_LARGEST, _SMALLEST = 640, 48  # pixels of the longer side: more than a window shows, less than tells something


@dataclass(frozen=True)
class Shot:
    """What stands with a picture.

    Attributes
    ----------
    caption : below it
    id : of the row; "" = none
    facts : by which a gallery is filtered, as {"class": "cat", "fold": "0"}; what is the same for all of a gallery is no filter
    confidence : probability of what was said, or None
    bars : (name, probability), the largest first: shown with the enlarged picture; own : the names among them that are right
    """

    caption: str
    id: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    confidence: float | None = None
    bars: Sequence[tuple[str, float]] = ()
    own: Sequence[str] = ()

    def data(self) -> str:
        """For the script, as JSON: plain text and rounded numbers."""
        told = {
            "id": plain(self.id),
            "facts": {plain(key): plain(value) for key, value in self.facts.items()},
            "sure": None if self.confidence is None else round(float(self.confidence), 4),
            "bars": [[plain(name), round(float(value), 4), name in self.own] for name, value in self.bars],
        }
        return json.dumps({key: value for key, value in told.items() if value or value == 0}, separators=(",", ":"))


def top_bars(
    names: Sequence[str], values: np.ndarray, own: Sequence[int] = (), most: int = 5
) -> list[tuple[str, float]]:
    """The largest values (C,) with their names, and those of `own` in any case; the largest first."""
    largest = np.argpartition(-values, most)[:most] if len(values) > most else np.arange(len(values))
    chosen = np.union1d(largest, np.asarray(own, dtype=np.int64)).astype(np.int64)
    return [(names[i], float(values[i])) for i in chosen[np.argsort(-values[chosen], kind="stable")]]


def in_turns(of: np.ndarray, most: int) -> np.ndarray:
    """Places (int64, ascending) of rows worth a picture, of rows that stand in order, the most telling first.

    The first half are the first ones; the other half takes in turns from what is seldom among those, so that a filter finds some of each.

    of : str or int (n,), what each row is one of, as its true and its predicted class
    """
    if len(of) <= most:
        return np.arange(len(of))
    _, kind = np.unique(of, return_inverse=True)
    order = np.argsort(kind, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(kind))])[kind[order]]
    turn = np.empty(len(of), dtype=np.int64)
    turn[order] = np.arange(len(of)) - starts
    turn[: most // 2] = -1
    chosen: np.ndarray = np.sort(np.argsort(turn, kind="stable")[:most])
    return chosen


def which_of(n: int, most: int, kinds: str) -> str:
    """Which of n rows `in_turns` takes, in a sentence; "" where it takes all. kinds : what they are taken in turns by, in the plural"""
    half = most // 2
    return (
        f"The first {half} of {n:,}, and {most - half} that show other {kinds}, so that a filter finds some."
        if n > most
        else ""
    )


def embedded(images: Sequence[np.ndarray], room: int = PICTURE_BYTES) -> list[str]:
    """Data URIs of images, uint8 (H, W, C) each, of so many bytes in all; large ones are made smaller where they would not fit."""
    side = min(max((max(image.shape[:2]) for image in images), default=0), _LARGEST)
    while True:
        found = [_data_uri(image, side) for image in images]
        total = sum(map(len, found))
        if total <= room or side <= _SMALLEST:
            return found
        side = max(_SMALLEST, min(side - 1, int(side * (room / total) ** 0.5)))


def _data_uri(image: np.ndarray, side: int) -> str:
    picture = as_picture(image)
    picture.thumbnail((side, side))
    small = max(image.shape[:2]) <= LOSSLESS
    buffer = io.BytesIO()
    if small:
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=85)
    mime = "image/png" if small else "image/jpeg"
    return f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode()}"
