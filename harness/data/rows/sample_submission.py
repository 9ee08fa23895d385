"""What a platform asks for: ids and columns of its sample submission, held against the test images and [submission]."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError, nearest
from harness.base.untrusted_text import listed, plain
from harness.competition import Competition
from harness.competition.data_spec import is_pattern
from harness.data.files.archives import FileTree
from harness.data.files.csv_tables import column, read_rows, separator
from harness.data.files.names import BETWEEN, nfc, refuse_duplicate_ids
from harness.data.rows.long import parted
from harness.data.rows.tables import read_table

LOOKUP = "lookup.csv"
"""Beside a copy of the sample submission: of which image and class each of its rows is (submission.lookup); columns row, image, class."""


@dataclass(frozen=True)
class Asked:
    """What the rows of a sample submission in long format ask for.

    Attributes
    ----------
    given : cells of its columns beside the values, by their names: the id's, the class's where it is one
    images, classes : of each row the image's id and the class
    target : column of the values
    """

    given: Mapping[str, Sequence[str]]
    images: Sequence[str]
    classes: Sequence[str]
    target: str

    @cached_property
    def keys(self) -> np.ndarray:
        """What tells each row from the others, str (n,): its id; where that is the image's, with the class behind."""
        return row_keys(self.given)

    def ids(self) -> list[str]:
        """The images, each once, in their order."""
        return list(dict.fromkeys(self.images))

    def values(self, table: Any, id_column: str) -> Any:
        """The rows whose image stands in a pandas table with a row for each image and a column for each class."""
        import pandas as pd

        wide = table.set_index(id_column)
        rows, columns = wide.index.get_indexer(self.images), wide.columns.get_indexer(self.classes)
        there = np.flatnonzero(rows >= 0).tolist()
        told = {name: [cells[place] for place in there] for name, cells in self.given.items()}
        return pd.DataFrame({**told, self.target: wide.to_numpy()[rows[there], columns[there]]})


def row_keys(columns: Mapping[str, Sequence[str]]) -> np.ndarray:
    """What tells a row from the others, str (n,), by the cells of its columns beside the values; messages show a blank between them."""
    return np.array([BETWEEN.join(cells) for cells in zip(*columns.values(), strict=True)], dtype=np.str_)


@dataclass(frozen=True)
class Form:
    """How the platform wants a submission file written.

    Attributes
    ----------
    header : columns in the sample submission's order; () = as [submission] says
    separator : what stands between the values, as in the sample submission
    asked : what each row asks for, where the file has a row for each image and class
    id : its column of the ids
    """

    header: Sequence[str] = ()
    separator: str = ","
    asked: Asked | None = None
    id: str = "id"

    def rows(self, ids: np.ndarray) -> int:
        """How many rows the file of these images has."""
        return len(ids) if self.asked is None else len(self.asked.keys)

    def text(self, table: Any) -> str:
        """A pandas table, with a row for each image, as CSV; what it lacks of the header is the column of row numbers, from 0."""
        if self.asked is not None:
            table = self.asked.values(table, self.id)
        if self.header:
            lacking = [name for name in self.header if name not in table.columns]
            table = table.assign(**{name: np.arange(len(table)) for name in lacking})[list(self.header)]
        written: str = table.to_csv(index=False, sep=self.separator)
        return written


def sample_separator(path: Path | None) -> str:
    """What stands between the values of a sample submission; a comma where there is none."""
    if path is None:
        return ","
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return separator(next((line for line in file if line.strip()), ""))


def check_submission_ids(competition: Competition, test_ids: np.ndarray, path: Path, tree: FileTree) -> None:
    """Refuse a sample submission whose ids are not the test's, or whose columns are not those of [submission]."""
    shown = tree.show(competition.submission.sample or path.name)
    wanted = read_submission_ids(competition, path, shown)
    read_submission_header(competition, path, shown)
    missing = np.setdiff1d(wanted, test_ids)
    surplus = np.setdiff1d(test_ids, wanted)
    if len(missing) or len(surplus):
        examples = [
            f"'{plain(x[0], 80)}' {what}"
            for x, what in ((missing, "has no test image"), (surplus, "is not asked for"))
            if len(x)
        ]
        raise UserError(
            f"{shown}: its {len(wanted):,} ids are not those of the "
            f"{len(test_ids):,} test images: {len(missing):,} missing, {len(surplus):,} too many; e.g. id "
            f"{' and id '.join(examples)}. Download both files again if one of them is cut off or of another version; or correct "
            "data.test in competition.toml."
        )


def sample_columns(competition: Competition, tree: FileTree) -> list[str]:
    """The columns of the sample submission beside its id; [] where there is none: it fixes the order of classes that the data name."""
    name = competition.submission.sample
    if not name or not tree.has(name):
        return []
    with tree.open(name) as file:
        header, _ = read_rows(file, tree.show(name))
    return [column for column in header if column != competition.submission.id]


def read_submission_ids(competition: Competition, path: Path, shown: str) -> np.ndarray:
    """Ids (n,) str of a sample submission, in its order and its spelling; of one in long format those of the images, each once.

    Raises
    ------
    UserError
        If it has no id column or an id twice, or as `read_asked`.
    """
    asked = read_asked(competition, path, shown)
    if asked is not None:
        return np.array(asked.ids(), dtype=np.str_)
    with path.open("rb") as file:
        header, rows = read_rows(file, shown)
    place = column(header, competition.submission.id, shown, "submission.id")
    ids = [row[place] for row in rows]
    refuse_duplicate_ids(ids, shown)
    return np.array(ids, dtype=np.str_)


def read_asked(competition: Competition, path: Path, shown: str) -> Asked | None:
    """What the rows of a sample submission ask for, where it is in long format (submission.long); else None.

    Raises
    ------
    UserError
        If a column is missing, a row says no image and class, or two rows the same.
    """
    spec, classes = competition.submission, competition.classes
    if spec.long is None:
        return None
    with path.open("rb") as file:
        header, rows = read_rows(file, shown)

    def cells(name: str, key: str) -> list[str]:
        place = column(header, name, shown, key)
        return [row[place] for row in rows]

    ids = cells(spec.id, "submission.id")
    given = {spec.id: ids}
    if spec.lookup is not None:
        images, names = _looked_up(path.with_name(LOOKUP), ids, shown, spec.lookup.file)
    elif is_pattern(spec.long):
        images, names = parted(
            ids,
            spec.long,
            classes,
            lambda row: f"{shown}: row {row + 1}, column '{plain(spec.id, 80)}'",
            "submission.long",
        )
    else:
        images, names = ids, cells(spec.long, "submission.long")
        given = {name: ids if name == spec.id else names for name in header if name in (spec.id, spec.long)}
    spelt = {nfc(name): name for name in classes}
    names = [spelt.get(name := nfc(told.strip()), name) for told in names]
    asked = Asked(given, images, names, spec.target)
    refuse_duplicate_ids(asked.keys.tolist(), shown)
    odd = next((row for row, name in enumerate(asked.classes) if classes and name not in classes), None)
    if odd is not None:
        name = asked.classes[odd]
        raise UserError(
            f"{shown}: row {odd + 1} asks for '{plain(name, 80)}', which is none of the classes{plain(nearest(name, classes))}: {listed(list(classes))}. "
            "Correct submission.long or 'classes' in competition.toml."
        )
    return asked


def _looked_up(path: Path, ids: Sequence[str], shown: str, name: str) -> tuple[list[str], list[str]]:
    """The image and the class of each row, by the table that `copy_lookup` wrote."""
    with path.open("rb") as file:
        _, rows = read_rows(file, name)
    known = {nfc(i): (image, told) for i, image, told in rows}
    lost = next((row for row, i in enumerate(ids) if nfc(i) not in known), None)
    if lost is not None:
        raise UserError(
            f"{plain(name, 200)}: has no row for id '{plain(ids[lost], 80)}' of {shown}, row {lost + 1}. Download both again, or correct "
            "submission.lookup in competition.toml."
        )
    found = [known[nfc(i)] for i in ids]
    return [image for image, _ in found], [told for _, told in found]


def copy_lookup(competition: Competition, tree: FileTree, folder: Path) -> None:
    """Write `LOOKUP` into a folder, where submission.lookup names a table.

    Raises
    ------
    UserError
        If it is not there, lacks a column, or has an id twice.
    """
    spec = competition.submission
    if spec.lookup is None:
        return
    import pandas as pd

    table = read_table(tree, spec.lookup.file, "submission.lookup.file")
    told = {
        "row": table.ids(spec.id, "submission.id"),
        "image": table.column(spec.lookup.id, "submission.lookup.id"),
        "class": table.column(str(spec.long), "submission.long"),
    }
    pd.DataFrame(told).to_csv(folder / LOOKUP, index=False)


def read_submission_header(competition: Competition, path: Path, shown: str) -> list[str]:
    """The columns that a submission must have, in the sample submission's order.

    Raises
    ------
    UserError
        If they are not those of [submission]. Where competition.py writes the rows (`to_submission`), only the id is looked for.
    """
    with path.open("rb") as file:
        header, _ = read_rows(file, shown)
    spec = competition.submission
    column(header, spec.id, shown, "submission.id")
    if competition.hook("to_submission") or competition.is_clustering:
        return header
    wanted = spec.columns(competition.classes)
    others = [name for name in header if name != spec.id]
    if (
        spec.value == "probability"
        and spec.long is None
        and len(wanted) == 2
        and len(others) == 1
        and others[0] not in wanted
    ):
        raise UserError(
            f"{shown}: has one column beside the id, '{plain(others[0], 80)}', and a column for each of two classes would be written. For the "
            f'probability of the second: target = "{plain(others[0], 80)}" under [submission] in competition.toml.'
        )
    for name in wanted:
        column(header, name, shown, "classes" if name in competition.classes else "submission.target")
    _refuse_other_values(competition, path, shown, header, wanted)
    of_rows = (spec.id, *([spec.long] if spec.long and not is_pattern(spec.long) and spec.lookup is None else []))
    extra = [
        name for name in header if name not in (*of_rows, *wanted) and not _numbers_rows(path, shown, header, name)
    ]
    if extra:
        raise UserError(
            f"{shown}: has columns that [submission] does not describe: {plain(', '.join(name or 'one without a name' for name in extra[:10]), 300)}; it wants "
            f"{plain(','.join(header), 300)}, and {plain(','.join([spec.id, *wanted]), 300)} would be written. Correct [submission] in "
            "competition.toml, or write the rows yourself: to_submission in competition.py."
        )
    return header


ROW_NUMBERS = ("", "Unnamed: 0")
"""What a sample submission's column of row numbers is called, which pandas writes unasked."""


def _numbers_rows(path: Path, shown: str, header: list[str], name: str) -> bool:
    """Whether a column is one of `ROW_NUMBERS` and counts the rows from 0; it is written so."""
    if name not in ROW_NUMBERS:
        return False
    with path.open("rb") as file:
        _, rows = read_rows(file, shown)
    place = header.index(name)
    return [row[place] for row in rows] == list(map(str, range(len(rows))))


def _refuse_other_values(
    competition: Competition, path: Path, shown: str, header: list[str], wanted: list[str]
) -> None:
    """Refuse a sample submission whose cells cannot be what submission.value says: probabilities where names are due, names where
    numbers are. Placeholders of the right kind pass."""
    with path.open("rb") as file:
        _, rows = read_rows(file, shown)
    spec, cells = competition.submission, [row[header.index(wanted[0])].strip() for row in rows[:1000]]
    cells = [cell for cell in cells if cell]
    known = set(map(str, range(len(competition.classes)))) if spec.value == "index" else set(competition.classes)
    fractions = cells and all(map(_is_fraction, cells))
    numeric = all(_number(cell) is not None for cell in cells)
    mark = separator_between(cells, known, spec.separator) if spec.value in ("labels", "ranked") else None
    if mark not in (None, spec.separator):
        raise UserError(
            f"{shown}: column '{plain(wanted[0], 80)}' has '{plain(mark, 8)}' between the names, as in '{plain(next(c for c in cells if mark in c), 80)}', and "
            f"'{plain(spec.separator, 8)}' would be written. In competition.toml: separator = {json.dumps(mark)} under [submission]."
        )
    if spec.value in ("class", "index", "onehot", "labels") and fractions and not known.intersection(cells):
        said, meant = "fractions", "probability"
    elif spec.value in ("probability", "number", "index", "onehot") and cells and not numeric:
        said, meant = "text", "class"
    else:
        return
    raise UserError(
        f"{shown}: column '{plain(wanted[0], 80)}' holds {said}, as '{plain(cells[0], 80)}', where submission.value = '{spec.value}' would "
        f'write something else. Correct it in competition.toml: value = "{meant}"?'
    )


def separator_between(cells: Sequence[str], names: Collection[str], given: str | None = None) -> str | None:
    """What stands between several of these names in cells of a sample submission, with a blank behind it where it always has one; None
    where no cell has several.

    given : what is tried first
    """
    several = [cell for cell in cells if cell not in names]
    for mark in (*([given] if given else []), "|", ";", ",", " "):
        parts = ([part.strip() for part in cell.split(mark) if part.strip()] for cell in several)
        if any(len(found) > 1 and all(part in names for part in found) for found in parts):
            spaced = mark not in (given, " ") and all(f"{mark} " in cell for cell in several if mark in cell)
            return f"{mark} " if spaced else mark
    return None


def _is_fraction(cell: str) -> bool:
    """Whether a cell is a number between whole ones; 'nan' and 'inf' are placeholders, or names."""
    number = _number(cell)
    return number is not None and isfinite(number) and not number.is_integer()


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
