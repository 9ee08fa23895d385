"""What is said without looking at an image: each fold's rows by the shares (or the mean) of the other folds' targets."""

from __future__ import annotations

import numpy as np

from harness.competition.scoring.registry import CLASSES
from harness.cv.opening import open_run
from harness.cv.scores import score_run
from harness.oof.ensemble.blend import Blend
from harness.play.plan.candidate import Candidate
from harness.play.spending.budget import silent
from harness.play.steps.table import Table


def prior_blend(table: Table, first: Candidate) -> Blend:
    """Constant predictions with their OOF score, on the folds that the baseline will have."""
    contest, dataset, task = table.competition, table.dataset, table.competition.kind
    folds = open_run(contest, first.recipe, dataset, table.options(first.recipe), silent()).folds
    targets = dataset.train.labels
    assert targets is not None  # training rows always have labels
    columns = np.eye(len(contest.classes))[targets] if task.of == CLASSES else np.asarray(targets, dtype=np.float64)
    oof = np.empty(columns.shape, dtype=np.float32)
    for fold in range(folds.k):
        oof[folds.valid_rows(fold)] = columns[folds.train_rows(fold)].mean(axis=0)
    everything = columns[folds.kept].mean(axis=0)
    test = dataset.test
    ids = test.ids if test is not None else np.zeros(0, dtype=np.str_)
    return Blend(
        name="play-prior",
        members=(),
        oof=oof,
        kept=folds.kept,
        test_ids=ids,
        test=np.tile(everything, (len(ids), 1)).astype(np.float32),
        scores=score_run(contest, targets, oof, folds, list(range(folds.k))),
    )
