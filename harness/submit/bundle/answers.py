"""How a bundle answers: what [submission] asks for by the run's own decision, as values that bundle.json holds; and our own answers to hold
its against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.competition import Competition
from harness.competition.scoring.ranking import top_classes
from harness.competition.tasks.answering import expected_grade
from harness.competition.tasks.task import lead
from harness.oof.ensemble.blend import Blend, scaling_of
from harness.runs import Run
from harness.submit.submission import (
    ANSWERS,
    answer_numbers,
    least_probability,
    sends_answers,
    sent_decision,
    sent_outputs,
    told_outputs,
)

_OUTPUTS = ("probability", "number")
"""Values of [submission] that are the outputs themselves."""


@dataclass(frozen=True)
class Form:
    """What an answer looks like.

    Attributes
    ----------
    columns : (n, columns) of them, or (n,) where it is 0
    numbers : they are whole numbers below it; 0: any finite numbers
    """

    columns: int
    numbers: int

    def shape(self, n: int) -> tuple[int, ...]:
        """Of the answers to n images."""
        return (n, self.columns) if self.columns else (n,)

    def wrong(self, answers: np.ndarray, n: int) -> str:
        """What is wrong with the answers to n images; "" where nothing is."""
        if answers.shape != self.shape(n):
            hint = "" if self.columns or not self.numbers else ", not one-hot"
            return f"predict gives {answers.shape} for {n} images; wanted {self.shape(n)}{hint}"
        if not self.numbers:
            if not np.issubdtype(answers.dtype, np.floating):
                return f"predict gives {answers.dtype}; wanted floats"
            return "" if np.isfinite(answers).all() else "predict gives numbers that are not finite"
        if not np.issubdtype(answers.dtype, np.integer):
            return f"predict gives {answers.dtype}; wanted whole numbers"
        if answers.size and not (answers.min() >= 0 and answers.max() < self.numbers):
            return f"predict gives labels {answers.min()} to {answers.max()}; there are {self.numbers} classes"
        return ""


@dataclass(frozen=True)
class Answering:
    """A competition's answers by one run.

    Attributes
    ----------
    scores : of the run, with its decision, as `score_run` gives them
    threshold : of two classes, from which probability on the second is said; None where the larger one decides
    """

    competition: Competition
    run: Run
    scores: dict[str, Any]
    threshold: float | None = None

    @property
    def form(self) -> Form:
        """What `predict` has to give."""
        spec, n = self.competition.submission, len(self.competition.classes)
        shape = answer_numbers(self.competition, np.zeros((1, n))).shape
        columns = shape[1] if len(shape) == 2 else 0
        if spec.value in _OUTPUTS:
            return Form(columns, 0)
        return Form(columns, 2 if spec.value in ("labels", "onehot") else n)

    @property
    def votes(self) -> bool:
        """Whether folds vote."""
        return self.run.recipe.predict.across_folds == "vote"

    @property
    def scaling(self) -> dict[str, list[float]]:
        """How the bundle scales what a fold's models say; {} where it does not, or they vote."""
        return {} if self.votes else scaling_of(self.scores)

    def about(self) -> dict[str, Any]:
        """What model.py goes by, as JSON."""
        competition, spec = self.competition, self.competition.submission
        return {
            "answers": self.run.task.answers_are,
            "value": spec.value,
            "one_column": not self.form.columns,
            "likeliest": spec.value == "labels" and spec.empty == "likeliest",
            "k": min(spec.k, len(competition.classes)),
            "scaled": not sends_answers(competition),
            "threshold": self.threshold,
            "decision": sent_decision(competition, self.scores),
            "eps": least_probability(competition),
        }

    def together(self, folds: Sequence[np.ndarray]) -> np.ndarray:
        """Outputs float32 (n, K) of all folds' (n, K) each, as a run stores them."""
        task = self.run.task
        said = task.vote(folds) if self.votes else np.mean(folds, axis=0, dtype=np.float64)
        return np.asarray(said, dtype=np.float32)

    def of(self, folds: Sequence[np.ndarray]) -> np.ndarray:
        """Our own answers to images of which each fold's models say (n, K), by the way that a file is written."""
        return answer_numbers(self.competition, self._sent(folds))

    def _sent(self, folds: Sequence[np.ndarray]) -> np.ndarray:
        by_fold = tuple(folds) if self.scaling else ()
        none, name, nobody = np.zeros((0, 0)), self.run.name, np.zeros(0, dtype=str)
        blend = Blend(name, (name,), none, np.zeros(0, dtype=bool), nobody, self.together(folds), self.scores, by_fold)
        return sent_outputs(self.competition, blend, told_outputs(self.competition, blend), self.threshold)

    def apart(self, said: np.ndarray, folds: Sequence[np.ndarray], margin: float) -> np.ndarray:
        """Rows (int64) of which a bundle says something else than we do, where nothing is level.

        margin : of probability, within which two outputs, or an output and its threshold, count as level; numbers, and probabilities that
            are sent, may differ by it (numbers in their standard deviations)
        """
        ours = self.of(folds)
        if self.competition.submission.value in _OUTPUTS:
            units = self.run.task.units(self.run.labels)
            differs = np.abs(said - ours) > margin * (units if ours.ndim == 2 else np.ravel(units)[-1])
        else:
            differs = said != ours
        level = self._level(folds, margin)
        level = level[:, None] if differs.ndim > level.ndim else level
        wrong = differs & ~level
        return np.flatnonzero(wrong.any(axis=1) if wrong.ndim == 2 else wrong)

    def firm(self, folds: Sequence[np.ndarray], margin: float) -> np.ndarray:
        """Rows bool (n,) whose answer does not hang on less than the margin, so that it is the same wherever it is computed."""
        level = self._level(folds, margin)
        return np.logical_not(level.any(axis=1) if level.ndim == 2 else level)

    def _level(self, folds: Sequence[np.ndarray], margin: float) -> np.ndarray:
        """Where an answer hangs on less than the margin: rows bool (n,), or of labels (n, K)."""
        kind, spec, outputs = self.run.task.answers_are, self.competition.submission, self.together(folds)
        voting = self._level_votes(folds, margin) if self.votes else np.zeros(len(outputs), dtype=bool)
        if spec.value in _OUTPUTS:
            return voting
        if spec.value not in ANSWERS:  # the order of some classes
            ordered = np.take_along_axis(outputs, top_classes(outputs, spec.k + 1), axis=1)
            return voting | (-np.diff(ordered, axis=1) <= margin).any(axis=1)
        decision = sent_decision(self.competition, self.scores)
        if kind == "grades":
            away = np.abs(expected_grade(outputs)[:, None] - np.asarray(decision))
            return voting | (away <= margin * outputs.shape[1]).any(axis=1)
        if kind == "labels":
            near = np.abs(outputs - (0.5 if decision is None else np.asarray(decision))) <= margin
            alone = spec.value == "labels" and spec.empty == "likeliest"
            return near | (near.any(axis=1) | (lead_or_one(self._sent(folds)) <= margin))[:, None] if alone else near
        return voting | (lead(self._sent(folds)) <= margin)

    def _level_votes(self, folds: Sequence[np.ndarray], margin: float) -> np.ndarray:
        """Rows bool (n,) in which a vote hangs on less than the margin."""
        kind = self.run.task.answers_are
        if kind == "classes":
            return np.any([lead(said) <= margin for said in folds], axis=0)
        if kind == "grades":  # which fold is the median one
            grades = np.sort([expected_grade(said) for said in folds], axis=0)
            return np.asarray((np.diff(grades, axis=0) <= margin * folds[0].shape[1]).any(axis=0))
        return np.zeros(len(folds[0]), dtype=bool)  # a median moves no further than what it is of


def lead_or_one(outputs: np.ndarray) -> np.ndarray:
    """By how much the likeliest label of each row is ahead of the next, float (n,); 1 where there is one label alone."""
    return lead(outputs) if outputs.shape[1] > 1 else np.ones(len(outputs))
