"""Figures as SVG that stand in a page: text stays text, black is the page's colour of text, and nothing is drawn behind."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

ORANGE, BLUE = "#d95f0e", "#1f77b4"
_STRONGEST = 0.6  # with it text in the page's colour has a contrast of at least 4.5:1 on both, in light and dark


def fading(colour: str, weakest: float = 0) -> ListedColormap:
    """A colour map from nothing to a colour that text in light and in dark pages can be read on."""
    import numpy as np
    from matplotlib.colors import ListedColormap, to_rgba

    return ListedColormap([(*to_rgba(colour)[:3], alpha) for alpha in np.linspace(weakest, _STRONGEST, 256)])


def svg(figure: Figure) -> bytes:
    """The figure without a background, the same bytes each time."""
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
    return buffer.getvalue()


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
_USED = re.compile(r'(?<=url\(#)|(?<=href="#)')


def inlined(content: bytes, prefix: str, label: str) -> str:
    """An SVG of `svg` as an element of an HTML page; names in it begin with the prefix, screen readers say the label."""
    import markupsafe

    text = _LEFT_OUT.sub("", _HEAD.sub("", content.decode("utf-8"), count=1))
    text = _USED.sub(prefix, _ID.sub(lambda found: f'id="{prefix}{found[1]}"', text))
    text = re.sub(r"(?<=[:\s])#000000\b", "currentColor", text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{markupsafe.escape(label)}" ', 1).strip()
