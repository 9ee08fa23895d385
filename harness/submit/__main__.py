"""python -m harness.submit --comp SLUG: blend runs, check the file, send it once, follow it to its score."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.base.command import (
    DataOption,
    DataSetOption,
    JsonOption,
    OutOption,
    SampleOption,
    StreamOption,
    data_root,
    new_app,
    user_command,
)
from harness.base.errors import UserError
from harness.base.terminal import table_lines

if TYPE_CHECKING:
    from harness.submit.prepare.prepared import Prepared

app = new_app()


@app.command()
@user_command
def main(
    comp: Annotated[str | None, typer.Option(help="Folder or slug of the competition, e.g. digit-recognizer.")] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            "--run", "--ensemble", help="Run or ensemble to send; repeat it to blend several. Default: the best by OOF."
        ),
    ] = None,
    best: Annotated[int, typer.Option(min=1, help="Without --run: blend this many best runs.")] = 1,
    file: Annotated[Path | None, typer.Option(help="Send this ready file instead of runs.", metavar="CSV")] = None,
    bundle: Annotated[
        bool, typer.Option("--bundle", help="Send code: a zip with model.py and the weights of one run's folds.")
    ] = False,
    backend: Annotated[str, typer.Option(help="With --bundle: what it runs on: torch, timm or onnx.")] = "torch",
    half: Annotated[bool, typer.Option("--half", help="With --bundle: weights as float16, half the size.")] = False,
    limit: Annotated[float, typer.Option(min=1, help="With --bundle: the platform's time limit in seconds.")] = 600,
    memory: Annotated[float | None, typer.Option(min=0, help="With --bundle: its memory limit.", metavar="GIB")] = None,
    size: Annotated[float | None, typer.Option(min=0, help="With --bundle: its size limit.", metavar="MIB")] = None,
    notebook: Annotated[
        str | None,
        typer.Option(help="Send this version of a notebook to a code competition.", metavar="OWNER/NAME@VERSION"),
    ] = None,
    output: Annotated[
        str, typer.Option(help="With --notebook: the file that it writes.", metavar="FILE")
    ] = "submission.csv",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but the upload.")] = False,
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Two classes: predict the second from this probability on; 'oof' = as found on OOF.", metavar="T"
        ),
    ] = None,
    message: Annotated[str | None, typer.Option(help="Description shown by the platform.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the score; then --resume asks again.")] = 120,
    resume: Annotated[
        bool, typer.Option("--resume", help="Follow up everything that was begun and has no end.")
    ] = False,
    queued: Annotated[bool, typer.Option("--queued", help="Send what was kept for later.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Send although the same was sent before.")] = False,
    reserve: Annotated[int, typer.Option(min=0, help="Submissions of today to leave unspent.")] = 0,
    trust_host: Annotated[
        str | None,
        typer.Option(
            help="Agree that a platform's credentials may go to a host that is not its own; kept.",
            metavar="PLATFORM:HOST",
        ),
    ] = None,
    data: DataOption = None,
    data_set: DataSetOption = "",
    sample: SampleOption = False,
    stream: StreamOption = False,
    out: OutOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Blend the chosen runs, write submissions/<slug>/<run>.csv aligned by id, check it, forecast it, send it.

    Nothing is sent twice, and the ledger (submissions/ledger.sqlite) keeps every step: after a kill, --resume goes on.
    Exit codes: 0 scored, 2 nothing was sent, 3 no score yet, 4 perhaps sent, 5 not scorable, 6 kept for later.
    """
    from harness.ledger import open_ledger
    from harness.oof.forecast.track_record import past_of
    from harness.submit.flow import follow_up, send_new
    from harness.submit.prepare.blend import prepare_blend
    from harness.submit.prepare.bundle import BundleOptions, prepare_bundle
    from harness.submit.prepare.clusters import prepare_clusters
    from harness.submit.prepare.file import prepare_file
    from harness.submit.prepare.notebook import prepare_notebook

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    if trust_host:
        _agree(trust_host)
        if not (comp or resume or queued):
            return
    if resume or queued:
        shown = follow_up(open_ledger(out), out, comp, resume, queued, reserve, wait, say)
        _show([], shown.entries, shown.lines, {"entries": shown.summaries}, as_json)
        return
    if message and not message.isprintable():
        raise UserError("--message: holds characters that cannot be printed")
    if comp is None:
        raise UserError("--comp: name the competition to send to, e.g. --comp digit-recognizer")
    _refuse_two_things({"--file": bool(file), "--bundle": bundle, "--notebook": bool(notebook)})
    ledger = open_ledger(out)
    unasked = 0 if file or notebook else best  # without --run: so many runs
    competition, dataset, runs = _open(comp, run or [], unasked, file, data, data_set, sample, stream, out)
    past = past_of(ledger.entries())
    tried: list[str] = []
    if file:
        prepared = prepare_file(competition, dataset, file, out, message)
    elif bundle:
        wanted = BundleOptions(backend, half, limit, memory, size)
        prepared, tried = prepare_bundle(competition, dataset, runs, out, wanted, message, past)
    elif notebook:
        prepared = prepare_notebook(competition, dataset, runs, notebook, output, message, past)
    elif competition.is_clustering:
        prepared = prepare_clusters(competition, dataset, runs, out, message)
    else:
        prepared = prepare_blend(competition, dataset, runs, out, threshold, message, past)
    if dry_run:
        last = [f"dry run: nothing was sent to {competition.platform}."]
        _show([*_lines(prepared), *tried], [], last, prepared.summary() | {"trial": tried}, as_json)
        return
    if sample:
        raise UserError(
            f"{prepared.intent.file}: made from the embedded sample, which no platform wants. Add --dry-run, or leave out "
            "--sample."
        )
    if not as_json:
        print("\n".join([*_lines(prepared), *tried]))
    shown = send_new(ledger, out, competition, prepared, force, reserve, wait, say)
    _show([], shown.entries, shown.lines, prepared.summary() | {"sent": shown.summaries[0]}, as_json)


def _agree(named: str) -> None:
    from harness.remote.hosts import agree

    service, _, host = named.partition(":")
    if service != "codabench" or not host or "/" in host:
        raise UserError(f"--trust-host {named}: write codabench:HOST")
    print(f"agreed: {service} credentials may go to https://{host}; kept in {agree(service, host)}")


def _open(
    comp: str,
    names: list[str],
    best: int,
    file: Path | None,
    data: Path | None,
    data_set: str,
    sample: bool,
    stream: bool,
    out: Path,
) -> tuple[Any, Any, Any]:
    """Competition, data and the runs to send: those named, else the `best` ones."""
    from harness.competition import DataChoice, find_competition
    from harness.data.dataset import load_dataset
    from harness.runs import load_run
    from harness.submit.prepare.blend import chosen_runs

    competition = find_competition(comp)
    named = [load_run(out / "oof" / competition.slug / _without_folder(name)) for name in dict.fromkeys(names)]
    if file and named:
        raise UserError("--file and --run: give one of them")
    choice = DataChoice(set=data_set or (named[0].recipe.data.set if named else ""))
    competition = competition.using(choice)
    dataset = load_dataset(competition, data_root(data), sample=sample, stream=stream)
    competition = dataset.competition or competition
    runs = chosen_runs(competition, dataset, named, best, out) if named or best else []
    return competition, dataset, runs


def _refuse_two_things(asked: dict[str, bool]) -> None:
    names = [name for name, given in asked.items() if given]
    if len(names) > 1:
        raise UserError(f"{' and '.join(names)}: give one of them")


def _without_folder(name: str) -> str:
    if Path(name).name != name:
        raise UserError(f"--run {name}: give the run's name only ('{Path(name).name}'); --out says where oof/ lies")
    return name


def _lines(prepared: Prepared) -> list[str]:
    """What is about to be sent."""
    from harness.oof.forecast.report import forecast_lines

    intent, lines = prepared.intent, []
    if intent.members:
        lines.append(f"members:  {', '.join(intent.members)}")
    lines.append(f"data:     {prepared.data}")
    if prepared.oof:
        oof = prepared.oof
        lines.append(
            f"OOF:      {intent.metric} {oof['pooled']:.5f}, 95 % interval {oof['low']:.5f} to {oof['high']:.5f}"
        )
    lines += forecast_lines(prepared.forecast) if prepared.forecast else []
    if prepared.threshold is not None:
        lines.append(
            f"threshold: the second class is predicted from {prepared.threshold:.3f} on (the forecast is without it)"
        )
    if prepared.shares:
        lines += _share_table(prepared.shares)
    lines += [f"warning:  {warning}" for warning in prepared.warnings]
    rows = f"{intent.rows:,} rows, " if intent.rows else ""
    checked = "not seen here" if intent.file.startswith("notebook:") else "passes its checks"
    lines.append(f"file:     {intent.file} ({rows}sha256 {intent.sha256[:12]}); {checked}")
    lines.append(f"message:  {intent.message}")
    return lines


def _share_table(shares: dict[str, dict[str, float]]) -> list[str]:
    rows = [[name, f"{100 * share['oof']:.2f} %", f"{100 * share['test']:.2f} %"] for name, share in shares.items()]
    return table_lines(["class", "predicted, OOF", "predicted, test"], rows, "Shares of the predictions")


def _show(first: list[str], entries: list[Any], last: list[str], summary: dict[str, Any], as_json: bool) -> None:
    """Print, and end with the exit code of the worst entry."""
    from harness.submit.outcome import exit_code

    print(json.dumps(summary, indent=2) if as_json else "\n".join([*first, *last]))
    if exit_code(entries):
        raise typer.Exit(exit_code(entries))


if __name__ == "__main__":
    app()
