"""Files that are complete or absent."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.untrusted_text import plain

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{12}\.tmp")
_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_OTHER_KIND = {
    errno.ENOTDIR: "is a file or lies below one, where a folder is wanted",
    errno.EISDIR: "is a folder, where a file is wanted",
}


@contextlib.contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well, remove it when it does not.

    A reader therefore sees the old file or the whole new one. The bytes reach the disk before the rename, so the
    promise holds after a power cut too.

    Raises
    ------
    UserError
        If the disk is full or the folder may not be written.
    """
    path = Path(path)
    temporary = _temporary(path)
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def complete_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder; rename it to `path` when the block ends well. Where another process was first, its stays."""
    path = Path(path)
    temporary = _temporary(path)
    with explain_disk_errors(path):
        _sweep(path)
        try:
            temporary.mkdir(parents=True)
            yield temporary
            with contextlib.suppress(OSError):
                temporary.rename(path)
            if not path.is_dir():
                raise OSError(errno.EIO, "the finished folder could not be put in place", str(path))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def resumable_folder(path: Path) -> Iterator[Path | None]:
    """Give the folder .<name>.part beside `path`, with what a killed builder left in it; rename it when the block ends well.

    One process builds at a time, others wait; one that finds `path` finished meanwhile gets None. What was built is kept
    when the block fails, but for a full disk, which it would keep full.
    """
    import filelock

    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    with explain_disk_errors(path):
        part.parent.mkdir(parents=True, exist_ok=True)
        _sweep_parts(path.parent)
        with filelock.FileLock(path.with_name(f".{path.name}.lock")):
            if path.is_dir():
                yield None
                return
            try:
                part.mkdir(exist_ok=True)
                yield part
                part.rename(path)
            except OSError as error:
                if error.errno in _FULL:
                    shutil.rmtree(part, ignore_errors=True)
                raise


def remove_folder(path: Path) -> None:
    """Remove a folder so that no other process ever sees half of it; what it has mapped of it stays readable."""
    away = _temporary(path)
    with explain_disk_errors(path):
        with contextlib.suppress(FileNotFoundError):
            path.rename(away)
        shutil.rmtree(away, ignore_errors=True)


def _sweep_parts(folder: Path, older_than: float = 7 * 86_400) -> None:
    """Remove unfinished folders that nobody has gone on with for a week."""
    for left in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > older_than:
                shutil.rmtree(left)


def _temporary(path: Path) -> Path:
    """A name beside `path` that no other process has, on this machine or on another that shares the disk."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")


def _sweep(path: Path, older_than: float = 86_400) -> None:
    """Remove what killed builders of this folder left behind a day ago or earlier."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > older_than:
                shutil.rmtree(left)


@contextlib.contextmanager
def explain_disk_errors(path: Path) -> Iterator[None]:
    """Turn a full or read-only disk into a `UserError` that names the place and the cure."""
    try:
        yield
    except OSError as error:
        place = _named(error.filename, path)
        if error.errno in _FULL:
            place = _named(error.filename, _fullest(path))
            raise UserError(
                f"{place}: the disk is full. Nothing that was finished is lost: free some space, then run the same "
                "command again (harness.cv: with --resume). Or write elsewhere: --out DIR, HARNESS_CACHE for the cache."
            ) from error
        if error.errno in _OTHER_KIND:
            raise UserError(
                f"{place}: {_OTHER_KIND[error.errno]}. Move it away, or name another place (--out DIR, --data DIR, the keys of competition.toml)."
            ) from error
        if error.errno in _DENIED:
            raise UserError(
                f"{place}: may not be read or written ({error.strerror}). Change its permissions, or work in a "
                "place of your own: --out DIR (saved runs are looked for there: copy oof/ and submissions/ into it), HARNESS_CACHE for the "
                "cache."
            ) from error
        raise


def _named(filename: Any, path: Path) -> Any:
    """The place that an error is about; a temporary file stands for the one that it becomes."""
    if filename is None:
        return path
    inner = _TEMPORARY.fullmatch(Path(os.fsdecode(filename)).name) if not isinstance(filename, int) else None
    return Path(os.fsdecode(filename)).with_name(inner[1]) if inner else filename


def _fullest(path: Path) -> Path:
    """Of the place that is known and those that are written to on the side (the cache, temporary files): the one without room."""
    places = [path, Path(tempfile.gettempdir())]
    with contextlib.suppress(RuntimeError):
        places.append(Path(os.environ.get("HARNESS_CACHE") or Path.home() / ".cache"))
    free = []
    for place in places:
        there = next((p for p in (place, *place.parents) if p.exists()), place)
        with contextlib.suppress(OSError):
            free.append((shutil.disk_usage(there).free, place))
    if not free or shutil.disk_usage(next(p for p in (path, *path.parents) if p.exists())).free < 1 << 20:
        return path
    return min(free, key=lambda pair: pair[0])[1]


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, complete or not at all."""
    with complete_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, complete or not at all; NaN is refused, since strict readers do not take it."""
    write_text(path, dump_json(value))


def dump_json(value: Any) -> str:
    """Indented JSON, as `write_json` writes it."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def read_json(path: Path) -> Any:
    """Read a JSON file of ours.

    Raises
    ------
    UserError
        If the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: not there. The folder is incomplete; copy it again or repeat the run.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: not valid JSON ({plain(error, 200)}). Copy the file again or repeat the run."
        ) from error
