"""Arrays with something for each row, all images or all labels: numpy's .npy and IDX (as MNIST has it), read piece by piece, no pickle."""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.damage import DAMAGED
from harness.base.untrusted_text import plain
from harness.data.files.archives import FileTree

_AT_ONCE = 16 * 2**20  # bytes between two blocks
_IDX = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


@dataclass(frozen=True)
class Stack:
    """An array whose rows are read one after the other.

    Attributes
    ----------
    shape, dtype : of the whole, as the header says; the file is as long
    file : open for reading, behind the header; shown : its place in words
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    file: IO[bytes]
    shown: str

    def blocks(self) -> Iterator[np.ndarray]:
        """Its rows (up to so many as 16 MiB hold, ...), in order.

        Raises
        ------
        UserError
            If the file ends before its last row.
        """
        of_row = math.prod(self.shape[1:]) * self.dtype.itemsize
        rows = max(_AT_ONCE // max(of_row, 1), 1)
        for start in range(0, self.shape[0], rows):
            n = min(rows, self.shape[0] - start)
            content = self._read(n * of_row)
            yield np.frombuffer(content, self.dtype).reshape(n, *self.shape[1:])

    def _read(self, size: int) -> bytes:
        pieces, left = [], size
        while left and (piece := self.file.read(left)):
            pieces.append(piece)
            left -= len(piece)
        if left:
            raise UserError(f"{self.shown}: ends before its last row. Download it again.")
        return b"".join(pieces)

    def whole(self) -> np.ndarray:
        """All of it, in memory."""
        blocks = list(self.blocks())
        return np.concatenate(blocks) if blocks else np.zeros(self.shape, self.dtype)


@dataclass(frozen=True)
class Joined:
    """Arrays one behind the other, as one.

    Attributes
    ----------
    parts : of the same shape, but for the rows, and of one type
    """

    parts: tuple[Stack, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all of them together."""
        return sum(part.shape[0] for part in self.parts), *self.parts[0].shape[1:]

    @property
    def shown(self) -> str:
        """Their places, in words."""
        return " + ".join(part.shown for part in self.parts)

    def blocks(self) -> Iterator[np.ndarray]:
        """Rows of the first part, then of the next, see `Stack.blocks`."""
        for part in self.parts:
            yield from part.blocks()


def parts_of(stack: Stack | Joined) -> tuple[Stack, ...]:
    """The arrays that it is of, one or several."""
    return stack.parts if isinstance(stack, Joined) else (stack,)


@contextlib.contextmanager
def open_joined(tree: FileTree, names: Sequence[str]) -> Iterator[Stack | Joined]:
    """One array, or several as one.

    Raises
    ------
    UserError
        As `open_stack`; also if images of two arrays differ in shape or type: names both.
    """
    with contextlib.ExitStack() as files:
        first, *others = [files.enter_context(open_stack(tree, name)) for name in names]
        for other in others:
            if (other.shape[1:], other.dtype) != (first.shape[1:], first.dtype):
                raise UserError(
                    f"{other.shown}: its rows are {other.dtype} {other.shape[1:]}, those of {first.shown} {first.dtype} {first.shape[1:]}; to be "
                    "trained on together they must be alike. Save them so, or take the array out of data.merge in competition.toml."
                )
        yield Joined((first, *others)) if others else first


@contextlib.contextmanager
def open_stack(tree: FileTree, name: str) -> Iterator[Stack]:
    """An array file, its header checked.

    Raises
    ------
    UserError
        If it is not there, no array, pickled, column by column, of another length than its header says, or holds nothing.
    """
    shown = tree.show(name)
    if not tree.has(name):
        raise UserError(f"{shown}: not there. Download it, or correct its name in [data] of competition.toml.")
    with tree.open(name) as file:
        shape, dtype = npy_header(file, shown) if name.lower().endswith(".npy") else _idx_header(file, shown)
        if not shape or min(shape) < 1 or not dtype.itemsize:
            raise UserError(
                f"{shown}: is {dtype} {shape}, and holds nothing. Download it again, or name another array."
            )
        size, there = math.prod(shape) * dtype.itemsize, tree.size(name) - file.tell()
        if there != size:
            raise UserError(
                f"{shown}: its header says {dtype} {shape}, {size:,} bytes, but {there:,} are there. The file is damaged or made to mislead: "
                "download it again."
            )
        yield Stack(shape, dtype, file, shown)


def npy_header(file: IO[bytes], shown: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an .npy, which lies row by row and holds no objects.

    Raises
    ------
    UserError
        If it is another one, or none.
    """
    shape, fortran, dtype = unchecked_npy_header(file, shown)
    if dtype.hasobject:
        raise UserError(
            f"{shown}: holds pickled Python objects, which can run code when they are read. Not read; save it as "
            "numbers (uint8 images, integer labels), or text: labels.astype(str)."
        )
    if fortran and len(shape) > 1:
        raise UserError(f"{shown}: is stored column by column; save it with numpy.ascontiguousarray.")
    return shape, dtype


def unchecked_npy_header(file: IO[bytes], shown: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether it lies column by column, and type of an .npy, pickled ones too; a UserError where it is none."""
    readers: dict[tuple[int, int], Any] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(file)
        shape, fortran, dtype = readers[version](file)
    except DAMAGED as error:
        raise UserError(
            f"{shown}: no array that numpy could have written ({plain(error, 200)}). Download it again."
        ) from error
    return shape, fortran, dtype


def _idx_header(file: IO[bytes], shown: str) -> tuple[tuple[int, ...], np.dtype]:
    head = file.read(4)
    kind = _IDX.get(head[2]) if len(head) == 4 and head[:2] == b"\0\0" else None
    sides = file.read(4 * head[3]) if kind else b""
    if kind is None or len(sides) < 4 * head[3]:
        raise UserError(
            f"{shown}: is no array in the format IDX (two zero bytes, type, number of sides). Download it again."
        )
    return struct.unpack(f">{head[3]}I", sides), np.dtype(kind)
