"""What a platform asks for: ids and columns of its sample submission, held against the test images and [submission]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.competition import Competition
from harness.data.files.archives import FileTree
from harness.data.files.csv_tables import column, read_rows, separator
from harness.data.files.names import refuse_duplicate_ids


@dataclass(frozen=True)
class Form:
    """How the platform wants a submission file written.

    Attributes
    ----------
    header : columns in the sample submission's order; () = as [submission] says
    separator : what stands between the values, as in the sample submission
    """

    header: Sequence[str] = ()
    separator: str = ","

    def text(self, table: Any) -> str:
        """A pandas table as CSV; what it lacks of the header is the column of row numbers, from 0."""
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
    """Ids (n,) str of a sample submission, in its order and its spelling.

    Raises
    ------
    UserError
        If it has no id column or an id twice.
    """
    with path.open("rb") as file:
        header, rows = read_rows(file, shown)
    place = column(header, competition.submission.id, shown, "submission.id")
    ids = [row[place] for row in rows]
    refuse_duplicate_ids(ids, shown)
    return np.array(ids, dtype=np.str_)


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
    if spec.value == "probability" and len(wanted) == 2 and len(others) == 1 and others[0] not in wanted:
        raise UserError(
            f"{shown}: has one column beside the id, '{plain(others[0], 80)}', and a column for each of two classes would be written. For the "
            f'probability of the second: target = "{plain(others[0], 80)}" under [submission] in competition.toml.'
        )
    for name in wanted:
        column(header, name, shown, "classes" if name in competition.classes else "submission.target")
    _refuse_other_values(competition, path, shown, header, wanted)
    extra = [name for name in header if name not in (spec.id, *wanted) and not _numbers_rows(path, shown, header, name)]
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


def _is_fraction(cell: str) -> bool:
    """Whether a cell is a number between whole ones; 'nan' and 'inf' are placeholders, or names."""
    number = _number(cell)
    return number is not None and isfinite(number) and not number.is_integer()


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
