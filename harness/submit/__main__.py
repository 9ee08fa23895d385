"""python -m harness.submit COMPETITION: blend runs, check the file, send it once, follow it to its score."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.base.command import JsonOption, OutOption, new_app, out_root, user_command
from harness.base.errors import UserError
from harness.base.options import CompetitionChoice, DataOptions
from harness.base.progress import watching
from harness.base.terminal import note, table_lines
from harness.base.untrusted_text import counted
from harness.submit.arguments import BundleOptions, Content, SendOptions

if TYPE_CHECKING:
    from harness.competition import Competition
    from harness.ledger import Ledger
    from harness.submit.prepare.prepared import Prepared

app = new_app()


@app.command()
@user_command
def main(
    which: CompetitionChoice,
    content: Content,
    bundle: BundleOptions,
    how: SendOptions,
    where: DataOptions,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Blend the chosen runs, write submissions/<slug>/<run>.csv aligned by id, check it, forecast it, send it.

    Nothing is sent twice, and the ledger (submissions/ledger.sqlite) keeps every step: after a kill, --resume goes on.
    Exit codes: 0 scored, 2 nothing was sent, 3 no score yet, 4 perhaps sent, 5 not scorable, 6 kept for later.
    """
    out = out_root(out)
    from harness.competition import find_competition
    from harness.ledger import open_ledger
    from harness.submit.flow import follow_up, send_new
    from harness.submit.platform import find_platform

    if how.trust_host:
        _agree(how.trust_host, as_json and not (which.given or how.follows_up))
        if not (which.given or how.follows_up):
            return
    if how.follows_up:
        shown = follow_up(open_ledger(out), out, which.given, how, note)
        _show([], shown.entries, shown.lines, {"entries": shown.summaries}, as_json)
        return
    content.check(bundle.asked)
    named = which.required("to send to")
    if not how.dry_run:
        find_platform(find_competition(named))  # before anything is made that has nowhere to go
    ledger = open_ledger(out)
    with watching(quiet=as_json) as watcher, watcher.waiting("making the submission, checking it, forecasting"):
        competition, prepared, tried = _prepare(named, content, bundle, where, out, ledger)
    lines = [*_lines(prepared), *tried]
    if how.dry_run:
        nowhere = competition.platform == "none"
        last = [
            f"dry run: nothing was sent{'; the competition is on no platform' if nowhere else f' to {competition.platform}'}."
        ]
        _show(lines, [], last, prepared.summary() | {"trial": tried}, as_json)
        return
    if where.sample:
        raise UserError(
            f"{prepared.intent.file}: made from the embedded sample, which no platform wants. Add --dry-run, or leave out "
            "--sample."
        )
    if not as_json:
        print("\n".join(lines))
    shown = send_new(ledger, out, competition, prepared, how, note)
    _show([], shown.entries, shown.lines, prepared.summary() | {"sent": shown.summaries[0]}, as_json)


def _agree(named: str, as_json: bool) -> None:
    from harness.remote.hosts import agree

    service, _, host = named.partition(":")
    if service != "codabench" or not host or "/" in host:
        raise UserError(f"--trust-host {named}: write codabench:HOST")
    kept = agree(service, host)
    if as_json:
        print(json.dumps({"agreed": f"https://{host}", "platform": service, "kept": str(kept)}, indent=2))
    else:
        print(f"agreed: {service} credentials may go to https://{host}; kept in {kept}")


def _prepare(
    named: str, content: Content, bundle: BundleOptions, where: DataOptions, out: Path, ledger: Ledger
) -> tuple[Competition, Prepared, list[str]]:
    """The competition, what would be sent to it, and how a bundle's trial went."""
    from harness.oof.forecast.track_record import past_of
    from harness.submit.prepare.blend import prepare_blend
    from harness.submit.prepare.bundle import prepare_bundle
    from harness.submit.prepare.clusters import prepare_clusters
    from harness.submit.prepare.code import prepare_code
    from harness.submit.prepare.file import prepare_file
    from harness.submit.prepare.notebook import prepare_notebook

    competition, dataset, runs = _open(named, content, where, out)
    past, message = past_of(ledger.entries()), content.message
    tried: list[str] = []
    if content.file:
        prepared = prepare_file(competition, dataset, content.file, out, message)
    elif bundle.bundle:
        prepared, tried = prepare_bundle(competition, dataset, runs, out, bundle, content.threshold, message, past)
    elif bundle.code:
        prepared, tried = prepare_code(competition, dataset, runs, out, bundle, content.threshold, message, past)
    elif content.notebook:
        prepared = prepare_notebook(competition, dataset, runs, content.notebook, content.output, message, past)
    elif competition.is_clustering:
        prepared = prepare_clusters(competition, dataset, runs, out, message)
    else:
        prepared = prepare_blend(competition, dataset, runs, out, content.threshold, message, past, content.partial)
    return competition, prepared, tried


def _open(comp: str, content: Content, where: DataOptions, out: Path) -> tuple[Competition, Any, Any]:
    """Competition, data and the runs to send: those named, else the best ones."""
    from harness.competition import DataChoice, find_competition
    from harness.data.dataset import load_dataset
    from harness.runs import load_run
    from harness.submit.prepare.blend import chosen_runs

    competition = find_competition(comp)
    named = [load_run(out / "oof" / competition.slug / name) for name in content.run_names()]
    choice = DataChoice(set=where.data_set or (named[0].recipe.data.set if named else ""))
    competition = competition.using(choice)
    dataset = load_dataset(
        competition, where.root, sample=where.sample, skip_broken=where.skip_broken, stream=where.stream
    )
    competition = dataset.competition or competition
    most = content.most_unnamed
    runs = chosen_runs(competition, dataset, named, most, out) if named or most else []
    return competition, dataset, runs


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
    rows = f"{counted(intent.rows, 'row')}, " if intent.rows else ""
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
