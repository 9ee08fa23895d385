"""python -m harness.oof compare|ensemble COMPETITION: finished runs side by side, and combined."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.base.command import JsonOption, OutOption, new_app, user_command

app = new_app(no_args_is_help=True)


@app.callback()
def main() -> None:
    """Offline analysis of saved runs: nothing is trained."""


@app.command()
@user_command
def compare(
    competition: Annotated[str, typer.Argument(help="Folder or slug, e.g. competitions/bloodcells.")],
    run: Annotated[
        list[str] | None, typer.Option(help="Compare this run; repeat it. Default: all finished ones.")
    ] = None,
    out: OutOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Scores of all finished runs: mean and standard deviation over folds, pooled with a 95 % interval, and a picture.

    Writes oof/<slug>/compare.html.
    """
    from harness.competition import find_competition
    from harness.cv.scores import competition_metrics
    from harness.oof.compare import comparison, comparison_table, write_comparison

    contest = find_competition(competition)
    lines = comparison(contest, out, run or [])
    metrics = [m.name for m in competition_metrics(contest)]
    path = out / "oof" / contest.slug / "compare.html"
    write_comparison(path, contest, lines, metrics)
    if as_json:
        print(json.dumps({"runs": lines, "page": str(path)}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    header, rows = comparison_table(lines, metrics)
    table = Table(title=f"{contest.title}: mean +- std over folds", title_justify="left")
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number > 1 else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 240).print(table)
    print(f"page: {path}")


@app.command()
@user_command
def ensemble(
    competition: Annotated[str, typer.Argument(help="Folder or slug, e.g. competitions/digit-recognizer.")],
    run: Annotated[list[str] | None, typer.Option(help="A member; repeat it. Default: all that fit the best.")] = None,
    best: Annotated[int, typer.Option(min=2, help="Without --run: at most this many of the best.")] = 50,
    method: Annotated[
        str | None,
        typer.Option(help="Save this way; default: the best whose gain over the mean is no noise, else the mean."),
    ] = None,
    out: OutOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Combine runs every way there is, each scored on folds that it was not fitted on; save the best as a run.

    Writes oof/<slug>/<ensemble>/, which harness.submit takes like any run.
    """
    from harness.competition import find_competition
    from harness.oof.saved import build_ensemble

    contest = find_competition(competition)
    result = build_ensemble(contest, out, run or [], best, method)
    if as_json:
        print(json.dumps(result.summary(), indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{contest.title}: {len(result.members)} runs, {result.metric}", title_justify="left")
    for number, name in enumerate(result.header):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in result.rows:
        table.add_row(*row, style="bold" if row[0] == result.chosen else None)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    print(f"members:  {', '.join(result.members)}")
    for line in result.remarks:
        print(line)
    print(f"ensemble: {result.path}")
    flags = " --sample" if result.is_sample else ""
    print(f"next:     python -m harness.submit --comp {contest.slug} --run {result.path.name} --dry-run{flags}")


if __name__ == "__main__":
    app(prog_name="python -m harness.oof")
