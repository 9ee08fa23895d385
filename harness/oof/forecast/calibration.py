"""Which estimator of an unseen score to believe, and how far: tried on the noise suite, where the labels are known.

Every corruption x severity is a test set whose score fell by a known amount. Each rule that turns the estimators' numbers
into a forecast of that fall is judged on corruptions that it was not fitted on (leave one corruption out); the best is
kept, and what it was wrong by there, relative to the size of the fall, is the forecast's spread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from harness.competition.metrics import Metric, group_weights
from harness.cv.noise.suite import Suite
from harness.oof.forecast.domain_shift import displacement, domain_weights
from harness.oof.forecast.estimators import ESTIMATORS, Known, Unknown, drops
from harness.oof.forecast.inputs import ForecastInputs
from harness.oof.forecast.kinds import KINDS

_FLOOR = 0.005  # a fall below half a point is not told from none; see `Known.unit`
_BANDWIDTH = 0.7  # falls that differ by a factor of two still speak for each other
_REACH = (
    0.25  # of `displacement`, root mean square: test sets farther from each other than this do not speak for each other
)
_LEAST_NEAR = 5  # corruptions that are to speak: where fewer are near, those a little farther do too
_RESHARED = 6  # test sets with other shares of the classes, drawn from the clean rows


@dataclass(frozen=True)
class Cells:
    """Test sets with known labels.

    Attributes
    ----------
    names : corruption of each, str (c,); severities : int (c,)
    said : float (c, E), what each estimator says of the fall (positive: worse)
    truth : float (c,), the fall itself, in the metric, positive: worse
    looks : float (c, 2 S), how their images differ from those of the training (`displacement`)
    scale : a fall that is not told from none: the standard error of the suite's clean score, at least 0.005 of `Known.unit`
    """

    names: np.ndarray
    severities: np.ndarray
    said: np.ndarray
    truth: np.ndarray
    looks: np.ndarray
    scale: float

    def without(self, names: set[str]) -> Cells:
        """The cells of other corruptions, and of none that is made of these."""
        kept = ~np.isin(self.names, list(names | related_corruptions(names)))
        return Cells(
            self.names[kept],
            self.severities[kept],
            self.said[kept],
            self.truth[kept],
            self.looks[kept],
            self.scale,
        )

    def likeness(self, looks: np.ndarray | None) -> np.ndarray:
        """float (c,): how much each says of a test whose images differ so from those of the training; None: not known, all alike."""
        if looks is None or not len(self.truth):
            return np.ones(len(self.truth))
        distance = np.sqrt(np.mean((self.looks - looks) ** 2, axis=1))
        nearest = np.sort([distance[self.names == name].min() for name in np.unique(self.names)])
        reach = max(_REACH, 1.2 * float(nearest[:_LEAST_NEAR][-1]))
        return np.clip(1 - (distance / reach) ** 3, 0, None) ** 3


MADE_OF = {
    "camera": {"brightness", "contrast", "saturation", "blur", "white_noise", "jpeg", "handheld"},
    "handheld": {
        "brightness",
        "contrast",
        "saturation",
        "blur",
        "white_noise",
        "jpeg",
        "camera",
        "shift",
        "rotation",
        "zoom",
    },
}
"""The mixes of the suite (`harness.train.corruptions`) and what they are made of; each holds the other."""


def related_corruptions(names: set[str]) -> set[str]:
    """Mixes that are made of any of these corruptions."""
    return {mix for mix, parts in MADE_OF.items() if parts & names}


@dataclass(frozen=True)
class Calibration:
    """A rule for the fall of a score, and how wrong it is.

    Attributes
    ----------
    rule : its name
    coefficients : float (E,); the fall is their product with the estimators' numbers
    names : corruption of each cell, str (c,)
    foretold : float (c,), the fall that the rule said without having seen the corruption
    residuals : float (c,), truth - foretold, each over (scale + foretold)
    likeness : float (c,), how much each cell says of the test at hand
    scale : see `Cells`
    error : mean absolute error on corruptions left out, in the metric, by `likeness`
    others : the same error of every rule that was tried
    """

    rule: str
    coefficients: np.ndarray
    names: np.ndarray
    foretold: np.ndarray
    residuals: np.ndarray
    likeness: np.ndarray
    scale: float
    error: float
    others: dict[str, float]

    def fall(self, said: np.ndarray) -> float:
        """Expected fall of the score from the estimators' numbers (E,)."""
        used = self.coefficients > 0
        return float(self.coefficients[used] @ said[used])

    def draws(self, fall: float, n: int, rng: np.random.Generator) -> np.ndarray:
        """float (n,): what the fall may be, where the rule says `fall`.

        The errors count most where a fall of that size was foretold: rules are nearly right about small falls and late to
        see deep ones. What is drawn from is Student's t about their weighted median; its freedom is the number of
        corruptions that speak, since severities of one corruption err together.
        """
        size = np.log((self.scale + abs(fall)) / (self.scale + np.abs(self.foretold)))
        weights = (np.exp(-0.5 * (size / _BANDWIDTH) ** 2) + 1e-3) * self.likeness
        by_corruption = np.array([weights[self.names == name].sum() for name in np.unique(self.names)])
        count = max(by_corruption.sum() ** 2 / (by_corruption**2).sum(), 2.0)
        middle = _weighted_median(self.residuals, weights)
        spread = np.sqrt(np.average((self.residuals - middle) ** 2, weights=weights) * count / (count - 1))
        off = middle + spread * np.sqrt(1 + 1 / count) * rng.standard_t(count - 1, n)
        return fall + off * (self.scale + abs(fall))


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    place = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return float(values[order[place]])


Fit = Callable[[np.ndarray, np.ndarray, float], np.ndarray]
"""(said (c, E), truth (c,), scale) -> coefficients (E,)."""


def known_rows(subject: ForecastInputs, metric: Metric, suite: Suite) -> Known:
    """The run's OOF as the estimators see it, described where the suite is."""
    return known_of(subject, metric, suite.rows)


def known_of(subject: ForecastInputs, metric: Metric, described: np.ndarray) -> Known:
    """The run's OOF as the estimators see it; described : int64 (m,), training rows whose images are compared."""
    scored = subject.scored
    outputs = subject.oof[scored]
    return Known(
        metric=metric,
        labels=subject.labels[scored],
        proba=outputs,
        described=np.searchsorted(scored, described),
        kind_of=KINDS[subject.task.of],
        judged=subject.judged(metric, outputs, scored),
    )


def suite_cells(
    known: Known,
    subject: ForecastInputs,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Cells:
    """Try every estimator on every corruption x severity, and on test sets with other shares of the classes."""
    suite, strata = subject.suite, subject.task.strata(known.labels)[known.described]
    assert suite is not None
    labels, clean, judged = (of[known.described] for of in (known.labels, known.proba, known.said))
    score = known.metric(labels, judged)
    at_home = drops(known, Unknown(clean, np.ones(len(clean)), judged, 0.5))
    names, severities, said, truth, looks = [], [], [], [], []
    total = suite.proba.shape[0] * suite.proba.shape[1]
    for i, j in np.ndindex(suite.proba.shape[:2]):
        proba = suite.proba[i, j].astype(np.float64)
        said_of = subject.judged(known.metric, proba, suite.rows)
        weights, auc = domain_weights(suite.clean_statistics, suite.statistics[i, j])
        names.append(suite.names[i])
        severities.append(j + 1)
        said.append(drops(known, Unknown(proba, weights, said_of, auc)) - at_home)
        truth.append(known.sign * (score - known.metric(labels, said_of)))
        looks.append(displacement(suite.clean_statistics, suite.statistics[i, j]))
        tick(len(said), total)
    for number in range(_RESHARED):
        rows = _reshared(strata, number)
        weights, auc = domain_weights(suite.clean_statistics, suite.clean_statistics[rows])
        names.append("class shares")
        severities.append(number + 1)
        said.append(drops(known, Unknown(clean[rows], weights, judged[rows], auc)) - at_home)
        truth.append(known.sign * (score - known.metric(labels[rows], judged[rows])))
        looks.append(displacement(suite.clean_statistics, suite.clean_statistics[rows]))
    kept = np.isfinite(truth)  # a class without a row has no AUC
    of, at, told, true, seen = (np.array(values)[kept] for values in (names, severities, said, truth, looks))
    return Cells(of, at, told, true, seen, _scale(known, labels, judged))


def _scale(known: Known, labels: np.ndarray, judged: np.ndarray) -> float:
    """Standard error of the suite's clean score, by bootstrap; at least 0.005 of the unit."""
    scorer = known.metric.prepare(labels, judged)
    drawn = [scorer(weights) for weights in group_weights(np.arange(len(labels)), 100)]
    return max(float(np.nanstd(drawn)), _FLOOR * known.unit)


def _reshared(labels: np.ndarray, seed: int) -> np.ndarray:
    """Rows (n,) drawn so that the classes (strata) have other shares: each one's is multiplied by a log-normal factor."""
    rng = np.random.default_rng([seed, 77])
    factors = np.exp(rng.normal(0, 0.7, labels.max() + 1))[labels]
    return rng.choice(len(labels), len(labels), p=factors / factors.sum())


def calibrate(cells: Cells, usable: np.ndarray | None = None, looks: np.ndarray | None = None) -> Calibration:
    """Fit every rule, judge each on corruptions left out, and keep the best.

    usable : bool (E,), estimators that can be had for the test; default: all
    looks : how the test images differ from those of the training (`displacement`); cells that differ alike count most
    """
    told = np.isfinite(cells.said).all(axis=0)  # the task has the others not
    usable = told if usable is None else told & usable
    cells = replace(cells, said=np.where(usable, cells.said, 0.0))
    rules = _rules(np.flatnonzero(usable))
    found = {name: _left_out(fit, cells) for name, fit in rules.items()}
    likeness = cells.likeness(looks)
    errors = {name: float(np.average(np.abs(said - cells.truth), weights=likeness)) for name, said in found.items()}
    best = min(errors, key=errors.__getitem__)
    said = found[best]
    residuals = (cells.truth - said) / (cells.scale + np.abs(said))
    coefficients = rules[best](cells.said, cells.truth, cells.scale)
    return Calibration(best, coefficients, cells.names, said, residuals, likeness, cells.scale, errors[best], errors)


def _left_out(fit: Fit, cells: Cells) -> np.ndarray:
    """float (c,): the fall of each cell by the rule fitted on the other corruptions."""
    out = np.empty(len(cells.truth))
    for name in np.unique(cells.names):
        own, others = cells.names == name, cells.without({str(name)})
        out[own] = cells.said[own] @ fit(others.said, others.truth, cells.scale)
    return out


def _rules(usable: np.ndarray) -> dict[str, Fit]:
    """No fall (plain OOF), each estimator as it is and scaled, and all of them with weights."""
    rules: dict[str, Fit] = {"no fall": lambda said, truth, scale: np.zeros(said.shape[1])}
    names = list(ESTIMATORS)
    for place in usable:
        name = names[place]
        rules[name] = _as_it_is(place)
        rules[f"{name}, scaled"] = _scaled([place])
    if len(usable):
        rules["all, weighted"] = _scaled(usable)
    return rules


def _as_it_is(place: int) -> Fit:
    return lambda said, truth, scale: np.eye(said.shape[1])[place]


def _scaled(columns: Iterable[int]) -> Fit:
    return lambda said, truth, scale: _weighted_fit(said, truth, scale, columns)


def _weighted_fit(said: np.ndarray, truth: np.ndarray, scale: float, columns: Iterable[int]) -> np.ndarray:
    """Coefficients >= 0 of some columns by least squares of relative errors; small falls count as much as large ones."""
    from scipy.optimize import nnls

    chosen = list(columns)
    weight = 1 / (scale + np.abs(truth))
    coefficients = np.zeros(said.shape[1])
    coefficients[chosen], _ = nnls(said[:, chosen] * weight[:, None], truth * weight)
    return coefficients
