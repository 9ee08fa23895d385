"""What finished runs tell, from Python: compare, errors, ensemble, forecast. Nothing is trained."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.api.calls import api_call, names_of, place
from harness.api.contest import AnyCompetition, Contest, competition
from harness.api.run import FinishedRun, Score
from harness.api.shown import Page, html_table
from harness.base.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from harness.oof.asked import Combined, Compared, Wrong
    from harness.oof.forecast.forecast import Forecast as Found

Runs: TypeAlias = "FinishedRun | str | Path | Iterable[FinishedRun | str | Path] | None"
"""A run or several: as `harness.cv` gave them, or by name."""


class Comparison:
    """Runs side by side, the best first."""

    def __init__(self, contest: Contest, found: Compared) -> None:
        self.contest, self._found = contest, found

    @property
    def runs(self) -> pd.DataFrame:
        """By run: recipe, the leaderboard's metric pooled with its interval low to high, mean and std over folds, and what it took."""
        import pandas as pd

        rows = [
            {key: line[key] for key in ("run", "recipe")}
            | {key: line["metrics"][self._found.metrics[0]][key] for key in ("pooled", "low", "high", "mean", "std")}
            | {key: line[key] for key in ("folds", "complete", "camera", "seconds")}
            | {"same_rows": line["rows"] == "same"}
            for line in self._found.lines
        ]
        return pd.DataFrame(rows).set_index("run")

    @property
    def pairs(self) -> pd.DataFrame:
        """Every two runs on the same rows: difference with its interval, the paired test's p value, how their errors correlate."""
        import pandas as pd

        return pd.DataFrame(self._found.pairs)

    def report(self) -> Page:
        """compare.html."""
        return Page(self._found.page)

    def __repr__(self) -> str:
        return f"<{len(self._found.lines)} runs of {self.contest.slug} compared: {self._found.page}>"

    def _repr_html_(self) -> str:
        from harness.oof.compare.runs import comparison_table, pair_table

        header, rows = comparison_table(self._found.lines, self._found.metrics)
        shown = html_table(f"{self.contest.spec.title}: mean +- std over folds", header, rows, left=2)
        if self._found.paired is None:
            return shown
        return shown + html_table("two by two, on the same rows", *pair_table(self._found.paired), left=2)


class Errors:
    """Where a run is wrong."""

    def __init__(self, found: Wrong) -> None:
        self._found = found
        self.run, self.path = found.run, found.table

    @property
    def summary(self) -> dict[str, Any]:
        """What `python -m harness.oof errors --json` prints."""
        return self._found.summary()

    @property
    def rows(self) -> pd.DataFrame:
        """Every wrong or doubted row (errors.csv)."""
        import pandas as pd

        return pd.read_csv(self._found.table, dtype={"id": str}, keep_default_na=False)

    @property
    def classes(self) -> pd.DataFrame:
        """Every class, label, number or grade with its scores, as texts."""
        import pandas as pd

        header, rows = self._found.report.table()
        return pd.DataFrame(rows, columns=header)

    def report(self) -> Page:
        """errors.html."""
        return Page(self._found.page)

    def __repr__(self) -> str:
        return f"<errors of {self.run}: {self._found.report.headline}>"

    def _repr_html_(self) -> str:
        header, rows, left_out = self._found.report.short_table()
        foot = f"{left_out:,} more: {self._found.page}" if left_out else str(self._found.page)
        return html_table(f"{self.run}: {self._found.report.headline}", header, rows, foot=foot)


class Forecast:
    """The scores to expect on the leaderboard; `found` is all that is known of it."""

    def __init__(self, found: Found, page: Path) -> None:
        self.found, self._page = found, page

    @property
    def public(self) -> Score:
        """The public score to expect, with its 90 % interval."""
        return Score(self.found.metric, self.found.public.score, self.found.public.low, self.found.public.high)

    @property
    def private(self) -> Score | None:
        """The private score to expect, with its 90 % interval; None where there is none."""
        told = self.found.private
        return None if told is None else Score(self.found.metric, told.score, told.low, told.high)

    @property
    def notes(self) -> list[str]:
        """What to say besides: what could not be told, and why."""
        return list(self.found.notes)

    def report(self) -> Page:
        """forecast.html."""
        return Page(self._page)

    def __repr__(self) -> str:
        metric, value, low, high = self.public
        return f"<forecast of {self.found.run}: public {metric} {value:.4f}, 90 % interval {low:.4f} to {high:.4f}>"

    def _repr_html_(self) -> str:
        from harness.oof.forecast.report import forecast_lines

        rows = [[line] for line in forecast_lines(self.found)]
        return html_table(f"{self.found.run} ({self.found.kind})", [""], rows, foot=str(self._page))


class Ensemble(FinishedRun):
    """A saved ensemble, which is a run; and every way that was tried.

    Attributes
    ----------
    members : names of the runs; chosen : the way that was saved
    """

    def __init__(self, contest: Contest, found: Combined) -> None:
        super().__init__(contest, found.result.path.resolve())
        self._found = found
        self.members, self.chosen = list(found.result.members), found.result.chosen

    @property
    def methods(self) -> pd.DataFrame:
        """By way: the cross-fitted score with its interval, in sample, the gain over the mean and whether it is noise."""
        import pandas as pd

        rows = [
            {
                "method": r.method.name,
                "score": r.score,
                "low": r.low,
                "high": r.high,
                "in_sample": r.in_sample,
                "gain": r.gain,
                "gain_low": r.gain_low,
                "gain_high": r.gain_high,
                "is_noise": r.is_noise,
            }
            for r in self._found.result.all
        ]
        return pd.DataFrame(rows).set_index("method")

    def _repr_html_(self) -> str:
        result = self._found.result
        title = f"{self.contest.spec.title}: {len(self.members)} runs, {result.metric}; saved: {self.chosen}"
        return html_table(title, result.header, result.rows, foot=str(self.path))


@api_call
def compare(comp: AnyCompetition, runs: Runs = None, *, out: str | Path | None = None) -> Comparison:
    """Scores of finished runs with intervals; any two on the same rows by a paired test.

    runs : to compare; None = all finished ones

    Raises
    ------
    UserError
        If a named run is not there or has other rows, or there is none.
    """
    from harness.oof.asked import compare_runs

    contest = competition(comp)
    if contest.spec.is_clustering:
        raise UserError(
            f"harness.compare: '{contest.slug}' has no labels; its clusterings are compared by python -m harness.oof compare {contest.slug}"
        )
    return Comparison(contest, compare_runs(contest.spec, place(out), names_of(runs)))


@api_call
def errors(
    comp: AnyCompetition, run: FinishedRun | str | Path | None = None, *, out: str | Path | None = None
) -> Errors:
    """Where a run is wrong: classes, labels, grades or numbers, calibration, worst mistakes, labels in doubt.

    run : None = the best by OOF

    Raises
    ------
    UserError
        If there is no such run, or the competition has no labels.
    """
    from harness.oof.asked import errors_of

    contest = competition(comp)
    name = next(iter(names_of(run)), None)
    return Errors(errors_of(contest.spec, place(out), name, contest.where))


@api_call
def ensemble(
    comp: AnyCompetition,
    runs: Runs = None,
    *,
    best: int = 50,
    method: str | None = None,
    out: str | Path | None = None,
) -> Ensemble:
    """Combine runs every way there is, each scored on folds that it was not fitted on; the best is saved as a run.

    Parameters
    ----------
    runs : members; None = all that fit the best, `best` of them at most
    method : way to save; None = the best whose gain over the mean is no noise, else the mean

    Raises
    ------
    UserError
        If the runs do not belong together, or there is no such way.
    """
    from harness.oof.asked import combine_runs
    from harness.oof.compare.clusterings import refuse_clustering

    contest = competition(comp)
    refuse_clustering(contest.spec, "harness.ensemble")
    found = combine_runs(contest.spec, place(out), names_of(runs), best, method, contest.where)
    return Ensemble(contest, found)


@api_call
def forecast(comp: AnyCompetition, runs: Runs = None, *, out: str | Path | None = None) -> Forecast:
    """The public and private score to expect, with a 90 % interval, before a submission is spent.

    It needs the run's noise suite (`harness.cv(..., noise=True)`), or says what it cannot tell without.

    runs : a run or an ensemble; several: their mean; None = the best

    Raises
    ------
    UserError
        If there is no such run, its data are not there, or the competition has no labels.
    """
    from harness.oof.asked import forecast_of

    contest = competition(comp)
    made, page = forecast_of(contest.spec, place(out), names_of(runs), contest.where)
    return Forecast(made.found, page)
