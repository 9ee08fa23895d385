"""What options say of a run, written into about.json and shown on the run's pages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.report.about import About, read_about, save_about
from harness.report.links import refresh_run


@dataclass(frozen=True)
class Label:
    """What is to be said of a run: None and () leave what stands, as of `About.changed`. Checked when it is made (UserError)."""

    name: str | None = None
    note: str | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        About().changed(self.name, self.note, self.tags)

    def write(self, run: Path) -> About:
        """Say it of a run, where anything is to be said; returns what stands then. Its pages show it."""
        about = read_about(run)
        changed = about.changed(self.name, self.note, self.tags)
        if changed != about:
            save_about(run, changed)
            refresh_run(run)
        return changed
