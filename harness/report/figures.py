"""Figures as SVG from plain arrays; drawn without a display and without pyplot's global state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.untrusted_text import plain
from harness.report.svg import BLUE, ORANGE, fading, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _named(text: object) -> str:
    """A name as text: matplotlib would take what stands between dollar signs for mathematics."""
    return plain(text).replace("$", r"\$")


def confusion_matrix(matrix: np.ndarray, classes: Sequence[str]) -> bytes:
    """Counts (C, C), rows = true class; colour is the share of the row that is wrong, so that mistakes stand out."""
    figure, axes = _figure(0.55 * len(classes) + 2.2, 0.5 * len(classes) + 1.6)
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
    names = list(map(_named, classes))
    axes.set_xticks(range(len(classes)), names, rotation=45 if max(map(len, classes)) > 3 else 0)
    axes.set_yticks(range(len(classes)), names)
    axes.set(xlabel="predicted", ylabel="true")
    return svg(figure)


def confusion_map(shares: np.ndarray, classes: Sequence[str]) -> bytes:
    """Of many classes: shares (C, C) of each row's class as colours without numbers; orange what is wrong, blue what is right."""
    n = len(classes)
    figure, axes = _figure(0.16 * n + 3.4, 0.16 * n + 2.6)
    right = np.eye(n, dtype=bool)
    axes.imshow(np.ma.array(shares, mask=right), cmap=fading(ORANGE), vmin=0, vmax=max(shares[~right].max(), 1e-6))
    axes.imshow(np.ma.array(shares, mask=~right), cmap=fading(BLUE), vmin=0, vmax=1)
    names = [_named(name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "\u2026") for name in classes]
    axes.set_xticks(range(n), names, rotation=90, fontsize=8)
    axes.set_yticks(range(n), names, fontsize=8)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.5", alpha=0.25, linewidth=0.4)
    axes.tick_params(which="minor", length=0)
    axes.set(xlabel="predicted", ylabel="true")
    return svg(figure)


_LONGEST = 40  # characters of a name on an axis


def learning_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    ylabel: str,
    dashed: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    log: bool = True,
) -> bytes:
    """One line per name: (epochs, values); a logarithmic axis where the values span more than a decade, and `log` lets it.

    dashed : further values of the same names, in the same colours
    """
    figure, axes = _figure(6.5, 3.2)
    for name, (epochs, values) in curves.items():
        marker = "." if len(epochs) < 15 else None
        (drawn,) = axes.plot(epochs, values, marker=marker, label=_named(name), linewidth=1.3)
        if dashed and name in dashed:
            axes.plot(*dashed[name], "--", marker=marker, color=drawn.get_color(), linewidth=1)
    everything = [v for _, values in curves.values() for v in values if v > 0]
    if log and everything and max(everything) > 10 * min(everything):
        axes.set_yscale("log")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel="epoch", ylabel=_named(ylabel))
    axes.grid(alpha=0.3)
    if curves:
        axes.legend(fontsize=8, ncols=2)
    return svg(figure)


def lines(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], xlabel: str, ylabel: str) -> bytes:
    """One line per name: (x, y)."""
    figure, axes = _figure(6.5, 3.2)
    for name, (x, y) in curves.items():
        axes.plot(x, y, marker=".", label=_named(name), linewidth=1.3)
    axes.set(xlabel=_named(xlabel), ylabel=_named(ylabel))
    axes.grid(alpha=0.3)
    if curves:
        axes.legend(fontsize=8, ncols=2)
    return svg(figure)


def score_over_time(
    at: Sequence[float], scores: Sequence[tuple[float, float, float]], metric: str, greater_is_better: bool, unit: str
) -> bytes:
    """Scores (value, low, high) at amounts spent, and the best so far as a line."""
    figure, axes = _figure(6.5, 3.2)
    values = np.array([value for value, _, _ in scores])
    below = np.maximum(values - [low for _, low, _ in scores], 0)
    above = np.maximum([high for _, _, high in scores] - values, 0)
    axes.errorbar(at, values, yerr=[below, above], fmt="o", color="tab:blue", capsize=3, markersize=4, linewidth=1)
    best = np.maximum.accumulate(values) if greater_is_better else np.minimum.accumulate(values)
    axes.step(at, best, where="post", color="tab:orange", label="best so far")
    axes.set(xlabel=_named(f"{unit} spent"), ylabel=_named(metric))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return svg(figure)


def scatter(points: np.ndarray, labels: np.ndarray, names: Sequence[str], most: int = 3000) -> bytes:
    """Points float (n, 2) coloured by label int (n,); of many some are drawn."""
    figure, axes = _figure(6.5, 4.6)
    rows = np.arange(len(points))
    if len(rows) > most:
        rows = np.random.default_rng(0).choice(len(rows), most, replace=False)
    for number, name in enumerate(names):
        some = rows[labels[rows] == number]
        axes.plot(points[some, 0], points[some, 1], ".", markersize=3, color=f"C{number % 10}", label=_named(name))
    axes.set(xlabel="first dimension", ylabel="second dimension")
    if len(names) <= 30:
        axes.legend(fontsize=7, markerscale=3, loc="center left", bbox_to_anchor=(1, 0.5))
    return svg(figure)


def fold_scores(values: Mapping[int, float], pooled: float, low: float, high: float, metric: str) -> bytes:
    """A point per fold number, the pooled OOF score as a line, its interval as a band."""
    figure, axes = _figure(6.5, 2.2)
    axes.axvspan(low, high, color="tab:blue", alpha=0.15, label="95 % interval of the pooled OOF")
    axes.axvline(pooled, color="tab:blue", label="pooled OOF")
    axes.plot(list(values.values()), range(len(values)), "o", color="tab:orange", label="a fold")
    axes.set_yticks(range(len(values)), [f"fold {fold}" for fold in values])
    axes.invert_yaxis()
    axes.set(xlabel=_named(metric))
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return svg(figure)


def score_bars(scores: Mapping[str, Mapping[str, float]], metric: str) -> bytes:
    """A line per name: the pooled score with its interval, and the mean over folds; scores have pooled, low, high, mean."""
    figure, axes = _figure(7.5, 0.34 * len(scores) + 1.1)
    for row, score in enumerate(scores.values()):
        low, high = score["pooled"] - score["low"], score["high"] - score["pooled"]
        axes.errorbar(score["pooled"], row, xerr=[[max(low, 0)], [max(high, 0)]], fmt="s", color="tab:blue", capsize=3)
        axes.plot(score["mean"], row, ".", color="tab:orange")
    axes.set_yticks(range(len(scores)), list(map(_named, scores)))
    axes.invert_yaxis()
    axes.set(xlabel=_named(metric))
    axes.grid(alpha=0.3, axis="x")
    return svg(figure)


def heatmap(values: Mapping[str, Sequence[float]], greater_is_better: bool, reference: float) -> bytes:
    """A row per name, a column per severity; colour is the distance from the reference in the bad direction."""
    names, table = list(values), np.array(list(values.values()))
    figure, axes = _figure(6.5, 0.32 * len(names) + 0.9)
    loss = (reference - table) * (1 if greater_is_better else -1)
    axes.imshow(loss, cmap=fading(ORANGE), vmin=0, vmax=max(float(loss.max()), 1e-6), aspect="auto")
    for row, column in np.ndindex(table.shape):
        axes.text(column, row, f"{table[row, column]:.3f}", ha="center", va="center", fontsize=8, in_layout=False)
    axes.set_yticks(range(len(names)), [_named(name.replace("_", " ")) for name in names])
    axes.set_xticks(range(table.shape[1]), range(1, table.shape[1] + 1))
    axes.set(xlabel="severity")
    return svg(figure)


def cv_against_public(pairs: Sequence[tuple[float, float]]) -> bytes:
    """A point per (CV, public score), the line of equal scores, and with three points or more the line through them."""
    figure, axes = _figure(4.8, 4.2)
    points = np.array(pairs, dtype=float)
    pad = max(0.05 * float(np.ptp(points)), 1e-4)
    ends = np.array([points.min() - pad, points.max() + pad])
    axes.plot(ends, ends, "--", color="grey", linewidth=1, label="equal")
    if len(points) > 2 and np.ptp(points[:, 0]) > 0:
        slope, start = np.polyfit(points[:, 0], points[:, 1], 1)
        axes.plot(
            ends, slope * ends + start, color="tab:orange", linewidth=1, label=f"through the points, slope {slope:.2f}"
        )
    axes.plot(points[:, 0], points[:, 1], "o", color="tab:blue")
    axes.set(xlabel="CV", ylabel="public score")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return svg(figure)


def progress(dates: Sequence[str], public: Sequence[float], cv: Sequence[float | None]) -> bytes:
    """Public score and CV of submissions in order; the best public score so far as a line is left to the eye."""
    figure, axes = _figure(7.5, 2.8)
    places = range(len(dates))
    axes.plot(places, public, "o-", label="public", color="tab:blue")
    axes.plot(places, [np.nan if c is None else c for c in cv], "s--", label="CV", color="tab:orange", linewidth=1)
    axes.set_xticks(list(places), [d.replace("T", "\n") for d in dates], fontsize=7)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return svg(figure)


def reliability(confidence: np.ndarray, accuracy: np.ndarray, rows: np.ndarray) -> bytes:
    """Accuracy over mean confidence of bins, against the diagonal; the size of a point is its number of rows."""
    figure, axes = _figure(4.6, 4.0)
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1, label="as sure as right")
    size = 15 + 150 * rows / rows.max()
    axes.plot(confidence, accuracy, color="tab:blue", linewidth=1)
    axes.scatter(confidence, accuracy, s=size, color="tab:blue", alpha=0.7, label="rows of a bin")
    axes.set(xlabel="largest probability", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left")
    return svg(figure)


def matrix(values: np.ndarray, names: Sequence[str], middle: float = 0.0) -> bytes:
    """A square table (n, n) with its numbers; colour is the distance from the middle."""
    figure, axes = _figure(0.62 * len(names) + 2.6, 0.42 * len(names) + 1.6)
    away = np.nan_to_num(np.abs(values - middle))
    axes.imshow(away, cmap=fading(BLUE), vmin=0, vmax=max(float(away.max()), 1e-6) * 1.4)
    for row, column in np.ndindex(values.shape):
        axes.text(column, row, f"{values[row, column]:.2f}", ha="center", va="center", fontsize=8, in_layout=False)
    axes.set_xticks(range(len(names)), list(map(_named, names)), rotation=45, ha="right")
    axes.set_yticks(range(len(names)), list(map(_named, names)))
    return svg(figure)


def points_and_line(
    x: Sequence[float], y: Sequence[float], line: Sequence[float], xlabel: str, ylabel: str, ticks: Sequence[float] = ()
) -> bytes:
    """Points, a stepped line through `line`, and short ticks at the bottom."""
    figure, axes = _figure(6.5, 3.0)
    axes.plot(x, y, ".", color="tab:blue")
    axes.step(x, line, where="post", color="tab:orange")
    if len(ticks):
        axes.plot(
            ticks, np.zeros(len(ticks)), "|", color="tab:gray", transform=axes.get_xaxis_transform(), clip_on=False
        )
    axes.set(xlabel=_named(xlabel), ylabel=_named(ylabel))
    axes.grid(alpha=0.3)
    return svg(figure)


def bars(values: Mapping[str, float], xlabel: str) -> bytes:
    """A horizontal bar per name, the largest on top."""
    figure, axes = _figure(6.5, 0.3 * len(values) + 0.9)
    ordered = sorted(values.items(), key=lambda pair: pair[1])
    axes.barh([_named(name) for name, _ in ordered], [value for _, value in ordered], color="tab:blue")
    axes.set(xlabel=_named(xlabel))
    return svg(figure)


def slice_plot(values: Sequence[object], scores: Sequence[float], name: str, metric: str, log: bool) -> bytes:
    """Scores over one parameter's values, numbers or names."""
    figure, axes = _figure(4.2, 2.4)
    axes.plot([v if isinstance(v, int | float) else _named(v) for v in values], scores, ".", color="tab:blue")
    numbers = [float(v) for v in values if isinstance(v, int | float)]
    if log and numbers:
        axes.set_xscale("log")
        ticks = np.unique(np.geomspace(min(numbers), max(numbers), 4))
        axes.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
        axes.minorticks_off()
    elif numbers and all(number.is_integer() for number in numbers):
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel=_named(name), ylabel=_named(metric))
    axes.grid(alpha=0.3)
    return svg(figure)


def parallel(
    table: Sequence[Sequence[object]],
    names: Sequence[str],
    logs: Sequence[bool],
    scores: Sequence[float],
    metric: str,
    greater_is_better: bool,
) -> bytes:
    """Parallel coordinates: a line per row of `table`, each column scaled to its own range, coloured by score."""
    figure, axes = _figure(1.5 * len(names) + 1.5, 3.4)
    columns = [_scaled([row[i] for row in table], logs[i]) for i in range(len(names))]
    worst, span = (min if greater_is_better else max)(scores), max(scores) - min(scores)
    good = [abs(s - worst) / span if span else 1.0 for s in scores]
    for row in np.argsort(good):
        axes.plot(range(len(names)), [column[row] for column in columns], color=BLUE, alpha=0.15 + 0.85 * good[row])
    for place, log in enumerate(logs):
        values = [row[place] for row in table]
        numbers = [v for v in values if isinstance(v, int | float)]
        if numbers:
            axes.text(place, -0.04, f"{min(numbers):.3g}", ha="center", va="top", fontsize=7)
            axes.text(place, 1.04, f"{max(numbers):.3g}" + (" (log)" if log else ""), ha="center", fontsize=7)
        else:
            for height, value in zip(
                _scaled(sorted(set(map(str, values))), False), sorted(set(map(str, values))), strict=True
            ):
                axes.text(place + 0.04, height, _named(value), fontsize=7)
    axes.set_xticks(range(len(names)), [_named(name.rpartition("args.")[2]) for name in names], rotation=20, fontsize=8)
    axes.tick_params(axis="x", pad=12)
    axes.set_yticks([])
    axes.set_ylim(-0.1, 1.1)
    axes.set_title(_named(metric), fontsize=9)
    return svg(figure)


def _scaled(values: Sequence[object], log: bool) -> list[float]:
    """Between 0 and 1; names by their place in the alphabet."""
    if all(isinstance(v, int | float) for v in values):
        numbers = np.log([float(v) for v in values]) if log else np.array(values, dtype=float)  # type: ignore[arg-type]
    else:
        order = sorted(set(map(str, values)))
        numbers = np.array([order.index(str(v)) for v in values], dtype=float)
    span = numbers.max() - numbers.min()
    return ((numbers - numbers.min()) / span if span else np.full(len(numbers), 0.5)).tolist()


def _figure(width: float, height: float) -> tuple[Figure, Any]:
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
