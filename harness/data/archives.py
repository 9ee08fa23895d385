"""A competition's files, as they lie in a folder or in the zip that the platform delivers, read in place.

Nothing is ever unpacked, so nothing can be written outside a folder; what a zip declares about itself is checked before
it is read, and zipfile itself never hands out more bytes than declared.
"""

from __future__ import annotations

import contextlib
import functools
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from harness.base.errors import UserError

_LARGEST_RATIO = 200
_ALWAYS_FINE = 256 * 2**20


class FileTree:
    """Files by their relative POSIX name, in a folder or in a zip; a zip is opened and checked once.

    Attributes
    ----------
    path : the folder or the zip
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_zip(self) -> bool:
        return self.path.is_file()

    @functools.cached_property
    def archive(self) -> zipfile.ZipFile:
        """The zip, open; threads may read from it side by side."""
        return open_zip(self.path)

    @functools.cached_property
    def members(self) -> set[str]:
        """Names of all files in the zip and of all folders above them."""
        files = [i.filename for i in self.archive.infolist() if not i.is_dir()]
        above = {parent.as_posix() for name in files for parent in PurePosixPath(name).parents}
        return above.union(files)

    def names(self, under: str) -> list[str]:
        """Names of all files below a folder, sorted; hidden files and macOS's resource forks are left out."""
        if self.is_zip:
            found = [i.filename for i in self.archive.infolist() if not i.is_dir()]
            found = [name for name in found if name.startswith(f"{under}/")]
        else:
            found = [p.relative_to(self.path).as_posix() for p in (self.path / under).rglob("*") if p.is_file()]
        return sorted(name for name in found if not _is_hidden(name))

    def has(self, name: str) -> bool:
        """Whether there is such a file, or such a folder with something in it."""
        return name in self.members if self.is_zip else (self.path / name).exists()

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file for reading bytes."""
        if not self.is_zip:
            with (self.path / name).open("rb") as file:
                yield file
            return
        with explain_zip_errors(self.path, name), self.archive.open(name) as file:
            yield file

    def stamp(self, names: list[str]) -> list[tuple[str, int, int]]:
        """What tells a changed file from an unchanged one without reading it: (name, size, time of change in ns)."""
        paths = {self.path.name: self.path} if self.is_zip else {name: self.path / name for name in names}
        return [(name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in paths.items()]

    def show(self, name: str) -> str:
        """The file's place in words for a message."""
        return f"{self.path}:{name}" if self.is_zip else str(self.path / name)


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip and check it: no absolute or climbing names, no bomb.

    Raises
    ------
    UserError
        If the file is no zip, is cut off, or declares what a data set's zip would not.
    """
    with explain_zip_errors(path):
        archive = zipfile.ZipFile(path)
        _refuse_escapes(path, archive)
        _refuse_bomb(path, archive)
        return archive


@contextlib.contextmanager
def explain_zip_errors(path: Path, name: str = "") -> Iterator[None]:
    """Turn zipfile's errors into a `UserError` that names the file and the cure."""
    try:
        yield
    except NotImplementedError as error:
        raise UserError(f"{path}: {error}. Unpack it beside the zip.") from error
    except RuntimeError as error:  # zipfile's word for an encrypted member
        raise UserError(f"{path}: {error}. Unpack it beside the zip with its password.") from error
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        place = f"{path}:{name}" if name else str(path)
        raise UserError(f"{place}: the zip is truncated or corrupt ({error}). Download it again.") from error


def _refuse_escapes(path: Path, archive: zipfile.ZipFile) -> None:
    for info in archive.infolist():
        name = PurePosixPath(info.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or (name.parts and name.parts[0].endswith(":")):
            raise UserError(f"{path}: holds the name '{info.filename}', which leads out of its folder. Not read.")


def _refuse_bomb(path: Path, archive: zipfile.ZipFile) -> None:
    declared = sum(info.file_size for info in archive.infolist())
    if declared > max(_ALWAYS_FINE, _LARGEST_RATIO * path.stat().st_size):
        raise UserError(
            f"{path}: {path.stat().st_size:,} bytes would unpack to {declared:,}, more than {_LARGEST_RATIO} times as "
            "much. No data set does that: not read. If you trust it, unpack it yourself beside the zip."
        )


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) or part == "Thumbs.db" for part in name.split("/"))
