"""A run as the board shows it, by its small files alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.board.reading import Reader, number_in, table_in, text_in
from harness.report.about import ABOUT, About, read_about
from harness.runs.layout import RunLayout
from harness.runs.notes.progress import DEAD, NOISE, FoldProgress, read_progress

FINISHED, RUNNING, STOPPED, UNREADABLE = "finished", "running", "stopped", "unreadable"


@dataclass(frozen=True)
class Score:
    """A run's pooled score with its 95 % interval."""

    metric: str
    value: float
    low: float | None
    high: float | None
    greater_is_better: bool

    @property
    def rank(self) -> float:
        """The less, the better."""
        return -self.value if self.greater_is_better else self.value


@dataclass(frozen=True)
class RunCard:
    """What the board says of a run.

    Attributes
    ----------
    path : its folder; about : what people call it
    state : FINISHED, RUNNING, STOPPED or UNREADABLE
    done, k : folds that stand, of how many; k = 0 where that is not known
    began : "2026-11-26 10:00", "" where it is not known
    rows : says which data, verdicts and folds it is of; runs of other rows are not compared
    recipe : as recipe.json has it; members : runs of an ensemble
    work : what is under way, or was when it stopped, by fold
    workers : folds that are trained side by side
    """

    path: Path
    about: About
    state: str
    done: tuple[int, ...]
    k: int
    score: Score | None
    seconds: float | None
    began: str
    is_sample: bool
    rows: str
    recipe: dict[str, Any]
    members: tuple[str, ...]
    work: tuple[FoldProgress, ...]
    workers: int

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def noise(self) -> bool:
        """Whether it is the noise suite that runs: the run itself is finished."""
        return any(fold.stage == NOISE for fold in self.work)

    def eta(self, now: float) -> float | None:
        """Seconds until the last fold stands, as far as the folds under way tell; None where they do not."""
        running = [fold for fold in self.work if fold.is_running(now)]
        left = [max(fold.last["eta"] - (now - fold.told), 0.0) for fold in running if "eta" in fold.last]
        if not running or len(left) < len(running):
            return None
        whole = [fold.told - fold.began + fold.last["eta"] for fold in running]
        told = {number for fold in running for number in fold.together}
        at_work = {fold.fold for fold in running}
        waiting = (told or set(range(min(self.k, 1000)))) - at_work - (set() if self.noise else set(self.done))
        if self.noise:  # that of a fold is over as soon as its file goes
            waiting = {number for number in waiting if number > max(at_work)}
        rounds = -(-len(waiting) // max(min(self.workers, len(running)), 1))
        return max(left) + rounds * max(whole)


def read_run(path: Path, reader: Reader, now: float | None = None) -> RunCard | None:
    """A run's folder; None of a folder that is none."""
    layout = RunLayout(path)
    environment, recipe = reader.json(path / "environment.json"), reader.json(path / "recipe.json")
    is_broken = any(path / name in reader.troubles for name in ("environment.json", "recipe.json"))
    if not environment and not recipe and not is_broken:
        return None
    now = time.time() if now is None else now
    scores = reader.json(path / "scores.json") if layout.finished else {}
    work = tuple(read_progress(path))
    folds = table_in(environment, "folds")
    told = scores.get("folds")
    k = int(number_in(folds, "k") or (len(told) if isinstance(told, list) else 0))
    data = table_in(environment, "data")
    return RunCard(
        path=path,
        about=reader.read(path / ABOUT, _about, About()),
        state=_state(layout, environment, scores, work, now),
        done=tuple(layout.done(min(k, 1000))),
        k=k,
        score=_score(scores),
        seconds=_seconds(scores),
        began=text_in(environment, "started", 20)[:16].replace("T", " "),
        is_sample=data.get("is_sample") is True,
        rows="/".join((text_in(data, "fingerprint"), text_in(data, "clean"), text_in(folds, "hash"))),
        recipe=recipe,
        members=tuple(table_in(environment, "ensemble", "members")),
        work=work,
        workers=int(number_in(environment, "workers") or 1),
    )


def _about(path: Path) -> About:
    return read_about(path.parent)


def _state(
    layout: RunLayout, environment: dict[str, Any], scores: dict[str, Any], work: tuple[FoldProgress, ...], now: float
) -> str:
    if any(fold.is_running(now) for fold in work):
        return RUNNING
    if layout.finished:
        return FINISHED if scores else UNREADABLE
    if not environment:
        return UNREADABLE
    newest = max((path.stat().st_mtime for path in _signs(layout.path)), default=0.0)
    began_now = now - newest < DEAD and not work
    return RUNNING if began_now else STOPPED


def _signs(path: Path) -> list[Path]:
    """Files whose age tells of work between two folds: the run's start, and folds that were saved."""
    return [sign for sign in (path / "environment.json", *path.glob("fold-*.manifest.json")) if sign.is_file()]


def _score(scores: dict[str, Any]) -> Score | None:
    metric = text_in(scores, "metric")
    found = table_in(scores, "metrics", metric)
    value = number_in(found, "pooled")
    if value is None:
        return None
    better = found.get("greater_is_better") is not False
    return Score(metric, value, number_in(found, "low"), number_in(found, "high"), better)


def _seconds(scores: dict[str, Any]) -> float | None:
    told = table_in(scores, "seconds")
    found = [number for key in told if (number := number_in(told, key)) is not None]
    return sum(found) if found else None
