"""The one exception for what the user can put right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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
