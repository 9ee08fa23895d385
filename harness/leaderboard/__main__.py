"""python -m harness.leaderboard: CV against public and private score, and what to send next."""

from __future__ import annotations

import contextlib
import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.base.command import JsonOption, OutOption, new_app, out_root, user_command
from harness.base.options import CompetitionChoice
from harness.base.terminal import note, print_table

if TYPE_CHECKING:
    from harness.competition import Competition
    from harness.ledger import Ledger

app = new_app()


@app.command()
@user_command
def main(
    which: CompetitionChoice,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what to send next and which two to choose, with reasons.")
    ] = False,
    left: Annotated[int | None, typer.Option(min=0, help="With --plan: submissions left today.")] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the table as CSV, or the whole ledger as .json.", metavar="FILE")
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """The ledger's submissions: CV, forecast, public and private score, gap, rank; and submissions/leaderboard.html.

    Without a competition: those of every competition in the ledger.
    """
    out = out_root(out)
    from harness.competition import find_competition
    from harness.leaderboard.candidates import plan_for
    from harness.leaderboard.page import plan_table, write_page
    from harness.leaderboard.table import HEADER, lines_of, run_label, table_rows
    from harness.ledger import open_ledger

    ledger = open_ledger(out)
    wanted = find_competition(which.given) if which.given else None
    found, gone = ({wanted.slug: wanted}, {}) if wanted else _competitions_of(ledger)
    lines = lines_of(ledger, wanted.slug if wanted else None, _directions(found))
    if not lines and not (plan and wanted):
        _say_that_nothing_was_sent(ledger, wanted.called if wanted else "COMPETITION", as_json)
        return
    for line in lines:
        line["name"] = run_label(out, line["competition"], line["run"])
    contests = list(found.values()) if plan else []
    plans = {
        c.slug: p for c in contests if (p := plan_for(c, out, [x for x in lines if x["competition"] == c.slug], left))
    }
    for slug, why in gone.items() if plan else ():
        note(f"note: {slug} is left out of the plan: {why}")
    path = out / "submissions" / "leaderboard.html"
    write_page(path, f"Leaderboard: {wanted.title}" if wanted else "Leaderboard", lines, plans)
    if export:
        _export(export, lines, ledger, wanted.slug if wanted else None)
    if as_json:
        told = {slug: {k: [vars(a) for a in v] for k, v in vars(p).items()} for slug, p in plans.items()}
        print(json.dumps({"submissions": lines, "plans": told, "page": str(path)}, indent=2))
        return
    print_table(HEADER, table_rows(lines), left=99)
    for slug in (c.slug for c in contests if c.slug not in plans):
        print(f"{slug}: nothing to plan: no run with test predictions but those that wait or have no score yet")
    for slug, next_steps in plans.items():
        print(f"\nwhat to do next, {slug}:")
        print_table(*plan_table(next_steps), left=99)
    print(f"page: {path}")
    if export:
        print(f"{'ledger' if export.suffix == '.json' else 'table'}: {export}")


def _say_that_nothing_was_sent(ledger: Ledger, named: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"submissions": [], "plans": {}, "page": None}, indent=2))
        return
    print(f"Nothing was sent yet: there is no submission in {ledger.where}.")
    print("What harness.submit sends is listed here; --out DIR looks in another folder. To send the best run:")
    print(f"  python -m harness.submit {named}")


def _competitions_of(ledger: Ledger) -> tuple[dict[str, Competition], dict[str, str]]:
    """The ledger's competitions by their slugs, as their last entries name them; and of those that cannot be read any more, why."""
    from harness.base.errors import UserError
    from harness.cv.scores import competition_metrics
    from harness.submit.recorded import competition_of

    last = {entry.intent.competition: entry.intent for entry in ledger.entries()}
    found, gone = {}, {}
    for slug, intent in sorted(last.items()):
        try:
            competition = competition_of(intent)
            competition_metrics(competition)  # its own score may be gone
            found[slug] = competition
        except UserError as error:
            gone[slug] = str(error)
    return found, gone


def _directions(competitions: dict[str, Competition]) -> dict[str, bool]:
    """Whether more is better; left out where a score of one's own cannot be read any more."""
    from harness.base.errors import UserError
    from harness.cv.scores import competition_metrics

    found = {}
    for slug, competition in competitions.items():
        with contextlib.suppress(UserError):
            found[slug] = competition_metrics(competition)[0].greater_is_better
    return found


def _export(path: Path, lines: list[dict[str, Any]], ledger: Ledger, slug: str | None) -> None:
    from harness.base.storage.atomic_files import complete_file, write_json

    if path.suffix == ".json":
        write_json(path, ledger.everything(slug))
        return
    with complete_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        names = [key for key in (lines[0] if lines else {}) if key not in ("forecast", "members", "name")]
        table = csv.writer(file)
        table.writerow([*names, "forecast", "forecast_low", "forecast_high", "members"])
        for line in lines:
            told = line["forecast"] or {}
            numbers = [told.get("score"), told.get("low"), told.get("high"), " ".join(line["members"])]
            table.writerow([*(line[name] for name in names), *numbers])


if __name__ == "__main__":
    app()
