"""python -m harness.oof compare|errors|ensemble|forecast|calibrate COMPETITION: what finished runs tell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.base.command import JsonOption, OutOption, carried, new_app, next_lines, out_root, user_command
from harness.base.options import CompetitionChoice, DataOptions
from harness.base.progress import watching
from harness.base.terminal import print_table
from harness.base.untrusted_text import counted

if TYPE_CHECKING:
    from harness.competition import Competition

app = new_app(no_args_is_help=True)


@app.callback()
def main() -> None:
    """Offline analysis of saved runs: nothing is trained."""


@app.command()
@user_command
def compare(
    which: CompetitionChoice,
    run: Annotated[
        list[str] | None, typer.Option(help="Compare this run; repeat it. Default: all finished ones.")
    ] = None,
    data_set: Annotated[
        str, typer.Option("--data-set", help="Without --run: only runs on this one of [sets.NAME].", metavar="NAME")
    ] = "",
    sample: Annotated[bool, typer.Option("--sample", help="Without --run: only runs on the embedded sample.")] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Scores of all finished runs with intervals; any two on the same rows by a paired test; classes, curves.

    Writes oof/<slug>/compare.html.
    """
    out = out_root(out)
    from harness.competition import find_competition
    from harness.oof.asked import compare_runs
    from harness.oof.compare.runs import comparison_table, pair_table, recipe_table, rows_legend

    contest = find_competition(which.required())
    where = DataOptions(data_set=data_set, sample=sample)
    if contest.is_clustering:
        _compare_clusterings(contest, out, run or [], where, as_json)
        return
    with watching() as watcher:
        found = compare_runs(contest, out, run or [], watcher, where)
    if as_json:
        print(json.dumps(found.summary(), indent=2))
        return
    _print_table(f"{contest.title}: mean +- std over folds", *comparison_table(found.lines, found.metrics), left=2)
    if legend := rows_legend(found.lines):
        print(legend)
    if told := recipe_table(found.page.parent, found.lines):
        _print_table("what differs", *told, left=1)
    if found.paired:
        _print_table("two by two, on the same rows", *pair_table(found.paired), left=2)
    print(f"page: {found.page}")


@app.command()
@user_command
def label(
    which: CompetitionChoice,
    run: Annotated[str, typer.Option(help="The run or ensemble, finished or not.")],
    name: Annotated[str | None, typer.Option(help='What tables and pages call it; "" takes the name away.')] = None,
    note: Annotated[str | None, typer.Option(help='A line about it; "" takes it away.')] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help='A word to find it by, in place of those there are; repeat it; "": none.')
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a run a name, a note and tags, which are no part of it; without any, print what it has."""
    out = out_root(out)
    from harness.competition import find_competition
    from harness.runs.notes.label import Label
    from harness.runs.run import run_folder

    folder = run_folder(out / "oof" / find_competition(which.required()).slug, run)
    about = Label(name, note, tuple(tag or ())).write(folder)
    if as_json:
        print(
            json.dumps({"run": folder.name, "name": about.name, "note": about.note, "tags": list(about.tags)}, indent=2)
        )
        return
    print(f"{folder.name}: {about.line() or 'no name, note or tag'}")


def _compare_clusterings(
    contest: Competition, out: Path, names: Sequence[str], where: DataOptions, as_json: bool
) -> None:
    from harness.oof.compare.clusterings import (
        clustering_table,
        load_clusterings,
        recipe_differences,
        write_clusterings,
    )

    runs, path = load_clusterings(contest, out, names, where), out / "oof" / contest.slug / "compare.html"
    write_clusterings(path, contest, runs)
    if as_json:
        told = [
            {"run": r.name, "recipe": r.recipe.name, "k": len(r.classes), "metrics": r.scores["metrics"]} for r in runs
        ]
        print(json.dumps({"runs": told, "page": str(path)}, indent=2))
        return
    _print_table(f"{contest.title}: pooled over folds", *clustering_table(runs), left=3)
    if differ := recipe_differences(runs):
        _print_table("what differs", *differ, left=1)
    print(f"page: {path}")


@app.command()
@user_command
def errors(
    which: CompetitionChoice,
    where: DataOptions,
    run: Annotated[str | None, typer.Option(help="Run or ensemble. Default: the best by OOF.")] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Where a run is wrong: classes, labels, grades or numbers, calibration, worst mistakes, labels in doubt, hardest groups.

    Writes errors.html and errors.csv (every wrong or doubted row) into the run's folder.
    """
    out = out_root(out)
    from harness.competition import find_competition
    from harness.oof.asked import errors_of

    with watching() as watcher:
        found = errors_of(find_competition(which.required()), out, run, where, watcher)
    if as_json:
        print(json.dumps(found.summary(), indent=2))
        return
    report = found.report
    header, rows, left_out = report.short_table()
    _print_table(f"{found.run}: {report.headline}", header, rows, left=1)
    if left_out:
        print(f"{left_out:,} more: {found.page}")
    for line in report.lines():
        print(line)
    if found.without_images:
        print(f"without images: {found.without_images}")
    print(f"table: {found.table}\npage:  {found.page}")


@app.command()
@user_command
def ensemble(
    which: CompetitionChoice,
    where: DataOptions,
    run: Annotated[list[str] | None, typer.Option(help="A member; repeat it. Default: all that fit the best.")] = None,
    best: Annotated[int, typer.Option(min=2, help="Without --run: at most this many of the best.")] = 50,
    method: Annotated[
        str | None,
        typer.Option(
            help="Save this way: mean, vote, geometric_mean, logit_mean, rank_mean, hill_climbing, bagged_climbing, convex, stacking, "
            "temperature, priors; of numbers also median, scaling. Default: the best whose gain over the mean is no noise, else the mean."
        ),
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Combine runs every way there is, each scored on folds that it was not fitted on; save the best as a run.

    Writes oof/<slug>/<ensemble>/, which harness.submit takes like any run.
    """
    out = out_root(out)
    from harness.competition import find_competition
    from harness.cv.report.offer import submission_offer
    from harness.oof.asked import combine_runs
    from harness.oof.forecast.report import forecast_lines
    from harness.runs import RunFolder

    contest = find_competition(which.required())
    if contest.is_clustering:
        _save_consensus(contest, out, run or [], as_json)
        return
    with watching() as watcher:
        found = combine_runs(contest, out, run or [], best, method, where, watcher)
    if as_json:
        print(json.dumps(found.summary(), indent=2))
        return
    result, made = found.result, found.forecast
    title = f"{contest.title}: {counted(len(result.members), 'run')}, {result.metric}"
    _print_table(title, result.header, result.rows, left=1, bold=result.chosen)
    print(f"members:  {', '.join(result.members)}")
    for line in result.remarks:
        print(line)
    for line in forecast_lines(made.found) if made else [f"no forecast: {found.without_forecast}"]:
        print(line)
    print(f"ensemble: {result.path}")
    flags = f" --dry-run{' --sample' if result.is_sample else ''}{carried('--data', '--out')}"
    hidden = not RunFolder(result.path).environment()["data"]["n_test"]
    print("\n".join(next_lines(*submission_offer(contest, "" if hidden else result.path.name, flags, hidden))))


def _save_consensus(contest: Competition, out: Path, names: Sequence[str], as_json: bool) -> None:
    from harness.oof.compare.clusterings import build_consensus, clustering_table
    from harness.runs import load_run

    with watching() as watcher, watcher.waiting("finding the consensus"):
        saved = load_run(build_consensus(contest, out, names).path)
    members = list(saved.environment["ensemble"]["members"])
    if as_json:
        print(json.dumps({"run": saved.name, "path": str(saved.path), "members": members, **saved.scores}, indent=2))
        return
    runs = [load_run(saved.path.parent / name) for name in members]
    _print_table(f"{contest.title}: consensus of {len(members)}", *clustering_table([saved, *runs]), left=3)
    found = saved.scores["metrics"]["agreement"]
    print(
        f"agreement with its members: {found['pooled']:.4f} [{found['low']:.4f}, {found['high']:.4f}] (adjusted Rand index)"
    )
    print(f"ensemble: {saved.path}")
    flags = carried("--data", "--out")
    print("\n".join(next_lines(f"python -m harness.submit {contest.called} --run {saved.name} --dry-run{flags}")))


@app.command()
@user_command
def forecast(
    which: CompetitionChoice,
    where: DataOptions,
    run: Annotated[
        list[str] | None, typer.Option(help="Forecast this run or ensemble; repeated: their mean. Default: the best.")
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """The public and private score to expect, with a 90 % interval and its parts, before a submission is spent.

    Writes forecast.html. It needs the run's noise suite (harness.cv --noise), or says what it cannot tell without.
    """
    out = out_root(out)
    from harness.competition import find_competition
    from harness.oof.asked import forecast_of
    from harness.oof.forecast.report import forecast_lines

    with watching() as watcher:
        made, page = forecast_of(find_competition(which.required()), out, run or [], where, watcher)
    if as_json:
        print(json.dumps({**made.found.summary(), "page": str(page)}, indent=2))
        return
    print(f"run:      {made.found.run} ({made.found.kind})")
    for line in forecast_lines(made.found):
        print(line)
    print(f"page:     {page}")


@app.command()
@user_command
def calibrate(
    which: CompetitionChoice,
    run: Annotated[
        list[str] | None, typer.Option(help="Try this run's forecasts; repeat it. Default: the best.")
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """How forecasts have fared: against the ledger's scores, and on corruptions that they had not seen."""
    out = out_root(out)
    from harness.competition import find_competition
    from harness.ledger import open_ledger
    from harness.oof.compare.clusterings import refuse_clustering
    from harness.oof.ensemble.blend import named_or_best
    from harness.oof.forecast.evaluation import on_corruptions, on_leaderboards, past_table, track_record_table
    from harness.oof.forecast.track_record import past_of
    from harness.runs import load_run

    contest = find_competition(which.required())
    refuse_clustering(contest, "harness.oof calibrate")
    past = list(past_of(open_ledger(out).entries(contest.slug)))
    runs = [load_run(path) for path in named_or_best(contest, out, run or [])]
    with watching() as watcher, watcher.waiting("trying forecasts on corruptions"):
        tried = {r.name: on_corruptions(contest.using(r.recipe.data), r) for r in runs}
    found = [f for f in (on_leaderboards(past), *tried.values()) if f]
    if as_json:
        print(json.dumps({"past": [vars(p) for p in past], "fared": [vars(f) for f in found]}, indent=2))
        return
    if past:
        _print_table("submissions with a score", *past_table(past), left=1)
    else:
        print("no submission of this competition has a score in the ledger yet")
    if found:
        _print_table("how forecasts have fared", *track_record_table(found), left=1)
    for name in (name for name, fared in tried.items() if fared is None):
        print(
            f"{name}: the noise suite was not run, or the metric is not defined on its rows; run harness.cv again with --noise, "
            "where it was run with more --noise-rows"
        )


def _print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], left: int, bold: str = "") -> None:
    """A table whose first columns are names; rows that begin with `bold` stand out."""
    chosen = [number for number, row in enumerate(rows) if bold and row[0] == bold]
    print_table(header, rows, title=title, left=left, bold=chosen)


if __name__ == "__main__":
    app(prog_name="python -m harness.oof")
