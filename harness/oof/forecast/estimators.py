"""How much a score falls on images without labels: estimators that compare a model's output here and there.

Each looks at the labelled rows (`Known`) and at unlabelled ones (`Unknown`) and says how much lower the score is there: in the
metric where it can, else in a number that grows with the fall. One that a kind of targets does not have says NaN. None of
them is right by itself; `harness.oof.forecast.calibration` says which to trust on the data at hand, and how far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.competition.metrics import Metric
from harness.oof.forecast.kinds import Classes, Kind

_MOST_GAINED = 0.35  # of the error, by averaging: a fifth is the most that was measured (benchmarks/RESULTS.md)
_ROWS_AVERAGED = 4_000

Judge = Callable[[np.ndarray], np.ndarray]
"""Outputs (m, K) as the metric judges them: by the task's decision, where it has one and the metric judges answers."""

Vote = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Several models' outputs (n, C) made one (`Task.vote`)."""


@dataclass(frozen=True)
class Known:
    """Labelled rows and what a model that did not see them says.

    Attributes
    ----------
    metric : of the leaderboard
    labels : int64 (n,) or float (n, K); proba : float (n, K), the outputs
    described : int64 (m,), the rows whose images were compared with the unknown ones
    kind_of : what kind of targets they are
    judged : float (n, K), the outputs as the metric judges them, each fold's by what the other folds found; default: `proba`
    """

    metric: Metric
    labels: np.ndarray
    proba: np.ndarray
    described: np.ndarray
    kind_of: type[Kind] = Classes
    judged: np.ndarray | None = None

    @cached_property
    def kind(self) -> Kind:
        """The targets' kind, fitted on these rows."""
        return self.kind_of(self.labels, self.proba)

    @property
    def said(self) -> np.ndarray:
        """What the metric judges."""
        return self.proba if self.judged is None else self.judged

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.metric.greater_is_better else -1

    @property
    def unit(self) -> float:
        """What a difference of one is in the metric: 1 of a share; of one in the targets' own unit the distance to chance."""
        if self.kind.of_shares or self.metric.bounds[1] == 1:
            return 1.0
        return abs(self.score - self.by_chance) or 1.0

    @cached_property
    def score(self) -> float:
        """The competition's metric on these rows."""
        return self.metric(self.labels, self.said)

    @cached_property
    def by_chance(self) -> float:
        """The score if what the model says had nothing to do with the image: predictions of other rows, mean over ten shuffles."""
        rng = np.random.default_rng(0)
        found = [self.metric(self.labels, self.said[rng.permutation(len(self.labels))]) for _ in range(10)]
        return float(np.nanmean(found))

    @cached_property
    def dispersity(self) -> float:
        """`Kind.dispersity` of these rows' outputs."""
        return self.kind.dispersity(self.proba)

    @cached_property
    def expected(self) -> float:
        """The score that the calibrated outputs promise here; NaN where outputs promise none."""
        if self.kind.softness is None:
            return float("nan")
        return self.kind.expected(self.metric, self.said, self.kind.belief(self.proba, self.kind.softness))


@dataclass(frozen=True)
class Unknown:
    """Rows without labels, as the same kind of model sees them.

    Attributes
    ----------
    proba : float (t, K), the outputs
    weights : float (m,) of the known rows whose images were compared: how typical each is of the unknown ones, see
        `harness.oof.forecast.domain_shift`; None where there are no images
    judged : float (t, K), the outputs as the metric judges them; default: `proba`
    auc : of the classifier that tells these images from the known ones, beyond what groups tell; NaN where there are none
    """

    proba: np.ndarray
    weights: np.ndarray | None
    judged: np.ndarray | None = None
    auc: float = float("nan")

    @property
    def said(self) -> np.ndarray:
        """What the metric judges."""
        return self.proba if self.judged is None else self.judged


def confidence_drop(known: Known, unknown: Unknown) -> float:
    """Difference of confidences (Guillory and others 2021), for any metric, of calibrated outputs; NaN where they promise no score."""
    if known.kind.softness is None:
        return float("nan")
    belief = known.kind.belief(unknown.proba, known.kind.softness)
    return known.sign * (known.expected - known.kind.expected(known.metric, unknown.said, belief))


def threshold_drop(known: Known, unknown: Unknown) -> float:
    """Average thresholded confidence (Garg and others 2022) by the largest probability; in accuracy, mean over labels."""
    return _thresholded(known, known.kind.sureness(known.proba), known.kind.sureness(unknown.proba))


def entropy_drop(known: Known, unknown: Unknown) -> float:
    """Average thresholded confidence by the negative entropy; in accuracy."""
    return _thresholded(known, known.kind.negative_entropy(known.proba), known.kind.negative_entropy(unknown.proba))


def _thresholded(known: Known, here: np.ndarray | None, there: np.ndarray | None) -> float:
    """The threshold leaves as many known answers below it as are wrong; of (n, J) each column by itself, or all together."""
    right = known.kind.right()
    if here is None or there is None or right is None:
        return float("nan")
    right = right if right.shape == here.shape else right.mean(axis=1, keepdims=True)
    drops = []
    for mine, theirs, hits in zip(here.T, there.T, right.T, strict=True):
        threshold = np.quantile(mine, 1 - float(hits.mean()))
        drops.append(float((mine > threshold).mean() - (theirs > threshold).mean()))
    return float(np.mean(drops))


def prior_drop(known: Known, unknown: Unknown) -> float:
    """The score with the targets spread as they must be there for the predictions' spread (of classes: Lipton and others 2018)."""
    weights = known.kind.prior_weights(unknown.proba)
    if weights is None:
        return float("nan")
    score = _weighted_score(known, slice(None), weights)
    return (
        known.sign * (known.score - score) if np.isfinite(score) else 0.0
    )  # no row of a class is left: it cannot tell


def importance_drop(known: Known, unknown: Unknown) -> float:
    """The score of known rows weighted by how typical they are of the unknown ones (Shimodaira 2000); NaN without images."""
    if unknown.weights is None:
        return float("nan")
    rows = known.described
    plain = known.metric(known.labels[rows], known.said[rows])
    score = _weighted_score(known, rows, unknown.weights)
    return known.sign * (plain - score) if np.isfinite(score) else 0.0


def distance_drop(known: Known, unknown: Unknown) -> float:
    """How far the distribution of the outputs has moved (Lu and others 2023), see `Kind.distance`; NaN of classes, whose sureness tells."""
    return known.kind.distance(unknown.proba)


def domain_drop(known: Known, unknown: Unknown) -> float:
    """How well the images are told apart: 0 = not at all, 1 = all; NaN of classes, whose sureness tells."""
    return float("nan") if known.kind.sureness_tells else 2 * max(unknown.auc - 0.5, 0.0)


def dispersity_drop(known: Known, unknown: Unknown) -> float:
    """How much less dispersed the answers are (`Kind.dispersity`), as far as the images are told apart. It sees what sureness does not: a
    model that takes all images for one class, and is sure of it."""
    return (known.dispersity - known.kind.dispersity(unknown.proba)) * _told_apart(unknown)


def imbalance_drop(known: Known, unknown: Unknown) -> float:
    """How far the shares of the answers have moved (`Kind.imbalance`), as far as the images are told apart."""
    return known.kind.imbalance(unknown.proba) * _told_apart(unknown)


def _told_apart(unknown: Unknown) -> float:
    """0 where the images are alike, so that other answers are other classes and no fall; 1 where anybody can tell them; NaN without images."""
    return float(np.maximum(2 * unknown.auc - 1, 0))


def _weighted_score(known: Known, rows: np.ndarray | slice, weights: np.ndarray) -> float:
    if not weights.any():
        return known.score
    scaled = weights * (len(weights) / weights.sum())
    if known.metric.name.startswith("custom"):
        scaled = np.round(scaled * 20)  # it takes whole rows only
    return known.metric.prepare(known.labels[rows], known.said[rows])(scaled)


Estimator = Callable[[Known, Unknown], float]
"""How much worse the score is on the unknown rows: positive where it is worse, whatever the metric's direction."""

ESTIMATORS: dict[str, Estimator] = {
    "confidence": confidence_drop,
    "threshold": threshold_drop,
    "entropy": entropy_drop,
    "prior": prior_drop,
    "importance": importance_drop,
    "distance": distance_drop,
    "domain": domain_drop,
    "dispersity": dispersity_drop,
    "imbalance": imbalance_drop,
}
"""Every estimator by name."""


def drops(known: Known, unknown: Unknown) -> np.ndarray:
    """float (len(ESTIMATORS),): what each says; NaN where it is not defined, or lacks what it needs."""
    return np.array([estimate(known, unknown) for estimate in ESTIMATORS.values()])


def gain_of_averaging(
    metric: Metric,
    models: Sequence[np.ndarray],
    single: float,
    vote: Vote | None = None,
    kind: Kind | None = None,
    judge: Judge = lambda outputs: outputs,
) -> float:
    """How much better the fold models score together than one of them, where one of them scores `single`.

    The targets are believed to follow the models' mean, made softer or harder until the models score `single` by it on
    average; then the mean's own score follows. Models that disagree more than they err would have a mean that never errs: answers
    gain no more than a share of the error. Positive where it is better, whatever the metric's direction; NaN where the
    metric is not defined.

    models : outputs (t, K) of each; vote : how they vote, where they are not averaged; kind : of the targets, default: classes;
    judge : makes of outputs what the metric judges
    """
    if len(models) < 2:
        return 0.0
    kind = kind or Classes()
    rows = np.arange(len(models[0]))
    if len(rows) > _ROWS_AVERAGED:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:_ROWS_AVERAGED])
    some = [proba[rows] for proba in models]
    judged = [judge(proba) for proba in some]
    together, sign = np.mean(some, axis=0), 1 if metric.greater_is_better else -1

    def alone(belief: np.ndarray) -> float:
        return float(np.mean([kind.expected(metric, said, belief) for said in judged]))

    low, high = -3.0, 3.0  # logarithms of temperatures; a softer belief makes every score worse
    for _ in range(18):
        middle = (low + high) / 2
        better = sign * (alone(kind.belief(together, float(np.exp(middle)))) - single) > 0
        low, high = (middle, high) if better else (low, middle)
    belief = kind.belief(together, float(np.exp((low + high) / 2)))
    said = judge(vote(some)) if vote else judge(together) if metric.of_answers else np.mean(judged, axis=0)
    gain = sign * (kind.expected(metric, said, belief) - alone(belief))
    best = metric.bounds[1 if metric.greater_is_better else 0]
    return min(gain, _MOST_GAINED * abs(best - single)) if metric.of_answers and np.isfinite(best) else gain
