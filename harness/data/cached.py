"""python -m harness.data cache: what lies in the cache, how large it is, when it was last used; takes away what need not stay.

All of it can be made again: decoded images, features of frozen networks, timings, samples. What bears no name that the harness gives is
somebody else's, and never touched: the cache may lie in a folder that holds other things.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from harness.base.command import JsonOption, cache_root, new_app, user_command
from harness.base.errors import UserError, nearest
from harness.base.terminal import print_table
from harness.base.untrusted_text import plain

app = new_app()

EVERYTHING = "all"
_SHARED = ("features", "layouts", "unpacked")
"""Parts that are no competition's; that one is not there is no mistake of whoever names it."""
_OURS = re.compile(
    r"\.?(sample-[0-9a-f]+|(pooled-)?[0-9a-f]{16}(-stream)?)(\.zip|\.npz|\.json)?(\.manifest\.json)?"
    r"(\.part|\.lock|\.[0-9a-f]{12}\.tmp(\.\w+)*)?"
)
"""What the harness calls what it puts into a part: by a digest or a time of change, with what is beside it while it is made."""
_DAY = 24 * 3600.0


@dataclass(frozen=True)
class Part:
    """A folder of the cache: of a competition's images, of features, of timings.

    Attributes
    ----------
    name : of the folder; path : where it lies
    size : bytes that the harness's files take on the disk; used : when one of them was read or written last, seconds since 1970
    """

    name: str
    path: Path
    size: int
    used: float


def parts(root: Path) -> list[Part]:
    """What the harness has put into the cache, the largest first; links are not followed."""
    folders = [path for path in root.iterdir() if path.is_dir() and not path.is_symlink()] if root.is_dir() else []
    found = [_measured(path.name, path, ours) for path in folders if (ours := _ours(path))]
    return sorted(found, key=lambda part: (-part.size, part.name))


def unused(root: Path, names: Sequence[str], days: float) -> list[Part]:
    """Of the named parts ("all" = of every one) what was not used for so many days: a data set's images, the features of one network.

    Raises
    ------
    UserError
        If there is no part of such a name.
    """
    there = {part.name: part.path for part in parts(root)}
    if EVERYTHING not in names:
        for name in set(names) - set(_SHARED):
            if name not in there:
                known = ", ".join(map(plain, there)) or "nothing"
                raise UserError(f"--clear {name}: no such part of the cache{nearest(name, there)}; there are: {known}")
        there = {name: there[name] for name in names if name in there}
    before = time.time() - days * _DAY
    found = [_measured(f"{name}/{inner.name}", inner, [inner]) for name, path in there.items() for inner in _ours(path)]
    return [part for part in found if part.used <= before]


def clear(root: Path, names: Sequence[str], days: float = 0.0) -> list[Part]:
    """Take away what `unused` finds; returns it."""
    found = unused(root, names, days)
    for part in found:
        shutil.rmtree(part.path) if part.path.is_dir() else part.path.unlink(missing_ok=True)
    for path in {part.path.parent for part in found}:
        if not any(path.iterdir()):
            path.rmdir()
    return found


def _ours(part: Path) -> list[Path]:
    """What the harness has put into a part, by name."""
    return [path for path in sorted(part.iterdir()) if not path.is_symlink() and _OURS.fullmatch(path.name)]


def _measured(name: str, path: Path, holds: Sequence[Path]) -> Part:
    stats = [file.lstat() for inner in holds for file in _files(inner)]
    used = [max(stat.st_atime, stat.st_mtime) for stat in stats] or [path.lstat().st_mtime]
    return Part(name, path, sum(min(512 * stat.st_blocks, stat.st_size) for stat in stats), max(used))


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (inner for inner in path.rglob("*") if inner.is_file() or inner.is_symlink())
    else:
        yield path


@app.command()
@user_command
def main(
    clear_parts: Annotated[
        list[str] | None,
        typer.Option("--clear", help="Take this part away; repeat it. all: every one.", metavar="PART"),
    ] = None,
    days: Annotated[
        float,
        typer.Option("--older-than", min=0, help="With --clear: only what was not used for so long.", metavar="DAYS"),
    ] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Say what lies in the cache, how large it is and when it was used; --clear takes it away. A run makes anew what it lacks."""
    root = cache_root()
    if days and not clear_parts:
        raise UserError(f"--older-than {days:g}: says what --clear takes away; add --clear all, or a part's name")
    cleared = clear(root, clear_parts or [], days) if clear_parts else []
    left = parts(root)
    if as_json:
        told = [{"name": part.name, "bytes": part.size, "used": round(part.used)} for part in left]
        freed = [{"name": part.name, "bytes": part.size} for part in cleared]
        print(json.dumps({"cache": str(root), "parts": told, "cleared": freed}, indent=2))
        return
    if clear_parts:
        print(
            f"cleared: {_large(sum(part.size for part in cleared))} of {len(cleared):,} data sets, features and timings"
        )
    if left:
        rows = [[plain(part.name), _large(part.size), _ago(part.used)] for part in left]
        print_table(["part", "size", "used"], rows, left=1)
    print(f"cache: {root}, {_large(sum(part.size for part in left))}")


def _large(size: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:,.0f} {unit}"
        size /= 1024  # type: ignore[assignment]
    return f"{size:,.1f} GiB"


def _ago(used: float) -> str:
    days = (time.time() - used) / _DAY
    return "today" if days < 1 else "1 day ago" if days < 2 else f"{int(days):,} days ago"
