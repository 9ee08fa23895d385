"""python -m harness.data.files.unpack SOURCE TARGET SHOWN: what `packed.repack` does in a process of its own.

Prints a line of JSON for every file that is done, and one for what went wrong.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.base.errors import UserError, needs
from harness.base.storage.damage import DAMAGED, is_of_content
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


def images_of_hdf5(source: Path, target: Path, shown: str, tick: Tick) -> None:
    """Write the encoded images of an HDF5 file into an uncompressed zip, each as <its name>.<ending>; arrays become .npy files.

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
            for done, name in enumerate(names, start=1):
                file.writestr(*_member(name, packed[name], shown))
                tick(done, len(names))
    except UserError:
        raise
    except Exception as error:  # h5py raises whatever it trips over in a damaged file
        raise UserError(damaged(shown, error)) from error


_MAGIC = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*": ".tif",
    b"MM\x00*": ".tif",
    b"RIFF": ".webp",
}


def _member(name: str, item: Any, shown: str) -> tuple[str, bytes]:
    """Name and content of one image: bytes, numbers of bytes, or an array (H, W) or (H, W, C)."""
    import numpy as np

    value = np.asarray(item[()])
    content = value.tobytes() if value.ndim < 2 and value.dtype.kind in "SVu" else b""
    if value.ndim == 0 and value.dtype.kind == "O":
        content = bytes(value.item())
    ending = next((e for start, e in _MAGIC.items() if content.startswith(start)), None)
    if ending:
        return f"{name}{ending}", content
    if value.ndim in (2, 3) and value.dtype.kind in "uif":
        buffer = io.BytesIO()
        np.save(buffer, value)
        return f"{name}.npy", buffer.getvalue()
    raise UserError(
        f"{shown}: '{name}' is {value.dtype} {value.shape}, neither the bytes of an image nor one image's pixels. Save arrays of many images as "
        "an .npz (data.format = 'npz')."
    )


def main(source: str, target: str, shown: str) -> None:
    """Repack, and print what happens."""

    def say(**told: Any) -> None:
        print(json.dumps(told), flush=True)

    try:
        kind = kind_of(source) or ""
        unpack = repack_here if kind == ".7z" else files_of_tar if kind.startswith(".t") else images_of_hdf5
        unpack(Path(source), Path(target), shown, lambda done, of: say(done=done, of=of))
    except UserError as error:
        say(error=str(error))
    except OSError as error:
        say(errno=error.errno, said=error.strerror, file=str(error.filename or target))


if __name__ == "__main__":
    main(*sys.argv[1:])
