"""The interval of a forecast: errors of the OOF score, the luck of a test set, and falls that nothing has measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.competition.metrics import Metric
from harness.oof.forecast.domain_shift import Shift
from harness.oof.forecast.estimators import Known
from harness.oof.forecast.inputs import ForecastInputs

LEVEL = 0.90
"""Of the interval."""

DRAWS = 20_000
"""Scores that the interval is taken from."""

UNMEASURED = {"harmless": 0.50, "between": 0.25, "blind": 0.25}
"""What a shift that nothing has measured does, and how likely: no more than the estimators say; anything between; all there is to lose.
Our guess, as the weights of `MIXTURE` are."""

_RESAMPLES = 400


@dataclass(frozen=True)
class Range:
    """A forecast score: its median, a 90 % interval, and the number of rows it is of (0: not known)."""

    score: float
    low: float
    high: float
    rows: int


def error_of_oof(subject: ForecastInputs, known: Known, rng: Any) -> np.ndarray:
    """Draws (DRAWS,) of what the model is worth on endlessly many rows like the training rows."""
    found = subject.scores["metrics"][known.metric.name]
    least = 0.5 / max(len(subject.scored), 1) * known.unit
    return np.asarray(rng.normal(found["pooled"], max(_standard_error(found), least), DRAWS))


def unmeasured_falls(known: Known, shift: Shift, blind: float, hint: float, at_least: float, rng: Any) -> np.ndarray:
    """Draws (DRAWS,) of the fall where images differ and no noise suite says what that costs.

    On the share of the test images that may have no like among the training images (`Shift.apart`) the model is worth something between
    its OOF score and what its test predictions score if they have nothing to do with the images (`blind`): in one half of the draws
    what the estimators say by themselves, in a quarter anything between, evenly, in a quarter nothing (`UNMEASURED`). Never less than `at_least`, since the fold
    models disagree.

    blind : see `blind_score`
    hint : the fall by the estimators that speak in the metric itself, not calibrated
    """
    deepest = shift.apart * max(known.sign * (known.score - blind), 0.0)
    scenario, between = rng.choice(3, DRAWS, p=list(UNMEASURED.values())), rng.uniform(0, deepest, DRAWS)
    falls = np.choose(scenario, [np.clip(hint, 0, deepest), between, deepest])
    return np.maximum(falls, max(at_least, 0.0))


def within_shift(falls: np.ndarray, known: Known, shift: Shift, blind: float) -> np.ndarray:
    """Falls (DRAWS,) no deeper than the shift of the images lets them be, and gains no higher: on the share of the images that may have no
    like among the training images (`Shift.at_most`) the model scores no less than predictions that see nothing do. Where many
    images cannot be told apart next to nothing is left: the forecast is OOF.

    blind : see `blind_score`
    """
    deepest = shift.at_most * max(known.sign * (known.score - blind), 0.0)
    return np.clip(falls, -deepest, deepest)


def blind_score(known: Known, said: np.ndarray, rng: Any) -> float:
    """What the test predictions (t, K), as the metric judges them, score on the targets of other images; no better than chance out of fold.

    It knows how a model fails there: one that gives no label at all, or numbers far off, scores less than chance does out of fold.
    """
    drawn = [known.metric(known.labels[rng.integers(0, len(known.labels), len(said))], said) for _ in range(10)]
    drawn = [score for score in drawn if np.isfinite(score)]
    scores = [known.by_chance, *([float(np.mean(drawn))] if drawn else [])]
    return min(scores, key=lambda score: known.sign * score)


def range_of(draws: np.ndarray, rows: int, subject: ForecastInputs, known: Known, rng: Any) -> Range:
    """Add the luck of a test set of so many rows, and take the middle and the interval.

    A share of right answers has the luck of the OOF score at that size, as its own size asks; any other metric that of a bootstrap of the
    OOF rows at that size, in whole groups; a loss in proportion to its size.
    """
    metric = known.metric
    lucky = bounded(draws, metric)
    if rows and (metric.is_share or metric.name.startswith("custom")):
        found = subject.scores["metrics"][metric.name]
        error = _standard_error(found) * np.sqrt(len(subject.scored) / rows)
        if metric.is_share:  # a proportion: its spread follows its size
            error = error * np.sqrt(lucky * (1 - lucky) / max(found["pooled"] * (1 - found["pooled"]), 1e-4))
        if metric.of_tally:  # no fewer than coins would have, also where OOF is without a mistake
            error = np.maximum(error, np.sqrt(lucky * (1 - lucky) / rows))
        lucky = bounded(lucky + rng.normal(0, 1, DRAWS) * error, metric)
    elif rows:
        off = luck(known, subject.folds.groups[subject.scored], rows, rng)
        size = lucky / known.score if not metric.greater_is_better and known.score > 0 else 1.0
        lucky = bounded(lucky + rng.choice(off, DRAWS) * size, metric)
    low, middle, high = np.quantile(lucky, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    return Range(float(middle), float(low), float(high), rows)


def luck(known: Known, groups: np.ndarray, rows: int, rng: Any) -> np.ndarray:
    """float (r,): the metric of resamples of about so many rows, drawn as whole groups, less that of all rows."""
    _, of_row = np.unique(groups, return_inverse=True)
    n_groups = int(of_row.max()) + 1
    drawn = max(round(n_groups * rows / len(of_row)), 1)
    scorer = known.metric.prepare(known.labels, known.said)
    value = getattr(scorer, "resampled", scorer)
    taken = (np.bincount(rng.integers(n_groups, size=drawn), minlength=n_groups)[of_row] for _ in range(_RESAMPLES))
    values = np.array([value(weights.astype(np.float64)) for weights in taken if weights.any()])
    values = values[np.isfinite(values)]
    return values - known.score if len(values) else np.zeros(1)


def _standard_error(found: dict[str, float]) -> float:
    return (found["high"] - found["low"]) / (2 * 1.96)


def bounded(draws: np.ndarray, metric: Metric) -> np.ndarray:
    """Draws within what the metric can be."""
    return np.clip(draws, *metric.bounds)
