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
from harness.data.files.stacks import Joined, Stack, open_joined, open_stack, parts_of
from harness.data.formats.csv_pixels import PixelRows
from harness.data.rows.listing import groups_of, label_tables, merged_arrays, test_table, training_table
from harness.data.rows.tables import Table
from harness.data.rows.targets import targets_of
from harness.data.rows.weights import weights_of


def read_stacked(tree: FileTree, name: str, spec: DataSpec, labelled: bool, folder: Path) -> PixelRows:
    """Write images.npy of one array, of the training rows with those of data.merge behind, into a folder, at data.size; returns what the table
    says of its rows.

    Arrays other than uint8 and uint16 need data.range, whose ends become 0 and 255. Rows may be (H, W), (H, W, C), (C, H, W), or flat.

    Raises
    ------
    UserError
        If the table has another number of rows than the array, or a row is no image of data.size: names both.
    """
    more = [array for array, _ in merged_arrays(tree, spec)] if labelled else []
    with open_joined(tree, [name, *more]) as stack:
        for part, of_part in zip(parts_of(stack), _tables(tree, spec, labelled), strict=False):
            refuse_other_rows(of_part, part)
        table, n = _table(tree, spec, labelled), stack.shape[0]
        rows = _rows(table, stack) if table is not None else range(n)
        images = new_images(folder, len(rows), spec)
        places = np.full(n, -1)
        places[list(rows)] = np.arange(len(rows))
        planes = len(stack.shape) == 2 and lie_in_planes(tree, spec)
        _write(stack, images, places, spec, planes)
    notes = (
        (f"{stack.shown}: its flat rows are read as planes of colour, in which neighbours are more alike",)
        if planes
        else ()
    )
    if table is None:
        return PixelRows(None, None, notes=notes)
    own = spec.id is not None and table.has(spec.id)
    ids = table.ids(spec.id or "") if own else list(map(str, rows))
    if not labelled:
        return PixelRows(ids, None, notes=notes)
    fold = table.column(spec.fold, "data.fold") if spec.fold else None
    return PixelRows(ids, targets_of(table, spec), groups_of(table, spec), fold, weights_of(table, spec), notes=notes)


def _tables(tree: FileTree, spec: DataSpec, labelled: bool) -> list[Table]:
    """The tables of the arrays' rows, one of each; [] where no table tells of the test rows."""
    if labelled:
        return label_tables(tree, spec)
    return [test_table(tree, spec)] if spec.table_of_test else []


def _table(tree: FileTree, spec: DataSpec, labelled: bool) -> Table | None:
    """The table of the rows that count; None where no table tells of the test rows."""
    if labelled:
        return training_table(tree, spec)
    return test_table(tree, spec) if spec.table_of_test else None


def _rows(table: Table, stack: Stack | Joined) -> list[int]:
    """Of each of the table's rows its row in the array."""
    _, rows = table.origin(table.header[0])
    return list(rows)


def refuse_other_rows(table: Table, stack: Stack) -> None:
    """Refuse a table that has not a row for each of an array's, as far as that can be told.

    Raises
    ------
    UserError
        If the table's file has another number of rows, or numbers them in another order.
    """
    there = table.rows_in_file
    if there != stack.shape[0]:
        raise UserError(
            f"{stack.shown}: {counted(stack.shape[0], 'image')} but {counted(there, 'row')} in {table.shown}, which are to be the same rows in the "
            "same order. Correct data.train and data.labels, or data.merge and data.merge_labels (of the test: data.test and data.test_rows) in "
            "competition.toml, or the files."
        )
    for name in table.header:
        refuse_another_order(
            table.column(name, ""), table.whole is None, f"{table.shown}: column '{plain(name, 80)}'", stack.shown
        )


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


def lie_in_planes(tree: FileTree, spec: DataSpec) -> bool:
    """Whether flat rows of colours hold one channel behind the other, as CIFAR's do, and not one pixel: so the first training rows tell, of
    which the neighbours in an image are more alike."""
    if spec.channels == 1:
        return False
    with open_stack(tree, spec.train) as stack:
        some = next(stack.blocks())[:_LOOKED_AT].astype(np.float64)
    if some.ndim != 2 or some.shape[1] != math.prod((*spec.size, spec.channels)):
        return False
    by_pixel = some.reshape(-1, *spec.size, spec.channels)
    by_plane = np.moveaxis(some.reshape(-1, spec.channels, *spec.size), 1, 3)
    return _roughness(by_plane) < _roughness(by_pixel)


def _roughness(images: np.ndarray) -> float:
    """How far neighbours are apart, in the mean."""
    return float(sum(np.abs(np.diff(images, axis=axis)).mean() for axis in (1, 2) if images.shape[axis] > 1))


_LOOKED_AT = 200  # rows


def _write(stack: Stack | Joined, images: np.ndarray, places: np.ndarray, spec: DataSpec, planes: bool) -> None:
    """Decode the rows that have a place >= 0, each to its place."""
    decoder, start = Decoder.of(spec), 0
    for block in stack.blocks():
        wanted = places[start : start + len(block)]
        taken = np.flatnonzero(wanted >= 0)
        if block.dtype == np.uint8 and block.shape[1:] == images.shape[1:] and spec.range is None:
            images[wanted[taken]] = block[taken]
        else:
            for row in taken.tolist():
                one = _unfolded(block[row], spec, planes)
                images[wanted[row]] = decode_array(decoder, one, f"{stack.shown}: row {start + row} (from 0)").pixels
        start += len(block)
    if isinstance(images, np.memmap):
        images.flush()


def _unfolded(row: np.ndarray, spec: DataSpec, planes: bool) -> np.ndarray:
    """A flat row as an image of data.size, where it has as many values; planes : whether it holds one channel behind the other."""
    if row.ndim != 1 or len(row) != math.prod((*spec.size, spec.channels)):
        return row
    return (
        np.moveaxis(row.reshape(spec.channels, *spec.size), 0, 2) if planes else row.reshape(*spec.size, spec.channels)
    )
