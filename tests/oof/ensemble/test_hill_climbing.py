"""Hill climbing: step by step what calling the metric for every model would choose, only faster."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.competition.metrics import METRICS, Metric, custom_metric
from harness.competition.scoring.registry import LABELS, find_metric
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


def test_classes_beyond_a_small_integer_are_told_apart():
    proba = np.zeros((2, 4, 40_000), dtype=np.float16)
    labels = np.array([39_999, 5, 33_000, 7])
    proba[0, np.arange(4), labels] = 1
    proba[1, np.arange(4), [39_999, 6, 32_999, 8]] = 1
    np.testing.assert_allclose(hill_climb(proba, labels, METRICS["accuracy"], rounds=2).weights, [1, 0])


OWN = custom_metric(lambda y, p: float((p.argmax(axis=1) == y).mean()))
BRIER = custom_metric(lambda y, p: float(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1).mean()), "brier", False)
"""Of one's own, the less the better, and sensitive to what probabilities sum to."""

MISTAKES = replace(
    METRICS["accuracy"],
    name="mistakes",
    prepare=lambda y, p: lambda w: 1 - METRICS["accuracy"].prepare(y, p)(w),
    greater_is_better=False,
    of_tally=lambda t: 1 - t.hits.sum() / t.truth.sum(),
)


def naive(proba: np.ndarray, labels: np.ndarray, metric: Metric, rounds: int) -> list[float]:
    """Scores of each round, by calling the metric for every model."""
    sign, total, path = 1 if metric.greater_is_better else -1, np.zeros(proba.shape[1:], np.float32), []
    for done in range(1, rounds + 1):
        scores = [sign * metric(labels, (total + model) / done) for model in proba]
        best = int(np.argmax(scores))
        total += proba[best]
        path.append(sign * scores[best])
    return path


@pytest.mark.parametrize(
    "name", ["accuracy", "log_loss", "balanced_accuracy", "macro_f1", "roc_auc", "custom", "brier", "mistakes"]
)
@given(seed=st.integers(0, 10_000), n_models=st.integers(1, 6), n=st.integers(20, 60), n_classes=st.integers(2, 4))
@settings(max_examples=15)
def test_it_climbs_as_the_metric_called_in_a_loop(name: str, seed: int, n_models: int, n: int, n_classes: int):
    proba, labels = models(n_models, n, n_classes, seed)
    metric = {"custom": OWN, "brier": BRIER, "mistakes": MISTAKES}.get(name) or find_metric(name)
    found = hill_climb(proba, labels, metric, rounds=8)
    np.testing.assert_allclose(found.path, naive(proba, labels, metric, 8), atol=2e-5)
    assert found.weights.sum() == pytest.approx(1) and (found.weights >= 0).all() and len(found.weights) == n_models


@pytest.mark.parametrize("name", ["accuracy", "log_loss"])
def test_the_weights_have_the_best_rounds_score(name: str):
    proba, labels = models(6, 200, 5, 3)
    metric = find_metric(name)
    found = hill_climb(proba, labels, metric, rounds=20)
    best = max(found.path) if metric.greater_is_better else min(found.path)
    assert metric(labels, np.tensordot(found.weights, proba, axes=1)) == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "log_loss", "roc_auc", "brier", "mistakes"])
def test_what_is_said_of_each_model_is_the_metric_of_the_sum_with_it(name: str):
    """Of some models, in any order, after none, one and many rounds; also where there are more rows than are looked at at once."""
    proba, labels = models(5, 9000 if name == "accuracy" else 200, 3, 11)
    metric = {"brier": BRIER, "mistakes": MISTAKES}.get(name) or find_metric(name)
    sign, scores = 1 if metric.greater_is_better else -1, hill_climbing._scores_of(proba, labels, metric)
    for added in ([], [2], [2, 2, 0, 4, 1, 1, 3]):
        scores.reset()  # what was added before is forgotten
        for model in added:
            scores.add(model)
        for asked in (np.array([3, 0]), np.arange(5)):
            found = scores.with_each(asked)
            total = proba[added].sum(axis=0) if added else np.zeros_like(proba[0])
            wanted = [sign * metric(labels, (total + proba[m]) / (len(added) + 1)) for m in asked]
            np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_a_model_that_brings_two_classes_level_counts_as_the_metric_counts_a_tie():
    proba, labels = np.array([[[0.2, 0.8]], [[0.8, 0.2]]], dtype=np.float32), np.array([0])
    scores = hill_climbing._scores_of(proba, labels, METRICS["accuracy"])
    scores.reset()
    scores.add(0)
    assert scores.with_each(np.arange(2)).tolist() == [0, 1]


def test_several_labels_are_climbed_by_their_own_log_loss():
    rng = np.random.default_rng(17)
    labels = (rng.random((60, 3)) < 0.4).astype(np.float32)
    proba = np.clip(labels + rng.normal(0, 0.4, (4, 60, 3)), 0.05, 0.95).astype(np.float32)
    metric = find_metric("log_loss", LABELS)
    found = hill_climb(proba, labels, metric, rounds=4)
    np.testing.assert_allclose(found.path, naive(proba, labels, metric, 4), atol=2e-5)


def test_a_loss_is_never_negative_though_probabilities_are_rounded():
    proba = np.full((2, 5, 2), [1.0000002, 0], dtype=np.float32)
    assert hill_climb(proba, np.zeros(5, int), find_metric("log_loss"), rounds=3).path == [0, 0, 0]


def test_probabilities_of_nought_cost_what_the_metric_says():
    proba, labels = np.eye(3, dtype=np.float32)[np.array([[0, 1, 2, 0], [0, 1, 1, 1]])], np.array([0, 1, 2, 2])
    found = hill_climb(proba, labels, find_metric("log_loss"), rounds=3)
    np.testing.assert_allclose(found.path, naive(proba, labels, find_metric("log_loss"), 3), rtol=1e-5)


def test_models_that_say_the_same_are_not_needed_twice():
    proba, labels = models(1, 120, 3, 2)
    found = hill_climb(np.concatenate([proba] * 3), labels, METRICS["accuracy"], rounds=6)
    assert found.weights.tolist() == [1, 0, 0] and len(set(found.path)) == 1 and len(found.path) == 6


def test_weights_count_how_often_each_model_was_added_up_to_the_best_round():
    proba, labels = models(4, 150, 3, 13, noise=2.0)
    total, chosen = np.zeros(proba.shape[1:], np.float32), []
    for done in range(1, 13):
        chosen.append(int(np.argmin([find_metric("log_loss")(labels, (total + model) / done) for model in proba])))
        total += proba[chosen[-1]]
    found = hill_climb(proba, labels, find_metric("log_loss"), rounds=12)
    kept = int(np.argmin(found.path)) + 1
    assert kept > 1
    np.testing.assert_allclose(found.weights, np.bincount(chosen[:kept], minlength=4) / kept)


def test_each_bag_climbs_over_its_share_of_the_models():
    proba, labels = models(6, 120, 3, 14)
    two = hill_climb(proba, labels, find_metric("log_loss"), rounds=5, bags=2, share=0.01)
    assert set(two.weights) <= {0, 0.5, 1} and len(hill_climb(proba, labels, find_metric("log_loss")).path) == 50
    one = hill_climb(
        proba, labels, find_metric("log_loss"), rounds=5, bags=4, share=0.01
    )  # one model a bag, at the least
    assert np.isclose(one.weights * 4, np.round(one.weights * 4)).all() and np.ptp(one.path) < 1e-6
    alone = [find_metric("log_loss")(labels, model) for model in proba]
    assert any(one.path[0] == pytest.approx(score, abs=1e-5) for score in alone)
    plain = hill_climb(proba, labels, find_metric("log_loss"), rounds=5)
    whole = hill_climb(proba, labels, find_metric("log_loss"), rounds=5, bags=3, share=1.0)  # every bag holds them all
    np.testing.assert_allclose(whole.weights, plain.weights)
    assert whole.path == plain.path
    half = hill_climb(proba, labels, find_metric("log_loss"), rounds=1, bags=200, share=0.5)  # the best of three of six
    best = np.argsort(alone)
    assert half.weights[best[0]] == pytest.approx(0.5, abs=0.12) and (half.weights[best[4:]] == 0).all()


def test_the_seed_decides_which_models_a_bag_holds():
    proba, labels = models(8, 100, 3, 15)
    drawn = [
        hill_climb(proba, labels, find_metric("log_loss"), rounds=4, bags=3, seed=s).weights.tolist() for s in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_how_far_it_is_is_told_over_all_bags():
    proba, labels = models(3, 40, 3, 16)
    told: list[tuple[int, int]] = []
    hill_climb(proba, labels, METRICS["accuracy"], rounds=3, bags=2, tick=lambda *said: told.append(said))
    assert told == [(n, 6) for n in range(1, 7)]


def test_one_good_model_among_noise_is_found():
    proba, labels = models(8, 300, 3, 5)
    noise = np.random.default_rng(0).dirichlet(np.ones(3), (8, 300)).astype(np.float32)
    found = hill_climb(np.concatenate([noise, proba[:1]]), labels, find_metric("log_loss"), rounds=15)
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
        name: hill_climb(proba.astype(dtype), labels, find_metric(name), rounds=6) for name in ("accuracy", "log_loss")
    }
    monkeypatch.setattr(hill_climbing, "_ROWS_AT_ONCE", 64)
    for name, wanted in whole.items():
        np.testing.assert_array_equal(hill_climb(mapped, labels, find_metric(name), rounds=6).weights, wanted.weights)


def test_nothing_to_climb_is_told():
    with pytest.raises(ValueError, match="needs models and rows"):
        hill_climb(np.zeros((0, 5, 2)), np.zeros(5, int), METRICS["accuracy"])
    for proba, rows in ((np.zeros((2, 0, 2)), 0), (np.zeros((5, 2)), 5)):
        with pytest.raises(ValueError, match=rf"proba is \({len(proba)}, .*labels \({rows},\)"):
            hill_climb(proba, np.zeros(rows, int), METRICS["accuracy"])
