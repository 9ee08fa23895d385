"""The one exception for what the user can put right, and packages that are not installed."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator


class UserError(Exception):
    """Something that the user did and can undo: says what is wrong, where, which value, and the cure.

    A command prints the message without a traceback and exits with code 2. Everything else that is raised is a fault of
    the harness and keeps its traceback.
    """


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """The known name that was probably meant, as ' (did you mean ...?)', or '' when none comes near.

    likeness : of the two names, as `difflib.SequenceMatcher.ratio` measures it, from which on one is offered
    """
    match = difflib.get_close_matches(name, [other for other in known if other != name], n=1, cutoff=likeness)
    return f" (did you mean '{match[0]}'?)" if match else ""


@contextlib.contextmanager
def needs(what: str, package: str) -> Iterator[None]:
    """Around the import of a package that is missing on some machines.

    what : what it is needed for, as the subject of "needs"; package : as pip knows it

    Raises
    ------
    UserError
        If it cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        raise UserError(f"{what} needs {package}: pip install {package}") from error


def not_installed(error: ModuleNotFoundError) -> str:
    """The message for a package that is missing where nothing said what it is for; "" for a module of the harness's own."""
    module = (error.name or "").partition(".")[0]
    package = _PACKAGES.get(module, module)
    return f"the package {package} is not installed: pip install {package}" if module not in ("", "harness") else ""


_PACKAGES = {"PIL": "pillow", "sklearn": "scikit-learn", "sqlalchemy": "SQLAlchemy"}
