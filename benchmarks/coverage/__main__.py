"""The command."""

from __future__ import annotations

import functools
import json
import os
import tempfile
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.common import say
from benchmarks.coverage.fixtures import all_fixtures
from benchmarks.coverage.kit import Fixture
from benchmarks.coverage.play import Way, by_play, play
from benchmarks.coverage.stages import by_stages
from harness.base.command import new_app, user_command
from harness.base.errors import UserError, nearest

app = new_app()
_HEADER = ("competition", "files, labels", "task", "metric", "submission", "TOML by hand", "untouched init")


@app.command()
@user_command
def main(
    only: Annotated[str, typer.Option(help="Competitions, separated by commas.", metavar="NAME,...")] = "",
    epochs: Annotated[
        int,
        typer.Option(
            min=1, help="Of training; with eight or more scores say whether rows and answers belong together."
        ),
    ] = 1,
    zipped: Annotated[
        bool, typer.Option("--zipped", help="All files in one zip, as the platform delivers them.")
    ] = False,
    hours: Annotated[
        float | None,
        typer.Option("--play", help="Init and harness.play for so long, in place of both ways.", metavar="HOURS"),
    ] = None,
    stages: Annotated[bool, typer.Option("--stages", help="Init and then every stage, in place of both ways.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report there.", metavar="FILE")] = None,
    table: Annotated[Path | None, typer.Option(help="Write the table as Markdown there.", metavar="FILE")] = None,
    least: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Exit with 1 where fewer percent are played by hand and by init.", metavar="HAND INIT"),
    ] = None,
) -> None:
    """Play every competition in both ways; a table, and what is not played with its reason."""
    warnings.simplefilter("ignore")
    os.environ.setdefault("HARNESS_CORES", "1")
    ways: dict[str, Way] | None = {"stages": by_stages} if stages else None
    if hours:
        ways = {"play": functools.partial(by_play, hours)}
    lines = []
    for fixture in _chosen(only):
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="coverage-") as folder:
            outcomes = play(fixture, Path(folder).resolve(), epochs, zipped, ways)
        line = {"name": fixture.name, **{way: asdict(outcome) for way, outcome in outcomes.items()}}
        lines.append(line | {"seconds": round(time.perf_counter() - started, 1)})
        shown = ", ".join(f"{way} {'ok' if o.ok else 'FAILS'} ({o.said[:300]})" for way, o in outcomes.items())
        say(f"{fixture.name}: {shown}; {lines[-1]['seconds']} s")
    totals = {way: 100 * sum(line[way]["ok"] for line in lines) / len(lines) for way in ways or ("hand", "init")}
    if json_file is not None:
        report = {"competitions": lines, "percent": {way: round(share, 1) for way, share in totals.items()}}
        json_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if table is not None and "hand" in totals:
        table.write_text(markdown(lines), encoding="utf-8")
    for way in totals:
        for line in lines:
            if not line[way]["ok"]:
                print(f"{way}: {line['name']}: {line[way]['said']}")
    print(f"{len(lines)} competitions; " + ", ".join(f"{way}: {share:.0f} %" for way, share in totals.items()))
    if least is not None and "hand" in totals and (totals["hand"] < least[0] or totals["init"] < least[1]):
        raise typer.Exit(1)


def _chosen(only: str) -> list[Fixture]:
    known = all_fixtures()
    wanted = [name.strip() for name in only.split(",") if name.strip()] or list(known)
    for name in wanted:
        if name not in known:
            raise UserError(f"--only {name}: no such competition{nearest(name, known)}; known: {', '.join(known)}")
    return [known[name] for name in wanted]


def markdown(lines: list[dict[str, Any]]) -> str:
    """The table, a line for each competition."""
    fixtures, rows = all_fixtures(), []
    for line in lines:
        fixture = fixtures[line["name"]]
        ways = [
            f"yes ({line[w]['said']})" if line[w]["ok"] else f"no: {line[w]['said'][:160]}" for w in ("hand", "init")
        ]
        rows.append((fixture.name, fixture.layout, fixture.task, fixture.metric, fixture.submission, *ways))
    cells = [_HEADER, ("---",) * len(_HEADER), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in cells)


if __name__ == "__main__":
    app()
