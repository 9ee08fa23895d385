"""What a finished study leaves: the best recipe judged on other folds, its file, its page and its run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.command import carried
from harness.base.progress import LineWatcher
from harness.tune.nested import Nested, nested_estimate
from harness.tune.page import write_page
from harness.tune.prepare import Request, prepare
from harness.tune.save import check_name, keep_run, save_recipe
from harness.tune.study import Plan, best_trial, ended_trials, open_study, values_of
from harness.tune.trial import Trials


@dataclass(frozen=True)
class Begun:
    """A study that can be worked on; save : name of the best recipe's file."""

    study: Any
    trials: Trials
    plan: Plan
    save: str

    def conclude(self, asked: Request) -> Outcome:
        """What it leaves; see `conclude`."""
        about = asked.study
        return conclude(
            self.study, self.trials, self.plan, nested=about.nested, save=self.save, keep=about.keep, out=asked.out
        )


def begin(asked: Request, watcher: LineWatcher) -> Begun:
    """Check what is asked, read the data, open the study.

    Raises
    ------
    UserError
        As `prepare`, or if the study that stands is of something else.
    """
    trials, plan = prepare(asked, watcher)
    save = asked.study.save or f"{trials.recipe.name}-tuned"
    check_name(home_of_recipes(trials), save)
    opened, search = open_study(plan, trials), asked.search
    place = "the database" if plan.storage else plan.home
    watcher.say(f"study '{plan.name}': {search.trials} trials, {search.sampler}, {search.pruner}; in {place}")
    return Begun(opened, trials, plan, save)


@dataclass(frozen=True)
class Outcome:
    """Of a study.

    Attributes
    ----------
    metric : name of the score; objectives : of the study
    best : the trial, Optuna's; values : the recipe's keys that it set
    trade_offs : score and seconds of the trials that no other beats in both, by number
    states : how many trials ended how; fold_epochs : what all of them cost
    recipe, page, run : what was written, where
    """

    study: str
    competition: str
    is_sample: bool
    metric: str
    best: Any
    values: dict[str, Any]
    trade_offs: dict[int, tuple[float, float]]
    states: dict[str, int]
    fold_epochs: int
    nested: Nested | None
    recipe: Path
    page: Path
    run: Path | None

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "study": self.study,
            "trials": self.states,
            "fold_epochs": self.fold_epochs,
            "best": {"trial": self.best.number, "values": self.values, self.metric: self.best.values[0]},
            "trade_offs": [
                {"trial": number, self.metric: score, "seconds": seconds}
                for number, (score, seconds) in self.trade_offs.items()
            ],
            "nested": vars(self.nested) if self.nested else None,
            "recipe": str(self.recipe),
            "page": str(self.page),
            "run": str(self.run) if self.run else None,
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        for number, (score, seconds) in self.trade_offs.items():
            yield f"trade-off: trial {number}: {self.metric} {score:.5f} in {seconds:.0f} s"
        yield f"best:   trial {self.best.number}: {self.metric} {self.best.values[0]:.5f} on the study's own folds"
        yield from (f"        {key} = {value}" for key, value in self.values.items())
        yield from (f"nested: {line}" for line in (self.nested.lines(self.metric) if self.nested else []))
        yield f"recipe: {self.recipe}"
        yield f"page:   {self.page}"
        if self.run:
            yield f"run:    {self.run}"
        recipe = f"{self.recipe} --sample" if self.is_sample else self.recipe.stem
        yield f"next:   python -m harness.cv {self.competition} --recipe {recipe}{carried('--data', '--out')}"


def conclude(study: Any, trials: Trials, plan: Plan, *, nested: bool, save: str, keep: bool, out: Path) -> Outcome:
    """Judge the best trial on other folds, write its recipe as `save`, the page, and with `keep` its run.

    Raises
    ------
    UserError
        If no trial was completed, or one of these cannot be written.
    """
    best = best_trial(study)
    values = values_of(best, trials.space)
    found = nested_estimate(trials, values, best.values[0]) if nested else None
    recipe = save_recipe(
        home_of_recipes(trials),
        trials.recipe,
        values,
        save,
        f"{trials.recipe.name}, tuned over {ended_trials(study)} trials",
    )
    page = write_page(plan.home / "study.html", trials.competition.title, study, trials.metric.name, best, found)
    states = [t.state.name.lower() for t in study.get_trials(deepcopy=False)]
    several = len(trials.objectives) > 1
    return Outcome(
        study=plan.name,
        competition=trials.competition.slug,
        is_sample=trials.dataset.is_sample,
        metric=trials.metric.name,
        best=best,
        values=values,
        trade_offs={t.number: tuple(t.values) for t in study.best_trials} if several else {},
        states={state: states.count(state) for state in sorted(set(states))},
        fold_epochs=sum(int(t.user_attrs.get("epochs", 0)) for t in study.trials),
        nested=found,
        recipe=recipe,
        page=page,
        run=keep_run(trials, out, values, best.user_attrs["run"]) if keep else None,
    )


def home_of_recipes(trials: Trials) -> Path:
    """The competition's folder; the study's for the sample, which teaches no recipe of the competition."""
    return trials.home if trials.dataset.is_sample else trials.competition.folder
