"""Ranking metrics of labels resampled by each row's influence, held against ranking every resample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from harness.competition.metrics import intervals
from harness.competition.scoring import ranking
from harness.competition.scoring.registry import LABELS, find_metric


def drawn(seed: int, n: int, share: float, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < share
    score = positive + rng.normal(0, 1, n)
    return positive, np.round(score, 1) if ties else score


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_average_precision_follows_each_row_as_it_is_weighted_more(seed: int, ties: bool):
    positive, score = drawn(seed, 40, 0.3, ties)
    positive[0] = True
    value, influence = ranking.average_precision_parts(positive, score)
    assert value == pytest.approx(average_precision_score(positive, score), abs=1e-12)
    exact = ranking.average_precision(positive, score)
    step = 1e-6 * np.random.default_rng(seed).normal(size=40)
    assert influence is not None
    assert influence @ step == pytest.approx(exact(1 + step) - exact(None), abs=1e-9)


def test_without_a_positive_row_there_is_no_average_precision():
    value, influence = ranking.average_precision_parts(np.zeros(5, bool), np.arange(5.0))
    assert np.isnan(value) and influence is None


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_intervals_of_many_cells_are_those_of_ranking_every_resample(monkeypatch: pytest.MonkeyPatch, name: str):
    rng, n = np.random.default_rng(0), 1500
    truth = (rng.random((n, 5)) < [0.3, 0.2, 0.1, 0.1, 0.0]).astype(np.float32)  # of the last there is no row
    outputs = 1 / (1 + np.exp(-(truth * 2 + rng.normal(0, 1.5, truth.shape))))
    metric = find_metric(name, LABELS)
    exact = metric.prepare(truth, outputs)
    monkeypatch.setattr(ranking, "EXACT_CELLS", 0)
    quick = metric.prepare(truth, outputs)
    assert quick(None) == exact(None)
    (one,), (other,) = (intervals([s], np.arange(n), resamples=300) for s in (exact, quick))
    assert np.allclose(one, other, atol=0.25 * (one[1] - one[0]))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.95), ties=st.booleans())
def test_the_auc_without_weights_is_that_of_equal_ones(seed: int, share: float, ties: bool):
    positive, score = drawn(seed, 50, share, ties)
    positive[:2] = [True, False]
    scorer = ranking.BinaryAuc(positive, score)
    assert scorer(None) == scorer(np.ones(50)) == pytest.approx(roc_auc_score(positive, score), abs=1e-12)
