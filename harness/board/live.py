"""What runs now as JSON: what the served board asks for every two seconds, and what --json prints."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from harness.board.overview import Contest, Overview
from harness.board.page import fold_name, named, place_of
from harness.board.runs import FINISHED, RunCard
from harness.report.links import BOARD, relative
from harness.runs.notes.progress import FoldProgress

_MOST_POINTS = 200
_MOST_STEPS = 12


def live_state(overview: Overview) -> dict[str, Any]:
    """All of it, every text plain.

    Returns
    -------
    {"at": seconds since 1970, "version": changes when the page would show other finished runs, "finished": {address of a run's page:
    [slug, run]}, "running": [{"run", "place", "href", "stage", "done", "k", "left", "folds": [...]}], "studies": [{"study", "place",
    "trials"}], "plays": [{"play", "place", "steps": [[what, state]]}]}
    """
    contests = overview.contests
    return {
        "at": round(time.time(), 1),
        "version": _version(contests),
        "finished": {_href(run, overview): [c.slug, run.name] for c in contests for run in c.runs if _is_read(run)},
        "running": [_run(run, overview) for c in contests for run in c.under_way],
        "studies": [
            {"study": s.path.name, "place": c.slug, "trials": s.trials}
            for c in contests
            for s in c.studies
            if s.running
        ],
        "plays": [
            {"play": p.path.name, "place": c.slug, "steps": [[s.what, s.state] for s in p.steps[-_MOST_STEPS:]]}
            for c in contests
            for p in c.plays
            if p.running
        ],
    }


def _is_read(run: RunCard) -> bool:
    return run.score is not None


def _version(contests: tuple[Contest, ...]) -> str:
    """Of all that the page shows and that is no live figure."""
    told = [(c.slug, run.name, run.state == FINISHED, run.score, run.about) for c in contests for run in c.runs]
    return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _href(run: RunCard, overview: Overview) -> str:
    return relative(run.path / "report.html", overview.out / BOARD)


def _run(run: RunCard, overview: Overview) -> dict[str, Any]:
    now = time.time()
    return {
        "run": named(run),
        "place": place_of(run),
        "href": _href(run, overview) if (run.path / "report.html").is_file() else "",
        "done": len(run.done),
        "k": run.k,
        "left": run.eta(now),
        "folds": [_fold(fold) for fold in run.work if fold.is_running(now)],
    }


def _fold(fold: FoldProgress) -> dict[str, Any]:
    """Its newest numbers, and its curves: [epoch, training loss, validation loss] of each line, thinned where they are many."""
    keys = ("epoch", "epochs", "loss", "valid_loss", "valid_score", "train_score", "images_per_s", "done", "total")
    step = -(-len(fold.lines) // _MOST_POINTS) or 1
    points = [[line["epoch"], line.get("loss"), line.get("valid_loss")] for line in fold.lines[::-1][::step][::-1]]
    return {
        "fold": fold_name(fold),
        **{key: fold.last[key] for key in keys if key in fold.last},
        "left": fold.last.get("eta"),
        "age": round(max(time.time() - fold.told, 0.0), 1),
        "curve": points if fold.stage == "training" else [],
    }
