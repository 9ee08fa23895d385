"""From tables to the columns of each split, in the cache.

columns.json                 {"numbers": names, "categories": {name: values}}
train/numbers.npy codes.npy  float32 (n, N), int32 (n, M); test/ as well
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import read_json, write_json
from harness.base.untrusted_text import counted, listed, plain
from harness.competition.data_spec import DataSpec
from harness.competition.samples import Columns
from harness.data.columns.kinds import Cells, as_numbers, refuse_empty_and_constant, refuse_names_of_rows
from harness.data.columns.patterns import IMAGE_COLUMNS, are_categories, chosen_columns, table_names
from harness.data.files.archives import FileTree
from harness.data.rows.listing import id_column, pixel_table, test_table, training_table
from harness.data.rows.tables import Table, bare_id, joined, read_table, stacked

_FILE = "columns.json"


@dataclass(frozen=True)
class ColumnPlan:
    """Which columns there are and where each split's rows stand; made before any image is decoded.

    Attributes
    ----------
    numbers, categories : as `Columns` has them; the image's own are the last numbers
    rows : {"train", "test"}: number of an id's row in that split's table; None where rows are in the table's order
    values : {"train", "test"}: float32 (rows, N) and int32 (rows, M) of the tables' rows
    shown : {"train", "test"}: the table's place, in words
    notes : what is odd, in words
    """

    numbers: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    rows: dict[str, dict[str, int] | None]
    values: dict[str, tuple[np.ndarray, np.ndarray]]
    shown: dict[str, str]
    notes: list[str]

    def write(self, split: str, folder: Path, kept: Sequence[int] | None = None) -> None:
        """numbers.npy and codes.npy of the rows in `folder`, whose ids.npy and, of image files, sizes.npy stand.

        kept : numbers of the table's rows that these are, where rows are in its order and some were left out
        """
        ids = np.load(folder / "ids.npy", allow_pickle=False).tolist()
        own = [name for name in self.numbers if name in IMAGE_COLUMNS]
        numbers, codes = np.zeros((len(ids), 0), np.float32), np.zeros((len(ids), 0), np.int32)
        if split in self.values:
            rows = self._rows(split, ids) if kept is None or self.rows[split] is not None else np.array(kept)
            numbers, codes = (values[rows] for values in self.values[split])
        if own:
            sizes = np.load(folder / "sizes.npy", allow_pickle=False).astype(np.float32)
            sizes[sizes == 0] = np.nan  # of an image that could not be decoded
            places = [IMAGE_COLUMNS.index(name) for name in own]
            if split == "train":
                for name, place in zip(own, places, strict=True):
                    refuse_empty_and_constant(Cells(name, f"{folder.name} images", []), sizes[:, place])
            numbers = np.concatenate([numbers, sizes[:, places]], axis=1)
        write_columns(Columns(numbers, codes, self.numbers, self.categories), folder)

    def _rows(self, split: str, ids: Sequence[str]) -> np.ndarray:
        """int64 (len(ids),): the table's row of each id."""
        known = self.rows[split]
        if known is None:
            return np.arange(len(ids))
        rows = [known.get(bare_id(i), -1) for i in ids]
        lost = next((i for i, row in zip(ids, rows, strict=True) if row < 0), None)
        if lost is not None:
            raise UserError(
                f"{self.shown[split]}: has no row for id '{plain(lost, 80)}' ({rows.count(-1):,} of {len(ids):,} have none), so that its "
                "data.features are not known. Complete the table (a cell may be empty), or correct data.features_from in competition.toml."
            )
        return np.array(rows, dtype=np.int64)


def write_columns(columns: Columns, folder: Path) -> None:
    """numbers.npy and codes.npy of a split's rows, and beside the splits columns.json."""
    np.save(folder / "numbers.npy", columns.numbers)
    np.save(folder / "codes.npy", columns.codes)
    write_json(
        folder.parent / _FILE,
        {"numbers": list(columns.number_names), "categories": {k: list(v) for k, v in columns.categories.items()}},
    )


def open_columns(folder: Path) -> Columns | None:
    """The columns of a split in the cache, or None."""
    if not (folder / "numbers.npy").is_file():
        return None
    told = read_json(folder.parent / _FILE)
    return Columns(
        np.load(folder / "numbers.npy", allow_pickle=False),
        np.load(folder / "codes.npy", allow_pickle=False),
        tuple(told["numbers"]),
        {name: tuple(values) for name, values in told["categories"].items()},
    )


def plan_columns(tree: FileTree, spec: DataSpec, has_test: bool, classes: Sequence[str] = ()) -> ColumnPlan:
    """Read the tables, choose the columns and turn their cells into numbers and categories.

    has_test : whether there are test images; classes : of the competition, where they are known

    Raises
    ------
    UserError
        If a column is missing, empty, constant, neither numbers nor a category, or an id has two rows.
    """
    own = [name for name in spec.features if name in IMAGE_COLUMNS]
    if own and spec.format not in ("image_csv", "image_folder", "custom"):
        raise UserError(
            f"data.features: '{own[0]}': images of data.format = '{spec.format}' have one size. Take it out in competition.toml."
        )
    tables = _tables(tree, spec, has_test, classes) if table_names(spec) else {}
    names = chosen_columns(spec, tables.get("train"), tables.get("test"))
    categories = are_categories(spec, names)
    numbers: dict[str, list[np.ndarray]] = {}
    codes: dict[str, list[np.ndarray]] = {}
    values: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    for name in names:
        if name in IMAGE_COLUMNS:
            continue
        columns = [Cells.of(table, name) for table in _apart(tables)]
        found = None if name in categories else _numbers(columns)
        if found is not None:
            refuse_empty_and_constant(columns[0], found[0])
            numbers[name] = found
            continue
        refuse_empty_and_constant(columns[0], np.array(columns[0].cells, dtype=np.str_))
        refuse_names_of_rows(columns[0])
        values[name], codes[name] = _categories(columns)
        notes += _unseen(columns)
    parts = {}
    for place, table in enumerate(_apart(tables)):
        parts[id(table)] = (
            _table([found[place] for found in numbers.values()], len(table), np.float32),
            _table([found[place] for found in codes.values()], len(table), np.int32),
        )
    return ColumnPlan(
        numbers=(*numbers, *(name for name in IMAGE_COLUMNS if name in names)),
        categories=values,
        rows={split: _places(table, spec) for split, table in tables.items()},
        values={split: parts[id(table)] for split, table in tables.items()},
        shown={split: table.shown for split, table in tables.items()},
        notes=notes,
    )


def _apart(tables: dict[str, Table]) -> list[Table]:
    """The tables, one that holds both splits once."""
    return list({id(table): table for table in tables.values()}.values())  # of one file where and test_where take two


def _tables(tree: FileTree, spec: DataSpec, has_test: bool, classes: Sequence[str]) -> dict[str, Table]:
    """The table of each split."""
    if spec.features_from:
        table = stacked([read_table(tree, name, "data.features_from") for name in spec.features_from.file])
        return {"train": table} | ({"test": table} if has_test else {})
    if spec.format == "table_pixels":
        found = {"train": pixel_table(tree, spec.train, spec, True)}
        return found | ({"test": pixel_table(tree, spec.test, spec, False)} if has_test and spec.test else {})
    if spec.format != "image_csv" and not spec.is_stack:
        raise UserError(
            f"data.features: data.format = '{spec.format}' has no table of the rows. Name the one that has the columns, by id: "
            'data.features_from = "FILE" in competition.toml.'
        )
    found = {"train": training_table(tree, spec, classes)}
    if not has_test:
        return found
    if not spec.table_of_test:
        raise UserError(
            "data.features: no table has the columns of the test rows. Name it: data.test_rows (with the id column), or data.features_from, "
            "in competition.toml."
        )
    test = test_table(tree, spec, classes)
    if spec.join:
        test = joined(test, read_table(tree, spec.join.file, "data.join.file"), id_column(spec), spec.join.id)
    return found | {"test": test}


def _places(table: Table, spec: DataSpec) -> dict[str, int] | None:
    """Each id's row; None where rows of pixels are in the table's order.

    Raises
    ------
    UserError
        If an id has two rows (names both).
    """
    if (spec.format == "table_pixels" or spec.is_stack) and not spec.features_from:
        return None
    own = spec.features_from.id if spec.features_from else None
    name = own or id_column(spec)
    ids = table.column(name, "data.features_from.id" if spec.features_from else "data.id")
    shown, rows = table.origin(name)
    places: dict[str, int] = {}
    for row, i in enumerate(ids):
        before = places.setdefault(bare_id(i), row)
        if before != row:
            raise UserError(
                f"{shown}: id '{plain(i, 80)}' stands in rows {rows[before] + 1} and {rows[row] + 1}, so it is not clear which row's columns count. "
                "Take one out."
            )
    return places


def _numbers(columns: list[Cells]) -> list[np.ndarray] | None:
    """The numbers of a column in each table; None where one of them holds text."""
    found = [as_numbers(column) for column in columns]
    return None if any(values is None for values in found) else [v for v in found if v is not None]


def _categories(columns: list[Cells]) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """The values of a category, sorted, and each table's cells as their numbers."""
    values = sorted(set().union(*(column.cells for column in columns)))
    index = {value: place for place, value in enumerate(values)}
    return tuple(values), [np.array([index[cell] for cell in column.cells], dtype=np.int32) for column in columns]


def _unseen(columns: list[Cells]) -> list[str]:
    """A note on values that only the test has."""
    new = sorted(set().union(*(column.cells for column in columns[1:])) - set(columns[0].cells)) if columns[1:] else []
    if not new:
        return []
    rows = sum(cell in set(new) for column in columns[1:] for cell in column.cells)
    return [
        f"{columns[1].shown}: column '{plain(columns[1].name, 80)}' has {counted(len(new), 'value')} that no training row has, in {counted(rows, 'row')}: "
        f"{listed(new, 5)}; taken as unknown"
    ]


def _table(columns: list[np.ndarray], n: int, kind: type) -> np.ndarray:
    """(n, len(columns)) of that type."""
    table: np.ndarray = np.zeros((n, len(columns)), dtype=kind)
    for place, column in enumerate(columns):
        table[:, place] = column
    return table
