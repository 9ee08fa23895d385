"""Figures as SVG that stand in a page: text stays text, black is the page's colour of text, nothing is drawn behind, and values can be read."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.untrusted_text import plain

if TYPE_CHECKING:
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

ORANGE, BLUE = "#d95f0e", "#1f77b4"
_STRONGEST = 0.6  # with it text in the page's colour has a contrast of at least 4.5:1 on both, in light and dark


def fading(colour: str, weakest: float = 0) -> ListedColormap:
    """A colour map from nothing to a colour that text in light and in dark pages can be read on."""
    from matplotlib.colors import ListedColormap, to_rgba

    return ListedColormap([(*to_rgba(colour)[:3], alpha) for alpha in np.linspace(weakest, _STRONGEST, 256)])


@dataclass(frozen=True)
class Values:
    """What a page says where the mouse, a finger or the keyboard is on a figure.

    Attributes
    ----------
    axes : that they are drawn in
    x, y : n places, in the units of the axes; those that are not finite are left out
    texts : n lines
    reach : half the width and height of the place that says it, in the same units: of a cell; None: a point
    """

    axes: Any
    x: Sequence[float]
    y: Sequence[float]
    texts: Iterable[str]
    reach: tuple[float, float] | None = None

    def placed(self, height: float) -> list[Any]:
        """[half width, half height, [[x, y, text], ...]] in points from the left and the top of a figure so high, once it is drawn."""
        scale = 72 / self.axes.figure.dpi
        places = np.column_stack([np.asarray(self.x, dtype=float), np.asarray(self.y, dtype=float)])
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = self.axes.transData.transform(places) * scale
        there = np.isfinite(drawn).all(axis=1)
        said = [
            [round(x, 1), round(height - y, 1), plain(text)]
            for (x, y), text, is_there in zip(drawn.tolist(), self.texts, there.tolist(), strict=True)
            if is_there
        ]
        reach = [_POINT, _POINT]
        if self.reach is not None:
            ends = self.axes.transData.transform([(0, 0), self.reach]) * scale
            reach = np.abs(ends[1] - ends[0]).round(1).tolist()
        return [*reach, said]


_POINT = 12.0  # points around a place that say it


def svg(figure: Figure, *values: Values) -> bytes:
    """The figure without a background, the same bytes each time; with what it says of its values, for figure.js."""
    from matplotlib import rc_context

    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
        if legend := axes.get_legend():
            legend.get_frame().set_alpha(0)
    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "harness"}):
        _arrange(figure)
        figure.canvas.print_svg(buffer, metadata={"Date": None})  # type: ignore[attr-defined]  # its canvas is SVG's
    placed = [of for of in (v.placed(72 * figure.get_figheight()) for v in values) if of[2]]
    return buffer.getvalue().replace(b"<svg ", _data(placed).encode() + b" ", 1) if placed else buffer.getvalue()


def _data(placed: list[Any]) -> str:
    import markupsafe

    told = json.dumps(placed, separators=(",", ":"), ensure_ascii=False)
    escaped = str(markupsafe.escape(told)).replace("&#34;", '"')  # between single quotes: JSON has many double ones
    return f"<svg data-values='{escaped}'"


def _arrange(figure: Figure) -> None:
    """Lay it out at SVG's 72 dots per inch, once: `savefig` draws the whole figure for that, and then again; a quarter less time."""
    engine = figure.get_layout_engine()
    if engine is not None:
        dpi, figure.dpi = figure.dpi, 72
        engine.execute(figure)
        figure.dpi = dpi
        figure.set_layout_engine("none")


_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_LEFT_OUT = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", re.DOTALL)
_ID = re.compile(r'\bid="([^"]*)"')
_VALUES = re.compile(r"data-values='[^']*' ")
_USED = re.compile(r'(?<=url\(#)|(?<=href="#)')


def inlined(content: bytes, prefix: str, label: str) -> str:
    """An SVG of `svg` as an element of an HTML page; names in it begin with the prefix, screen readers say the label."""
    import markupsafe

    text = _LEFT_OUT.sub("", _HEAD.sub("", content.decode("utf-8"), count=1))
    found = _VALUES.search(text)  # what it says of values is none of the drawing
    values = found[0] if found else ""
    text = text.replace(values, "", 1) if values else text
    text = _USED.sub(prefix, _ID.sub(lambda found: f'id="{prefix}{found[1]}"', text))
    text = re.sub(r"(?<=[:\s])#000000\b", "currentColor", text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{markupsafe.escape(label)}" {values}', 1).strip()
