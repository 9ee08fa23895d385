"""Images as rows of a CSV (Kaggle's Digit Recognizer): parsed by pyarrow in blocks, straight into uint8."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError, nearest
from harness.base.untrusted_text import plain
from harness.competition.data_spec import DataSpec
from harness.competition.samples import RawTargets
from harness.data.files.archives import FileTree
from harness.data.files.arrays import new_images
from harness.data.files.csv_tables import separator
from harness.data.rows.listing import groups_of
from harness.data.rows.tables import Table
from harness.data.rows.targets import targets_of
from harness.data.rows.weights import weights_of

_BLOCK = 1 << 24
_OTHER_FILE = "Download the file again if it is cut off, or name another in [data] of competition.toml."


@dataclass(frozen=True)
class PixelRows:
    """What stands beside the pixels of a table's rows.

    Attributes
    ----------
    ids : None where the table has no id column, so that the rows' numbers stand for them
    targets : of training rows
    groups, fold : a text of each row, or None
    weight : of training rows, float64 (n,), or None
    kept : numbers of the table's rows that these are, where some were left out
    notes : what is odd, in words
    """

    ids: list[str] | None
    targets: RawTargets | None
    groups: list[str] | None = None
    fold: list[str] | None = None
    weight: np.ndarray | None = None
    kept: list[int] | None = None
    notes: tuple[str, ...] = ()


def read_csv_pixels(tree: FileTree, name: str, spec: DataSpec, labelled: bool, folder: Path) -> PixelRows:
    """Write images.npy of one CSV into a folder; returns what stands beside the pixels.

    The CSV is read block by block: at its peak the memory holds the decoded images once, never the CSV.

    Raises
    ------
    UserError
        If a row has too few or too many columns, a value is no pixel, a label is no class: says which row, column, value.
    """
    pixels, others = _columns(tree, name, spec, labelled)
    blocks: list[np.ndarray] = []
    beside: dict[str, list[str]] = {column: [] for column in others}
    for block in _blocks(tree, name, pixels, others):
        blocks.append(np.stack([block.column(c).to_numpy() for c in pixels], axis=1))  # (rows, pixels) uint8
        for column, cells in beside.items():
            cells.extend(block.column(column).to_pylist())
    if not blocks:
        raise UserError(f"{tree.show(name)}: has a header but no rows. {_OTHER_FILE}")
    n = sum(map(len, blocks))
    images = new_images(folder, n, spec)
    start = 0
    for rows in blocks:
        images[start : start + len(rows)] = rows.reshape(-1, *spec.size, spec.channels)
        start += len(rows)
    images.flush()
    ids = beside.get(spec.id or "")
    if not labelled:
        return PixelRows(ids, None)
    table = Table(others, [beside[c] for c in others], tree.show(name))
    return PixelRows(ids, targets_of(table, spec), groups_of(table, spec), weight=weights_of(table, spec))


def _first_line(tree: FileTree, name: str) -> str:
    with tree.open(name) as file:
        return io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace").readline()


def _header(tree: FileTree, name: str) -> list[str]:
    line = _first_line(tree, name)
    try:
        return next(csv.reader([line], delimiter=separator(line)), [])
    except csv.Error as error:
        raise UserError(f"{tree.show(name)}: its header cannot be read as CSV ({error}). {_OTHER_FILE}") from error


def _columns(tree: FileTree, name: str, spec: DataSpec, labelled: bool) -> tuple[list[str], list[str]]:
    """Pixel columns in order, and the others, by the header.

    Only one of the two tables may have the id's column: the other's rows have numbers.
    """
    header = _header(tree, name)
    twice = (
        next((column for column in header if header.count(column) > 1), None)
        if len(set(header)) < len(header)
        else None
    )
    if twice is not None:
        raise UserError(f"{tree.show(name)}: two columns are named '{plain(twice, 80)}'. Rename one in its header.")
    others = list(dict.fromkeys(_beside(spec) if labelled else ())) + ([spec.id] if spec.id else [])
    if spec.id and may_lack_id(tree, spec, header, labelled, _header):
        others.remove(spec.id)
    for column in others:
        if column not in header:
            shown = ", ".join(header[:5]) + (", ..." if len(header) > 5 else "")
            raise UserError(
                f"{tree.show(name)}: no column '{column}'{plain(nearest(column, header))}. Its header begins: "
                f"{plain(shown, 300) or '(empty file)'}. Correct data.{_key_of(column, spec)} in competition.toml."
            )
    pixels = [column for column in header if column not in others]
    expected = spec.size[0] * spec.size[1] * spec.channels
    if len(pixels) != expected:
        raise UserError(
            f"{tree.show(name)}: {len(pixels)} pixel columns, but data.size {list(spec.size)} x {spec.channels} channels "
            f"needs {expected}. Correct data.size and data.channels in competition.toml."
        )
    return pixels, others


def may_lack_id(
    tree: FileTree,
    spec: DataSpec,
    columns: Sequence[str],
    labelled: bool,
    header: Callable[[FileTree, str], Sequence[str]],
) -> bool:
    """Whether a table's columns lack the id's and may: of the test's always, of the training table where the test's has it.

    header : the columns of the test's table
    """
    if spec.id is None or spec.id in columns:
        return False
    return not labelled or bool(spec.test and tree.has(spec.test) and spec.id in header(tree, spec.test))


def _beside(spec: DataSpec) -> list[str]:
    """Columns of training rows that are no pixels; the id's aside."""
    return [*spec.label, *spec.group_by, *([spec.weight] if spec.weight else [])]


def _key_of(column: str, spec: DataSpec) -> str:
    known = {"label": spec.label, "id": (spec.id,), "group_by": spec.group_by}
    return next((key for key, columns in known.items() if column in columns), "weight")


def _blocks(tree: FileTree, name: str, pixels: list[str], others: list[str]) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    types = {column: pa.uint8() for column in pixels} | {column: pa.string() for column in others}
    options = pa_csv.ConvertOptions(column_types=types, null_values=[], include_columns=pixels + others)
    parse = pa_csv.ParseOptions(delimiter=separator(_first_line(tree, name)))
    read = pa_csv.ReadOptions(block_size=_BLOCK)
    try:
        with tree.open(name) as file:
            yield from pa_csv.open_csv(file, read_options=read, parse_options=parse, convert_options=options)
    except (pa.ArrowException, UnicodeError) as error:
        _blame_row(tree, name, pixels)
        raise UserError(f"{tree.show(name)}: {plain(error, 300)}. {_OTHER_FILE}") from error


def _blame_row(tree: FileTree, name: str, pixels: list[str]) -> None:
    """Find the first row that pyarrow could not take and raise with its number; pyarrow names no row when threaded."""
    wanted, mark = set(pixels), separator(_first_line(tree, name))
    with tree.open(name) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
        rows = _readable(text, mark, tree.show(name))
        header, _ = next(rows)
        is_pixel = [column in wanted for column in header]
        for number, (row, line) in enumerate(rows, start=1):
            place = f"{tree.show(name)}: row {number} (line {line})"
            if len(row) != len(header):
                raise UserError(
                    f"{place} has {len(row)} values, the header has {len(header)}. Correct the row; if the file is cut off, "
                    "download it again."
                )
            for column, pixel, value in zip(header, is_pixel, row, strict=True):
                if pixel and not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) <= 255):
                    raise UserError(
                        f"{place}, column {plain(column, 80)}: '{plain(value, 80)}' is no pixel (a whole number, 0 to 255). Correct the row, "
                        "or download the file again."
                    )


def _readable(file: Any, mark: str, shown: str) -> Iterator[tuple[list[str], int]]:
    """Rows of a CSV, each with its line; mark : what separates the values."""
    rows = csv.reader(file, delimiter=mark)
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise UserError(f"{shown}: line {rows.line_num + 1}: {error}. Correct the line. {_OTHER_FILE}") from error
        if row is None:
            return
        yield row, rows.line_num
