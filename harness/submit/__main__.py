"""python -m harness.submit COMPETITION: blend runs, check the file, send it once, follow it to its score."""

from __future__ import annotations

import json
from typing import Any

import typer

from harness.base.command import JsonOption, OutOption, new_app, out_root, user_command
from harness.base.errors import UserError
from harness.base.options import CompetitionChoice, DataOptions
from harness.base.progress import watching
from harness.base.terminal import note
from harness.submit.arguments import BundleOptions, Content, SendOptions

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
    from harness.submit.request import prepare, prepared_lines

    if how.trust_host:
        _agree(how.trust_host, as_json and not (which.given or how.follows_up))
        if not (which.given or how.follows_up):
            return
    if how.follows_up:
        shown = follow_up(open_ledger(out), out, which.given, how, note)
        _show([], shown.entries, shown.lines, {"entries": shown.summaries}, as_json)
        return
    content.check(bundle.asked)
    competition = find_competition(which.required("to send to"))
    if not how.dry_run:
        find_platform(competition)  # before anything is made that has nowhere to go
    ledger = open_ledger(out)
    with watching() as watcher, watcher.waiting("making the submission, checking it, forecasting"):
        competition, prepared, tried = prepare(competition, content, bundle, where, out, ledger)
    lines = [*prepared_lines(prepared), *tried]
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
    from harness.remote.hosts import agree, names_loopback

    service, _, host = named.partition(":")
    if service != "codabench" or not host or "/" in host:
        raise UserError(f"--trust-host {named}: write codabench:HOST")
    kept, url = agree(service, host), f"http{'' if names_loopback(f'//{host}') else 's'}://{host}"
    if as_json:
        print(json.dumps({"agreed": url, "platform": service, "kept": str(kept)}, indent=2))
    else:
        print(f"agreed: {service} credentials may go to {url}; kept in {kept}")


def _show(first: list[str], entries: list[Any], last: list[str], summary: dict[str, Any], as_json: bool) -> None:
    """Print, and end with the exit code of the worst entry."""
    from harness.submit.outcome import exit_code

    print(json.dumps(summary, indent=2) if as_json else "\n".join([*first, *last]))
    if exit_code(entries):
        raise typer.Exit(exit_code(entries))


if __name__ == "__main__":
    app()
