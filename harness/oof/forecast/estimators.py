"""How much a score falls on images without labels: estimators that compare a model's output here and there.

Each looks at the labelled rows (`Known`) and at unlabelled ones (`Unknown`) and says how much lower the score is there:
in the metric where it can, else in accuracy. None of them is right by itself; `harness.oof.forecast.calibration` says which to
trust on the data at hand, and how far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.competition.metrics import Metric, Tally, confusion
from harness.oof.ensemble.temperature import calibrated, fitted_temperature

_EPS = 1e-6
_EPS_LOSS = 1e-7  # as the metric's
_ROWS_TILED, _ROWS_AVERAGED = 20_000, 4_000
_CELLS_TILED = 50_000_000  # rows x classes x classes

Vote = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Several models' outputs (n, C) made one (`Task.vote`)."""


@dataclass(frozen=True)
class Known:
    """Labelled rows and what a model that did not see them says.

    Attributes
    ----------
    metric : of the leaderboard
    labels : int64 (n,); proba : float (n, C)
    described : int64 (m,), the rows whose images were compared with the unknown ones
    """

    metric: Metric
    labels: np.ndarray
    proba: np.ndarray
    described: np.ndarray

    @cached_property
    def temperature(self) -> float:
        """What makes the probabilities fit the labels (Guo and others 2017)."""
        return fitted_temperature(self.proba, self.labels)

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.metric.greater_is_better else -1

    @cached_property
    def accuracy(self) -> float:
        """Share of rows whose largest probability is at their label."""
        return float((self.proba.argmax(axis=1) == self.labels).mean())

    @cached_property
    def score(self) -> float:
        """The competition's metric on these rows."""
        return self.metric(self.labels, self.proba)

    @cached_property
    def expected(self) -> float:
        """The score that the calibrated probabilities promise here."""
        return expected_score(self.metric, self.proba, calibrated(self.proba, self.temperature))


@dataclass(frozen=True)
class Unknown:
    """Rows without labels, as the same kind of model sees them.

    Attributes
    ----------
    proba : float (t, C)
    weights : float (m,) of the known rows whose images were compared: how typical each is of the unknown ones, see
        `harness.oof.forecast.domain_shift`; None where there are no images
    """

    proba: np.ndarray
    weights: np.ndarray | None


def expected_score(metric: Metric, said: np.ndarray, belief: np.ndarray) -> float:
    """The metric of predictions `said` (n, C) if each row's label were drawn from `belief` (n, C).

    For accuracy it is the mean confidence. A metric of the predicted classes is taken from the expected counts;
    any other sees every row once per class, weighted by the belief in that class.
    """
    n, n_classes = said.shape
    if metric.of_tally:
        predicted = said.argmax(axis=1)
        hits = np.bincount(predicted, belief[np.arange(n), predicted], n_classes)
        counts = Tally(
            belief.sum(axis=0, dtype=np.float64), np.bincount(predicted, minlength=n_classes).astype(float), hits
        )
        return float(metric.of_tally(counts))
    if metric.name == "log_loss":
        return float(-(belief * np.log(np.clip(said, _EPS_LOSS, 1.0))).sum(axis=1).mean())
    most = max(min(_ROWS_TILED, _CELLS_TILED // n_classes**2), 100)
    rows = np.arange(n) if n <= most else np.sort(np.random.default_rng(0).permutation(n)[:most])
    if metric.name.startswith("custom"):  # takes whole rows only: labels are drawn
        drawn = _drawn_labels(belief[rows])
        return float(np.mean([metric(labels, said[rows]) for labels in drawn]))
    labels = np.tile(np.arange(n_classes), len(rows))
    return metric.prepare(labels, np.repeat(said[rows], n_classes, axis=0))(belief[rows].ravel())


def _drawn_labels(belief: np.ndarray, times: int = 10) -> np.ndarray:
    """int64 (times, n) labels drawn from belief (n, C)."""
    levels = np.random.default_rng(0).random((times, len(belief), 1))
    return (levels > np.cumsum(belief, axis=1)[None, :, :-1]).sum(axis=2)


def confidence_drop(known: Known, unknown: Unknown) -> float:
    """Difference of confidences (Guillory and others 2021), for any metric, of calibrated probabilities."""
    belief = calibrated(unknown.proba, known.temperature)
    return known.sign * (known.expected - expected_score(known.metric, unknown.proba, belief))


def threshold_drop(known: Known, unknown: Unknown) -> float:
    """Average thresholded confidence (Garg and others 2022) by the largest probability; in accuracy."""
    return _thresholded(known, known.proba.max(axis=1), unknown.proba.max(axis=1))


def entropy_drop(known: Known, unknown: Unknown) -> float:
    """Average thresholded confidence by the negative entropy; in accuracy."""
    return _thresholded(known, _negative_entropy(known.proba), _negative_entropy(unknown.proba))


def _thresholded(known: Known, here: np.ndarray, there: np.ndarray) -> float:
    """The threshold leaves as many known rows below it as are wrong."""
    threshold = np.quantile(here, 1 - known.accuracy)
    return float((here > threshold).mean() - (there > threshold).mean())


def _negative_entropy(proba: np.ndarray) -> np.ndarray:
    clipped = np.clip(proba, _EPS, 1.0).astype(np.float64)
    return (clipped * np.log(clipped)).sum(axis=1)


def prior_drop(known: Known, unknown: Unknown) -> float:
    """The score with the classes' shares as they must be there for the predictions' shares (Lipton and others 2018)."""
    weights = class_weights(known, unknown.proba)[known.labels]
    score = _weighted_score(known, slice(None), weights)
    return (
        known.sign * (known.score - score) if np.isfinite(score) else 0.0
    )  # no row of a class is left: it cannot tell


_MOST_CLASSES = 1000


def class_weights(known: Known, proba: np.ndarray) -> np.ndarray:
    """float (C,): share of each class among the unknown rows over its share here; black box shift estimation.

    Solves C w = q, C the joint distribution of predicted and true class, q the predicted shares, for w >= 0.
    """
    from scipy.optimize import nnls

    n_classes = known.proba.shape[1]
    if n_classes > _MOST_CLASSES:
        return np.ones(n_classes)  # a matrix of all pairs: too large, and of too few rows each to say anything
    joint = confusion(known.labels, known.proba.argmax(axis=1), n_classes).T / len(known.labels)
    shares = np.bincount(proba.argmax(axis=1), minlength=n_classes) / len(proba)
    weights, _ = nnls(joint, shares)
    return weights if weights.sum() > 0 else np.ones(n_classes)


def importance_drop(known: Known, unknown: Unknown) -> float:
    """The score of known rows weighted by how typical they are of the unknown ones (Shimodaira 2000); NaN without images."""
    if unknown.weights is None:
        return float("nan")
    rows = known.described
    plain = known.metric(known.labels[rows], known.proba[rows])
    score = _weighted_score(known, rows, unknown.weights)
    return known.sign * (plain - score) if np.isfinite(score) else 0.0


def _weighted_score(known: Known, rows: np.ndarray | slice, weights: np.ndarray) -> float:
    if not weights.any():
        return known.score
    scaled = weights * (len(weights) / weights.sum())
    if known.metric.name.startswith("custom"):
        scaled = np.round(scaled * 20)  # it takes whole rows only
    return known.metric.prepare(known.labels[rows], known.proba[rows])(scaled)


Estimator = Callable[[Known, Unknown], float]
"""How much worse the score is on the unknown rows: positive where it is worse, whatever the metric's direction."""

ESTIMATORS: dict[str, Estimator] = {
    "confidence": confidence_drop,
    "threshold": threshold_drop,
    "entropy": entropy_drop,
    "prior": prior_drop,
    "importance": importance_drop,
}
"""Every estimator by name."""


def drops(known: Known, unknown: Unknown) -> np.ndarray:
    """float (len(ESTIMATORS),): what each says."""
    return np.array([estimate(known, unknown) for estimate in ESTIMATORS.values()])


def disagreement(models: Sequence[np.ndarray]) -> float | None:
    """Share of rows in which two models say different classes, mean over pairs of proba (t, C); None for one model.

    For models of one recipe that were trained on different rows it is near their error (Jiang and others 2022), and below
    it where they share mistakes. It cannot be calibrated on the noise suite: of the fold models all but one were trained
    on a row of the suite, remember its label, and so disagree just where that one errs.
    """
    said = [proba.argmax(axis=1) for proba in models]
    pairs = [(i, j) for i in range(len(said)) for j in range(i)]
    return float(np.mean([(said[i] != said[j]).mean() for i, j in pairs])) if pairs else None


def gain_of_averaging(metric: Metric, models: Sequence[np.ndarray], single: float, vote: Vote | None = None) -> float:
    """How much better the fold models score together than one of them, where one of them scores `single`.

    The labels are believed to follow the models' mean, made softer or harder until the models score `single` by it on
    average; then the mean's own score follows. Positive where it is better, whatever the metric's direction.

    models : proba (t, C) of each; vote : how they vote, where they are not averaged
    """
    if len(models) < 2:
        return 0.0
    rows = np.arange(len(models[0]))
    if len(rows) > _ROWS_AVERAGED:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:_ROWS_AVERAGED])
    some = [proba[rows] for proba in models]
    together, sign = np.mean(some, axis=0), 1 if metric.greater_is_better else -1

    def alone(belief: np.ndarray) -> float:
        return float(np.mean([expected_score(metric, proba, belief) for proba in some]))

    low, high = -3.0, 3.0  # logarithms of temperatures; a softer belief makes every score worse
    for _ in range(18):
        middle = (low + high) / 2
        better = sign * (alone(calibrated(together, np.exp(middle))) - single) > 0
        low, high = (middle, high) if better else (low, middle)
    belief = calibrated(together, np.exp((low + high) / 2))
    said = vote(some) if vote else together
    return sign * (expected_score(metric, said, belief) - alone(belief))
