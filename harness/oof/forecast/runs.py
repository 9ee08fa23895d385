"""Forecasts of finished runs and of their blends: what `harness.oof` and `harness.submit` call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.competition import Competition
from harness.data.cache import Dataset
from harness.data.dataset import load_dataset
from harness.oof.ensemble.blend import (
    blend_name,
    check_same_data,
    mean_of_probabilities,
    named_or_best,
)
from harness.oof.ensemble.methods import mean
from harness.oof.forecast.domain_shift import Shift
from harness.oof.forecast.forecast import Forecast, forecast
from harness.oof.forecast.inputs import ForecastInputs, Looks, blended, forecast_inputs_of, look_at
from harness.oof.forecast.report import write_forecast
from harness.oof.forecast.track_record import Past
from harness.runs import Run, load_run
from harness.runs.probability_tables import LARGE, is_large


@dataclass(frozen=True)
class Forecasting:
    """A forecast with what its page shows.

    Attributes
    ----------
    test : float (t, C), the fold models' mean of the test; None where it is hidden
    """

    found: Forecast
    shift: Shift | None
    looks: Looks | None
    test: np.ndarray | None = None

    def write(self, path: Path, competition: Competition, dataset: Dataset) -> Path:
        """Write the page; returns its path."""
        write_forecast(path, competition, self.found, self.shift, self.looks, dataset, self.test)
        return path


def forecast_runs(
    competition: Competition, runs: Sequence[Run], dataset: Dataset, past: Sequence[Past] = ()
) -> Forecasting:
    """Forecast a run, or the mean of several, on the dataset's test.

    Raises
    ------
    UserError
        If a run was trained on other data, the runs do not belong together, or they are too large.
    """
    for run in runs:
        check_same_data(run, dataset)
    refuse_large(runs[0])
    subject = _subject(competition, runs)
    looks = look_at(dataset, subject.scored) if subject.test_folds else None
    found, shift = forecast(competition, subject, looks=looks, past=past)
    test = np.mean(subject.test_folds, axis=0) if subject.test_folds else None
    return Forecasting(found, shift, looks, test)


def refuse_large(run: Run) -> None:
    """Refuse a run of more probabilities than the estimators are made for (UserError): they copy them many times over."""
    if is_large(*run.oof.shape):
        raise UserError(
            f"run '{run.name}': no forecast of {run.oof.size:,} probabilities ({run.oof.shape[0]:,} rows, {run.oof.shape[1]:,} classes), "
            f"which are more than its estimators are made for ({LARGE:,}); its OOF score stands"
        )


def _subject(competition: Competition, runs: Sequence[Run]) -> ForecastInputs:
    if len(runs) == 1:
        return forecast_inputs_of(runs[0])
    blend = mean_of_probabilities(runs, competition)
    return blended(blend_name(blend.members), [forecast_inputs_of(run) for run in runs], mean, blend.oof, blend.scores)


def forecast_saved(
    competition: Competition,
    out: Path,
    names: Sequence[str],
    where: DataOptions,
    past: Sequence[Past] = (),
) -> tuple[Forecasting, Path]:
    """Forecast runs by name (default: the best one) on the data they were trained on, and write forecast.html.

    Raises
    ------
    UserError
        If there is no such run, or its data are not there.
    """
    runs = [load_run(path) for path in named_or_best(competition, out, names, where)]
    refuse_large(runs[0])  # before the data are read
    chosen = competition.using(runs[0].recipe.data)
    dataset = run_data(competition, runs[0], where)
    forecasting = forecast_runs(chosen, runs, dataset, past)
    folder = runs[0].path if len(runs) == 1 else out / "oof" / competition.slug
    name = "forecast.html" if len(runs) == 1 else f"forecast-{forecasting.found.run}.html"
    return forecasting, forecasting.write(folder / name, chosen, dataset)


def run_data(competition: Competition, run: Run, where: DataOptions) -> Dataset:
    """The data that a run was trained on.

    Raises
    ------
    UserError
        If they are not there, or other ones are.
    """
    sample = run.environment["data"]["is_sample"]
    chosen = competition.using(run.recipe.data)
    dataset = load_dataset(chosen, where.root, sample=sample, skip_broken=where.skip_broken, stream=where.stream)
    check_same_data(run, dataset)
    return dataset
