"""Targets as text to arrays: class indices, 0/1 for each label, numbers; every cell that cannot be one is named."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence

import numpy as np

from harness.base.errors import UserError, nearest
from harness.base.untrusted_text import counted, is_plain, listed, plain
from harness.competition.data_spec import DataSpec
from harness.competition.samples import RawTargets
from harness.competition.scoring.registry import LABELS, NUMBERS
from harness.competition.tasks import Task
from harness.data.files.names import nfc
from harness.data.rows.tables import Table


def targets_of(table: Table, spec: DataSpec) -> RawTargets:
    """The targets of a table's rows, by data.label.

    Raises
    ------
    UserError
        If there is no such column, or its labels are separated otherwise than data.separator says.
    """
    for name in spec.label:
        own = table.separators.get(name)
        if own and spec.separator not in (None, own):
            raise UserError(
                f"{table.shown}: column '{plain(name, 80)}': its names hold blanks, so that several in a cell stand with {json.dumps(own)} "
                f"between: data.separator = {json.dumps(own)} in competition.toml, not {json.dumps(spec.separator)}."
            )
    names = table.labels or spec.label
    columns = [table.column(name, "data.label") for name in names]
    told = table.classes.get(names[0], ()) if len(names) == 1 else ()
    separator = spec.separator if spec.long is None else table.separators.get(names[0])
    return RawTargets(
        columns,
        list(names),
        table.shown,
        separator,
        table.origins,
        told,
        value_column=table.value_column if table.labels else None,
        rows_of_labels=table.rows_of_labels,
    )


def classes_of(task: Task, raw: RawTargets, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """The classes that the data name: of several columns their names; of one its values.

    wanted : columns of the sample submission: where they are the same names, their order counts; else that in which the file names
        them, with those that no row has; else numbers are sorted as numbers, names as text

    Raises
    ------
    UserError
        If a cell is empty, a name cannot be printed, or a label is most likely another one, written otherwise.
    """
    if _is_wide(task, raw) or task.of == NUMBERS:
        found = [nfc(name) for name in raw.names]
    else:
        times = _times(task, raw)
        if task.is_one_class and "" in times:
            row = next(row for row, cell in enumerate(raw.columns[0]) if not cell.strip())
            raise UserError(f"{raw.place(row)}: is empty. Give it a label, or take the row out{_by_where(raw, 0)}.")
        _refuse_other_cases(raw, times)
        if task.of == LABELS:
            _refuse_other_separators(raw, times)
        found = list(times)
    odd = next((name for name in found if not is_plain(name)), None)
    if odd is not None:
        raise UserError(f"{raw.shown}: the label {plain(odd, 80)!r} has characters that cannot be printed. Rename it.")
    order = [nfc(name) for name in wanted if nfc(name) in set(found)]
    if set(order) == set(found):
        return tuple(order)
    if raw.classes and set(found) <= set(map(nfc, raw.classes)):
        return tuple(map(nfc, raw.classes))
    return tuple(found if _is_wide(task, raw) or task.of == NUMBERS else sorted_names(found))


def label_of(text: str) -> str:
    """A label as labels are compared: in NFC, without blanks around it."""
    return nfc(text.strip())


def _times(task: Task, raw: RawTargets) -> Counter[str]:
    """How many rows have each label of the one column."""
    if task.of == LABELS:
        return Counter(label for cell in raw.columns[0] for label in dict.fromkeys(split_labels(cell, raw.separator)))
    times: Counter[str] = Counter()
    for cell, n in Counter(raw.columns[0]).items():
        times[label_of(cell)] += n
    return times


RARE = 20
"""A label that another in so many times as many rows differs from by case alone is taken for a slip."""

_A_SLIP, _LONG_ENOUGH, _NEARLY, _MOST_SLIPS = 2, 4, 0.85, 10
"""Rows of a slip of the pen at most, letters at least, likeness of the two names, and as many as are told."""


def _refuse_other_cases(raw: RawTargets, times: Counter[str]) -> None:
    """Refuse a label that is most likely another one, written otherwise: it would become a class."""
    for common, rare in _cased(times):
        if times[common] >= RARE * times[rare]:
            raise UserError(
                f"{_place_of(raw, rare)}: label '{plain(rare, 80)}' ({counted(times[rare], 'row')}) is written '{plain(common, 80)}' in "
                f"{counted(times[common], 'row')}. Correct the former; if both are classes, name all of them in competition.toml: classes = [...]."
            )


def _refuse_other_separators(raw: RawTargets, times: Counter[str]) -> None:
    """Refuse a label that is most likely several, separated otherwise than data.separator says."""
    marks = _other_marks(raw)
    for label in times:
        hint = _separator_hint(label, times, marks)
        if hint:
            raise UserError(
                f"{_place_of(raw, label)}: label '{plain(label, 80)}' is made of labels that stand alone in other rows. {hint}Or correct the "
                "cell; if it is a label of its own, name all of them in competition.toml: classes = [...]."
            )


def notes_on_labels(task: Task, raw: RawTargets, are_classes: bool) -> list[str]:
    """What is odd about the labels of one column, in words.

    are_classes : whether the classes were read from them
    """
    if task.of == NUMBERS or _is_wide(task, raw):
        return []
    notes, cells = [], raw.columns[0]
    padded = [cell for cell in cells if cell != cell.strip()] if task.is_one_class else []
    if padded:
        notes.append(
            f"{raw.shown}: blanks around the label do not count; {counted(len(padded), 'row')} of {len(cells):,} "
            f"{'has' if len(padded) == 1 else 'have'} some, e.g. '{plain(padded[0], 80)}'"
        )
    times = _times(task, raw)
    for common, rare in _cased(times) if are_classes else ():
        notes.append(
            f"{raw.shown}: the labels '{plain(common, 80)}' ({counted(times[common], 'row')}) and '{plain(rare, 80)}' ({counted(times[rare], 'row')}) differ in "
            "case alone and are two classes; if they are one, correct the rows"
        )
    for common, rare in _slips(times) if are_classes else ():
        notes.append(
            f"{_place_of(raw, rare)}: the label '{plain(rare, 80)}' ({counted(times[rare], 'row')}) is nearly '{plain(common, 80)}' ({counted(times[common], 'row')}) "
            "and is a class of its own; if it is a slip, correct it and delete classes.txt"
        )
    return notes


def _slips(times: Counter[str]) -> list[tuple[str, str]]:
    """Labels of a row or two that are written nearly as one of twenty times as many rows; numbers in names tell classes apart."""
    rare = [
        name for name, n in times.items() if n <= _A_SLIP and len(name) >= _LONG_ENOUGH and not re.search(r"\d", name)
    ]
    if len(rare) > _MOST_SLIPS:
        return []  # names of persons or species, many of them rare
    found = []
    for name in rare:
        common = [other for other, n in times.items() if n >= RARE * times[name]]
        near = difflib.get_close_matches(name, common, n=1, cutoff=_NEARLY)
        if near and near[0].casefold() != name.casefold():
            found.append((near[0], name))
    return found


def _cased(times: Counter[str]) -> list[tuple[str, str]]:
    """Pairs of labels that differ in case alone: the commonest spelling, and each other one."""
    spelt: dict[str, list[str]] = {}
    for label, _ in times.most_common():
        spelt.setdefault(label.casefold(), []).append(label)
    return [(names[0], other) for names in spelt.values() for other in names[1:]]


def _place_of(raw: RawTargets, label: str) -> str:
    """Where the first row that has the label stands."""
    return raw.place_of_label(label) or raw.place(_row_of(raw, label))


def _row_of(raw: RawTargets, label: str) -> int:
    """The first row that has the label."""
    cells = raw.columns[0]
    return next(
        row for row, cell in enumerate(cells) if label == label_of(cell) or label in split_labels(cell, raw.separator)
    )


def sorted_names(names: Iterable[str]) -> list[str]:
    """Numbers as numbers, names as text, with the numbers in them in their order: 'c2' before 'c10'."""

    def key(name: str) -> list[tuple[int, float, str]]:
        parts = re.split(r"(-?\d+)" if re.fullmatch(r"-?\d+", name) else r"(\d+)", name)
        return [(0, float(part), "") if part.lstrip("-").isdecimal() else (1, 0.0, part) for part in parts if part]

    return sorted(names, key=key)


def votes(task: Task, raw: RawTargets, classes: tuple[str, ...]) -> np.ndarray | None:
    """Shares of votes float32 (n, C), where one of several classes is told by a column of numbers for each; None where it is not.

    Raises
    ------
    UserError
        If a number is negative, or a row has none.
    """
    if not task.is_one_class or len(raw.columns) < 2:
        return None
    if all(map(are_flags, raw.columns)):
        return None
    _check_columns(task, raw, classes)
    names = [nfc(n) for n in raw.names]
    table = np.stack([_numbers(raw, names.index(nfc(name))) for name in classes], axis=1)
    wrong = np.flatnonzero((table < 0).any(axis=1) | (table.sum(axis=1) <= 0))
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"{raw.row(row)}: the votes of the columns {listed(classes)} are {table[row][:8].tolist()}: none may be negative, and one must "
            'be more than 0. Correct the row; where they are no votes: task = "regression" in competition.toml.'
        )
    return (table / table.sum(axis=1, keepdims=True)).astype(np.float32)


def fold_numbers(cells: Sequence[str], place: Callable[[int], str]) -> np.ndarray:
    """Folds int8 (n,) of a column of numbers from 0 (UserError where a cell is none).

    place : where a row's cell stands, in words
    """
    wrong = next((row for row, cell in enumerate(cells) if not re.fullmatch(r"\d{1,2}", cell.strip())), None)
    if wrong is not None:
        raise UserError(
            f"{place(wrong)}: '{plain(cells[wrong], 80)}' is no fold, a whole number from 0. Correct the cell, or "
            "data.fold in competition.toml."
        )
    return np.array([int(cell) for cell in cells], dtype=np.int8)


def encode(task: Task, raw: RawTargets, classes: tuple[str, ...]) -> np.ndarray:
    """Targets as arrays: int64 (n,) of classes, float32 (n, K) of labels (0 or 1) and numbers.

    Raises
    ------
    UserError
        If a cell is no class, no 0 or 1, no number: says which row and column, the value and the cure.
    """
    if task.of == NUMBERS:
        _check_columns(task, raw, classes)
        names = [nfc(name) for name in raw.names]
        order = (
            [names.index(nfc(name)) for name in classes] if set(names) == set(map(nfc, classes)) else range(len(names))
        )
        return np.stack([_numbers(raw, c) for c in order], axis=1).astype(np.float32)
    if _is_wide(task, raw):
        _check_columns(task, raw, classes)
        order = [[nfc(n) for n in raw.names].index(nfc(name)) for name in classes]
        table = np.stack([_zero_or_one(raw, c) for c in order], axis=1)
        return table.astype(np.float32) if task.of == LABELS else _one_hot(raw, table, classes)
    if task.of == LABELS:
        return _labels_in_a_cell(raw, classes)
    return _class_indices(raw, classes)


def _is_wide(task: Task, raw: RawTargets) -> bool:
    """Whether each column is a label: several of them, or one of 0 and 1 where a row may have any number of labels."""
    if len(raw.columns) > 1:
        return True
    flags = (cell.strip().lower() in (*_TRUE, *_FALSE) for cell in raw.columns[0][:1000])
    return task.of == LABELS and raw.separator is None and all(flags)


def split_labels(cell: str, separator: str | None) -> list[str]:
    """The labels in a cell, in NFC; blanks count as one separator, whatever their number."""
    parts = [cell] if separator is None else cell.split() if separator == " " else cell.split(separator)
    return [label_of(part) for part in parts if part.strip()]


def _check_columns(task: Task, raw: RawTargets, classes: tuple[str, ...]) -> None:
    if {nfc(c) for c in classes} != {nfc(n) for n in raw.names} and not (
        task.of == NUMBERS and len(classes) == len(raw.names)
    ):
        raise UserError(
            f"{raw.shown}: data.label names the columns {plain(', '.join(raw.names[:20]), 300)}, 'classes' are {listed(classes)}. They "
            "must be the same names: correct one, or leave 'classes' out of competition.toml."
        )


def _numbers(raw: RawTargets, column: int) -> np.ndarray:
    cells = raw.columns[column]
    values = as_numbers(cells)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise UserError(
            f"{raw.place(int(bad[0]), column)}: '{plain(cells[bad[0]], 80)}' is no number. Correct the cell, or take the row out"
            f"{f' ({len(bad):,} rows are like it)' if len(bad) > 1 else ''}{_by_where(raw, column) if cells[bad[0]] == '' else ''}."
        )
    return values


def _by_where(raw: RawTargets, column: int) -> str:
    """How competition.toml leaves out rows with an empty cell."""
    return f': data.where = {{{json.dumps(nfc(raw.names[column]), ensure_ascii=False)} = "?*"}} leaves such rows out'


def as_numbers(cells: Sequence[str | float]) -> np.ndarray:
    """float64 (n,) of cells; NaN where one is no number."""
    try:
        return np.array(cells, dtype=np.float64)
    except (ValueError, TypeError):
        return np.array([_number(cell) for cell in cells])


def _number(cell: str | float) -> float:
    try:
        return float(cell)
    except (ValueError, TypeError):
        return float("nan")


_TRUE, _FALSE, _MINUS = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no"), ("-1", "-1.0")


def is_true(cell: str) -> bool:
    """Whether a cell says yes."""
    return cell.strip().lower() in _TRUE


def are_flags(cells: Sequence[str]) -> bool:
    """Whether cells say yes or no, all of them; where none says no, an empty one does, or -1, as of the attributes of faces (CelebA)."""
    held = {cell.strip().lower() for cell in cells}
    return held <= {*_TRUE, *_FALSE} or (held <= {*_TRUE, ""} and held != {""}) or held <= {*_TRUE, *_MINUS}


def _zero_or_one(raw: RawTargets, column: int) -> np.ndarray:
    cells = [cell.strip().lower() for cell in raw.columns[column]]
    wrong = next((row for row, cell in enumerate(cells) if cell not in _TRUE and cell not in _FALSE), None)
    if wrong is not None and not are_flags(cells):
        raise UserError(
            f"{raw.place(wrong, column)}: '{plain(raw.columns[column][wrong], 80)}' is neither 0 nor 1. Correct the cell, or data.label in "
            "competition.toml."
        )
    values = np.array([cell in _TRUE for cell in cells])
    if not values.any():
        raise UserError(
            f"{raw.shown}: column '{plain(raw.names[column], 80)}' is 1 in no row: nothing can be learnt of it. Take it out of data.label and "
            "of 'classes' in competition.toml, or complete the table."
        )
    return values


def _one_hot(raw: RawTargets, table: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """Class indices of rows with just one 1."""
    count = table.sum(axis=1)
    wrong = np.flatnonzero(count != 1)
    if len(wrong):
        row = int(wrong[0])
        marked = ", ".join(c for c, has in zip(classes, table[row], strict=True) if has) or "none"
        raise UserError(
            f"{raw.row(row)} has {count[row]} of the columns {listed(classes)} at 1 ({plain(marked, 200)}), wanted one; {len(wrong):,} "
            'rows are like it. Where a row may have several: task = "multilabel" in competition.toml.'
        )
    return table.argmax(axis=1).astype(np.int64)


def _labels_in_a_cell(raw: RawTargets, classes: tuple[str, ...]) -> np.ndarray:
    index = {label_of(name): place for place, name in enumerate(classes)}
    table = np.zeros((len(raw.columns[0]), len(classes)), dtype=np.float32)
    for row, cell in enumerate(raw.columns[0]):
        for label in split_labels(cell, raw.separator):
            if label not in index:
                raise UserError(
                    f"{raw.place_of_label(label) or raw.place(row)}: label '{plain(label, 80)}' is none of the classes{plain(nearest(label, classes))}: {listed(classes)}. "
                    f"{_separator_hint(label, index)}Correct the cell, or 'classes' in competition.toml."
                )
            table[row, index[label]] = 1
    empty = [name for name, has in zip(classes, np.any(table, axis=0).tolist(), strict=True) if not has]
    if empty:
        raise UserError(
            f"{raw.shown}: no row has the label '{plain(empty[0], 80)}'. Take it out of 'classes' in competition.toml, or complete the table."
        )
    return table


_MARKS = (",", ";", "|", " ")


def _other_marks(raw: RawTargets) -> tuple[str, ...]:
    """Marks that may separate labels beside the one that is set: a blank, which belongs to many names, only where that never occurs."""
    occurs = raw.separator is not None and any(raw.separator in cell for cell in raw.columns[0])
    return _MARKS[:-1] if occurs else _MARKS


def _separator_hint(label: str, index: Container[str], marks: Sequence[str] = _MARKS) -> str:
    for mark in marks:
        parts = [part.strip() for part in label.split(mark)]
        if len(parts) > 1 and all(part in index for part in parts):
            return f'Labels are separated by "{mark}" there: data.separator = "{mark}". '
    return ""


def _class_indices(raw: RawTargets, classes: tuple[str, ...]) -> np.ndarray:
    index = {label_of(name): place for place, name in enumerate(classes)}
    cells = raw.columns[0]
    known = {cell: index.get(label_of(cell), -1) for cell in dict.fromkeys(cells)}
    wrong = next((cell for cell, place in known.items() if place < 0), None)
    if wrong is not None:
        row = cells.index(wrong)
        raise UserError(
            f"{raw.row(row)}: label '{plain(wrong, 80)}' is no class{_hint(label_of(wrong), index, classes)}. Classes: {listed(classes)}. "
            "Correct the row, or 'classes' in competition.toml."
        )
    return np.array([known[cell] for cell in cells], dtype=np.int64)


def _hint(label: str, index: dict[str, int], classes: tuple[str, ...]) -> str:
    """How the label may have been meant."""
    cased = {name.casefold(): name for name in index}
    if label.casefold() in cased:
        return f" (it is written '{plain(cased[label.casefold()], 80)}' there)"
    if re.fullmatch(r"-?\d+\.0+", label) and label.partition(".")[0] in index:
        return f' (the column holds numbers with a point: write classes = ["{label}", ...], or the column without it)'
    if re.fullmatch(r"-?\d+", label) and f"{label}.0" in index:
        return f' (write it without a point: "{label}")'
    return plain(nearest(label, classes))
