"""The noise suite as tables and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.untrusted_text import counted
from harness.competition import Competition
from harness.report import figures
from harness.report.gallery import Shot
from harness.report.page import Page
from harness.runs import Run


def noise_table(scores: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a corruption with its score by severity and their mean."""
    rows = []
    for name, values in scores["corruptions"].items():
        shown = name.replace("_", " ") + (" *" if name in scores["doubtful"] else "")
        rows.append([shown, *(f"{v:.3f}" for v in values), f"{sum(values) / len(values):.3f}"])
    return ["corruption", *(f"severity {s}" for s in range(1, 6)), "mean"], rows


def class_table(scores: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: each class's recall without and under corruption, the deepest fall first."""
    falls = sorted(scores["classes"].items(), key=lambda item: item[1]["noisy"] - item[1]["clean"])
    rows = [
        [
            name,
            f"{c['clean']:.3f}",
            f"{c['noisy']:.3f}",
            f"{c['noisy'] - c['clean']:+.3f}",
            f"{c['worst'].replace('_', ' ')} ({c['worst_recall']:.3f})",
        ]
        for name, c in falls
    ]
    return ["class", "recall", "under corruption", "fall", "falls most under"], rows


def summary_lines(scores: dict[str, Any]) -> list[str]:
    """What to say of the suite in a few lines."""
    clean, worst = scores["clean"], scores["worst"]
    lines = [
        f"noise suite, {counted(scores['rows'], 'row')}, {scores['metric'].replace('_', ' ')}: {clean['score']:.4f} "
        f"[{clean['low']:.4f}, {clean['high']:.4f}] without corruption, {scores['mean']:.4f} on average, "
        f"{scores['camera']:.4f} on the camera mixes, worst {worst['score']:.4f} ({worst['corruption'].replace('_', ' ')}, "
        f"severity {worst['severity']})"
    ]
    if scores["doubtful"]:
        lines.append("* may change the label: none of this competition's symmetries")
    return lines


def write_noise_page(
    path: Path,
    competition: Competition,
    run: Run,
    scores: dict[str, Any],
    pictures: tuple[Sequence[np.ndarray], Sequence[Shot]] = ((), ()),
) -> None:
    """Write noise.html; pictures : rows under corruption, and what is known of each (`harness.cv.noise.pictures`)."""
    page = Page(
        title=f"{competition.title}: {run.name} under noise",
        lead="Each fold's model predicts its own validation rows under every corruption in five severities, by the recipe's views.",
        warnings=["Embedded sample, not the competition's data."] if run.environment["data"]["is_sample"] else [],
    )
    clean, name = scores["clean"], scores["metric"].replace("_", " ")
    page.card(f"{name}, clean", f"{clean['score']:.4f}", f"95 %: {clean['low']:.4f} to {clean['high']:.4f}")
    page.card("mean under corruption", f"{scores['mean']:.4f}", f"{len(scores['corruptions'])} corruptions x 5")
    page.card("camera mixes", f"{scores['camera']:.4f}", "camera and handheld")
    worst = scores["worst"]
    page.card(
        "worst", f"{worst['score']:.4f}", f"{worst['corruption'].replace('_', ' ')}, severity {worst['severity']}"
    )
    section = page.section("By corruption and severity")
    section.figure(
        figures.heatmap(scores["corruptions"], scores["greater_is_better"], clean["score"]),
        f"{name} by corruption and severity.",
    )
    section.table(*noise_table(scores))
    if scores["doubtful"]:
        section.text("* may change the label: none of this competition's symmetries.")
    if scores["classes"]:
        page.section("Which classes fall").table(*class_table(scores), folded=True)
    if pictures[0]:
        section = page.section("What the corruptions look like")
        section.text("A few rows as they are and under every corruption, as the models saw them, and what these said.")
        section.gallery(*pictures)
    page.write(path)
