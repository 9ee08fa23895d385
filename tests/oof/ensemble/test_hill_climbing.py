"""Hill climbing: step by step what calling the metric for every model would choose, only faster."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.competition.metrics import METRICS, Metric, custom_metric
from harness.oof.ensemble import hill_climbing
from harness.oof.ensemble.hill_climbing import hill_climb


def models(n_models: int, n: int, n_classes: int, seed: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities float32 (M, n, C) of related models, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    base = rng.normal(size=(n, n_classes))
    base[np.arange(n), labels] += 1.5
    logits = base + noise * rng.normal(size=(n_models, n, n_classes))
    e = np.exp(logits - logits.max(axis=2, keepdims=True))
    return (e / e.sum(axis=2, keepdims=True)).astype(np.float32), labels


def naive(proba: np.ndarray, labels: np.ndarray, metric: Metric, rounds: int) -> list[float]:
    """Scores of each round, by calling the metric for every model."""
    sign, total, path = 1 if metric.greater_is_better else -1, np.zeros(proba.shape[1:], np.float32), []
    for done in range(1, rounds + 1):
        scores = [sign * metric(labels, (total + model) / done) for model in proba]
        best = int(np.argmax(scores))
        total += proba[best]
        path.append(sign * scores[best])
    return path


@pytest.mark.parametrize("name", ["accuracy", "log_loss", "balanced_accuracy", "macro_f1", "roc_auc", "custom"])
@given(seed=st.integers(0, 10_000), n_models=st.integers(1, 6), n=st.integers(20, 60), n_classes=st.integers(2, 4))
@settings(max_examples=15)
def test_it_climbs_as_the_metric_called_in_a_loop(name: str, seed: int, n_models: int, n: int, n_classes: int):
    proba, labels = models(n_models, n, n_classes, seed)
    metric = METRICS.get(name) or custom_metric(lambda y, p: float((p.argmax(axis=1) == y).mean()))
    found = hill_climb(proba, labels, metric, rounds=8)
    np.testing.assert_allclose(found.path, naive(proba, labels, metric, 8), atol=2e-5)
    assert found.weights.sum() == pytest.approx(1) and (found.weights >= 0).all() and len(found.weights) == n_models


@pytest.mark.parametrize("name", ["accuracy", "log_loss"])
def test_the_weights_have_the_best_rounds_score(name: str):
    proba, labels = models(6, 200, 5, 3)
    metric = METRICS[name]
    found = hill_climb(proba, labels, metric, rounds=20)
    best = max(found.path) if metric.greater_is_better else min(found.path)
    assert metric(labels, np.tensordot(found.weights, proba, axes=1)) == pytest.approx(best, abs=1e-5)


def test_one_good_model_among_noise_is_found():
    proba, labels = models(8, 300, 3, 5)
    noise = np.random.default_rng(0).dirichlet(np.ones(3), (8, 300)).astype(np.float32)
    found = hill_climb(np.concatenate([noise, proba[:1]]), labels, METRICS["log_loss"], rounds=15)
    assert found.weights[8] > 0.7


def test_bags_spread_the_weights_over_more_models():
    proba, labels = models(12, 200, 3, 7)
    one, bagged = (hill_climb(proba, labels, METRICS["accuracy"], rounds=10, bags=b) for b in (1, 12))
    assert (bagged.weights > 0).sum() >= (one.weights > 0).sum() and bagged.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_memory_map_read_in_pieces_gives_the_same(tmp_path, dtype, monkeypatch: pytest.MonkeyPatch):
    proba, labels = models(5, 300, 4, 9)
    np.save(tmp_path / "p.npy", proba.astype(dtype))
    mapped = np.load(tmp_path / "p.npy", mmap_mode="r")
    whole = {
        name: hill_climb(proba.astype(dtype), labels, METRICS[name], rounds=6) for name in ("accuracy", "log_loss")
    }
    monkeypatch.setattr(hill_climbing, "_ROWS_AT_ONCE", 64)
    for name, wanted in whole.items():
        np.testing.assert_array_equal(hill_climb(mapped, labels, METRICS[name], rounds=6).weights, wanted.weights)


def test_nothing_to_climb_is_told():
    with pytest.raises(ValueError, match="needs models and rows"):
        hill_climb(np.zeros((0, 5, 2)), np.zeros(5, int), METRICS["accuracy"])
