"""Tables and sample submissions in long format, a row for each image and class: told by the images and the classes that their cells name.

What is found is made one row an image, so that all other guesses see such a table as any other; `Long` keeps what competition.toml has
to say. Of what could be read otherwise, nothing is taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.competition.data_spec import is_pattern
from harness.data.files.names import alike, nfc
from harness.data.guess.inventory import Images, Inventory
from harness.data.rows.long import one_row_each, parted
from harness.data.rows.tables import Table

_TRIED, _AT_FIRST = 2000, 40
"""Cells that are looked at, evenly spread, and how many before the others."""
_LONGEST, _MOST_MARKS, _MOST_CLASSES = 300, 16, 500
_MOST_COLUMNS, _MOST_ROWS = 200, 1_000_000
_MARKS = re.compile(r"[_\-./ |:]+")
_NEARLY = 0.9
"""Share of the rows, or of the cells, that have to be as all are."""
_SEVERAL = 0.1
"""Share of the images that have several rows, from which these are no slips."""


@dataclass(frozen=True)
class Long:
    """What is written of a table in long format.

    Attributes
    ----------
    table : with a row for each image
    long, value : as data.long or submission.long, and the column of the values
    names : of the classes; named : whether competition.toml has to name them, since they hold what stands between id and class
    lookup : as submission.lookup, of a sample submission
    """

    table: Table
    long: str
    value: str
    names: tuple[str, ...]
    named: bool = False
    lookup: dict[str, str] | None = None


@dataclass(frozen=True)
class LongTables:
    """What is in long format.

    Attributes
    ----------
    tables : by name; sample : the sample submission, or None
    notes : what looks as if it were, and cannot be read so
    """

    tables: dict[str, Long]
    sample: Long | None
    notes: list[str]


def long_tables(inventory: Inventory, sample: tuple[str, Table] | None, samples: Sequence[str]) -> LongTables:
    """The tables in long format; samples : names of all that are called as sample submissions are."""
    found: dict[str, Long] = {}
    notes: list[str] = []
    others = {name: table for name, table in inventory.tables.items() if name not in samples}
    for name, table in others.items() if inventory.images else ():
        try:
            told = _by_pattern(table, inventory.images[0]) or _by_column(table, inventory.images[0])
        except UserError as error:
            notes.append(f"whether '{name}' has a row for each image and class; so read: {error}")
            continue
        if told is not None:
            found[name] = told
    asked = None if sample is None else _sample(sample[1], inventory, others, found)
    wanted = set() if sample is None else set(map(nfc, sample[1].header)) | set(asked.names if asked else ())
    kept = {n: told for n, told in found.items() if told.long == told.value or _is_asked(told, wanted, sample is None)}
    notes += [
        f"whether '{name}' has a row for each image and class: '{told.names[0]}' and others, which the sample submission does not ask for"
        for name, told in found.items()
        if name not in kept
    ]
    return LongTables(kept, asked, notes)


def _is_asked(told: Long, wanted: set[str], alone: bool) -> bool:
    """Whether the classes are what the sample submission asks for (else they may be raters, or views); alone : without one ids that hold
    the class are believed."""
    return is_pattern(told.long) if alone else set(told.names) <= wanted


def _by_pattern(table: Table, images: Images) -> Long | None:
    """Two columns, of which one's cells are an image's name and a class, '0a1b_any', and the other's numbers; None where it is not so."""
    if len(table.header) != 2:
        return None
    for id_column, value in (table.header, table.header[::-1]):
        odd = _no_numbers(table.column(value, ""))
        if len(odd) > (1 - _NEARLY) * len(table):
            continue
        cells = list(map(nfc, _some(table.column(id_column, ""))))
        if any(len(cell) > _LONGEST for cell in cells) or images.share_named(cells) >= 0.5:
            continue
        for mark in _marks(cells):
            for first in (True, False):
                names = _classes(cells, mark, images, first)
                if names is None:
                    continue
                if odd:
                    cell = table.column(value, "")[odd[0]]
                    raise UserError(f"{table.place(value, odd[0])}: '{plain(cell, 80)}' is no number.")
                pattern = f"{{id}}{mark}{{class}}" if first else f"{{class}}{mark}{{id}}"
                named = any(mark in name for name in names)
                wide = one_row_each(table, pattern, id_column, value, names if named else ())
                return Long(wide, pattern, value, wide.labels, named)
    return None


def _marks(cells: Sequence[str]) -> list[str]:
    """What may stand between an image and a class: marks of all cells looked at first, the longest first, '__' before '_'."""
    held = [set(_MARKS.findall(cell)) for cell in cells[:_AT_FIRST]]
    return sorted(set.intersection(*held), key=lambda mark: (-len(mark), mark)) if held else []


def _some(cells: Sequence[str]) -> list[str]:
    """So many, at random: rows that stand every so often might all be of one class."""
    if len(cells) <= _TRIED:
        return list(cells)
    return [cells[row] for row in sorted(np.random.default_rng(0).integers(0, len(cells), _TRIED).tolist())]


def _are_numbers(cells: Iterable[str]) -> bool:
    """Whether all cells that hold anything are numbers."""
    told = {cell for cell in cells if cell.strip()}
    return bool(told) and all(map(_is_number, told))


def _no_numbers(cells: Sequence[str]) -> list[int]:
    """Rows that hold something else, not nothing."""
    known = {cell: not cell.strip() or _is_number(cell) for cell in set(cells)}
    return [row for row, cell in enumerate(cells) if not known[cell]]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return len(cell) < _LONGEST


def _classes(cells: Sequence[str], mark: str, images: Images, first: bool) -> tuple[str, ...] | None:
    """The names that stand with the name of an image in each cell, each in several, and several with an image; None where it is not so."""
    told: dict[tuple[str, str], None] = {}
    for number, cell in enumerate(cells):
        part = _split(cell, mark, images, first)
        if part is None:
            return None
        told[part] = None
        if number == _AT_FIRST and len({name for _, name in told}) > number * 0.9:
            return None
    classes = Counter(name for _, name in told)
    if not 2 <= len(classes) <= min(_MOST_CLASSES, len(cells) / 2):
        return None
    return tuple(classes)


def _split(cell: str, mark: str, images: Images, first: bool) -> tuple[str, str] | None:
    """The longest part before (`first`) or behind a mark that names an image, and the rest; None where none does."""
    places = [match.start() for match in re.finditer(re.escape(mark), cell)]
    if len(places) > _MOST_MARKS:
        return None
    for place in reversed(places) if first else places:
        image, name = (cell[:place], cell[place + len(mark) :]) if first else (cell[place + len(mark) :], cell[:place])
        if image and name and any(alike(image) in known for known in images.spellings):
            return image, name
    return None


def _by_column(table: Table, images: Images) -> Long | None:
    """A column that names each image as often as there are classes, with these in another and a value in a third; or one that names many
    images in several rows, with a label in another and nothing else that differs between an image's rows. None where it is neither."""
    for id_column in table.header:
        cells = table.column(id_column, "")
        each = Counter(cells)
        several = sum(n > 1 for n in each.values())
        if several < _SEVERAL * len(each) or len(each) < 2 or images.share_named(list(each)[:_TRIED]) < 0.9:
            continue
        varying = _varying(table, id_column)
        for key in varying if len(varying) <= 2 else ():
            classes = set(table.column(key, ""))
            if not 2 <= len(classes) <= min(_MOST_CLASSES, 0.5 * len(cells)):
                continue
            values = [name for name in varying if name != key]
            pairs = set(zip(cells, table.column(key, ""), strict=True))
            asks_every_class = len(pairs) == len(each) * len(classes)
            if values and asks_every_class and _are_numbers(set(table.column(values[0], ""))):
                wide = one_row_each(table, key, id_column, values[0])
                return Long(wide, key, values[0], wide.labels)
            if not values and not asks_every_class and not any("." in c and _is_number(c) for c in classes):
                wide = one_row_each(table, key, id_column, key)
                return Long(wide, key, key, tuple(sorted(nfc(name.strip()) for name in classes if name.strip())))
    return None


def _varying(table: Table, id_column: str) -> list[str]:
    """Columns that say several things of one image; the third is the last that is looked for."""
    first: dict[str, int] = {}
    rows = [first.setdefault(i, row) for row, i in enumerate(table.column(id_column, ""))]
    found: list[str] = []
    for name, cells in zip(table.header, table.columns, strict=True):
        if name != id_column and any(cells[row] != cells[at] for row, at in enumerate(rows)):
            found.append(name)
        if len(found) > 2:
            break
    return found


def _sample(table: Table, inventory: Inventory, others: dict[str, Table], long: dict[str, Long]) -> Long | None:
    """A sample submission in long format: its rows name an image each, and a class that another table tells; None where it is not."""
    if len(table.header) == 3:
        return _sample_by_column(table, _vocabularies(others, long), inventory)
    for id_column, value in (table.header, table.header[::-1]) if len(table.header) == 2 else ():
        ids = table.column(id_column, "")
        if not ids or len(set(ids)) < len(ids) or not _are_numbers(_some(table.column(value, ""))):
            continue
        if any(images.share_named(_some(ids)) >= 0.5 for images in inventory.images):
            continue
        known = _vocabularies(others, long)
        found = _sample_by_pattern(table, (id_column, value), known, inventory)
        found = found or _sample_by_lookup(table, (id_column, value), known, others)
        if found is not None:
            return found
    return None


def _vocabularies(others: dict[str, Table], long: dict[str, Long]) -> list[list[str]]:
    """What may be the classes: columns of a table, the values of one, and the labels in its cells, each in its order."""
    found = [list(told.names) for told in long.values()]
    for table in others.values():
        found.append(list(map(nfc, table.header)))
        for cells in table.columns[:_MOST_COLUMNS]:
            marks = [mark for mark in " ,;|" if any(mark in cell for cell in cells[:_AT_FIRST])]
            found += [held for held in (_few_parts(cells, mark) for mark in (None, *marks)) if held]
    return found


def _few_parts(cells: Sequence[str], mark: str | None) -> list[str]:
    """The distinct cells, or the parts of them between marks, in their order; [] where there are very many."""
    found: dict[str, None] = {}
    for cell in dict.fromkeys(cells[:_MOST_ROWS]):
        for part in [cell] if mark is None else cell[:_LONGEST].split(mark):
            found[nfc(part.strip())] = None
        if len(found) > _MOST_CLASSES:
            return []
    return list(found)


def _vocabulary(names: Iterable[str], known: list[list[str]]) -> list[str] | None:
    """The first that has all of these names, of which there are several."""
    wanted = set(names)
    return next((held for held in known if wanted <= set(held)), None) if len(wanted) > 1 else None


def _sample_by_pattern(
    table: Table, columns: tuple[str, str], known: list[list[str]], inventory: Inventory
) -> Long | None:
    ids = list(map(nfc, table.column(columns[0], "")))
    if any(len(i) > _LONGEST for i in _some(ids)):
        return None
    everything = {name for held in known for name in held}
    for mark in _marks(ids):
        for first in (True, False):
            ended = _ends(ids[:_AT_FIRST], mark, first, everything)
            held = None if ended is None else _vocabulary(ended, known)
            if held is None:
                continue
            pattern = f"{{id}}{mark}{{class}}" if first else f"{{class}}{mark}{{id}}"
            try:
                images, names = parted(ids, pattern, [name for name in held if name], str, "")
            except UserError:
                continue
            if _each_asks_for_all(images, names) and _are_images(images, inventory):
                wide, order = _wide(table, columns, images, names, held)
                return Long(wide, pattern, columns[1], order, any(mark in name for name in order))
    return None


def _ends(ids: Sequence[str], mark: str, first: bool, names: set[str]) -> set[str] | None:
    """The longest names behind (`first`) or before a mark of each id; None where one has none."""
    found = set()
    for i in ids:
        places = [match.start() for match in re.finditer(re.escape(mark), i)]
        parts = [i[place + len(mark) :] for place in places] if first else [i[:place] for place in reversed(places)]
        name = next((part for part in parts if part in names), None)
        if name is None:
            return None
        found.add(name)
    return found


def _each_asks_for_all(images: Sequence[str], names: Sequence[str]) -> bool:
    """Whether nearly each image has nearly each of the names, several, in a row of its own."""
    n = len(set(names))
    rows = len(set(zip(images, names, strict=True)))
    return n > 1 and len(images) == rows and rows >= _NEARLY * n * len(set(images)) and len(set(images)) < rows


def _are_images(ids: Sequence[str], inventory: Inventory) -> bool:
    """Whether ids name images: files, or without any the rows of some table."""
    distinct = list(dict.fromkeys(ids))
    if inventory.images:
        return any(images.share_named(_some(distinct)) >= 0.9 for images in inventory.images)
    return any(set(distinct) <= set(cells) for table in inventory.tables.values() for cells in table.columns)


def _sample_by_lookup(
    table: Table, columns: tuple[str, str], known: list[list[str]], others: dict[str, Table]
) -> Long | None:
    """By a table that has the ids in a column of the same name, names of classes in another, and images' ids in a third."""
    id_column, value = columns
    ids = table.column(id_column, "")
    for name, other in others.items():
        if not other.has(id_column) or len(other.header) > 6 or not set(ids) <= set(other.column(id_column, "")):
            continue
        rest = [c for c in other.header if c not in (id_column, value)]
        of_others = [held for held in known if not set(held) & {id_column, *rest} and held != _cells(other, held)]
        keys = [c for c in rest if _vocabulary(map(nfc, other.column(c, "")), of_others) is not None]
        images = [c for c in rest if c not in keys and len(set(other.column(c, ""))) < len(other)]
        if len(keys) != 1 or not images:
            continue
        row_of = {i: row for row, i in enumerate(other.column(id_column, ""))}
        told, names = ([other.column(c, "")[row_of[i]] for i in ids] for c in (images[0], keys[0]))
        held = _vocabulary(map(nfc, names), of_others)
        if held is not None:
            wide, order = _wide(table, columns, told, names, held)
            return Long(wide, keys[0], value, order, lookup={"file": name, "id": images[0]})
    return None


def _cells(table: Table, held: list[str]) -> list[str] | None:
    """`held`, where it is what stands in a column of the table itself."""
    own = ([nfc(cell.strip()) for cell in dict.fromkeys(cells)] for cells in table.columns)
    return held if any(held == cells for cells in own) else None


def _sample_by_column(table: Table, known: list[list[str]], inventory: Inventory) -> Long | None:
    """By a column of its own that names classes."""
    for key in table.header:
        names = [nfc(name.strip()) for name in table.column(key, "")]
        held = _vocabulary(names, known)
        if held is None:
            continue
        rest = [name for name in table.header if name != key]
        for id_column, value in (rest, rest[::-1]):
            ids = table.column(id_column, "")
            if not _each_asks_for_all(ids, names) or not _are_images(ids, inventory):
                continue
            if _are_numbers(_some(table.column(value, ""))):
                wide, order = _wide(table, (id_column, value), ids, names, held)
                return Long(wide, key, value, order)
    return None


def _wide(
    table: Table, columns: tuple[str, str], images: Sequence[str], names: Sequence[str], held: list[str]
) -> tuple[Table, tuple[str, ...]]:
    """A row for each image and a column for each name, in the order of `held`, and the names; what is not asked for has the first value.

    columns : of the ids and of the values
    """
    id_column, values = columns[0], table.column(columns[1], "")
    named = list(map(nfc, names))
    cells = {(i, name): value for i, name, value in zip(images, named, values, strict=True)}
    rows, order = list(dict.fromkeys(images)), sorted(set(named), key=held.index)
    told = [[cells.get((i, name), values[0]) for i in rows] for name in order]
    return Table([id_column, *order], [rows, *told], table.shown), tuple(order)
