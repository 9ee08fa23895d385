"""Large tables of probabilities: in files, a piece at a time, with the numbers of small ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.competition.scoring.registry import find_metric
from harness.runs import probability_tables
from harness.runs.probability_tables import RowView, Summing, is_large, open_table, rows_of_table

PROBA = np.random.default_rng(0).dirichlet(np.ones(4), (3, 9)).astype(np.float32)
"""Three predictions of nine rows."""


@pytest.fixture(params=[False, True], ids=["small", "large"])
def large(request, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether nine rows of four classes are a large table."""
    monkeypatch.setattr(probability_tables, "LARGE", 35 if request.param else 36)
    assert is_large(9, 4) == request.param
    return request.param


@pytest.mark.parametrize("of", [1, 3])
def test_the_mean_of_predictions_that_come_batch_by_batch(tmp_path: Path, large: bool, of: int):
    path = tmp_path / "proba" / "fold-0.npy"
    summing = Summing(9, 4, of, path)
    for prediction in PROBA[:of]:
        for start in (0, 4, 8):
            summing.add(start, prediction[start : start + 4])
    found = summing.mean()
    np.testing.assert_allclose(found, PROBA[:of].mean(axis=0), atol=1e-3 if large else 1e-6)
    assert found.dtype == (np.float16 if large else np.float32)
    if large:
        assert [p.name for p in path.parent.iterdir()] == ["fold-0.npy"]  # the sums are gone
        np.testing.assert_array_equal(open_table(path), found)
    else:
        assert list(tmp_path.iterdir()) == []


def test_some_rows_of_a_table_are_scored_as_a_copy_of_them_is(large: bool):
    rows, labels = np.array([7, 2, 2, 0, 5, 8, 1]), np.array([0, 1, 2, 3, 0, 1, 2])
    copy, some = PROBA[0][rows], rows_of_table(PROBA[0], rows)
    assert isinstance(some, RowView) == large and len(some) == 7 and some.shape == (7, 4) and some.ndim == 2
    for name in ("accuracy", "macro_f1", "log_loss", "roc_auc"):
        assert find_metric(name)(labels, some) == find_metric(name)(labels, copy), name
    for key in (3, slice(1, 4), np.array([5, 0]), rows == 2, (slice(None), 2), (np.arange(7), labels)):
        np.testing.assert_array_equal(some[key], copy[key])
