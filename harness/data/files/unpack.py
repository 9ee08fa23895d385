"""python -m harness.data.files.unpack SOURCE TARGET SHOWN: what `packed.repack` does in a process of its own.

Prints a line of JSON for every file that is done, and one for what went wrong.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from harness.base.errors import UserError, needs
from harness.base.storage.damage import DAMAGED, is_of_content
from harness.data.files.decode import ending_of_content
from harness.data.files.packed import damaged, kind_of, refuse_bomb

Tick = Callable[[int, int], None]


def repack_here(source: Path, target: Path, shown: str, tick: Tick) -> None:
    """Write the files of a 7z into an uncompressed zip, in the order in which they lie in it.

    Raises
    ------
    UserError
        If it is damaged, encrypted, a bomb, or holds names that lead out of its folder.
    """
    with needs(f"{shown}: a .7z archive", "py7zr"):
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
        raise UserError(damaged(shown, error)) from error
    except Exception as error:  # py7zr raises whatever it trips over in a damaged file
        raise UserError(damaged(shown, error)) from error
    if there != len(entries):
        raise UserError(f"{shown}: the 7z declares {len(entries):,} files and holds {there:,}. Download it again.")


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


def files_of_tar(source: Path, target: Path, shown: str, tick: Tick) -> None:
    """Write the files of a tar, packed or not, into an uncompressed zip; links and devices in it are not followed.

    A name that leads out of its folder is refused where the zip is opened.

    Raises
    ------
    UserError
        If it is damaged, or a bomb.
    """
    try:
        with tarfile.open(source) as packed, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
            written = 0
            for done, member in enumerate(filter(tarfile.TarInfo.isfile, packed), start=1):
                written += member.size
                refuse_bomb(written, source.stat().st_size, shown)
                held = packed.extractfile(member)
                assert held is not None  # of a file it is one
                with file.open(zipfile.ZipInfo(member.name), "w", force_zip64=True) as copy:
                    shutil.copyfileobj(held, copy, 2**20)
                tick(done, done)
    except UserError:
        raise
    except OSError as error:
        if not is_of_content(error):
            raise
        raise UserError(damaged(shown, error)) from error
    except (tarfile.TarError, *DAMAGED) as error:
        raise UserError(damaged(shown, error)) from error


def files_of_hdf5(source: Path, target: Path, shown: str, tick: Tick) -> None:
    """Write what an HDF5 file holds into an uncompressed zip: encoded images as <name>.<ending>, arrays as <name>.npy.

    Links to other files are not followed.

    Raises
    ------
    UserError
        If h5py is not installed, the file is damaged, or it holds something else.
    """
    with needs(f"{shown}: an HDF5 file", "h5py"):
        import h5py
    try:
        with h5py.File(source, "r") as packed, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
            names: list[str] = []
            packed.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            limit = max(sum(packed[name].nbytes for name in names), 1)
            refuse_bomb(limit, source.stat().st_size, shown)
            held = 0
            for done, name in enumerate(names, start=1):
                held += _write_member(file, name, packed[name])
                tick(done, len(names))
            if not held:
                told = ", ".join(f"'{name}' is {packed[name].dtype} {packed[name].shape}" for name in names[:5])
                raise UserError(
                    f"{shown}: holds neither encoded images nor arrays of numbers or texts: {told or 'nothing'}. Save what is needed of it as .npy."
                )
    except UserError:
        raise
    except Exception as error:  # h5py raises whatever it trips over in a damaged file
        raise UserError(damaged(shown, error)) from error


def file_of_gz(source: Path, target: Path, shown: str, tick: Tick) -> None:
    """Write what a .gz holds, one file, into an uncompressed zip, called as the .gz without that ending.

    Raises
    ------
    UserError
        If it is damaged, or a bomb.
    """
    name = PurePosixPath(shown).name[: -len(".gz")]
    try:
        with gzip.open(source) as packed, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
            written = 0
            with file.open(zipfile.ZipInfo(name), "w", force_zip64=True) as copy:
                while piece := packed.read(2**20):
                    written += len(piece)
                    refuse_bomb(written, source.stat().st_size, shown)
                    copy.write(piece)
            tick(1, 1)
    except OSError as error:
        if not isinstance(error, gzip.BadGzipFile) and not is_of_content(error):
            raise
        raise UserError(damaged(shown, error)) from error
    except DAMAGED as error:
        raise UserError(damaged(shown, error)) from error


def _write_member(file: zipfile.ZipFile, name: str, item: Any) -> bool:
    """One data set: the bytes of an image as its file, those of many as files in a folder, numbers or text as an .npy, piece by piece.

    Returns whether it is one of these: a single number or a record is none.
    """
    import h5py
    import numpy as np

    content = _bytes_of_image(item)
    if ending := ending_of_content(content):
        file.writestr(f"{name}{ending}", content)
        return True
    if item.ndim == 1 and h5py.check_vlen_dtype(item.dtype) == np.uint8:
        for row in range(len(item)):
            content = item[row].tobytes()
            file.writestr(f"{name}/{row:0{len(str(len(item) - 1))}}{ending_of_content(content) or '.bin'}", content)
        return True
    if item.ndim == 1 and h5py.check_string_dtype(item.dtype) is not None:
        texts = np.array([str(text) for text in item.asstr()[()]], np.str_)
        pieces, dtype = iter([texts]), texts.dtype
    elif item.ndim and item.dtype.kind in "uifb":
        rows = max(_PIECE // max(item.nbytes // max(len(item), 1), 1), 1)
        pieces, dtype = (np.ascontiguousarray(item[n : n + rows]) for n in range(0, len(item), rows)), item.dtype
    else:
        return False
    with file.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as copy:
        head = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": item.shape}
        np.lib.format.write_array_header_2_0(copy, head)
        for piece in pieces:
            copy.write(piece.tobytes())
    return True


_PIECE = 16 * 2**20


def _bytes_of_image(item: Any) -> bytes:
    """What may be the bytes of an encoded image: one value of bytes, or numbers of bytes in a row; else nothing."""
    import numpy as np

    if item.ndim == 0 and item.dtype.kind in "OSV":
        value = item[()]
        return value if isinstance(value, bytes) else value.tobytes() if isinstance(value, np.void) else b""
    return np.asarray(item[()]).tobytes() if item.ndim == 1 and item.dtype == np.uint8 else b""


def main(source: str, target: str, shown: str) -> None:
    """Repack, and print what happens."""

    def say(**told: Any) -> None:
        print(json.dumps(told), flush=True)

    try:
        kind = kind_of(source) or ""
        of_kind = {".7z": repack_here, ".gz": file_of_gz}
        unpack = of_kind.get(kind, files_of_tar if kind.startswith(".t") else files_of_hdf5)
        unpack(Path(source), Path(target), shown, lambda done, of: say(done=done, of=of))
    except UserError as error:
        say(error=str(error))
    except OSError as error:
        say(errno=error.errno, said=error.strerror, file=str(error.filename or target))


if __name__ == "__main__":
    main(*sys.argv[1:])
