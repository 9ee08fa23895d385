"""How an image meets the frame that a network sees: stretched to it, fitted into it, covering it, or at one scale for all images.

The one place for it: decoding, copies at another size, the noise suite and the `model.py` of a bundle (which holds this file's text)
all go through `Frame`. Needs numpy and Pillow, nothing of the harness.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

GREYS = {"white": 255, "grey": 128, "black": 0}


class Frame(NamedTuple):  # no dataclass: those ask for their module, which a platform may load without entering it
    """Images are brought to one height and width; what they do not fill is filled, and they lie in the middle.

    Attributes
    ----------
    height, width : in pixels
    resize : "stretch" (the shape is lost), "fit" (all of it is seen), "cover" (nothing is filled, the middle is seen), "scale" (a
        pixel is as large in every image), or "whole": left at its own size
    fill : fit, scale: "edge" (the outermost pixels go on), "mean" (the image's own, by channel), "constant" (the background), "reflect"
    background : a name of GREYS
    factor : scale: pixels of the frame for a pixel of an image; what is too large at that is shrunk to fit. None: as "fit"
    """

    height: int
    width: int
    resize: str = "stretch"
    fill: str = "edge"
    background: str = "white"
    factor: float | None = None

    def of_frames(self) -> Frame:
        """The same for images that lie in a frame already: they are at one scale, so that fitting keeps them so."""
        return self._replace(resize="fit") if self.resize == "scale" else self

    def picture(self, image: Any) -> np.ndarray:
        """A Pillow image as uint8 (height, width, C)."""
        from PIL import Image

        height, width = self._inner(image.height, image.width)
        box = self._middle(image.height, image.width) if self.resize == "cover" else None
        if box is not None or image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
        pixels = np.asarray(image).reshape(height, width, -1)
        return pixels if self.resize in ("stretch", "cover", "whole") else self._filled(pixels)

    def pixels(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 (h, w, C), any number of channels, as uint8 (height, width, C)."""
        from PIL import Image

        if pixels.shape[2] not in (1, 3):  # each channel for itself
            return np.concatenate([self.pixels(band) for band in np.split(pixels, pixels.shape[2], axis=2)], axis=2)
        flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
        return self.picture(Image.fromarray(np.ascontiguousarray(flat)))

    def _inner(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that an image of this height and width gets."""
        if self.resize == "whole":
            return height, width
        if self.resize in ("stretch", "cover"):
            return self.height, self.width
        factor = min(self.height / height, self.width / width)
        if self.resize == "scale" and self.factor is not None:
            factor = min(factor, self.factor)
        return min(max(round(height * factor), 1), self.height), min(max(round(width * factor), 1), self.width)

    def _middle(self, height: int, width: int) -> tuple[float, float, float, float] | None:
        """Left, top, right, bottom of the largest part from the middle that has the frame's shape; None where that is all of it."""
        factor = max(self.height / height, self.width / width)
        seen_height, seen_width = min(self.height / factor, height), min(self.width / factor, width)
        if (seen_height, seen_width) == (height, width):
            return None
        left, top = (width - seen_width) / 2, (height - seen_height) / 2
        return left, top, min(left + seen_width, width), min(top + seen_height, height)

    def _filled(self, pixels: np.ndarray) -> np.ndarray:
        """In the middle of the frame, with what is filled around it."""
        height, width = pixels.shape[:2]
        if (height, width) == (self.height, self.width):
            return pixels
        top, left = (self.height - height) // 2, (self.width - width) // 2
        if self.fill == "reflect":
            rows, columns = _reflected(self.height, top, height), _reflected(self.width, left, width)
            return pixels[rows][:, columns]
        out = np.empty((self.height, self.width, pixels.shape[2]), dtype=np.uint8)
        if self.fill == "constant":
            out[:] = GREYS[self.background]
        elif self.fill == "mean":  # row by row: several times as fast as both axes at once
            mean = pixels.sum(axis=0, dtype=np.uint64).sum(axis=0) / (height * width)
            out.reshape(self.height, -1)[:] = np.tile(np.round(mean).astype(np.uint8), self.width)
        out[top : top + height, left : left + width] = pixels
        if self.fill == "edge":
            out[top : top + height, :left] = pixels[:, :1]
            out[top : top + height, left + width :] = pixels[:, -1:]
            out[:top] = out[top]
            out[top + height :] = out[top + height - 1]
        return out


def _reflected(n: int, before: int, size: int) -> np.ndarray:
    """Which of `size` pixels each of `n` shows, int64 (n,): there and back again, with `before` of them ahead of the first."""
    period = max(2 * (size - 1), 1)
    place = (np.arange(n) - before) % period
    return np.minimum(place, period - place) if size > 1 else np.zeros(n, dtype=np.int64)
