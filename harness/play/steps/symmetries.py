"""Mirror images and turns with which training is worth a try."""

from __future__ import annotations

import numpy as np

from harness.data.symmetries import MOST_ROWS, examine, plausible
from harness.play.steps.table import Table


def plausible_changes(table: Table) -> list[str]:
    """Names of those that the training images bear out, or that keep the label of their nearest neighbours; of some rows."""
    train = table.dataset.train
    rows = np.sort(np.random.default_rng(0).permutation(len(train))[:MOST_ROWS])
    assert train.labels is not None  # training rows always have labels
    groups = None if train.groups is None else train.groups[rows]
    return list(plausible(examine(train.images[rows], train.labels[rows], groups)))
