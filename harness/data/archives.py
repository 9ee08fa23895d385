"""A competition's files, as they lie in a folder or in the zip that the platform delivers, read in place.

Nothing is ever unpacked, so nothing can be written outside a folder; what a zip declares about itself is checked before
it is read, and zipfile itself never hands out more bytes than declared.
"""

from __future__ import annotations

import contextlib
import functools
import lzma
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from harness.base.errors import UserError
from harness.data.packed import KINDS as PACKED_KINDS
from harness.data.packed import refuse_bomb, unpacked_zip


class FileTree:
    """Files by their relative POSIX name, in a folder or in a zip; a zip is opened and checked once.

    A folder that is not there but lies packed beside its place ('train.7z' or 'train.zip' for 'train/1.png') is read as
    if it were; a zip in place, all others are brought into the cache when the first file is asked for (see `packed`).

    Attributes
    ----------
    path : the folder or the zip
    tick : told (files done, files in all) while a packed folder is brought into the cache
    """

    def __init__(self, path: Path, tick: Callable[[int, int], None] = lambda done, total: None) -> None:
        self.path, self.tick = path, tick
        self._packed: dict[str, FileTree] = {}
        self._lock = threading.Lock()

    @property
    def is_zip(self) -> bool:
        return self.path.is_file()

    @functools.cached_property
    def archive(self) -> zipfile.ZipFile:
        """The zip, open; threads may read from it side by side."""
        return open_zip(self.path)

    @functools.cached_property
    def files(self) -> set[str]:
        """Names of all files in the zip."""
        return {i.filename for i in self.archive.infolist() if not i.is_dir()}

    @functools.cached_property
    def members(self) -> set[str]:
        """Names of all files in the zip and of all folders above them."""
        above = {parent.as_posix() for name in self.files for parent in PurePosixPath(name).parents}
        return above.union(self.files)

    def names(self, under: str) -> list[str]:
        """Names of all files below a folder, sorted; hidden files and macOS's resource forks are left out."""
        packed = self._packed_above(under)
        if packed:
            inner, prefix = self._inside(packed)
            found = [f"{prefix}{name}" for name in inner.files]
        elif self.is_zip:
            found = list(self.files)
        else:
            found = [p.relative_to(self.path).as_posix() for p in (self.path / under).rglob("*") if p.is_file()]
        return sorted(name for name in found if name.startswith(f"{under}/") and not _is_hidden(name))

    def has(self, name: str) -> bool:
        """Whether there is such a file, or such a folder with something in it."""
        return self._has_plain(name) or self._packed_above(name) is not None

    def is_packed(self, name: str) -> bool:
        """Whether this folder or file lies in a packed one."""
        return self._packed_above(name) is not None

    def _has_plain(self, name: str) -> bool:
        return name in self.members if self.is_zip else (self.path / name).exists()

    def _packed_above(self, name: str) -> str | None:
        """The packed file that holds `name`: 'train.7z' for 'train/1.png'; None where `name` lies plain or nowhere."""
        if self._has_plain(name):
            return None
        path = PurePosixPath(name)
        folders = [path, *path.parents][:-1]
        packed = (f"{folder}{kind}" for folder in folders for kind in PACKED_KINDS)
        return next((p for p in packed if self._has_plain(p)), None)

    def _inside(self, packed: str) -> tuple[FileTree, str]:
        """The tree of a packed folder, and what its names lack of ours: '' where they begin with the folder's own name."""
        folder, kind = packed.rsplit(".", 1)
        with self._lock:
            if packed not in self._packed and kind == "zip" and not self.is_zip:
                self._packed[packed] = FileTree(self.path / packed)  # read in place
            if packed not in self._packed:
                stamp = [*self.stamp([packed]), packed, str(self.path.resolve())]
                zipped = unpacked_zip(stamp, lambda: self.open(packed), f".{kind}", self.show(packed), self.tick)
                self._packed[packed] = FileTree(zipped)
        inner = self._packed[packed]
        above, _, own = folder.rpartition("/")
        return inner, (f"{above}/" if above else "") if own in inner.members else f"{folder}/"

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file for reading bytes."""
        packed = self._packed_above(name)
        if packed:
            inner, prefix = self._inside(packed)
            with inner.open(name.removeprefix(prefix)) as file:
                yield file
            return
        if not self.is_zip:
            with (self.path / name).open("rb") as file:
                yield file
            return
        with explain_zip_errors(self.path, name), self.archive.open(name) as file:
            yield file

    def stamp(self, names: list[str]) -> list[tuple[str, int, int]]:
        """What tells a changed file from an unchanged one without reading it: (name, size, time of change in ns)."""
        names = [self._packed_above(name) or name for name in names]
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
        refuse_bomb(sum(info.file_size for info in archive.infolist()), path.stat().st_size, str(path))
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
    except (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, UnicodeDecodeError) as error:
        place = f"{path}:{name}" if name else str(path)
        raise UserError(f"{place}: the zip is truncated or corrupt ({error}). Download it again.") from error
    except OSError as error:
        if error.errno is not None:
            raise  # of the disk; bz2 says nothing else of a damaged stream
        place = f"{path}:{name}" if name else str(path)
        raise UserError(f"{place}: the zip is truncated or corrupt ({error}). Download it again.") from error


def _refuse_escapes(path: Path, archive: zipfile.ZipFile) -> None:
    for info in archive.infolist():
        name = PurePosixPath(info.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or (name.parts and name.parts[0].endswith(":")):
            raise UserError(f"{path}: holds the name '{info.filename}', which leads out of its folder. Not read.")


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) or part == "Thumbs.db" for part in name.split("/"))
