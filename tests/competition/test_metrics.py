"""Each metric agrees with scikit-learn's, weighted and not; intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.competition import metrics
from harness.competition.metrics import (
    METRICS,
    argmax_rows,
    confusion,
    custom_metric,
    group_weights,
    intervals,
    paired,
    row_pieces,
    tally,
)
from harness.competition.scoring import auc
from harness.competition.scoring.registry import find_metric


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
    ours = find_metric(name).prepare(labels, proba)(weights)
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


OF_THE_SECOND = {
    "f1": lambda y, said, w: sk.f1_score(y, said, sample_weight=w),
    "sensitivity": lambda y, said, w: sk.recall_score(y, said, sample_weight=w),
    "specificity": lambda y, said, w: sk.recall_score(y, said, pos_label=0, sample_weight=w),
}


@pytest.mark.parametrize("name", metrics.TWO_CLASS_METRICS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), weighted=st.booleans())
def test_metrics_of_two_classes_take_the_second_for_the_positive_one(name: str, seed: int, weighted: bool):
    labels, proba = random_case(seed, 50, 2)
    weights = np.random.default_rng(seed).integers(1, 4, len(labels)).astype(float) if weighted else None
    ours = find_metric(name).prepare(labels, proba)(weights)
    assert ours == pytest.approx(OF_THE_SECOND[name](labels, proba.argmax(1), weights))


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
        value = find_metric(name)(labels, proba)
        low, high = interval(find_metric(name), labels, proba, np.arange(len(labels)))
        assert low <= value <= high < 0.51, name


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    name=st.sampled_from(["precision", "recall", "macro_f1", "balanced_accuracy", "roc_auc"]),
)
def test_a_class_that_a_resample_lacks_keeps_its_value(seed: int, name: str):
    labels, proba = random_case(seed, 30, 4)
    scorer, weights = find_metric(name).prepare(labels, proba), np.ones(len(labels))
    assert scorer.resampled(weights) == pytest.approx(scorer(None), abs=1e-9)
    weights[labels == 2] = 0
    low, high = interval(find_metric(name), labels, proba, np.arange(len(labels)), resamples=50)
    assert 0 <= scorer.resampled(weights) <= 1 and 0 <= low <= high <= 1


@pytest.mark.parametrize("name", sorted({*METRICS, "f1", "log_loss"}))
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_resample_is_scored_as_if_its_rows_were_repeated(name: str, seed: int):
    rng, n_classes = np.random.default_rng(seed), 2 if name in metrics.TWO_CLASS_METRICS else 4
    labels, proba = random_case(seed, 40, n_classes)
    weights = rng.integers(0, 3, len(labels))
    for c in range(n_classes):  # each class is there, one of them with a single row that was drawn once
        weights[np.flatnonzero(labels == c)] *= c > 0
        weights[np.flatnonzero(labels == c)[0]] = 1
    rows = np.repeat(np.arange(len(labels)), weights)
    scorer = find_metric(name).prepare(labels, proba)
    drawn = getattr(scorer, "resampled", scorer)(weights.astype(float))
    if name != "precision":  # in which a class that is no longer predicted keeps its value
        assert drawn == pytest.approx(find_metric(name)(labels[rows], proba[rows]), abs=1e-9)
    everything = getattr(scorer, "resampled", scorer)(np.full(len(labels), 2.0))
    assert everything == pytest.approx(find_metric(name)(labels, proba), abs=1e-9)


def test_classes_that_a_resample_lacks_keep_their_value_and_the_others_do_not():
    labels, proba = random_case(5, 60, 3)
    weights = np.random.default_rng(5).integers(1, 4, len(labels)).astype(float)
    weights[labels == 2] = 0
    some = labels != 2
    recall = [
        sk.recall_score(labels[some], proba[some].argmax(1), labels=[c], average=None, sample_weight=weights[some])[0]
        for c in (0, 1)
    ]
    recall.append(sk.recall_score(labels, proba.argmax(1), labels=[2], average=None)[0])
    scorer = METRICS["balanced_accuracy"].prepare(labels, proba)
    assert scorer.resampled(weights) == pytest.approx(np.mean(recall))
    auc = [sk.roc_auc_score(labels[some] == c, proba[some, c], sample_weight=weights[some]) for c in (0, 1)]
    auc.append(sk.roc_auc_score(labels == 2, proba[:, 2]))
    assert METRICS["roc_auc"].prepare(labels, proba).resampled(weights) == pytest.approx(np.mean(auc))


def test_a_class_that_is_neither_there_nor_predicted_is_not_averaged():
    labels, proba = np.array([0, 0, 1, 1]), np.eye(4)[[0, 1, 1, 1]]
    assert METRICS["macro_f1"](labels, proba) == pytest.approx(sk.f1_score(labels, proba.argmax(1), average="macro"))
    assert METRICS["balanced_accuracy"](labels, proba) == pytest.approx(0.75)
    assert METRICS["balanced_accuracy"](labels, np.eye(4)[[0, 2, 1, 1]]) == pytest.approx(0.75)  # of true classes only
    assert METRICS["recall"](labels, np.eye(4)[[0, 2, 1, 1]]) == pytest.approx(
        (0.5 + 1 + 0) / 3
    )  # predicted: it counts
    assert [len(part) for part in vars(tally(labels, proba.argmax(1), 4)).values()] == [4, 4, 4]


def test_tallies_of_parts_add_up():
    labels, proba = random_case(2, 50, 3)
    said = proba.argmax(1)
    parts = tally(labels[:20], said[:20], 3) + tally(labels[20:], said[20:], 3)
    for name, whole in vars(tally(labels, said, 3)).items():
        np.testing.assert_array_equal(getattr(parts, name), whole, err_msg=name)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("cells", [auc.EXACT_CELLS, 0], ids=["ranked", "many"])
def test_an_auc_of_one_class_is_no_number_and_no_warning(monkeypatch: pytest.MonkeyPatch, cells: int):
    monkeypatch.setattr(auc, "EXACT_CELLS", cells)
    labels, proba = np.zeros(6, int), np.random.default_rng(0).dirichlet(np.ones(3), 6)
    assert np.isnan(METRICS["roc_auc"](labels, proba))
    assert np.isnan(interval(METRICS["roc_auc"], labels, proba, np.arange(6), resamples=5)).all()


def test_the_auc_of_two_classes_is_that_of_the_second():
    assert METRICS["roc_auc"](np.array([0, 1]), np.array([[0.5, 0.1], [0.9, 0.8]])) == 1


def test_aucs_of_many_rows_are_the_same_and_leave_absent_classes_out(monkeypatch: pytest.MonkeyPatch):
    labels, proba = random_case(1, 60, 3)
    proba = np.column_stack([np.round(proba, 1), np.zeros(len(labels))])  # of the fourth class there is no row
    exact = METRICS["roc_auc"](labels, proba)
    monkeypatch.setattr(auc, "EXACT_CELLS", 0)
    scorer = METRICS["roc_auc"].prepare(labels, proba)
    assert isinstance(scorer, auc._ManyAucs) and scorer(None) == pytest.approx(exact, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_many_aucs_follow_each_row_as_it_is_weighted_more(seed: int, ties: bool):
    """The first order is exact for a small step: one more row counts as ranking it again says."""
    rng = np.random.default_rng(seed)
    labels, proba = random_case(seed, 40, 3)
    if ties:
        proba = np.round(proba, 1)
    quick = auc._ManyAucs(labels, proba)
    exact = auc._Aucs([auc.BinaryAuc(labels == c, proba[:, c]) for c in range(3)])
    step = 1e-5 * rng.normal(size=len(labels))
    moved = quick.resampled(1 + step) - quick(None)
    assert moved == pytest.approx(exact(1 + step) - exact(None), abs=1e-8)
    assert np.abs(quick.influence).max() > 0
    for far in (1e3, -1e3):
        assert 0 <= quick.resampled(1 + far * np.sign(quick.influence)) <= 1


def test_many_aucs_resample_to_first_order_as_ranking_them_does():
    from harness.competition.scoring.auc import BinaryAuc, _Aucs, _ManyAucs

    rng, n, k = np.random.default_rng(0), 3000, 8
    labels = rng.integers(k, size=n)
    proba = np.round(rng.dirichlet(np.ones(k), size=n) + 0.15 * np.eye(k)[labels], 3)
    exact = _Aucs([BinaryAuc(labels == c, proba[:, c]) for c in range(k)])
    quick = _ManyAucs(labels, proba)
    assert quick(None) == pytest.approx(exact(None), abs=1e-12)
    (one,), (other,) = (intervals([s], np.arange(n), resamples=300) for s in (exact, quick))
    assert np.allclose(one, other, atol=0.15 * (one[1] - one[0]))
    weights = rng.integers(0, 3, n).astype(float)
    assert quick(weights) == pytest.approx(exact(weights), abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(2, 6))
def test_the_commonest_confusions_are_those_of_the_matrix(seed: int, k: int):
    from harness.competition.metrics import confused_pairs

    rng = np.random.default_rng(seed)
    labels, predicted = rng.integers(k, size=80), rng.integers(k, size=80)
    matrix = confusion(labels, predicted, k)
    np.fill_diagonal(matrix, 0)
    found = confused_pairs(labels, predicted, k, 5)
    assert [n for _, _, n in found] == sorted(matrix[matrix > 0].tolist(), reverse=True)[:5]
    assert all(matrix[a, b] == n for a, b, n in found)


def test_the_confusion_matrix_is_scikit_learns_weighted_too():
    labels, proba = random_case(3, 50, 4)
    weights = np.random.default_rng(3).random(len(labels))
    for w in (None, weights):
        ours = confusion(labels, proba.argmax(1), 4, w)
        np.testing.assert_allclose(ours, sk.confusion_matrix(labels, proba.argmax(1), sample_weight=w))
    assert confusion(np.array([0, 1]), np.array([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_the_largest_class_of_some_rows_of_none_and_of_all():
    proba = np.eye(3)[[2, 0, 1, 1]]
    assert argmax_rows(proba).tolist() == [2, 0, 1, 1] and argmax_rows(proba, np.array([3, 0])).tolist() == [1, 2]
    none = argmax_rows(proba, np.array([], dtype=int))
    assert none.shape == (0,) and none.dtype == np.int64


@pytest.mark.parametrize(
    ("n", "n_classes", "cells", "steps"), [(10, 3, 9, [3, 3, 3, 1]), (4, 8, 4, [1] * 4), (0, 2, 4, [])]
)
def test_pieces_hold_each_row_once_and_about_so_many_cells(n: int, n_classes: int, cells: int, steps: list[int]):
    pieces = row_pieces(n, n_classes, cells)
    assert [row for piece in pieces for row in range(n)[piece]] == list(range(n))
    assert [len(range(n)[piece]) for piece in pieces] == steps
    assert len(row_pieces(n, 0)) == min(n, 1)  # no class at all


def test_directions():
    assert not find_metric("log_loss").greater_is_better
    assert all(metric.greater_is_better for metric in METRICS.values())


def test_log_loss_is_never_negative_though_float32_may_sum_above_one():
    loss = find_metric("log_loss")(np.array([0, 1]), np.array([[1.0000002, 0.0], [0.0, 1.3]]))
    assert 0 <= loss < 2e-7  # it is clipped at eps of both ends


def test_log_loss_tells_mistakes_apart_down_to_a_ten_millionth():
    labels = np.array([0])
    losses = [find_metric("log_loss")(labels, np.array([[p, 1 - p]])) for p in (1e-3, 1e-6, 1e-7, 1e-9, 0)]
    np.testing.assert_allclose(losses, -np.log([1e-3, 1e-6, 1e-7, 1e-7, 1e-7]))


def test_log_loss_of_a_certain_mistake_is_finite():
    assert np.isfinite(find_metric("log_loss")(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]])))


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        labels = np.zeros(150, dtype=int)
        wrong = rng.random(150) < 0.2
        proba = np.where(wrong[:, None], [[0.1, 0.9]], [[0.9, 0.1]])
        low, high = interval(METRICS["accuracy"], labels, proba, np.arange(150), resamples=300)
        covered += low <= 0.8 <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_an_interval_holds_the_share_that_it_names_of_the_resamples():
    labels, proba = random_case(4, 60, 3)
    groups = np.arange(len(labels)) // 2
    for name in ("macro_f1", "log_loss"):
        scorer = find_metric(name).prepare(labels, proba)
        drawn = [getattr(scorer, "resampled", scorer)(w) for w in group_weights(groups, 200)]
        for level in (0.95, 0.5):
            found = interval(find_metric(name), labels, proba, groups, resamples=200, level=level)
            assert found == pytest.approx(tuple(np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])))
            assert found[0] < find_metric(name)(labels, proba) < found[1]


def test_intervals_are_the_same_whenever_they_are_asked_for():
    labels, proba = random_case(6, 60, 3)
    first, again = (interval(METRICS["accuracy"], labels, proba, np.arange(len(labels))) for _ in range(2))
    assert first == again and first[1] > first[0]


def test_each_resample_draws_as_many_groups_as_there_are_and_whole_ones():
    groups = np.array([7, 7, 3, 9, 9, 9])
    for weights in group_weights(groups, 50):
        assert weights[0] == weights[1] and weights[3] == weights[4] == weights[5]
        assert weights[0] + weights[2] + weights[3] == 3


@pytest.mark.parametrize("name", ["accuracy", "log_loss"])
def test_a_pair_is_compared_on_the_same_resamples_and_a_gain_is_positive_where_ours_is_better(name: str):
    metric, rng = find_metric(name), np.random.default_rng(8)
    labels, theirs = random_case(8, 150, 3)
    ours = 0.6 * theirs + 0.4 * np.eye(3)[labels]
    groups = rng.integers(60, size=len(labels))
    score, low, high, gain, gain_low, gain_high = paired(metric, labels, ours, theirs, groups)
    assert score == metric(labels, ours) and (low, high) == pytest.approx(interval(metric, labels, ours, groups))
    assert gain == pytest.approx(abs(metric(labels, ours) - metric(labels, theirs))) and 0 < gain_low < gain < gain_high
    of_both = [[metric.prepare(labels, p)(w) for p in (ours, theirs)] for w in group_weights(groups, 1000)]
    differences = abs(np.diff(of_both, axis=1)[:, 0])
    assert (gain_low, gain_high) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))
    back = paired(metric, labels, theirs, ours, groups)
    assert back[3:] == pytest.approx((-gain, -gain_high, -gain_low))


def test_a_pair_is_compared_on_resamples_that_do_not_forget_the_rare_class():
    labels, proba = rare_case()
    groups = np.arange(len(labels))
    metric = METRICS["balanced_accuracy"]
    _, low, high, *gain = paired(metric, labels, proba, proba, groups, 100)
    assert (low, high) == interval(metric, labels, proba, groups, resamples=100) and high < 0.51 and gain == [0, 0, 0]


def test_a_pair_is_compared_though_some_resamples_have_no_score():
    """A custom AUC of a rare class: it is not defined where none of its rows was drawn."""
    labels = np.r_[np.zeros(30, int), 1]
    proba = np.column_stack([1 - np.linspace(0, 1, 31), np.linspace(0, 1, 31)])
    metric = custom_metric(lambda y, p: float(y[p[:, 1] > 0.5].mean()) if y.any() else float("nan"))
    assert np.isfinite(paired(metric, labels, proba, proba[::-1], np.arange(31), resamples=100)).all()


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "error"])
def test_a_perfect_score_has_the_doubt_of_so_few_rows(name: str):
    labels, metric = np.arange(20) % 2, find_metric(name)
    scorer = metric.prepare(labels, np.eye(2)[labels])
    for groups, n in ((np.arange(20), 20), (np.arange(20) // 4, 5)):
        ((low, high),) = intervals([scorer], groups, [metric])
        far = 1 - 0.025 ** (1 / n)
        assert (low, high) == pytest.approx((1 - far, 1.0) if metric.greater_is_better else (0.0, far))
    wrong = np.eye(2)[np.where(np.arange(20) == 3, 1 - labels, labels)]
    one = metric.prepare(labels, wrong)
    assert intervals([one], np.arange(20), [metric]) == intervals([one], np.arange(20))


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
    assert ours(labels, proba) == METRICS["accuracy"](labels, proba) and (ours.name, ours.greater_is_better) == (
        "custom",
        True,
    )
    other = custom_metric(lambda y, p: 0.0, "loss of one's own", False)
    assert (other.name, other.greater_is_better) == ("loss of one's own", False)
    low, high = interval(ours, labels, proba, np.arange(len(labels)), resamples=100)
    assert low < ours(labels, proba) < high


def test_kept_resamples_are_those_that_are_drawn_anew(monkeypatch: pytest.MonkeyPatch):
    groups = np.array([4, 4, 1, 7, 1, 9, 9, 9])
    kept = np.array(list(metrics.group_weights(groups, 50)))
    again = np.array(list(metrics.group_weights(groups, 50)))
    other = np.array(list(metrics.group_weights(groups, 50, seed=1)))
    monkeypatch.setattr(metrics, "_KEPT_CELLS", 0)
    fresh = np.array(list(metrics.group_weights(groups, 50)))
    np.testing.assert_array_equal(kept, fresh)
    np.testing.assert_array_equal(again, fresh)
    assert kept.dtype == np.float64 and (other != fresh).any() and (kept[:, 0] == kept[:, 1]).all()
    assert set(np.unique(kept.sum(axis=1))) != {8.0}  # whole groups are drawn
