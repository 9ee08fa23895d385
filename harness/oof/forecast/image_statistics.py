"""Image statistics of training and test images, looked at once per forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data.cache import Dataset
from harness.oof.forecast.domain_shift import LEAST_ROWS, MOST_ROWS
from harness.train.inputs.image_statistics import describe_images


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
        train=describe_images(dataset.train.images, train_rows),
        train_rows=train_rows,
        test=describe_images(dataset.test.images, test_rows),
        test_rows=test_rows,
    )
