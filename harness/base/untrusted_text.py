"""Foreign text made plain: what a platform, a file or a stranger's program said, before a terminal, a log or a page shows it.

`plain` is for the door where such text comes in: one line, whatever it was. `harness.base.terminal` stands at the other end: nothing that can
steer a terminal, hide or reorder text leaves the harness, wherever it came from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_BREAKS = re.compile("[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, ESC among them; tab and newline are judged apart
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # unseen, and changes of direction
    "\ud800-\udfff\U000e0000-\U000e007f]"  # halves of a pair, which cannot be encoded; unseen tags
)


def plain(text: object, longest: int = 2000) -> str:
    """One line of text that shows what it holds: line breaks are spaces, what steers a terminal or hides is written out.

    >>> plain("ok\\r\\nerror: \\x1b[31mpay\\u202e")
    'ok error: \\\\x1b[31mpay\\\\u202e'
    """
    line = shown(_BREAKS.sub(" ", str(text)).replace("\t", " "))
    return line if len(line) <= longest else line[:longest] + " ..."


def shown(text: str) -> str:
    """The text with its line breaks and tabs; everything else that could steer a terminal is written out as an escape."""
    return _UNSAFE.sub(_written_out, text)


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names with commas between, on one plain line; of many the first, and how many there are."""
    shown_names = plain(", ".join(names[:most]), 1000)
    return shown_names if len(names) <= most else f"{shown_names}, ... ({len(names):,} in all)"


def counted(n: int, what: str, several: str = "") -> str:
    """How many of something there are.

    >>> counted(1, "image"), counted(1200, "image"), counted(2, "class", "classes")
    ('1 image', '1,200 images', '2 classes')
    """
    return f"{n:,} {what if n == 1 else several or what + 's'}"


def is_plain(text: str) -> bool:
    """Whether a text is one line that `plain` would leave as it is."""
    return not (_UNSAFE.search(text) or _BREAKS.search(text) or "\t" in text)


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")
