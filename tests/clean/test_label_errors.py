"""Labels in doubt: planted ones are found, also where a class has no row."""

from __future__ import annotations

import numpy as np
import pytest

from harness.clean import label_errors
from harness.clean.label_errors import suspected_rows


@pytest.mark.parametrize("most", [500, 3])  # cleanlab's way, and that of many classes
def test_wrong_labels_are_doubted_where_a_class_has_no_row(monkeypatch: pytest.MonkeyPatch, most: int):
    monkeypatch.setattr(label_errors, "_CLEANLAB_CLASSES", most)
    truth, wrong = np.arange(300) % 3, np.arange(5, 300, 30)
    sure = np.random.default_rng(0).uniform(0.7, 0.95, 300)
    sure[wrong] = 0.99
    proba = (1 - sure)[:, None] / 3 * np.ones(4)  # nobody is of the fourth class
    proba[np.arange(300), truth] = sure
    labels = truth.copy()
    labels[wrong] = (truth[wrong] + 1) % 3
    assert set(suspected_rows(labels, proba.astype(np.float32), np.arange(300))) == set(wrong)
    some = np.arange(100, 300)
    assert set(some[suspected_rows(labels, proba, some)]) == set(wrong[wrong >= 100])


def test_of_one_class_alone_no_label_is_doubted():
    assert len(suspected_rows(np.zeros(9, dtype=np.int64), np.full((9, 3), 1 / 3), np.arange(9))) == 0
