"""Tables in long format, a row for each image and class: which image and class a row is of, and the table with a row for each image."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.base.errors import UserError
from harness.base.untrusted_text import counted, listed, plain
from harness.competition.data_spec import is_pattern
from harness.data.files.names import nfc
from harness.data.rows.tables import MARKS, Table


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
    ids = [nfc(cell) for cell in table.column(id_column, "data.id")]
    if is_pattern(long):
        ids, names = parted(ids, long, classes, lambda row: table.place(id_column, row), "data.long")
    else:
        names = [nfc(name.strip()) for name in table.column(long, "data.long")]
    values = table.column(value, "data.label")
    first: dict[str, int] = {}
    for row, i in enumerate(ids):
        first.setdefault(i, row)
    number = {i: n for n, i in enumerate(first)}
    of_row, rows = [number[i] for i in ids], list(first.values())
    found = {id_column: (list(first), _origin(table, id_column, rows))}
    for name in table.header:
        beside = None if name in (id_column, value, long) else _of_images(table.column(name, ""), of_row, len(first))
        if beside is not None:
            found[name] = (beside, _origin(table, name, rows))
    labels, separators = tuple(dict.fromkeys(names)), {}
    if long == value:
        cells, mark = _in_cells(of_row, names, len(first))
        found[value], labels, separators = (cells, _origin(table, value, rows)), (), {value: mark}
    else:
        clash = next((name for name in labels if name in found), None)
        if clash is not None:
            raise UserError(
                f"{table.shown}: '{plain(clash, 80)}' is a class (data.long) and a column too. Rename one of them."
            )
        for name, rows in _rows_of_classes(table, value, values, of_row, names, list(first)).items():
            found[name] = ([values[row] for row in rows], _origin(table, value, rows))
    return replace(
        table,
        header=list(found),
        columns=[cells for cells, _ in found.values()],
        origins={name: origin for name, (_, origin) in found.items()},
        separators=separators,
        whole=table.rows_in_file,
        classes={},
        labels=labels,
    )


def _origin(table: Table, name: str, rows: Sequence[int]) -> tuple[str, Sequence[int]]:
    shown, numbers = table.origin(name)
    return shown, [numbers[row] for row in rows]


def _of_images(cells: Sequence[str], of_row: Sequence[int], n: int) -> list[str] | None:
    """The cell of each of n images, where all rows of an image have the same; else None."""
    found: list[str | None] = [None] * n
    for cell, image in zip(cells, of_row, strict=True):
        if found[image] is None:
            found[image] = cell
        elif found[image] != cell:
            return None
    return [cell for cell in found if cell is not None]


def _in_cells(of_row: Sequence[int], names: Sequence[str], n: int) -> tuple[list[str], str]:
    """All labels of each of n images in a cell, and what stands between them; a row with an empty cell says that it has none."""
    labels: list[dict[str, None]] = [{} for _ in range(n)]
    for image, name in zip(of_row, names, strict=True):
        if name:
            labels[image][name] = None
    mark = next(mark for mark in MARKS if not any(mark in name for name in set(names)))
    return [mark.join(found) for found in labels], mark


def _rows_of_classes(
    table: Table, value: str, values: Sequence[str], of_row: Sequence[int], names: Sequence[str], ids: Sequence[str]
) -> dict[str, list[int]]:
    """Of each class the row of each image, by the class's name."""
    found: dict[str, list[int]] = {name: [-1] * len(ids) for name in dict.fromkeys(names)}
    for row, (image, name) in enumerate(zip(of_row, names, strict=True)):
        before = found[name][image]
        if before >= 0 and values[before] != values[row]:
            raise UserError(
                f"{table.place(value, row)}: '{plain(values[row], 80)}' for '{plain(name, 80)}' of '{plain(ids[image], 80)}', and "
                f"'{plain(values[before], 80)}' in row {table.origin(value)[1][before] + 1}. Take one of the two out."
            )
        found[name][image] = row
    lacking = {name: rows.count(-1) for name, rows in found.items() if -1 in rows}
    if lacking:
        name = max(lacking, key=lambda name: lacking[name])
        raise UserError(
            f"{table.shown}: {counted(lacking[name], 'image')} of {len(ids):,} {'has' if lacking[name] == 1 else 'have'} no row for class "
            f"'{plain(name, 80)}', e.g. '{plain(ids[found[name].index(-1)], 80)}', and there are {len(found):,} classes: {listed(list(found), 8)}. "
            f"Complete it; where the names of classes hold what stands between id and class, name them: classes = [...]; where a row "
            "says that its image has a label, name its column in data.label too."
        )
    return found
