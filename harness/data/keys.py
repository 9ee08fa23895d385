"""python -m harness.data keys: what competition.toml and recipes may say, and which metrics there are.

The same as the site's reference, where it is asked for.
"""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from harness.base.command import JsonOption, new_app, user_command
from harness.base.errors import UserError, nearest
from harness.base.terminal import print_table, table_width
from harness.base.untrusted_text import plain

if TYPE_CHECKING:
    from pydantic import BaseModel

app = new_app()

METRICS = "metrics"
_FILES = {"competition": "competition.toml", "recipe": "recipe"}
_WIDTH = 100


@dataclass(frozen=True)
class Entry:
    """A key of a file, or a metric.

    Attributes
    ----------
    place : "competition.toml", "recipe", or what targets a metric is for
    table : a key's table, "" above all tables; "metrics" of a metric
    name : of the key or metric; value : what it may be, or what a metric's parameters are
    default : "" where there is none; required : whether the file must have the key
    what : what it does or is
    """

    place: str
    table: str
    name: str
    value: str
    default: str
    required: bool
    what: str

    @property
    def dotted(self) -> str:
        """As --set has it: "train.lr"."""
        return f"{self.table}.{self.name}" if self.table else self.name


def entries() -> list[Entry]:
    """Every key and every metric."""
    return [*_keys(), *_metrics()]


def _keys() -> Iterator[Entry]:
    from harness.competition import Competition, Recipe
    from harness.competition.keys import key_tables

    schemas: tuple[type[BaseModel], ...] = (Competition, Recipe)
    for place, schema in zip(_FILES.values(), schemas, strict=True):
        known = {table.path: table.keys for table in key_tables(schema)}
        for table in key_tables(schema):
            for key in known[table.path if table.like is None else table.like]:
                value = key.kind.replace("`", "")
                yield Entry(place, table.path, key.name, value, key.default, key.required, _one_line(key.what))


def _metrics() -> Iterator[Entry]:
    from harness.competition.scoring.described import TARGETS, described_metrics

    for of, heading in TARGETS.items():
        for metric in described_metrics(of):
            way = "greater is better" if metric.greater_is_better else "smaller is better"
            parameters = f"{metric.name}({', '.join(metric.parameters)}), " if metric.parameters else ""
            yield Entry(heading, METRICS, metric.name, f"{parameters}{way}", "", False, _one_line(metric.what))


def _one_line(text: str) -> str:
    return " ".join(text.replace("`", "'").split())


def find_entries(name: str) -> list[Entry]:
    """Those of a file ("recipe"), a table ("train"; "data.join" too), or of that name ("lr", "train.lr", "kappa").

    Raises
    ------
    UserError
        If there is none (says what was meant).
    """
    everything, wanted = entries(), name.strip("[]")
    if wanted in _FILES:
        return [entry for entry in everything if entry.place == _FILES[wanted]]
    ways: tuple[Callable[[Entry], str], ...] = (lambda e: e.table, lambda e: e.dotted, lambda e: e.name)
    found = next((of for way in ways if (of := [entry for entry in everything if way(entry) == wanted])), [])
    if not found:
        known = dict.fromkeys([*_FILES, *(name for e in everything for name in (e.table, e.dotted, e.name) if name)])
        raise UserError(
            f"{plain(name, 80)}: no key, table or metric{nearest(wanted, known)}; without a name the tables are listed"
        )
    return found


@app.command()
@user_command
def main(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A file (competition, recipe), a table (data, train), a key (train.lr) or a metric; metrics: all of them.",
            metavar="[NAME]",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what competition.toml and recipes may hold, which metrics there are, and what each key does."""
    found = find_entries(name) if name else entries()
    if as_json:
        print(json.dumps([dataclasses.asdict(entry) for entry in found], indent=2, ensure_ascii=False))
    elif name:
        _print_entries(found)
    else:
        _print_tables(found)


def _print_entries(found: Sequence[Entry]) -> None:
    heading, width = "", table_width(_WIDTH)
    for entry in found:
        table = f", [{entry.table}]" if entry.table and entry.table != METRICS else ""
        if heading != (heading := f"{entry.place}{table}"):
            print(heading)
        told = f"  {entry.name} = {entry.default}" if entry.default else f"  {entry.name}"
        must = "; required" if entry.required else ""
        print(textwrap.fill(f"{told}   ({entry.value}{must})", width, subsequent_indent=" " * 6))
        print(textwrap.fill(entry.what, width, initial_indent=" " * 6, subsequent_indent=" " * 6))


def _print_tables(found: Sequence[Entry]) -> None:
    names: dict[tuple[str, str], list[str]] = {}
    for entry in found:
        names.setdefault((entry.place, entry.table), []).append(entry.name)
    rows = [[place, table or "(above all tables)", ", ".join(inside)] for (place, table), inside in names.items()]
    print_table(["file", "table", "keys"], rows, left=3)
    print("one of them: python -m harness.data keys NAME, e.g. train, data.join, predict.tta, metrics")
