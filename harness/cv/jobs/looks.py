"""Which rows of a fold are looked at as it trains, and what they are scored by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.cv.scores import competition_metrics
from harness.train.fit import batches_per_epoch
from harness.train.prediction.looks import Looks, plan_looks, some_rows

if TYPE_CHECKING:
    from harness.cv.jobs.fold_job import FoldTraining


def looks_of(fold: FoldTraining) -> Looks | None:
    """Some rows of the fold that are judged and some that are trained on, by the competition's metric; None where there are too few."""
    from harness.cv.jobs.fold_job import torch_mask

    spec, train = fold.recipe.train, fold.rows.train
    batch = min(spec.batch_size, len(train))
    per_epoch = batches_per_epoch(len(train), batch)
    valid = fold.valid_rows[torch_mask(fold.kept, fold.valid_rows)]
    n, every = plan_looks(per_epoch * batch, len(valid), per_epoch, spec.epochs)
    if not n or not len(valid):
        return None
    task, metric = fold.opening.competition.kind, competition_metrics(fold.opening.competition)[0]

    def score(targets: np.ndarray, outputs: np.ndarray) -> float:
        if task.is_one_class and targets.ndim > 1:  # shares of votes
            targets = targets.argmax(axis=1)
        return task.score_apart(metric, targets, outputs)

    return Looks(
        valid=some_rows(valid, n, fold.fold),
        train=some_rows(train, n, fold.fold),
        every=every,
        batch_size=min(fold.recipe.predict.batch_size, max(2 * batch, 64)),
        score=score,
    )
