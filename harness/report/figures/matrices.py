"""Tables as colours: which class is taken for which, scores under noise, what correlates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.report.figures.base import CELL, cells, filled, named, one_figure, said
from harness.report.svg import BLUE, ORANGE, Values, fading, svg


def confusion_matrix(matrix: np.ndarray, classes: Sequence[str]) -> bytes:
    """Counts (C, C), rows = true class; colour is the share of the row that is wrong, so that mistakes stand out."""
    figure, axes = one_figure(0.55 * len(classes) + 2.2, 0.5 * len(classes) + 1.6)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    axes.imshow(shares, cmap=fading(ORANGE), vmin=0, vmax=max(shares.max(), 1e-6))
    for row, column in np.ndindex(matrix.shape):
        if matrix[row, column]:
            weight = "bold" if row == column else "normal"
            axes.text(
                column,
                row,
                f"{int(matrix[row, column])}",
                ha="center",
                va="center",
                fontsize=8,
                weight=weight,
                in_layout=False,
            )
    names = list(map(named, classes))
    axes.set_xticks(range(len(classes)), names, rotation=45 if max(map(len, classes)) > 3 else 0)
    axes.set_yticks(range(len(classes)), names)
    axes.set(xlabel="predicted", ylabel="true")
    x, y = filled(matrix)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    texts = (
        f"{classes[i]} taken for {classes[j]}: {matrix[i, j]:,.0f} ({100 * share[i, j]:.1f} %)"
        if i != j
        else f"{classes[i]} right: {matrix[i, i]:,.0f} ({100 * share[i, i]:.1f} %)"
        for i, j in zip(y, x, strict=True)
    )
    return svg(figure, Values(axes, x, y, texts, CELL))


_LONGEST = 40  # characters of a name on an axis


def confusion_map(shares: np.ndarray, classes: Sequence[str]) -> bytes:
    """Of many classes: shares (C, C) of each row's class as colours without numbers; orange what is wrong, blue what is right."""
    n = len(classes)
    figure, axes = one_figure(0.16 * n + 3.4, 0.16 * n + 2.6)
    right = np.eye(n, dtype=bool)
    axes.imshow(np.ma.array(shares, mask=right), cmap=fading(ORANGE), vmin=0, vmax=max(shares[~right].max(), 1e-6))
    axes.imshow(np.ma.array(shares, mask=~right), cmap=fading(BLUE), vmin=0, vmax=1)
    names = [named(name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "\u2026") for name in classes]
    axes.set_xticks(range(n), names, rotation=90, fontsize=8)
    axes.set_yticks(range(n), names, fontsize=8)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.5", alpha=0.25, linewidth=0.4)
    axes.tick_params(which="minor", length=0)
    axes.set(xlabel="predicted", ylabel="true")
    x, y = filled(shares)
    texts = (
        f"{classes[i]} {'right' if i == j else f'taken for {classes[j]}'}: {100 * shares[i, j]:.1f} %"
        for i, j in zip(y, x, strict=True)
    )
    return svg(figure, Values(axes, x, y, texts, CELL))


def heatmap(values: Mapping[str, Sequence[float]], greater_is_better: bool, reference: float) -> bytes:
    """A row per name, a column per severity; colour is the distance from the reference in the bad direction."""
    names, table = list(values), np.array(list(values.values()))
    figure, axes = one_figure(6.5, 0.32 * len(names) + 0.9)
    loss = (reference - table) * (1 if greater_is_better else -1)
    axes.imshow(loss, cmap=fading(ORANGE), vmin=0, vmax=max(float(loss.max()), 1e-6), aspect="auto")
    for row, column in np.ndindex(table.shape):
        axes.text(column, row, f"{table[row, column]:.3f}", ha="center", va="center", fontsize=8, in_layout=False)
    axes.set_yticks(range(len(names)), [named(name.replace("_", " ")) for name in names])
    axes.set_xticks(range(table.shape[1]), range(1, table.shape[1] + 1))
    axes.set(xlabel="severity")
    x, y = cells(table.shape)
    texts = (
        f"{names[i].replace('_', ' ')}, severity {j + 1}: {said(table[i, j])} ({table[i, j] - reference:+.4f} against none)"
        for i, j in zip(y, x, strict=True)
    )
    return svg(figure, Values(axes, x, y, texts, CELL))


def matrix(values: np.ndarray, names: Sequence[str], middle: float = 0.0) -> bytes:
    """A square table (n, n) with its numbers; colour is the distance from the middle."""
    figure, axes = one_figure(0.62 * len(names) + 2.6, 0.42 * len(names) + 1.6)
    away = np.nan_to_num(np.abs(values - middle))
    axes.imshow(away, cmap=fading(BLUE), vmin=0, vmax=max(float(away.max()), 1e-6) * 1.4)
    for row, column in np.ndindex(values.shape):
        axes.text(column, row, f"{values[row, column]:.2f}", ha="center", va="center", fontsize=8, in_layout=False)
    axes.set_xticks(range(len(names)), list(map(named, names)), rotation=45, ha="right")
    axes.set_yticks(range(len(names)), list(map(named, names)))
    x, y = cells(values.shape)
    texts = (f"{names[i]} and {names[j]}: {said(values[i, j])}" for i, j in zip(y, x, strict=True))
    return svg(figure, Values(axes, x, y, texts, CELL))
