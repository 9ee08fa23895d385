"""A folder that the platform delivers packed (Kaggle's train.7z, a train.tar.gz), brought into a zip that can be read in place.

A 7z, as a packed tar, is one long compressed stream: its images cannot be read one by one. It is read once, from front to end, into an
uncompressed zip in the cache: one file instead of 300,000 small ones, nothing written outside it whatever names it holds. An HDF5
file is brought into one too: encoded images (a data set of bytes for each id, as ISIC 2024 has it) as their files, arrays as .npy; numpy's
.npz is a zip of such. A single file that is packed alone (labels.csv.gz) is read as if it lay there plain.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.base.command import cache_root
from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.base.storage.manifest import faults, manifest_beside, write_manifest
from harness.base.untrusted_text import plain

KINDS = (".7z", ".zip", ".npz", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".hdf5", ".h5", ".gz")
ZIPS = (".zip", ".npz")
"""Those that are zips already."""

_LARGEST_RATIO = 200
_ALWAYS_FINE = 256 * 2**20

Tick = Callable[[int, int], None]


def unpacked_zip(stamp: Any, open_packed: Callable[[], Any], kind: str, shown: str, tick: Tick) -> Path:
    """The zip in the cache that holds what a packed folder holds; made on first use.

    Parameters
    ----------
    stamp : what tells this packed folder from another, or from a changed one
    open_packed : gives a context manager of the packed file, open for reading bytes
    kind : one of KINDS
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
        copy = temporary if kind in ZIPS else temporary.with_name(temporary.name + kind)
        try:
            with open_packed() as packed, copy.open("wb") as file:
                shutil.copyfileobj(packed, file, 2**20)
            if kind not in ZIPS:
                repack(copy, temporary, shown, tick)
        finally:
            if copy != temporary:
                copy.unlink(missing_ok=True)
    write_manifest(sums, [target.name])
    return target


def repack(source: Path, target: Path, shown: str, tick: Tick) -> None:
    """Write the files of a 7z, a tar or a .gz, or what an HDF5 file holds, into an uncompressed zip, in a process of its own: a damaged
    index makes some of the libraries that unpack it write where they may not, and that ends the process.

    Raises
    ------
    UserError
        If it is damaged, encrypted, a bomb, or holds names that lead out of its folder.
    """
    command = [sys.executable, "-m", "harness.data.files.unpack", str(source), str(target), shown]
    search = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, encoding="utf-8", env={**os.environ, "PYTHONPATH": search}
    )
    told: dict[str, Any] = {}
    try:
        assert child.stdout is not None
        for line in child.stdout:
            told = json.loads(line)
            if "done" in told:
                tick(told["done"], told["of"])
        code = child.wait()
    finally:
        child.kill()
        child.wait()
    if "errno" in told:
        raise OSError(told["errno"], told["said"], told["file"])
    if "error" in told:
        raise UserError(told["error"])
    if code:
        raise UserError(damaged(shown, f"the process that read it ended with {signal_name(code)}"))


def signal_name(code: int) -> str:
    """A process's exit code in words."""
    try:
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        return f"exit code {code}"


def kind_of(name: str) -> str | None:
    """Which of KINDS a file's name ends in."""
    return next((kind for kind in KINDS if name.lower().endswith(kind)), None)


def damaged(shown: str, why: object) -> str:
    """What to say of a packed folder that cannot be read."""
    said = plain(str(why) or type(why).__name__, 200)
    ending = kind_of(shown) or ""
    kind = {".7z": "7z", ".npz": ".npz", ".gz": ".gz"}.get(ending, "tar" if ending.startswith(".t") else "HDF5 file")
    return f"{shown}: the {kind} is truncated, corrupt or not to be trusted ({said}). Download it again."


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
