"""How a step is done: told, written down before and after, left out where it does not fit, ended at the deadline."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.base.errors import UserError
from harness.base.places.home import from_here
from harness.play.journal import BEGUN, CUT, DONE, FAILED, SKIPPED, Journal, StepRecord
from harness.play.spending.accounts import Accounts, in_words
from harness.play.spending.budget import OutOfTime
from harness.play.steps.table import Outcome

ANYWAY = float("inf")
"""For `most`: the step is done whatever it may cost; the deadline ends it."""


@dataclass(frozen=True)
class Stepper:
    """Does steps and keeps the journal.

    Attributes
    ----------
    changed : called when the journal has changed
    """

    accounts: Accounts
    journal: Journal
    changed: Callable[[], None]

    def do(
        self, key: str, what: str, why: str, work: Callable[[], Outcome], predicted: float = 0.0, most: float = 1.0
    ) -> Outcome | None:
        """Do a step, unless it stands or does not fit; returns what came out, None where nothing did.

        Parameters
        ----------
        key : names the step in the journal; its first part is its kind
        predicted : cost in the budget's unit
        most : share of the whole budget that it may cost

        Raises
        ------
        OutOfTime
            If the deadline ends it.
        """
        stood = self.journal.ended(key)
        if stood:
            self.accounts.budget.pay(stood.predicted)
            return stood.outcome if stood.state == DONE else None
        step, say = StepRecord(key, key.split("/")[0], what, why, predicted), self.accounts.table.watcher.say
        room = most if most == ANYWAY else min(self.accounts.room, most * self.accounts.budget.total)
        if predicted > room:
            told = self.accounts.told
            self._end(step, SKIPPED, {"because": f"about {told(predicted)}, and there are {told(room)} for it"})
            return None
        about = f" (about {self.accounts.told(predicted)})" if predicted else ""
        say(f"{self.accounts.clock()} {what}: {why}{about}")
        self.journal.note(dataclasses.replace(step, state=BEGUN))
        started = time.monotonic()
        try:
            outcome, state = work(), DONE
        except OutOfTime:
            step.spent = time.monotonic() - started
            self._end(step, CUT, {"because": "its time was up"})
            raise
        except UserError as error:
            outcome, state = {"because": str(error)}, FAILED
        step.spent = time.monotonic() - started
        self.accounts.budget.pay(predicted)
        self._end(step, state, outcome)
        return outcome if state == DONE else None

    def seconds(self, key: str) -> float:
        """What a step that was done took."""
        return self.journal.steps[key].spent

    def _end(self, step: StepRecord, state: str, outcome: Outcome) -> None:
        step.state, step.outcome, step.at = state, outcome, self.accounts.budget.spent
        before = self.journal.steps.get(step.key)
        again = before is not None and before.state == state == SKIPPED
        self.journal.note(step)
        if not again:
            self.accounts.table.watcher.say(f"{self.accounts.clock()}   {_result(step)}")
        self.changed()


def _result(step: StepRecord) -> str:
    """A step's end in a line."""
    found = step.outcome
    if step.state in (SKIPPED, FAILED, CUT):
        return f"{step.what}: {step.state}: {found['because']}"
    said = ""
    if "low" in found and "score" in found:
        said = f": {found['score']:.5f} [{found['low']:.5f}, {found['high']:.5f}]"
    elif "scores" in found:
        scores = found["scores"].items()
        said = ": " + ", ".join(f"{name} {'without a score' if s is None else f'{s:.5f}'}" for name, s in scores)
    elif "optimism" in found:
        interval = f"[{found['low']:+.5f}, {found['high']:+.5f}]"
        said = f": {found['anew']:.5f} where OOF says {found['oof']:.5f}: optimism {found['optimism']:+.5f} {interval}"
    elif found.get("file"):
        said = f": {from_here(found['file'])}"
    return f"done in {in_words(step.spent)}{said}"
