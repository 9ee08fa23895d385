"""Where a competition lies that is named by its path or its slug."""

from __future__ import annotations

import shlex
from pathlib import Path

from harness.base.errors import UserError, nearest
from harness.base.places.home import COMPETITIONS, from_here, project_home
from harness.base.places.templates import templates

SPEC = "competition.toml"


def competition_folder(name: Path) -> Path:
    """The folder of a competition, named by its path or its slug; it holds a competition.toml.

    A path is looked up from the current folder, then from the project's; a slug in competitions/ of the project's folder too.

    Raises
    ------
    UserError
        If there is none (lists those there are, and says how to get one).
    """
    home = project_home()
    in_home = home / COMPETITIONS / name.name
    is_slug = len(name.parts) == 1
    for folder in (name, home / name, *([in_home] if is_slug else [])):
        if (folder / SPEC).is_file():
            return folder
    known = sorted(p.parent.name for p in (home / COMPETITIONS).glob(f"*/{SPEC}"))
    where = "the current folder" if home == Path() else str(home)
    raise UserError(
        f"'{name}' is no competition: there is no {(in_home if is_slug else name) / SPEC}{nearest(name.name, [*known, *templates()])}. Known here: "
        f"{', '.join(known) or 'none'} (a slug is looked up in competitions/ of {where}).{_how_to_get(name.name, bool(known))}"
    )


def called(folder: Path) -> str:
    """How a command line names the competition of a folder, quoted for a shell: by its slug where that finds it, else by its path."""
    here = folder.resolve()
    try:
        found = competition_folder(Path(here.name)).resolve()
    except UserError:
        found = None
    if found == here:
        return shlex.quote(here.name)
    return shlex.quote(str(from_here(here)))


def _how_to_get(slug: str, others: bool) -> str:
    """What to do about a competition that is not there; "" where others are, and it is none of those that come with the harness."""
    comes_with_it = templates()
    if slug in comes_with_it:
        return f"\n  It comes with the harness; this copies it: python -m harness.data init --like {slug}"
    if others:
        return ""
    return (
        "\n  Begin one from files: python -m harness.data init FOLDER_OR_ZIP\n  or copy one that comes with the harness: python -m "
        f"harness.data init --like SLUG ({', '.join(comes_with_it)})"
    )
