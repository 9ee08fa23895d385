"""Errors of one of several classes, told."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.base.untrusted_text import counted
from harness.cv.report.classes import MOST_PICTURED, confusions_block
from harness.cv.report.shots import class_shot, of_each_confusion
from harness.oof.errors.analysis import Errors, errors_table, find_errors
from harness.oof.errors.report import GALLERY, ErrorReport, Pictures, Table, lowest
from harness.report import figures
from harness.report.gallery import which_of
from harness.report.page import Page
from harness.runs import Run


class ClassReport(ErrorReport):
    """Of classes: which are taken for which, how sure, which labels are doubted."""

    harm_is = "wrong"

    def __init__(self, run: Run) -> None:
        self.run, self.found = run, find_errors(run)
        self.rows, self.groups = self.found.rows, self.found.groups

    @property
    def headline(self) -> str:
        """See `ErrorReport`."""
        return f"{len(self.found.mistakes):,} wrong of {len(self.rows):,}"

    def summary(self) -> dict[str, Any]:
        """See `ErrorReport`."""
        return {**self.found.summary(), "confusions": self.confusions()}

    def table(self) -> Table:
        """Each class with its scores and their 95 % intervals, the lowest F1 first."""
        classes = self.found.classes
        by_rows = sorted(
            classes, key=lambda name: -classes[name]["rows"]
        )  # of equal scores the more frequent class first
        order = lowest(by_rows, [classes[name]["f1"].value for name in by_rows], len(classes))
        rows = [
            [
                name,
                f"{classes[name]['rows']:,}",
                *(classes[name][metric].shown(without="none predicted") for metric in ("precision", "recall", "f1")),
            ]
            for name in order
        ]
        return ["class", "rows", "precision [95 %]", "recall [95 %]", "F1 [95 %]"], rows

    def lines(self) -> list[str]:
        """See `ErrorReport`."""
        doubted = len(self.found.suspected)
        commonest = ", ".join(f"{a} taken for {b} {n:,}" for a, b, n in self.confusions(5))
        return [
            f"commonest: {commonest or 'none; no row is wrong'}",
            reliability_line(self.found),
            f"labels in doubt: {counted(doubted, 'row')} (harness.clean judges the training set by more than this)",
        ]

    def frame(self) -> Any:
        """See `errors_table`."""
        return errors_table(self.run, self.found)

    def sections(self, page: Page, pictures: Pictures) -> None:
        """See `ErrorReport`."""
        found, classes = self.found, self.run.classes
        wrong = len(found.mistakes)
        page.card("wrong", f"{wrong:,}", f"{100 * wrong / len(found.rows):.2f} % of the rows")
        page.card("labels in doubt", f"{len(found.suspected):,}", "confident learning")
        page.card("ECE", f"{found.reliability.ece:.4f}", f"temperature {found.reliability.temperature:.2f}")
        page.card("Brier", f"{found.reliability.brier:.4f}", "0 is perfect")
        section = page.section("Classes")
        section.table(*self.table(), folded=True)
        confusions_block(section, found.labels[found.rows], found.predicted[found.rows], classes)
        if len(classes) <= MOST_PICTURED:
            section.table(["true", "predicted", "rows"], [[a, b, f"{n:,}"] for a, b, n in self.confusions()], left=2)
        section = page.section("Can the probabilities be believed?")
        r = found.reliability
        section.figure(
            figures.reliability(r.confidence, r.accuracy, r.rows), "Accuracy by confidence, and rows per bin."
        )
        line = reliability_line(found)
        section.text(line[0].upper() + line[1:] + ".")
        galleries = {
            "Most confident mistakes": found.mistakes,
            "Right, but hardly": found.unsure,
            "Labels in doubt": found.suspected,
        }
        for title, some in galleries.items():
            self._gallery(page, pictures, title, some)
        if pictures.dataset is not None:
            chosen = np.random.default_rng(0).permutation(found.rows)[:GALLERY]
            note = "Right and wrong as often as they are among all: what the model sees, and what it makes of it."
            self._gallery(page, pictures, "Drawn by chance", np.sort(chosen), note)

    def confusions(self, most: int = 10) -> list[tuple[str, str, int]]:
        """The commonest mistakes: (true class, predicted class, rows)."""
        classes = self.run.classes
        return [(classes[i], classes[j], n) for i, j, n in self.found.confused[:most]]

    def _gallery(self, page: Page, pictures: Pictures, title: str, rows: np.ndarray, note: str = "") -> None:
        found, run = self.found, self.run
        note = note or which_of(len(rows), GALLERY, "classes and confusions")
        rows = rows[of_each_confusion(found.labels[rows], found.predicted[rows], GALLERY)]
        shots = [
            class_shot(
                run.classes,
                int(found.labels[row]),
                int(found.predicted[row]),
                found.proba[row],
                run.folds.ids[row],
                int(run.folds.fold[row]),
            )
            for row in rows
        ]
        pictures.show(page, title, rows, shots, note)


def reliability_line(found: Errors) -> str:
    """How far the probabilities can be believed, in a line."""
    r = found.reliability
    sure = "too sure" if r.temperature > 1.05 else "not sure enough" if r.temperature < 0.95 else "about right"
    known = np.isfinite(r.ece_after)
    after = f" ({r.ece_after:.4f} at a temperature fitted on the other folds)" if known else ""
    return f"calibration: ECE {r.ece:.4f}{after}, Brier {r.brier:.4f}, temperature {r.temperature:.2f}: {sure}"
