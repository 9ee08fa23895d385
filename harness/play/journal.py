"""What was decided and done: one line of JSON each, written before and after a step, so that a killed play goes on as it was.

Decisions that depend on the clock (what fits, how many epochs) are kept too: after a kill they are read, not made again.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.base.errors import UserError

BEGUN, DONE, FAILED, SKIPPED, CUT = "begun", "done", "failed", "skipped", "cut off"


@dataclass
class StepRecord:
    """A step as the journal has it.

    Attributes
    ----------
    key : names it in the plan, e.g. "train race-1/strong"
    kind : which of the steps it is
    what, why : in words
    predicted : cost, in the budget's unit; spent : seconds it took; at : amount spent when it ended
    state : begun, done, failed, skipped or cut off
    outcome : what came out, by the step's kind
    """

    key: str
    kind: str = ""
    what: str = ""
    why: str = ""
    predicted: float = 0.0
    spent: float = 0.0
    at: float = 0.0
    state: str = BEGUN
    outcome: dict[str, Any] = field(default_factory=dict)


class Journal:
    """journal.jsonl of a play."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.steps: dict[str, StepRecord] = {}
        self._failed_now: set[str] = set()
        self.decisions: dict[str, Any] = {}
        self.about: dict[str, Any] = {}
        if path.is_file():
            self._read()

    def open_for(self, about: dict[str, Any]) -> None:
        """Note what is played, or hold it against what was noted.

        Raises
        ------
        UserError
            If the journal is of another play: other data, another unit of the budget.
        """
        kept = {key: self.about.get(key) for key in about}
        if not self.about:
            self.about = dict(about)
            self._write({"about": about})
            return
        other = [key for key in about if kept[key] != about[key]]
        if other:
            said = "; ".join(f"{key} was {kept[key]}, is {about[key]}" for key in other)
            raise UserError(
                f"{self.path}: a play of this competition stands that is another one ({said}). Add --fresh to begin anew: runs that "
                "were trained and still fit are taken as they are"
            )

    def decide(self, key: str, make: Callable[[], Any]) -> Any:
        """A decision (JSON) as it was made, or made now and kept. That nothing fits is not kept: more hours may buy it."""
        if key not in self.decisions:
            made = json.loads(json.dumps(make()))
            if not made:
                return made
            self._write({"decision": key, "value": made})
            self.decisions[key] = made
        return self.decisions[key]

    def note(self, step: StepRecord) -> None:
        """Write a step as it stands now."""
        self.steps[step.key] = step
        if step.state == FAILED:
            self._failed_now.add(step.key)
        self._write({"step": vars(step)})

    def ended(self, key: str) -> StepRecord | None:
        """A step that was done, or that this call saw fail; None where it has to be done, or done again.

        What failed in an earlier call is tried again: a full disk, a process killed for its memory or another one's lock may be mended.
        """
        step = self.steps.get(key)
        return step if step and (step.state == DONE or key in self._failed_now) else None

    def _write(self, line: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write((json.dumps({"time": round(time.time(), 1), **line}) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        """Take in what was written; a last line that a kill cut short is taken away."""
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        for number, text in enumerate(whole.splitlines(), 1):
            try:
                self._take(json.loads(text))
            except (ValueError, TypeError, KeyError) as error:
                raise UserError(
                    f"{self.path}: line {number} is damaged. Add --fresh to begin anew: runs that were trained are taken as they are"
                ) from error

    def _take(self, line: dict[str, Any]) -> None:
        if "about" in line:
            self.about = dict(line["about"])
        elif "decision" in line:
            self.decisions[line["decision"]] = line["value"]
        else:
            step = StepRecord(**line["step"])
            self.steps[step.key] = step


_OF_A_CHOICE = ("choice", "judge", "submission", "plan", "file")
"""Kinds of steps that are of one choice, which is part of their key: more hours may choose another."""


def of_final(steps: Iterable[Mapping[str, Any]], final: str) -> dict[str, dict[str, Any]]:
    """What was found by the last step that was done of each kind, {kind: outcome}; of the last steps those of this choice alone."""
    return {
        step["kind"]: step["outcome"]
        for step in steps
        if step["state"] == DONE and (step["kind"] not in _OF_A_CHOICE or final in step["key"].split("/"))
    }


def read_steps(path: Path) -> list[StepRecord]:
    """The steps of a play as its journal has them now, for whoever only looks: nothing is mended, lines that are no steps are passed over.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    content = path.read_bytes()
    steps: dict[str, StepRecord] = {}
    for text in content[: content.rfind(b"\n") + 1].splitlines():
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            step = StepRecord(**json.loads(text)["step"])
            if all(isinstance(value, str) for value in (step.key, step.kind, step.what, step.why, step.state)):
                steps[step.key] = step
    return list(steps.values())
