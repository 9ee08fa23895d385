"""data.features, names and patterns, to the names of columns; each is held against the tables of both splits."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from harness.base.errors import UserError, nearest
from harness.base.untrusted_text import listed, plain
from harness.competition.data_spec import DataSpec
from harness.data.rows.listing import id_column
from harness.data.rows.tables import Table

IMAGE_COLUMNS = ("image.height", "image.width")
"""Not of a table: the pixels that an image had before it was brought to data.size."""

MOST_COLUMNS = 20_000
_WHERE = "in competition.toml"


def table_names(spec: DataSpec) -> list[str]:
    """Names and patterns of data.features that stand for columns of a table."""
    return [name for name in spec.features if name not in IMAGE_COLUMNS]


def chosen_columns(spec: DataSpec, train: Table | None, test: Table | None) -> list[str]:
    """Names of the columns that data.features names, in the table's order for a pattern, each once; those of the image last.

    Raises
    ------
    UserError
        If a name or pattern matches none, names what is predicted, a column stands twice or the test's table lacks it.
    """
    targets = (*spec.label, *(train.labels if train is not None else ()))
    taken = {id_column(spec), *targets, *spec.pixels, *([spec.fold] if spec.fold else [])}
    found: dict[str, None] = {}
    for name in table_names(spec):
        header = train.header if train is not None else []
        if name in taken:
            what = "is what is predicted" if name in targets else "has another meaning already (id, fold or pixels)"
            raise UserError(f"data.features: '{plain(name, 80)}' {what}. Take it out {_WHERE}.")
        matching = [c for c in header if c == name] or [c for c in header if fnmatchcase(c, name) and c not in taken]
        if not matching:
            where = (
                f"column of {train.shown}" if train is not None else "column: no table is named (data.features_from)"
            )
            raise UserError(
                f"data.features: '{plain(name, 80)}' matches no {where}{plain(nearest(name, header))}; there are: "
                f"{listed(header) or 'none'}. Correct it {_WHERE}."
            )
        found |= dict.fromkeys(matching)
    _check(list(found), train, test)
    return [*found, *(name for name in IMAGE_COLUMNS if name in spec.features)]


def _check(names: Sequence[str], train: Table | None, test: Table | None) -> None:
    if len(names) > MOST_COLUMNS:
        raise UserError(
            f"data.features: matches {len(names):,} columns; at most {MOST_COLUMNS:,} can be used. Name fewer {_WHERE}."
        )
    for table in (train, test):
        there = set(table.header) if table is not None else set(names)
        lost = [name for name in names if name not in there]
        if table is not None and lost:
            raise UserError(
                f"{table.shown}: has no column '{plain(lost[0], 80)}', which data.features takes from the training table"
                f"{f' ({len(lost):,} are missing)' if len(lost) > 1 else ''}: the test rows have nothing to predict by. Take it out {_WHERE}, or "
                "name the table that has it: data.test_rows, data.features_from."
            )
        if table is not None and len(there) < len(table.header):
            twice = [name for name in names if table.header.count(name) > 1]
            if twice:
                table.column(twice[0], "data.features")  # says that it stands twice


def are_categories(spec: DataSpec, names: Sequence[str]) -> set[str]:
    """Those of the columns that data.categories names; a pattern that matches none is refused."""
    found: set[str] = set()
    for pattern in spec.categories:
        matching = {name for name in names if name == pattern or fnmatchcase(name, pattern)}
        if not matching:
            raise UserError(
                f"data.categories: '{plain(pattern, 80)}' matches none of data.features{plain(nearest(pattern, names))}: {listed(names)}. "
                f"Correct it {_WHERE}."
            )
        found |= matching
    return found
