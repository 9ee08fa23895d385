"""Of a run's page: whether its probabilities are as sure as they are right, before they are scaled and after."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.competition.metrics import Metric
from harness.competition.scoring.calibration import believed, bins
from harness.competition.tasks import Task
from harness.report.error_figures import reliabilities
from harness.report.page import Page


def calibration_section(
    page: Page,
    task: Task,
    metric: Metric,
    targets: np.ndarray,
    outputs: np.ndarray,
    fold: np.ndarray,
    told: dict[str, Any],
) -> None:
    """Reliability before and after, ECE, and what each scaling gains.

    targets, outputs, fold : of the rows that are scored; told : the run's decision, with a "scaling"
    """
    scaling = told["scaling"]
    page.card("ECE", f"{scaling['ece_after']:.4f}", f"{scaling['ece']:.4f} as the models say it")
    section = page.section("Are the probabilities as sure as they are right?")
    curves = {"as the models say it": bins(*believed(targets, outputs))}
    if scaling["folds"]:
        after = task.judged_by(metric, outputs, fold, told)
        curves["scaled, cross-fitted"] = bins(*believed(targets, after))
    what = (
        "Accuracy by largest probability" if task.is_one_class else "Share of rows that have a label by its probability"
    )
    section.figure(
        reliabilities(curves), f"{what}, in 15 bins of equal width; the size of a point is its number of rows."
    )
    rows = [
        [
            method,
            f"{of['score']:.5f}",
            f"{of['gain']:+.5f} [{of['low']:+.5f}, {of['high']:+.5f}]",
            _verdict(method, scaling),
        ]
        for method, of in scaling["tried"].items()
    ]
    section.table(["scaling", "cross-fitted", "gain over none [95 %]", "verdict"], rows)
    section.text(
        f"Expected calibration error (ECE) {scaling['ece']:.4f} as the models say it, {scaling['ece_after']:.4f} as it is sent. A scaling is "
        "found on the other folds and scored on this one; it is applied where its gain is more than chance."
    )


def _verdict(method: str, scaling: dict[str, Any]) -> str:
    if method == scaling["method"]:
        return "applied"
    return "may be chance" if scaling["tried"][method]["low"] <= 0 else ""


def scaling_line(scaling: dict[str, Any]) -> str:
    """Which scaling of the probabilities is applied and what it gains, or that none gains more than chance."""
    name = scaling["metric"].replace("_", " ")
    gains = {m: f"{of['gain']:+.5f} [{of['low']:+.5f}, {of['high']:+.5f}]" for m, of in scaling["tried"].items()}
    ece = f"ECE {scaling['ece']:.4f}"
    if not scaling["values"]:
        return (
            f"calibration: {ece}; probabilities stay as they are, no scaling gains more than chance in {name}: "
            + ", ".join(f"{method} {gain}" for method, gain in gains.items())
        )
    method, scale = scaling["method"], np.asarray(scaling["values"]["scale"])
    how = f"temperature {1 / scale[0]:.2f}" if method == "temperature" else "a scale and a bias for each column"
    return (
        f"calibration: probabilities are scaled ({how}; found on OOF, the scores above are by what the other folds found): "
        f"{name} gains {gains[method]}; {ece}, after {scaling['ece_after']:.4f}"
    )
