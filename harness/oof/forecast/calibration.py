"""Which estimators of an unseen score to believe, and how far: tried on the noise suite, where the labels are known.

Every corruption x severity is a test set whose score fell by a known amount. The estimators' numbers are weighed to give that
fall, on a scale where small and deep falls are alike (`Link`); what this is wrong by on corruptions that it was not fitted on
(leave one corruption out) is the forecast's spread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.competition.metrics import Metric, group_weights
from harness.cv.noise.suite import Suite
from harness.oof.forecast.domain_shift import displacement, domain_weights
from harness.oof.forecast.estimators import ESTIMATORS, Known, Unknown, drops
from harness.oof.forecast.inputs import ForecastInputs
from harness.oof.forecast.kinds import KINDS

_FLOOR = 0.005  # a fall below half a point is not told from none; see `Known.unit`
_BANDWIDTH = 1.0  # falls that differ by a factor of three still speak for each other
# Of `displacement`, root mean square: test sets farther from each other than this do not speak for each other.
_REACH = 0.25
_LEAST_NEAR = 5  # corruptions that are to speak: where fewer are near, those a little farther do too
_RESHARED = 6  # test sets with other shares of the classes, drawn from the clean rows
_PRIOR = 4.0  # corruptions that err as usual, beside those that are near: three degrees of freedom at least
# Times the median: what no estimator saw at all (a loss that rose by 10 under noise) is not usual.
_MOST_UNUSUAL = 20.0
# On the scale of a `Link`: odds of an error seven times as large. Errors of smaller falls are hardly smaller.
_ALIKE = 2.0
_WEIGHED_ALIKE = 3.0  # the same for weights in the fit: odds twenty times as large
_RIDGE = 0.03  # of a column's mean square: enough for columns that say the same to share the weight
_LEAST_ERROR = 0.05  # of the error out of fold: a score that is better by more is not told from it
_FARTHEST = 30.0  # log odds: beyond, an error is nothing or all there is

OF_SCORES = ("confidence", "threshold", "entropy", "prior", "importance")
"""Estimators whose number is a fall of a score."""


@dataclass(frozen=True)
class Link:
    """A scale on which falls of a score are alike, small and deep: log odds of the error's share of what the metric can be off.

    Of a metric without a worst value (a loss) the logarithm of the error; of one without a best value (custom) the score itself. What
    comes back is within the metric's bounds.

    Attributes
    ----------
    error : out of fold, in the metric, > 0; worst : the largest it can be, may be inf
    """

    error: float
    worst: float

    @classmethod
    def of(cls, known: Known, rows: int) -> Link:
        """For a run's OOF, described by so many rows: its error is no less than half a row's."""
        low, high = known.metric.bounds
        best, worst = (high, low) if known.sign > 0 else (low, high)
        least = 0.5 / max(rows, 1)
        if not np.isfinite(best):
            return cls(np.inf, np.inf)
        span = abs(best - worst)
        limits = (least * span, (1 - least) * span) if np.isfinite(span) else (least * known.unit, np.inf)
        return cls(float(np.clip(abs(best - known.score), *limits)), span)

    def __call__(self, fall: np.ndarray | float) -> np.ndarray:
        """How far a fall (positive: worse) is on this scale."""
        if not np.isfinite(self.error):
            return np.asarray(fall, dtype=np.float64)
        least = _LEAST_ERROR * self.error
        most = self.worst - least if np.isfinite(self.worst) else np.inf
        return self._log(np.clip(self.error + np.asarray(fall, dtype=np.float64), least, most)) - self._log(self.error)

    def back(self, far: np.ndarray | float) -> np.ndarray:
        """The fall that is so far."""
        far = np.asarray(far, dtype=np.float64)
        if not np.isfinite(self.error):
            return far
        odds = np.exp(np.clip(self._log(self.error) + far, -_FARTHEST, _FARTHEST))
        error = odds if not np.isfinite(self.worst) else self.worst * odds / (1 + odds)
        return np.asarray(error - self.error)

    def _log(self, error: np.ndarray | float) -> np.ndarray:
        return np.asarray(np.log(error / (self.worst - error)) if np.isfinite(self.worst) else np.log(error))


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
    link : on which scale falls are compared
    """

    names: np.ndarray
    severities: np.ndarray
    said: np.ndarray
    truth: np.ndarray
    looks: np.ndarray
    scale: float
    link: Link

    @property
    def corruptions(self) -> list[str]:
        """Names of those that have a cell; none, where the metric is not defined on any."""
        return sorted({str(name) for name in self.names})

    def without(self, names: set[str]) -> Cells:
        """The cells of other corruptions, and of none that is made of these."""
        kept = self.others(names)
        columns = ("names", "severities", "said", "truth", "looks")
        return replace(self, **{column: getattr(self, column)[kept] for column in columns})

    def others(self, names: set[str]) -> np.ndarray:
        """bool (c,): cells of other corruptions, and of none that is made of these."""
        return ~np.isin(self.names, list(names | related_corruptions(names)))

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
    """A rule for the fall of a score, and how wrong it is; on the scale of a `Link` unless said otherwise.

    Attributes
    ----------
    link : the scale
    coefficients : float (E,) >= 0; the fall is their product with the estimators' numbers
    names : corruption of each cell, str (c,)
    foretold : float (c,), the fall that the rule said without having seen the corruption
    residuals : float (c,), truth - foretold, each over (scale + |foretold|)
    likeness : float (c,), how much each cell says of the test at hand
    scale : falls that are smaller than this are alike
    error : mean absolute error on corruptions left out, in the metric, by `likeness`
    """

    link: Link
    coefficients: np.ndarray
    names: np.ndarray
    foretold: np.ndarray
    residuals: np.ndarray
    likeness: np.ndarray
    scale: float
    error: float

    @property
    def rule(self) -> str:
        """The estimators that have a say."""
        used = [name for name, weight in zip(ESTIMATORS, self.coefficients, strict=True) if weight > 0]
        return " + ".join(used) or "no fall"

    def fall(self, said: np.ndarray) -> float:
        """Expected fall of the score, in the metric, from the estimators' numbers (E,)."""
        used = self.coefficients > 0
        return float(self.link.back(self.coefficients[used] @ _linked(said, self.link)[used]))

    def draws(self, fall: float, n: int, rng: np.random.Generator) -> np.ndarray:
        """float (n,): what the fall may be, where the rule says `fall`; both in the metric.

        Errors count most where a fall of that size was foretold and images look like the test's. So few corruptions may speak
        there that their spread is little known: `_PRIOR` more err as is usual of a corruption. What is drawn from is Student's t;
        its freedom is the number of corruptions that speak, since severities of one corruption err together.
        """
        far = float(self.link(fall))
        size = np.log((self.scale + abs(far)) / (self.scale + np.abs(self.foretold)))
        weights = (np.exp(-0.5 * (size / _BANDWIDTH) ** 2) + 1e-3) * self.likeness
        own = [self.names == name for name in np.unique(self.names)]
        by_corruption = np.array([weights[of].sum() for of in own])
        count = by_corruption.sum() ** 2 / (by_corruption**2).sum()
        by_each = np.array([np.mean(self.residuals[of] ** 2) for of in own])
        usual = float(np.minimum(by_each, _MOST_UNUSUAL * np.median(by_each)).mean())
        middle = _weighted_median(self.residuals, weights) * count / (count + _PRIOR)
        local = float(np.average((self.residuals - middle) ** 2, weights=weights))
        spread = np.sqrt((count * local + _PRIOR * usual) / (count + _PRIOR))
        off = middle + spread * np.sqrt(1 + 1 / (count + _PRIOR)) * rng.standard_t(count + _PRIOR - 1, n)
        return self.link.back(far + off * (self.scale + abs(far)))


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    place = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return float(values[order[place]])


def _linked(said: np.ndarray, link: Link) -> np.ndarray:
    """The estimators' numbers (..., E) on the scale of the falls: those that are a fall of a score; the others only grow with it."""
    return np.where([name in OF_SCORES for name in ESTIMATORS], link(said), said)


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
    return Cells(of, at, told, true, seen, _scale(known, labels, judged), Link.of(known, len(known.labels)))


def _scale(known: Known, labels: np.ndarray, judged: np.ndarray) -> float:
    """Standard error of the suite's clean score, by bootstrap; at least 0.005 of the unit."""
    scorer = known.metric.prepare(labels, judged)
    drawn = np.array([scorer(weights) for weights in group_weights(np.arange(len(labels)), 100)])
    told = drawn[np.isfinite(drawn)]
    return max(float(told.std()) if len(told) else 0.0, _FLOOR * known.unit)


def _reshared(labels: np.ndarray, seed: int) -> np.ndarray:
    """Rows (n,) drawn so that the classes (strata) have other shares: each one's is multiplied by a log-normal factor."""
    rng = np.random.default_rng([seed, 77])
    factors = np.exp(rng.normal(0, 0.7, labels.max() + 1))[labels]
    return rng.choice(len(labels), len(labels), p=factors / factors.sum())


def calibrate(cells: Cells, usable: np.ndarray | None = None, looks: np.ndarray | None = None) -> Calibration:
    """Weigh the estimators on all corruptions, and see on those left out how far they are off.

    usable : bool (E,), estimators that can be had for the test; default: all
    looks : how the test images differ from those of the training (`displacement`); cells that differ alike count most

    Raises
    ------
    ValueError
        If there is no cell.
    """
    if not cells.corruptions:
        raise ValueError("a calibration needs test sets with a score; there is none")
    told = np.isfinite(cells.said).all(axis=0)  # the task has the others not
    usable = told if usable is None else told & usable
    said = np.where(usable, _linked(cells.said, cells.link), 0.0)
    truth = cells.link(cells.truth)
    foretold = np.empty(len(truth))
    for name in np.unique(cells.names):
        own, others = cells.names == name, cells.others({str(name)})
        foretold[own] = said[own] @ _fitted(said[others], truth[others])
    scale = _ALIKE if np.isfinite(cells.link.error) else cells.scale
    likeness = cells.likeness(looks)
    error = float(np.average(np.abs(cells.link.back(foretold) - cells.truth), weights=likeness))
    residuals = (truth - foretold) / (scale + np.abs(foretold))
    return Calibration(cells.link, _fitted(said, truth), cells.names, foretold, residuals, likeness, scale, error)


def _fitted(said: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Coefficients (E,) >= 0 by least squares, ridged: estimators that say the same share the weight. Deep falls, which are less sure,
    count less than small ones."""
    from scipy.optimize import nnls

    weight = 1 / (_WEIGHED_ALIKE + np.abs(truth))
    size = np.sqrt(np.mean((said * weight[:, None]) ** 2, axis=0))
    used = np.flatnonzero(size > 1e-9)
    coefficients = np.zeros(said.shape[1])
    if len(used):
        rows = said[:, used] * weight[:, None] / size[used]
        ridge = np.sqrt(_RIDGE * len(truth)) * np.eye(len(used))
        found, _ = nnls(np.concatenate([rows, ridge]), np.concatenate([truth * weight, np.zeros(len(used))]))
        coefficients[used] = found / size[used]
    return coefficients
