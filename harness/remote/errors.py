"""What a call may end in besides an answer; each says whether anything can have been spent."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Refused(Exception):
    """The platform does not take it, for a reason; nothing was spent.

    status : of the HTTP answer, None where there was none
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class Unreachable(Exception):
    """No answer, or none that makes sense, before anything was spent."""


class TryLater(Unreachable):
    """Too many calls (429)."""


class NoCredentials(Unreachable):
    """There is nothing to prove who is asking, or it is not known there; says where to put it. Nothing was called."""


class Unclear(Exception):
    """The final call ended in anything but a clear success: the submission may be there or not, whatever the answer says.

    said_no : the platform answered that it does not take it (4xx). Only its list can tell whether that is so
    later : it may be tried again (429), once the list has told
    """

    def __init__(self, text: str, said_no: bool = False, later: bool = False) -> None:
        super().__init__(text)
        self.said_no, self.later = said_no, later


class OddAnswer(Unreachable):
    """An answer of another shape than the platform's: nothing can be concluded from it."""


class Nameless(OddAnswer):
    """A new line of a list comes without what it would be known by: it may be the one that is looked for, or anybody's."""


def odd_answers(call: Callable[P, T]) -> Callable[P, T]:
    """Whatever trips over an answer's shape says so, and what the call was, instead of ending the program."""

    @functools.wraps(call)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
            name = call.__name__.strip("_")
            raise OddAnswer(f"'{name}' was answered in a shape that makes no sense ({type(error).__name__})") from error

    return guarded


def final(call: Callable[[], T]) -> T:
    """A call that must not be repeated: whatever is no clear success is Unclear, a 4xx too, which may follow work that was done."""
    try:
        return call()
    except NoCredentials:
        raise
    except (Refused, Unreachable) as error:
        later = isinstance(error, TryLater)
        raise Unclear(str(error.args[0]), isinstance(error, Refused) or later, later) from error
