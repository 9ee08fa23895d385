"""How large a race is: successive halving over folds, all candidates at the same cost.

fold 0 of N candidates -> the better half, but those that are behind beyond chance: fold 1 -> the best F: the folds that are left
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.competition import Recipe
from harness.play.plan.candidate import Candidate

if TYPE_CHECKING:
    from harness.play.spending.costs import Costs

_WORTH = 0.5
"""A candidate that gets less than this share of its natural length is better not tried: one fewer takes part."""


@dataclass(frozen=True)
class Entrant:
    """A candidate with the number of epochs that its share of the budget buys."""

    candidate: Candidate
    recipe: Recipe


def race_folds(n: int, k: int, finalists: int) -> float:
    """Folds that a race of n trains at least, in runs of k folds: one fold decides, where the others are behind beyond chance.

    Where it does not, what is kept for later races pays for another fold, or fewer take part in it.
    """
    return float(n * k) if n <= finalists else float(n + finalists * (k - 1))


def size_race(
    candidates: Sequence[Candidate], available: float, costs: Costs, k: int, finalists: int, most: int = 6
) -> list[Entrant]:
    """The entrants: as many candidates as get a worthwhile share each, in the order of the list; [] where not even one does.

    available : what the race may cost, in the budget's unit
    """
    best: list[Entrant] = []
    for n in range(min(most, len(candidates)), 0, -1):
        share = available / race_folds(n, k, min(finalists, n))
        entrants = [e for c in candidates if (e := _entrant(c, share * k, costs))][:n]
        worthy = [e for e in entrants if e.recipe.train.epochs >= _WORTH * e.candidate.recipe.train.epochs]
        if len(worthy) == n:
            return worthy
        if len(worthy) > len(best):
            best = worthy
        if n == 1 and not best:
            best = entrants
    return best


def _entrant(candidate: Candidate, cost: float, costs: Costs) -> Entrant | None:
    """With the most epochs that a whole run at this cost has."""
    from harness.play.spending.costs import with_epochs

    epochs = costs.epochs_within(candidate.recipe, cost, candidate.least, candidate.most)
    return Entrant(candidate, with_epochs(candidate.recipe, epochs)) if epochs else None


def survivors(scores: Mapping[str, float | None], keep: int, greater_is_better: bool) -> list[str]:
    """The best `keep` names by score; of equal ones, and of those without one, those that came first."""
    sign, last = -1 if greater_is_better else 1, math.inf
    return sorted(scores, key=lambda name: last if (score := scores[name]) is None else sign * score)[:keep]
