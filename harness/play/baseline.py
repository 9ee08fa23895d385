"""The baseline: as long and as large as a share of the budget buys, from scratch or pretrained and frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from harness.competition import Recipe
from harness.competition.builtin.facts import Facts
from harness.competition.builtin.rules import image_side
from harness.play.plan.candidates import Candidate, baseline, begins_pretrained, may_begin_pretrained
from harness.play.spending.accounts import Accounts
from harness.play.spending.costs import with_epochs
from harness.play.steps.folds import in_folds
from harness.play.trainer import Runs

_BASELINE_SHARES = (0.2, 0.35, 0.5)  # of the budget: where the budget is small the baseline gets more of it
# below it smaller images serve better: plankton at 32 pixels for 8 epochs 1.13, at 64 for 3 (longer) 1.31
_ENOUGH_EPOCHS = 8
_LADDER = (1.0, 0.75, 0.5)  # of the side that so many rows would have
_TOO_DEAR = 1.5  # a guess of what smaller images cost, over what there is: they are not timed


@dataclass
class Baseline:
    """What the play begins with.

    Attributes
    ----------
    facts : of data and machine; their `share` is that of the side at which images are looked at
    first : the recipe at its natural length; pretrained : whether it is a pretrained network, frozen
    """

    accounts: Accounts
    trained: Runs
    facts: Facts
    first: Candidate
    pretrained: bool = False

    def in_folds(self, candidate: Candidate) -> Candidate:
        """The candidate with as many folds as all runs of the play have."""
        return dataclasses.replace(candidate, recipe=in_folds(candidate.recipe, self.accounts.costs.k))

    def affordable_scale(self) -> list[float]:
        """Share of the side, folds, and whether to begin with a pretrained network (1) or one from scratch (0)."""
        k = self.accounts.costs.k
        if not self.accounts.costs.in_seconds:
            self.trained.must_time(self.first.recipe)  # it is the unit
        if begins_pretrained(self.facts):
            return self._down_the_ladder([(share, k) for share in _LADDER], True)[0]
        few = min(k, 3)
        chosen, fits = self._down_the_ladder([(1.0, k), *((share, few) for share in _LADDER)], False)
        if not fits and may_begin_pretrained(self.facts):
            return self._down_the_ladder([(share, few) for share in _LADDER], True)[0]
        return chosen

    def _down_the_ladder(self, ladder: Sequence[tuple[float, int]], pretrained: bool) -> tuple[list[float], bool]:
        """The first rung that fits a share of the budget, else the last; and whether it fits."""
        over = float("inf")
        for share, folds in dict.fromkeys(ladder):
            before = _work_of(self.facts, self.first.recipe)
            self.take_scale(share, folds, pretrained)
            guess = over * _work_of(self.facts, self.first.recipe) / before
            if share not in (1.0, _LADDER[-1]) and guess > _TOO_DEAR:
                continue  # to time it would be in vain
            self.trained.must_time(self.first.recipe)
            part = _BASELINE_SHARES[-1] if pretrained else _BASELINE_SHARES[0]  # features are taken once for all runs
            affordable = max(part * self.accounts.available, 1e-9)
            over = self.accounts.costs.run(with_epochs(self.first.recipe, _enough(self.first.recipe))) / affordable
            if over <= 1:
                break
        return [share, folds, int(pretrained)], over <= 1

    def take_scale(self, share: float, folds: int, pretrained: bool = False) -> None:
        """Take a rung of the ladder; for the whole play."""
        self.facts, self.pretrained = dataclasses.replace(self.facts, share=share), bool(pretrained)
        self.accounts.costs.k = int(folds)
        self.first = self.in_folds(baseline(self.facts, self.pretrained))

    def times(self) -> float:
        """The budget in units of what a network from scratch costs at its natural length; 0 where there is no time to time it."""
        recipe = self.in_folds(baseline(self.facts)).recipe
        return (
            self.accounts.budget.total / max(self.accounts.costs.run(recipe), 1e-9)
            if self.trained.time(recipe)
            else 0.0
        )

    def recipe(self) -> Recipe:
        """As long as a share of the budget buys; of a larger share no more than what says something."""
        most, enough, epochs = self.first.recipe.train.epochs, _enough(self.first.recipe), 0
        for share in _BASELINE_SHARES:
            epochs = self.accounts.costs.epochs_within(self.first.recipe, share * self.accounts.available, 1, most)
            if epochs >= enough:
                break
            most = enough
        return with_epochs(self.first.recipe, max(epochs, 1))


def _enough(recipe: Recipe) -> int:
    """Epochs from which a baseline says something."""
    natural = recipe.train.epochs
    return min(max(_ENOUGH_EPOCHS, natural // 4), natural)


def _work_of(facts: Facts, recipe: Recipe) -> float:
    """About what an epoch of a recipe costs, to be held against another's: its pixels, a third of them where they are pooled early."""
    if recipe.features:
        return facts.share**2
    return image_side(facts, strong=False) ** 2 * (0.3 if recipe.model.args.get("stem_pool") else 1.0)
