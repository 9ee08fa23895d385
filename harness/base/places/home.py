"""The project's folder: where competitions/, oof/, submissions/ and data/ lie when no option says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

from harness.base.errors import UserError

COMPETITIONS = "competitions"


def project_home() -> Path:
    """$HARNESS_HOME, else the nearest of the current folder and those above it that holds competitions/, else the current folder.

    Returned so that paths below it can be shown: Path() for the current folder, else absolute.

    Raises
    ------
    UserError
        If $HARNESS_HOME is no folder.
    """
    here = Path.cwd()
    found = _named() or next((folder for folder in (here, *here.parents) if _holds_competitions(folder, here)), here)
    return Path() if found == here else found


def from_here(path: Path | str) -> Path:
    """A path as it is typed in the current folder: relative where it lies below it, else as it is."""
    found, here = Path(path), Path.cwd()
    return found.relative_to(here) if found.is_relative_to(here) else found


def _named() -> Path | None:
    named = os.environ.get("HARNESS_HOME")
    if not named:
        return None
    if not Path(named).is_dir():
        raise UserError(
            f"HARNESS_HOME = '{named}': no such folder. Make it, name the one that holds (or is to hold) {COMPETITIONS}/, or unset it"
        )
    return Path(named).resolve()


def _holds_competitions(folder: Path, here: Path) -> bool:
    """Whether it is the project's folder; above the current one only where it is the user's own, for competition.py is code."""
    held = folder / COMPETITIONS
    try:
        return held.is_dir() and (folder == here or not hasattr(os, "getuid") or held.stat().st_uid == os.getuid())
    except OSError:  # a folder that may not be looked into
        return False
