"""A folder that the platform delivers packed (Kaggle's train.7z), brought into a zip that can be read in place.

A 7z is one long compressed stream: its images cannot be read one by one. It is read once, from front to end, into an
uncompressed zip in the cache: one file instead of 300,000 small ones, nothing written outside it whatever names it holds.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.base.command import cache_root
from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.base.storage.damage import is_of_content
from harness.base.storage.manifest import faults, manifest_beside, write_manifest
from harness.base.untrusted_text import plain

KINDS = (".7z", ".zip")

_LARGEST_RATIO = 200
_ALWAYS_FINE = 256 * 2**20

Tick = Callable[[int, int], None]


def unpacked_zip(stamp: Any, open_packed: Callable[[], Any], kind: str, shown: str, tick: Tick) -> Path:
    """The zip in the cache that holds what a packed folder holds; made on first use.

    Parameters
    ----------
    stamp : what tells this packed folder from another, or from a changed one
    open_packed : gives a context manager of the packed file, open for reading bytes
    kind : ".7z" or ".zip"
    shown : its place in words for a message
    tick : told (files done, files in all)

    Raises
    ------
    UserError
        If it is damaged, encrypted, a bomb, or holds names that lead out of its folder.
    """
    digest = hashlib.sha256(repr(stamp).encode()).hexdigest()[:16]
    target = cache_root() / "unpacked" / f"{digest}.zip"
    sums = manifest_beside(target)
    if target.is_file() and not faults(sums):
        return target
    with complete_file(target) as temporary:
        copy = temporary if kind == ".zip" else temporary.with_name(temporary.name + ".7z")
        try:
            with open_packed() as packed, copy.open("wb") as file:
                shutil.copyfileobj(packed, file, 2**20)
            if kind == ".7z":
                repack(copy, temporary, shown, tick)
        finally:
            if copy != temporary:
                copy.unlink(missing_ok=True)
    write_manifest(sums, [target.name])
    return target


def repack(source: Path, target: Path, shown: str, tick: Tick) -> None:
    """Write the files of a 7z into an uncompressed zip, in the order in which they lie in it.

    Raises
    ------
    UserError
        If it is damaged, encrypted, a bomb, or holds names that lead out of its folder.
    """
    import py7zr
    from py7zr.exceptions import PasswordRequired

    try:
        with py7zr.SevenZipFile(source) as packed, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
            entries = [entry for entry in packed.list() if not entry.is_directory]
            limit = refuse_bomb(sum(entry.uncompressed for entry in entries), source.stat().st_size, shown)
            packed.extractall(factory=_zip_writer(file, limit, len(entries), tick))
            there = len(file.namelist())
    except UserError:
        raise
    except PasswordRequired as error:
        raise UserError(f"{shown}: the 7z is encrypted. Unpack it beside the archive, with its password.") from error
    except OSError as error:
        if not is_of_content(error):
            raise
        raise UserError(_damaged(shown, error)) from error
    except Exception as error:  # py7zr raises whatever it trips over in a damaged file
        raise UserError(_damaged(shown, error)) from error
    if there != len(entries):
        raise UserError(f"{shown}: the 7z declares {len(entries):,} files and holds {there:,}. Download it again.")


def _damaged(shown: str, error: Exception) -> str:
    said = plain(str(error) or type(error).__name__, 200)
    return f"{shown}: the 7z is truncated, corrupt or not to be trusted ({said}). Download it again."


def refuse_bomb(declared: int, packed: int, shown: str) -> int:
    """The bytes that an archive of so many declares, where that is believable of a data set.

    Raises
    ------
    UserError
        If it is more than 200 times as much.
    """
    if declared > max(_ALWAYS_FINE, _LARGEST_RATIO * packed):
        raise UserError(
            f"{shown}: {packed:,} bytes would unpack to {declared:,}, more than {_LARGEST_RATIO} times as much. No data "
            "set does that: not read. If you trust it, unpack it yourself beside the archive."
        )
    return declared


def _zip_writer(file: zipfile.ZipFile, limit: int, n_files: int, tick: Tick) -> Any:
    """What py7zr hands the bytes of each member to; it closes a member before it begins the next of a stream."""
    from py7zr.io import Py7zIO, WriterFactory

    lock, written, done = threading.Lock(), 0, 0

    class Member(Py7zIO):
        def __init__(self, name: str) -> None:
            self.name, self.content = name, bytearray()

        def write(self, s: bytes | bytearray) -> int:
            nonlocal written
            written += len(s)
            if written > limit:
                raise ValueError(f"it holds more than the {limit:,} bytes that it declares")
            self.content += s
            return len(s)

        def read(self, size: int | None = None) -> bytes:
            return bytes(self.content[:size])

        def seek(self, offset: int, whence: int = 0) -> int:
            return offset

        def flush(self) -> None:
            pass

        def size(self) -> int:
            return len(self.content)

        def close(self) -> None:
            nonlocal done
            with lock:  # streams of one archive are read side by side
                file.writestr(self.name, bytes(self.content))
                done += 1
                tick(done, n_files)
            self.content = bytearray()

    class Factory(WriterFactory):
        def create(self, filename: str) -> Py7zIO:
            return Member(filename)

    return Factory()
