"""Errors of ordered grades, told: what is said of classes, and how far off, in which direction."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.oof.errors.class_report import ClassReport
from harness.oof.errors.grades import find_grade_errors
from harness.oof.errors.report import Pictures, Table
from harness.report import error_figures
from harness.report.page import Page
from harness.runs import Run

_FAR = "Each grade by how many it was missed: those most grades off first."


class GradeReport(ClassReport):
    """Of grades, as the cut points of the other folds give them."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.grades = find_grade_errors(run, self.found)

    def summary(self) -> dict[str, Any]:
        """See `ErrorReport`."""
        g = self.grades
        told = {
            "mean_deviation": vars(g.signed),
            "mean_absolute_deviation": vars(g.absolute),
            "within_one": vars(g.near),
        }
        return {**super().summary(), **told, "expected_grade_off": g.off}

    def table(self) -> Table:
        """Each grade in its order, with what is said of a class and its deviations."""
        header, rows = super().table()
        by_name = {row[0]: row for row in rows}
        table = []
        for name, (_, signed, absolute, near) in zip(self.run.classes, self.grades.by_grade, strict=True):
            table.append([*by_name[name], signed.shown("+.3f"), absolute.shown(".3f"), near.shown(".3f")])
        return ["grade", *header[1:], "deviation [95 %]", "its size [95 %]", "within one [95 %]"], table

    def lines(self) -> list[str]:
        """See `ErrorReport`."""
        return [self._line(), *super().lines()]

    def _line(self) -> str:
        g = self.grades
        way = "as often too high as too low" if g.signed.low <= 0 <= g.signed.high else (
            "too high on average" if g.signed.value > 0 else "too low on average"
        )  # fmt: skip
        return (
            f"deviation: {g.signed.shown('+.4f')} grades ({way}), size {g.absolute.shown()}, within one grade {g.near.shown()}; "
            f"expected grade off by {g.off:.4f}"
        )

    def sections(self, page: Page, pictures: Pictures) -> None:
        """See `ErrorReport`."""
        g = self.grades
        page.card(
            "mean deviation", f"{g.signed.value:+.3f}", f"95 %: {g.signed.low:+.3f} to {g.signed.high:+.3f} grades"
        )
        page.card("within one grade", f"{100 * g.near.value:.1f} %", f"mean size {g.absolute.value:.3f} grades")
        section = page.section("How far off, and which way?")
        steps, rows = np.unique(g.deviation, return_counts=True)
        picture = error_figures.counts(
            {f"{step:+d}" if step else "0": int(n) for step, n in zip(steps, rows, strict=True)}, "grades off"
        )
        section.figure(picture, "Predicted grade minus true grade, in rows.")
        points = [
            (k, signed.value, signed.low, signed.high) for k, (n, signed, _, _) in enumerate(g.by_grade) if n
        ]  # fmt: skip
        section.figure(
            error_figures.biases({"deviation": points}, "true grade (place in the order)", "mean deviation"),
            "Mean deviation by true grade with its 95 % interval. Low grades can only be missed upwards, high ones downwards.",
        )
        section.figure(
            error_figures.against_diagonal(g.expected, g.true, g.rows, "mean expected grade", "mean true grade"),
            f"Calibration of the expected grade, by tenths of the rows: off by {g.off:.4f} grades on average.",
        )
        section.text(self._line()[0].upper() + self._line()[1:] + ".")
        super().sections(page, pictures)
        self._gallery(page, pictures, "Farthest misses", g.farthest)
