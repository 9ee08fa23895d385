"""What a call may end in besides an answer; each says whether anything can have been spent."""

from __future__ import annotations


class Refused(Exception):
    """The platform does not take it, for a reason; nothing was spent."""


class Unreachable(Exception):
    """No answer, or none that makes sense, before anything was spent."""


class TryLater(Unreachable):
    """Too many calls (429): nothing was done, not even by the final one."""


class NoCredentials(Unreachable):
    """There is nothing to prove who is asking, or it is not known there; says where to put it. Nothing was called."""


class Unclear(Exception):
    """The final call ended without a clear answer: the submission may be there or not."""
