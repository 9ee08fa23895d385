"""The baseline: as long and as large as a share of the budget buys, from scratch or pretrained and frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from harness.base.errors import UserError
from harness.base.untrusted_text import counted
from harness.competition import Recipe
from harness.competition.builtin.facts import Facts
from harness.competition.builtin.rules import ENOUGH_STEPS, image_side, is_narrow, suits_pretrained
from harness.play.plan.candidate import Candidate, on_data_set
from harness.play.plan.candidates import baseline
from harness.play.plan.limits import is_few
from harness.play.spending.accounts import Accounts
from harness.play.spending.costs import with_epochs
from harness.play.steps.folds import in_folds
from harness.play.trainer import Runs

_SHARES = (0.2, 0.35, 0.5)  # of the budget: where the budget is small the baseline gets more of it
# Below so many times the baseline's cost one other run may come after it, and a longer baseline before that.
_SHORT, _SHORT_SHARE = 3.0, 0.65
# Below so many no other run fits beside it: then it takes nearly all that there is, and may be longer than by nature.
_ALONE, _ALONE_SHARE, _LONGEST = 2.2, 0.82, 1.6
_ENOUGH_STEPS = 1_000  # below them a smaller network serves better (benchmarks/RESULTS.md)
# Shares of the side and of the filters: narrower networks come before smaller images (benchmarks/RESULTS.md).
_SIZES = ((1.0, 1.0), (1.0, 0.5), (1.0, 0.25), (0.75, 0.25), (0.5, 0.25))
_TOO_DEAR = 1.5  # a guess of what a smaller network costs, over what there is: it is not timed


@dataclass(frozen=True)
class Rung:
    """How large a baseline is.

    Attributes
    ----------
    share : of the side at which the rules would have images looked at
    filters : of the filters that they would give the network
    folds : of its run, and of all that follow
    pretrained : whether it is a pretrained network, frozen
    """

    share: float
    filters: float
    folds: int
    pretrained: bool = False

    @property
    def told(self) -> str:
        """In words."""
        size = f", images of {self.share:.0%} of the side" if self.share < 1 else ""
        filters = f", a network of {self.filters:.0%} of the width" if self.filters < 1 else ""
        than = " that so many rows would have" if size or filters else ""
        return f"{counted(self.folds, 'fold')}{filters}{size}{than}"


@dataclass
class Baseline:
    """What the play begins with.

    Attributes
    ----------
    facts : of data and machine, and how large networks and images are to be
    first : the recipe at its natural length; pretrained : whether it is a pretrained network, frozen
    data_set : which of the competition's data sets all runs are on; "" = its own [data]
    given_folds : whether the data give the folds, so that there are never fewer
    """

    accounts: Accounts
    trained: Runs
    facts: Facts
    first: Candidate
    pretrained: bool = False
    data_set: str = ""
    given_folds: bool = False

    def __post_init__(self) -> None:
        self.first = self.as_played(self.first)

    def as_played(self, candidate: Candidate) -> Candidate:
        """The candidate with as many folds as all runs of the play have, on their data set."""
        recipe = on_data_set(in_folds(candidate.recipe, self.accounts.costs.k), self.data_set)
        return dataclasses.replace(candidate, recipe=recipe)

    def affordable(self) -> Rung:
        """The first rung whose baseline would learn enough in its share of the budget; the smallest where none does."""
        k = self.accounts.costs.k
        few = k if self.given_folds else min(k, 3)
        if not self.accounts.costs.in_seconds:
            self.trained.must_time(self.first.recipe)  # it is the unit
        if suits_pretrained(self.facts) and (pretrained := self._pretrained(k)):
            return pretrained
        return self._down([Rung(1.0, 1.0, k), *(Rung(*size, few) for size in _SIZES)])[0]

    def _pretrained(self, folds: int) -> Rung | None:
        """As `affordable`, of pretrained networks; None where none fits, or their weights cannot be had after all."""
        try:
            rung, fits = self._down([Rung(share, 1.0, folds, True) for share in (1.0, 0.75, 0.5)])
        except UserError as error:
            self.accounts.table.watcher.say(f"no pretrained network to begin with: {error}")
            return None
        return rung if fits or is_few(self.facts) else None

    def _facts_at(self, rung: Rung) -> Facts:
        return dataclasses.replace(self.facts, share=rung.share, filters=rung.filters)

    def _work(self, rung: Rung) -> float:
        """About what an epoch of all folds costs, to be held against another rung's."""
        facts = self._facts_at(rung)
        return (rung.folds - 1) * _work_of(facts, baseline(facts, rung.pretrained).recipe)

    def _down(self, ladder: Sequence[Rung]) -> tuple[Rung, bool]:
        """The first rung that fits, else the last; and whether it fits."""
        over, rung, before = float("inf"), ladder[0], 1.0
        for rung in self._apart(ladder):
            guess = over * self._work(rung) / before
            self.take(rung)
            before, over = self._work(rung), guess
            if rung not in (ladder[0], ladder[-1]) and guess > _TOO_DEAR:
                continue  # to time it would be in vain
            self.trained.must_time(self.first.recipe)
            # what is not short, fits: a third of the budget buys its whole length
            affordable = max(max(self._shares()[:2]) * self.accounts.available, 1e-9)
            over = (
                self.accounts.costs.run(with_epochs(self.first.recipe, self._enough(self._least_steps(rung))))
                / affordable
            )
            if over <= 1:
                break
        return rung, over <= 1

    def _apart(self, ladder: Sequence[Rung]) -> list[Rung]:
        """Without rungs at which the rules give what they gave at the one before: few rows have a narrow network as it is."""
        kept: dict[str, Rung] = {}
        for rung in ladder:
            recipe = baseline(self._facts_at(rung), rung.pretrained).recipe
            kept.setdefault(f"{rung.folds} {recipe.model_dump_json(exclude={'name'})}", rung)
        return list(kept.values())

    def take(self, rung: Rung) -> None:
        """Take a rung of the ladder; for the whole play."""
        self.facts, self.pretrained = self._facts_at(rung), rung.pretrained
        self.accounts.costs.k = rung.folds
        self.first = self.as_played(baseline(self.facts, self.pretrained))

    def times(self) -> float:
        """The budget in units of what a network from scratch costs at its natural length; 0 where there is no time to time it."""
        recipe = self.as_played(baseline(self.facts)).recipe
        return (
            self.accounts.budget.total / max(self.accounts.costs.run(recipe), 1e-9)
            if self.trained.time(recipe)
            else 0.0
        )

    def _shares(self) -> tuple[float, ...]:
        """Of the budget, the first that buys enough epochs; more for a frozen network, whose features are taken once for all runs."""
        if self.pretrained:
            return (_SHORT_SHARE,)
        whole, available = self.accounts.costs.run(self.first.recipe), self.accounts.available
        if whole * _SHORT <= available:
            return _SHARES
        return (_ALONE_SHARE,) if self._is_alone() else (_SHORT_SHARE,)

    def _is_alone(self) -> bool:
        """Whether no other run from scratch fits beside it."""
        return not self.pretrained and self.accounts.costs.run(self.first.recipe) * _ALONE > self.accounts.available

    def recipe(self) -> Recipe:
        """As long as a share of the budget buys; of a larger share no more than what says something."""
        natural, enough, epochs = self.first.recipe.train.epochs, self._enough(), 0
        most = round(_LONGEST * natural) if self._is_alone() else natural
        for share in self._shares():
            epochs = self.accounts.costs.epochs_within(self.first.recipe, share * self.accounts.available, 1, most)
            if epochs >= enough:
                break
            most = enough
        return with_epochs(self.first.recipe, max(epochs, 1))

    def _enough(self, least: int = _ENOUGH_STEPS) -> int:
        """Epochs of so many steps: from which a baseline says something."""
        train, costs = self.first.recipe.train, self.accounts.costs
        steps = max(costs.n_train * (costs.k - 1) // costs.k // train.batch_size, 1)
        return min(max(-(-least // steps), 3), train.epochs)

    def _least_steps(self, rung: Rung) -> int:
        """Steps with which this rung serves better than the next."""
        has_all = rung.filters == 1 and not rung.pretrained
        if not has_all or is_narrow(self.facts, image_side(self.facts, strong=False), strong=False):
            return _ENOUGH_STEPS
        return ENOUGH_STEPS  # of a network with all its filters


def _work_of(facts: Facts, recipe: Recipe) -> float:
    """Its pixels, a third of them where they are pooled early, times its filters, squared."""
    if recipe.features:
        return facts.share**2
    pooled = 0.3 if recipe.model.args.get("stem_pool") else 1.0
    return image_side(facts, strong=False) ** 2 * pooled * facts.filters**2
