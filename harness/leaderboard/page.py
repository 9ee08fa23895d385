"""leaderboard.html: the table, CV against the leaderboard, and how it went on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.base.untrusted_text import counted
from harness.leaderboard.planner import Plan
from harness.leaderboard.table import HEADER, table_rows
from harness.report import figures
from harness.report.links import linked_runs
from harness.report.page import Page

_LAST = ("state", "competition", "sent (UTC)", "entry")
_SCORES_FIRST = ("run", "public", "private", "CV", "gap", "forecast [90 %]", "rank", *_LAST)
"""Columns of the page: what a narrow screen shows without scrolling comes first."""


def write_page(path: Path, title: str, lines: Sequence[dict[str, Any]], plans: dict[str, Plan]) -> None:
    """Write the page; every figure comes from the lines."""
    scored = [line for line in lines if line["public"] is not None]
    page = Page(title=title, lead=f"{counted(len(lines), 'submission')} in the ledger, {len(scored)} with a score.")
    if scored:
        last = scored[-1]
        page.card("last public score", f"{last['public']:.5f}", last["run"])
    told = [line for line in scored if line["forecast"]]
    if told:
        inside = sum(f["forecast"]["low"] <= f["public"] <= f["forecast"]["high"] for f in told)
        page.card("forecasts inside their interval", f"{inside} of {len(told)}", "90 % are meant to be")
    home = path.parents[1] / "oof"
    reports = [home / line["competition"] / line["run"] / "report.html" for line in lines]
    places = [HEADER.index(name) for name in _SCORES_FIRST]
    rows = [[row[place] for place in places] for row in table_rows(lines)]
    page.section("Submissions").table(_SCORES_FIRST, linked_runs(rows, 0, reports, path))
    pairs = [(line["cv"], line["public"]) for line in scored if line["cv"] is not None]
    if pairs:
        section = page.section("CV against the leaderboard")
        section.figure(figures.cv_against_public(pairs), "A point per submission; on the line both say the same.")
        section.figure(
            figures.progress(
                [line["sent"][:16] for line in scored],
                [line["public"] for line in scored],
                [line["cv"] for line in scored],
            ),
            "Public score and CV in the order of sending.",
        )
    for slug, plan in plans.items():
        _plan(page, slug, plan)
    page.write(path)


def _plan(page: Page, slug: str, plan: Plan) -> None:
    section = page.section(f"What to do next: {slug}")
    section.table(*plan_table(plan))


def plan_table(plan: Plan) -> tuple[list[str], list[list[str]]]:
    """Header and rows."""
    rows = [["send", a.name, f"{a.worth:.5f}", a.why] for a in plan.send]
    rows += [["leave out", a.name, "", a.why] for a in plan.skip]
    rows += [[f"final {number}", a.name, "", a.why] for number, a in enumerate(plan.final, 1)]
    return ["what", "run", "expected gain", "why"], rows
