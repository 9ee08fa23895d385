"""The competition of an entry, from what the ledger keeps of it."""

from __future__ import annotations

from pathlib import Path

from harness.base.errors import UserError
from harness.base.places.competitions import SPEC
from harness.base.places.home import COMPETITIONS
from harness.competition import Competition, find_competition
from harness.ledger import Intent


def competition_of(intent: Intent) -> Competition:
    """The competition in the folder that the entry names.

    By its slug it is looked up only where the ledger is older than these folders, or the folder was one of competitions/: then the
    project may have been moved. Elsewhere another competition of that slug would be taken for it.

    Raises
    ------
    UserError
        If it is gone.
    """
    folder = Path(intent.folder)
    if intent.folder and (folder / SPEC).is_file():
        return find_competition(folder)
    if intent.folder and folder.parent.name != COMPETITIONS:
        raise UserError(
            f"{folder}: there is no competition any more. Where it was moved, name its folder in the command"
        )
    return find_competition(intent.competition)
