"""The harness that runs, packed as a wheel: for a machine that has no checkout and no network.

No build tool is needed, and the same files give the same bytes on any machine: nothing is compressed (zlib's output
differs between versions), times are fixed, and names are sorted. The wheel says nothing of what the harness depends on,
so pip fetches nothing.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

from harness import __version__
from harness.base.places.templates import IN_WHEEL, package_folder, templates, templates_root
from harness.base.storage.atomic_files import complete_file

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # no zip can say an earlier time
_SUFFIXES = (
    ".py",
    ".pyi",
    ".html",
    ".css",
    ".js",
    ".typed",
)  # what the package consists of; editors and interpreters leave other files there
_INFO = f"competition_harness-{__version__}.dist-info"
_METADATA = f"Metadata-Version: 2.1\nName: competition-harness\nVersion: {__version__}\nRequires-Python: >=3.11\n"
_WHEEL = "Wheel-Version: 1.0\nGenerator: competition-harness\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_COMMANDS = "[console_scripts]\nharness = harness.__main__:main\n"


def build_wheel(folder: Path) -> Path:
    """Pack the harness that runs, from a checkout or from where it is installed; returns the wheel's path in `folder`.

    A wheel of that name is written over. About 2 MB. Install it with pip install --no-deps --no-index.

    Raises
    ------
    UserError
        If the folder cannot be written.
    """
    files = {**_package(), **_templates()}
    files |= {f"{_INFO}/{name}": text.encode() for name, text in _about().items()}
    record = f"{_INFO}/RECORD"
    files[record] = (_record(files) + f"{record},,\n").encode()
    path = folder / f"competition_harness-{__version__}-py3-none-any.whl"
    with complete_file(path) as writing, zipfile.ZipFile(writing, "w", zipfile.ZIP_STORED) as packed:
        for name in (*sorted(files.keys() - {record}), record):  # RECORD comes last, as in every wheel
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # as on Unix, whatever made it
            packed.writestr(entry, files[name])
    return path


def _package() -> dict[str, bytes]:
    root = package_folder()
    paths = [path for path in root.rglob("*") if path.suffix in _SUFFIXES and path.is_file()]
    names = {path: path.relative_to(root) for path in paths}
    return {f"harness/{n.as_posix()}": path.read_bytes() for path, n in names.items() if n.parts[0] != IN_WHEEL}


def _templates() -> dict[str, bytes]:
    return {
        f"harness/{IN_WHEEL}/{slug}/{name}": (templates_root() / slug / name).read_bytes()
        for slug, names in templates().items()
        for name in names
    }


def _about() -> dict[str, str]:
    return {"METADATA": _METADATA, "WHEEL": _WHEEL, "entry_points.txt": _COMMANDS, "top_level.txt": "harness\n"}


def _record(files: dict[str, bytes]) -> str:
    """A line for each file: its name, digest and size (PEP 376)."""
    lines = []
    for name, content in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    return "".join(lines)
