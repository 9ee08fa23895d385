"""The order of the steps: what is played, in which turn, and what each may cost. Steps that stand in the journal are not done again."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

from harness.base.errors import UserError
from harness.base.untrusted_text import counted
from harness.competition import Recipe
from harness.competition.builtin.facts import Facts, facts_of
from harness.data.columns.patterns import IMAGE_COLUMNS
from harness.ledger import Ledger
from harness.play.baseline import Baseline, Rung
from harness.play.ending import Ending
from harness.play.journal import FAILED, Journal
from harness.play.plan.candidate import Candidate, without_none
from harness.play.plan.candidates import TURNED, baseline, first_race
from harness.play.plan.changes import more_symmetries
from harness.play.plan.limits import Limit, Seen, find_limits, is_safe_to_label
from harness.play.plan.refinements import (
    another_seed,
    in_layout,
    more_seeds,
    other_looks,
    refinements,
    side_of,
    with_pseudo,
)
from harness.play.racing import SIZED, Races
from harness.play.spending.accounts import Accounts, recipe_of_run
from harness.play.spending.budget import Budget, OutOfTime
from harness.play.spending.costs import Costs, cost_of_cleaning, with_epochs
from harness.play.stepping import ANYWAY, Stepper
from harness.play.steps import finish
from harness.play.steps.folds import given_folds, ungroup, usable_folds
from harness.play.steps.prior import prior_blend
from harness.play.steps.symmetries import plausible_changes
from harness.play.steps.table import Outcome, Table
from harness.play.trainer import Runs, named

_RACES = ((0.6, 2), (0.7, 1), (0.7, 1))  # share of what is left and finalists, race by race
_SHORT_RACES = ((0.85, 1),) * 3  # where time is shorter still: what it buys goes to one run, then to one of the others
_SHORT = 8.0  # times the baseline's cost
_MOST_SEEDS = 12
_LEAST_OF_BEST, _LEAST_OF_FIRST, _MOST_OF_NATURAL = 0.6, 0.3, 1.6  # epochs of another seed, as shares of its recipe's
_LOOK_SHARE = 0.5  # of the room, for images of another size before the first race
_NOISE_SHARE, _CLEAN_SHARE, _FORECAST_SHARE = 0.10, 0.10, 0.25


class Player:
    """A play under way.

    Attributes
    ----------
    table : what the steps work with; budget, journal, costs, ledger : as named
    beginning : the baseline, how large and how long it is; races : of candidates
    accounts : what was run so far, and what is left; steps : does them; trained : the runs, as steps; ending : the last steps
    limits : what holds the score back; noise : the baseline's noise.json, or None
    is_short : whether there is no time to change what won, beside training it
    unspent : why no more runs were trained, "" while that is not known
    """

    def __init__(
        self, table: Table, budget: Budget, journal: Journal, ledger: Ledger, changed: Callable[[Player], None]
    ) -> None:
        from harness.cv.jobs.prepare import pick_devices
        from harness.cv.options import planned_workers

        self.table, self.budget, self.journal, self.ledger = table, budget, journal, ledger
        labels = table.dataset.train.labels
        assert labels is not None  # training rows always have labels
        devices = pick_devices(table.device)
        on_gpu = devices != ["cpu"]
        columns = table.dataset.train.columns
        n_columns = len(set(columns.names) - set(IMAGE_COLUMNS)) if columns is not None else 0
        shape = table.dataset.train.images.shape
        facts = facts_of(table.competition, shape, labels, on_gpu, n_columns)
        first = baseline(facts)
        n_test = len(table.dataset.test) if table.dataset.test else 0
        workers = planned_workers(table.options(first.recipe), first.recipe.cv.folds)
        in_seconds = budget.unit == "s"
        self.costs = Costs(len(table.dataset.train), n_test, first.recipe.cv.folds, workers, in_seconds)
        self.costs.devices = len(devices) if on_gpu else None
        self.accounts = Accounts(table, budget, self.costs)
        self.steps = Stepper(self.accounts, journal, lambda: changed(self))
        self.trained = Runs(self.accounts, self.steps)
        self.races = Races(self.accounts, self.steps, self.trained, journal)
        given = given_folds(table) is not None
        self.beginning = Baseline(self.accounts, self.trained, facts, first, False, table.competition.set, given)
        self.ending = Ending(self.accounts, self.steps, journal, ledger)
        self.limits: list[Limit] = []
        self.is_short = False
        self.unspent = ""
        self.noise: dict[str, Any] | None = None
        self.shift: dict[str, Any] | None = None

    @property
    def final(self) -> str:
        """The run that would be sent now, "" before there is one."""
        return self.accounts.final

    @property
    def runs(self) -> dict[str, Outcome]:
        """Complete runs of this play, in the order they were trained."""
        return self.accounts.runs

    @property
    def facts(self) -> Facts:
        """Of data and machine."""
        return self.beginning.facts

    @property
    def first(self) -> Candidate:
        """The baseline at its natural length."""
        return self.beginning.first

    def play(self) -> None:
        """All steps in their order, each if it fits."""
        try:
            self._begin()
            self._baseline()
            if self.runs:
                self._look_for_limits()
                self._looks()
                self._races()
                self._pseudo_labels()
                self._seeds()
        except OutOfTime:
            pass
        self._end()

    def replay(self, recipes: Sequence[Recipe]) -> None:
        """Train these recipes in their order, each if it fits; then combine, judge and write as always."""
        try:
            self._begin()
            self.costs.k = recipes[0].cv.folds if recipes else self.costs.k
            for number, recipe in enumerate(recipes):
                key = f"train/plan-{number}/{recipe.name}-{recipe.digest()[:8]}"  # one that was edited is another
                self.trained.train(key, recipe, "the plan says so")
            self.trained.combine()
        except OutOfTime:
            pass
        self._end()

    def plan_only(self) -> list[tuple[str, str, float]]:
        """(what, why, predicted cost) of the steps, from short timings and the first guess of what limits; nothing is trained."""
        stands = self.journal.decisions.get("size of the baseline")  # a plan decides nothing
        self.beginning.take(Rung(**stands) if stands else self.beginning.affordable())
        self.trained.must_time(self.first.recipe)
        first = self.beginning.recipe()
        found = [(f"baseline: {named(first)}", self.first.why, self.costs.run(first))]
        times = self.beginning.times()
        self.limits, self.is_short = find_limits(Seen(self.facts, times, hidden=self.table.hidden)), times < _SHORT
        left = max(self.accounts.room - found[0][2], 0.0)
        share, most = self._plan_of_races[0]
        entrants = self.races.entrants(self._first_race(first), share * left, most)
        found += [
            (f"race, a fold of {named(e.recipe)}", e.candidate.why, self.costs.run(e.recipe, 1)) for e in entrants
        ]
        if entrants:
            rest = max(self.costs.run(e.recipe) - self.costs.run(e.recipe, 1) for e in entrants)
            finalists = min(most, len(entrants))
            found.append((f"the other folds of the {finalists} best", "the race decides", finalists * rest))
        return [*found, ("changes of the winner, seeds, ensemble, judging, forecast", "as far as the budget goes", 0.0)]

    def _end(self) -> None:
        self.budget.reserve = 0.0
        with contextlib.suppress(OutOfTime):
            self.trained.combine()  # the time for it was kept, whatever was cut off
        self.ending.play(self.final, self.first.recipe)

    # ---- the plan, step by step

    def _begin(self) -> None:
        """A submission without looking at an image, then verdicts on the training rows."""
        from harness.clean.pipeline import clean
        from harness.clean.verdicts import clean_folder

        table, contest = self.table, self.table.competition
        self._settle_folds("folds")

        def prior() -> Outcome:
            blend = prior_blend(table, self.first)
            main = blend.scores["metrics"][blend.scores["metric"]]
            path = "" if table.hidden else str(finish.write_blend(table, blend))
            return {"score": main["pooled"], "low": main["low"], "high": main["high"], "file": path}

        self.steps.do(
            "prior",
            "the shares of the training targets",
            "a checked file from the first minute on; models must beat it",
            prior,
        )
        stands = (clean_folder(table.out, contest, table.sample) / "clean.csv").is_file()
        if stands and "clean" not in self.journal.steps:
            return  # somebody's verdicts, and they count
        if not contest.kind.is_one_class:
            contest = contest.model_copy(update={"classes": ("unlabelled",)})
        rows = self.costs.n_train + self.costs.n_test
        self.steps.do(
            "clean",
            "duplicates, label conflicts, foreign images",
            "copies must share a fold",
            lambda: clean(contest, table.dataset, table.out, None, False, table.watcher).summary(),
            cost_of_cleaning(rows) if self.costs.in_seconds else 0.0,
            _CLEAN_SHARE,
        )
        try:
            self._settle_folds("folds by the verdicts")
        except UserError as error:
            ungrouped = ungroup(table)
            if not ungrouped:
                raise
            table.watcher.say(
                f"warning: {error} {counted(ungrouped, 'row')} that look alike are not kept together: where they are copies, scores flatter"
            )
            self._settle_folds("folds by the verdicts")

    def _settle_folds(self, key: str) -> None:
        """All runs have the same folds: as many as the data bear."""
        k = self.journal.decide(key, lambda: usable_folds(self.table, self.first.recipe))
        if k != self.costs.k:
            told = f"in {self.costs.k} one would be without a class, since groups stay together"
            given = given_folds(self.table) is not None
            self.table.watcher.say(f"{counted(k, 'fold')}: {'as the data give them' if given else told}")
        self.costs.k = k
        self.beginning.first = self.beginning.as_played(self.first)

    def _baseline(self) -> None:
        """Without it there is nothing to choose from, so it is trained whatever it may cost, unless everything is spent.

        Raises
        ------
        OutOfTime
            If the deadline came before it was begun: it would be cut off at once, and be sized by no time at all.
        UserError
            If it cannot be trained.
        """
        if self.journal.ended("train/baseline") is None:
            self.budget.check()
        self._scale()
        epochs = self.journal.decide("epochs of the baseline", lambda: self.beginning.recipe().train.epochs)
        self.trained.train("train/baseline", with_epochs(self.first.recipe, epochs), self.first.why, ANYWAY)
        failed = self.journal.steps["train/baseline"]
        if failed.state == FAILED:
            raise UserError(
                f"the baseline cannot be trained: {failed.outcome['because']}\n  The same command of harness.play tries it again."
            )

    def _scale(self) -> None:
        """Fewer folds, a narrower network, smaller images, where the budget would not buy the baseline enough; then a frozen network."""
        k = self.costs.k
        chosen = self.journal.decide("size of the baseline", lambda: dataclasses.asdict(self.beginning.affordable()))
        rung = Rung(**chosen)  # the last of the ladder is taken, whatever it costs
        if (rung.share, rung.filters, rung.folds) != (1.0, 1.0, k):
            self.table.watcher.say(f"the budget is short: {rung.told}")
        self.beginning.take(rung)
        self.trained.must_time(self.first.recipe)

    def _first_race(self, trained: Recipe) -> list[Candidate]:
        """Candidates of the first race, after a baseline of so many epochs; what was the baseline is none."""
        epochs = 0 if self.beginning.pretrained else trained.train.epochs
        found = [self.beginning.as_played(c) for c in first_race(self.facts, self.limits, self.noise, epochs)]
        return [candidate for candidate in found if candidate.name != self.first.name]

    def _look_for_limits(self) -> None:
        """The noise suite and the forecast of the baseline, and what they say."""
        table, accounts = self.table, self.accounts
        run = finish.load(table, next(iter(self.runs)))
        most = _NOISE_SHARE * self.budget.total
        rows = self.journal.decide("rows of the noise suite", lambda: accounts.noise_rows_within(run.recipe, most))
        accounts.noise_rows = rows or accounts.noise_rows
        self.noise = self.steps.do(
            "noise",
            "the baseline under 15 corruptions in five severities",
            "forecasts learn from it; it shows what another camera would cost",
            lambda: finish.under_noise(table, run, accounts.noise_rows),
            self.accounts.noise(run.recipe),
            _NOISE_SHARE,
        )
        if not table.hidden:
            first = self.steps.do(
                "forecast",
                "the forecast of the baseline",
                "do test images look like training images?",
                lambda: finish.told(finish.prepare(table, run, self.ledger)),
                accounts.finishing if self.costs.in_seconds else 0.0,
                _FORECAST_SHARE,
            )
            if first:
                self.accounts.finishing = self.steps.seconds("forecast")
                self.shift = (first.get("forecast") or {}).get("shift")

        times = float(self.journal.decide("the budget, in baselines", self.beginning.times) or 0.0)
        self.is_short = times < _SHORT

        def limits() -> list[dict[str, Any]]:
            return [vars(limit) for limit in find_limits(Seen(self.facts, times, self.shift, self.noise, table.hidden))]

        told = self.journal.decide("limits", limits)
        self.limits = [Limit(**limit) for limit in told or []]
        for limit in self.limits:
            table.watcher.say(f"limit: {limit.name}: {limit.seen}; what may help: {limit.cure}")

    def _looks(self) -> None:
        """A frozen baseline again, on images of two other sizes: cheap, and they err on other rows."""
        recipe = recipe_of_run(next(iter(self.runs.values())))
        if not recipe.features:
            return
        for number in (1, 2):
            within = functools.partial(self._look_within, recipe, _LOOK_SHARE)
            planned = self.journal.decide(f"look {number}", within)
            if not planned:
                break
            look = Recipe(**without_none(planned))
            self.trained.train(f"train/look-{number}", look, "the same on images of another size errs on other rows")
        self.trained.combine()

    def _races(self) -> None:
        """First recipes of different kind, then changes of the winner, as long as they win."""
        spent = self.costs.run(recipe_of_run(next(iter(self.runs.values()))))
        if self.accounts.room < spent:
            return  # even timing other networks would take what another seed needs
        told = self.journal.decide("changes that may keep the label", lambda: plausible_changes(self.table))
        self.beginning.facts = dataclasses.replace(self.facts, plausible=tuple(told or ()))
        candidates = self._first_race(recipe_of_run(next(iter(self.runs.values()))))
        for number, (share, finalists) in enumerate(self._plan_of_races, 1):
            entrants = self.races.sized(f"race {number}", candidates, share, finalists)
            if not entrants:
                return
            self.races.run(number, entrants, finalists)
            self.trained.combine()
            best = recipe_of_run(self.runs[self.accounts.ranked[0]])
            if self.is_short:  # then what did not take part yet
                candidates = self._rest_of(candidates, number, best)
                continue
            if number > 1 and best.name not in {e.recipe.name for e in entrants}:
                return
            if self.accounts.room < 2.5 * self.costs.run(best):
                return
            candidates = refinements(best, self.facts, number, self.races.better_than("play-longer"))

    def _rest_of(self, candidates: Sequence[Candidate], number: int, best: Recipe) -> list[Candidate]:
        """Candidates that took no part in a race; mirrored and turned, where that was best."""
        raced = self.races.took_part(number)
        if best.name in TURNED:
            symmetries = more_symmetries(self.facts) or self.facts.symmetries
            self.beginning.facts = dataclasses.replace(self.facts, symmetries=symmetries)
            candidates = self._first_race(recipe_of_run(next(iter(self.runs.values()))))
        return [candidate for candidate in candidates if candidate.name not in raced]

    @property
    def _plan_of_races(self) -> Sequence[tuple[float, int]]:
        return _SHORT_RACES if self.is_short else _RACES

    def _pseudo_labels(self) -> None:
        """The best recipe once more, with the test rows that it is sure of, where the forecast says that they are of one kind."""
        best = self.accounts.ranked[0]
        recipe = recipe_of_run(self.runs[best])
        if is_safe_to_label(self.table.competition.kind, recipe, self.shift, self.costs.n_train, self.costs.n_test):
            more = with_pseudo(recipe, best)
            self.trained.train(f"train/pseudo/{best}", more, "test rows that the best run is sure of join the training")

    def _seeds(self) -> None:
        """What is left of the budget: the best recipes again from other seeds, as long as that is worth it."""
        for number in range(1, _MOST_SEEDS + 1):
            ranked = self.accounts.ranked
            chosen = ranked[1] if number % 3 == 0 and len(ranked) > 1 else ranked[0]
            recipe = recipe_of_run(self.runs[chosen]).model_copy(update={"pseudo": None})
            planned = self.journal.decide(f"seed {number}", functools.partial(self._seed_within, recipe))
            if not planned:
                break
            again = Recipe(**without_none(planned))
            why = "images of another size" if "--look" in again.name else "other seeds"
            self.trained.train(f"train/seed-{number}", again, f"{why}: averaged, they err less")
            if number % 2 == 0:
                self.trained.combine()
            if self.table.hidden:
                break  # one run is sent there: it has all the seeds that fit
        self.trained.combine()

    def _seed_within(self, recipe: Recipe) -> dict[str, Any] | None:
        """The best recipe with as many epochs as there is room for, or else the baseline; None where neither fits."""
        room, number = SIZED * self.accounts.room, len(self.runs)
        if self.table.hidden:
            seeds = int(room / self.costs.run(recipe))
            return more_seeds(recipe, seeds).model_dump(mode="json") if seeds > recipe.train.seeds else None
        if recipe.features:
            if look := self._look_within(recipe, SIZED):
                return look
            others = (recipe_of_run(self.runs[name]) for name in self.accounts.ranked)
            trained = next((other for other in others if not other.features), None)
            if trained is None:
                return None
            recipe = trained.model_copy(update={"pseudo": None})
        choices = [(recipe, _LEAST_OF_BEST), (self.first.recipe, _LEAST_OF_FIRST)]
        for chosen, least in choices[: 1 if self.first.recipe.features else 2]:  # other heads hardly differ
            natural = chosen.train.epochs
            bounds = max(2, round(least * natural)), max(2, round(_MOST_OF_NATURAL * natural))
            share = room / self.costs.runs_within(chosen, room, *bounds)
            epochs = self.costs.epochs_within(chosen, share, *bounds)
            if epochs:
                return another_seed(with_epochs(chosen, epochs), number).model_dump(mode="json")
            least_cost = self.costs.run(with_epochs(chosen, bounds[0]))
            self.unspent = f"another run would have taken at least {least_cost:,.0f}, and being judged"
        return None

    def _look_within(self, recipe: Recipe, share: float) -> dict[str, Any] | None:
        """A frozen network on images of another size, where a share of the room pays for it, else None.

        Other heads on the same features hardly differ.
        """
        if not self.trained.time(recipe):
            return None
        played = [recipe_of_run(run) for run in self.runs.values()]
        name = next(name for name, run in self.runs.items() if run["recipe"]["name"] == recipe.name)
        pinned = in_layout(recipe, finish.load(self.table, name).environment["layout"])
        looks = other_looks(pinned, {side_of(other) for other in played if other.features})
        for look in looks:
            self.costs.take_alike(look, recipe, (side_of(look) / side_of(recipe)) ** 2)
            if self.costs.run(look) <= share * self.accounts.room:
                return look.model_dump(mode="json")
        self.unspent = "no other network fits in what is left" + (", nor images of another size" if looks else "")
        return None
