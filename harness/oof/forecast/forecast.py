"""What will these test predictions score? A public and a private score, each with a 90 % interval and its parts.

    score = OOF - fall + gain of averaging, each with its spread, plus the luck of a test set of that size

The fall is about zero where nobody can tell many test images from the training images. It comes from estimators that need no
labels, weighed and judged on the noise suite (`harness.oof.forecast.calibration`). Where the test is hidden it is drawn from a
mixture of scenarios that is written down here. Past submissions pull the forecast towards what was seen before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from harness.base.untrusted_text import counted
from harness.competition import Competition
from harness.competition.metrics import Metric
from harness.cv.noise.job import doubtful_corruptions
from harness.cv.scores import competition_metrics
from harness.oof.forecast.calibration import (
    Calibration,
    Cells,
    calibrate,
    known_of,
    known_rows,
    suite_cells,
)
from harness.oof.forecast.domain_shift import Shift, detect_shift, displacement
from harness.oof.forecast.estimators import (
    ESTIMATORS,
    Known,
    Unknown,
    Vote,
    domain_drop,
    drops,
    gain_of_averaging,
    importance_drop,
)
from harness.oof.forecast.inputs import ForecastInputs, Looks
from harness.oof.forecast.interval import (
    DRAWS,
    Range,
    blind_score,
    error_of_oof,
    range_of,
    unmeasured_falls,
    within_shift,
)
from harness.oof.forecast.track_record import History, Past

MIXTURE = {
    "as in training": (0.50, None, ()),
    "mild (severities 1 and 2)": (0.25, None, (1, 2)),
    "another camera (camera, handheld)": (0.15, ("camera", "handheld"), (1, 2, 3, 4, 5)),
    "strong (severities 3 to 5)": (0.10, None, (3, 4, 5)),
}
"""Scenario of a hidden test: its weight, its corruptions (None: all) and severities. Our guess, not a measurement."""

IN_METRIC = ("confidence", "prior", "importance")
"""Estimators whose number is a fall of the metric itself."""

_LOUD = 0.5  # of the test images may be without their like (AUC 0.75): a forecast that nobody should go by


Measured = tuple[Shift | None, np.ndarray | None]
"""See `measure`."""


@dataclass(frozen=True)
class Forecast:
    """A forecast and how it came about.

    Attributes
    ----------
    run, metric, greater_is_better
    oof : {"score", "low", "high"}: what the run measured, with its 95 % interval
    public, private : private is None where competition.toml knows of none
    kind : "test images", "test predictions" (no images at hand), "hidden test", or without a noise suite "sampling only", or
        "unmeasured shift" where the images differ
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
    measured: Measured | None = None,
) -> tuple[Forecast, Shift | None]:
    """Forecast a run's score on the test; returns the shift between the images beside it, for images of it.

    Parameters
    ----------
    looks : image statistics; without them the images are not compared
    past : earlier submissions with their scores
    test_rows : size of a hidden test, where it is known
    cells : what `suite_cells` found, where it is at hand already
    measured : what `measure` found, where it is at hand already
    """
    metric = competition_metrics(competition)[0]
    known = known_of(subject, metric, looks.train_rows if looks else np.zeros(0, dtype=int))
    seen = bool(subject.test_folds)
    shift, said = measured or measure(known, subject, looks)
    cells, calibration = _calibrated(competition, subject, metric, said, looks, cells)
    rng = np.random.default_rng(0)
    apart = known.kind.apart(subject.test_folds)
    fall = _fall(subject, known, shift, said, calibration, cells, rng)
    single = known.score - known.sign * float(np.median(fall.draws))
    gain, give_or_take = _gain(subject, known, single, competition.kind.vote if subject.by_vote else None)
    draws = _scores(subject, known, fall, gain, give_or_take, rng)
    history = History.of(past, competition.slug, metric.name)
    if history:
        draws = history.pull(draws, known.score, rng)
    public_rows, private_rows = competition.leaderboard.rows(len(subject.test_folds[0]) if seen else test_rows)
    notes = _notes(subject, metric, calibration, shift, fall.blind, seen)
    if known.kind.unsaid:
        notes.append(f"left out with so many classes: {known.kind.unsaid}, which compare all pairs of them")
    if give_or_take:
        notes.append(
            f"what averaging the fold models gains cannot be told: taken as 0, give or take {give_or_take:.4f}"
        )
    return (
        Forecast(
            run=subject.name,
            metric=metric.name,
            greater_is_better=metric.greater_is_better,
            oof={key: subject.scores["metrics"][metric.name][of] for key, of in _OOF.items()},
            public=range_of(draws, public_rows, subject, known, rng),
            private=range_of(draws, private_rows, subject, known, rng) if private_rows is not None else None,
            kind=_kind(seen, calibration, looks, shift),
            fall=float(np.median(fall.draws)),
            gain=gain,
            estimators={} if said is None else {n: float(s) for n, s in zip(ESTIMATORS, said, strict=True) if s == s},
            rule=calibration.rule if calibration else None,
            rule_error=calibration.error if calibration else None,
            shift=None if shift is None else _described(shift),
            disagreement=apart,
            shares=_shares(competition, known, subject.test_folds),
            scenarios=fall.scenarios,
            history=history.summary() if history else None,
            notes=notes,
        ),
        shift,
    )


def measure(known: Known, subject: ForecastInputs, looks: Looks | None) -> Measured:
    """The shift between the images, and float (E,): what each estimator says of the fall on the test; None where there is none."""
    shift = detect_shift(looks.train, looks.test, subject.folds.groups[looks.train_rows]) if looks else None
    return shift, _said(known, subject, shift) if subject.test_folds else None


_OOF = {"score": "pooled", "low": "low", "high": "high"}


def _calibrated(
    competition: Competition,
    subject: ForecastInputs,
    metric: Metric,
    said: np.ndarray | None,
    looks: Looks | None,
    cells: Cells | None,
) -> tuple[Cells | None, Calibration | None]:
    """The noise suite's cells that leave labels as they are, and the rule that is best on them; None without a suite, and where the metric
    is not defined on any cell (an AUC of rows without a positive one)."""
    if subject.suite is None:
        return None, None
    if cells is None:
        cells = suite_cells(known_rows(subject, metric, subject.suite), subject)
    cells = cells.without(set(doubtful_corruptions(competition, subject.suite.names)))
    if not cells.corruptions:
        return None, None
    usable = None if said is None else np.isfinite(said)
    return cells, calibrate(cells, usable, displacement(looks.train, looks.test) if looks else None)


def _least_fall(subject: ForecastInputs, known: Known, shift: Shift | None) -> float:
    """The fold models err at least about as often as they disagree: of some metrics only, and only on unseen rows. Where the images cannot
    be told apart it has no say: weak models disagree more than they err, and OOF says how often they err."""
    if subject.pseudo or (shift is not None and not shift.is_seen):
        return -np.inf
    error = 1 - known.score if known.metric.greater_is_better else known.score
    return known.kind.least_error(known.metric, subject.test_folds) - error


def _gain(subject: ForecastInputs, known: Known, single: float, vote: Vote | None) -> tuple[float, float]:
    """Gain of averaging the fold models; where it cannot be told 0, and the spread of the folds' scores to give or take."""

    def judge(outputs: np.ndarray) -> np.ndarray:
        return subject.judged(known.metric, outputs)

    gain = gain_of_averaging(known.metric, subject.test_folds, single, vote, known.kind, judge)
    if np.isfinite(gain):
        return gain, 0.0
    found = subject.scores["metrics"][known.metric.name]
    return 0.0, float(found.get("std") or (found["high"] - found["low"]) / 4)


def _said(known: Known, subject: ForecastInputs, shift: Shift | None) -> np.ndarray:
    """float (E,): what each estimator says of the fall, mean over the fold models; NaN where it lacks what it needs."""
    weights, auc = (shift.weights, shift.auc_beyond_groups) if shift else (None, float("nan"))
    folds = [Unknown(of, weights, subject.judged(known.metric, of), auc) for of in subject.test_folds]
    if subject.pseudo:  # the fold models were trained on some of these rows: what they say of them is no forecast
        by_images = {"importance": importance_drop, "domain": domain_drop}
        return np.array([by_images[n](known, folds[0]) if n in by_images else np.nan for n in ESTIMATORS])
    return np.asarray(np.mean([drops(known, fold) for fold in folds], axis=0))


@dataclass(frozen=True)
class _Fall:
    """How far the score may fall.

    Attributes
    ----------
    draws : float (DRAWS,), positive: worse
    scenarios : the table of a hidden test
    blind : the score of predictions that have nothing to do with the images, where the shift was not measured
    """

    draws: np.ndarray
    scenarios: dict[str, dict[str, float]]
    blind: float | None = None

    @property
    def kept(self) -> np.ndarray | float:
        """Of the gain of averaging, by draw: where the fall is unmeasured, models that see nothing gain nothing by being averaged."""
        return 1 - self.draws / self.draws.max() if self.blind is not None and self.draws.max() > 0 else 1.0


def _fall(
    subject: ForecastInputs,
    known: Known,
    shift: Shift | None,
    said: np.ndarray | None,
    calibration: Calibration | None,
    cells: Cells | None,
    rng: np.random.Generator,
) -> _Fall:
    """By the calibrated estimators; of a hidden test by scenarios; without a suite none, or anything, where the images differ."""
    at_least = _least_fall(subject, known, shift)
    if calibration is None or cells is None:
        if shift is None or not shift.apart:
            return _Fall(np.zeros(DRAWS), {})
        blind = blind_score(known, subject.judged_together(known.metric), np.random.default_rng(1))
        return _Fall(unmeasured_falls(known, shift, blind, _hint(said), at_least, rng), {}, blind)
    if said is not None:
        falls = calibration.draws(max(calibration.fall(said), at_least), DRAWS, rng)
        if shift is not None:
            blind = blind_score(known, subject.judged_together(known.metric), np.random.default_rng(1))
            falls = within_shift(falls, known, shift, blind)
        return _Fall(falls, {})
    return _fall_of_scenarios(known, cells, rng)


def _fall_of_scenarios(known: Known, cells: Cells, rng: np.random.Generator) -> _Fall:
    """A mixture of what the noise suite cost."""
    drawn, table = [], {}
    for name, (weight, corruptions, severities) in MIXTURE.items():
        falls = _cells_of(cells, corruptions, severities)
        drawn.append(rng.choice(falls, round(weight * DRAWS)))
        scores = known.score - known.sign * falls
        worst = scores.min() if known.sign > 0 else scores.max()
        table[name] = {"weight": weight, "score": float(scores.mean()), "worst": float(worst)}
    return _Fall(rng.permutation(np.resize(np.concatenate(drawn), DRAWS)), table)


def _scores(
    subject: ForecastInputs, known: Known, fall: _Fall, gain: float, give_or_take: float, rng: np.random.Generator
) -> np.ndarray:
    """float (DRAWS,): scores that an endless test like this one may give."""
    unluckily = error_of_oof(subject, known, rng) - known.sign * fall.draws
    draws = unluckily + known.sign * gain * fall.kept * rng.normal(1, 0.5, DRAWS)
    return draws + rng.normal(0, give_or_take, DRAWS) if give_or_take else draws


def _hint(said: np.ndarray | None) -> float:
    """The fall by the estimators that speak in the metric itself: their median; 0 where there is none."""
    told = (
        [] if said is None else [s for n, s in zip(ESTIMATORS, said, strict=True) if n in IN_METRIC and np.isfinite(s)]
    )
    return float(np.median(told)) if told else 0.0


def _cells_of(cells: Cells, corruptions: tuple[str, ...] | None, severities: tuple[int, ...]) -> np.ndarray:
    """Falls (c,) of a scenario; of none severities: no fall."""
    chosen = np.isin(cells.severities, severities) & (cells.names != "class shares")
    if corruptions:
        chosen &= np.isin(cells.names, corruptions)
    return cells.truth[chosen] if chosen.any() else np.zeros(1)


def _kind(seen: bool, calibration: Calibration | None, looks: Looks | None, shift: Shift | None) -> str:
    if calibration is None:
        return "unmeasured shift" if shift and shift.apart else "sampling only"
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
    found = known.kind.shares(np.mean(folds, axis=0))
    if found is None:
        return {}
    here, there = found
    return {name: (float(here[i]), float(there[i])) for i, name in enumerate(competition.classes)}


def _notes(
    subject: ForecastInputs,
    metric: Metric,
    calibration: Calibration | None,
    shift: Shift | None,
    blind: float | None,
    seen: bool,
) -> list[str]:
    found: list[str] = []
    if blind is not None and shift is not None:
        found.append(_unmeasured_note(shift, blind))
    found += subject.caveats
    if subject.pseudo:
        found.append(
            "its models learnt from confident test rows, so that what they say of the test tells nothing about it: only the "
            "images do"
        )
    if calibration is None:
        found.append(_suite_note(subject, metric, blind is not None))
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
    if shift is not None and shift.is_hidden_by_groups:
        found.append(
            f"the test images can be told from the training images (AUC {shift.auc:.2f}), but so can groups of the training rows from each other "
            f"({f'AUC {shift.by_groups:.2f}' if shift.by_groups < 1 else 'they are too few to try'}): whether the test differs by more than its "
            "groups cannot be told"
        )
    if not subject.scores["complete"]:
        found.append("only some folds are trained: the score is of their rows, and fewer models are averaged")
    return found


def _suite_note(subject: ForecastInputs, metric: Metric, is_shifted: bool) -> str:
    """That there is no noise suite to go by, why, what the interval is then, and the cure."""
    if subject.suite is not None:
        why = (
            f"the noise suite tells nothing: {metric.name} is not defined on its {counted(len(subject.suite.rows), 'row')} "
            "(a class or label without a row?)"
        )
        cure = "run harness.cv again with --noise and more --noise-rows (0 = all)"
    elif subject.is_blend:
        why = "the noise suite was not run"
        cure = (
            "its members took no suite on the same rows: run harness.cv --noise for each with the same --noise-rows, then make the "
            "ensemble again"
        )
    else:
        why = "the noise suite was not run"
        cure = "run harness.cv again with --noise; what stands is not trained again"
    if is_shifted:
        return f"{why}, so that nothing says what other images cost this model; {cure}"
    return f"{why}: the interval is of sampling only, as if the test were like the training set; {cure}"


def _of_groups(shift: Shift) -> str:
    return f", groups alone {shift.by_groups:.2f}" if shift.by_groups > 0.5 else ""


def _unmeasured_note(shift: Shift, blind: float) -> str:
    loud = "DO NOT TRUST THIS FORECAST: " if shift.apart > _LOUD else ""
    return (
        f"{loud}the test images are not like the training images (AUC {shift.auc:.2f}{_of_groups(shift)}: up to {100 * shift.apart:.0f} % of them have no "
        f"like there), and no noise suite has measured what that costs; for these the interval reaches from the OOF score to "
        f"{blind:.4f}, which these predictions score if they have nothing to do with the images"
    )
