"""How forecasts have fared: against leaderboards (from the ledger), and against corruptions that they had not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.competition import Competition
from harness.cv.noise.job import doubtful_corruptions
from harness.cv.scores import competition_metrics
from harness.oof.forecast.calibration import calibrate, known_rows, suite_cells
from harness.oof.forecast.inputs import forecast_inputs_of
from harness.oof.forecast.interval import LEVEL
from harness.oof.forecast.track_record import Past
from harness.runs import Run

_DRAWS = 4000


@dataclass(frozen=True)
class Fared:
    """Forecasts held against the truth.

    Attributes
    ----------
    of : a run's name, or "leaderboard"
    n : how many; covered : share inside the 90 % interval
    error : median absolute error of the forecast, in the metric; plain : of the plain OOF score
    """

    of: str
    n: int
    covered: float
    error: float
    plain: float


def on_leaderboards(past: Sequence[Past]) -> Fared | None:
    """The ledger's scored submissions that had a forecast; None where there is none."""
    told = [p for p in past if p.low is not None and p.high is not None and p.forecast is not None]
    if not told:
        return None
    public = np.array([p.public for p in told])
    low, high = np.array([p.low for p in told]), np.array([p.high for p in told])
    inside = (low <= public) & (public <= high)
    error = np.abs(public - [p.forecast for p in told])
    plain = np.abs(public - [p.cv for p in told])
    return Fared("leaderboard", len(told), float(np.mean(inside)), float(np.median(error)), float(np.median(plain)))


def on_corruptions(competition: Competition, run: Run) -> Fared | None:
    """Each corruption x severity forecast by a calibration without that corruption; None where the suite was not run, or too few of
    its corruptions have a score (an AUC of rows without a positive one) for one to be told by others."""
    subject = forecast_inputs_of(run)
    if subject.suite is None:
        return None
    metric = competition_metrics(competition)[0]
    cells = suite_cells(known_rows(subject, metric, subject.suite), subject)
    cells = cells.without({"class shares", *doubtful_corruptions(competition, subject.suite.names)})
    rng, inside, errors = np.random.default_rng(0), [], []
    for name in cells.corruptions:
        others = cells.without({name})
        if not others.corruptions:
            continue
        for place in np.flatnonzero(cells.names == name):
            calibration = calibrate(others, looks=cells.looks[place])
            draws = calibration.draws(calibration.fall(cells.said[place]), _DRAWS, rng)
            low, middle, high = np.quantile(draws, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
            inside.append(low <= cells.truth[place] <= high)
            errors.append(abs(middle - cells.truth[place]))
    if not inside:
        return None
    plain = float(np.median(np.abs(cells.truth)))
    return Fared(run.name, len(inside), float(np.mean(inside)), float(np.median(errors)), plain)


def track_record_table(found: Sequence[Fared]) -> tuple[list[str], list[list[str]]]:
    """Header and rows."""
    rows = [[f.of, f"{f.n:,}", f"{100 * f.covered:.0f} %", f"{f.error:.5f}", f"{f.plain:.5f}"] for f in found]
    return ["forecasts", "n", f"inside the {100 * LEVEL:.0f} % interval", "median error", "plain OOF's"], rows


def past_table(past: Sequence[Past]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: each scored submission, oldest first."""
    rows: list[list[Any]] = []
    for p in past:
        interval = inside = ""
        if p.forecast is not None and p.low is not None and p.high is not None:
            interval = f"{p.forecast:.5f} [{p.low:.5f}, {p.high:.5f}]"
            inside = "inside" if p.low <= p.public <= p.high else "OUTSIDE"
        rows.append(
            [
                p.run,
                f"{p.cv:.5f}",
                interval or "none",
                f"{p.public:.5f}",
                inside,
                f"{p.public - p.cv:+.5f}",
            ]
        )
    return ["submission", "CV", "forecast [90 %]", "public", "", "public - CV"], rows
