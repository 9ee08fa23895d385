"""board.html: what runs now, each competition's runs, studies and plays, and the submissions; with `script` it follows what runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from harness.board.overview import Contest, Overview, Play, Study
from harness.board.runs import FINISHED, RUNNING, RunCard, Score
from harness.leaderboard.table import HEADER, table_rows
from harness.report.links import BOARD, Link, pages_of, relative
from harness.report.page import Page, Section
from harness.runs.notes.differences import deviations
from harness.runs.notes.progress import COMPUTING, FoldProgress

_LAST_SUBMISSIONS = 10
RUNNING_NOW = "Running now"
LIVE_HEADER = (
    *("run", "fold", "epoch", "training loss", "validation loss", "validation score"),
    *("images/s", "left of fold", "left of run"),
)


def board_page(overview: Overview, script: str = "") -> Page:
    """The page; every figure comes from the overview. Links are relative to oof/board.html."""
    runs = [run for contest in overview.contests for run in contest.runs]
    page = Page(
        title="Board",
        lead=f"{counted(len(runs), 'run')} of {counted(len(overview.contests), 'competition')}, as of {_date(time.time())} UTC.",
        warnings=[f"Left out: {said}" for said in overview.troubles[:20]],
        script=script,
    )
    under_way = [run for contest in overview.contests for run in contest.under_way]
    page.card("running now", str(len(under_way)), "runs")
    page.card("finished", str(sum(run.state == FINISHED for run in runs)), "runs and ensembles")
    page.card("submissions", str(len(overview.submissions)), "in the ledger")
    _running(page, overview, under_way)
    if overview.contests:
        _competitions(page, overview)
    for contest in overview.contests:
        _contest(page, contest, overview.out / BOARD)
    _submissions(page, overview)
    return page


def write_board(overview: Overview) -> Path:
    """Write oof/board.html; returns its path."""
    path = overview.out / BOARD
    board_page(overview).write(path)
    return path


def _running(page: Page, overview: Overview, runs: Sequence[RunCard]) -> None:
    section = page.section(RUNNING_NOW)
    if not runs:
        section.text("Nothing runs now.")
        return
    now = time.time()
    rows = [row for run in runs for row in _live_rows(run, overview.out / BOARD, now)]
    section.table(LIVE_HEADER, rows)


def _live_rows(run: RunCard, page: Path, now: float) -> list[list[str]]:
    name = _link(run.path / "report.html", f"{place_of(run)}: {named(run)}", page)
    left = span(run.eta(now))
    folds = [fold for fold in run.work if fold.is_running(now)]
    if not folds:
        return [[name, f"{len(run.done)} of {run.k} done", *[""] * 6, left]]
    return [[name, fold_name(fold), *_fold_cells(fold), left] for fold in folds]


def _fold_cells(fold: FoldProgress) -> list[str]:
    last = fold.last
    epoch = f"{last['epoch']:.0f} of {last['epochs']:.0f}" if {"epoch", "epochs"} <= set(last) else ""
    losses = [f"{last[key]:.4f}" if key in last else "" for key in ("loss", "valid_loss", "valid_score")]
    pace = f"{last['images_per_s']:,.0f}" if "images_per_s" in last else ""
    return [epoch, *losses, pace, span(last.get("eta"))]


def fold_name(fold: FoldProgress) -> str:
    """A fold with what is done to it."""
    if fold.stage == COMPUTING:
        return "features"
    return f"{fold.fold}" if fold.stage == "training" else f"{fold.fold}, {fold.stage}"


def place_of(run: RunCard) -> str:
    """The competition that a run lies below, and the study or play whose it is: "cells", "cells, study quick-1a2b"."""
    above = run.path.parents
    if above[3].name == "studies":
        return f"{above[0].name}, study {above[2].name}"
    return f"{above[0].name}, {above[3].name}" if above[2].name == "judged" else above[0].name


def _competitions(page: Page, overview: Overview) -> None:
    path, rows = overview.out / BOARD, []
    for contest in overview.contests:
        best = contest.best
        score = best.score if best else None
        rows.append(
            [
                Link(contest.title, f"#{_anchor(page, overview, contest)}"),
                score_cell(score) if score else "",
                score.metric.replace("_", " ") if score else "",
                _link(best.path / "report.html", named(best), path) if best else "",
                f"{sum(not run.members for run in contest.runs):,}",
                f"{sum(bool(run.members) for run in contest.runs):,}",
                _last_date(contest.runs),
                _link(contest.home / "compare.html", "comparison", path, otherwise=""),
            ]
        )
    header = ["competition", "best score [95 %]", "metric", "best run", "runs", "ensembles", "last begun (UTC)", "page"]
    page.section("Competitions").table(header, rows)


def _anchor(page: Page, overview: Overview, contest: Contest) -> str:
    """The heading's name on the page: sections are counted; this one and those before it are there."""
    return f"s{len(page.sections) + 2 + overview.contests.index(contest)}"


def _contest(page: Page, contest: Contest, path: Path) -> None:
    section = page.section(contest.title if contest.title == contest.slug else f"{contest.title} ({contest.slug})")
    if contest.runs:
        told = deviations([run.recipe for run in contest.runs])
        labels = [run.about.line() for run in contest.runs]
        rows = [_run_row(run, told[i], labels[i], path) for i, run in enumerate(contest.runs)]
        header = ["run", "score [95 %]", "state", "folds", "differs from most by", "note", "begun (UTC)", "seconds"]
        kept = [i for i, name in enumerate(header) if name != "note" or any(labels)]
        caption = f"Runs of {contest.title}"
        table = [[row[i] for i in kept] for row in rows]
        section.table([header[i] for i in kept], table, folded=True, caption=caption)
    if contest.studies:
        rows = [_study_row(study, path) for study in contest.studies]
        header = ["study", "state", "trials complete", "given up", "failed", "running", "waiting"]
        section.table(header, rows, caption=f"Studies of {contest.title}")
    for play in contest.plays:
        _play(section, play, path)
    if pages := pages_of(contest.home):
        rows = [[Link(name, relative(page, path))] for name, page in pages]
        section.table(["page"], rows, caption=f"Pages of {contest.title}")


def _run_row(run: RunCard, differs: str, label: str, path: Path) -> list[str]:
    return [
        _link(run.path / "report.html", run.name, path),
        score_cell(run.score) if run.score else "",
        (f"{run.state}, sample" if run.is_sample else run.state) + (", noise suite" if run.noise else ""),
        f"{len(run.done)} of {run.k}" if run.k else "",
        differs,
        label,
        run.began,
        "" if run.seconds is None else f"{run.seconds:,.0f}",
    ]


def _study_row(study: Study, path: Path) -> list[str]:
    counts = [f"{study.trials[name]:,}" if study.trials else "" for name in TRIAL_STATES]
    state = RUNNING if study.running else "ended" if study.trials else "in a database"
    return [_link(study.path / "study.html", study.path.name, path), state, *counts]


TRIAL_STATES = ("complete", "pruned", "failed", "running", "waiting")


def _play(section: Section, play: Play, path: Path) -> None:
    page_of_play = _link(play.path / "play.html", play.path.name, path)
    rows = [
        [str(number), step.what, step.state if play.running or step.state != "begun" else "stopped", step.why]
        for number, step in enumerate(play.steps, 1)
    ]
    section.table(["play", "state"], [[page_of_play, RUNNING if play.running else "ended"]], caption=play.path.name)
    if rows:
        header = ["number", "step", "state", "why"]
        section.table(header, rows, folded=True, caption=f"{play.path.name}: its plan as it went")


def _submissions(page: Page, overview: Overview) -> None:
    if not overview.submissions:
        return
    last = list(overview.submissions)[-_LAST_SUBMISSIONS:][::-1]
    section = page.section("Submissions")
    if len(last) < len(overview.submissions):
        section.text(f"The last {len(last)} of {len(overview.submissions):,}.")
    first = [HEADER.index("run"), *(i for i, name in enumerate(HEADER) if name != "run")]
    rows = [[row[i] for i in first] for row in table_rows(last)]
    for row, line in zip(rows, last, strict=True):
        report = overview.out / "oof" / line["competition"] / line["run"] / "report.html"
        row[0] = _link(report, row[0], overview.out / BOARD)
    section.table([HEADER[i] for i in first], rows)


def named(run: RunCard) -> str:
    """What a person calls a run, or its folder's name."""
    return run.about.name or run.name


def score_cell(score: Score) -> str:
    """A score with its interval, where there is one."""
    if score.low is None or score.high is None:
        return f"{score.value:.5f}"
    return f"{score.value:.5f} [{score.low:.5f}, {score.high:.5f}]"


def span(seconds: float | None) -> str:
    """Seconds as a person says them; "" where they are not known."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _link(target: Path, text: str, page: Path, otherwise: str | None = None) -> str:
    """A link where the target is there; else the text, or what is said otherwise."""
    if target.is_file():
        return Link(text, relative(target, page))
    return text if otherwise is None else otherwise


def _last_date(runs: Sequence[RunCard]) -> str:
    return max((run.began for run in runs), default="")


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def counted(n: int, what: str) -> str:
    """A number with what it is of: "1 run", "2 runs"."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"
