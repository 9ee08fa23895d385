"""A play's runs: timed, trained, combined; the best of them is what would be sent."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass

from harness.base.errors import UserError
from harness.competition import Recipe
from harness.play.journal import DONE
from harness.play.plan.candidate import Candidate
from harness.play.spending.accounts import Accounts, recipe_of_run
from harness.play.spending.costs import family, with_epochs
from harness.play.stepping import ANYWAY, Stepper
from harness.play.steps import finish
from harness.play.steps.train import is_timed, time_recipe, train_run

_MOST_MEMBERS = 5
_MOST_TIMING = 0.1  # of what the next step may cost: a network whose timing would take more is not tried


@dataclass
class Runs:
    """Trains and combines, as steps of the plan; `accounts` keeps what came out.

    Attributes
    ----------
    slowest_timing : seconds that a network took to be timed, the longest of this process
    """

    accounts: Accounts
    steps: Stepper
    slowest_timing: float = 0.0

    def train(self, key: str, recipe: Recipe, why: str, most: float = 1.0) -> None:
        """A whole run; the better of it and the final choice so far is what would be sent."""
        if not self.time(recipe):
            return
        self.accounts.budget.reserve = self.accounts.reserve()
        work = functools.partial(train_run, self.accounts.table, recipe)
        outcome = self.steps.do(key, named(recipe), why, work, self._missing(recipe), most)
        if outcome is None:
            return
        self.accounts.runs[outcome["run"]] = outcome
        if outcome["folds"]:
            found = outcome.get("found_features", False)
            self.accounts.costs.learn(recipe, outcome["seconds"], outcome["folds"], found_features=found)
        if (
            not self.accounts.final
            or self.accounts.sign * (outcome["score"] - self.accounts.score(self.accounts.final)) > 0
        ):
            self._choose(outcome["run"])

    def _missing(self, recipe: Recipe) -> float:
        """The cost of the folds that a race has not trained yet."""
        raced = [s for s in self.steps.journal.steps.values() if s.kind == "fold" and s.state == DONE]
        done = sum(recipe.name in step.outcome["scores"] for step in raced)
        return self.accounts.costs.run(recipe) * (recipe.cv.folds - done) / recipe.cv.folds

    def combine(self) -> None:
        """The best runs combined; the better of that and the best single run is what would be sent."""
        names = self.accounts.ranked[:_MOST_MEMBERS]
        if len(names) < 2 or self.accounts.table.hidden:
            return
        key = "ensemble/" + ",".join(names)
        work = functools.partial(finish.combine, self.accounts.table, names)
        cost = self.accounts.combining(len(names))
        kept = cost <= self.accounts.budget.left - self.accounts.ending  # what was reserved is for this
        outcome = self.steps.do(
            key,
            f"{len(names)} runs combined in every way",
            "they err on different rows",
            work,
            cost,
            ANYWAY if kept else 1.0,
        )
        if outcome is None:
            return
        self.accounts.combined(len(names), self.steps.seconds(key))
        if self.accounts.sign * (outcome["score"] - self.accounts.score(self.accounts.final)) > 0:
            self._choose(outcome["run"])

    def _choose(self, name: str) -> None:
        """This run would be sent now; its file is written at once."""
        self.accounts.final = name
        if not self.accounts.table.hidden:
            self.steps.do(
                f"file/{name}",
                f"the submission of {name}",
                "a checked file of the best so far",
                lambda: {
                    "file": str(finish.write_file(self.accounts.table, finish.load(self.accounts.table, name))),
                    "run": name,
                },
                most=ANYWAY,
            )

    def time(self, recipe: Recipe) -> bool:
        """Time the recipe's network, where that was not done; whether it can be trained at all, and there is time to time it."""
        if self._is_too_late_to_time(recipe):
            return False
        try:
            self.must_time(recipe)
        except UserError as error:
            self.accounts.table.watcher.say(f"{recipe.name} cannot be trained: {error}")
            return False
        return True

    def is_in_reach(self, candidate: Candidate) -> bool:
        """Whether a candidate may fit in what is left, as far as the frozen networks tell that ran; so that others are not timed in vain."""
        accounts = self.accounts
        if not accounts.costs.in_seconds or family(candidate.recipe) in accounts.costs.timings:
            return True
        shortest = with_epochs(candidate.recipe, candidate.least)
        frozen = [recipe for run in accounts.runs.values() if (recipe := recipe_of_run(run)).features]
        bounds = [accounts.costs.at_least(shortest, recipe) for recipe in frozen]
        return all(bound is None or bound <= accounts.room for bound in bounds)

    def _is_too_late_to_time(self, recipe: Recipe) -> bool:
        """Whether timing a network, as long as the slowest took, would take much of what is left."""
        accounts, known = self.accounts, family(recipe) in self.accounts.costs.timings
        if known or not accounts.costs.in_seconds or is_timed(accounts.table, recipe):
            return False
        return self.slowest_timing > _MOST_TIMING * accounts.room

    def must_time(self, recipe: Recipe) -> None:
        """Time the recipe's network, where that was not done.

        Raises
        ------
        UserError
            If it cannot be trained.
        """
        costs, name = self.accounts.costs, family(recipe)
        if name in costs.timings:
            return
        started = time.monotonic()
        costs.timings[name] = time_recipe(self.accounts.table, recipe)
        self.slowest_timing = max(self.slowest_timing, time.monotonic() - started)
        if not costs.in_seconds and not costs.unit:
            costs.set_unit(recipe)


def named(recipe: Recipe) -> str:
    """A recipe in words."""
    seeds = f", {recipe.train.seeds} seeds" if recipe.train.seeds > 1 else ""
    return f"{recipe.name}, {recipe.train.epochs} epochs{seeds}"
