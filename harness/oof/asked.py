"""What `harness.oof` is asked for, by a command or from Python: each question with its answer and the page that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.base.progress import LineWatcher
from harness.competition import Competition

if TYPE_CHECKING:
    from harness.ledger import Ledger
    from harness.oof.compare.runs import Paired
    from harness.oof.ensemble.build import EnsembleResult
    from harness.oof.errors.report import ErrorReport
    from harness.oof.forecast.runs import Forecasting
    from harness.oof.forecast.track_record import Past


@dataclass(frozen=True)
class Compared:
    """Runs side by side.

    Attributes
    ----------
    lines : what `comparison` says of each run, the best first; metrics : names, the leaderboard's first
    paired : every two of them on the same rows; None where no two have the same
    page : compare.html
    """

    lines: list[dict[str, Any]]
    metrics: list[str]
    paired: Paired | None
    page: Path

    @property
    def pairs(self) -> list[dict[str, Any]]:
        """Every two runs by their names: difference with its interval, the paired test."""
        paired = self.paired
        if paired is None:
            return []
        return [{**vars(p), "first": paired.names[p.first], "second": paired.names[p.second]} for p in paired.pairs]

    def summary(self) -> dict[str, Any]:
        """For --json."""
        return {"runs": self.lines, "pairs": self.pairs, "page": str(self.page)}


def compare_runs(
    contest: Competition, out: Path, names: Sequence[str], watcher: LineWatcher, where: DataOptions | None = None
) -> Compared:
    """Compare the named runs, or all finished ones (of the sample or data set that `where` names), and write the page.

    Raises
    ------
    UserError
        If a named run is not there or has other rows, or there is none.
    """
    from harness.cv.scores import competition_metrics
    from harness.oof.compare.runs import comparison, paired_runs, write_comparison

    lines = comparison(contest, out, names, where or DataOptions())
    metrics = [m.name for m in competition_metrics(contest)]
    page = out / "oof" / contest.slug / "compare.html"
    with watcher.waiting("comparing runs two by two"):
        paired = paired_runs(contest, out, lines, named=bool(names))
        write_comparison(page, contest, lines, metrics, paired)
    return Compared(lines, metrics, paired, page)


@dataclass(frozen=True)
class Wrong:
    """Where a run is wrong.

    Attributes
    ----------
    run : its name; page, table : errors.html and errors.csv
    without_images : why the page shows none; "" where it does
    """

    run: str
    report: ErrorReport
    page: Path
    table: Path
    without_images: str

    def summary(self) -> dict[str, Any]:
        """For --json."""
        return {"run": self.run, **self.report.summary(), "page": str(self.page), "table": str(self.table)}


def errors_of(contest: Competition, out: Path, run: str | None, where: DataOptions, watcher: LineWatcher) -> Wrong:
    """Look at the errors of a run, or of the best by OOF, and write errors.html and errors.csv into its folder.

    Raises
    ------
    UserError
        If there is no such run, or the competition has no labels.
    """
    from harness.oof.compare.clusterings import refuse_clustering
    from harness.oof.ensemble.blend import named_or_best
    from harness.oof.errors.by_task import report_of
    from harness.oof.errors.report import write_errors_csv, write_errors_page
    from harness.oof.forecast.runs import run_data
    from harness.runs import load_run

    refuse_clustering(contest, "harness.oof errors")
    chosen = load_run(named_or_best(contest, out, [run] if run else [], where)[0])
    page, table = chosen.path / "errors.html", chosen.path / "errors.csv"
    dataset, why = None, ""
    with watcher.waiting("looking at the errors, writing the page"):
        report = report_of(chosen)
        try:
            dataset = run_data(contest, chosen, where)
        except UserError as error:
            why = str(error).split("\n")[0]
        write_errors_page(page, contest, report, dataset, why)
        write_errors_csv(table, report)
    return Wrong(chosen.name, report, page, table, why)


@dataclass(frozen=True)
class Combined:
    """A saved ensemble with its forecast; without_forecast : why there is none, "" where there is one."""

    result: EnsembleResult
    forecast: Forecasting | None
    without_forecast: str

    def summary(self) -> dict[str, Any]:
        """For --json."""
        return {**self.result.summary(), "forecast": self.forecast.found.summary() if self.forecast else None}


def combine_runs(
    contest: Competition,
    out: Path,
    names: Sequence[str],
    best: int,
    method: str | None,
    where: DataOptions,
    watcher: LineWatcher,
) -> Combined:
    """Combine runs, save the best way as a run, and forecast it where that can be done.

    Raises
    ------
    UserError
        If the runs do not belong together, or there is no such way.
    """
    from harness.oof.ensemble.build import build_ensemble
    from harness.oof.forecast.runs import forecast_saved

    result = build_ensemble(contest, out, names, best, method, where, watcher)
    try:
        with watcher.waiting("forecasting the ensemble"):
            made, _ = forecast_saved(contest, out, [result.path.name], where, _past(out))
    except UserError as error:
        return Combined(result, None, str(error).split("\n")[0])
    return Combined(result, made, "")


def forecast_of(
    contest: Competition, out: Path, names: Sequence[str], where: DataOptions, watcher: LineWatcher
) -> tuple[Forecasting, Path]:
    """Forecast the named runs' mean, or the best run, and write the page; returns its path too.

    Raises
    ------
    UserError
        If there is no such run, its data are not there, or the competition has no labels.
    """
    from harness.oof.compare.clusterings import refuse_clustering
    from harness.oof.forecast.runs import forecast_saved

    refuse_clustering(contest, "harness.oof forecast")
    with watcher.waiting("forecasting"):
        return forecast_saved(contest, out, names, where, _past(out))


def _past(out: Path) -> Sequence[Past]:
    """What submissions of every competition have taught."""
    from harness.ledger import open_ledger
    from harness.oof.forecast.track_record import past_of

    ledger: Ledger = open_ledger(out)
    return past_of(ledger.entries())
