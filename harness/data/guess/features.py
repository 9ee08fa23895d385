"""Which columns of a table may tell something beside the images: numbers and categories that the test's table has too."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import listed
from harness.data.columns.kinds import Cells, as_numbers, refuse_empty_and_constant, refuse_names_of_rows
from harness.data.guess.layout import Layout
from harness.data.guess.targets import Targets
from harness.data.rows.tables import Table

_WHY = "columns that the test has too: models get them beside the images; harness.clean looks whether they give the label away"
_NO_FEATURE = re.compile(r"(.*[_ ])?(id|uid|uuid|fold|split|path|file|filename|url|index|hash|name)", re.I)
_FAMILY = 4  # columns of one stem that a pattern stands for


def feature_columns(table: Table, test: Table, taken: Iterable[str]) -> list[str]:
    """Names and patterns for data.features; [] where no column will do.

    taken : columns that have another meaning (id, label, group, file, fold)
    """
    out = set(taken)
    twice = {name for name, n in (Counter(table.header) + Counter(test.header)).items() if n > 2}
    names = [
        name
        for name in table.header
        if name not in out
        and name not in twice
        and test.has(name)
        and not _NO_FEATURE.fullmatch(name)
        and name.strip()
        and not name.startswith("Unnamed")
    ]
    return _in_short([name for name in names if _tells(table, test, name)], [*table.header, *test.header], out)


def columns_beside(layout: Layout, targets: Targets, table: Table, test: tuple[str, Table], asked: list[str]) -> None:
    """Note data.features, and data.test_rows that they are read by, where the test's table has just the rows that are asked for."""
    id_column, named = layout.id_column or "", re.findall(r"\{([^{}]+)\}", str(layout.values.get("files", "")))
    groups = layout.values.get("group_by", [])
    by_group = [groups] if isinstance(groups, str) else list(groups) if isinstance(groups, list) else []
    taken = {id_column, *targets.label, *named, *by_group, *map(str, targets.submission.values())}
    telling = _other_names_of_labels(table, targets)
    found = feature_columns(table, test[1], taken | set(telling))
    if any(map(test[1].has, telling)):
        layout.unknown.append(
            f"what {listed(telling)} is: each of its values stands with one label alone, as if it were the label by another name, so that it is no feature"
        )
    if found and "test_rows" not in layout.values:
        if asked and not _names_rows_of(test[1], id_column, asked):
            layout.unknown.append(
                f"'{test[0]}' has columns that could be used beside the images ({', '.join(found[:5])}), but not the rows of the sample "
                "submission: see data.features and data.features_from in docs/layouts.md"
            )
            return
        layout.set("test_rows", test[0])
    note_features(layout, found)


def _other_names_of_labels(table: Table, targets: Targets) -> list[str]:
    """Columns of which each value stands with one label alone, in several rows on average: the class's number beside its name."""
    if len(targets.label) != 1 or targets.task not in ("single", "binary", "ordinal"):
        return []
    labels = table.column(targets.label[0], "")
    found = []
    for name in dict.fromkeys(table.header):
        if name == targets.label[0] or table.header.count(name) > 1:
            continue
        cells = table.column(name, "")
        n = len(set(cells))
        if 1 < n <= min(2 * len(set(labels)), len(cells) / 3) and len(set(zip(cells, labels, strict=True))) == n:
            found.append(name)
    return found


def note_features(layout: Layout, found: list[str]) -> None:
    """Note data.features, where there are any; sizes of images that are noted stay."""
    sizes = layout.values.get("features", [])
    assert isinstance(sizes, list)
    if found:
        layout.set("features", [*found, *sizes], _WHY)


def _names_rows_of(test: Table, id_column: str, wanted: Sequence[str]) -> bool:
    """Whether a table has just the rows that the sample submission asks for, under their very names."""
    ids = test.column(id_column, "data.id")
    return len(ids) == len(wanted) and set(ids) == set(wanted)


def _tells(table: Table, test: Table, name: str) -> bool:
    """Whether a column is one that can be used: not constant, not mixed, no name and no number of a row."""
    columns = [Cells(name, t.shown, t.column(name, "data.features")) for t in (table, test)]
    try:
        found = [as_numbers(column) for column in columns]
        if any(values is None for values in found):
            refuse_empty_and_constant(columns[0], np.array(columns[0].cells, dtype=np.str_))
            refuse_names_of_rows(columns[0])
            return max(map(len, columns[0].cells)) < 100
        numbers = found[0]
        assert numbers is not None
        refuse_empty_and_constant(columns[0], numbers)
    except UserError:
        return False
    steps = np.diff(numbers)
    return not (len(numbers) > 3 and np.isfinite(numbers).all() and ((steps == 1).all() or (steps == -1).all()))


def _in_short(names: list[str], header: list[str], taken: set[str]) -> list[str]:
    """The names, those of one stem ('margin1', 'margin2', ...) as a pattern where it matches nothing else."""
    families: dict[str, list[str]] = {}
    for name in names:
        stem = re.sub(r"\d+$", "", name)
        families.setdefault(stem if stem and stem != name else name, []).append(name)
    found = []
    for stem, members in families.items():
        others = {c for c in header if c.startswith(stem)} - set(members) - taken
        plain = not re.search(r"[*?\[\]]", stem)
        found += [f"{stem}*"] if len(members) >= _FAMILY and not others and plain else members
    return found
