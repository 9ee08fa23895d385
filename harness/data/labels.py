"""Class names to indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.base.errors import UserError, nearest


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
            raise UserError(
                f"{where}: row {row}: label {name!r} is no class{nearest(str(name), classes)}. Classes: "
                f"{', '.join(classes)}. Correct the row, or 'classes' in competition.toml."
            )
    return np.array([index[name] for name in names], dtype=np.int64)[codes]
