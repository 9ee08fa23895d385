"""What is left for a step: the budget less what the last steps and judging need."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.competition import Recipe
from harness.play.plan.candidate import without_none
from harness.play.spending.budget import Budget
from harness.play.spending.costs import Costs
from harness.play.steps.finish import load
from harness.play.steps.table import Outcome, Table

_NOISE_ROWS, _LEAST_NOISE_ROWS = 1_000, 300

# Of the budget, and in seconds: how far predictions may be off before a step is cut off. What they are off by is learnt run by run.
_MARGIN, _MOST_MARGIN = 0.03, 60.0
_MOST_JUDGING = 0.15  # of the budget: where judging by training anew would cost more, a better score is worth more
_NOISE_IMAGE = 4e-4  # seconds to corrupt an image


@dataclass
class Accounts:
    """Sums over budget, costs and the runs so far.

    Attributes
    ----------
    runs : complete runs of this play, {name: outcome}, in the order they were trained
    final : the run that would be sent now, "" before there is one
    finishing : seconds that writing and forecasting a submission takes, as measured
    per_cell : seconds of combining runs, by row, class and run, as measured
    noise_rows : how many rows the noise suite takes, the same for all runs
    """

    table: Table
    budget: Budget
    costs: Costs
    runs: dict[str, Outcome] = field(default_factory=dict)
    final: str = ""
    finishing: float = 3.0
    per_cell: float = 1.5e-5
    noise_rows: int = _NOISE_ROWS

    @property
    def room(self) -> float:
        """What the next step may cost, so that it can be judged too, and be a little late."""
        margin = min(_MARGIN * self.budget.total, _MOST_MARGIN) if self.costs.in_seconds else 0.0
        # what joins the final choice is trained once more, on one fold
        judged = 1 + 1 / self.costs.k if not self.final or self.is_worth_judging(self.final) else 1.0
        return max((self.available - margin) / judged, 0.0)

    @property
    def available(self) -> float:
        """Of the budget, when what the last steps need is kept."""
        return max(self.budget.left - self.reserve(), 0.0)

    def reserve(self) -> float:
        """For the last steps: combining, file, forecast, judging what is chosen now."""
        combining = self.combining(2) if self.runs else 0.0  # a second run is of use when it is blended with the first
        return (
            self.ending
            + combining
            + (self.judging(self.final) if self.final and self.is_worth_judging(self.final) else 0.0)
        )

    @property
    def ending(self) -> float:
        """For file and forecast of the final choice."""
        return 1.5 * self.finishing if self.costs.in_seconds else 0.0

    def is_worth_judging(self, final: str) -> bool:
        """Whether time is kept for training the final choice once more; where none is, it is done if there is time left."""
        return self.judging(final) <= _MOST_JUDGING * self.budget.total

    def judging(self, final: str) -> float:
        """The cost of training the final choice once more, on one fold."""
        members = load(self.table, final).environment.get("ensemble", {}).get("members", [final])
        costs = [self.costs.run(recipe_of_run(self.runs[name]), 1) for name in members if name in self.runs]
        if not self.costs.in_seconds:
            return sum(costs)
        return sum(costs) / min(self.costs.workers, max(len(costs), 1)) + 2.0

    def combining(self, n: int) -> float:
        """The cost of combining n runs."""
        if not self.costs.in_seconds:
            return 0.0
        return 2.0 + self.per_cell * self.costs.n_train * len(self.table.competition.classes) * n

    def combined(self, n: int, seconds: float) -> None:
        """Take in what combining n runs took."""
        cells = self.costs.n_train * len(self.table.competition.classes) * n
        self.per_cell = max(seconds - 2.0, 0.1) / cells

    def noise(self, recipe: Recipe) -> float:
        """The cost of the noise suite."""
        return self._noise_of(recipe, self.noise_rows)

    def noise_rows_within(self, recipe: Recipe, cost: float) -> int:
        """With how many rows the noise suite costs no more; with as many as usual where even few rows cost more."""
        least, usual = self._noise_of(recipe, _LEAST_NOISE_ROWS), self._noise_of(recipe, _NOISE_ROWS)
        if usual <= cost or least > cost:
            return _NOISE_ROWS
        share = (cost - least) / (usual - least)
        return _LEAST_NOISE_ROWS + int(share * (_NOISE_ROWS - _LEAST_NOISE_ROWS))

    def _noise_of(self, recipe: Recipe, rows: int) -> float:
        if not self.costs.in_seconds:
            return 0.0
        per_image = self.costs.prediction(recipe) + _NOISE_IMAGE
        return 4.0 + 75 * min(rows, self.costs.n_train) * per_image / self.costs.workers

    @property
    def sign(self) -> int:
        """1 where more is better."""
        return 1 if self.table.metric.greater_is_better else -1

    @property
    def ranked(self) -> list[str]:
        """The runs, the best first."""
        return sorted(self.runs, key=lambda name: -self.sign * self.runs[name]["score"])

    def score(self, name: str) -> float:
        """OOF score of a run or an ensemble."""
        if name in self.runs:
            return float(self.runs[name]["score"])
        return float(load(self.table, name).scores["metrics"][self.table.metric.name]["pooled"])

    def told(self, cost: float) -> str:
        """A cost in words."""
        return in_words(cost) if self.costs.in_seconds else f"{cost:.0f} fold-epochs"

    def clock(self) -> str:
        """How much of the budget is spent, in words."""
        spent, total = self.budget.spent, self.budget.total
        if self.costs.in_seconds:
            return f"[{in_words(spent)} of {in_words(total)}]"
        return f"[{spent:.0f} of {total:.0f} fold-epochs]"


def recipe_of_run(outcome: Outcome) -> Recipe:
    """The recipe of a run, from the journal."""
    return Recipe(**without_none(outcome["recipe"]))


def in_words(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
