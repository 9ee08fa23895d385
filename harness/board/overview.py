"""All that there is below a folder of outputs: competitions with their runs, studies and plays, and the ledger's submissions."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.board.reading import Reader
from harness.board.runs import FINISHED, RUNNING, RunCard, read_run
from harness.competition import find_competition
from harness.play.journal import BEGUN, StepRecord, read_steps
from harness.runs.notes.progress import DEAD
from harness.tune.storage import tally

_BEAT = 60.0  # seconds after the last sign of a study or a play until which it runs


@dataclass(frozen=True)
class Study:
    """A study of hyperparameters: trials by state (`harness.tune.storage.STATES`), the runs of its trials that are under way."""

    path: Path
    trials: dict[str, int]
    runs: tuple[RunCard, ...]
    running: bool


@dataclass(frozen=True)
class Play:
    """A play: its steps as the journal has them; runs of its own that are under way."""

    path: Path
    steps: tuple[StepRecord, ...]
    runs: tuple[RunCard, ...]
    running: bool


@dataclass(frozen=True)
class Contest:
    """A competition's folder oof/<slug>; runs: the best first, those without a score last."""

    home: Path
    title: str
    runs: tuple[RunCard, ...]
    studies: tuple[Study, ...]
    plays: tuple[Play, ...]

    @property
    def slug(self) -> str:
        """The folder's name."""
        return self.home.name

    @property
    def best(self) -> RunCard | None:
        """The best finished run that is of the competition's own data and whole; else of any."""
        scored = [run for run in self.runs if run.score and run.state == FINISHED]
        whole = [run for run in scored if not run.is_sample and len(run.done) == run.k]
        return next(iter(whole or scored), None)

    @property
    def under_way(self) -> list[RunCard]:
        """Runs that somebody is at work on, those of studies and plays among them."""
        of_studies = [run for study in self.studies for run in study.runs]
        of_plays = [run for play in self.plays for run in play.runs]
        return [run for run in (*self.runs, *of_studies, *of_plays) if run.state == RUNNING]


@dataclass(frozen=True)
class Overview:
    """The board's content.

    Attributes
    ----------
    out : folder that oof/ and submissions/ lie in
    troubles : what could not be read, in words
    """

    out: Path
    contests: tuple[Contest, ...]
    submissions: tuple[dict[str, Any], ...]
    troubles: tuple[str, ...]


def read_overview(out: Path, reader: Reader, submissions: bool = True, only: str = "") -> Overview:
    """Read what there is; nothing that lies there makes it fail. only : slug of the one competition that is wanted"""
    contests, troubles = [], []
    for home in (home for home in _folders(out / "oof") if only in ("", home.name)):
        contest = _contest(home, reader)
        if contest.runs or contest.studies or contest.plays:
            contests.append(contest)
    lines: list[dict[str, Any]] = []
    if submissions:
        try:
            lines = _submissions(out, contests, only)
        except (UserError, OSError) as error:
            troubles.append(f"submissions: {plain(error, 200)}")
    troubles += [f"{_short(path, out)}: {said}" for path, said in sorted(reader.troubles.items())]
    return Overview(out, tuple(contests), tuple(lines), tuple(troubles))


def _contest(home: Path, reader: Reader) -> Contest:
    found = _folders(home)
    runs = list(_runs(iter(found), reader))  # folders of folds, cleaning and studies are none
    studies = [_study(path, home.name, reader) for path in _folders(home / "studies")]
    plays = [_play(p, home.name, reader) for p in found if p.name.startswith("play") and (p / "journal.jsonl").exists()]
    return Contest(home, _title(home.name), tuple(sorted(runs, key=_order)), tuple(studies), tuple(plays))


def _order(run: RunCard) -> tuple[bool, float, str]:
    return run.score is None, run.score.rank if run.score else 0.0, run.name


def _runs(paths: Iterator[Path], reader: Reader) -> Iterator[RunCard]:
    for path in paths:
        try:
            run = read_run(path, reader)
        except OSError as error:
            reader.troubles[path] = plain(error.strerror, 100)
            continue
        if run:
            yield run


def _study(path: Path, slug: str, reader: Reader) -> Study:
    journal = path / "study.journal"
    nothing: dict[str, int] = {}
    trials = reader.read(journal, tally, nothing)
    runs = tuple(run for run in _nested(path, slug, reader) if run.state == RUNNING)
    return Study(path, trials, runs, bool(runs) or (bool(trials.get("running")) and _is_young(journal, _BEAT)))


def _play(path: Path, slug: str, reader: Reader) -> Play:
    journal = path / "journal.jsonl"
    nothing: tuple[StepRecord, ...] = ()
    steps = reader.read(journal, _steps, nothing)
    runs = tuple(run for run in _nested(path / "judged", slug, reader) if run.state == RUNNING)
    at_work = bool(steps) and steps[-1].state == BEGUN
    running = bool(runs) or _is_young(path / "spent.json", 10.0) or (at_work and _is_young(journal, DEAD))
    return Play(path, steps, runs, running)


def _steps(path: Path) -> tuple[StepRecord, ...]:
    return tuple(read_steps(path))


def _nested(home: Path, slug: str, reader: Reader) -> Iterator[RunCard]:
    """Runs below a study or a play that have a progress file: of hundreds of trials the few under way."""
    paths = {path.parent for path in (home / "oof" / slug).glob("*/progress-*.jsonl")}
    return _runs(iter(sorted(paths)), reader)


def _is_young(path: Path, seconds: float) -> bool:
    try:
        return time.time() - path.stat().st_mtime < seconds
    except OSError:
        return False


def _folders(home: Path) -> list[Path]:
    try:
        return sorted(path for path in home.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


@functools.cache
def _title(slug: str) -> str:
    """As competition.toml has it; the slug where that is gone."""
    try:
        return plain(find_competition(slug).title, 100)
    except (UserError, OSError):
        return plain(slug, 100)


def _submissions(out: Path, contests: list[Contest], only: str) -> list[dict[str, Any]]:
    from harness.leaderboard.table import lines_of
    from harness.ledger import open_ledger

    directions = {c.slug: c.best.score.greater_is_better for c in contests if c.best and c.best.score}
    return lines_of(open_ledger(out), only or None, directions)


def _short(path: Path, out: Path) -> str:
    return plain(path.relative_to(out) if path.is_relative_to(out) else path, 200)
