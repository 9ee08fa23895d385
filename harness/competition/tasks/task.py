"""The kinds of tasks: one class of several, two classes, several labels, ordered grades, numbers.

Everywhere a row has K outputs, one for each name in the competition's `classes`: the probability of a class or of a label, or a
number. Targets are int64 (n,) where a row has one class, else float32 (n, K).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.competition.metrics import Metric, argmax_rows
from harness.competition.scoring.registry import CLASSES, LABELS, NUMBERS
from harness.competition.tasks import answering, decisions, scaling

_SUM_TOLERANCE = 1e-2  # rows are stored as float32 or float16


@dataclass(frozen=True)
class Task:
    """What a kind of task fixes.

    Attributes
    ----------
    name : in competition.toml
    of : kind of the targets, as metrics ask for it: "classes", "labels" or "numbers"
    activation : what makes outputs of logits: "softmax", "sigmoid" or "identity"
    losses : names of the losses that train it, the default first
    least : so many names in `classes` it needs
    ordered : whether the classes are grades
    decides : whether answers come by a decision that is found on OOF (thresholds, cut points), not by the largest output
    what : it, in words
    """

    name: str
    of: str
    activation: str
    losses: tuple[str, ...]
    least: int
    what: str
    ordered: bool = False
    decides: bool = False

    @property
    def is_one_class(self) -> bool:
        """Whether a row has exactly one class: targets int64 (n,), outputs that sum to one."""
        return self.of == CLASSES

    @property
    def answers_are(self) -> str:
        """What an answer is: "classes", "grades" (by cuts), "labels" (by thresholds) or "numbers"."""
        return "grades" if self.ordered else self.of

    @property
    def stored_as(self) -> type:
        """dtype of outputs of which there are very many: probabilities as float16, numbers (of any size) as float32."""
        return np.float32 if self.of == NUMBERS else np.float16

    def wrong_rows(self, outputs: np.ndarray) -> np.ndarray:
        """Which rows (bool (n,)) are no outputs of this task: not finite, outside [0, 1], of classes not summing to one."""
        rows = np.asarray(outputs, dtype=np.float32)
        with np.errstate(invalid="ignore"):
            if self.of == NUMBERS:
                return np.asarray(~np.isfinite(rows).all(axis=1))
            sound = ((rows >= 0) & (rows <= 1 + _SUM_TOLERANCE)).all(axis=1)
            if self.is_one_class:
                sound &= np.abs(rows.sum(axis=1, dtype=np.float64) - 1) < _SUM_TOLERANCE
        return np.asarray(~sound)

    @property
    def wrong_why(self) -> str:
        """What `wrong_rows` finds, in words."""
        return {
            CLASSES: "are no probabilities (NaN, infinite, negative, or they do not sum to one)",
            LABELS: "are no probabilities (NaN, infinite, or outside 0 to 1)",
            NUMBERS: "are no numbers (NaN or infinite)",
        }[self.of]

    def strata(self, targets: np.ndarray, bins: int = 10) -> np.ndarray:
        """What folds are balanced on where it is one kind a row, int64 (n,): the class, or of numbers the quantile of their mean.

        Of several labels it is the rarest that the row has (0 = none); `harness.cv.folds` balances all of them.
        """
        if self.is_one_class:
            return targets
        if self.of == NUMBERS:
            score = ((targets - targets.mean(axis=0)) / spreads(targets)).mean(axis=1)
            edges = np.quantile(score, np.linspace(0, 1, min(bins, max(len(score) // 10, 2)) + 1)[1:-1])
            return np.searchsorted(edges, score, side="right").astype(np.int64)
        counts = targets.sum(axis=0)
        rarity = np.where(targets >= 0.5, counts, np.inf)
        return np.where(np.isfinite(rarity.min(axis=1)), rarity.argmin(axis=1) + 1, 0).astype(np.int64)

    def plain(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs whose simple answer (the largest; one half or more) is this task's without a decision: of grades the expected one."""
        if not self.ordered:
            return outputs
        return answering.by_cuts(outputs, middle_cuts(outputs.shape[1]))

    def metric(self, metric: Metric) -> Metric:
        """The metric as this task takes it: one of answers judges `plain` answers."""
        if not (self.ordered and metric.of_answers):
            return metric
        return replace(metric, prepare=lambda y, o: metric.prepare(y, self.plain(np.asarray(o))), of_tally=None)

    def fit_decision(self, metric: Metric, targets: np.ndarray, outputs: np.ndarray) -> list[float]:
        """What the decision is where it is found on these rows: a threshold for each label, or the cuts between grades."""
        if self.ordered:
            return decisions.best_cuts(metric, targets, outputs)
        return decisions.best_thresholds(metric, targets, outputs)

    def decide(self, outputs: np.ndarray, decision: Sequence[float]) -> np.ndarray:
        """Outputs (n, K) whose simple answer is what the decision makes of them."""
        return answering.DECISIONS[self.answers_are](outputs, decision)

    def find_decision(
        self, metric: Metric, targets: np.ndarray, outputs: np.ndarray, fold: np.ndarray
    ) -> dict[str, Any]:
        """The decision found on all rows, and for each fold the one that the other folds found.

        Returns
        -------
        {"values": [...], "metric": name, "folds": {fold: [...]}}; with one fold alone no fold has one, and the plain rule counts
        """
        numbers = np.unique(fold)
        by_fold = {
            str(number): self.fit_decision(metric, targets[fold != number], outputs[fold != number])
            for number in (numbers if len(numbers) > 1 else ())
        }
        return {"values": self.fit_decision(metric, targets, outputs), "metric": metric.name, "folds": by_fold}

    def decide_by_fold(self, outputs: np.ndarray, fold: np.ndarray, told: dict[str, Any]) -> np.ndarray:
        """Outputs (n, K) as decided, each fold by what the others found; a fold that has no decision by the plain rule."""
        out = self.plain(np.array(outputs, dtype=np.float32))
        for number, values in told["folds"].items():
            mine = fold == int(number)
            out[mine] = self.decide(outputs[mine], values)
        return out

    def judged(self, outputs: np.ndarray, fold: np.ndarray, told: dict[str, Any] | None) -> np.ndarray:
        """Outputs (n, K) whose simple answer is the task's: as decided by fold where there is a decision, else as they are.

        told : as scores.json has it: `find_decision`, and "scaling" by `find_scaling`; None where nothing was decided
        """
        return self.decide_by_fold(outputs, fold, told) if told and "values" in told else self.plain(outputs)

    def find_scaling(
        self,
        metric: Metric,
        targets: np.ndarray,
        outputs: np.ndarray,
        fold: np.ndarray,
        groups: np.ndarray,
        like: dict[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """How probabilities are scaled (`scaling.find_scaling`): the part "scaling" of a decision. None where the metric judges none."""
        if metric.of_probabilities is None or self.of == NUMBERS:
            return None
        return scaling.find_scaling(metric, targets, outputs, fold, groups, like)

    def fit_scaling(
        self, method: str, metric: Metric, targets: np.ndarray, outputs: np.ndarray
    ) -> scaling.Scaling | None:
        """The scaling of that name by these rows; None of "none"."""
        if method == scaling.NONE:
            return None
        return scaling.fit_scaling(method, targets, outputs, scaling.class_weights_of(metric))

    def scaled(self, outputs: np.ndarray, found: scaling.Scaling | None) -> np.ndarray:
        """Probabilities (n, K) scaled; as they are where nothing was found to gain."""
        return scaling.scaled(outputs, found, self.is_one_class) if found else outputs

    def judged_by(
        self, metric: Metric, outputs: np.ndarray, fold: np.ndarray, told: dict[str, Any] | None
    ) -> np.ndarray:
        """Outputs (n, K) as a metric judges them: one of answers those that the decision gives, a proper score of probabilities the
        scaled ones, both by what the other folds found; any other the outputs as they are."""
        if told and metric.of_answers and "values" in told:
            return self.decide_by_fold(outputs, fold, told)
        if told and metric.of_probabilities and told.get("scaling"):
            return scaling.scaled_by_fold(outputs, fold, told["scaling"]["folds"], self.is_one_class)
        return outputs

    def decided_by(self, metric: Metric, outputs: np.ndarray, told: dict[str, Any] | None) -> np.ndarray:
        """The same of rows that no fold holds, by what all rows found."""
        if told and metric.of_answers and "values" in told:
            return self.decide(outputs, told["values"])
        if told and metric.of_probabilities and told.get("scaling"):
            return self.scaled(outputs, told["scaling"]["values"])
        return outputs

    def score_apart(self, metric: Metric, targets: np.ndarray, outputs: np.ndarray) -> float:
        """The score of rows by the decision that they themselves have: to compare models on the same rows before there are other folds.

        It is too good to be told as a score.
        """
        return metric(targets, self.decided_apart(metric, targets, outputs))

    def decided_apart(self, metric: Metric, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Outputs (n, K) as `score_apart` judges them."""
        if not (self.decides and metric.of_answers):
            return outputs
        return self.decide(outputs, self.fit_decision(metric, targets, outputs))

    @property
    def votes(self) -> bool:
        """Whether several models can vote: for a class, a label, a grade; a number is no answer that two would give."""
        return self.of != NUMBERS

    def vote(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """Outputs float64 (n, K) of several models' (n, K) each: the class most of them say, the labels more than half give, the median
        grade; right by any decision that follows (see `votes`)."""
        assert self.votes
        return answering.VOTES[self.answers_are](outputs)

    def row_errors(self, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """How wrong each row's simple answer is, float (n,): 0 or 1 of a class, the share of the labels; of numbers the distance, each
        in its own standard deviations."""
        if self.is_one_class:
            return (outputs.argmax(axis=1) != targets).astype(np.float64)
        if self.of == LABELS:
            return ((outputs >= 0.5) != (targets >= 0.5)).mean(axis=1)
        return (np.abs(outputs - targets) / self.units(targets)).mean(axis=1)

    def units(self, targets: np.ndarray) -> np.ndarray | float:
        """What a difference of outputs is measured in: of probabilities 1, of numbers each one's standard deviation (K,)."""
        return spreads(targets) if self.of == NUMBERS else 1.0

    def firmly_apart(self, said: np.ndarray, stored: np.ndarray, margin: float, targets: np.ndarray) -> np.ndarray:
        """Rows bool (n,) whose simple answers differ where the stored one is ahead by more than a margin of probability; of numbers those
        that lie further apart than the margin, in `units`."""
        if self.of == NUMBERS:
            return np.asarray((np.abs(said - stored) > margin * self.units(targets)).any(axis=1))
        if self.of == LABELS:
            return np.asarray((((said >= 0.5) != (stored >= 0.5)) & (np.abs(2 * stored - 1) > margin)).any(axis=1))
        return np.asarray((said.argmax(axis=1) != stored.argmax(axis=1)) & (lead(stored) > margin))

    def sure(self, outputs: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """Rows (int64, sorted) whose answer is at least so sure, and the targets that every row (all n, sure or not) would have.

        Of one class its probability counts; of several labels each of them must be that likely, or that unlikely.
        """
        outputs = np.asarray(outputs)
        if self.of == LABELS:
            firm = np.maximum(outputs, 1 - outputs).min(axis=1)
            return np.flatnonzero(firm >= threshold), (outputs >= 0.5).astype(np.float32)
        return np.flatnonzero(outputs.max(axis=1) >= threshold), outputs.argmax(axis=1)

    def answers(self, outputs: np.ndarray) -> np.ndarray:
        """The simple answers: classes int64 (n,), or labels bool (n, K); of numbers themselves."""
        if self.is_one_class:
            return argmax_rows(outputs)
        return np.asarray(outputs) >= 0.5 if self.of == LABELS else np.asarray(outputs)

    def describe(self, target: Any, names: Sequence[str]) -> str:
        """A row's target in words: 'cat', 'haze primary', '3.5'."""
        if self.is_one_class:
            return names[int(target)]
        if self.of == LABELS:
            return (
                ", ".join(name for name, has in zip(names, np.asarray(target) >= 0.5, strict=True) if has) or "(none)"
            )
        return ", ".join(f"{value:.4g}" for value in np.atleast_1d(target))


def lead(outputs: np.ndarray) -> np.ndarray:
    """By how much the largest output of each row is ahead of the next, float (n,)."""
    two = np.partition(outputs, -2, axis=1)
    return np.asarray(two[:, -1] - two[:, -2])


def spreads(targets: np.ndarray) -> np.ndarray:
    """Standard deviation of each number (K,); 1 of one that is always the same."""
    found = targets.std(axis=0)
    return np.asarray(np.where(found > 0, found, 1))


def middle_cuts(n: int) -> list[float]:
    """The cuts between n grades where no decision was found."""
    return [grade + 0.5 for grade in range(n - 1)]


_OF_CLASSES = ("cross_entropy", "focal")
TASKS = {
    task.name: task
    for task in (
        Task("single", CLASSES, "softmax", _OF_CLASSES, 2, "one of several classes"),
        Task("binary", CLASSES, "softmax", _OF_CLASSES, 2, "one of two classes, the second being the positive one"),
        Task("multilabel", LABELS, "sigmoid", ("bce", "asymmetric", "focal"), 1, "any of several labels", decides=True),
        Task(
            "ordinal",
            CLASSES,
            "softmax",
            ("cross_entropy", "focal", "cumulative", "mse", "mae", "huber"),
            2,
            "one of several ordered grades",
            ordered=True,
            decides=True,
        ),
        Task("regression", NUMBERS, "identity", ("mse", "mae", "huber", "bce"), 1, "one number or more"),
    )
}
"""By name."""
