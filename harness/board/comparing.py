"""Runs that were ticked, side by side: the page of `harness.oof compare` for just these, made on demand and written nowhere."""

from __future__ import annotations

from pathlib import Path

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.competition import find_competition
from harness.cv.scores import competition_metrics
from harness.oof.compare.clusterings import refuse_clustering
from harness.oof.compare.runs import MOST, comparison, comparison_page, paired_runs
from harness.report.links import with_links

COMPARE = "compare-runs.html"
"""The page's name, beside compare.html of the competition."""


def compared(out: Path, slug: str, names: list[str]) -> str:
    """The page's HTML.

    Raises
    ------
    UserError
        If there are not 2 to 12 runs of these names, or the competition is not there.
    """
    if not 2 <= len(set(names)) <= MOST:
        raise UserError(f"tick 2 to {MOST} runs to compare them, not {len(set(names))}")
    if not (out / "oof" / slug).is_dir():
        raise UserError(f"there are no runs of a competition '{plain(slug, 100)}'")
    contest = find_competition(slug)
    refuse_clustering(contest, "the board's comparison")
    lines = comparison(contest, out, list(dict.fromkeys(names)))
    path, why = out / "oof" / contest.slug / COMPARE, ""
    try:
        paired = paired_runs(contest, out, lines, named=True)
    except UserError as error:
        paired, why = None, plain(error, 500)
    page = comparison_page(path, contest, lines, [m.name for m in competition_metrics(contest)], paired)
    if why:
        page.warnings.append(f"They cannot be held against each other row by row: {why}")
    return with_links(path, page.html())
