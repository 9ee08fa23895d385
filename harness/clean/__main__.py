"""python -m harness.clean COMPETITION: find what the training set should not hold, and say what to do about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.base.command import JsonOption, OutOption, carried, new_app, next_lines, out_root, user_command
from harness.base.options import CompetitionChoice, DataOptions
from harness.base.terminal import print_table
from harness.kernels.options import KaggleOptions

app = new_app()


@app.command()
@user_command
def main(
    which: CompetitionChoice,
    where: DataOptions,
    place: KaggleOptions,
    run: Annotated[
        str | None, typer.Option(help="A finished run whose OOF probabilities show label errors.", metavar="NAME")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a clean.csv that was changed by hand since it was written.")
    ] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find duplicates, label conflicts, foreign, blank and mislabelled images in the training set.

    Writes oof/<slug>/clean/clean.csv, which harness.cv uses from then on, and a page to look at it and change it.
    """
    out = out_root(out)
    from harness.base.progress import watching
    from harness.clean.elsewhere import clean_on_kaggle
    from harness.clean.pipeline import clean_chosen
    from harness.competition import DataChoice, find_competition
    from harness.kernels.command import Command
    from harness.runs.run import require_run

    contest = find_competition(which.required()).using(DataChoice(set=where.data_set))
    if run:
        require_run(out / "oof" / contest.slug / Path(run).name)
    if place.check():
        command = Command.typed("harness.clean", which.competition)
        with watching() as watcher:
            path = clean_on_kaggle(contest, command, where, run, overwrite, place, out, watcher)
        _print_brought(path, as_json)
        return
    with watching() as watcher:
        contest, result = clean_chosen(contest, where, out, run, overwrite, watcher)
    if as_json:
        print(json.dumps(result.summary(), indent=2))
    else:
        _print(result, f"{contest.called}{recipe_option(contest.recipes)}", where.sample)


def recipe_option(recipes: Sequence[str]) -> str:
    """The words that choose one of a competition's recipes; "" where the default does: a file quick, or the built-in one."""
    return "" if not recipes or "quick" in recipes else f" --recipe {recipes[0]}"


def _print_brought(path: Path | None, as_json: bool) -> None:
    """What came from Kaggle."""
    from harness.clean.page import count_table
    from harness.clean.verdicts import ACTIONS, read_verdicts

    if path is None:
        return
    verdicts = read_verdicts(path)
    if as_json:
        print(json.dumps({"path": str(path), "page": str(path.with_name("clean.html")), "verdicts": len(verdicts)}))
        return
    lines = count_table(verdicts)
    if lines:
        print_table(["verdict", *ACTIONS, "rows"], lines, title="Rows that are not plainly clean")
    print(f"verdicts: {path}\npage:     {path.with_name('clean.html')}")


def _print(result: Any, trained: str, sample: bool) -> None:
    from harness.clean.page import count_table
    from harness.clean.verdicts import ACTIONS

    lines = count_table(result.verdicts)
    if lines:
        print_table(["verdict", *ACTIONS, "rows"], lines, title="Rows that are not plainly clean")
    for line in result.columns:
        print(f"look at:  {line}")
    n = result.n_rows
    print(f"{n - len(result.verdicts):,} of {n:,} training rows are plainly clean.")
    print(f"verdicts: {result.csv_path}")
    print(f"page:     {result.page_path}")
    train = f"python -m harness.cv {trained}{' --sample' if sample else ''}{carried('--data', '--out')}"
    print("\n".join(next_lines("look at the page, then train by its verdicts:", train)))


if __name__ == "__main__":
    app()
