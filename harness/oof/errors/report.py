"""What `find_errors` found, as a page with galleries."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.competition import Competition
from harness.cv.report.page import confusions_block
from harness.data.cache import Dataset
from harness.oof.errors.analysis import ClassScore, Errors
from harness.report import figures
from harness.report.page import Page
from harness.runs import Run

_GALLERY = 24
_MOST_GROUPS = 20
_MOST_CLASSES = 200


def class_table(found: Errors) -> tuple[list[str], list[list[str]]]:
    """Header and rows: each class with its scores and their 95 % intervals, the lowest F1 first."""
    order = sorted(found.classes, key=lambda name: np.nan_to_num(found.classes[name]["f1"].value))
    rows = [
        [
            name,
            f"{found.classes[name]['rows']:,}",
            *(_shown(found.classes[name][m]) for m in ("precision", "recall", "f1")),
        ]
        for name in order
    ]
    return ["class", "rows", "precision [95 %]", "recall [95 %]", "F1 [95 %]"], rows


def _shown(score: ClassScore) -> str:
    if not np.isfinite(score.value):
        return "none predicted"
    return f"{score.value:.4f} [{score.low:.4f}, {score.high:.4f}]"


def confusions(found: Errors, classes: list[str], most: int = 10) -> list[tuple[str, str, int]]:
    """The commonest mistakes: (true class, predicted class, rows)."""
    return [(classes[i], classes[j], n) for i, j, n in found.confused[:most]]


def reliability_line(found: Errors) -> str:
    """How far the probabilities can be believed, in a line."""
    r = found.reliability
    sure = "too sure" if r.temperature > 1.05 else "not sure enough" if r.temperature < 0.95 else "about right"
    known = np.isfinite(r.ece_after)
    after = f" ({r.ece_after:.4f} at a temperature fitted on the other folds)" if known else ""
    return f"calibration: ECE {r.ece:.4f}{after}, Brier {r.brier:.4f}, temperature {r.temperature:.2f}: {sure}"


def write_errors_page(
    path: Path, competition: Competition, run: Run, found: Errors, dataset: Dataset | None, why_no_pictures: str = ""
) -> None:
    """Write errors.html; without the data it has no images, and says so."""
    warnings = ["Embedded sample, not the competition's data."] if run.environment["data"]["is_sample"] else []
    if dataset is None:
        warnings.append(f"No images: {why_no_pictures}")
    wrong = len(found.mistakes)
    page = Page(
        title=f"{competition.title}: errors of {run.name}",
        lead=f"{wrong:,} of {len(found.rows):,} rows are predicted wrongly, each by a model that did not see it.",
        warnings=warnings,
    )
    page.card("wrong", f"{wrong:,}", f"{100 * wrong / len(found.rows):.2f} % of the rows")
    page.card("labels in doubt", f"{len(found.suspected):,}", "confident learning")
    page.card("ECE", f"{found.reliability.ece:.4f}", f"temperature {found.reliability.temperature:.2f}")
    page.card("Brier", f"{found.reliability.brier:.4f}", "0 is perfect")
    section = page.section("Classes")
    header, rows = class_table(found)
    if len(rows) > _MOST_CLASSES:
        section.text(f"The {_MOST_CLASSES} of {len(rows):,} classes with the lowest F1.")
    section.table(header, rows[:_MOST_CLASSES])
    confusions_block(section, found.labels[found.rows], found.predicted[found.rows], run.classes)
    section.table(["true", "predicted", "rows"], [[a, b, f"{n:,}"] for a, b, n in confusions(found, run.classes)])
    section = page.section("Can the probabilities be believed?")
    r = found.reliability
    section.figure(figures.reliability(r.confidence, r.accuracy, r.rows), "Accuracy by confidence, and rows per bin.")
    section.text(reliability_line(found)[0].upper() + reliability_line(found)[1:] + ".")
    galleries = {
        "Most confident mistakes": found.mistakes,
        "Right, but hardly": found.unsure,
        "Labels in doubt": found.suspected,
    }
    for title, some in galleries.items():
        _gallery(page, title, some[:_GALLERY], run, found, dataset)
    if found.groups:
        _groups(page, run, found)
    page.write(path)


def _gallery(page: Page, title: str, rows: np.ndarray, run: Run, found: Errors, dataset: Dataset | None) -> None:
    section = page.section(title)
    if not len(rows):
        section.text("None.")
        return
    captions = [_caption(row, run, found) for row in rows]
    if dataset is None:
        section.table(["rows"], [[caption] for caption in captions])
    else:
        section.gallery(np.stack([dataset.train.images[row] for row in rows]), captions)


def _caption(row: int, run: Run, found: Errors) -> str:
    label, said = found.labels[row], found.predicted[row]
    sure = 100 * found.proba[row, said]
    what = run.classes[label] if label == said else f"{run.classes[label]} taken for {run.classes[said]}"
    return f"{what} ({sure:.0f} %), id {run.folds.ids[row]}"


def _groups(page: Page, run: Run, found: Errors) -> None:
    first = {}
    for row in found.rows[::-1]:
        first[int(run.folds.groups[row])] = run.folds.ids[row]
    rows = [
        [str(group), str(first[group]), f"{n:,}", f"{mistakes:,}"] for group, n, mistakes in found.groups[:_MOST_GROUPS]
    ]
    page.section("Hardest groups").table(["group", "its first id", "rows", "wrong"], rows)
