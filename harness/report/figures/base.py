"""What figures share: their size in inches, names as text, numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.untrusted_text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def named(text: object) -> str:
    """A name as text: matplotlib would take what stands between dollar signs for mathematics."""
    return plain(text).replace("$", r"\$")


def said(value: float) -> str:
    """A number of a figure in words: five digits."""
    return f"{value:.5g}"


def said_between(value: float, low: float, high: float) -> str:
    """A number with its interval, where that is known."""
    known = np.isfinite(low) and np.isfinite(high) and high > low
    return f"{said(value)} [{said(low)}, {said(high)}]" if known else said(value)


def cells(shape: Sequence[int]) -> tuple[list[int], list[int]]:
    """x and y of the cells (rows, columns) of a table that is drawn as an image, row by row."""
    rows, columns = np.indices(tuple(shape))
    return columns.ravel().tolist(), rows.ravel().tolist()


def filled(table: np.ndarray) -> tuple[list[int], list[int]]:
    """x and y of its cells that are not 0."""
    rows, columns = np.nonzero(table)
    return columns.tolist(), rows.tolist()


CELL = (0.5, 0.5)
"""Half of a cell of such a table."""


def one_figure(width: float, height: float) -> tuple[Figure, Any]:
    """A figure of that size in inches; returns it and its axes."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.subplots()


def grid_figure(n: int, width: float, height: float, across: int = 4) -> tuple[Figure, list[Any]]:
    """A figure of n panels, so many across, each of that size in inches; returns it and its axes."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    columns = min(max(n, 1), across)
    lines = -(-max(n, 1) // columns)
    figure = Figure(figsize=(width * columns, height * lines), layout="constrained")
    FigureCanvasSVG(figure)
    panels = figure.subplots(lines, columns, squeeze=False).ravel().tolist()
    for unused in panels[n:]:
        unused.set_axis_off()
    return figure, panels
