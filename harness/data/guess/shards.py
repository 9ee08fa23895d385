"""Files that are parts of one table: the shards of Parquet and TFRecord, told by their names, as one pattern."""

from __future__ import annotations

import fnmatch
import glob
import itertools
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from harness.data.files.embedded import is_embedding, is_tfrecord

_OF = re.compile(r"-\d+-of-\d+(-[0-9a-f]{8,})?(?=\.parquet$|$)", re.I)
_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")
_LEAST_SIDE = 192


def as_patterns(names: Sequence[str]) -> list[str]:
    """The names, those of one table's parts as a pattern that matches them and nothing else.

    Parts are Parquet files that say so ('train-00000-of-00002.parquet', also with a hash) or are called by numbers alone ('0000.parquet'),
    and TFRecords that differ by numbers alone, beside each other.
    """
    parts: dict[str, list[str]] = {}
    others = []
    for name in names:
        if (key := _of_one_table(name)) is None:
            others.append(name)
        else:
            parts.setdefault(key, []).append(name)
    found = [pattern for group in parts.values() for pattern in _pattern(group, names)]
    return [*others, *found]


def _of_one_table(name: str) -> str | None:
    """What the names of a table's parts have in common; None of what is no part."""
    path = PurePosixPath(name)
    if is_tfrecord(name):
        return str(path.with_name(re.sub(r"\d+", "#", path.name)))
    if not is_embedding(name):
        return None
    if _OF.search(path.name):
        return str(path.with_name(_OF.sub("", path.name)))
    return str(path.with_name("#.parquet")) if re.fullmatch(r"\d{4,}\.parquet", path.name, re.I) else None


def _pattern(group: Sequence[str], names: Sequence[str]) -> list[str]:
    """The shortest pattern that matches just these names; the names themselves where none does."""
    if len(group) == 1:
        return list(group)
    folder, ending = PurePosixPath(group[0]).parent, _ending(group[0])
    files = [PurePosixPath(name).name for name in group]
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*files, strict=False))
    begin = re.sub(r"[-_.\d]*$", "", "".join(letters[0] for letters in alike))
    digits = [re.split(r"(\d+)", file) for file in files]
    same = [len(set(pieces)) == 1 for pieces in zip(*digits, strict=False)]
    exact = "".join(glob.escape(piece) if s else "[0-9]*" for piece, s in zip(digits[0], same, strict=False))
    for tried in (f"{glob.escape(begin)}-*{ending}", f"{glob.escape(begin)}*{ending}", exact):
        pattern = (folder / tried).as_posix()
        if sorted(n for n in names if _is_like(n, pattern)) == sorted(group):
            return [pattern]
    return list(group)


def _is_like(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)


def _ending(name: str) -> str:
    """'.parquet', '.tfrec', or what stands for '.tfrecord-00000-of-00008'."""
    return re.sub(r"-\d+-of-\d+$", "-*", PurePosixPath(name).suffix)


def of_one_size(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names without those that are the same in another size ('jpeg-512x512/train' beside 'jpeg-192x192/train'), and these.

    Taken are those of the least side from 192 on, else the largest.
    """
    alike: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        sides = [int(side) for size in _SIZE.findall(name) for side in size]
        alike.setdefault(_SIZE.sub("#x#", name), []).append((max(sides, default=0), name))
    sizes = sorted({size for group in alike.values() if len(group) > 1 for size, _ in group})
    wanted = min([size for size in sizes if size >= _LEAST_SIDE] or sizes[-1:], default=0)
    aside = [name for group in alike.values() if len(group) > 1 for size, name in group if size != wanted]
    return [name for name in names if name not in set(aside)], aside
