"""Figures of what a run gets wrong, as SVG from plain arrays: labels with their scores, calibration of many, numbers held against truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.report.figures.base import CELL, filled, grid_figure, named, one_figure, said, said_between
from harness.report.svg import BLUE, ORANGE, Values, fading, svg

_DRAWN = 3000  # rows up to which each is a point

Curve = tuple[np.ndarray, np.ndarray, np.ndarray]
"""x, y and number of rows of each point."""


def scores_with_intervals(names: Sequence[str], scores: Mapping[str, Sequence[tuple[float, float, float]]]) -> bytes:
    """A line per name with a point for each score, (value, low, high), and its interval; what is not defined is left out."""
    figure, axes = one_figure(7.0, 0.3 * len(names) + 1.1)
    told = []
    for number, (score, values) in enumerate(scores.items()):
        value, low, high = np.array(values, dtype=float).T
        places = np.arange(len(names)) + (number - (len(scores) - 1) / 2) * 0.22
        texts = (f"{name}: {score} {said_between(*of)}" for name, of in zip(names, values, strict=True))
        told.append(Values(axes, value.tolist(), places.tolist(), texts))
        error = np.nan_to_num(np.maximum([value - low, high - value], 0))
        axes.errorbar(
            value, places, xerr=error, fmt="o", markersize=3, linewidth=1, color=f"C{number}", label=named(score)
        )
    axes.set_yticks(range(len(names)), list(map(named, names)))
    axes.invert_yaxis()
    axes.set(xlim=(-0.02, 1.02))
    axes.grid(alpha=0.3, axis="x")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return svg(figure, *told)


def reliabilities(curves: Mapping[str, Curve]) -> bytes:
    """Small multiples of share over mean probability of bins, against the diagonal; the size of a point is its number of rows."""
    told = []
    figure, panels = grid_figure(len(curves), 1.9, 1.9)
    for axes, (name, (x, y, rows)) in zip(panels, curves.items(), strict=False):
        axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=0.8)
        axes.plot(x, y, color="tab:blue", linewidth=1)
        axes.scatter(x, y, s=4 + 40 * np.sqrt(rows / max(rows.max(), 1)), color="tab:blue", alpha=0.7)
        texts = (
            f"{name}: mean probability {100 * a:.1f} %, share {100 * b:.1f} %, {n:,.0f} rows"
            for a, b, n in zip(x, y, rows, strict=True)
        )
        told.append(Values(axes, x.tolist(), y.tolist(), texts))
        axes.set_title(named(name), fontsize=8)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
        axes.tick_params(labelsize=6)
    return svg(figure, *told)


def predicted_against_true(numbers: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> bytes:
    """For each number (true, predicted): a point for each row, of many how many lie where, and the line on which predictions are right."""
    told = []
    figure, panels = grid_figure(len(numbers), 3.4, 3.2, across=2)
    for axes, (name, (truth, guess)) in zip(panels, numbers.items(), strict=False):
        ends = [min(truth.min(), guess.min()), max(truth.max(), guess.max())]
        axes.plot(ends, ends, "--", color="tab:orange", linewidth=1)
        if len(truth) <= _DRAWN:
            axes.plot(truth, guess, ".", markersize=3, alpha=0.4, color="tab:blue")
            texts = [f"{name}: true {said(a)}, predicted {said(b)}" for a, b in zip(truth, guess, strict=True)]
            told.append(Values(axes, truth.tolist(), guess.tolist(), texts))
        else:
            fade = fading(BLUE, 0.2)
            drawn = axes.hexbin(truth, guess, gridsize=40, mincnt=1, bins="log", cmap=fade, linewidths=0.1)
            x, y = np.asarray(drawn.get_offsets()).T
            counts = np.asarray(drawn.get_array())
            texts = [
                f"{name}: true about {a:.3g}, predicted about {b:.3g}: {n:,.0f} rows"
                for a, b, n in zip(x, y, counts, strict=True)
            ]
            told.append(Values(axes, x.tolist(), y.tolist(), texts))
        axes.set(xlabel="true", ylabel="predicted")
        axes.set_title(named(name), fontsize=9)
    return svg(figure, *told)


def biases(curves: Mapping[str, Sequence[tuple[float, float, float, float]]], xlabel: str, ylabel: str) -> bytes:
    """One line per name: (x, value, low, high) with intervals, about zero."""
    told = []
    figure, axes = one_figure(6.5, 3.0)
    axes.axhline(0, color="grey", linewidth=1)
    for number, (name, points) in enumerate(curves.items()):
        x, value, low, high = np.array(points, dtype=float).T
        texts = (f"{name}, {xlabel} {said(p[0])}: {ylabel} {said_between(*p[1:])}" for p in points)
        told.append(Values(axes, x.tolist(), value.tolist(), texts))
        error = np.nan_to_num(np.maximum([value - low, high - value], 0))
        axes.errorbar(x, value, yerr=error, marker=".", linewidth=1.2, capsize=2, color=f"C{number}", label=named(name))
    axes.set(xlabel=named(xlabel), ylabel=named(ylabel))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return svg(figure, *told)


def against_diagonal(x: np.ndarray, y: np.ndarray, rows: np.ndarray, xlabel: str, ylabel: str) -> bytes:
    """Points of bins against the line of equal values; the size of a point is its number of rows."""
    figure, axes = one_figure(4.6, 4.0)
    ends = [float(min(x.min(), y.min())), float(max(x.max(), y.max()))]
    axes.plot(ends, ends, "--", color="grey", linewidth=1)
    axes.plot(x, y, color="tab:blue", linewidth=1)
    axes.scatter(x, y, s=15 + 100 * rows / max(rows.max(), 1), color="tab:blue", alpha=0.7)
    axes.set(xlabel=named(xlabel), ylabel=named(ylabel))
    axes.grid(alpha=0.3)
    texts = (f"{xlabel} {said(a)}, {ylabel} {said(b)}, {n:,.0f} rows" for a, b, n in zip(x, y, rows, strict=True))
    return svg(figure, Values(axes, x.tolist(), y.tolist(), texts))


def counts(values: Mapping[str, int], xlabel: str) -> bytes:
    """A bar per name, in the order given, with its number."""
    figure, axes = one_figure(6.0, 2.6)
    drawn = axes.bar(list(map(named, values)), list(values.values()), color="tab:blue")
    axes.bar_label(drawn, fmt="{:,.0f}", fontsize=7)
    axes.set(xlabel=named(xlabel), ylabel="rows")
    texts = (f"{xlabel} {name}: {value:,} rows" for name, value in values.items())
    return svg(figure, Values(axes, range(len(values)), list(values.values()), texts))


def instead_matrix(matrix: np.ndarray, names: Sequence[str]) -> bytes:
    """Rows (T, T): first label missed, second given without being there."""
    figure, axes = one_figure(0.5 * len(names) + 2.2, 0.42 * len(names) + 1.6)
    axes.imshow(matrix, cmap=fading(ORANGE), vmin=0, vmax=max(float(matrix.max()), 1e-6))
    for row, column in np.ndindex(matrix.shape):
        if matrix[row, column]:
            axes.text(column, row, f"{int(matrix[row, column])}", ha="center", va="center", fontsize=7, in_layout=False)
    shown = list(map(named, names))
    axes.set_xticks(range(len(names)), shown, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), shown)
    axes.set(xlabel="given, and not there", ylabel="there, and missed")
    x, y = filled(matrix)
    texts = (f"{names[i]} missed, {names[j]} given: {matrix[i, j]:,.0f} rows" for i, j in zip(y, x, strict=True))
    return svg(figure, Values(axes, x, y, texts, CELL))
