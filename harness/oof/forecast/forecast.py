"""What will these test predictions score? A public and a private score, each with a 90 % interval and its parts.

    score = OOF - fall + gain of averaging, each with its spread, plus the luck of a test set of that size

The fall is zero where the test images look like the training images to a model. It comes from estimators that need no
labels, weighed and judged on the noise suite (`harness.oof.forecast.calibration`). Where the test is hidden it is drawn from a
mixture of scenarios that is written down here. Past submissions pull the forecast towards what was seen before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from harness.competition import Competition
from harness.competition.metrics import Metric
from harness.cv.noise.job import doubtful_corruptions
from harness.cv.scores import competition_metrics
from harness.oof.forecast.calibration import Calibration, Cells, calibrate, known_rows, suite_cells
from harness.oof.forecast.domain_shift import Shift, detect_shift
from harness.oof.forecast.estimators import (
    ESTIMATORS,
    Known,
    Unknown,
    class_weights,
    disagreement,
    drops,
    gain_of_averaging,
    importance_drop,
)
from harness.oof.forecast.image_statistics import Looks
from harness.oof.forecast.inputs import ForecastInputs
from harness.oof.forecast.track_record import History, Past

LEVEL = 0.90
"""Of the interval."""

MIXTURE = {
    "as in training": (0.50, None, ()),
    "mild (severities 1 and 2)": (0.25, None, (1, 2)),
    "another camera (camera, handheld)": (0.15, ("camera", "handheld"), (1, 2, 3, 4, 5)),
    "strong (severities 3 to 5)": (0.10, None, (3, 4, 5)),
}
"""Scenario of a hidden test: its weight, its corruptions (None: all) and severities. Our guess, not a measurement."""

_DRAWS = 20_000
_BOUNDED = 1.0  # every metric by name but the log loss lies in [0, 1]


@dataclass(frozen=True)
class Range:
    """A forecast score: its median, a 90 % interval, and the number of rows it is of (0: not known)."""

    score: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Forecast:
    """A forecast and how it came about.

    Attributes
    ----------
    run, metric, greater_is_better
    oof : {"score", "low", "high"}: what the run measured, with its 95 % interval
    public, private : private is None where competition.toml knows of none
    kind : "test images", "test predictions" (no images at hand), "hidden test" or "sampling only" (no noise suite)
    fall : expected, positive: worse; gain : of averaging the fold models
    estimators : fall by each estimator
    rule, rule_error : what was trusted, and its mean absolute error on corruptions left out; None without a suite
    shift : {"auc", "low", "high", "telling"} of the images; None where there are none
    disagreement : of the fold models on the test; None where it is hidden
    shares : {class: (in training, expected in the test)}; empty where the test is hidden
    scenarios : {name: {"weight", "score", "worst"}} for a hidden test
    history : what past submissions said, None where there are too few
    notes : what to say besides
    """

    run: str
    metric: str
    greater_is_better: bool
    oof: dict[str, float]
    public: Range
    private: Range | None
    kind: str
    fall: float
    gain: float
    estimators: dict[str, float]
    rule: str | None
    rule_error: float | None
    shift: dict[str, Any] | None
    disagreement: float | None
    shares: dict[str, tuple[float, float]]
    scenarios: dict[str, dict[str, float]]
    history: dict[str, float] | None
    notes: list[str]

    def summary(self) -> dict[str, Any]:
        """For --json and the ledger."""
        return asdict(self)


def forecast(
    competition: Competition,
    subject: ForecastInputs,
    *,
    looks: Looks | None = None,
    past: Sequence[Past] = (),
    test_rows: int = 0,
    cells: Cells | None = None,
) -> tuple[Forecast, Shift | None]:
    """Forecast a run's score on the test; returns the shift between the images beside it, for images of it.

    Parameters
    ----------
    looks : image statistics; without them the images are not compared
    past : earlier submissions with their scores
    test_rows : size of a hidden test, where it is known
    cells : what `suite_cells` found, where it is at hand already
    """
    metric = competition_metrics(competition)[0]
    known = _known(subject, metric, looks)
    shift = detect_shift(looks.train, looks.test) if looks else None
    seen = bool(subject.test_folds)
    said = _said(known, subject.test_folds, shift, subject.pseudo) if seen else None
    cells, calibration = _calibrated(competition, subject, metric, said, cells)
    rng = np.random.default_rng(0)
    apart = disagreement(subject.test_folds)
    falls, scenarios = _falls(said, _least_fall(subject, known, apart), calibration, cells, known, rng)
    single = known.score - known.sign * float(np.median(falls))
    vote = competition.kind.vote if subject.by_vote else None
    gain = gain_of_averaging(metric, subject.test_folds, single, vote)
    n_test = len(subject.test_folds[0]) if seen else test_rows
    draws = _error_of_oof(subject, metric, rng) - known.sign * falls + known.sign * gain * rng.normal(1, 0.5, _DRAWS)
    history = History.of(past, competition.slug, metric.name)
    if history:
        draws = history.pull(draws, known.score, rng)
    public_rows, private_rows = competition.leaderboard.rows(n_test)
    notes = _notes(subject, calibration, looks, shift, seen)
    return (
        Forecast(
            run=subject.name,
            metric=metric.name,
            greater_is_better=metric.greater_is_better,
            oof={key: subject.scores["metrics"][metric.name][of] for key, of in _OOF.items()},
            public=_range(draws, public_rows, subject, metric, rng),
            private=_range(draws, private_rows, subject, metric, rng) if private_rows is not None else None,
            kind=_kind(seen, calibration, looks),
            fall=float(np.median(falls)),
            gain=gain,
            estimators={} if said is None else {n: float(s) for n, s in zip(ESTIMATORS, said, strict=True) if s == s},
            rule=calibration.rule if calibration else None,
            rule_error=calibration.error if calibration else None,
            shift=None if shift is None else _described(shift),
            disagreement=apart,
            shares=_shares(competition, known, subject.test_folds),
            scenarios=scenarios,
            history=history.summary() if history else None,
            notes=notes,
        ),
        shift,
    )


_OOF = {"score": "pooled", "low": "low", "high": "high"}


def _calibrated(
    competition: Competition, subject: ForecastInputs, metric: Metric, said: np.ndarray | None, cells: Cells | None
) -> tuple[Cells | None, Calibration | None]:
    """The noise suite's cells that leave labels as they are, and the rule that is best on them; None without a suite."""
    if subject.suite is None:
        return None, None
    if cells is None:
        cells = suite_cells(known_rows(subject, metric, subject.suite), subject.suite)
    cells = cells.without(set(doubtful_corruptions(competition, subject.suite.names)))
    return cells, calibrate(cells, None if said is None else np.isfinite(said))


def _least_fall(subject: ForecastInputs, known: Known, apart: float | None) -> float:
    """The fold models err at least about as often as they disagree; that bounds accuracy only, and only on unseen rows."""
    if apart is None or known.metric.name != "accuracy" or subject.pseudo:
        return -np.inf
    return apart - (1 - known.accuracy)


def _known(subject: ForecastInputs, metric: Metric, looks: Looks | None) -> Known:
    scored = subject.scored
    described = np.searchsorted(scored, looks.train_rows) if looks else np.zeros(0, dtype=int)
    return Known(metric, subject.labels[scored], subject.oof[scored], described)


def _said(known: Known, folds: list[np.ndarray], shift: Shift | None, pseudo: bool) -> np.ndarray:
    """float (E,): what each estimator says of the fall, mean over the fold models; NaN where it lacks what it needs."""
    weights = shift.weights if shift else None
    if pseudo:  # the fold models were trained on some of these rows: what they say of them is no forecast
        known_only = Unknown(folds[0], weights)
        return np.array([importance_drop(known, known_only) if name == "importance" else np.nan for name in ESTIMATORS])
    return np.mean([drops(known, Unknown(proba, weights)) for proba in folds], axis=0)


def _falls(
    said: np.ndarray | None,
    at_least: float,
    calibration: Calibration | None,
    cells: Cells | None,
    known: Known,
    rng: Any,
) -> tuple[np.ndarray, dict[str, dict[str, float]]]:
    """Draws (_DRAWS,) of the fall, and the scenario table of a hidden test.

    at_least : the fold models err at least about as often as they disagree
    """
    if calibration is None or cells is None:
        return np.zeros(_DRAWS), {}
    if said is not None:
        fall = max(calibration.fall(said), at_least)
        return calibration.draws(fall, _DRAWS, rng), {}
    drawn, table = [], {}
    for name, (weight, corruptions, severities) in MIXTURE.items():
        falls = _cells_of(cells, corruptions, severities)
        drawn.append(rng.choice(falls, round(weight * _DRAWS)))
        scores = known.score - known.sign * falls
        worst = scores.min() if known.sign > 0 else scores.max()
        table[name] = {"weight": weight, "score": float(scores.mean()), "worst": float(worst)}
    falls = np.concatenate(drawn)
    return rng.permutation(np.resize(falls, _DRAWS)), table


def _cells_of(cells: Cells, corruptions: tuple[str, ...] | None, severities: tuple[int, ...]) -> np.ndarray:
    """Falls (c,) of a scenario; of none severities: no fall."""
    chosen = np.isin(cells.severities, severities) & (cells.names != "class shares")
    if corruptions:
        chosen &= np.isin(cells.names, corruptions)
    return cells.truth[chosen] if chosen.any() else np.zeros(1)


def _error_of_oof(subject: ForecastInputs, metric: Metric, rng: Any) -> np.ndarray:
    """Draws (_DRAWS,) of what the model is worth on endlessly many rows like the training rows."""
    found = subject.scores["metrics"][metric.name]
    return rng.normal(found["pooled"], max(_standard_error(found), 0.5 / max(len(subject.scored), 1)), _DRAWS)


def _standard_error(found: dict[str, float]) -> float:
    return (found["high"] - found["low"]) / (2 * 1.96)


def _range(draws: np.ndarray, rows: int, subject: ForecastInputs, metric: Metric, rng: Any) -> Range:
    """Add the luck of a test set of so many rows, and take the middle and the interval."""
    lucky = _bounded(draws, metric)
    if rows:
        found = subject.scores["metrics"][metric.name]
        error = _standard_error(found) * np.sqrt(len(subject.scored) / rows)
        if metric.greater_is_better and not metric.name.startswith(
            "custom"
        ):  # a proportion: its spread follows its size
            error = error * np.sqrt(lucky * (1 - lucky) / max(found["pooled"] * (1 - found["pooled"]), 1e-4))
        if metric.of_tally:  # no fewer than coins would have, also where OOF is without a mistake
            error = np.maximum(error, np.sqrt(lucky * (1 - lucky) / rows))
        lucky = _bounded(lucky + rng.normal(0, 1, _DRAWS) * error, metric)
    low, middle, high = np.quantile(lucky, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    return Range(float(middle), float(low), float(high), rows)


def _bounded(draws: np.ndarray, metric: Metric) -> np.ndarray:
    if metric.name.startswith("custom"):
        return draws
    return np.clip(draws, 0, _BOUNDED if metric.greater_is_better else None)


def _kind(seen: bool, calibration: Calibration | None, looks: Looks | None) -> str:
    if calibration is None:
        return "sampling only"
    if not seen:
        return "hidden test"
    return "test images" if looks else "test predictions"


def _described(shift: Shift) -> dict[str, Any]:
    telling = [{"statistic": n, "auc": a, "difference": d} for n, a, d in shift.telling[:5]]
    return {"auc": shift.auc, "low": shift.low, "high": shift.high, "telling": telling}


def _shares(competition: Competition, known: Known, folds: list[np.ndarray]) -> dict[str, tuple[float, float]]:
    """Share of each class in training, and as it must be in the test for the predictions to be as they are."""
    if not folds:
        return {}
    here = np.bincount(known.labels, minlength=len(competition.classes)) / len(known.labels)
    there = here * class_weights(known, np.mean(folds, axis=0))
    there = there / there.sum()
    return {name: (float(here[i]), float(there[i])) for i, name in enumerate(competition.classes)}


def _notes(
    subject: ForecastInputs, calibration: Calibration | None, looks: Looks | None, shift: Shift | None, seen: bool
) -> list[str]:
    found: list[str] = []
    found += subject.caveats
    if subject.pseudo:
        found.append(
            "its models learnt from confident test rows, so that what they say of the test tells nothing about it: only the "
            "images do"
        )
    if calibration is None:
        cure = (
            "its members took no suite on the same rows: run harness.cv --noise for each with the same --noise-rows, then "
            "make the ensemble again"
            if subject.is_blend
            else "run harness.cv again with --noise; what stands is not trained again"
        )
        found.append(
            "the noise suite was not run: the interval is of sampling only, as if the test were like the training set; "
            + cure
        )
    if not seen:
        found.append(
            "the test is hidden: the fall comes from a mixture of scenarios that is our guess, not a measurement"
        )
    if shift is not None and shift.is_seen:
        name, auc, difference = shift.telling[0]
        found.append(
            f"the test images can be told from the training images (AUC {shift.auc:.2f}); most by: {name} "
            f"({difference:+.2f} standard deviations, AUC {auc:.2f} alone)"
        )
    if not subject.scores["complete"]:
        found.append("only some folds are trained: the score is of their rows, and fewer models are averaged")
    return found
