"""What `harness.oof errors` says, for every task: on the terminal, as JSON, as errors.csv, as a page with galleries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.storage.atomic_files import complete_file
from harness.competition import Competition
from harness.data.cache import Dataset
from harness.report.gallery import Shot
from harness.report.page import TABLE_IN_FULL, TABLE_SHORT, Page
from harness.runs import Run

GALLERY = 96
"""Pictures in a gallery, at most."""

_MOST_GROUPS = 20

Table = tuple[list[str], list[list[str]]]
"""Header and rows."""


@dataclass(frozen=True)
class Pictures:
    """Images of a run's rows, where the data are there."""

    dataset: Dataset | None

    def show(self, page: Page, title: str, rows: np.ndarray, shots: Sequence[Shot], note: str = "") -> None:
        """A section with these rows (of the run) and what is known of them: a gallery, or without the data a table."""
        section = page.section(title)
        if note:
            section.text(note)
        if not len(rows):
            section.text("None.")
        elif self.dataset is None:
            section.table(["rows"], [[shot.caption] for shot in shots], folded=True)
        else:
            section.gallery([self.dataset.train.images[row] for row in rows], shots)


class ErrorReport(ABC):
    """Where a run is wrong, told for one kind of task; `by_task` says which kind has which.

    Attributes
    ----------
    run : of which it is
    rows : int64, rows of the run that were judged
    groups : (number of the group, rows, harm), hardest first; harm_is : what is summed up in them, in words
    """

    run: Run
    rows: np.ndarray
    groups: Sequence[tuple[int, int, float]]
    harm_is: str

    @property
    @abstractmethod
    def headline(self) -> str:
        """How much is wrong, in a few words."""

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """For --json."""

    @abstractmethod
    def table(self) -> Table:
        """Every class, label, number or grade with its scores; the first column names it."""

    def short_table(self) -> tuple[list[str], list[list[str]], int]:
        """Header and rows for a terminal, and how many rows are left out of it; the page has them folded away."""
        header, rows = self.table()
        most = len(rows) if len(rows) <= TABLE_IN_FULL else TABLE_SHORT
        return header, rows[:most], len(rows) - most

    @abstractmethod
    def lines(self) -> list[str]:
        """What to print below the table."""

    @abstractmethod
    def frame(self) -> Any:
        """A pandas table of all mistakes and doubted labels, the worst first, for errors.csv."""

    @abstractmethod
    def sections(self, page: Page, pictures: Pictures) -> None:
        """Cards and sections of the page; the hardest groups follow."""

    def _harm(self, harm: float) -> str:
        return f"{harm:,.0f}"


def write_errors_page(
    path: Path, competition: Competition, report: ErrorReport, dataset: Dataset | None, why_no_pictures: str = ""
) -> None:
    """Write errors.html; without the data it has no images, and says so."""
    run = report.run
    warnings = ["Embedded sample, not the competition's data."] if run.environment["data"]["is_sample"] else []
    if dataset is None:
        warnings.append(f"No images: {why_no_pictures}")
    page = Page(
        title=f"{competition.title}: errors of {run.name}",
        lead=f"{report.headline}, each predicted by a model that did not see it.",
        warnings=warnings,
    )
    report.sections(page, Pictures(dataset))
    if report.groups:
        _groups(page, report)
    page.write(path)


def write_errors_csv(path: Path, report: ErrorReport) -> None:
    """Write errors.csv."""
    with complete_file(path) as temporary:
        report.frame().to_csv(temporary, index=False)


def _groups(page: Page, report: ErrorReport) -> None:
    first: dict[int, str] = {}
    for row in report.rows[::-1]:
        first[int(report.run.folds.groups[row])] = report.run.folds.ids[row]
    shown = [[str(g), str(first[g]), f"{n:,}", report._harm(harm)] for g, n, harm in report.groups[:_MOST_GROUPS]]
    page.section("Hardest groups").table(["group", "its first id", "rows", report.harm_is], shown)


def lowest(names: Sequence[str], values: Sequence[float], most: int) -> list[str]:
    """Names in the order of their values, the lowest first; those that have none (NaN) before them."""
    order = np.argsort(np.nan_to_num(np.asarray(values, dtype=float)), kind="stable")
    return [names[place] for place in order[:most]]
