"""Each metric agrees with scikit-learn's, weighted and not; intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.competition.metrics import METRICS, custom_metric, intervals


def interval(metric, labels, proba, groups, **options):
    (found,) = intervals([metric.prepare(labels, proba)], groups, **options)
    return found


REFERENCE = {
    "accuracy": lambda y, p, w: sk.accuracy_score(y, p.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: sk.balanced_accuracy_score(y, p.argmax(1), sample_weight=w),
    "macro_f1": lambda y, p, w: sk.f1_score(y, p.argmax(1), average="macro", sample_weight=w, zero_division=0),
    "weighted_f1": lambda y, p, w: sk.f1_score(y, p.argmax(1), average="weighted", sample_weight=w, zero_division=0),
    "precision": lambda y, p, w: sk.precision_score(y, p.argmax(1), average="macro", sample_weight=w, zero_division=0),
    "recall": lambda y, p, w: sk.recall_score(y, p.argmax(1), average="macro", sample_weight=w, zero_division=0),
    "log_loss": lambda y, p, w: sk.log_loss(y, p, sample_weight=w, labels=range(p.shape[1])),
}


def random_case(seed: int, n: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.r_[np.arange(n_classes), rng.integers(n_classes, size=n)]
    proba = rng.dirichlet(np.ones(n_classes), size=len(labels))
    proba[np.arange(len(labels)), labels] += 0.4  # better than chance
    return labels, proba / proba.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", sorted(REFERENCE))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(5, 80), n_classes=st.integers(2, 5), weighted=st.booleans())
def test_agrees_with_scikit_learn(name: str, seed: int, n: int, n_classes: int, weighted: bool):
    labels, proba = random_case(seed, n, n_classes)
    weights = np.random.default_rng(seed).integers(1, 4, len(labels)).astype(float) if weighted else None
    ours = METRICS[name].prepare(labels, proba)(weights)
    assert ours == pytest.approx(REFERENCE[name](labels, proba, weights), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(5, 60), n_classes=st.integers(2, 4), rounded=st.booleans())
def test_roc_auc_agrees_with_scikit_learn_with_ties_too(seed: int, n: int, n_classes: int, rounded: bool):
    labels, proba = random_case(seed, n, n_classes)
    if rounded:
        proba = np.round(proba, 1)
    weights = np.random.default_rng(seed).integers(1, 4, len(labels)).astype(float)
    classes = [1] if n_classes == 2 else range(n_classes)
    expected = np.mean([sk.roc_auc_score(labels == c, proba[:, c], sample_weight=weights) for c in classes])
    assert METRICS["roc_auc"].prepare(labels, proba)(weights) == pytest.approx(expected, abs=1e-9)


def rare_case() -> tuple[np.ndarray, np.ndarray]:
    """3,000 rows of a class and 3 of another, which are never found."""
    labels = np.r_[np.zeros(3000, int), np.ones(3, int)]
    proba = np.tile([0.9, 0.1], (3003, 1))
    proba[:2] = [0.1, 0.9]
    return labels, proba


def test_a_resample_without_the_rare_class_does_not_forget_it():
    """It was left out of the mean: macro precision 0.4995 had the interval [0.4988, 1.0000]."""
    labels, proba = rare_case()
    for name in ("precision", "recall", "macro_f1", "balanced_accuracy"):
        value = METRICS[name](labels, proba)
        low, high = interval(METRICS[name], labels, proba, np.arange(len(labels)))
        assert low <= value <= high < 0.51, name


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    name=st.sampled_from(["precision", "recall", "macro_f1", "balanced_accuracy", "roc_auc"]),
)
def test_a_class_that_a_resample_lacks_keeps_its_value(seed: int, name: str):
    labels, proba = random_case(seed, 30, 4)
    scorer, weights = METRICS[name].prepare(labels, proba), np.ones(len(labels))
    assert scorer.resampled(weights) == pytest.approx(scorer(None), abs=1e-9)
    weights[labels == 2] = 0
    low, high = interval(METRICS[name], labels, proba, np.arange(len(labels)), resamples=50)
    assert 0 <= scorer.resampled(weights) <= 1 and 0 <= low <= high <= 1


def test_many_aucs_resample_to_first_order_as_ranking_them_does():
    from harness.competition.metrics import _Aucs, _binary_auc, _ManyAucs

    rng, n, k = np.random.default_rng(0), 3000, 8
    labels = rng.integers(k, size=n)
    proba = np.round(rng.dirichlet(np.ones(k), size=n) + 0.15 * np.eye(k)[labels], 3)
    exact = _Aucs([_binary_auc(labels == c, proba[:, c]) for c in range(k)])
    quick = _ManyAucs(labels, proba)
    assert quick(None) == pytest.approx(exact(None), abs=1e-12)
    (one,), (other,) = (intervals([s], np.arange(n), resamples=300) for s in (exact, quick))
    assert np.allclose(one, other, atol=0.15 * (one[1] - one[0]))
    weights = rng.integers(0, 3, n).astype(float)
    assert quick(weights) == pytest.approx(exact(weights), abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(2, 6))
def test_the_commonest_confusions_are_those_of_the_matrix(seed: int, k: int):
    from harness.competition.metrics import confused_pairs, confusion

    rng = np.random.default_rng(seed)
    labels, predicted = rng.integers(k, size=80), rng.integers(k, size=80)
    matrix = confusion(labels, predicted, k)
    np.fill_diagonal(matrix, 0)
    found = confused_pairs(labels, predicted, k, 5)
    assert [n for _, _, n in found] == sorted(matrix[matrix > 0].tolist(), reverse=True)[:5]
    assert all(matrix[a, b] == n for a, b, n in found)


def test_directions():
    assert not METRICS["log_loss"].greater_is_better
    assert all(m.greater_is_better for name, m in METRICS.items() if name != "log_loss")


def test_log_loss_of_a_certain_mistake_is_finite():
    assert np.isfinite(METRICS["log_loss"](np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]])))


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        labels = np.zeros(150, dtype=int)
        wrong = rng.random(150) < 0.2
        proba = np.where(wrong[:, None], [[0.1, 0.9]], [[0.9, 0.1]])
        low, high = interval(METRICS["accuracy"], labels, proba, np.arange(150), resamples=300)
        covered += low <= 0.8 <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_interval_is_wider_when_rows_come_in_groups():
    rng = np.random.default_rng(0)
    right = np.repeat(rng.random(60) < 0.8, 5)  # five copies of each image are right or wrong together
    proba = np.where(right[:, None], [[0.9, 0.1]], [[0.1, 0.9]])
    labels = np.zeros(300, dtype=int)
    alone = interval(METRICS["accuracy"], labels, proba, np.arange(300))
    grouped = interval(METRICS["accuracy"], labels, proba, np.repeat(np.arange(60), 5))
    assert grouped[1] - grouped[0] > 1.8 * (alone[1] - alone[0])


def test_a_custom_metric_sees_resamples_as_repeated_rows():
    labels, proba = random_case(0, 40, 3)
    ours = custom_metric(lambda y, p: float((p.argmax(1) == y).mean()))
    weights = np.random.default_rng(0).integers(0, 3, len(labels)).astype(float)
    expected = METRICS["accuracy"].prepare(labels, proba)(weights)
    assert ours.prepare(labels, proba)(weights) == pytest.approx(expected)
