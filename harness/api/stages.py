"""The other stages from Python: clean, tune, play."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.calls import api_call, names_of, place, settings
from harness.api.contest import AnyCompetition, Contest, competition, named
from harness.api.run import FinishedRun
from harness.api.shown import Page, html_table
from harness.base.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from harness.base.progress import LineWatcher
    from harness.clean.pipeline import CleanResult
    from harness.kernels.options import KaggleOptions
    from harness.play.request import Request as PlayRequest
    from harness.tune.outcome import Outcome as TuneOutcome

Planned = list[tuple[str, str, float]]
"""Steps: what, why, about how much."""


class Cleaned:
    """What the training set should not hold; `path` is clean.csv, which `harness.cv` goes by from now on."""

    def __init__(self, contest: Contest, found: CleanResult) -> None:
        self.contest, self._found, self.path = contest, found, found.csv_path

    @property
    def verdicts(self) -> pd.DataFrame:
        """The rows that are not plainly clean, as clean.csv has them now."""
        import pandas as pd

        return pd.read_csv(self.path, dtype=str, keep_default_na=False)

    @property
    def summary(self) -> dict[str, Any]:
        """What `python -m harness.clean --json` prints."""
        return self._found.summary()

    def report(self) -> Page:
        """clean.html, where verdicts are looked at and changed."""
        return Page(self._found.page_path)

    def __repr__(self) -> str:
        n = len(self._found.verdicts)
        return f"<{n:,} of {self._found.n_rows:,} training rows are not plainly clean: {self.path}>"

    def _repr_html_(self) -> str:
        from harness.clean.page import count_table
        from harness.clean.verdicts import ACTIONS

        lines = count_table(self._found.verdicts)
        return html_table("Rows that are not plainly clean", ["verdict", *ACTIONS, "rows"], lines, foot=str(self.path))


class Tuned:
    """A finished study; `recipe` is the best one's file, which `harness.cv` takes."""

    def __init__(self, contest: Contest, found: TuneOutcome) -> None:
        self.contest, self._found = contest, found
        self.recipe, self.values = found.recipe, found.values

    @property
    def summary(self) -> dict[str, Any]:
        """What `python -m harness.tune --json` prints."""
        return self._found.as_dict()

    def report(self) -> Page:
        """study.html."""
        return Page(self._found.page)

    def __repr__(self) -> str:
        found = self._found
        return f"<study {found.study}: {found.metric} {found.best.values[0]:.5f} on its own folds; {self.recipe}>"

    def _repr_html_(self) -> str:
        return html_table(self._found.study, [""], [[line] for line in self._found.lines()])


class Played:
    """A play that has ended, or its plan.

    Attributes
    ----------
    summary : what `python -m harness.play --json` prints
    """

    def __init__(self, contest: Contest, home: Path, summary: dict[str, Any], planned: Planned | None = None) -> None:
        self.contest, self.summary = contest, summary
        self._home, self._planned = home, planned

    @property
    def plan(self) -> pd.DataFrame | None:
        """Of a play that was only planned: each step, why, and about what it costs (seconds, or fold-epochs)."""
        import pandas as pd

        return None if self._planned is None else pd.DataFrame(self._planned, columns=["step", "why", "cost"])

    @property
    def final(self) -> FinishedRun | None:
        """The run or ensemble that was chosen; None where none was finished."""
        name = self.summary["final"]
        return FinishedRun(self.contest, self._home.parent / name) if name else None

    def report(self) -> Page:
        """play.html."""
        return Page(self._home / "play.html")

    def __repr__(self) -> str:
        return f"<play of {self.contest.slug}: {self.summary['final'] or 'only planned'}>"

    def _repr_html_(self) -> str:
        from harness.play.summary import result_lines

        title = self.contest.spec.title
        if self._planned is not None:
            rows = [[what, why, f"{cost:,.0f}" if cost else ""] for what, why, cost in self._planned]
            return html_table(f"{title}: the plan", ["step", "why", "about"], rows, left=2)
        return html_table(f"{title}: played", [""], [[line] for line in result_lines(self.summary)])


@api_call
def clean(
    comp: AnyCompetition,
    *,
    run: FinishedRun | str | None = None,
    sample: bool = False,
    overwrite: bool = False,
    out: str | Path | None = None,
    quiet: bool = False,
) -> Cleaned:
    """Find duplicates, label conflicts, foreign, blank and mislabelled images; `harness.cv` goes by the verdicts from then on.

    Parameters
    ----------
    run : a finished run whose OOF probabilities show label errors
    overwrite : replace a clean.csv that was changed by hand

    Raises
    ------
    UserError
        If the run does not fit, or a changed clean.csv stands.
    """
    from harness.base.progress import watching
    from harness.clean.pipeline import clean_chosen

    contest, name = competition(comp, sample=sample), next(iter(names_of(run)), None)
    with watching(quiet=quiet) as watcher:
        _, found = clean_chosen(contest.spec, contest.where, place(out), name, overwrite, watcher)
    return Cleaned(contest, found)


@api_call
def tune(
    comp: AnyCompetition,
    recipe: str,
    *,
    trials: int = 50,
    set: Mapping[str, Any] | Iterable[str] | None = None,
    sampler: str = "tpe",
    pruner: str = "hyperband",
    objectives: str = "score",
    seed: int = 0,
    nested: bool = True,
    save: str | None = None,
    keep: bool = False,
    study: str | None = None,
    storage: str | None = None,
    sample: bool = False,
    device: str = "auto",
    out: str | Path | None = None,
    quiet: bool = False,
) -> Tuned:
    """Search a recipe's [tune] in this process; a study that was stopped goes on. The best is judged on folds of another seed.

    Several processes on one study: `python -m harness.tune --parallel`.

    Raises
    ------
    UserError
        Of a space, sampler or pruner that does not fit, or where no trial was completed.
    """
    from harness.base.progress import LineWatcher
    from harness.tune.arguments import Limits, SearchOptions, StudyOptions, TunedRecipe
    from harness.tune.outcome import begin
    from harness.tune.prepare import Request
    from harness.tune.study import work

    contest, watcher = competition(comp, sample=sample), LineWatcher(quiet=quiet)
    asked = Request(
        competition=str(contest.spec.folder),
        recipe=TunedRecipe(recipe=recipe, settings=settings(set)).on(contest.where),
        search=SearchOptions(trials=trials, sampler=sampler, pruner=pruner, objectives=objectives, seed=seed),
        limits=Limits(),
        study=StudyOptions(storage=storage, study=study, nested=nested, save=save, keep=keep),
        device=device,
        where=contest.where,
        out=place(out),
    )
    begun = begin(asked, watcher)
    work(begun.study, begun.trials, begun.plan, watcher)
    return Tuned(contest, begun.conclude(asked))


@api_call
def play(
    comp: AnyCompetition,
    hours: float | None = None,
    *,
    fold_epochs: float | None = None,
    dry_run: bool = False,
    plan: str | Path | None = None,
    fresh: bool = False,
    submit: int = 0,
    sample: bool = False,
    workers: int | None = None,
    device: str = "auto",
    cluster: str | None = None,
    on: str | None = None,
    accelerator: str | None = None,
    session_hours: float = 12,
    out: str | Path | None = None,
    quiet: bool = False,
) -> Played:
    """All of it under a budget: clean, baseline, noise suite, a race of recipes, ensemble, judgement, forecast, submission file.

    Stopped, it goes on when it is called again.

    Parameters
    ----------
    hours, fold_epochs : the budget, one of the two
    dry_run : only plan
    plan : a play.toml whose runs are played
    submit : then send so many submissions at most
    cluster, on, accelerator, session_hours : where it is played, as `harness.cv` takes them

    Raises
    ------
    UserError
        Of a budget that is none, and whatever else the user can put right.
    """
    from harness.base.progress import watching
    from harness.cv.arguments import ClusterOptions, FoldOptions
    from harness.kernels.options import KaggleOptions
    from harness.play.arguments import BudgetOptions, PlanOptions
    from harness.play.request import Request, check
    from harness.play.request import play as carry_out
    from harness.play.summary import as_dict

    contest = competition(comp, sample=sample)
    asked = Request(
        named=named(contest),
        amount=BudgetOptions(hours=hours, fold_epochs=fold_epochs),
        how=PlanOptions(dry_run=dry_run, plan=None if plan is None else Path(plan), fresh=fresh, submit=submit),
        where=contest.where,
        folds=FoldOptions(workers=workers, device=device),
        nodes=ClusterOptions(cluster=cluster),
        out=place(out),
    )
    there = KaggleOptions(on=on, accelerator=accelerator, session_hours=session_hours)
    check(contest.spec, asked)
    if there.check() and dry_run:
        raise UserError("dry_run: what a play on Kaggle does is planned there. Leave dry_run out, or on")
    with watching(quiet=quiet) as watcher:
        if there.check():
            return _played_elsewhere(contest, asked, there, watcher)
        done = carry_out(contest.spec, asked, watcher)
    return Played(contest, asked.home(contest.spec), as_dict(done.player, list(done.sent)), done.planned)


def _played_elsewhere(contest: Contest, asked: PlayRequest, there: KaggleOptions, watcher: LineWatcher) -> Played:
    from harness.kernels.command import Command
    from harness.play.elsewhere import play_on_kaggle

    command = Command.called("harness.play", asked.named, asked.amount, asked.how, asked.where, asked.folds, there)
    told = play_on_kaggle(contest.spec, asked, there, command, watcher)
    assert told is not None  # no dry run
    return Played(contest, asked.home(contest.spec), told)
