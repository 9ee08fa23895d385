"""Scores and losses: over epochs, folds, runs and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.report.figures.base import named, one_figure, said, said_between
from harness.report.svg import Values, svg


def learning_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    ylabel: str,
    dashed: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    log: bool = True,
) -> bytes:
    """One line per name: (epochs, values); a logarithmic axis where the values span more than a decade, and `log` lets it.

    dashed : further values of the same names, in the same colours
    """
    figure, axes = one_figure(6.5, 3.2)
    told = [_of_line(axes, name, epochs, values, "epoch", ylabel) for name, (epochs, values) in curves.items()]
    for name, (epochs, values) in curves.items():
        marker = "." if len(epochs) < 15 else None
        (drawn,) = axes.plot(epochs, values, marker=marker, label=named(name), linewidth=1.3)
        if dashed and name in dashed:
            axes.plot(*dashed[name], "--", marker=marker, color=drawn.get_color(), linewidth=1)
            told.append(_of_line(axes, f"{name}, training rows", *dashed[name], "epoch", ylabel))
    everything = [v for _, values in curves.values() for v in values if v > 0]
    if log and everything and max(everything) > 10 * min(everything):
        axes.set_yscale("log")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel="epoch", ylabel=named(ylabel))
    axes.grid(alpha=0.3)
    if curves:
        axes.legend(fontsize=8, ncols=2)
    return svg(figure, *told)


def _of_line(axes: Any, name: str, x: Sequence[float], y: Sequence[float], xlabel: str, ylabel: str) -> Values:
    texts = (f"{name}, {xlabel} {said(a)}: {ylabel} {said(b)}" for a, b in zip(x, y, strict=True))
    return Values(axes, x, y, texts)


def lines(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], xlabel: str, ylabel: str) -> bytes:
    """One line per name: (x, y)."""
    figure, axes = one_figure(6.5, 3.2)
    for name, (x, y) in curves.items():
        axes.plot(x, y, marker=".", label=named(name), linewidth=1.3)
    axes.set(xlabel=named(xlabel), ylabel=named(ylabel))
    axes.grid(alpha=0.3)
    if curves:
        axes.legend(fontsize=8, ncols=2)
    return svg(figure, *(_of_line(axes, name, x, y, xlabel, ylabel) for name, (x, y) in curves.items()))


def score_over_time(
    at: Sequence[float], scores: Sequence[tuple[float, float, float]], metric: str, greater_is_better: bool, unit: str
) -> bytes:
    """Scores (value, low, high) at amounts spent, and the best so far as a line."""
    figure, axes = one_figure(6.5, 3.2)
    values = np.array([value for value, _, _ in scores])
    below = np.maximum(values - [low for _, low, _ in scores], 0)
    above = np.maximum([high for _, _, high in scores] - values, 0)
    axes.errorbar(at, values, yerr=[below, above], fmt="o", color="tab:blue", capsize=3, markersize=4, linewidth=1)
    best = np.maximum.accumulate(values) if greater_is_better else np.minimum.accumulate(values)
    axes.step(at, best, where="post", color="tab:orange", label="best so far")
    axes.set(xlabel=named(f"{unit} spent"), ylabel=named(metric))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    texts = (f"{said(spent)} {unit}: {metric} {said_between(*score)}" for spent, score in zip(at, scores, strict=True))
    return svg(figure, Values(axes, at, values.tolist(), texts))


def fold_scores(values: Mapping[int, float], pooled: float, low: float, high: float, metric: str) -> bytes:
    """A point per fold number, the pooled OOF score as a line, its interval as a band."""
    figure, axes = one_figure(6.5, 2.2)
    axes.axvspan(low, high, color="tab:blue", alpha=0.15, label="95 % interval of the pooled OOF")
    axes.axvline(pooled, color="tab:blue", label="pooled OOF")
    axes.plot(list(values.values()), range(len(values)), "o", color="tab:orange", label="a fold")
    axes.set_yticks(range(len(values)), [f"fold {fold}" for fold in values])
    axes.invert_yaxis()
    axes.set(xlabel=named(metric))
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    texts = (f"fold {fold}: {metric} {said(value)}" for fold, value in values.items())
    of_all = Values(axes, [pooled], [len(values) / 2 - 0.5], [f"pooled OOF: {said_between(pooled, low, high)}"])
    return svg(figure, Values(axes, list(values.values()), range(len(values)), texts), of_all)


def score_bars(scores: Mapping[str, Mapping[str, Any]], metric: str) -> bytes:
    """A line per name: the pooled score with its interval, and the mean over folds; scores have pooled, low, high, mean (None where no fold has
    a value)."""
    figure, axes = one_figure(7.5, 0.34 * len(scores) + 1.1)
    for row, score in enumerate(scores.values()):
        low, high = score["pooled"] - score["low"], score["high"] - score["pooled"]
        axes.errorbar(score["pooled"], row, xerr=[[max(low, 0)], [max(high, 0)]], fmt="s", color="tab:blue", capsize=3)
        if score["mean"] is not None:
            axes.plot(score["mean"], row, ".", color="tab:orange")
    axes.set_yticks(range(len(scores)), list(map(named, scores)))
    axes.invert_yaxis()
    axes.set(xlabel=named(metric))
    axes.grid(alpha=0.3, axis="x")
    texts = (
        f"{name}: {said_between(of['pooled'], of['low'], of['high'])}"
        + (f", mean over folds {said(of['mean'])}" if of["mean"] not in (None, of["pooled"]) else "")
        for name, of in scores.items()
    )
    return svg(figure, Values(axes, [of["pooled"] for of in scores.values()], range(len(scores)), texts))


def cv_against_public(pairs: Sequence[tuple[float, float]]) -> bytes:
    """A point per (CV, public score), the line of equal scores, and with three points or more the line through them."""
    figure, axes = one_figure(4.8, 4.2)
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
    texts = (f"CV {said(cv)}, public {said(public)}" for cv, public in pairs)
    return svg(figure, Values(axes, points[:, 0].tolist(), points[:, 1].tolist(), texts))


def progress(dates: Sequence[str], public: Sequence[float], cv: Sequence[float | None]) -> bytes:
    """Public score and CV of submissions in order; the best public score so far as a line is left to the eye."""
    figure, axes = one_figure(7.5, 2.8)
    places = range(len(dates))
    axes.plot(places, public, "o-", label="public", color="tab:blue")
    axes.plot(places, [np.nan if c is None else c for c in cv], "s--", label="CV", color="tab:orange", linewidth=1)
    axes.set_xticks(list(places), [d.replace("T", "\n") for d in dates], fontsize=7)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    when = [d.replace("T", " ") for d in dates]
    told = [
        Values(axes, places, public, (f"{d}: public {said(v)}" for d, v in zip(when, public, strict=True))),
        Values(
            axes,
            places,
            [np.nan if c is None else c for c in cv],
            (f"{d}: CV {said(c)}" if c is not None else "" for d, c in zip(when, cv, strict=True)),
        ),
    ]
    return svg(figure, *told)


def reliability(confidence: np.ndarray, accuracy: np.ndarray, rows: np.ndarray) -> bytes:
    """Accuracy over mean confidence of bins, against the diagonal; the size of a point is its number of rows."""
    figure, axes = one_figure(4.6, 4.0)
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1, label="as sure as right")
    size = 15 + 150 * rows / rows.max()
    axes.plot(confidence, accuracy, color="tab:blue", linewidth=1)
    axes.scatter(confidence, accuracy, s=size, color="tab:blue", alpha=0.7, label="rows of a bin")
    axes.set(xlabel="largest probability", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left")
    texts = (
        f"mean confidence {100 * sure:.1f} %, accuracy {100 * hit:.1f} %, {n:,.0f} rows"
        for sure, hit, n in zip(confidence, accuracy, rows, strict=True)
    )
    return svg(figure, Values(axes, confidence.tolist(), accuracy.tolist(), texts))


def bars(values: Mapping[str, float], xlabel: str) -> bytes:
    """A horizontal bar per name, the largest on top."""
    figure, axes = one_figure(6.5, 0.3 * len(values) + 0.9)
    ordered = sorted(values.items(), key=lambda pair: pair[1])
    axes.barh([named(name) for name, _ in ordered], [value for _, value in ordered], color="tab:blue")
    axes.set(xlabel=named(xlabel))
    texts = (f"{name}: {said(value)}" for name, value in ordered)
    ends = [value for _, value in ordered]
    return svg(figure, Values(axes, ends, range(len(ordered)), texts))
