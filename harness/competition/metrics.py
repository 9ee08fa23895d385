"""Metrics by name, with their direction and their interval.

A metric is prepared once for given labels and probabilities and then asked for its value under row weights: a bootstrap
resample is a vector of weights, so 1,000 resamples of 42,000 rows take a second, not minutes. Each value agrees with
scikit-learn's function of the same name (tests/competition/test_metrics.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.competition.scoring.auc import roc_auc

Scorer = Callable[[np.ndarray | None], float]
"""Row weights (n,) or None for all ones -> value. One that has a method `resampled(weights)` gives there the value of a bootstrap
resample, in which a class may lack rows."""

_KEPT_CELLS = 1 << 26  # bytes of the resamples that are kept


@dataclass(frozen=True)
class OfProbabilities:
    """Of a metric that judges probabilities, and best likes the true ones (a proper score): so that they can be scaled to it.

    Attributes
    ----------
    eps : probabilities below it count as it
    class_weights : what a row of each class counts, where classes are weighed
    """

    eps: float = 0.0
    class_weights: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Metric:
    """A score.

    Attributes
    ----------
    name : as in competition.toml
    prepare : (labels (n,), proba (n, C)) -> Scorer
    greater_is_better : direction
    of_tally : its value from a `Tally`, where it is one of the predicted classes only; else None
    of_answers : whether it judges answers (classes, labels, grades), so that a task's decision counts, not the outputs themselves
    of_probabilities : of a proper score of probabilities (log loss, Brier), what it makes of them; None of others
    least, most : values that it cannot pass; `most` None: 1 where greater is better, else infinity
    """

    name: str
    prepare: Callable[[np.ndarray, np.ndarray], Scorer]
    greater_is_better: bool = True
    of_tally: Callable[[Tally], float] | None = None
    of_answers: bool = False
    of_probabilities: OfProbabilities | None = None
    least: float = 0.0
    most: float | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value that it can have."""
        return self.least, (1.0 if self.greater_is_better else float("inf")) if self.most is None else self.most

    @property
    def is_share(self) -> bool:
        """Whether more is better and it lies between 0 and 1, as a share of right answers does."""
        return self.greater_is_better and self.bounds == (0.0, 1.0)

    def __call__(self, labels: np.ndarray, proba: np.ndarray) -> float:
        """Value over all rows; labels int (n,), proba float (n, C)."""
        return self.prepare(labels, proba)(None)


def intervals(
    scorers: Sequence[Scorer],
    groups: np.ndarray,
    metrics: Sequence[Metric] = (),
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> list[tuple[float, float]]:
    """Bootstrap intervals of prepared metrics (Efron 1979, percentile method), all from the same resamples.

    Whole groups are drawn, not rows: near-duplicates are one piece of evidence, not several; drawing rows would make
    the interval too narrow. groups : int (n,).

    A resample without a row of some class says nothing of that class: in a mean over classes it keeps the value that it has over
    all rows; so does a value that a resample of one class alone does not define. (Were it left out, the interval of a macro average would reach to the score of the other classes alone; were it 0, to
    a failure that nobody saw.)

    metrics : those of the scorers: where all rows are right every resample says so, and a share has the exact bound of so many groups
        that are all right (Clopper and Pearson 1934) in place of no doubt at all
    """
    drawn = [getattr(scorer, "resampled", scorer) for scorer in scorers]
    values = [[value(weights) for value in drawn] for weights in group_weights(groups, resamples)]
    low, high = _quantiles(np.array(values), level)
    found = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    if not metrics:
        return found
    doubt = 1 - ((1 - level) / 2) ** (1 / len(np.unique(groups)))
    return [_with_doubt(metric, *ends, doubt) for metric, ends in zip(metrics, found, strict=True)]


def _with_doubt(metric: Metric, low: float, high: float, doubt: float) -> tuple[float, float]:
    """The interval of a perfect share."""
    if metric.is_share and low == high == 1:
        return 1 - doubt, 1.0
    if not metric.greater_is_better and metric.bounds == (0.0, 1.0) and low == high == 0:
        return 0.0, doubt
    return low, high


def _quantiles(values: np.ndarray, level: float) -> np.ndarray:
    """Of each column of (resamples, metrics); NaN where no resample has a value."""
    found = np.full((2, values.shape[1]), np.nan)
    for column, drawn in enumerate(values.T):
        known = drawn[~np.isnan(drawn)]
        if len(known):
            found[:, column] = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return found


def group_weights(groups: np.ndarray, resamples: int, seed: int = 0) -> Iterator[np.ndarray]:
    """For each resample, how often each row was drawn, float (n,)."""
    _, group_of_row = np.unique(groups, return_inverse=True)
    n_groups = int(group_of_row.max()) + 1
    alone = bool(np.array_equal(group_of_row, np.arange(n_groups)))
    for counts in (_kept_draws if n_groups * resamples <= _KEPT_CELLS else _draws)(n_groups, resamples, seed):
        drawn = counts.astype(np.float64)
        yield drawn if alone else drawn[group_of_row]


def _draws(n_groups: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """For each resample, how often each group was drawn, int (n_groups,)."""
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(rng.integers(n_groups, size=n_groups), minlength=n_groups)


@functools.lru_cache(maxsize=1)
def _kept_draws(n_groups: int, resamples: int, seed: int) -> np.ndarray:
    """The same as one table, uint8 (resamples, n_groups): every score of a run, or of an ensemble's methods, is drawn on the same."""
    kept = np.empty((resamples, n_groups), dtype=np.uint8)  # of 256 groups or more none is drawn 256 times
    for row, counts in zip(kept, _draws(n_groups, resamples, seed), strict=True):
        row[:] = counts
    kept.flags.writeable = False
    return kept


def paired(
    metric: Metric,
    labels: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    groups: np.ndarray,
    resamples: int = 1000,
) -> tuple[float, float, float, float, float, float]:
    """Score of ours with its 95 % interval, and the difference to theirs with its own, from the same resamples.

    The difference is positive where ours is better, whatever the metric's direction.
    """
    first, second = (Resampled.of(metric, labels, outputs, groups, resamples) for outputs in (ours, theirs))
    return first.against(second)


@dataclass(frozen=True)
class Resampled:
    """A score with its values on bootstrap resamples, which are the same for all of the same groups: so scores can be held against
    each other, and each is drawn once however many it is held against.

    Attributes
    ----------
    score : over all rows; drawn : float (resamples,); greater_is_better : direction
    """

    score: float
    drawn: np.ndarray
    greater_is_better: bool

    @classmethod
    def of(
        cls, metric: Metric, labels: np.ndarray, outputs: np.ndarray, groups: np.ndarray, resamples: int = 1000
    ) -> Resampled:
        """Of outputs (n, C); whole groups are drawn (see `intervals`)."""
        scorer = metric.prepare(labels, outputs)
        value = getattr(scorer, "resampled", scorer)
        drawn = np.array([value(weights) for weights in group_weights(groups, resamples)])
        return cls(scorer(None), drawn, metric.greater_is_better)

    def against(self, other: Resampled) -> tuple[float, float, float, float, float, float]:
        """As `paired` says it."""
        sign = 1 if self.greater_is_better else -1
        low, high = np.nanquantile(self.drawn, [0.025, 0.975])
        gain_low, gain_high = np.nanquantile(sign * (self.drawn - other.drawn), [0.025, 0.975])
        gain = sign * (self.score - other.score)
        return self.score, float(low), float(high), gain, float(gain_low), float(gain_high)


def confusion(
    labels: np.ndarray, predicted: np.ndarray, n_classes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Confusion matrix (C, C), rows = true class, columns = predicted, cells = summed weights."""
    cells = labels * n_classes + predicted
    return np.bincount(cells, weights=weights, minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.float64)


@dataclass(frozen=True)
class Tally:
    """What a metric of the predicted classes needs, linear in the number of classes; each float (C,), summed row weights.

    Attributes
    ----------
    truth : of the rows of each class; said : of the rows predicted as it; hits : of those that are both
    """

    truth: np.ndarray
    said: np.ndarray
    hits: np.ndarray

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.truth + other.truth, self.said + other.said, self.hits + other.hits)


def tally(labels: np.ndarray, predicted: np.ndarray, n_classes: int, weights: np.ndarray | None = None) -> Tally:
    """Of int (n,) labels and predicted classes; weights float (n,) or None for all ones."""
    hit = labels == predicted
    truth = np.bincount(labels, weights, n_classes).astype(np.float64)
    said = np.bincount(predicted, weights, n_classes).astype(np.float64)
    hits = np.bincount(labels[hit], None if weights is None else weights[hit], n_classes).astype(np.float64)
    return Tally(truth, said, hits)


def argmax_rows(proba: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Largest class int64 (m,) of some rows of (n, C), or of all, a piece at a time: no copy of them all is made."""
    chosen = np.arange(len(proba)) if rows is None else rows
    pieces = [np.asarray(proba[chosen[p]]).argmax(axis=1) for p in row_pieces(len(chosen), proba.shape[1])]
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)


def row_pieces(n: int, n_classes: int, cells: int = 1 << 22) -> list[slice]:
    """Slices of n rows of so many classes that each hold about so many cells: a table of all of them is never made."""
    step = max(cells // max(n_classes, 1), 1)
    return [slice(start, start + step) for start in range(0, n, step)]


def confused_pairs(labels: np.ndarray, predicted: np.ndarray, n_classes: int, most: int) -> list[tuple[int, int, int]]:
    """The commonest mistakes (true class, predicted class, rows), commonest first; linear in the rows."""
    wrong = labels != predicted
    cells, count = np.unique(labels[wrong].astype(np.int64) * n_classes + predicted[wrong], return_counts=True)
    order = np.lexsort((cells, -count))[:most]
    return [(int(cells[i] // n_classes), int(cells[i] % n_classes), int(count[i])) for i in order]


@dataclass(frozen=True)
class ShareOfClasses:
    """A mean over classes of a ratio of sums, which knows what a resample that lacks a class makes of it (see `intervals`).

    Attributes
    ----------
    part, whole : of a `Tally`, (C,) each
    over : bool (C,) of a `Tally`: the classes that are averaged
    """

    part: Callable[[Tally], np.ndarray]
    whole: Callable[[Tally], np.ndarray]
    over: Callable[[Tally], np.ndarray]

    def __call__(self, counts: Tally) -> float:
        """The mean of the classes that count."""
        return float(_ratio(self.part(counts), self.whole(counts))[self.over(counts)].mean())

    def resampled(self, counts: Tally, everything: Tally) -> float:
        """The same classes as over all rows; one that the resample says nothing of keeps the value that it has there."""
        whole = self.whole(counts)
        stands_in = _ratio(self.part(everything), self.whole(everything))
        values = np.where(whole > 0, _ratio(self.part(counts), whole), stands_in)
        return float(values[self.over(everything)].mean())


class _ClassScorer:
    """A metric of predicted classes, prepared for given labels and predictions."""

    def __init__(self, value: Callable[[Tally], float], labels: np.ndarray, proba: np.ndarray) -> None:
        self.value, self.labels, self.n_classes = value, labels, proba.shape[1]
        self.predicted = argmax_rows(proba)
        self.everything = tally(labels, self.predicted, self.n_classes)
        self._hit = np.flatnonzero(labels == self.predicted)  # found once: weights come a thousand times
        self._hit_labels = labels[self._hit]

    def __call__(self, weights: np.ndarray | None) -> float:
        return float(self.value(self.everything if weights is None else self._counts(weights)))

    def resampled(self, weights: np.ndarray) -> float:
        """The value of a bootstrap resample (see `intervals`)."""
        counts, resampled = self._counts(weights), getattr(self.value, "resampled", None)
        return float(resampled(counts, self.everything) if resampled else self.value(counts))

    def _counts(self, weights: np.ndarray) -> Tally:
        """As `tally` has it."""
        truth, said = (np.bincount(of, weights, self.n_classes) for of in (self.labels, self.predicted))
        return Tally(truth, said, np.bincount(self._hit_labels, weights[self._hit], self.n_classes))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def present(t: Tally) -> np.ndarray:
    """Classes that occur as truth or as prediction; the others have no precision and no recall to average."""
    return (t.truth + t.said) > 0


def only(number: int) -> Callable[[Tally], np.ndarray]:
    """That class alone."""
    return lambda t: np.arange(len(t.truth)) == number


def _accuracy(t: Tally) -> float:
    return t.hits.sum() / t.truth.sum()


def _weighted_f1(t: Tally) -> float:
    return float(_ratio(2 * t.hits, t.truth + t.said) @ t.truth / t.truth.sum())


def _hits(t: Tally) -> np.ndarray:
    return t.hits


def _truth(t: Tally) -> np.ndarray:
    return t.truth


_RECALL, _PRECISION = (_hits, _truth), (_hits, lambda t: t.said)
_F1 = (lambda t: 2 * t.hits, lambda t: t.truth + t.said)


def _of_classes(name: str, value: Callable[[Tally], float]) -> Metric:
    return Metric(name, lambda labels, proba: _ClassScorer(value, labels, proba), of_tally=value, of_answers=True)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _of_classes("accuracy", _accuracy),
        _of_classes("balanced_accuracy", ShareOfClasses(*_RECALL, over=lambda t: t.truth > 0)),
        _of_classes("macro_f1", ShareOfClasses(*_F1, over=present)),
        _of_classes("weighted_f1", _weighted_f1),
        _of_classes("precision", ShareOfClasses(*_PRECISION, over=present)),
        _of_classes("recall", ShareOfClasses(*_RECALL, over=present)),
        _of_classes("sensitivity", ShareOfClasses(*_RECALL, over=only(1))),
        _of_classes("specificity", ShareOfClasses(*_RECALL, over=only(0))),
        Metric("roc_auc", roc_auc),
    )
}
"""Metrics of exclusive classes that take no parameters, by name; precision and recall are macro averages."""

TWO_CLASS_METRICS = ("f1", "sensitivity", "specificity")
"""Of the second of two classes, which is the positive one; specificity is the first one's recall."""


def custom_metric(
    score: Callable[[np.ndarray, np.ndarray], float], name: str = "custom", greater_is_better: bool = True
) -> Metric:
    """Wrap a competition's own `score(labels, proba)`; a resample repeats rows as often as they were drawn."""

    def prepare(labels: np.ndarray, proba: np.ndarray) -> Scorer:
        def scorer(weights: np.ndarray | None) -> float:
            rows = np.arange(len(labels)) if weights is None else np.repeat(np.arange(len(labels)), weights.astype(int))
            return float(score(labels[rows], proba[rows]))

        return scorer

    return Metric(name, prepare, greater_is_better, least=-float("inf"), most=float("inf"))
