"""How images of unlike sizes should meet the frame: the rule by which `harness.data init` writes data.resize."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_UNIFORM, _MOSTLY = 24, 0.75
_WIDE_SIZES, _WIDE_ASPECTS, _KEPT = 3.0, 1.5, 0.5
_ENOUGH, _ALIKE = 20, 0.01  # images whose sizes are compared; p of Kolmogorov and Smirnov's test


@dataclass(frozen=True)
class Border:
    """The outermost pixels of an image, grey values from 0 to 255.

    Attributes
    ----------
    spread : between their 10th and 90th percentile
    tone : their median
    """

    spread: float
    tone: float

    @classmethod
    def of(cls, grey: np.ndarray) -> Border:
        """Of an image uint8 (H, W)."""
        ring = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
        low, tone, high = np.quantile(ring, [0.1, 0.5, 0.9])
        return cls(float(high - low), float(tone))


def choose_resize(heights: np.ndarray, widths: np.ndarray, borders: list[Border]) -> tuple[str, str] | None:
    """data.resize and why, by what some images look like; None where the shape of no image is lost.

    - all of one size: nothing is to be chosen
    - sizes spread threefold or more, shapes unlike, each thing on an even ground: cut out at one physical scale, "scale"; but
      "stretch" where half of the images would get less than half of the frame's side: what they lose weighs more than what their size
      tells (real plankton at 48 pixels: log loss 1.68 stretched, 2.62 at one scale)
    - shapes unlike, on an even ground: "fit"; what is filled looks like the ground
    - shapes unlike, the picture goes on to its edges: "stretch", as filling would make edges that are not there; that is said
    - shapes alike: "stretch"

    heights, widths : int (m,); borders : of those whose pixels could be looked at
    """
    if len(set(zip(heights.tolist(), widths.tolist(), strict=True))) < 2:
        return None
    sizes, aspects = _spread(np.maximum(heights, widths)), _spread(widths / heights)
    if aspects < _WIDE_ASPECTS:
        return None
    even = sum(border.spread <= _UNIFORM for border in borders)
    low, high = np.quantile(widths / heights, [0.05, 0.95])
    shapes = f"width by height is {low:.2g} to {high:.2g}"
    if not borders or even < _MOSTLY * len(borders):
        return (
            "stretch",
            f'{shapes}: the shapes are lost; "fit" or "cover" keep them, by --set data.resize=fit in a run',
        )
    ground = f"on an even {_named(float(np.median([border.tone for border in borders])))} ground, which fills the rest"
    long = np.maximum(heights, widths)
    kept = float(np.median(long) / np.quantile(long, 0.98))
    if sizes >= _WIDE_SIZES and kept < _KEPT:
        return (
            "stretch",
            f'sizes spread {sizes:.1f}-fold: at one scale ("scale") half of the images get under {kept:.0%} of the frame\'s side',
        )
    if sizes >= _WIDE_SIZES:
        return "scale", f'sizes spread {sizes:.1f}-fold, {ground}: as if at one scale; if not, "fit" or "stretch"'
    return "fit", f'{shapes}, {ground}; hold it against "stretch"'


def sizes_tell(
    heights: np.ndarray, widths: np.ndarray, borders: list[Border], in_test: tuple[np.ndarray, np.ndarray]
) -> str:
    """Why the original sizes are worth two columns beside the images; "" where they are not.

    They are where things are cut out on an even ground, so that an image is as large as what it shows, and where the test's images have
    such sizes too (real plankton: 0.087 of the log loss, paired). The size of a photograph tells about its camera.

    in_test : int heights and widths (m,) of test images
    """
    from scipy.stats import ks_2samp

    if len(heights) < _ENOUGH or len(in_test[0]) < _ENOUGH or _spread(np.maximum(heights, widths)) < _WIDE_SIZES:
        return ""
    if sum(border.spread <= _UNIFORM for border in borders) < _MOSTLY * max(len(borders), 1):
        return ""
    alike = min(
        ks_2samp(of_train, of_test).pvalue for of_train, of_test in zip((heights, widths), in_test, strict=True)
    )
    if alike < _ALIKE:
        return ""
    return "each image seems to be as large as what it shows, in the test too: their sizes are told to the models"


def _spread(values: np.ndarray) -> float:
    """How many times the small ones the large ones are, but for the outermost twentieths."""
    low, high = np.quantile(values, [0.05, 0.95])
    return float(high / max(low, 1e-9))


def _named(tone: float) -> str:
    return "light" if tone >= 170 else "dark" if tone <= 85 else "grey"
