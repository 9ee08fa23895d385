"""Tables and sample submissions in long format, a row for each image and class: told by the images that ids begin or end with.

What is found is made one row an image, so that all other guesses see tables as usual; `Long` keeps what competition.toml has to say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.base.errors import UserError
from harness.data.files.names import alike, nfc
from harness.data.guess.inventory import Images, Inventory
from harness.data.rows.long import one_row_each, parted
from harness.data.rows.tables import Table
from harness.data.rows.targets import are_flags

_TRIED, _MOST_CLASSES = 4000, 500
_MARKS = "_-./ |:"


@dataclass(frozen=True)
class Long:
    """What is written of a table in long format.

    Attributes
    ----------
    long, value : as data.long or submission.long, and the column of the values
    classes : names that hold what stands between id and class, so that they have to be known; else ()
    lookup : as submission.lookup, of a sample submission
    """

    long: str
    value: str
    classes: tuple[str, ...] = ()
    lookup: dict[str, str] | None = None


def unfolded(inventory: Inventory, samples: Sequence[str]) -> tuple[Inventory, dict[str, Long]]:
    """The inventory with each table in long format made one row an image, and what such tables are, by name; samples : that are not looked at."""
    everything = inventory.images[0] if inventory.images else None
    if everything is None:
        return inventory, {}
    tables, found = dict(inventory.tables), {}
    for name, table in inventory.tables.items():
        told = None if name in samples else _by_pattern(table, everything) or _by_column(table, everything)
        if told is not None:
            id_column, long = told
            try:
                tables[name] = one_row_each(table, long.long, id_column, long.value, long.classes)
            except UserError:
                continue  # it is something else
            found[name] = long
    return (replace(inventory, tables=tables), found) if found else (inventory, {})


def _by_pattern(table: Table, images: Images) -> tuple[str, Long] | None:
    """A column whose cells are an image's name and a class, '0a1b_any', one other column beside it; None where there is none."""
    if len(table.header) != 2:
        return None
    for id_column, value in (table.header, table.header[::-1]):
        cells = table.column(id_column, "")[:_TRIED]
        if len(set(cells)) < 0.9 * len(cells) or images.share_named(cells) >= 0.5:
            continue
        for pattern, classes in _patterns(cells, images):
            return id_column, Long(pattern, value, classes)
    return None


def _patterns(cells: Sequence[str], images: Images) -> list[tuple[str, tuple[str, ...]]]:
    """Patterns by which cells are a name of an image and a class, each image with as many of them; with the classes, where these have to be
    named."""
    found = []
    for mark in _MARKS:
        for first in (True, False):
            parts = [_split(nfc(cell), mark, images, first) for cell in cells]
            told = list(dict.fromkeys(part for part in parts if part is not None))
            classes = list(dict.fromkeys(name for _, name in told))
            each = Counter(i for i, _ in told)
            if None in parts or not 2 <= len(classes) <= _MOST_CLASSES or len(each) < 2:
                continue
            whole = list(each.values())[:-1]  # the last one may be cut off by `_TRIED`
            if min(whole) == max(whole) == len(classes):
                pattern = f"{{id}}{mark}{{class}}" if first else f"{{class}}{mark}{{id}}"
                named = any(mark in name for name in classes) or not _is_told(cells, pattern, set(each))
                found.append((pattern, tuple(classes) if named else ()))
    return found


def _split(cell: str, mark: str, images: Images, first: bool) -> tuple[str, str] | None:
    """The longest part before (`first`) or behind a mark that names an image, and the rest; None where none does."""
    places = [match.start() for match in re.finditer(re.escape(mark), cell)]
    for place in reversed(places) if first else places:
        image, name = (cell[:place], cell[place + 1 :]) if first else (cell[place + 1 :], cell[:place])
        if image and name and any(alike(image) in known for known in images.spellings):
            return image, name
    return None


def _is_told(cells: Sequence[str], pattern: str, ids: set[str]) -> bool:
    """Whether a pattern finds these ids without the names of the classes."""
    return set(parted(cells, pattern, (), str, "")[0]) == ids


def _by_column(table: Table, images: Images) -> tuple[str, Long] | None:
    """A column that names each image as often as there are classes, with these in another and a value in a third; or one that names images
    in several rows, with a label in another and nothing else that differs between an image's rows. None where it is neither."""
    for id_column in table.header:
        cells = table.column(id_column, "")
        each = Counter(cells)
        if len(each) == len(cells) or len(each) < 2 or images.share_named(list(each)[:_TRIED]) < 0.9:
            continue
        varying = [name for name in table.header if name != id_column and _varies(cells, table.column(name, ""))]
        keys = [name for name in varying if len(set(zip(cells, table.column(name, ""), strict=True))) == len(cells)]
        for key in keys:
            classes = set(table.column(key, ""))
            values = [name for name in varying if name != key]
            every = set(each.values()) == {len(classes)} and 2 <= len(classes) <= _MOST_CLASSES
            if every and len(values) == 1 and _is_value(table.column(values[0], "")):
                return id_column, Long(key, values[0])
            if not every and not values and len(classes) <= 0.5 * len(cells) and not _are_fractions(classes):
                return id_column, Long(key, key)
    return None


def _varies(ids: Sequence[str], cells: Sequence[str]) -> bool:
    """Whether a column says several things of one image."""
    return len(set(zip(ids, cells, strict=True))) > len(set(ids))


def _is_value(cells: Sequence[str]) -> bool:
    return are_flags(cells) or all(re.fullmatch(r"-?\d*\.?\d+(e-?\d+)?", cell, re.I) for cell in cells if cell)


def _are_fractions(cells: set[str]) -> bool:
    return any(re.fullmatch(r"-?\d*\.\d+", cell) for cell in cells)


def unfolded_sample(inventory: Inventory, sample: tuple[str, Table]) -> tuple[Table, Long] | None:
    """A sample submission in long format as one with a row for each image, by the columns of the other tables, of which its rows name one
    each; None where it is not in long format."""
    name, table = sample
    others = {n: t for n, t in inventory.tables.items() if n != name}
    columns = sorted({nfc(column) for other in others.values() for column in other.header})
    if len(table.header) == 2:
        for id_column, value in (table.header, table.header[::-1]):
            ids = table.column(id_column, "")
            if len(set(ids)) < len(ids) or not ids:
                continue
            for read in (_sample_by_pattern, _sample_by_lookup):
                told = read(ids, id_column, value, columns, others)
                if told is not None:
                    long, images, names = told
                    return _wide(table, (id_column, value), images, names, others), long
    if len(table.header) == 3:
        return _sample_by_column(table, columns, others)
    return None


def _sample_by_pattern(
    ids: Sequence[str], id_column: str, value: str, columns: Sequence[str], others: dict[str, Table]
) -> tuple[Long, list[str], list[str]] | None:
    for mark in _MARKS:
        for pattern in (f"{{id}}{mark}{{class}}", f"{{class}}{mark}{{id}}"):
            ended = [
                c for c in columns if any(nfc(i).endswith(mark + c) or nfc(i).startswith(c + mark) for i in ids[:200])
            ]
            if len(ended) < 2:
                continue
            try:
                images, names = parted(ids, pattern, ended, str, "")
            except UserError:
                continue
            if len(set(names)) >= 2 and len(set(images)) < len(ids):
                plain = all(mark not in name for name in names)
                return Long(pattern, value, () if plain else tuple(dict.fromkeys(names))), images, names
    return None


def _sample_by_lookup(
    ids: Sequence[str], id_column: str, value: str, columns: Sequence[str], others: dict[str, Table]
) -> tuple[Long, list[str], list[str]] | None:
    """By a table that has the ids in a column of the same name, names of columns in another, and images' ids in a third."""
    for name, table in others.items():
        if not table.has(id_column) or not set(ids) <= set(table.column(id_column, "")):
            continue
        rest = [c for c in table.header if c not in (id_column, value)]
        keys = [c for c in rest if len(held := set(map(nfc, table.column(c, "")))) > 1 and held <= set(columns)]
        images = [c for c in rest if c not in keys and len(set(table.column(c, ""))) < len(table)]
        if len(keys) != 1 or not images:
            continue
        row_of = {i: row for row, i in enumerate(table.column(id_column, ""))}
        told = [[table.column(c, "")[row_of[i]] for i in ids] for c in (images[0], keys[0])]
        return Long(keys[0], value, lookup={"file": name, "id": images[0]}), told[0], told[1]
    return None


def _sample_by_column(table: Table, columns: Sequence[str], others: dict[str, Table]) -> tuple[Table, Long] | None:
    """By a column of its own that names columns of other tables."""
    for key in table.header:
        names = [nfc(name) for name in table.column(key, "")]
        if len(set(names)) < 2 or not set(names) <= set(columns):
            continue
        id_column, value = [name for name in table.header if name != key]
        ids = table.column(id_column, "")
        if len(set(zip(ids, names, strict=True))) == len(ids) and len(set(ids)) < len(ids):
            return _wide(table, (id_column, value), ids, names, others), Long(key, value)
    return None


def _wide(
    table: Table, columns: tuple[str, str], images: Sequence[str], names: Sequence[str], others: dict[str, Table]
) -> Table:
    """A row for each image and a column for each name, in the order of the table that has them; what is not asked for has the first value.

    columns : of the ids and of the values
    """
    id_column, values = columns[0], table.column(columns[1], "")
    cells = {(i, name): value for i, name, value in zip(images, names, values, strict=True)}
    held = next((list(map(nfc, o.header)) for o in others.values() if set(names) <= set(map(nfc, o.header))), names)
    rows, order = list(dict.fromkeys(images)), sorted(set(names), key=held.index)
    told = [[cells.get((i, name), values[0]) for i in rows] for name in order]
    return Table([id_column, *order], [rows, *told], table.shown)
