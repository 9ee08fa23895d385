"""Class names to indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.base.errors import UserError, nearest
from harness.base.untrusted_text import listed, plain
from harness.data.files.archives import FileTree
from harness.data.files.csv_tables import column, read_rows
from harness.data.files.names import nfc, refuse_duplicate_ids


def encode(column: Any, classes: tuple[str, ...], where: str, rows_before: int = 0) -> np.ndarray:
    """Indices int64 (n,) of a pyarrow string column's class names.

    Raises
    ------
    UserError
        If a label is no class: says in which row, and the nearest class.
    """
    coded = column.dictionary_encode()
    names = [None if name is None else nfc(name) for name in coded.dictionary.to_pylist()]
    index = {nfc(name): i for i, name in enumerate(classes)}
    codes = coded.indices.to_numpy(zero_copy_only=False)
    for code, name in enumerate(names):
        if name not in index:
            row = rows_before + int(np.argmax(codes == code)) + 1
            hint = " (take the spaces around it out)" if str(name).strip() in index else nearest(str(name), classes)
            raise UserError(
                f"{where}: row {row}: label '{plain(name, 80)}' is no class{plain(hint)}. Classes: "
                f"{listed(classes)}. Correct the row, or 'classes' in competition.toml."
            )
    return np.array([index[name] for name in names], dtype=np.int64)[codes]


def read_label_csv(
    tree: FileTree, name: str, id_column: str, label_column: str, classes: tuple[str, ...]
) -> tuple[list[str], np.ndarray]:
    """Ids and labels int64 (n,) of a CSV, in its order.

    Raises
    ------
    UserError
        If it is missing or damaged, lacks a column, names an id twice or a label that is no class.
    """
    import pyarrow as pa

    shown = tree.show(name)
    if not tree.has(name):
        raise UserError(f"{shown}: not there. Download it, or correct data.labels in competition.toml.")
    with tree.open(name) as file:
        header, rows = read_rows(file, shown)
    if not rows:
        raise UserError(
            f"{shown}: has no rows. Download it again if it is cut off, or correct data.labels in competition.toml."
        )
    at_id = column(header, id_column, shown, "data.id")
    at_label = column(header, label_column, shown, "data.label")
    ids = [row[at_id] for row in rows]
    refuse_duplicate_ids(ids, shown)
    return ids, encode(pa.array([row[at_label] for row in rows], pa.string()), classes, shown)
