"""A run followed by its progress files and its history, for a tracker."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.base.secrets import redact
from harness.base.storage.atomic_files import read_json
from harness.cv.tracking.tracker import Subject, Tracker, open_tracker
from harness.report.about import read_about
from harness.runs import RunFolder
from harness.runs.notes.differences import changed_keys
from harness.runs.notes.progress import read_progress

_PAUSE = 2.0
_TOLD = ("loss", "lr", "valid_loss", "valid_score", "train_score", "watched_loss")

Values = Mapping[str, Any]


@contextlib.contextmanager
def tracked(
    name: str | None, folder: RunFolder, folds: Sequence[int], say: Callable[[str], None], pause: float = _PAUSE
) -> Iterator[None]:
    """Let a tracker follow a started run while the body trains and finishes it; nothing, where none is named.

    folds : those that are trained now; of others nothing is told

    Raises
    ------
    UserError
        If the tracker cannot begin.
    """
    if name is None:
        yield
        return
    following = _Following(folder, open_tracker(name, _subject(folder)), set(folds), name, say)
    ended = threading.Event()
    thread = threading.Thread(target=following.until, args=(ended, pause), daemon=True)
    thread.start()
    finished = False
    try:
        yield
        finished = True
    finally:
        ended.set()
        thread.join()
        following.end(finished)


def _subject(folder: RunFolder) -> Subject:
    about, recipe = read_about(folder.path), folder.recipe().model_dump(mode="json")
    slug = folder.environment()["competition"]["slug"]
    changed = {key: value for key, value, _ in changed_keys(recipe)}
    return Subject(folder.path, slug, about.name or folder.name, about.note, about.tags, changed)


class _Following:
    """What was told of a run, so that no epoch is told twice."""

    def __init__(
        self, folder: RunFolder, tracker: Tracker, folds: set[int], name: str, say: Callable[[str], None]
    ) -> None:
        self.folder, self.tracker, self.folds, self.name, self.say = folder, tracker, folds, name, say
        self.told: set[tuple[int, int, int]] = set()
        self.failed = False

    def until(self, ended: threading.Event, pause: float) -> None:
        """Look at the progress files again and again."""
        while not ended.wait(pause):
            for fold in read_progress(self.folder.path):
                for line in fold.lines:
                    self._epoch(fold.fold, line)

    def end(self, finished: bool) -> None:
        """Tell what the history has and progress files did not show, and the scores."""
        scores: dict[str, float] = {}
        if finished:
            for line in _history(self.folder):
                self._epoch(line["fold"], line)
            metrics = read_json(self.folder.path / "scores.json")["metrics"]
            scores = {metric: found["pooled"] for metric, found in metrics.items() if found["pooled"] is not None}
        self._guarded(lambda: self.tracker.end(scores))

    def _epoch(self, fold: int, line: Values) -> None:
        key = (fold, int(line.get("seed", 0)), int(line["epoch"]))
        if fold in self.folds and key not in self.told:
            self.told.add(key)
            values = {name: float(line[name]) for name in _TOLD if name in line}
            self._guarded(lambda: self.tracker.epoch(*key, values))

    def _guarded(self, call: Callable[[], None]) -> None:
        """A tracker that fails is no reason to end a training."""
        if self.failed:
            return
        try:
            call()
        except Exception as error:
            self.failed = True
            said = redact(str(error))[:300]
            self.say(
                f"warning: --log {self.name}: {type(error).__name__}: {said}; it is told nothing more, the run goes on"
            )


def _history(folder: RunFolder) -> list[dict[str, Any]]:
    path = folder.path / "history.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
