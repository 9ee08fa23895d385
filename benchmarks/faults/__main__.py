"""The command."""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.faults.answers import KEYS, KINDS, Case
from benchmarks.faults.cases import READS, WRITES, all_cases
from benchmarks.faults.judging import Result
from benchmarks.faults.stage import run_share
from harness.base.command import new_app, user_command
from harness.base.errors import UserError

app = new_app()


def chosen(only: str, most: int | None) -> list[Case]:
    """The cases of the platforms asked for, or so many of them, drawn the same each time."""
    found = [case for platform in KEYS if only in ("", platform) for case in all_cases(platform)]
    if len({case.name for case in found}) != len(found):
        raise AssertionError("two cases have the same name")
    return found if most is None or most >= len(found) else random.Random(0).sample(found, most)


def table(results: list[Result]) -> list[dict[str, Any]]:
    """A line for each platform and step, in the order of the protocol, and one of all."""
    order = {p: [*READS[p], *WRITES[p], "list"] for p in KEYS}

    def place(row: tuple[str, str]) -> tuple[str, int, str]:
        steps = order[row[0]]
        return row[0], steps.index(row[1]) if row[1] in steps else len(steps), row[1]

    lines = []
    for row in [*sorted({(r.platform, r.step) for r in results}, key=place), ("all", "")]:
        mine = [r for r in results if row[0] == "all" or (r.platform, r.step) == row]
        counts = {kind: sum(kind in r.kinds for r in mine) for kind in KINDS}
        line = {"platform": row[0], "step": row[1], "cases": len(mine)}
        lines.append(line | counts | {"open": sum(r.open for r in mine)})
    return lines


def print_table(lines: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(title="Faults of a platform, and what came of them", title_justify="left")
    for header in lines[0]:
        shown.add_column(header, justify="left" if header in ("platform", "step") else "right")
    for line in lines:
        shown.add_row(*(str(value) for value in line.values()))
    Console(width=None if sys.stdout.isatty() else 120).print(shown)


@app.command()
@user_command
def main(
    cases: Annotated[int | None, typer.Option(min=1, help="Run so many, drawn the same each time.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all results there.", metavar="FILE")] = None,
    only: Annotated[str, typer.Option(help="kaggle or codabench.")] = "",
    match: Annotated[str, typer.Option(help="Only cases whose name holds this.", metavar="TEXT")] = "",
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Run the fault matrix of submitting; exit code 1 if any case fails."""
    if only not in ("", *KEYS):
        raise UserError(f"--only {only}: is none of {', '.join(KEYS)}")
    wanted, started = [case for case in chosen(only, cases) if match in case.name], time.monotonic()
    if not wanted:
        raise UserError(f"--match {match}: no case is called so")
    random.Random(1).shuffle(wanted)  # so that the shares take about as long
    shares = [share for share in (wanted[i::workers] for i in range(workers)) if share]
    with ProcessPoolExecutor(len(shares), mp_context=multiprocessing.get_context("spawn")) as pool:
        results = sorted((r for share in pool.map(run_share, shares) for r in share), key=lambda r: r.name)
    lines, failed = table(results), [r for r in results if r.kinds]
    print_table(lines)
    for result in failed:
        print(
            f"{result.name}: {', '.join(result.kinds)} (server {result.sent}; ledger {', '.join(result.states) or '-'})"
        )
    print(f"{len(results)} cases, {len(failed)} failed, {time.monotonic() - started:.0f} s")
    for result in results:
        if result.broken:
            print(f"the server of {result.name} broke:\n{result.broken[0]}", file=sys.stderr)
    if json_file:
        told = {"cases": len(results), "table": lines, "results": [vars(r) for r in results]}
        json_file.write_text(json.dumps(told, indent=2) + "\n")
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
