"""What is told while folds are trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.base.progress import LineWatcher
from harness.cv.pipeline import _starting


class Heard(LineWatcher):
    """Keeps in order what began, ended and was told."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.told: list[object] = []

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        self.told.append(what)
        yield
        self.told.append("over")

    def progress(self, *told: object) -> None:
        self.told.append(told)


def test_that_processes_are_started_is_said_until_one_of_them_tells_something():
    heard = Heard()
    with _starting(heard) as progress:
        progress(0, 1, 2)
        progress(1, 1, 2, {"loss": 1.0})
    assert heard.told == ["starting the processes that train", "over", (0, 1, 2), (1, 1, 2, {"loss": 1.0})]


def test_processes_that_end_without_a_word_end_the_waiting_too():
    heard = Heard()
    with _starting(heard):
        pass
    assert heard.told == ["starting the processes that train", "over"]
