"""Names of files and what tables call them: compared in one Unicode form, matched only where there is no choice.

macOS writes an accented letter as two characters (NFD), most CSVs as one (NFC): names are compared in NFC and keep their own spelling.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from harness.base.errors import UserError
from harness.base.untrusted_text import is_plain, plain

BETWEEN = "\x1f"
"""Between the parts of what tells a row from the others, where that is several cells; a blank in messages."""

Way = Callable[[str], str]
"""From a file's path below its folder to what a table may call it."""


def nfc(name: str) -> str:
    """The name in Unicode's composed form; ASCII is not touched."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


_ONE_ENDING = {"jpeg": "jpg", "tiff": "tif"} | {
    ending: ending for ending in ("jpg", "png", "tif", "bmp", "gif", "webp", "dcm", "npy")
}


def alike(name: str) -> str:
    """The name in NFC with its image's ending in lower case, one for what has two: 'a.JPG' and 'a.jpeg' are 'a.jpg'."""
    head, dot, ending = nfc(name).rpartition(".")
    one = _ONE_ENDING.get(ending.lower())
    return f"{head}{dot}{one}" if dot and one and one != ending else nfc(name)  # no copy: sets of millions are kept


def stem(path: str) -> str:
    """'a/1.png' is '1'."""
    return PurePosixPath(path).stem


def base(path: str) -> str:
    """'a/1.png' is '1.png'."""
    return PurePosixPath(path).name


def whole(path: str) -> str:
    """'a/1.png' is 'a/1.png'."""
    return path


def without_ending(path: str) -> str:
    """'a/1.png' is 'a/1'."""
    return PurePosixPath(path).with_suffix("").as_posix()


NAMES: tuple[Way, ...] = (stem, base)
PATHS: tuple[Way, ...] = (without_ending, whole)
"""What ids may be: names without ending or with it; paths, where any has a folder in it."""


def leading_folders(paths: Sequence[str]) -> list[str]:
    """What all paths begin with, the shortest first: of '/home/bob/a/1.png' and '/home/bob/b/2.png' '/', '/home/', '/home/bob/'.

    Tables that were written on another machine name images by such paths.
    """
    if not paths:
        return []
    first, last = min(paths), max(paths)
    same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return [first[: n + 1] for n in range(same) if first[n] == "/"]


def number_width(paths: Iterable[str]) -> int | None:
    """How many digits the files' names have that are numbers; None where some have more than others, or none is a number."""
    widths = {len(name) for path in paths if (name := stem(path)).isdecimal()}
    return widths.pop() if len(widths) == 1 else None


def other_spellings(ids: Sequence[str], width: int | None) -> Iterator[list[str]]:
    """How a table may have meant ids that are not all files' names: paths of another machine without the folders that all begin with, as
    few as it takes; numbers that lost their leading zeros, as wide as the files' names.

    width : of files' names, see `number_width`
    """
    for leading in leading_folders(ids):
        yield [i.removeprefix(leading) for i in ids]
    if width is not None and all(map(str.isdecimal, ids)):
        yield [i.zfill(width) for i in ids]


class Lookup:
    """Files by what a table calls them.

    Parameters
    ----------
    paths : of the files below their folder; shown : of each of them, in words for a message
    """

    def __init__(self, paths: Sequence[str], shown: Callable[[int], str]) -> None:
        self.paths, self.shown = paths, shown

    def way_of(self, ids: Iterable[str]) -> Way:
        """The way that finds the most of these ids."""
        wanted = {alike(i) for i in ids}
        ways = PATHS if any("/" in i for i in wanted) else NAMES
        return max(ways, key=lambda way: len(wanted.intersection(alike(way(p)) for p in self.paths)))

    @functools.cached_property
    def width(self) -> int | None:
        """Of the names that are numbers, see `number_width`."""
        return number_width(self.paths)

    def known(self, ids: Iterable[str]) -> int:
        """How many of these ids name a file."""
        wanted = [alike(i) for i in ids]
        way = self.way_of(wanted)
        return len({alike(way(p)) for p in self.paths}.intersection(wanted))

    def rows(self, ids: Sequence[str], way: Way, where: str) -> list[int | None]:
        """For each id the number of its file; None where there is none.

        Raises
        ------
        UserError
            If two files answer to one id (names both).
        """
        by_name: dict[str, list[int]] = {}
        by_alike: dict[str, list[int]] = {}
        for number, path in enumerate(self.paths):
            by_name.setdefault(nfc(way(path)), []).append(number)
            by_alike.setdefault(alike(way(path)), []).append(number)
        rows: list[int | None] = []
        for i in ids:
            found = by_name.get(nfc(i)) or by_alike.get(alike(i), [])
            if len(found) > 1:
                raise UserError(
                    f"{where}: id '{i}' may be {self.shown(found[0])} or {self.shown(found[1])}"
                    f"{f' or one of {len(found) - 2} more' if len(found) > 2 else ''}. Take one away, or write the id as the "
                    f"path below the folder, e.g. '{self.paths[found[0]]}'."
                )
            rows.append(found[0] if found else None)
        return rows


def refuse_duplicate_ids(ids: Sequence[str], where: str, rows: Sequence[int] | None = None) -> None:
    """Refuse two ids that are one in NFC.

    rows : of each id the number of its row in the file, counted from 0, where not every row of it has one

    Raises
    ------
    UserError
        Names the id and both rows.
    """
    first: dict[str, int] = {}
    for row, i in zip(range(len(ids)) if rows is None else rows, ids, strict=True):
        name = nfc(i)
        if name in first:
            twice = len(ids) - len(set(map(nfc, ids)))
            more = f" ({twice:,} rows repeat an id)" if twice > 1 else ""
            raise UserError(
                f"{where}: id '{plain(i.replace(BETWEEN, ' '), 200)}' stands in row {first[name] + 1} and in row {row + 1}. Take one out{more}."
            )
        first[name] = row


def check_ids(ids: list[str], where: str) -> None:
    """Refuse ids that stand twice, are empty or cannot be printed (UserError)."""
    refuse_duplicate_ids(ids, where)
    odd = next((row for row, i in enumerate(ids) if not i or not is_plain(i)), None)
    if odd is not None:
        raise UserError(f"{where}: row {odd + 1}: id {plain(ids[odd], 80)!r} is empty or has unprintable characters")
