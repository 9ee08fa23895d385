"""A race under way: its entrants sized by the budget, halved fold by fold, the finalists trained on all folds."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from harness.competition import Recipe
from harness.play.journal import DONE, Journal
from harness.play.plan.candidate import Candidate
from harness.play.plan.race import Entrant, size_race, survivors
from harness.play.spending.accounts import Accounts
from harness.play.spending.costs import with_epochs
from harness.play.stepping import Stepper
from harness.play.steps.train import clearly_behind, train_fold
from harness.play.trainer import Runs

_LEAST_AFTER = 0.6  # of a run's cost: a race that would leave less takes all
SIZED = 0.97
"""Of the room: what is sized to the last second does not fit a second later."""


@dataclass(frozen=True)
class Races:
    """Successive halving over folds, as steps of the plan."""

    accounts: Accounts
    steps: Stepper
    trained: Runs
    journal: Journal

    def sized(self, key: str, candidates: Sequence[Candidate], share: float, finalists: int) -> list[Entrant]:
        """A race's entrants as they were sized, or sized now."""
        known = {c.name: c for c in candidates}

        def size() -> dict[str, int]:
            for candidate in candidates:
                if self.trained.is_in_reach(candidate):
                    self.trained.time(candidate.recipe)  # before what is left is counted
            room = SIZED * self.accounts.room
            entrants = self.entrants(candidates, share * room, finalists)
            after = [_LEAST_AFTER * self.accounts.costs.run(e.recipe) for e in entrants]
            if after and (1 - share) * room < min(after):  # too little for anything that comes after the race
                entrants = self.entrants(candidates, room, finalists)
            return {e.recipe.name: e.recipe.train.epochs for e in entrants}

        sized = self.journal.decide(key, size) or {}
        return [
            Entrant(known[name], with_epochs(known[name].recipe, epochs))
            for name, epochs in sized.items()
            if name in known and self.trained.time(known[name].recipe)
        ]

    def entrants(self, candidates: Sequence[Candidate], available: float, finalists: int) -> list[Entrant]:
        """Those of the candidates that can be trained, sized to what is available."""
        usable = [c for c in candidates if self.trained.is_in_reach(c) and self.trained.time(c.recipe)]
        return size_race(usable, available, self.accounts.costs, self.accounts.costs.k, finalists)

    def run(self, number: int, entrants: Sequence[Entrant], finalists: int) -> None:
        """Successive halving; the finalists are trained on all folds.

        Folds may take longer than was foreseen. Then fewer take part, so that at least the best of those that did is trained to the end.
        """
        left = {e.recipe.name: e.recipe for e in entrants}
        whys = {e.recipe.name: e.candidate.why for e in entrants}
        totals: dict[str, float] = dict.fromkeys(left, 0.0)
        greater = self.accounts.table.metric.greater_is_better
        for fold in range(2):
            if len(left) <= finalists:
                break
            scores = self._fold_of_all(number, fold, list(left.values()))
            totals = {name: totals[name] + (scores[name] or 0.0) for name in left if name in scores}
            keep = max(-(-len(left) // 2), finalists) if fold == 0 else finalists
            ranked = survivors(totals, keep, greater)
            choose = functools.partial(self._go_on, ranked, left, fold, finalists)
            go_on = self.journal.decide(f"race {number}, after fold {fold}", choose) or []
            left = {name: left[name] for name in go_on if name in totals}
        for name in left:
            self.trained.train(f"train/race-{number}/{name}", left[name], whys[name])

    def better_than(self, name: str) -> list[str]:
        """Candidates of the first race whose first fold was better than that one's, the best first."""
        scores: dict[str, float | None] = {}
        for key, step in self.journal.steps.items():
            if key.startswith("fold/race-1/0/") and step.state == DONE:
                scores |= step.outcome["scores"]
        ranked = survivors(scores, len(scores), self.accounts.table.metric.greater_is_better)
        return ranked[: ranked.index(name)] if name in ranked else []

    def took_part(self, number: int) -> set[str]:
        """Candidates of which a fold was trained in a race."""
        steps, folds = self.journal.steps, f"fold/race-{number}/"
        raced = (step.outcome["scores"] for key, step in steps.items() if key.startswith(folds) and step.state == DONE)
        whole = {key.rsplit("/", 1)[-1] for key in steps if key.startswith(f"train/race-{number}/")}
        return whole.union(*raced)

    def _rest(self, recipe: Recipe, done: int) -> float:
        """The cost of a recipe's other folds."""
        costs = self.accounts.costs
        return costs.run(recipe, costs.k - done) if costs.k > done else 0.0

    def _go_on(self, ranked: Sequence[str], recipes: dict[str, Recipe], fold: int, finalists: int) -> list[str]:
        """Of the ranked those that go on after a fold: that are not behind beyond chance, and for which there is room."""
        if len(ranked) > finalists:
            some = [recipes[name] for name in ranked]
            behind = clearly_behind(self.accounts.table, some, fold, finalists - 1)
            ranked = [name for name in ranked if name not in behind]
        return self._affordable(ranked, recipes, fold + 1, finalists)

    def _affordable(self, ranked: Sequence[str], recipes: dict[str, Recipe], done: int, finalists: int) -> list[str]:
        """As many of the best as another fold of all, and the rest of the finalists, leave room for; at least one."""
        for n in range(len(ranked), 1, -1):
            some = [recipes[name] for name in ranked[:n]]
            last = sum(self._rest(recipe, done) for recipe in some[:finalists])
            another = sum(self.accounts.costs.run(recipe, 1) for recipe in some[finalists:]) if done < 2 else 0.0
            if last + another <= self.accounts.room:
                return list(ranked[:n])
        return list(ranked[:1])

    def _fold_of_all(self, number: int, fold: int, recipes: list[Recipe]) -> dict[str, float | None]:
        """Scores of one fold, by recipe, None of all where the metric has no value on it; those that cannot be trained, or leave no room for the best, are left out."""
        scores: dict[str, float | None] = {}
        costs, greater = self.accounts.costs, self.accounts.table.metric.greater_is_better
        known = {recipe.name: recipe for recipe in recipes}
        together = max(costs.workers, 1)
        for start in range(0, len(recipes), together):
            some = recipes[start : start + together]
            names = ", ".join(r.name for r in some)
            each = [costs.run(r, 1, len(some)) for r in some]
            predicted, key = max(each) if costs.in_seconds else sum(each), f"fold/race-{number}/{fold}/{names}"
            if scores and self.journal.ended(key) is None:
                best = known[survivors(scores, 1, greater)[0]]
                if predicted + self._rest(best, fold + 1) > self.accounts.room:
                    left_out = ", ".join(r.name for r in recipes[start:])
                    self.accounts.table.watcher.say(f"without {left_out}: what is left is for {best.name}")
                    break
            outcome = self.steps.do(
                key,
                f"fold {fold} of {names}",
                "a race: the better half goes on",
                functools.partial(train_fold, self.accounts.table, some, fold),
                predicted,
            )
            if outcome is None:
                continue
            scores |= {recipe.name: outcome["scores"][recipe.name] for recipe in some}
            trained = [recipe for recipe in some if recipe.name in outcome.get("trained", scores)]
            for recipe in trained:  # what stood already says nothing of the time it takes
                found = recipe.name in outcome.get("found_features", ())
                costs.learn(recipe, outcome["seconds"], 1, len(trained), found)
        return scores
