"""Parquet: the columns of text and numbers, and columns whose cells are encoded images, as the Hugging Face hub keeps data sets."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.data.files.archives import FileTree
from harness.data.files.decode import ending_of_content
from harness.data.files.embedded.found import Found

_AT_ONCE = 256  # images that are in memory, encoded


def text_columns(tree: FileTree, name: str, text_of: Callable[[Any], str]) -> Found:
    """The columns that hold no images; the others, and those of bytes that are none, are not read.

    Of images in cells {"bytes": ..., "path": ...} the last part of the path is a column, '<column>.path'. Numbers of classes that the
    Hugging Face hub's description of the columns names (ClassLabel) become these names; -1, "no label", an empty cell.

    Raises
    ------
    UserError
        If it is no Parquet file.
    """
    with _opened(tree, name) as file:
        of_bytes = _columns_of_bytes(file.schema_arrow)
        pictures = [column for column in of_bytes if _holds_images(file, column)]
        paths = {f"{cells}.path": cells for cells in pictures if _has_path(file.schema_arrow, cells)}
        named = [
            column.name for column in file.schema_arrow if column.name not in of_bytes and not _nests_bytes(column.type)
        ]
        read = file.read(columns=[*named, *(f"{cells}.path" for cells in paths.values())])
        classes = {column: names for column, names in _classes(file.schema_arrow).items() if column in named}
        columns = [
            [_named(value, classes[column]) if column in classes else text_of(value) for value in cells]
            for column, cells in ((column, read.column(column).to_pylist()) for column in named)
        ]
        for cells in paths.values():
            told = read.column(cells).to_pylist()
            columns.append([PurePosixPath(text_of((value or {}).get("path"))).name for value in told])
    return Found([*named, *paths], columns, tuple(pictures), read.num_rows, classes)


def _classes(schema: Any) -> dict[str, tuple[str, ...]]:
    """Names of the classes of each column that the hub's description says to be a ClassLabel; {} where there is none, or no good one."""
    try:
        told = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        found = {name: about["names"] for name, about in told.items() if about.get("_type") == "ClassLabel"}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}
    good = {
        name: names
        for name, names in found.items()
        if isinstance(names, list)
        and all(isinstance(one, str) and one for one in names)
        and len(set(names)) == len(names)
    }
    return {name: tuple(names) for name, names in good.items()}


def _named(value: Any, names: tuple[str, ...]) -> str:
    """The class of that number; "" of none."""
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return "" if value in (None, -1) else str(value)


def encoded_images(tree: FileTree, name: str, column: str) -> Iterator[bytes]:
    """The bytes of each row's image, in order; empty ones where a cell holds none."""
    with _opened(tree, name) as file:
        if column not in file.schema_arrow.names:
            raise UserError(
                f"{tree.show(name)}: has no column '{plain(column, 80)}' (data.pixels). Correct data.train, data.merge or data.test in competition.toml."
            )
        for batch in file.iter_batches(batch_size=_AT_ONCE, columns=[column]):
            for cell in batch.column(0).to_pylist():
                content = cell.get("bytes") if isinstance(cell, dict) else cell
                yield content or b""


@contextlib.contextmanager
def _opened(tree: FileTree, name: str) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    shown = tree.show(name)
    try:
        with tree.open(name) as file:
            opened = pq.ParquetFile(file)
            twice = [column for column, times in Counter(opened.schema_arrow.names).items() if times > 1]
            if twice:
                raise UserError(
                    f"{shown}: two columns are named '{plain(twice[0], 80)}', so it is not clear which counts. Rename one."
                )
            yield opened
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{shown}: cannot be read as Parquet ({plain(error, 200)}). Download it again.") from error


def _columns_of_bytes(schema: Any) -> list[str]:
    """Columns of bytes, or of {"bytes": ..., ...}, which may be images."""
    import pyarrow.types as kinds

    def holds_bytes(kind: Any) -> bool:
        inside = [kind.field(n) for n in range(kind.num_fields)] if kinds.is_struct(kind) else []
        return _is_of_bytes(kind) or any(field.name == "bytes" and _is_of_bytes(field.type) for field in inside)

    return [cells.name for cells in schema if holds_bytes(cells.type)]


def _is_of_bytes(kind: Any) -> bool:
    import pyarrow.types as kinds

    return any(is_kind(kind) for is_kind in (kinds.is_binary, kinds.is_large_binary, kinds.is_fixed_size_binary))


def _nests_bytes(kind: Any) -> bool:
    """Whether there are bytes somewhere in a cell, as in a list of images."""
    return _is_of_bytes(kind) or any(_nests_bytes(kind.field(n).type) for n in range(kind.num_fields))


def _holds_images(file: Any, column: str) -> bool:
    """Whether the first cells that hold bytes begin as images do."""
    for batch in file.iter_batches(batch_size=_AT_ONCE, columns=[column]):
        cells = ((cell.get("bytes") if isinstance(cell, dict) else cell) for cell in batch.column(0).to_pylist())
        first = next((content for content in cells if content), None)
        if first is not None:
            return ending_of_content(first) is not None
    return False


def _has_path(schema: Any, column: str) -> bool:
    import pyarrow.types as kinds

    kind = schema.field(column).type
    return kinds.is_struct(kind) and any(kind.field(n).name == "path" for n in range(kind.num_fields))
