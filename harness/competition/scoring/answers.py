"""Metrics of answers: the class that is predicted, the labels that are given, the grade; under row weights.

For several labels an answer is what has a probability of one half or more: a decision (`harness.competition.tasks`) moves the
probabilities so that this is what it decides.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Protocol

import numpy as np

from harness.competition.metrics import Scorer, ShareOfClasses, Tally, argmax_rows, confusion, only, present


def ratio(part: np.ndarray, whole: np.ndarray, empty: float = 0.0) -> np.ndarray:
    """part / whole, `empty` where there is no whole."""
    return np.divide(part, whole, out=np.full(np.shape(part), empty, dtype=np.float64), where=np.asarray(whole) > 0)


class Weighted:
    """A weighted mean of a value of each row (n,); NaN of a resample without weight."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = np.asarray(values, dtype=np.float64)

    def __call__(self, weights: np.ndarray | None) -> float:
        """The mean under row weights."""
        return float(np.average(self.values, weights=weights))


class LabelCounts:
    """Counts of each label under row weights, for metrics of several labels a row.

    Attributes
    ----------
    truth, said : bool (n, T)
    """

    def __init__(self, truth: np.ndarray, outputs: np.ndarray, threshold: float = 0.5) -> None:
        self.truth, self.said = np.asarray(truth) >= 0.5, np.asarray(outputs) >= threshold
        self.hit = self.truth & self.said

    @functools.cached_property
    def _numbers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hits, truth and said as float64 (n, T): what a thousand resamples multiply is made once."""
        return self.hit.astype(np.float64), self.truth.astype(np.float64), self.said.astype(np.float64)

    def give(self, label: int, said: np.ndarray) -> None:
        """Let a label's answers be these, bool (n,)."""
        self.said[:, label], self.hit[:, label] = said, self.truth[:, label] & said
        self.__dict__.pop("_numbers", None)

    def per_label(self, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hits, true labels and given labels of each column, float (T,) each."""
        if weights is None:
            h, t, s = (
                np.count_nonzero(cells, axis=0).astype(np.float64) for cells in (self.hit, self.truth, self.said)
            )
            return h, t, s
        hit, truth, said = self._numbers
        return weights @ hit, weights @ truth, weights @ said

    def per_row(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same of each row, int (n,) each."""
        return self.hit.sum(axis=1), self.truth.sum(axis=1), self.said.sum(axis=1)


def _fbeta(hits: np.ndarray, truth: np.ndarray, said: np.ndarray, beta: float) -> np.ndarray:
    return ratio((1 + beta**2) * np.asarray(hits, float), beta**2 * np.asarray(truth, float) + np.asarray(said, float))


def label_fbeta(truth: np.ndarray, outputs: np.ndarray, beta: float, average: str) -> Scorer:
    """F-beta of several labels, as scikit-learn's `fbeta_score` with zero_division = 0."""
    counts = LabelCounts(truth, outputs)
    if average == "samples":
        return _OfRows(counts, lambda h, t, s: _fbeta(h, t, s, beta))
    return _OfLabels(counts, lambda h, t, s: _fbeta(h, t, s, beta), average)


class LabelScorer(Protocol):
    """A metric of labels that knows what changing one label's answers makes of it: a search over thresholds asks thousands of times."""

    def with_label(self, label: int, said: np.ndarray) -> float:
        """The value over all rows if that label's answers were these, bool (n,)."""
        ...

    def keep_label(self, label: int, said: np.ndarray) -> None:
        """Let them be these from now on."""
        ...


class _OfRows(Weighted):
    """A mean over rows of a function of each row's counts of hits, true and given labels, (n,) each."""

    def __init__(self, counts: LabelCounts, value: Callable[..., np.ndarray]) -> None:
        self.value, self.counts, self.per_row = value, counts, counts.per_row()
        super().__init__(value(*self.per_row))

    def with_label(self, label: int, said: np.ndarray) -> float:
        """See `LabelScorer`."""
        return float(np.average(self.value(*self._changed(label, said))))

    def keep_label(self, label: int, said: np.ndarray) -> None:
        """See `LabelScorer`."""
        self.per_row = self._changed(label, said)
        self.values = np.asarray(self.value(*self.per_row), dtype=np.float64)
        self.counts.give(label, said)

    def _changed(self, label: int, said: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        hits, truth, given = self.per_row
        more = said.astype(np.int8) - self.counts.said[:, label]
        return hits + more * self.counts.truth[:, label], truth, given + more


class _OfLabels:
    """A mean over labels of a function of their counts; a label without a row in a resample keeps its value over all rows."""

    def __init__(self, counts: LabelCounts, value: Callable[..., np.ndarray], average: str) -> None:
        self.counts, self.value, self.average = counts, value, average
        self.per_label = counts.per_label(None)
        self.everything = value(*self.per_label)

    def with_label(self, label: int, said: np.ndarray) -> float:
        """See `LabelScorer`."""
        return self._of(*self._changed(label, said))

    def keep_label(self, label: int, said: np.ndarray) -> None:
        """See `LabelScorer`."""
        self.per_label = self._changed(label, said)
        self.everything = self.value(*self.per_label)
        self.counts.give(label, said)

    def _changed(self, label: int, said: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        hits, truth, given = (counts.copy() for counts in self.per_label)
        hits[label], given[label] = np.count_nonzero(self.counts.truth[:, label] & said), np.count_nonzero(said)
        return hits, truth, given

    def __call__(self, weights: np.ndarray | None) -> float:
        return self._of(*(self.per_label if weights is None else self.counts.per_label(weights)))

    def _of(self, hits: np.ndarray, truth: np.ndarray, said: np.ndarray) -> float:
        if self.average == "micro":
            return float(self.value(hits.sum(), truth.sum(), said.sum()))
        values = self.value(hits, truth, said)
        if self.average == "weighted":
            return float(np.average(values, weights=truth)) if truth.sum() else 0.0
        return float(values.mean())

    def resampled(self, weights: np.ndarray) -> float:
        """The value of a bootstrap resample."""
        if self.average != "macro":
            return self(weights)
        hits, truth, said = self.counts.per_label(weights)
        return float(np.where(truth + said > 0, self.value(hits, truth, said), self.everything).mean())


def label_jaccard(truth: np.ndarray, outputs: np.ndarray, average: str) -> Scorer:
    """Intersection over union of true and given labels."""
    counts = LabelCounts(truth, outputs)

    def jaccard(hits: np.ndarray, true: np.ndarray, said: np.ndarray) -> np.ndarray:
        return ratio(np.asarray(hits, float), np.asarray(true + said - hits, float))

    return _OfRows(counts, jaccard) if average == "samples" else _OfLabels(counts, jaccard, average)


def label_hamming(truth: np.ndarray, outputs: np.ndarray) -> Scorer:
    """Share of the labels that are wrong."""
    counts = LabelCounts(truth, outputs)
    return _OfRows(counts, lambda hits, true, said: (true + said - 2 * hits) / counts.truth.shape[1])


def label_exact(truth: np.ndarray, outputs: np.ndarray) -> Scorer:
    """Share of the rows of which every label is right (subset accuracy)."""
    return _OfRows(LabelCounts(truth, outputs), lambda hits, true, said: (true == hits) & (said == hits))


def class_fbeta(beta: float, average: str) -> Callable[[Tally], float]:
    """F-beta of exclusive classes from a tally: macro, micro, weighted, or 'binary' (of the second class)."""
    if average in ("macro", "binary"):
        return ShareOfClasses(
            part=lambda t: (1 + beta**2) * t.hits,
            whole=lambda t: beta**2 * t.truth + t.said,
            over=present if average == "macro" else only(1),
        )

    def value(t: Tally) -> float:
        if average == "micro":
            return float(_fbeta(t.hits.sum(), t.truth.sum(), t.said.sum(), beta))
        return float(np.average(_fbeta(t.hits, t.truth, t.said, beta), weights=t.truth))

    return value


class Matthews:
    """Matthews correlation of exclusive classes (Gorodkin 2004); 0 where it is not defined, as scikit-learn has it."""

    def __call__(self, t: Tally) -> float:
        """The value of a tally."""
        return self._or(0.0, t)

    def resampled(self, counts: Tally, everything: Tally) -> float:
        """The value of a bootstrap resample; one in which all is one class, true or predicted, says nothing: it has the value of all rows."""
        return self._or(self(everything), counts)

    def _or(self, undefined: float, t: Tally) -> float:
        n = t.truth.sum()
        covariance = n * t.hits.sum() - t.truth @ t.said
        of_truth, of_said = n**2 - t.truth @ t.truth, n**2 - t.said @ t.said
        return float(covariance / np.sqrt(of_truth * of_said)) if of_truth * of_said > 0 else undefined


class ByConfusion:
    """A value of the weighted confusion matrix (C, C); for as many classes as a matrix of them can be held.

    Parameters
    ----------
    value : (matrix) -> float; NaN where it is not defined
    undefined : what is agreed on there
    """

    def __init__(
        self, value: Callable[[np.ndarray], float], labels: np.ndarray, proba: np.ndarray, undefined: float = np.nan
    ) -> None:
        self.value, self.labels, self.n, self.undefined = value, labels, proba.shape[1], undefined
        self.predicted = argmax_rows(proba)

    def __call__(self, weights: np.ndarray | None) -> float:
        """The value under row weights."""
        return self._or(self.undefined, weights)

    def resampled(self, weights: np.ndarray) -> float:
        """The value of a bootstrap resample; one for which none is defined has that of all rows."""
        return self._or(self._everything, weights)

    @functools.cached_property
    def _everything(self) -> float:
        return self(None)

    def _or(self, undefined: float, weights: np.ndarray | None) -> float:
        found = float(self.value(confusion(self.labels, self.predicted, self.n, weights)))
        return undefined if np.isnan(found) else found


def kappa(matrix: np.ndarray, power: int) -> float:
    """Cohen's kappa, with disagreements weighted by |i - j|^power (0: all alike); NaN where all is one class, true and predicted.

    Cohen 1968, "Weighted kappa"; as scikit-learn's `cohen_kappa_score`.
    """
    n = len(matrix)
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n))).astype(np.float64)
    weights = (apart > 0).astype(np.float64) if power == 0 else apart**power
    expected = np.outer(matrix.sum(axis=1), matrix.sum(axis=0)) / max(matrix.sum(), 1e-12)
    chance = (weights * expected).sum()
    return float(1 - (weights * matrix).sum() / chance) if chance > 0 else float("nan")


def cost(matrix: np.ndarray, prices: np.ndarray) -> float:
    """Mean price of an answer; prices float (C, C): rows true, columns predicted."""
    return float((matrix * prices).sum() / matrix.sum())
