"""Class names to indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.base.errors import UserError, nearest
from harness.data.archives import FileTree


def encode(column: Any, classes: tuple[str, ...], where: str, rows_before: int = 0) -> np.ndarray:
    """Indices int64 (n,) of a pyarrow string column's class names.

    Raises
    ------
    UserError
        If a label is no class: says in which row, and the nearest class.
    """
    coded = column.dictionary_encode()
    names = coded.dictionary.to_pylist()
    index = {name: i for i, name in enumerate(classes)}
    codes = coded.indices.to_numpy(zero_copy_only=False)
    for code, name in enumerate(names):
        if name not in index:
            row = rows_before + int(np.argmax(codes == code)) + 1
            hint = " (take the spaces around it out)" if str(name).strip() in index else nearest(str(name), classes)
            raise UserError(
                f"{where}: row {row}: label {name!r} is no class{hint}. Classes: "
                f"{', '.join(classes)}. Correct the row, or 'classes' in competition.toml."
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
    import pyarrow.csv

    if not tree.has(name):
        raise UserError(f"{tree.show(name)}: not there. Download it, or correct data.labels in competition.toml.")
    columns = {id_column: pa.string(), label_column: pa.string()}
    options = pa.csv.ConvertOptions(column_types=columns, include_columns=list(columns), strings_can_be_null=False)
    try:
        with tree.open(name) as file:
            table = pa.csv.read_csv(file, convert_options=options)
    except pa.ArrowKeyError as error:
        raise UserError(f"{tree.show(name)}: {error}; wanted '{id_column}' and '{label_column}'.") from error
    except pa.ArrowInvalid as error:
        raise UserError(f"{tree.show(name)}: cannot be read as CSV ({error}). Download it again.") from error
    if not len(table):
        raise UserError(f"{tree.show(name)}: has no rows. Download it again.")
    ids = table[id_column].to_pylist()
    first: dict[str, int] = {}
    for row, i in enumerate(ids, start=1):
        if i in first:
            raise UserError(f"{tree.show(name)}: id '{i}' stands in row {first[i]} and in row {row}. Take one out.")
        first[i] = row
    return ids, encode(table[label_column].combine_chunks(), classes, tree.show(name))
