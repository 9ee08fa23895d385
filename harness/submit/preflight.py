"""Every check of a submission file that needs no network; everything that is wrong is said at once."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import counted, plain
from harness.competition import Competition
from harness.data.files.names import BETWEEN
from harness.data.rows.sample_submission import ROW_NUMBERS, read_asked, row_keys, sample_separator

_SHOWN = 3
_MARKS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def check_submission(path: Path, competition: Competition, ids: np.ndarray, sample: Path | None = None) -> list[str]:
    """Problems of a submission file, in words; an empty list means that it may be sent.

    Parameters
    ----------
    ids : str (n,), the ids that the platform asks for, in its order
    sample : the platform's sample submission, whose header is wanted; None = as [submission] says. Where competition.py
        writes the rows (`to_submission`), what stands in them is its business: ids and empty cells are checked
    """
    try:
        table = _read_csv(path, sep=sample_separator(sample))
    except (ValueError, OSError) as error:  # pandas' own errors are values too
        return [f"cannot be read as CSV: {plain(error)}"]
    spec, own_rows = competition.submission, competition.hook("to_submission") is not None
    values = spec.columns(competition.classes)
    header = _header(sample) if sample else [spec.id, *values]
    if list(table.columns) != header:
        return [f"header is {plain(','.join(table.columns), 300)}, wanted {plain(','.join(header), 300)}"]
    missing = [name for name in (spec.id, *values) if name not in header and not (own_rows and name != spec.id)]
    if missing:
        return [
            f"column '{plain(missing[0])}' of [submission] is not in the sample submission's header {plain(','.join(header), 300)}"
        ]
    asked = read_asked(competition, sample, str(sample)) if sample else None
    if asked is None:
        problems = _check_ids(table[spec.id].to_numpy(dtype=np.str_), ids)
    else:
        problems = _check_ids(row_keys({name: table[name] for name in asked.given}), asked.keys)
    for column in (name for name in header if name != spec.id):
        empty = np.flatnonzero(table[column].to_numpy() == "")
        if len(empty) and not (spec.value == "labels" and spec.empty == "blank"):
            problems.append(f"column {column} is empty in {counted(len(empty), 'row')}, first in row {empty[0] + 1}")
    if own_rows:
        return problems
    return problems + _check_values(table, values, competition)


def read_ready_file(
    path: Path, competition: Competition, ids: np.ndarray, sample: Path | None = None
) -> tuple[Any, str]:
    """A ready submission file as a pandas table of strings, its rows in the platform's order where just their order differs.

    A byte-order mark and CRLF line ends are taken as they come. A column of row numbers, where the sample submission has one, is written
    as the platform wants it, whether the file brings it or not.

    Returns
    -------
    The table, and what was changed in it, in words ("" = nothing).

    Raises
    ------
    UserError
        If it is not there, far too large, or no CSV with the separator of the sample submission.
    """
    if path.is_dir():
        raise UserError(f"--file {path}: is a folder; name the CSV in it")
    if not path.is_file():
        raise UserError(f"--file {path}: not there")
    if path.suffix.lower() not in (".csv", ".txt"):
        raise UserError(f"--file {path}: give the CSV itself, not a '{path.suffix or path.name}'")
    most = 10_000 + len(ids) * (200 + (30 if competition.submission.long is None else 200) * len(competition.classes))
    if path.stat().st_size > most:
        raise UserError(
            f"--file {path}: has {path.stat().st_size:,} bytes; a submission of {len(ids):,} rows has {most:,} at most"
        )
    mark = sample_separator(sample)
    try:
        table = _read_csv(path, sep=mark, encoding="utf-8-sig", compression=None)
    except (ValueError, OSError) as error:  # pandas' own errors are values too
        raise UserError(f"--file {path}: cannot be read as CSV: {plain(error)}") from error
    name = competition.submission.id
    if len(table.columns) == 1 and any(other in table.columns[0] for other in ",;\t|"):
        raise UserError(
            f"--file {path}: its columns are not separated by {_MARKS[mark]}; its first line is '{plain(table.columns[0], 200)}'"
        )
    wanted = _columns(sample) if sample else []
    if table.columns[0] in ROW_NUMBERS and name in table.columns[1:]:
        if not set(ROW_NUMBERS) & set(wanted):
            raise UserError(
                f"--file {path}: its first column has no name: the rows' numbers, as pandas writes them. Write it anew with "
                "to_csv(..., index=False)."
            )
        table = table.drop(columns=table.columns[0])
    asked = read_asked(competition, sample, str(sample)) if sample else None
    names, wanted_rows = ([name], ids) if asked is None else (list(asked.given), asked.keys)
    given = row_keys({n: table[n] for n in names}).tolist() if all(n in table for n in names) else []
    if given != wanted_rows.tolist() and len(set(given)) == len(given) and set(given) == set(wanted_rows.tolist()):
        table = table.set_axis(given).loc[wanted_rows.tolist()]
        return _numbered(table, wanted), f"the rows of {path.name} were put into the platform's order"
    return _numbered(table, wanted), ""


def _numbered(table: Any, wanted: list[str]) -> Any:
    """A table with the platform's column of row numbers, where that is all that it lacks of the columns."""
    lacks = [place for place, name in enumerate(wanted) if name in ROW_NUMBERS]
    if len(lacks) == 1 and list(table.columns) == [name for name in wanted if name not in ROW_NUMBERS]:
        table.insert(lacks[0], wanted[lacks[0]], range(len(table)))
    return table


def labels_hash(path: Path) -> str:
    """Hash of what a CSV says, whatever the order of its rows and its line ends."""
    text = path.read_text(encoding="utf-8-sig")
    return hashlib.sha256("\n".join(sorted(text.splitlines())).encode()).hexdigest()


def _read_csv(path: Path, **options: Any) -> Any:
    """A table of strings, empty cells among them; pandas would drop what rows have beyond the header and only warn."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, **options)
        except pd.errors.ParserWarning as error:
            raise ValueError("its rows have more cells than its header has names") from error


def _header(sample: Path) -> list[str]:
    """Its columns, one without a name called as pandas calls it."""
    return [name or f"Unnamed: {place}" for place, name in enumerate(_columns(sample))]


def _columns(sample: Path) -> list[str]:
    from harness.data.files.csv_tables import read_rows

    with sample.open("rb") as file:
        return read_rows(file, str(sample))[0]


def _check_ids(found: np.ndarray, wanted: np.ndarray) -> list[str]:
    if np.array_equal(found, wanted):  # as it should be: no need to sort 300,000 names
        return []
    problems = []
    if len(found) != len(wanted):
        problems.append(f"has {counted(len(found), 'row')}, wanted {len(wanted):,}")
    unique, count = np.unique(found, return_counts=True)
    for what, these in (
        ("twice or more", unique[count > 1]),
        ("missing", np.setdiff1d(wanted, unique)),
        ("not asked for", np.setdiff1d(unique, wanted)),
    ):
        if len(these):
            problems.append(
                f"{len(these):,} ids are {what}: {plain(', '.join(these[:_SHOWN]).replace(BETWEEN, ' '), 300)}{', ...' if len(these) > _SHOWN else ''}"
            )
    if not problems and not np.array_equal(found, wanted):
        first = int(np.argmax(found != wanted))
        problems.append(
            f"ids are in another order, first in row {first + 1}: '{found[first]}', wanted '{wanted[first]}'"
        )
    return problems


def _check_values(table: Any, columns: list[str], competition: Competition) -> list[str]:
    """What stands in the cells, by submission.value."""
    spec = competition.submission
    if spec.value == "probability":
        adds_up = competition.kind.is_one_class and not spec.one_probability and spec.long is None
        return _check_probabilities(table[columns], adds_up)
    if spec.value == "number":
        return _check_cells(table, columns, _is_number, "no number")
    if spec.value == "onehot":
        return _check_cells(table, columns, lambda cell: cell in ("0", "1"), "neither 0 nor 1")
    allowed = set(map(str, range(len(competition.classes))) if spec.value == "index" else competition.classes)
    if spec.value in ("labels", "ranked"):
        most = spec.k if spec.value == "ranked" else len(allowed)

        def are_names(cell: str) -> bool:
            named = [part for part in cell.split(spec.separator) if part]
            return len(named) <= most and len(set(named)) == len(named) and allowed.issuperset(named)

        return _check_cells(table, columns, are_names, f"not only names of classes, {most:,} at most")
    if spec.value == "confident":

        def is_sure(cell: str) -> bool:
            name, _, sure = cell.rpartition(spec.separator)
            return name in allowed and _is_number(sure) and 0 <= float(sure) <= 1

        return _check_cells(table, columns, is_sure, "not a class's name and a probability")
    return _check_cells(table, columns, lambda cell: cell in allowed, "no class")


def _check_cells(table: Any, columns: list[str], is_right: Callable[[str], bool], what: str) -> list[str]:
    problems = []
    for column in columns:
        known = {cell: is_right(cell) for cell in table[column].unique()}
        wrong = np.flatnonzero((~table[column].map(known).astype(bool) & (table[column] != "")).to_numpy())
        if len(wrong):
            problems.append(
                f"column {column} has {what} in {counted(len(wrong), 'row')}, first '{plain(table[column].iloc[wrong[0]], 80)}' in row {wrong[0] + 1}"
            )
    return problems


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _check_probabilities(values: Any, adds_up: bool) -> list[str]:
    import pandas as pd

    numbers = values.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    bad = np.flatnonzero(~((numbers >= 0) & (numbers <= 1)).all(axis=1))
    if len(bad):
        column = int(np.flatnonzero(~((numbers[bad[0]] >= 0) & (numbers[bad[0]] <= 1)))[0])
        cell = plain(str(values.iloc[bad[0], column]), 80)
        return [
            f"{counted(len(bad), 'row')} {'holds' if len(bad) == 1 else 'hold'} values that are no probabilities, first '{cell}' in row {bad[0] + 1}, "
            f"column {plain(str(values.columns[column]), 80)}"
        ]
    if not adds_up:
        return []
    off = np.flatnonzero(np.abs(numbers.sum(axis=1) - 1) > 1e-3)
    return (
        [f"{counted(len(off), 'row')} {'does' if len(off) == 1 else 'do'} not sum to one, first row {off[0] + 1}"]
        if len(off)
        else []
    )
