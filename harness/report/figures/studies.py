"""Points of many trials or rows: what a search found, where images lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.report.figures.base import named, one_figure, said
from harness.report.svg import BLUE, Values, svg


def scatter(points: np.ndarray, labels: np.ndarray, names: Sequence[str], most: int = 3000) -> bytes:
    """Points float (n, 2) coloured by label int (n,); of many some are drawn."""
    figure, axes = one_figure(6.5, 4.6)
    told = []
    rows = np.arange(len(points))
    if len(rows) > most:
        rows = np.random.default_rng(0).choice(len(rows), most, replace=False)
    for number, name in enumerate(names):
        some = rows[labels[rows] == number]
        told.append(Values(axes, points[some, 0].tolist(), points[some, 1].tolist(), [name] * len(some)))
        axes.plot(points[some, 0], points[some, 1], ".", markersize=3, color=f"C{number % 10}", label=named(name))
    axes.set(xlabel="first dimension", ylabel="second dimension")
    if len(names) <= 30:
        axes.legend(fontsize=7, markerscale=3, loc="center left", bbox_to_anchor=(1, 0.5))
    return svg(figure, *told)


def points_and_line(
    x: Sequence[float], y: Sequence[float], line: Sequence[float], xlabel: str, ylabel: str, ticks: Sequence[float] = ()
) -> bytes:
    """Points, a stepped line through `line`, and short ticks at the bottom."""
    figure, axes = one_figure(6.5, 3.0)
    axes.plot(x, y, ".", color="tab:blue")
    axes.step(x, line, where="post", color="tab:orange")
    if all(float(v).is_integer() for v in x):
        axes.xaxis.get_major_locator().set_params(integer=True)
    if len(ticks):
        axes.plot(
            ticks, np.zeros(len(ticks)), "|", color="tab:gray", transform=axes.get_xaxis_transform(), clip_on=False
        )
    axes.set(xlabel=named(xlabel), ylabel=named(ylabel))
    axes.grid(alpha=0.3)
    texts = (f"{xlabel} {said(a)}: {ylabel} {said(b)}" for a, b in zip(x, y, strict=True))
    return svg(figure, Values(axes, x, y, texts))


def slice_plot(values: Sequence[object], scores: Sequence[float], name: str, metric: str, log: bool) -> bytes:
    """Scores over one parameter's values, numbers or names."""
    figure, axes = one_figure(4.2, 2.4)
    order = sorted(
        range(len(values)), key=lambda i: _natural(values[i])
    )  # names stand on an axis in the order that they come in
    values, scores = [values[i] for i in order], [scores[i] for i in order]
    axes.plot([v if isinstance(v, int | float) else named(v) for v in values], scores, ".", color="tab:blue")
    numbers = [float(v) for v in values if isinstance(v, int | float)]
    if log and numbers:
        axes.set_xscale("log")
        ticks = np.unique(np.geomspace(min(numbers), max(numbers), 4))
        axes.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
        axes.minorticks_off()
    elif numbers and all(number.is_integer() for number in numbers):
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel=named(name), ylabel=named(metric))
    axes.grid(alpha=0.3)
    texts = (
        f"{name} {said(v) if isinstance(v, int | float) else v}: {metric} {said(s)}"
        for v, s in zip(values, scores, strict=True)
    )
    places = axes.lines[0].get_xdata(orig=False).tolist()
    return svg(figure, Values(axes, places, scores, texts))


def parallel(
    table: Sequence[Sequence[object]],
    names: Sequence[str],
    logs: Sequence[bool],
    scores: Sequence[float],
    metric: str,
    greater_is_better: bool,
) -> bytes:
    """Parallel coordinates: a line per row of `table`, each column scaled to its own range, coloured by score."""
    figure, axes = one_figure(1.5 * len(names) + 1.5, 3.4)
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
                axes.text(place + 0.04, height, named(value), fontsize=7)
    axes.set_xticks(range(len(names)), [named(name.rpartition("args.")[2]) for name in names], rotation=20, fontsize=8)
    axes.tick_params(axis="x", pad=12)
    axes.set_yticks([])
    axes.set_ylim(-0.1, 1.1)
    axes.set_title(named(metric), fontsize=9)
    told = [
        Values(
            axes,
            [place] * len(table),
            column,
            (
                f"{names[place]} {said(v) if isinstance(v, int | float) else v}: {metric} {said(score)}"
                for v, score in zip([row[place] for row in table], scores, strict=True)
            ),
        )
        for place, column in enumerate(columns)
    ]
    return svg(figure, *told)


def _scaled(values: Sequence[object], log: bool) -> list[float]:
    """Between 0 and 1; names by their place in the alphabet."""
    if all(isinstance(v, int | float) for v in values):
        numbers = np.log([float(v) for v in values]) if log else np.array(values, dtype=float)  # type: ignore[arg-type]
    else:
        order = sorted(set(map(str, values)))
        numbers = np.array([order.index(str(v)) for v in values], dtype=float)
    span = numbers.max() - numbers.min()
    return ((numbers - numbers.min()) / span if span else np.full(len(numbers), 0.5)).tolist()


def _natural(value: object) -> tuple[float, str]:
    """By which values are sorted: numbers by their size, also where they are written as names; other names behind them, by the alphabet."""
    try:
        return float(str(value)), ""
    except ValueError:
        return float("inf"), str(value)
