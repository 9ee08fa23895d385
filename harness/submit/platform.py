"""The door to the platforms: what a platform must be able to do. None is built yet; a dry run needs none."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from harness.base.errors import UserError
from harness.competition import Competition


class Platform(Protocol):
    """A place that takes submissions."""

    def upload(self, path: Path, message: str) -> str:
        """Send a file; returns the platform's reference of the submission."""
        ...


def find_platform(competition: Competition) -> Platform:
    """The platform of a competition.

    Raises
    ------
    UserError
        Always, for now: says how to send the file by hand.
    """
    raise UserError(
        f"sending to '{competition.platform}' is not built yet. Make and check the file with --dry-run, then upload it at "
        f"{competition.url or 'the competition page'}."
    )
