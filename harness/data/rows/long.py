"""Tables in long format, a row for each image and class: which image and class a row is of, and the table with a row for each image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.base.errors import UserError
from harness.base.untrusted_text import counted, listed, plain
from harness.competition.data_spec import is_pattern
from harness.data.files.names import BETWEEN, nfc
from harness.data.rows.tables import Table


def parted(
    cells: Sequence[str], pattern: str, classes: Sequence[str], place: Callable[[int], str], key: str
) -> tuple[list[str], list[str]]:
    """The image's id and the class of each cell, by a pattern as '{id}_{class}'.

    Parameters
    ----------
    classes : whose names hold what stands between the two, say; () where they are not known: then a class's name does not hold it
    place : where a row's cell stands, in words; key : of competition.toml, that has the pattern

    Raises
    ------
    UserError
        If a cell is not made so.
    """
    known = "|".join(re.escape(nfc(name)) for name in sorted(classes, key=len, reverse=True))
    parts = {"{id}": "(?P<id>.+?)" if known else "(?P<id>.+)", "{class}": f"(?P<name>{known or '.+?'})"}
    made = "".join(parts.get(part, re.escape(part)) for part in re.split(r"(\{id\}|\{class\})", pattern))
    found = re.compile(made, re.DOTALL)
    matches = [found.fullmatch(nfc(cell)) for cell in cells]
    odd = next((row for row, match in enumerate(matches) if match is None), None)
    if odd is not None:
        of = f", whose classes are {listed(list(classes), 8)}" if classes else ""
        raise UserError(
            f"{place(odd)}: '{plain(cells[odd], 80)}' is not made as {key} = '{plain(pattern, 80)}' says{of}. Correct the cell, or {key} in "
            "competition.toml."
        )
    told = [(match["id"], match["name"]) for match in matches if match is not None]
    return [i for i, _ in told], [name for _, name in told]


def one_row_each(table: Table, long: str, id_column: str, value: str, classes: Sequence[str] = ()) -> Table:
    """A table in long format as one with a row for each image, in the order in which it names them.

    Its columns are the id's, then those others that say one thing in all rows of an image, then one for each class with its values
    (`Table.labels`); or where the value's column is that of the classes this one, with all labels of an image in its cell
    (`Table.separators`). Rows that say the same twice count once.

    Parameters
    ----------
    long : as data.long: a pattern of the id's cells, or the column of the classes
    value : as data.label: the column of the values
    classes : of the competition, where they are known

    Raises
    ------
    UserError
        If a cell fits no pattern, or an image has two values of a class, or none.
    """
    ids, names = images_and_classes(table, long, id_column, classes)
    values = table.column(value, "data.label")
    found, of_row, dropped = _beside(table, ids, (id_column, value, long))
    images, labels = found[id_column][0], tuple(dict.fromkeys(names))
    separators: dict[str, str] = {}
    if long == value:
        found[value] = (_in_cells(table, long, of_row, names, len(images)), found[id_column][1])
        labels, separators = (), {value: BETWEEN}
    else:
        clash = next((name for name in labels if name in found), None)
        if clash is not None:
            raise UserError(
                f"{table.shown}: '{plain(clash, 80)}' is a class (data.long) and a column too. Rename one of them."
            )
        for name, rows in _rows_of_classes(table, value, values, of_row, names, images).items():
            found[name] = ([values[row] for row in rows], _origin(table, value, rows))
    first: dict[str, int] = {}
    for row, name in enumerate(names if long == value else ()):
        first.setdefault(name, table.origin(value)[1][row])
    return replace(
        _of(table, found, dropped), separators=separators, labels=labels, value_column=value, rows_of_labels=first
    )


def one_row_of_images(table: Table, long: str, id_column: str, classes: Sequence[str] = ()) -> Table:
    """The same without classes and values, of rows that are asked for."""
    ids, _ = images_and_classes(table, long, id_column, classes)
    found, _, dropped = _beside(table, ids, (id_column, long))
    return _of(table, found, dropped)


def images_and_classes(
    table: Table, long: str, id_column: str, classes: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """The image's id and the class of each row, in NFC."""
    ids = [nfc(cell) for cell in table.column(id_column, "data.id")]
    if is_pattern(long):
        return parted(ids, long, classes, lambda row: table.place(id_column, row), "data.long")
    return ids, [nfc(name.strip()) for name in table.column(long, "data.long")]


_Columns = dict[str, tuple[list[str], tuple[str, Sequence[int]]]]
"""Cells and origins (`Table.origin`), by the columns' names."""


def _beside(table: Table, ids: Sequence[str], told: Sequence[str]) -> tuple[_Columns, list[int], dict[str, str]]:
    """The ids, each once, and the other columns that say one thing in all rows of an image; of each row the number of its image; and of
    the columns that do not where they differ, in words."""
    first: dict[str, int] = {}
    for row, i in enumerate(ids):
        first.setdefault(i, row)
    number = {i: n for n, i in enumerate(first)}
    of_row, rows = [number[i] for i in ids], list(first.values())
    found: _Columns = {told[0]: (list(first), _origin(table, told[0], rows))}
    dropped: dict[str, str] = {}
    for name, cells in zip(table.header, table.columns, strict=True):
        if name in told:
            continue
        odd = next((row for row, image in enumerate(of_row) if cells[row] != cells[rows[image]]), None)
        if odd is None:
            found[name] = ([cells[row] for row in rows], _origin(table, name, rows))
        else:
            numbers = table.origin(name)[1]
            same = rows[of_row[odd]]
            dropped[name] = (
                f"differs between rows {numbers[same] + 1} and {numbers[odd] + 1} of image '{plain(ids[odd], 80)}'"
            )
    return found, of_row, dropped


def _of(table: Table, found: _Columns, dropped: dict[str, str]) -> Table:
    return replace(
        table,
        header=list(found),
        columns=[cells for cells, _ in found.values()],
        origins={name: origin for name, (_, origin) in found.items()},
        separators={},
        whole=table.rows_in_file,
        classes={},
        dropped=dropped,
    )


def _origin(table: Table, name: str, rows: Sequence[int]) -> tuple[str, Sequence[int]]:
    shown, numbers = table.origin(name)
    return shown, [numbers[row] for row in rows]


def _in_cells(table: Table, long: str, of_row: Sequence[int], names: Sequence[str], n: int) -> list[str]:
    """All labels of each of n images in a cell; a row with an empty cell says that it has none."""
    labels: list[dict[str, None]] = [{} for _ in range(n)]
    for row, (image, name) in enumerate(zip(of_row, names, strict=True)):
        if BETWEEN in name:
            raise UserError(
                f"{table.place(long, row)}: {plain(name, 80)!r} has characters that cannot be printed. Rename it."
            )
        if name:
            labels[image][name] = None
    return [BETWEEN.join(found) for found in labels]


def _rows_of_classes(
    table: Table, value: str, values: Sequence[str], of_row: Sequence[int], names: Sequence[str], ids: Sequence[str]
) -> dict[str, list[int]]:
    """Of each class the row of each image, by the class's name."""
    classes = dict.fromkeys(names)
    if len(classes) * len(ids) > len(values):
        _refuse_holes(table, of_row, names, ids)
    found: dict[str, list[int]] = {name: [-1] * len(ids) for name in classes}
    for row, (image, name) in enumerate(zip(of_row, names, strict=True)):
        before = found[name][image]
        if before >= 0 and values[before] != values[row]:
            raise UserError(
                f"{table.place(value, row)}: '{plain(values[row], 80)}' for '{plain(name, 80)}' of '{plain(ids[image], 80)}', and "
                f"'{plain(values[before], 80)}' in row {table.origin(value)[1][before] + 1}. Take one of the two out."
            )
        found[name][image] = row
    if any(-1 in rows for rows in found.values()):
        _refuse_holes(table, of_row, names, ids)
    return found


def _refuse_holes(table: Table, of_row: Sequence[int], names: Sequence[str], ids: Sequence[str]) -> None:
    """Refuse images that lack a row of a class; counted without a table of all pairs, which might be too large."""
    pairs = dict.fromkeys(zip(of_row, names, strict=True))
    there = Counter(name for _, name in pairs)
    name, rows = min(there.items(), key=lambda item: item[1])
    having = {image for image, other in pairs if other == name}
    lacks = next(place for place in range(len(ids)) if place not in having)
    n = len(ids) - rows
    twin = next((other for other in there if other != name and other.casefold() == name.casefold()), None)
    if twin is not None:
        raise UserError(
            f"{table.shown}: class '{plain(name, 80)}' ({counted(rows, 'row')}, e.g. of '{plain(ids[next(iter(having))], 80)}') is written "
            f"'{plain(twin, 80)}' in {counted(there[twin], 'row')}. Correct the former."
        )
    raise UserError(
        f"{table.shown}: {counted(n, 'image')} of {len(ids):,} {'has' if n == 1 else 'have'} no row for class "
        f"'{plain(name, 80)}', e.g. '{plain(ids[lacks], 80)}', and there are {len(there):,} classes: {listed(list(there), 8)}. Complete it; "
        "where the names of classes hold what stands between id and class, name them: classes = [...]; where a row "
        "says that its image has a label, name its column in data.label too."
    )
