"""Tables of a competition's own as columns of text: CSV, TSV, .xlsx, Parquet, JSON records, COCO annotations, lists of files."""

from __future__ import annotations

import fnmatch
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import IO, Any

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import counted, listed, plain
from harness.competition.data_spec import is_array_file
from harness.competition.samples import Origins, row_in_file
from harness.data.files.archives import FileTree
from harness.data.files.arrays import read_whole
from harness.data.files.csv_tables import column, read_rows
from harness.data.files.embedded import is_embedding, text_columns
from harness.data.files.names import nfc, refuse_duplicate_ids
from harness.data.files.spreadsheets import ENDINGS as SHEETS
from harness.data.files.spreadsheets import read_sheet
from harness.data.files.stacks import open_stack

_MOST_JSON, _MOST_COLUMNS = 1 << 30, 100_000
_FEW_REPEATED = 0.9  # of the rows have an id of their own: what is repeated is a mistake


@dataclass(frozen=True)
class Table:
    """Rows as text.

    Attributes
    ----------
    header : names of the columns
    columns : of each place in the header its cells; a cell that is missing is ""
    shown : the table's place, in words
    origins : of columns whose rows are not those of the file, one by one
    separators : of columns with several labels in a cell what stands between them, where it is no blank since names hold one
    whole : how many rows the file has, where some were chosen
    pictures : columns that hold encoded images, which are no text and so are not among the columns
    classes : of columns whose cells are numbers of classes in the file the names of these, which stand in the cells here
    labels : the columns of the targets, where the file has a row for each image and class
    dropped : columns of the file that are none here, with the reason
    value_column : of the file, that holds the values of `labels`; rows_of_labels : of labels in cells the first row of the file, counted
        from 0, that has each
    """

    header: list[str]
    columns: list[list[str]]
    shown: str
    origins: Origins = field(default_factory=dict)
    separators: Mapping[str, str] = field(default_factory=dict)
    whole: int | None = None
    pictures: tuple[str, ...] = ()
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    value_column: str | None = None
    rows_of_labels: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def column(self, name: str, key: str) -> list[str]:
        """The cells of a column; `key` of competition.toml names it (UserError where there is none of that name, or two)."""
        place = self._place_of.get(name)
        if place is None and name in self.dropped:
            raise UserError(
                f"{self.shown}: column '{plain(name, 80)}' {self.dropped[name]}, so that it says nothing of an image. Correct {key} in competition.toml."
            )
        return self.columns[column(self.header, name, self.shown, key) if place is None else place]

    @cached_property
    def _place_of(self) -> dict[str, int]:
        """Where the names stand that stand once: of 10,000 columns none is looked for in the header."""
        times = Counter(self.header)
        return {name: place for place, name in enumerate(self.header) if times[name] == 1}

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self.header

    def row(self, number: int) -> dict[str, str]:
        """A row as a dict."""
        return {name: cells[number] for name, cells in zip(self.header, self.columns, strict=True)}

    def ids(self, name: str, key: str = "data.id") -> list[str]:
        """The cells of the id's column; as `column`, and a UserError where two of them are one id."""
        ids = self.column(name, key)
        shown, rows = self.origin(name)
        try:
            refuse_duplicate_ids(ids, shown, rows)
        except UserError as error:
            if key != "data.id" or len(set(ids)) > _FEW_REPEATED * len(ids):
                raise
            raise UserError(
                f"{error} Where each row is of an image and a class, or says that its image has a label: data.long in competition.toml (docs/layouts.md)."
            ) from None
        return ids

    def origin(self, name: str) -> tuple[str, Sequence[int]]:
        """The place of the file that has a column, in words, and of each row its number there, counted from 0."""
        return self.origins.get(name, (self.shown, range(len(self))))

    def place(self, name: str, number: int) -> str:
        """Where a cell stands, in words."""
        column = self.value_column if name in self.labels and self.value_column else name
        return f"{row_in_file(self.shown, self.origins, name, number)}, column '{plain(column, 80)}'"

    @property
    def rows_in_file(self) -> int:
        """How many rows the file has, those that were not chosen among them."""
        return len(self) if self.whole is None else self.whole

    def rows(self, numbers: Sequence[int]) -> Table:
        """Some of the rows."""
        there = {name: self.origin(name) for name in self.header}
        origins = {name: (shown, [rows[n] for n in numbers]) for name, (shown, rows) in there.items()}
        columns = [[cells[n] for n in numbers] for cells in self.columns]
        return replace(self, columns=columns, origins=origins, whole=self.rows_in_file)


def read_table(tree: FileTree, name: str, key: str) -> Table:
    """Read a table; its ending says which kind it is.

    key : of competition.toml, that names the file

    Raises
    ------
    UserError
        If it is not there, cannot be read, or has no rows.
    """
    shown = tree.show(name)
    if not tree.has(name):
        raise UserError(f"{shown}: not there. Download it, or correct {key} in competition.toml.")
    ending = PurePosixPath(name).suffix.lower()
    if is_array_file(name):
        return _of_array(tree, name)
    if is_embedding(name):
        return stacked([_with_images(tree, part) for part in tree.matching(name)])
    with tree.open(name) as file:
        if ending in (".json", ".jsonl"):
            table = _json(file, shown)
        elif ending in SHEETS:
            names, cells, shown = read_sheet(file, ending, shown)
            header = [text_of(name).strip() for name in names]
            table = Table(header, [[text_of(row[place]) for row in cells] for place in range(len(header))], shown)
        else:
            files = _list_of_files(file, shown) if ending == ".txt" else None
            header, rows = files or _without_header(*read_rows(file, shown))
            table = Table(header, [[row[place] for row in rows] for place in range(len(header))], shown)
    if not len(table):
        raise UserError(
            f"{shown}: has no rows. Download it again if it is cut off, or correct {key} in competition.toml."
        )
    return table


def _with_images(tree: FileTree, name: str) -> Table:
    """The columns of a Parquet or TFRecord file that hold no images, as text; without any the rows' numbers from 0, 'row'."""
    found = text_columns(tree, name, text_of)
    header, columns = found.header or ["row"], found.columns or [list(map(str, range(found.rows)))]
    table = Table(header, columns, tree.show(name), pictures=found.pictures, classes=found.classes)
    if not len(table):
        raise UserError(f"{table.shown}: has no rows. Download it again if it is cut off.")
    return table


def _of_array(tree: FileTree, name: str) -> Table:
    """Columns 'id', each row's number from 0, and 'label', or of an array (n, K) '0', '1', ...; sides of one are left out."""
    with open_stack(tree, name) as stack:
        sides = [side for side in stack.shape[1:] if side != 1]
        if len(sides) > 1 or math.prod(sides) > _MOST_COLUMNS or stack.dtype.kind not in "iufbSU":
            raise UserError(
                f"{stack.shown}: is {stack.dtype} {stack.shape}, wanted numbers or texts (n,) or (n, K), what is known of each row. Correct its "
                "name in [data] of competition.toml."
            )
        values = stack.whole().reshape(stack.shape[0], -1)
    _refuse_no_text(values, tree.show(name))
    names = ["label"] if values.shape[1] == 1 else list(map(str, range(values.shape[1])))
    cells = [[_text_of_array(cell, tree.show(name)) for cell in column.tolist()] for column in values.T]
    return Table(["id", *names], [list(map(str, range(len(values)))), *cells], tree.show(name))


_LAST_CHARACTER = 0x10FFFF


def _refuse_no_text(values: np.ndarray, shown: str) -> None:
    """Refuse an array of text with numbers that are no characters, which numpy reads and Python cannot handle (UserError)."""
    if values.dtype.kind == "U":
        numbers = np.frombuffer(values.tobytes(), np.dtype("u4").newbyteorder(values.dtype.byteorder))
        if numbers.size and numbers.max() > _LAST_CHARACTER:
            raise UserError(
                f"{shown}: holds text with numbers that are no characters. It is damaged: download it again."
            )


def _text_of_array(value: Any, shown: str) -> str:
    try:
        return text_of(value.decode() if isinstance(value, bytes) else value).strip()
    except ValueError as error:
        raise UserError(
            f"{shown}: holds text that is not in UTF-8 ({error}). Save it with labels.astype(str)."
        ) from error


def _list_of_files(file: IO[bytes], shown: str) -> tuple[list[str], list[list[str]]] | None:
    """Columns 'file', 'label', 'label2', ... of a text without a header, 'images/1.jpg 3' a line; None where its first line names no image.

    Raises
    ------
    UserError
        If a line is not as the first one (says which).
    """
    text = file.read().decode("utf-8-sig", "replace")
    file.seek(0)
    lines = [re.split(r"[\s,;]+", line.strip()) for line in text.splitlines() if line.strip()]
    if not lines or not _is_name_of_image(lines[0][0]):
        return None
    width = len(lines[0])
    odd = next((n for n, line in enumerate(lines) if len(line) != width or not _is_name_of_image(line[0])), None)
    if odd is not None:
        raise UserError(
            f"{shown}: line {odd + 1} is '{plain(' '.join(lines[odd]), 80)}', wanted {counted(width, 'word')} that begin with an image's name, as in "
            f"line 1. Correct it; a table with a header may have names with blanks."
        )
    return ["file", "label", *(f"label{n}" for n in range(2, width))][:width], lines


def _without_header(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """A table as it is; where its first line names an image, as the lines below it do, that is no header: the columns are then called
    'file', 'label', 'label2', ..."""
    place = next((place for place, name in enumerate(header) if _is_name_of_image(name)), None)
    if place is None or not all(_is_name_of_image(row[place]) for row in rows[:1000]):
        return header, rows
    others = iter(["label", *(f"label{n}" for n in range(2, len(header)))])
    return ["file" if at == place else next(others) for at in range(len(header))], [header, *rows]


def _is_name_of_image(name: str) -> bool:
    return PurePosixPath(name.lower()).suffix in _IMAGE_ENDINGS


def joined(table: Table, other: Table, id_column: str, other_id: str) -> Table:
    """The table with the other's columns beside its own, row by row by id; a name that both have stays the first one's.

    Raises
    ------
    UserError
        If an id is not in the other table, or stands there twice with different values.
    """
    places: dict[str, int] = {}
    for number, i in enumerate(other.column(other_id, "data.join.id")):
        before = places.setdefault(bare_id(i), number)
        if before != number and other.row(before) != other.row(number):
            raise UserError(
                f"{other.shown}: id '{plain(i, 80)}' stands in rows {before + 1} and {number + 1} with different values."
            )
    rows = []
    for i in table.column(id_column, "data.id"):
        if bare_id(i) not in places:
            raise UserError(
                f"{other.shown}: has no row for id '{plain(i, 80)}' of {table.shown}. Complete it, or correct data.join in competition.toml."
            )
        rows.append(places[bare_id(i)])
    new = [
        (name, [cells[r] for r in rows])
        for name, cells in zip(other.header, other.columns, strict=True)
        if name not in table.header
    ]
    origins: dict[str, tuple[str, Sequence[int]]] = {name: (other.shown, rows) for name, _ in new}
    header, columns = [*table.header, *(n for n, _ in new)], [*table.columns, *(c for _, c in new)]
    separators = {name: other.separators[name] for name, _ in new if name in other.separators}
    own, marks = {**table.origins, **origins}, {**table.separators, **separators}
    return replace(table, header=header, columns=columns, origins=own, separators=marks, whole=table.rows_in_file)


def rows_where(table: Table, where: Mapping[str, Sequence[str]], key: str) -> Table:
    """The rows that have in each of the named columns one of its values, or patterns as of file names; all without any.

    key : of competition.toml, that says so

    Raises
    ------
    UserError
        If there is no such column, or no row is left.
    """
    kept = list(range(len(table)))
    for name, patterns in where.items():
        cells = table.column(name, key)
        wanted = {
            cell for cell in set(cells) if any(fnmatch.fnmatchcase(cell.strip(), pattern) for pattern in patterns)
        }
        kept = [row for row in kept if cells[row] in wanted]
        if not kept:
            held = listed([plain(cell, 40) for cell in dict.fromkeys(cells)])
            raise UserError(
                f"{table.shown}: no row is left by {key} = {{{plain(name, 80)} = {list(patterns)}}}; the column holds {held}. Correct it in "
                "competition.toml."
            )
    return table.rows(kept) if where else table


def stacked(tables: Sequence[Table]) -> Table:
    """The rows of several tables as one, with the columns that all of them have.

    Raises
    ------
    UserError
        If several labels in a cell are separated by one mark in one table and by another in the next.
    """
    if len(tables) == 1:
        return tables[0]
    header = [name for name in tables[0].header if all(table.has(name) for table in tables)]
    marks = tables[0].separators
    for name, table in itertools.product(header, tables):
        if table.separators.get(name) != marks.get(name):
            raise UserError(
                f"{table.shown}: column '{plain(name, 80)}' separates labels by another mark than {tables[0].shown}, since names of the one hold blanks. "
                "Put both files into one."
            )
    cells = [[cell for t in tables for cell in t.columns[t.header.index(name)]] for name in header]
    shown = " + ".join(table.shown for table in tables[:3]) + (f" + {len(tables) - 3} more" if len(tables) > 3 else "")
    return Table(header, cells, shown, separators=marks, pictures=tables[0].pictures, classes=tables[0].classes)


def bare_id(i: str) -> str:
    """An id without the ending that one of two tables may leave out."""
    path = PurePosixPath(nfc(i))
    return path.with_suffix("").as_posix() if path.suffix.lower() in _IMAGE_ENDINGS else nfc(i)


_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".dcm", ".npy", ".webp")


def text_of(value: Any) -> str:
    """A cell's value as text: whole numbers without '.0', missing ones as ''."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < 2**53:
        return str(int(value))
    if isinstance(value, list | dict | np.ndarray):
        return json.dumps(value.tolist() if isinstance(value, np.ndarray) else value)
    return str(value)


def _json(file: IO[bytes], shown: str) -> Table:
    try:
        content = read_whole(file, _MOST_JSON)
    except ValueError as error:
        raise UserError(f"{shown}: has {error}; a table as JSON may have no more. Save it as Parquet.") from error
    try:
        told = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        told = _json_lines(content, shown, error)
    if isinstance(told, dict) and isinstance(told.get("images"), list):
        return _coco(told, shown)
    if isinstance(told, dict) and told and all(isinstance(v, str | int | float | bool) for v in told.values()):
        return Table(["id", "label"], [list(told), [text_of(v) for v in told.values()]], shown)
    if isinstance(told, dict) and told and all(isinstance(v, dict) for v in told.values()):
        told = [{"id": key, **value} for key, value in told.items()]
    told = _only_list(told)
    if (named := _files_by_class(told)) is not None:
        return Table(["file", "label"], named, shown)
    if isinstance(told, dict) and told and all(isinstance(v, list) for v in told.values()):
        return Table(list(told), [[text_of(v) for v in cells] for cells in _even(told, shown)], shown)
    if not isinstance(told, list) or not all(isinstance(row, dict) for row in told):
        raise UserError(f"{shown}: is no table: wanted a list of records, a record for each id, or COCO annotations.")
    return _records(told, shown)


def _json_lines(content: bytes, shown: str, error: Exception) -> list[Any]:
    try:
        return [json.loads(line) for line in content.decode("utf-8-sig").splitlines() if line.strip()]
    except (ValueError, RecursionError):
        raise UserError(
            f"{shown}: cannot be read as JSON ({plain(error, 200)}). Download it again if it is cut off."
        ) from error


def _only_list(told: Any) -> Any:
    """The one list of records or of [file, label] that stands among other things ('info', 'version'); else what there is."""
    if not isinstance(told, dict):
        return told
    lists = [v for v in told.values() if isinstance(v, list) and v and all(isinstance(row, dict | list) for row in v)]
    return lists[0] if len(lists) == 1 else told


def _files_by_class(told: Any) -> list[list[str]] | None:
    """Files and labels of {"fox": ["1.jpg", ...]} or [["1.jpg", 3], ...]; None where it is neither."""
    if isinstance(told, dict):
        told = [[i, label] for label, names in told.items() if isinstance(names, list) for i in names]
    pairs = [row for row in told if isinstance(row, list) and len(row) == 2] if isinstance(told, list) else []
    if not pairs or len(pairs) < len(told) or not all(isinstance(i, str) and _is_name_of_image(i) for i, _ in pairs):
        return None
    return [[text_of(cell) for cell in cells] for cells in zip(*pairs, strict=True)]


def _even(told: dict[str, list[Any]], shown: str) -> list[list[Any]]:
    if len({len(cells) for cells in told.values()}) > 1:
        raise UserError(f"{shown}: is no table: its columns are not equally long.")
    return list(told.values())


def _records(records: list[dict[str, Any]], shown: str) -> Table:
    header = list(dict.fromkeys(key for record in records for key in record))
    return Table(header, [[text_of(record.get(name)) for record in records] for name in header], shown)


def _coco(told: dict[str, Any], shown: str) -> Table:
    """A row for each image of COCO annotations, with its annotation's columns and the names of its categories.

    An image with several annotations is one row, with its categories' numbers, and their names, separated by blanks. Where a name
    holds a blank, names are separated by the first mark that none holds, which `Table.separators` tells.
    """
    images = {_key(image, shown): dict(image) for image in told["images"] if isinstance(image, dict)}
    names = {
        text_of(c.get("id", c.get("category_id"))): c for c in _list(told, "categories", shown) if isinstance(c, dict)
    }
    found: dict[str, list[dict[str, Any]]] = {}
    for annotation in _list(told, "annotations", shown):
        if isinstance(annotation, dict):
            found.setdefault(text_of(annotation.get("image_id")), []).append(annotation)
    strange = next((i for i in found if i not in images), None)
    if strange is not None:
        raise UserError(f"{shown}: an annotation is of image_id '{plain(strange, 80)}', which is not among its images.")
    shown_names = {number: text_of(category.get("name", number)) for number, category in names.items()}
    mark = next(mark for mark in _MARKS if not any(mark in name for name in shown_names.values()))
    records = []
    for i, image in images.items():
        record = {**image}
        of_image = found.get(i, [])
        for annotation in of_image[:1]:
            record |= {k: v for k, v in annotation.items() if k not in ("id", "image_id") and k not in record}
        categories = list(dict.fromkeys(text_of(a.get("category_id")) for a in of_image))
        if categories:
            record["category_id"] = " ".join(categories)
            record["category"] = mark.join(shown_names.get(c, c) for c in categories)
        records.append(record)
    return replace(_records(records, shown), separators={} if mark == " " else {"category": mark})


_MARKS = (" ", ",", ";", "|", "\t", "\n", "\x1f")


def _list(told: dict[str, Any], name: str, shown: str) -> list[Any]:
    value = told.get(name, [])
    if not isinstance(value, list):
        raise UserError(
            f"{shown}: its '{name}' are no list. Download it again, or name another file in competition.toml."
        )
    return value


def _key(image: dict[str, Any], shown: str) -> str:
    """An image's id; some call it 'image_id', as annotations do."""
    if "id" not in image and "image_id" not in image:
        raise UserError(f"{shown}: an image has no 'id'.")
    return text_of(image.get("id", image.get("image_id")))
