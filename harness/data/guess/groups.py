"""Which rows belong together: a column of patients, drivers or places; ids and paths that name one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.base.untrusted_text import listed
from harness.data.guess.layout import Layout
from harness.data.guess.targets import Targets
from harness.data.rows.tables import Table

_PERSON = re.compile(r"patient|subject|person|driver|animal|individual|participant", re.I)
_NAMED = re.compile(
    rf"{_PERSON.pattern}|location|seq_?id|sequence|slide|site_id|case_?id|plant_?id|study_?id|lesion|specimen|scan_?id|exam_?id|series_?id|track_?id|group|farm|field_?id|camera|hospital|session|video|clip",
    re.I,
)
_FEW = 10  # values that all classes have: an age group, a kind of camera


@dataclass(frozen=True)
class Groups:
    """What was found.

    Attributes
    ----------
    column : that makes the groups, or None
    others : that could make them instead
    passed_over : called as groups are, with few values that all classes have
    """

    column: str | None = None
    others: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)

    @property
    def others_said(self) -> str:
        """Of the other columns, in words."""
        return f"; {listed(self.others, 4)} could make groups too" if self.others else ""


def choose_groups(table: Table, columns: Sequence[str], classes: Sequence[str] | None, test: Table | None) -> Groups:
    """The one of some columns that looks like groups, with fewer values than rows: of which the test has other values only before all
    others, then a person, then the coarser one.

    By their names; else the first text column of which the test's table has other values only: its rows are of other places.

    classes : of the rows, where each has one
    """
    apart = [n for n in columns if test is not None and test.has(n) and _apart(table, test, n)]
    named = [n for n in columns if _NAMED.search(n) and len(set(table.column(n, ""))) not in (1, len(table))]
    named = [n for n in named if not (classes and _tells_the_class(table.column(n, ""), classes))]
    few = [n for n in named if n not in apart and not _PERSON.search(n) and _all_have_all(table.column(n, ""), classes)]
    kept = [n for n in named if n not in few]
    if not kept:
        return Groups(apart[0] if apart else None, apart[1:], few)
    first = min(kept, key=lambda n: (n not in apart, not _PERSON.search(n), _rank(table, n, kept)))
    return Groups(first, [n for n in kept if n != first], few)


def note_groups(
    layout: Layout, table: Table, targets: Targets, test: Table | None, columns: Sequence[str]
) -> list[str]:
    """data.group_by, where one of these columns says which rows belong together; [] or that column."""
    one_class = len(targets.label) == 1 and targets.task != "regression"
    classes = table.column(targets.label[0], "") if one_class else None
    groups = choose_groups(table, [c for c in columns if c not in targets.label], classes, test)
    if groups.column is None:
        return []
    layout.set("group_by", groups.column, GROUPS_WHY + groups.others_said)
    return [groups.column]


GROUPS_WHY = "rows of one share a fold: take it out if they are independent"


def _rank(table: Table, name: str, others: Sequence[str]) -> int:
    """How many of the others are coarser: each value of the column goes with one value of theirs."""
    cells = table.column(name, "")
    values = len(set(cells))
    coarser = (table.column(other, "") for other in others if other != name)
    return sum(len(set(zip(cells, c, strict=True))) == values > len(set(c)) for c in coarser)


def _tells_the_class(cells: Sequence[str], classes: Sequence[str]) -> bool:
    """Whether the rows of a class all have one value, so that no class could be split between folds."""
    return len(set(zip(cells, classes, strict=True))) == len(set(classes))


def _all_have_all(cells: Sequence[str], classes: Sequence[str] | None) -> bool:
    """Whether a column has few values, and every class each of them."""
    values = len(set(cells))
    return (
        classes is not None
        and values < _FEW
        and len(set(zip(cells, classes, strict=True))) == values * len(set(classes))
    )


def _apart(table: Table, test: Table, name: str) -> bool:
    """Whether a column of names repeats itself, and the test has none of the values."""
    here, there = set(table.column(name, "")), set(test.column(name, ""))
    numbers = all(re.fullmatch(r"-?\d*\.\d+", cell) for cell in here)
    repeated = len(here) <= len(table) / 2 and min(len(here), len(there)) > 1
    return repeated and not numbers and here.isdisjoint(there) and "" not in here


def group_pattern(ids: Sequence[str], labels: Sequence[str] | None = None) -> str | None:
    """Ids or paths that name a group: pairs, '10_left' and '10_right'; a person, 'person12_virus_3', in a third of them or more.

    labels : of the ids, where folders or names tell them: what is the same for all of a class is its name and no group
    """
    persons = r"((?:person|patient|subject|animal|slide)[_-]?\d+)"
    named = [m[1].lower() if (m := re.search(persons, i, re.I)) else "" for i in ids]
    repeated = len(set(named) - {""}) < sum(map(bool, named))
    if sum(map(bool, named)) >= len(ids) / 3 and repeated and not (labels and _tells_the_class(named, labels)):
        return f"(?i){persons}"
    for pattern in (r"([^/]+)_(?:left|right)(?:\.\w+)?$", r"([^/]+)_(?:L|R)(?:\.\w+)?$"):
        found = [re.search(pattern, i) for i in ids[:2000]]
        if found and all(found):
            return pattern
    return None
