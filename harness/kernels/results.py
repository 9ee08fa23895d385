"""What a job brings back, and what is done with it: a finished run, or files of a command that trains none."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.kernels.arrived import Report, checked_run, put_in_place, refuse_climbing, run_files
from harness.kernels.job import Expected


class Result(Protocol):
    """What a job brings back."""

    def name(self, report: Report) -> str:
        """What it is called.

        Raises
        ------
        UserError
            If the session left something else.
        """
        ...

    def stands(self, name: str) -> Path | None:
        """Where it stands here already; None where it does not."""
        ...

    def wanted(self, report: Report) -> list[str]:
        """Files that are brought back."""
        ...

    def place(self, folder: Path, report: Report, fresh: bool) -> Path:
        """Check the files in a folder, which are whole, and put them in place.

        fresh : whether what stands there makes way

        Raises
        ------
        UserError
            If they are not sound, or something would be lost.
        """
        ...


@dataclass(frozen=True)
class RunResult:
    """A finished run, below `out`."""

    out: Path
    slug: str
    expected: Expected

    def name(self, report: Report) -> str:
        """See `Result.name`."""
        if self.expected.run in report.runs:
            return self.expected.run
        if len(report.runs) != 1:
            raise UserError(
                f"the session left {len(report.runs)} finished runs ({plain(', '.join(report.runs), 200)}), wanted one"
            )
        return report.runs[0]

    def stands(self, name: str) -> Path | None:
        """See `Result.stands`."""
        run = self.out / "oof" / self.slug / name
        return run if (run / "scores.json").is_file() else None

    def wanted(self, report: Report) -> list[str]:
        """See `Result.wanted`."""
        return run_files(report, self.slug, self.name(report))

    def place(self, folder: Path, report: Report, fresh: bool) -> Path:
        """See `Result.place`."""
        name = self.name(report)
        checked_run(folder / "oof" / self.slug / name, report, self.expected)
        return put_in_place(folder, self.out, self.slug, name, fresh)


@dataclass(frozen=True)
class FilesResult:
    """Files that a command leaves beside the runs.

    Attributes
    ----------
    pattern : of their names, below --out, or recipes/ for those of the competition's folder
    home : what stands where the command was done before
    put : checks what arrived in a folder and puts it in place; returns where
    """

    pattern: str
    home: Callable[[], Path | None]
    put: Callable[[Path, list[str]], Path]

    def name(self, report: Report) -> str:
        """See `Result.name`."""
        return "files"

    def stands(self, name: str) -> Path | None:
        """See `Result.stands`."""
        return self.home()

    def wanted(self, report: Report) -> list[str]:
        """See `Result.wanted`."""
        refuse_climbing(report)
        return [name for name in report.files if re.fullmatch(self.pattern, name)]

    def place(self, folder: Path, report: Report, fresh: bool) -> Path:
        """See `Result.place`."""
        return self.put(folder, self.wanted(report))
