"""classes.txt: the classes that were read from a competition's data, a line each, in the order of the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import UserError
from harness.base.storage.atomic_files import write_text
from harness.base.untrusted_text import is_plain, plain

CLASSES_FILE = "classes.txt"


def read_classes(folder: Path) -> list[str]:
    """The names in a competition's classes.txt.

    Raises
    ------
    UserError
        If it cannot be read, is empty, or holds a name twice or one that cannot be printed.
    """
    path = folder / CLASSES_FILE
    try:
        names = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: cannot be read ({error}). Delete it to have the classes read from the data."
        ) from error
    wrong = next((name for name in names if not name or not is_plain(name)), None)
    if not names or wrong is not None or len(set(names)) < len(names):
        raise UserError(
            f"{path}: is no list of classes, a line each{f' ({plain(wrong, 80)!r})' if wrong else ''}. Delete it to have them read "
            "from the data."
        )
    return names


def save_classes(folder: Path, classes: Sequence[str]) -> None:
    """Write classes.txt, complete or not at all."""
    write_text(folder / CLASSES_FILE, "".join(f"{name}\n" for name in classes))
