"""All images of a split in one array, and what is known of each row in a table or in another array, in the same order.

X_train.npy uint8 (n, H, W, C)   y_train.npy (n,) or train.csv: id,label,patient   X_test.npy   test.csv: id

Arrays may also lie in an .npz ('train/X.npy' of train.npz), in HDF5 (train.h5), in MNIST's IDX, and packed ('.gz').
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import counted, plain
from harness.competition.data_spec import DataSpec
from harness.data.files.archives import FileTree
from harness.data.files.arrays import new_images
from harness.data.files.decode import Decoder
from harness.data.files.decode_arrays import decode_array
from harness.data.files.stacks import Stack, open_stack
from harness.data.formats.csv_pixels import PixelRows
from harness.data.rows.listing import groups_of, test_table, training_table
from harness.data.rows.tables import Table
from harness.data.rows.targets import targets_of
from harness.data.rows.weights import weights_of


def read_stacked(tree: FileTree, name: str, spec: DataSpec, labelled: bool, folder: Path) -> PixelRows:
    """Write images.npy of one array into a folder, at data.size; returns what the table says of its rows.

    Arrays other than uint8 and uint16 need data.range, whose ends become 0 and 255. Rows may be (H, W), (H, W, C), (C, H, W), or flat.

    Raises
    ------
    UserError
        If the table has another number of rows than the array, or a row is no image of data.size: names both.
    """
    with open_stack(tree, name) as stack:
        table, n = _table(tree, spec, labelled), stack.shape[0]
        rows = _rows(table, stack) if table is not None else range(n)
        images = new_images(folder, len(rows), spec)
        places = np.full(n, -1)
        places[list(rows)] = np.arange(len(rows))
        _write(stack, images, places, spec)
    if table is None:
        return PixelRows(None, None)
    own = spec.id is not None and table.has(spec.id)
    ids = table.ids(spec.id or "") if own else list(map(str, rows))
    if not labelled:
        return PixelRows(ids, None)
    fold = table.column(spec.fold, "data.fold") if spec.fold else None
    return PixelRows(ids, targets_of(table, spec), groups_of(table, spec), fold, weights_of(table, spec))


def _table(tree: FileTree, spec: DataSpec, labelled: bool) -> Table | None:
    """The table of the rows that count; None where no table tells of the test rows."""
    if labelled:
        return training_table(tree, spec)
    return test_table(tree, spec) if spec.table_of_test else None


def _rows(table: Table, stack: Stack) -> list[int]:
    """Of each of the table's rows its row in the array.

    Raises
    ------
    UserError
        If the table's file has another number of rows.
    """
    _, rows = table.origin(table.header[0])
    there = table.rows_in_file
    if there != stack.shape[0]:
        raise UserError(
            f"{stack.shown}: {counted(stack.shape[0], 'image')} but {counted(there, 'row')} in {table.shown}, which are to be the same rows in the "
            "same order. Correct data.train and data.labels (of the test: data.test and data.test_rows) in competition.toml, or the files."
        )
    for name in table.header:
        refuse_another_order(
            table.column(name, ""), table.whole is None, f"{table.shown}: column '{plain(name, 80)}'", stack.shown
        )
    return list(rows)


def refuse_another_order(ids: Sequence[str], are_all: bool, where: str, array: str) -> None:
    """Refuse ids that count the rows of an array in another order than theirs: which row is meant cannot be told (UserError).

    are_all : whether they are of all rows; else nothing is told
    """
    if not are_all or len(ids) < 2 or not all(i.isdecimal() for i in ids):
        return
    numbers = [int(i) for i in ids]
    if (
        numbers != sorted(numbers)
        and len(set(numbers)) == len(numbers) == max(numbers) - min(numbers) + 1
        and min(numbers) < 2
    ):
        raise UserError(
            f"{where} counts the rows, but not in their order ('{ids[0]}', '{ids[1]}', ...), and row by row it stands beside {array}. Sort it by "
            "this number, if that is the row in the array; if not, call the column otherwise in both files (i0, i1, ...)."
        )


def _write(stack: Stack, images: np.ndarray, places: np.ndarray, spec: DataSpec) -> None:
    """Decode the rows that have a place >= 0, each to its place."""
    decoder, start = Decoder.of(spec), 0
    for block in stack.blocks():
        wanted = places[start : start + len(block)]
        taken = np.flatnonzero(wanted >= 0)
        if block.dtype == np.uint8 and block.shape[1:] == images.shape[1:] and spec.range is None:
            images[wanted[taken]] = block[taken]
        else:
            for row in taken.tolist():
                one = _unfolded(block[row], spec)
                images[wanted[row]] = decode_array(decoder, one, f"{stack.shown}: row {start + row} (from 0)").pixels
        start += len(block)
    if isinstance(images, np.memmap):
        images.flush()


def _unfolded(row: np.ndarray, spec: DataSpec) -> np.ndarray:
    """A flat row as an image of data.size, where it has as many values."""
    sides = (*spec.size, spec.channels)
    return row.reshape(sides) if row.ndim == 1 and len(row) == math.prod(sides) else row
