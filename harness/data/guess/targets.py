"""Which columns are targets, what kind of task they make, and how answers are handed in: by the sample submission first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.base.errors import UserError
from harness.base.untrusted_text import listed, plain
from harness.competition.builtin.facts import are_places, places_among
from harness.data.files.names import BETWEEN, nfc
from harness.data.rows.sample_submission import separator_between
from harness.data.rows.tables import Table
from harness.data.rows.targets import are_flags, is_true

_NAMED = re.compile(
    r"^(label|labels|target|targets|class|classes|category|category_id|class_?ids?|label_?ids?|class_?names?|dx|disease|finding[_ ]labels?|species|breed|tags|diagnosis|level|grade|score|attribute_ids|"
    r"has_\w+|is_\w+|emotion|digit|y|whale_?id|id_?label|landmark_id|individual_id|cancer|isup_grade|pawpularity)$",
    re.I,
)
_GRADES = re.compile(r"diagnosis|level|grade|severity|stage|isup|rating|quality", re.I)
_OF_GROUPS = re.compile(r"(^|[_ ])u?u?id$", re.I)
_ASIDE = re.compile(
    r"^(unnamed.*|index|width|height|split|fold|date\w*|path|file\w*|filename|url|license\w*|rights\w*|usage)$", re.I
)


@dataclass
class Targets:
    """What is predicted, and how it is handed in.

    Attributes
    ----------
    task : of competition.toml; label : data.label; separator : data.separator
    metric : the likeliest; fits : others that the sample submission fits
    submission : keys of [submission]; why : of a key, why
    odd : what a few cells of 0 and 1 hold instead
    """

    task: str = "single"
    label: list[str] = field(default_factory=list)
    separator: str | None = None
    metric: str = "accuracy"
    fits: tuple[str, ...] = ()
    submission: dict[str, object] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)


def find_targets(
    train: Table | None,
    labels: Sequence[str] | None,
    id_column: str | None,
    sample: tuple[str, Table] | None,
    test: Table | None,
    known: Sequence[str] = (),
) -> Targets:
    """Targets of the training table, or of labels that folders or names tell.

    labels : of the rows, where no table has them; test : table of the test rows, whose columns are no targets; known : the columns that
    are the targets, where nothing is to be guessed
    """
    found = Targets(label=list(known))
    asked = sample_columns(sample[1]) if sample else ("id", [])
    if labels is None and train is not None and not known:
        _columns(found, train, id_column, asked[1], sample, test)
    _kind(
        found,
        [train.column(c, "") for c in found.label] if labels is None and train is not None else [list(labels or [])],
        sample,
        train.separators.get(found.label[0]) if train is not None and len(found.label) == 1 else None,
    )
    if sample:
        _handed_in(found, sample[1], asked, _values(found, train, labels))
    else:
        _without_sample(found, id_column)
    return found


def sample_columns(sample: Table) -> tuple[str, list[str]]:
    """The id's column and the others; an index column without a name is left aside."""
    header = [name for name in sample.header if name.strip() and not name.startswith("Unnamed")]
    unique = [name for name in header if len(set(sample.column(name, ""))) == len(sample)]
    first = header[0] if header[0] in unique or not unique else unique[0]
    return first, [name for name in header if name != first]


def _columns(
    found: Targets,
    train: Table,
    id_column: str | None,
    asked: list[str],
    sample: tuple[str, Table] | None,
    test: Table | None,
) -> None:
    """data.label: the sample's columns where the training table has them, else the column whose values they are, else by name."""
    inside = [name for name in asked if train.has(name)]
    if asked and len(inside) == len(asked):
        found.label = asked
        found.why["label"] = "the sample submission's columns"
        return
    names = {nfc(name) for name in asked}
    for column, cells in zip(train.header, train.columns, strict=True):
        if column != id_column and len(asked) > 1 and {nfc(c) for c in cells} == names:
            found.label = [column]
            found.why["label"] = "its values are the sample submission's columns"
            return
    in_test = set(test.header) if test else set()
    rest = [c for c in train.header if c != id_column and c not in in_test and not _ASIDE.match(c)]
    rest = rest or [c for c in train.header if c != id_column]
    if sample and len(asked) == 1:
        cells = sample[1].column(asked[0], "")
        values = {nfc(v) for cell in cells for v in (cell, *cell.split())}
        same = [
            c
            for c in rest
            if values & {nfc(v) for v in train.column(c, "")} and len(set(train.column(c, ""))) < len(train)
        ]
        if len(same) == 1:
            found.label = same
            found.why["label"] = "it holds the values that the sample submission has"
            return
    named = [c for c in rest if _NAMED.match(c)]
    flags = [c for c in rest if _is_column_of_flags(train.column(c, ""))]
    if not named and not sample and are_places(rest) and not in_test.intersection(rest):
        found.label, found.why["label"] = places_among(rest), "places in the image, by their names"
        return
    if not named and not sample and len(flags) > 2:
        found.label, found.why["label"] = flags, "these columns hold 0 and 1: look whether all are labels"
        return
    several = [c for c in rest if 1 < len(set(train.column(c, ""))) < max(len(train), 3)]
    several.sort(key=lambda c: bool(_OF_GROUPS.search(c)))
    chosen = named[:1] or several[:1] or rest[:1]
    found.label = chosen
    found.why["label"] = "by its name" if named else "the first column that could be one: look whether it is"


def _values(found: Targets, train: Table | None, labels: Sequence[str] | None) -> list[str]:
    """The distinct labels, where a row has one."""
    if labels is not None:
        return list(dict.fromkeys(map(nfc, labels)))
    return (
        list(dict.fromkeys(nfc(cell) for cell in train.column(found.label[0], "") if cell.strip()))
        if train is not None and len(found.label) == 1
        else list(found.label)
    )


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _kind(found: Targets, columns: list[list[str]], sample: tuple[str, Table] | None, mark: str | None = None) -> None:
    """The task, by what stands in the cells; rows without a target do not count; mark : between several labels, where that is known"""
    if not hold_flags(columns):
        rows = list(filter(any, zip(*columns, strict=True)))
        whole = list(filter(all, rows))
        columns = [list(cells) for cells in zip(*(whole or rows), strict=True)] or [[]]
    if len(columns) > 1:
        odd = _odd_flags(columns)
        if odd:
            columns = [[cell for cell in cells if cell not in odd] for cells in columns]
            found.odd = odd
        _refuse_classes(found, columns)
        if odd:
            found.task, found.why["task"] = (
                "multilabel",
                f"columns of 0 and 1; what '{plain(odd[0], 40)}' means is not known",
            )
        elif hold_flags(columns):
            one = all(sum(map(is_true, row)) == 1 for row in zip(*columns, strict=True))
            found.task = "single" if one else "multilabel"
            found.why["task"] = (
                "every row has just one 1 among these columns"
                if one
                else "rows have any number of 1 among these columns"
            )
        else:
            found.task, found.why["task"] = "regression", "these columns hold numbers other than 0 and 1"
        return
    cells = [cell for cell in columns[0] if cell.strip()] if columns else []
    distinct = list(dict.fromkeys(cells))
    numbers = [_number(cell) for cell in distinct]
    separator = mark if mark and any(mark in cell for cell in cells) else _separator(cells)
    if separator:
        found.task, found.separator = "multilabel", separator
        found.why["task"] = "cells hold several labels that occur again and again in other combinations"
    elif len(distinct) == 2 and _is_column_of_flags(distinct):
        found.task, found.why["task"] = "binary", "two values"
    elif numbers and all(n is not None for n in numbers):
        _numeric_kind(found, [n for n in numbers if n is not None], len(cells), sample)
    else:
        found.why["task"] = f"one of {len(distinct):,} labels a row"


def _odd_flags(columns: list[list[str]]) -> list[str]:
    """What a few cells hold in columns of 0 and 1, say a 2 in 10,000; [] where it is nothing, or more than a slip."""
    times = Counter(cell.strip().lower() for cells in columns for cell in cells)
    odd = [cell for cell in times if not are_flags([cell, "1"])]
    total = sum(times.values())
    return odd if odd and sum(times[cell] for cell in odd) <= _SLIPS * total and total > 1 / _SLIPS else []


_SLIPS = 0.001


def hold_flags(columns: Sequence[Sequence[str]]) -> bool:
    """Whether several columns say yes or no, each of a label; where a column has no no, an empty cell is one."""
    return len(columns) > 1 and all(map(are_flags, columns))


def _is_column_of_flags(cells: list[str]) -> bool:
    """Whether a column says yes of some rows and not of others."""
    return are_flags(cells) and len(set(map(is_true, cells))) == 2


def _refuse_classes(found: Targets, columns: list[list[str]]) -> None:
    """Refuse several columns that hold names: each is a question of its own.

    Raises
    ------
    UserError
        If a column has a cell that is no number.
    """
    told = [(n, cell) for n, cells in zip(found.label, columns, strict=True) for cell in cells]
    odd = next(((n, c) for n, c in told if _number(c) is None and not are_flags([c, "1"])), None)
    if odd is not None:
        raise UserError(
            f"the targets {listed(found.label, 8)} are classes, e.g. '{plain(odd[1], 80)}' of '{plain(odd[0], 80)}': several classes of one image "
            "are no task here. Play each column as a competition of its own (a sample submission with the id and that column alone), and put "
            "the answers together; or join them into one column of classes, which to_submission in competition.py takes apart (docs/layouts.md)."
        )


def _numeric_kind(found: Targets, values: list[float], n: int, sample: tuple[str, Table] | None) -> None:
    whole = all(value.is_integer() for value in values)
    name = found.label[0] if found.label else ""
    if not whole or (len(values) > 30 and len(values) > 0.02 * n and _sample_is_fractional(sample)):
        found.task, found.why["task"] = "regression", "the column holds numbers that are no grades"
    elif len(values) == 2:
        found.task, found.why["task"] = "binary", "two values"
    elif (
        len(values) <= 12
        and sorted(values) == list(range(int(min(values)), int(min(values)) + len(values)))
        and _GRADES.search(name)
    ):
        found.task, found.why["task"] = "ordinal", "whole numbers in a row, and the column's name speaks of grades"
    elif len(values) > 30 and re.search(r"score|age|pawpularity|count|price|weight|height|area", name, re.I):
        found.task, found.why["task"] = "regression", "many whole numbers, and the column's name speaks of a quantity"
    else:
        found.why["task"] = f"one of {len(values):,} labels a row"


def _sample_is_fractional(sample: tuple[str, Table] | None) -> bool:
    if sample is None:
        return False
    _, columns = sample_columns(sample[1])
    cells = [_number(c) for name in columns for c in sample[1].column(name, "")[:200]]
    return any(c is not None and not c.is_integer() for c in cells)


def _separator(cells: list[str]) -> str | None:
    """What stands between several labels in a cell; None where a cell is one label (with blanks in its name, perhaps)."""
    distinct = set(cells)
    for mark in ("|", ";", ",", " "):
        split = [[p for p in cell.split(mark) if p.strip()] for cell in distinct]
        several = [parts for parts in split if len(parts) > 1]
        if len(several) < max(0.02 * len(distinct), 1):
            continue
        tokens = Counter(p.strip() for parts in split for p in set(parts))
        alone = sum(cell in tokens for cell in distinct)
        once = sum(count == 1 for count in tokens.values())
        if (
            len(tokens) < len(distinct)
            and once < 0.5 * len(tokens)
            and (alone >= 2 or len(tokens) < 0.5 * len(distinct))
        ):
            return mark
    return None


def _handed_in_with(found: Targets, cells: list[str], values: list[str]) -> str | None:
    """What stands between labels that are handed in; of rows with a label each only the sample submission tells it."""
    if found.separator == BETWEEN:
        return separator_between(cells, {part for name in values for part in name.split(BETWEEN)})
    return _as_joined(cells, found.separator) if found.separator not in (None, " ") else None


def _as_joined(cells: list[str], mark: str) -> str:
    """The separator as the sample submission has it between labels: with a blank behind it where it always has one."""
    joined = [cell.strip().rstrip(mark) for cell in cells]
    spaced, all_of_them = (sum(cell.count(m) for cell in joined) for m in (f"{mark} ", mark))
    return f"{mark} " if spaced and spaced == all_of_them else mark


def _handed_in(found: Targets, sample: Table, columns: tuple[str, list[str]], values: list[str]) -> None:
    """[submission], by the header and cells of the sample submission."""
    id_column, asked = columns
    spec = found.submission
    spec["id"] = id_column
    cells = [c for name in asked for c in sample.column(name, "")[:500]]
    numbers = [_number(c) for c in cells if c.strip()]
    fractional = any(n is not None and not n.is_integer() for n in numbers)
    if found.task == "regression":
        spec["value"] = "number"
        if len(asked) == 1:
            spec["target"] = asked[0]
        _metric(found, "rmse", "mae", "r2", "mcrmse")
    elif len(asked) > 1:
        spec["value"] = "probability"
        found.why["value"] = "a column for each class" if found.task != "multilabel" else "a column for each label"
        _metric(
            found,
            *(
                ("roc_auc", "log_loss", "average_precision")
                if found.task == "multilabel"
                else ("log_loss", "roc_auc", "brier")
            ),
        )
    elif found.task == "multilabel":
        spec.update(value="labels", target=asked[0] if asked else "label")
        mark = _handed_in_with(found, cells, values)
        if mark and mark != " ":
            spec["separator"] = mark
        _metric(found, "samples_f1", "micro_f1", "macro_f1", "fbeta(beta=2)")
    else:
        _one_column(found, asked[0] if asked else "label", cells, numbers, fractional, values)


def _one_column(
    found: Targets, target: str, cells: list[str], numbers: list[float | None], fractional: bool, values: list[str]
) -> None:
    spec, known = found.submission, set(values)
    spec["target"] = target
    several = [c.split() for c in cells if len(c.split()) > 1 and nfc(c) not in known]
    if several and len(several) == len(cells) and all(len(p) == 2 and _is_fraction(p[1]) for p in several):
        spec["value"] = "confident"
        found.why["value"] = "the sample submission has a name and a fraction in a cell: the class and how sure it is"
        _metric(found, "gap", "accuracy")
    elif several and len(several) >= 0.5 * len(cells):
        spec.update(value="ranked", k=max(map(len, several)))
        found.why["value"] = f"the sample submission has {spec['k']} names in a cell"
        _metric(found, f"map@{spec['k']}", "accuracy")
    elif len(values) == 2 and (fractional or target.lower() in ("probability", "prob", "score", "p")):
        spec["value"] = "probability"
        found.why["value"] = "two classes, and the sample submission holds a fraction: the probability of the second"
        _metric(found, "roc_auc", "log_loss", "average_precision", "brier")
    elif cells and all(nfc(c) in known for c in cells if c.strip()):
        spec["value"] = "class"
        found.why["value"] = "the sample submission holds names of classes"
        if len(values) == 2 and len(set(cells)) == 1:
            found.why["value"] += '; where the page wants probabilities (AUC, log loss) write "probability"'
        _answers(found)
    elif numbers and all(n is not None for n in numbers) and any(_number(v) is None for v in values):
        spec["value"] = "index"
        found.why["value"] = (
            "the sample submission holds whole numbers, the labels are names: their numbers in the order of `classes`"
        )
        _answers(found)
    else:
        spec["value"] = "class"
        found.why["value"] = (
            "one name a row; those in the sample submission are none of the labels"
            if cells
            else "the sample submission has no rows: look what the platform wants"
        )
        _answers(found)


def _is_fraction(cell: str) -> bool:
    number = _number(cell)
    return number is not None and not number.is_integer() and 0 <= number <= 1


def _answers(found: Targets) -> None:
    if found.task == "ordinal":
        _metric(found, "quadratic_kappa", "accuracy", "macro_f1")
    else:
        _metric(found, "accuracy", "macro_f1", "micro_f1", "balanced_accuracy")


def _metric(found: Targets, *names: str) -> None:
    found.metric, found.fits = names[0], names[1:]


def _without_sample(found: Targets, id_column: str | None) -> None:
    found.submission = {"id": id_column or "id", "target": found.label[0] if len(found.label) == 1 else "label"}
    if found.task == "multilabel":
        found.submission["value"] = "labels"
        _metric(found, "samples_f1", "micro_f1", "roc_auc")
    elif found.task == "regression":
        found.submission["value"] = "number"
        _metric(found, "rmse", "mae", "r2")
    else:
        found.submission["value"] = "class"
        _answers(found)
    found.why["value"] = "there is no sample submission: look what the platform wants"
