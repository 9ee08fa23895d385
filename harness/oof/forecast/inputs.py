"""What a forecast is made of: labelled predictions, each fold model's test predictions, and the noise suite's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.cv.noise.suite import Suite, suite_paths
from harness.runs import Folds, Run, RunFolder

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

    @property
    def scored(self) -> np.ndarray:
        """Rows (int64) that the OOF score is of."""
        return np.flatnonzero(self.folds.kept & ~np.isnan(self.oof[:, 0]))


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
    )


def combine_suites(suites: Sequence[Suite], combine: Combine) -> Suite:
    """One suite of members' suites on the same rows and corruptions."""
    proba = np.empty_like(suites[0].proba)
    for cell in np.ndindex(proba.shape[:2]):
        proba[cell] = combine(np.stack([suite.proba[cell].astype(np.float32) for suite in suites]))
    return dataclasses.replace(suites[0], proba=proba)
