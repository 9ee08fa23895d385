"""What a forecast is made of: labelled predictions, each fold model's test predictions, the noise suite's, and what images look like."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.base.storage.damage import DAMAGED
from harness.competition.metrics import Metric
from harness.competition.tasks import TASKS, Task
from harness.cv.noise.suite import Suite, suite_paths
from harness.data.cache import Dataset
from harness.oof.forecast.domain_shift import LEAST_ROWS, MOST_ROWS
from harness.runs import Folds, Run, RunFolder
from harness.train.inputs.image_statistics import STATISTICS, describe_images

Combine = Callable[[np.ndarray], np.ndarray]
"""proba (M, n, C) of the members -> (n, C)."""


@dataclass(frozen=True)
class ForecastInputs:
    """A run or a blend whose leaderboard score is asked for.

    Attributes
    ----------
    name : of the run or blend
    labels : int64 (n,); folds : of the rows; oof : float (n, C); NaN where a fold was not trained
    scores : as scores.json
    test_folds : float (t, C) of each fold model; empty where the test is hidden
    suite : None where the noise suite was not run
    by_vote : the fold models vote; pseudo : they learnt from test rows; is_blend : of several runs
    caveats : why the OOF score itself is too good to be true, in words
    task : what labels and outputs are
    """

    name: str
    labels: np.ndarray
    folds: Folds
    oof: np.ndarray
    scores: dict[str, Any]
    test_ids: np.ndarray | None
    test_folds: list[np.ndarray]
    suite: Suite | None
    by_vote: bool = False
    pseudo: bool = False
    is_blend: bool = False
    caveats: tuple[str, ...] = ()
    task: Task = TASKS["single"]

    @property
    def scored(self) -> np.ndarray:
        """Rows (int64) that the OOF score is of."""
        return np.flatnonzero(self.folds.kept & ~np.isnan(self.oof[:, 0]))

    def judged(self, metric: Metric, outputs: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Outputs (m, C) as the metric judges them: answers and probabilities by the run's decision, where it has one.

        rows : int64 (m,), the training rows that they are of: each fold's are decided by what the other folds found; None for others
        """
        told = self.scores.get("decision")
        if rows is None:
            return self.task.decided_by(metric, outputs, told)
        return self.task.judged_by(metric, outputs, self.folds.fold[rows], told)

    def judged_together(self, metric: Metric) -> np.ndarray:
        """The fold models' mean (t, C) on the test as the metric judges it: probabilities are scaled before, answers decided after."""
        if metric.of_answers:
            return self.judged(metric, np.mean(self.test_folds, axis=0))
        return np.asarray(np.mean([self.judged(metric, of) for of in self.test_folds], axis=0))


def forecast_inputs_of(run: Run) -> ForecastInputs:
    """Read what a forecast of a run needs.

    Raises
    ------
    UserError
        If a file is missing or damaged.
    """
    folder, trained = RunFolder(run.path), [f["fold"] for f in run.scores["folds"]]
    paths = suite_paths(run.path, trained)
    return ForecastInputs(
        name=run.name,
        labels=run.labels,
        folds=run.folds,
        oof=run.oof,
        scores=run.scores,
        test_ids=run.test_ids,
        test_folds=[] if run.test is None else [folder.load_fold(fold).test_proba for fold in trained],
        suite=Suite.load(paths) if paths else None,
        by_vote=run.recipe.predict.across_folds == "vote",
        pseudo=bool(run.environment.get("pseudo")),
        is_blend="ensemble" in run.environment,
        caveats=tuple(text for text in [run.environment.get("optimistic")] if text),
        task=run.task,
    )


def blended(
    name: str, members: Sequence[ForecastInputs], combine: Combine, oof: np.ndarray, scores: dict[str, Any]
) -> ForecastInputs:
    """Members' test and suite predictions combined; rows must be aligned (`harness.oof.predictions.align`).

    The suite is the members' where all took it on the same rows, else None.
    """
    first = members[0]
    test_folds = [combine(np.stack(parts)) for parts in zip(*(m.test_folds for m in members), strict=True)]
    suites = [member.suite for member in members if member.suite is not None]
    suite = None
    if len(suites) == len(members) and all(
        s.names == suites[0].names and np.array_equal(s.rows, suites[0].rows) for s in suites
    ):
        suite = combine_suites(suites, combine)
    return ForecastInputs(
        name,
        first.labels,
        first.folds,
        oof,
        scores,
        first.test_ids,
        test_folds,
        suite,
        pseudo=any(member.pseudo for member in members),
        is_blend=True,
        caveats=tuple(dict.fromkeys(text for member in members for text in member.caveats)),
        task=first.task,
    )


def combine_suites(suites: Sequence[Suite], combine: Combine) -> Suite:
    """One suite of members' suites on the same rows and corruptions."""
    proba = np.empty_like(suites[0].proba)
    for cell in np.ndindex(proba.shape[:2]):
        proba[cell] = combine(np.stack([suite.proba[cell].astype(np.float32) for suite in suites]))
    return dataclasses.replace(suites[0], proba=proba)


@dataclass(frozen=True)
class Looks:
    """Statistics of some images of both sides.

    Attributes
    ----------
    train : float32 (m, S) of the rows `train_rows`, int64 (m,), sorted; test : (t, S) of `test_rows`, int64 (t,)
    """

    train: np.ndarray
    train_rows: np.ndarray
    test: np.ndarray
    test_rows: np.ndarray


def look_at(dataset: Dataset, scored: np.ndarray) -> Looks | None:
    """Describe up to 5,000 of the scored training rows and as many test images; None where the test is hidden or tiny."""
    if dataset.test is None or min(len(dataset.test), len(scored)) < LEAST_ROWS:
        return None
    rng = np.random.default_rng(0)
    train_rows = np.sort(rng.permutation(scored)[:MOST_ROWS])
    test_rows = np.sort(rng.permutation(len(dataset.test))[:MOST_ROWS])
    return Looks(
        train=_described(dataset.train.images, train_rows, dataset.cache / "train"),
        train_rows=train_rows,
        test=_described(dataset.test.images, test_rows, dataset.cache / "test"),
        test_rows=test_rows,
    )


def _described(images: Any, rows: np.ndarray, folder: Path) -> np.ndarray:
    """`describe_images`, kept beside the decoded images: every forecast on the same data asks for the same rows."""
    of = hashlib.sha256(repr((STATISTICS, images.shape)).encode() + rows.tobytes()).hexdigest()[:16]
    path = folder / f"statistics-{of}.npy"
    try:
        kept: np.ndarray = np.load(path, allow_pickle=False)
        if kept.shape == (len(rows), len(STATISTICS)) and kept.dtype == np.float32:
            return kept
    except (OSError, *DAMAGED):
        pass  # not there, or damaged: they are made anew
    made = describe_images(images, rows)
    with contextlib.suppress(UserError), complete_file(path) as temporary, temporary.open("wb") as out:
        np.save(out, made, allow_pickle=False)  # on a disk that is full or read-only they are made every time
    return made
