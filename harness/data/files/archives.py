"""A competition's files, as they lie in a folder or in the zip that the platform delivers, read in place.

Nothing is ever unpacked, so nothing can be written outside a folder; what a zip declares about itself is checked before
it is read, and zipfile itself never hands out more bytes than declared.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import lzma
import os
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from harness.base.errors import UserError
from harness.base.storage.damage import is_of_content
from harness.base.untrusted_text import plain
from harness.data.files.names import nfc
from harness.data.files.packed import KINDS as PACKED_KINDS
from harness.data.files.packed import ZIPS, kind_of, refuse_bomb, unpacked_zip


class FileTree:
    """Files by their relative POSIX name, in a folder or in a zip; a zip is opened and checked once.

    A folder that is not there but lies packed beside its place ('train.7z' or 'train.zip' for 'train/1.png') is read as
    if it were; a zip in place, all others are brought into the cache when the first file is asked for (see `packed`).
    Names are found in whichever Unicode form they are written; a zip's '\\' and './' are read as they are meant.

    Attributes
    ----------
    path : the folder or the zip
    tick : told (files done, files in all) while a packed folder is brought into the cache
    top : the one folder in which everything lies in the zip, where names are given below it; else ""
    """

    def __init__(self, path: Path, tick: Callable[[int, int], None] = lambda done, total: None, top: str = "") -> None:
        self.path, self.tick, self.top = path, tick, top
        self._packed: dict[str, FileTree] = {}
        self._lock = threading.Lock()

    @property
    def is_zip(self) -> bool:
        """Whether the files lie in a zip."""
        return self.path.is_file()

    @functools.cached_property
    def archive(self) -> zipfile.ZipFile:
        """The zip, open; threads may read from it side by side."""
        return open_zip(self.path)

    @functools.cached_property
    def entries(self) -> dict[str, zipfile.ZipInfo]:
        """The zip's files by their names as they are meant, below `top`."""
        return entries_of(self.archive, str(self.path), self.top)

    @functools.cached_property
    def files(self) -> set[str]:
        """Names of all files in the zip."""
        return set(self.entries)

    @functools.cached_property
    def members(self) -> set[str]:
        """Names of all files in the zip and of all folders above them."""
        above = {parent.as_posix() for name in self.files for parent in PurePosixPath(name).parents}
        return above.union(self.files)

    @functools.cached_property
    def _spelling(self) -> dict[str, str]:
        """How the zip writes what is asked for in another Unicode form."""
        return {nfc(name): name for name in self.members if not name.isascii()}

    def names(self, under: str) -> list[str]:
        """Names of all files below a folder, sorted; hidden files and macOS's resource forks are left out.

        Raises
        ------
        UserError
            If a folder or a link cannot be followed (names it).
        """
        if under == ".":
            everything = self.files if self.is_zip else walk(self.path, "")
            return sorted(name for name in (n.removeprefix("/") for n in everything) if not is_hidden(name))
        packed = self._packed_above(under)
        if packed:
            inner, prefix = self._inside(packed)
            found = [f"{prefix}{name}" for name in inner.files]
        elif self.is_zip:
            found = list(self.files)
        else:
            found = walk(self.path / self._spelt(under), under)
        under = self._spelt(under) if self.is_zip and not packed else under
        return sorted(name for name in found if name.startswith(f"{under}/") and not is_hidden(name))

    def has(self, name: str) -> bool:
        """Whether there is such a file, or such a folder with something in it; of a pattern whether a file is as it says."""
        if self._has_plain(name):
            return True
        return bool(self._like(name)) if _is_pattern(name) else self._packed_above(name) is not None

    def matching(self, name: str) -> list[str]:
        """The file itself, or in place of a pattern ('data/train-*.parquet') the files that are as it says, sorted."""
        return [name] if self._has_plain(name) else self._like(name) or [name]

    def _like(self, pattern: str) -> list[str]:
        """Files of the pattern's folder that are as it says; none of what is no pattern."""
        if not _is_pattern(pattern):
            return []
        folder = next(parent for parent in PurePosixPath(pattern).parents if not _is_pattern(str(parent))).as_posix()
        names = self.names(folder) if folder == "." or self.has(folder) else []
        return [name for name in names if name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)]

    def holds(self, name: str) -> bool:
        """As `has`, and of what would lie in a packed folder whether it does: that is opened for it."""
        packed = self._packed_above(name)
        if packed is None:
            return self._has_plain(name)
        inner, prefix = self._inside(packed)
        return inner._has_plain(name.removeprefix(prefix))

    def is_packed(self, name: str) -> bool:
        """Whether this folder or file lies in a packed one."""
        return self._packed_above(name) is not None

    def names_in_packed(self, packed: str) -> list[str]:
        """Names of the files in a packed folder or file ('train.zip', 'train.csv.zip') as they are asked for; [] where its place is
        taken by a plain one or another packed one, which counts."""
        if self._packed_above(_unpacked_name(packed)) != packed:
            return []
        inner, prefix = self._inside(packed)
        return sorted(f"{prefix}{name}" for name in inner.files if not is_hidden(name))

    def top_folders(self) -> list[str]:
        """Names at the top of the zip, sorted: what a message can say that it holds."""
        return sorted({name.partition("/")[0] for name in self.files if not is_hidden(name)})

    def below_top(self) -> FileTree:
        """The same zip with names below the one folder in which everything lies; itself, where there is no such folder."""
        tops = self.top_folders()
        if self.top or len(tops) != 1 or tops[0] in self.files:
            return self
        return FileTree(self.path, self.tick, tops[0])

    def _spelt(self, name: str) -> str:
        """The name as the zip or the disk spells it."""
        if name.isascii():
            return name
        if self.is_zip:
            return self._spelling.get(nfc(name), name)
        place, parts = self.path, []
        for part in PurePosixPath(name).parts:
            if not (place / part).exists() and place.is_dir():
                part = next((p.name for p in place.iterdir() if nfc(p.name) == nfc(part)), part)
            parts.append(part)
            place /= part
        return "/".join(parts)

    def _has_plain(self, name: str) -> bool:
        return self._spelt(name) in self.members if self.is_zip else (self.path / self._spelt(name)).exists()

    def _packed_above(self, name: str) -> str | None:
        """The packed file that holds `name`: 'train.7z' for 'train/1.png'; None where `name` lies plain or nowhere."""
        if self._has_plain(name):
            return None
        path = PurePosixPath(name)
        folders = [path, *path.parents][:-1]
        packed = (f"{folder}{kind}" for folder in folders for kind in _PACKED_SPELT)
        return next((p for p in packed if self._has_plain(p)), None)

    def _inside(self, packed: str) -> tuple[FileTree, str]:
        """The tree of a packed folder, and what its names lack of ours: '' where they begin with the folder's own name."""
        folder = _unpacked_name(packed)
        kind = packed[len(folder) :]
        with self._lock:
            if packed not in self._packed and kind.lower() in ZIPS and not self.is_zip:
                self._packed[packed] = FileTree(self.path / packed)  # read in place
            if packed not in self._packed:
                stamp = [*self.stamp([packed]), packed, str(self.path.resolve())]
                zipped = unpacked_zip(stamp, lambda: self.open(packed), kind.lower(), self.show(packed), self.tick)
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
            with (self.path / self._spelt(name)).open("rb") as file:
                yield file
            return
        entry = self.entries.get(self._spelt(name))
        if entry is None:
            raise UserError(
                f"{self.show(name)}: not there. The zip holds {plain(', '.join(self.top_folders()[:5]), 300)}."
            )
        with explain_zip_errors(self.path, name), self.archive.open(entry) as file:
            yield file

    def size(self, name: str) -> int:
        """Bytes of a file as it lies there (packed, in a zip)."""
        if self._packed_above(name):
            inner, prefix = self._inside(self._packed_above(name) or "")
            return inner.size(name.removeprefix(prefix))
        return (
            self.entries[self._spelt(name)].file_size if self.is_zip else (self.path / self._spelt(name)).stat().st_size
        )

    def stamp(self, names: list[str]) -> list[tuple[str, int, int]]:
        """What tells a changed file from an unchanged one without reading it: (name, size, time of change in ns)."""
        names = [self._packed_above(name) or name for name in names]
        paths = {self.path.name: self.path} if self.is_zip else {name: self.path / self._spelt(name) for name in names}
        return [(name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in paths.items()]

    def show(self, name: str) -> str:
        """The file's place in words for a message."""
        return f"{self.path}:{name}" if self.is_zip else str(self.path / name)


def _is_pattern(name: str) -> bool:
    return any(mark in name for mark in "*?[")


_PACKED_SPELT = list(dict.fromkeys(spelt for kind in PACKED_KINDS for spelt in (kind, kind.upper(), kind.title())))
"""The endings of packed folders in the letters that are read: 'train.zip', 'train.ZIP', 'train.Zip'."""


def _unpacked_name(packed: str) -> str:
    """'train' of 'train.7z' and 'train.tar.gz'."""
    return packed[: len(packed) - len(kind_of(packed) or "")]


def walk(folder: Path, name: str) -> list[str]:
    """Names of all files below a folder, links followed, as `name`/...; a link that leads back above itself is not.

    Raises
    ------
    UserError
        If a folder cannot be read, a link leads nowhere, or something is no file (names it, and the cure).
    """
    found: list[str] = []
    todo: list[tuple[Path, str, tuple[tuple[int, int], ...]]] = [(folder, name, ())]
    while todo:
        place, below, above = todo.pop()
        try:
            here = place.stat()
            entries = list(os.scandir(place))
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            continue
        except OSError as error:
            raise UserError(
                f"{place}: the folder cannot be read ({error.strerror}), so that its images would be left out. Change its "
                "permissions, or take it away."
            ) from error
        chain = (*above, (here.st_dev, here.st_ino))
        for entry in entries:
            inner = f"{below}/{entry.name}"
            if is_hidden(entry.name):
                continue
            if entry.is_dir():
                status = entry.stat()
                if (status.st_dev, status.st_ino) not in chain:
                    todo.append((Path(entry.path), inner, chain))
            elif entry.is_file():
                found.append(inner)
            elif entry.is_symlink():
                raise UserError(
                    f"{entry.path}: is a link to {Path(entry.path).readlink()}, which is not there or cannot be read. Mend the "
                    "link, or take it away."
                )
            else:
                raise UserError(f"{entry.path}: is no file and no folder. Take it away.")
    return found


def entries_of(archive: zipfile.ZipFile, shown: str, top: str = "") -> dict[str, zipfile.ZipInfo]:
    """A zip's files by their names as they are meant: '/' between folders, no './', below the folder `top`.

    Raises
    ------
    UserError
        If two files have one name.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if not info.filename or info.is_dir() or info.filename.endswith("\\"):
            continue
        name = info.filename.replace("\\", "/")
        name = "/".join(part for part in name.split("/") if part not in ("", "."))
        if top:
            inside = name.startswith(f"{top}/")
            if not inside:
                continue
            name = name.removeprefix(f"{top}/")
        if name in found:
            raise UserError(
                f"{shown}: holds two files named '{plain(name, 200)}', so it is not clear which counts. Unpack the one that you mean beside the zip."
            )
        found[name] = info
    return found


def open_zip(file: Path | IO[bytes], shown: str = "", size: int | None = None) -> zipfile.ZipFile:
    """Open a zip, or one that lies in another, and check it: no absolute or climbing names, no bomb.

    shown : its place in words, size : its bytes; where it is no path

    Raises
    ------
    UserError
        If the file is no zip, is cut off, or declares what a data set's zip would not.
    """
    shown = shown or str(file)
    with explain_zip_errors(Path(shown)):
        try:
            archive = zipfile.ZipFile(file)
        except (ValueError, IndexError, OverflowError) as error:  # an index of impossible places and lengths
            raise zipfile.BadZipFile(str(error)) from error
        _refuse_escapes(shown, archive)
        packed = size if size is not None else Path(shown).stat().st_size
        refuse_bomb(sum(info.file_size for info in archive.infolist()), packed, shown)
        return archive


@contextlib.contextmanager
def explain_zip_errors(path: Path, name: str = "") -> Iterator[None]:
    """Turn zipfile's errors into a `UserError` that names the file and the cure."""
    try:
        yield
    except NotImplementedError as error:
        raise UserError(f"{path}: {plain(error, 200)}. Unpack it beside the zip.") from error
    except MemoryError as error:
        raise UserError(
            f"{path}: declares more memory to unpack it than there is. Unpack it beside the zip."
        ) from error
    except RuntimeError as error:  # zipfile's word for an encrypted member
        raise UserError(f"{path}: {plain(error, 200)}. Unpack it beside the zip with its password.") from error
    except (
        zipfile.BadZipFile,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        UnicodeError,
        struct.error,
    ) as error:
        place = f"{path}:{name}" if name else str(path)
        raise UserError(
            f"{place}: the zip is truncated or corrupt ({plain(error, 200)}). Download it again."
        ) from error
    except OSError as error:
        if not is_of_content(error):
            raise
        place = f"{path}:{name}" if name else str(path)
        raise UserError(
            f"{place}: the zip is truncated or corrupt ({plain(error, 200)}). Download it again."
        ) from error


def _refuse_escapes(shown: str, archive: zipfile.ZipFile) -> None:
    for info in archive.infolist():
        name = PurePosixPath(info.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or (name.parts and name.parts[0].endswith(":")):
            raise UserError(
                f"{shown}: holds the name '{plain(info.filename, 200)}', which leads out of its folder. Not read."
            )


def is_hidden(name: str) -> bool:
    """Whether a file is left out wherever files are listed: hidden, macOS's resource forks, thumbnails of Windows, Excel's marks of open files."""
    return any(part.startswith((".", "__MACOSX", "~$")) or part == "Thumbs.db" for part in name.split("/"))
