"""What platforms share in reading answers: a submission's reference, a line of a list by its tag."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from harness.remote.errors import Nameless

T = TypeVar("T")


def is_reference(text: str) -> bool:
    """Whether a platform's answer can be the reference of a submission: it is put into addresses and asked for again."""
    return re.fullmatch(r"[0-9A-Za-z-]{1,64}", text) is not None


def tagged(
    lines: Iterable[T], tag: str, text: Callable[[T], str | None], when: Callable[[T], str], what: str
) -> T | None:
    """The line of a list whose text holds the tag; None if there is none.

    text : of a line, None where the list does not tell it; when : it was made, ISO 8601
    what : the text is, in words

    Raises
    ------
    Nameless
        If a new line comes without its text: it may be the one.
    """
    listed = list(lines)
    found = next((line for line in listed if tag in (text(line) or "")), None)
    if found is None and any(text(line) is None and _is_recent(when(line)) for line in listed):
        raise Nameless(f"a new submission is listed without its {what}: it may be this one")
    return found


def _is_recent(when: str) -> bool:
    """Whether a time is of the last day; one that cannot be read may be."""
    try:
        told = datetime.datetime.fromisoformat(when)
    except ValueError:
        return True
    told = told if told.tzinfo else told.replace(tzinfo=datetime.UTC)
    return datetime.datetime.now(datetime.UTC) - told < datetime.timedelta(days=1)
