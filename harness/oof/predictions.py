"""Several runs' predictions of the same rows, aligned once: what every ensemble works on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.competition import Competition
from harness.competition.metrics import Metric
from harness.competition.tasks import TASKS, Task
from harness.runs import Folds, Run, RunFolder
from harness.runs.align import align_rows, check_alignable
from harness.runs.cure import finish
from harness.runs.probabilities import check_probabilities


@dataclass(frozen=True)
class Predictions:
    """OOF and test probabilities of M runs.

    Attributes
    ----------
    members : names of the runs
    labels : int64 (n,)
    folds : of the rows; excluded ones are predicted, never fitted on, and not scored
    oof : float32 (M, n, C)
    test_ids : str (t,) or None; test : float32 (M, t, C) or None, where the test is hidden
    task : what labels and outputs are; decisions : of each run, as its scores.json has it, or None
    """

    members: tuple[str, ...]
    labels: np.ndarray
    folds: Folds
    oof: np.ndarray
    test_ids: np.ndarray | None
    test: np.ndarray | None
    task: Task = TASKS["single"]
    decisions: tuple[dict[str, Any] | None, ...] = ()

    def judged(self, metric: Metric) -> np.ndarray:
        """OOF outputs (M, n, C) as a metric judges them: answers and probabilities by each run's decision, found on other folds."""
        if not (metric.of_answers or metric.of_probabilities) or not any(self.decisions):
            return self.oof
        return np.stack(
            [
                self.task.judged_by(metric, oof, self.folds.fold, told)
                for oof, told in zip(self.oof, self.decisions, strict=True)
            ]
        )

    def answered(self) -> np.ndarray:
        """OOF outputs (M, n, C) whose simple answers are each run's, whatever metric judges: its decision's, or the plain ones."""
        if not self.task.decides:
            return self.oof
        told = self.decisions or (None,) * len(self.oof)
        fold = self.folds.fold
        return np.stack([self.task.judged(oof, fold, of_run) for oof, of_run in zip(self.oof, told, strict=True)])


def align(runs: Sequence[Run], competition: Competition) -> Predictions:
    """Put runs side by side, aligned by id.

    Raises
    ------
    UserError
        If they cannot be compared, a fold is missing, or predictions are no probabilities (names the run).
    """
    check_alignable(runs)
    for run in runs:
        check_member(run, competition)
    _refuse_more_than_memory(runs)
    first, hidden = runs[0], [run.name for run in runs if run.test is None]
    if hidden and len(hidden) < len(runs):
        raise UserError(f"run '{hidden[0]}' has no test predictions and others have: train all on the same data")
    n, n_classes = first.oof.shape
    oof = np.empty((len(runs), n, n_classes), dtype=np.float32)
    for place, run in enumerate(runs):
        oof[place] = run.oof[align_rows(run.folds.ids, first.folds.ids, str(run.path))]
    test = None
    if not hidden:
        parts = []
        for run in runs:
            assert run.test is not None and run.test_ids is not None and first.test_ids is not None
            parts.append(run.test[align_rows(run.test_ids, first.test_ids, str(run.path))])
        test = np.stack(parts)
    names, decisions = tuple(run.name for run in runs), tuple(run.scores.get("decision") for run in runs)
    return Predictions(names, first.labels, first.folds, oof, first.test_ids, test, first.task, decisions)


def check_member(run: Run, competition: Competition, partial: bool = False) -> None:
    """Refuse a run that is partial (unless that is allowed), of other classes, or whose predictions are no probabilities (UserError)."""
    if run.classes != list(competition.classes):
        raise UserError(
            f"run '{run.name}' has the classes {plain(', '.join(run.classes[:20]), 300)}; competition.toml has other ones now. Train it "
            "anew, or put the classes back."
        )
    if run.task.name != competition.task and competition.classes:
        raise UserError(
            f"run '{run.name}' is of task '{run.task.name}'; competition.toml says '{competition.task}' now. Train it anew, or put the task back."
        )
    if not (run.complete or partial):
        done = len(run.scores["folds"])
        raise UserError(f"run '{run.name}' is partial: {done} of {run.folds.k} folds. {finish(run.path)}")
    cure = RunFolder(run.path).cure()
    rows = slice(None) if run.complete else run.folds.scored_rows([f["fold"] for f in run.scores["folds"]])
    check_probabilities(run.oof[rows], run.folds.ids[rows], f"run '{run.name}', OOF", cure, run.task)
    if run.test is not None and run.test_ids is not None:
        check_probabilities(run.test, run.test_ids, f"run '{run.name}', test", cure, run.task)


def _refuse_more_than_memory(runs: Sequence[Run]) -> None:
    needed = 4 * len(runs) * (runs[0].oof.size + (runs[0].test.size if runs[0].test is not None else 0))
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else needed
    if needed > there // 2:
        raise UserError(
            f"{len(runs)} runs of {runs[0].oof.shape[0]:,} rows and {runs[0].oof.shape[1]:,} classes need {needed / 2**30:.1f} GiB side by "
            f"side, and this machine has {there / 2**30:.1f}. Take fewer of them: --run, --best"
        )
