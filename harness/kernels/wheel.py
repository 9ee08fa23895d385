"""The harness as a wheel, made of the package as it lies here: the same files give the same bytes, and nothing is needed to make it."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import harness
from harness.base.storage.atomic_files import complete_file

_STAMP = (1980, 1, 1, 0, 0, 0)
_NAME = "competition_harness"


def build_wheel(folder: Path) -> Path:
    """Write the wheel into a folder; returns its path."""
    package = Path(harness.__file__).parent
    about = f"{_NAME}-{harness.__version__}.dist-info"
    files = {name: path.read_bytes() for name, path in _sources(package)}
    files[f"{about}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: competition-harness\nVersion: {harness.__version__}\nRequires-Python: >=3.11\n"
    ).encode()
    files[f"{about}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: harness\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{about}/entry_points.txt"] = b"[console_scripts]\nharness = harness.__main__:main\n"
    record = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    files[f"{about}/RECORD"] = "\n".join([*record, f"{about}/RECORD,,", ""]).encode()
    path = folder / f"{_NAME}-{harness.__version__}-py3-none-any.whl"
    write_zip(path, files)
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> None:
    """Write a zip whose bytes depend on nothing but names and contents."""
    with complete_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, _STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)


def _sources(package: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(package.rglob("*")):
        is_source = path.suffix in (".py", ".html", ".typed", ".toml", ".txt", ".md", ".json")
        if path.is_file() and is_source and "__pycache__" not in path.parts:
            yield path.relative_to(package.parent).as_posix(), path


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
