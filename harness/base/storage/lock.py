"""One process at a time in a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from harness.base.errors import UserError
from harness.base.storage.atomic_files import explain_disk_errors


@contextlib.contextmanager
def alone_in(folder: Path, doing: str) -> Iterator[None]:
    """Keep other processes out of a folder, which is made where it is missing; the lock goes with the process, however it ends.

    doing : what another one does there, for the message: "is training this run"

    Raises
    ------
    UserError
        If another process is there now, or the folder cannot be written.
    """
    import filelock

    with explain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise UserError(f"{folder}: another process {doing} now. Wait for it, or stop it.") from error
    try:
        yield
    finally:
        lock.release()
