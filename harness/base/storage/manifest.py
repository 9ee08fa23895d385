"""Checksums of what is written once and read back: a manifest names each file with its size and SHA-256, and seals itself.

It is written last, so it also marks what it names as complete. Who reads the files asks `faults` first; what is done about one (made
again, restored, refused) is the reader's business.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.base.storage.atomic_files import complete_file, write_json

MANIFEST = "manifest.json"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(path: Path, names: Iterable[str]) -> None:
    """Write `path`, the manifest of files named relative to its folder; all must be there."""
    _write(path, {name: _entry(path.parent / name) for name in sorted(names)})


@contextlib.contextmanager
def sealed_file(path: Path) -> Iterator[Path]:
    """As `complete_file`, and its manifest beside it, which is written first: what a kill leaves in between is seen as damaged."""
    with complete_file(path) as temporary:
        yield temporary
        _write(manifest_beside(path), {path.name: _entry(temporary)})


def _entry(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _write(path: Path, files: dict[str, dict[str, Any]]) -> None:
    write_json(path, {"files": files, "seal": _seal(files)})


def read_manifest(path: Path) -> dict[str, dict[str, Any]] | None:
    """{"name": {"bytes", "sha256"}} of a manifest; None where it is not there or not as it was written."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        files = told["files"]
        return files if told["seal"] == _seal(files) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def faults(path: Path, names: Iterable[str] | None = None) -> list[str]:
    """What is wrong with the files of a manifest (or with those of them that are named), in words; [] where nothing is."""
    files = read_manifest(path)
    if files is None:
        return [f"{path.name} is {'damaged' if path.exists() else 'not there'}"]
    wanted = files if names is None else list(names)
    found = [_fault(path.parent / name, name, files.get(name)) for name in wanted]
    return [fault for fault in found if fault]


def manifest_beside(path: Path) -> Path:
    """Where the manifest of a single file lies."""
    return path.with_name(f"{path.name}.{MANIFEST}")


def _fault(path: Path, name: str, told: dict[str, Any] | None) -> str:
    if told is None:
        return f"{name} is not in the manifest" if path.exists() else ""
    try:
        size = path.stat().st_size
        if size != told["bytes"]:
            return f"{name} has {size:,} bytes instead of {told['bytes']:,}"
        return "" if sha256_of(path) == told["sha256"] else f"{name} is not what was written (checksum)"
    except FileNotFoundError:
        return f"{name} is not there"
    except OSError as error:
        return f"{name} cannot be read ({error.strerror})"


def _seal(files: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
