"""Thresholds are found without scoring every label anew, and are the same as if every one were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.competition.metrics import Metric
from harness.competition.scoring.registry import LABELS, find_metric
from harness.competition.tasks.decisions import best_thresholds

METRICS = ["samples_f1", "micro_f1", "macro_f1", "weighted_f1", "jaccard", "jaccard(average=macro)", "hamming_loss", "accuracy"]  # fmt: skip


def drawn(seed: int, n: int = 60, t: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, t)) < np.linspace(0.05, 0.6, t)).astype(np.float32)
    outputs = 1 / (1 + np.exp(-(truth * 2 - 1 + rng.normal(0, 1.5, truth.shape))))
    return truth, outputs.astype(np.float32)


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_changing_a_label_scores_as_all_answers_do(name: str, seed: int):
    metric, rng = find_metric(name, LABELS), np.random.default_rng(seed)
    truth, outputs = drawn(seed)
    said = outputs >= 0.5
    scorer = metric.prepare(truth, said.astype(np.float32))
    for label in rng.integers(4, size=6):
        column = rng.random(60) < 0.4
        changed = said.copy()
        changed[:, label] = column
        assert scorer.with_label(label, column) == metric(truth, changed.astype(np.float32))
        if rng.random() < 0.5:
            scorer.keep_label(label, column)
            said = changed
        assert scorer(None) == metric(truth, said.astype(np.float32))
        weights = rng.integers(0, 3, 60).astype(float)
        again = metric.prepare(truth, said.astype(np.float32))
        assert scorer(weights) == pytest.approx(again(weights), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", ["samples_f1", "macro_f1", "hamming_loss"])
def test_thresholds_are_those_of_a_metric_that_must_be_called_with_everything(name: str):
    metric = find_metric(name, LABELS)
    whole = Metric(
        "own", lambda y, o: lambda weights: metric(y, o), metric.greater_is_better, of_answers=True
    )  # as a competition's own score
    for seed in range(3):
        truth, outputs = drawn(seed, 200)
        assert best_thresholds(metric, truth, outputs) == best_thresholds(whole, truth, outputs)
