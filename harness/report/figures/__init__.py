"""Figures as SVG from plain arrays; drawn without a display and without pyplot's global state. They say their values (`Values`)."""

from harness.report.figures.curves import (
    bars,
    cv_against_public,
    fold_scores,
    learning_curves,
    lines,
    progress,
    reliability,
    score_bars,
    score_over_time,
)
from harness.report.figures.matrices import confusion_map, confusion_matrix, heatmap, matrix
from harness.report.figures.studies import parallel, points_and_line, scatter, slice_plot

__all__ = [
    "bars",
    "confusion_map",
    "confusion_matrix",
    "cv_against_public",
    "fold_scores",
    "heatmap",
    "learning_curves",
    "lines",
    "matrix",
    "parallel",
    "points_and_line",
    "progress",
    "reliability",
    "scatter",
    "score_bars",
    "score_over_time",
    "slice_plot",
]
