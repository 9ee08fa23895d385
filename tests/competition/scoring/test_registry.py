"""Every metric against scikit-learn or its published definition, over all rows and under row weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from harness.competition.metrics import intervals
from harness.competition.scoring.registry import (
    CLASSES,
    FAMILIES,
    LABELS,
    NUMBERS,
    find_metric,
    metric_names,
    needs_two_classes,
)

N = 120


def of_classes(seed: int, c: int = 4):
    rng = np.random.default_rng(seed)
    return (
        np.r_[np.arange(c), rng.integers(0, c, N - c)],
        rng.dirichlet(np.ones(c), N),
        rng.integers(0, 4, N).astype(float),
    )


def of_labels(seed: int, t: int = 5):
    rng = np.random.default_rng(seed)
    truth = (rng.random((N, t)) < 0.3).astype(np.float32)
    truth[0], truth[1] = 1, 0
    return truth, rng.random((N, t)).astype(np.float32), rng.integers(0, 4, N).astype(float)


def of_numbers(seed: int, k: int = 3):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(N, k))
    return truth, truth + rng.normal(size=(N, k)), rng.integers(0, 4, N).astype(float)


def _beta(average: str, beta: float):
    return lambda y, o, w: sk.fbeta_score(y, o.argmax(1), beta=beta, average=average, sample_weight=w, zero_division=0)


CLASS_CASES = {
    "error": lambda y, o, w: 1 - sk.accuracy_score(y, o.argmax(1), sample_weight=w),
    "fbeta(beta=2)": _beta("macro", 2),
    "fbeta(beta=0.5, average=weighted)": _beta("weighted", 0.5),
    "micro_f1": _beta("micro", 1),
    "mcc": lambda y, o, w: sk.matthews_corrcoef(y, o.argmax(1), sample_weight=w),
    "kappa": lambda y, o, w: sk.cohen_kappa_score(y, o.argmax(1), sample_weight=w),
    "quadratic_kappa": lambda y, o, w: sk.cohen_kappa_score(y, o.argmax(1), weights="quadratic", sample_weight=w),
    "linear_kappa": lambda y, o, w: sk.cohen_kappa_score(y, o.argmax(1), weights="linear", sample_weight=w),
    "top_k_accuracy(k=2)": lambda y, o, w: sk.top_k_accuracy_score(y, o, k=2, sample_weight=w, labels=range(4)),
    "map@1": lambda y, o, w: sk.accuracy_score(y, o.argmax(1), sample_weight=w),
    "log_loss(eps=1e-15)": lambda y, o, w: sk.log_loss(y, o, sample_weight=w, labels=range(4)),
}


@pytest.mark.parametrize("name", CLASS_CASES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_metrics_of_classes_are_scikit_learns(name: str, seed: int):
    labels, proba, weights = of_classes(seed)
    scorer = find_metric(name).prepare(labels, proba)
    assert scorer(None) == pytest.approx(CLASS_CASES[name](labels, proba, None), abs=1e-9)
    assert scorer(weights) == pytest.approx(CLASS_CASES[name](labels, proba, weights), abs=1e-9)


TWO_CASES = {
    "average_precision": lambda y, p, w: sk.average_precision_score(y, p, sample_weight=w),
    "brier": lambda y, p, w: sk.brier_score_loss(y, p, sample_weight=w),
    "fbeta(average=binary, beta=2)": lambda y, p, w: sk.fbeta_score(
        y, p > 0.5, beta=2, sample_weight=w, zero_division=0
    ),
}


@pytest.mark.parametrize("name", TWO_CASES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_metrics_of_two_classes_are_scikit_learns(name: str, seed: int):
    labels, proba, weights = of_classes(seed, 2)
    weights[:2] = 1
    scorer = find_metric(name).prepare(labels, proba)
    assert scorer(None) == pytest.approx(TWO_CASES[name](labels, proba[:, 1], None), abs=1e-9)
    assert scorer(weights) == pytest.approx(TWO_CASES[name](labels, proba[:, 1], weights), abs=1e-9)
    assert needs_two_classes(name) or name == "brier"


def _averaged(function, average: str):
    return lambda y, o, w: function(y, o, average=average, sample_weight=w)


LABEL_CASES = {
    f"{name}(average={average})": _averaged(function, average)
    for name, function in (("roc_auc", sk.roc_auc_score), ("average_precision", sk.average_precision_score))
    for average in ("macro", "micro", "weighted")
} | {
    f"fbeta(average={average}, beta=2)": lambda y, o, w, a=average: sk.fbeta_score(
        y, o >= 0.5, beta=2, average=a, sample_weight=w, zero_division=0
    )
    for average in ("samples", "micro", "macro", "weighted")
} | {
    "jaccard": lambda y, o, w: sk.jaccard_score(y, o >= 0.5, average="samples", sample_weight=w, zero_division=0),
    "hamming_loss": lambda y, o, w: sk.hamming_loss(y, o >= 0.5, sample_weight=w),
    "accuracy": lambda y, o, w: sk.accuracy_score(y, o >= 0.5, sample_weight=w),
    "log_loss(eps=1e-15)": lambda y, o, w: np.mean([sk.log_loss(y[:, c], o[:, c], sample_weight=w, labels=[0, 1]) for c in range(5)]),
}  # fmt: skip


@pytest.mark.parametrize("name", LABEL_CASES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_metrics_of_labels_are_scikit_learns(name: str, seed: int):
    truth, outputs, weights = of_labels(seed)
    weights[:2] = 1
    scorer = find_metric(name, LABELS).prepare(truth, outputs)
    assert scorer(None) == pytest.approx(LABEL_CASES[name](truth, outputs.astype(np.float64), None), abs=1e-6)
    assert scorer(weights) == pytest.approx(LABEL_CASES[name](truth, outputs.astype(np.float64), weights), abs=1e-6)


NUMBER_CASES = {
    "rmse": lambda y, o, w: np.sqrt(sk.mean_squared_error(y, o, sample_weight=w)),
    "mcrmse": lambda y, o, w: np.sqrt(sk.mean_squared_error(y, o, sample_weight=w, multioutput="raw_values")).mean(),
    "mae": lambda y, o, w: sk.mean_absolute_error(y, o, sample_weight=w),
    "r2": lambda y, o, w: sk.r2_score(y, o, sample_weight=w),
}


@pytest.mark.parametrize("name", NUMBER_CASES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_metrics_of_numbers_are_scikit_learns(name: str, seed: int):
    truth, outputs, weights = of_numbers(seed)
    scorer = find_metric(name, NUMBERS).prepare(truth, outputs)
    assert scorer(None) == pytest.approx(NUMBER_CASES[name](truth, outputs, None))
    assert scorer(weights) == pytest.approx(NUMBER_CASES[name](truth, outputs, weights))


@pytest.mark.parametrize("name", ["r2", "pearson"])
def test_a_column_that_is_constant_in_a_resample_keeps_its_value(name: str):
    """Its spread was rounding, 1e-33, and what R2 divided by."""
    truth = np.full((40, 2), 0.1)
    truth[0, 0], truth[:, 1] = 5, np.arange(40)
    outputs = truth + np.random.default_rng(0).normal(size=truth.shape) / 10
    scorer = find_metric(name, NUMBERS).prepare(truth, outputs)
    first, second = (find_metric(name, NUMBERS)(truth[:, [c]], outputs[:, [c]]) for c in (0, 1))
    assert scorer(None) == pytest.approx((first + second) / 2)
    without = np.r_[0.0, np.ones(39)]
    rest = find_metric(name, NUMBERS)(truth[1:, [1]], outputs[1:, [1]])
    assert scorer.resampled(without) == pytest.approx((first + rest) / 2)
    assert scorer(without) == pytest.approx((0 + rest) / 2)
    [(low, high)] = intervals([scorer], np.arange(40), resamples=100)
    assert 0 < low <= scorer(None) <= high <= 1


@pytest.mark.parametrize(("name", "agreed"), [("mcc", 0.0), ("kappa", 1.0), ("quadratic_kappa", 1.0)])
def test_a_resample_of_one_class_says_nothing_of_agreement(name: str, agreed: float):
    """Every third resample lacks the one row of the second class: intervals reached from 0, or to 1."""
    labels, said = np.r_[np.zeros(39, int), 1], np.r_[np.zeros(37, int), 1, 1, 1]
    scorer = find_metric(name).prepare(labels, np.eye(2)[said])
    without = np.r_[np.ones(37), np.zeros(3)]
    assert 0 < scorer(None) < 1
    assert scorer(without) == agreed
    assert scorer.resampled(without) == scorer(None)
    rows = np.r_[0:30, 38, 39]
    drawn = np.isin(np.arange(40), rows).astype(float)
    assert scorer.resampled(drawn) == pytest.approx(find_metric(name)(labels[rows], np.eye(2)[said[rows]]))


def test_correlation_is_numpys():
    truth, outputs, _ = of_numbers(1)
    expected = np.mean([np.corrcoef(truth[:, c], outputs[:, c])[0, 1] for c in range(3)])
    assert find_metric("pearson", NUMBERS)(truth, outputs) == pytest.approx(expected)


def test_rmsle_takes_negative_predictions_as_zero():
    truth, outputs = np.array([[3.0], [0.0]]), np.array([[3.0], [-5.0]])
    assert find_metric("rmsle", NUMBERS)(truth, outputs) == 0


def test_map_at_k_is_one_over_the_rank_and_nothing_behind_k():
    proba = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    assert find_metric("map@2")(np.array([0, 1, 2]), proba) == pytest.approx((1 + 0.5 + 0) / 3)
    truth = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]])
    by_hand = ((1 + 2 / 3) / 2 + 1 / 2 + 0) / 3
    assert find_metric("map@3", LABELS)(truth, proba) == pytest.approx(by_hand)


def test_the_area_above_a_true_positive_rate():
    """By the ISIC 2024 competition's own way: the curve of flipped labels and scores, its partial area rescaled."""
    rng = np.random.default_rng(0)
    y, p = rng.random(400) < 0.2, rng.random(400)
    p[y] += 0.3
    flipped, scores, max_fpr = ~y, -p, 0.2
    partial_scaled = sk.roc_auc_score(flipped, scores, max_fpr=max_fpr)
    expected = 0.5 * max_fpr**2 + (max_fpr - 0.5 * max_fpr**2) / 0.5 * (partial_scaled - 0.5)
    proba = np.stack([1 - p / 2, p / 2], axis=1)
    assert find_metric("partial_auc(min_tpr=0.8)")(y.astype(int), proba) == pytest.approx(expected)


def test_probabilistic_f_of_certain_answers_is_f1():
    y = np.array([0, 1, 1, 0, 1])
    said = np.array([0, 1, 0, 1, 1])
    proba = np.stack([1 - said, said], axis=1).astype(float)
    assert find_metric("probabilistic_f")(y, proba) == pytest.approx(sk.f1_score(y, said))


def test_a_cost_matrix_has_true_classes_in_rows():
    prices = "cost(matrix=[[0, 1], [10, 0]])"
    proba = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert find_metric(prices)(np.array([0, 1, 0]), proba) == pytest.approx((0 + 10 + 1) / 3)
    assert not find_metric(prices).greater_is_better


def test_class_weights_of_a_log_loss():
    labels, proba, _ = of_classes(3)
    weights = [1.0, 5.0, 2.0, 0.5]
    losses = -np.log(proba[np.arange(N), labels])
    expected = np.average(losses, weights=np.array(weights)[labels])
    assert find_metric("log_loss(weights=[1.0, 5.0, 2.0, 0.5])")(labels, proba) == pytest.approx(expected)


@pytest.mark.parametrize(("of", "name"), sorted(FAMILIES))
def test_every_metric_has_an_interval_that_holds_its_value(of: str, name: str):
    data = {CLASSES: of_classes(5, 2), LABELS: of_labels(5), NUMBERS: of_numbers(5)}[of]
    text = "cost(matrix=[[0, 1], [1, 0]])" if name == "cost" else name
    metric = find_metric(text, of)
    scorer = metric.prepare(*data[:2])
    [(low, high)] = intervals([scorer], np.arange(N), resamples=200)
    assert low <= scorer(None) <= high and np.isfinite(scorer(None))
    assert metric.name == text


def test_a_label_that_a_resample_lacks_keeps_its_value():
    truth, outputs = np.zeros((40, 2), dtype=np.float32), np.zeros((40, 2), dtype=np.float32)
    truth[0, 0] = outputs[0, 0] = 1  # one row has the first label, and it is found
    truth[:20, 1], outputs[:20, 1] = 1, 1
    for name in ("macro_f1", "roc_auc", "average_precision"):
        scorer = find_metric(name, LABELS).prepare(truth, outputs)
        without = np.r_[0.0, np.ones(39)]
        assert scorer.resampled(without) == pytest.approx(1.0)


@pytest.mark.parametrize("average", ["macro", "binary"])
def test_a_class_that_a_resample_lacks_keeps_its_f_beta(average: str):
    """It was left out of the mean, or counted as 0: an interval of [0.54, 0.95] around 0.59."""
    labels, said = np.r_[np.zeros(20, int), np.ones(2, int)], np.r_[np.zeros(19, int), 1, 0, 1]
    scorer = find_metric(f"fbeta(average={average}, beta=2)").prepare(labels, np.eye(2)[said])
    without = np.r_[np.ones(19), np.zeros(3)]  # neither rows of the second class nor a row called so
    of_first, of_second = sk.fbeta_score(labels, said, beta=2, average=None)
    first_of_resample = 1.0
    assert of_first < 1
    expected = of_second if average == "binary" else (first_of_resample + of_second) / 2
    assert scorer.resampled(without) == pytest.approx(expected)
    if average == "macro":
        same = find_metric("fbeta(average=macro, beta=1)").prepare(labels, np.eye(2)[said])
        macro_f1 = find_metric("macro_f1").prepare(labels, np.eye(2)[said])
        assert intervals([same], np.arange(22)) == intervals([macro_f1], np.arange(22))


@pytest.mark.parametrize(
    ("text", "of", "said"),
    [
        ("f2_score", CLASSES, "is unknown"),
        ("rmse", CLASSES, "is for targets that are numbers, and those of this task are classes"),
        ("quadratic_kapa", CLASSES, "did you mean 'quadratic_kappa'"),
        ("fbeta(betta=2)", LABELS, "unknown parameter 'betta' (did you mean 'beta'?)"),
        ("fbeta(average=mean)", LABELS, 'average = "mean"; wanted one of samples, macro, micro, weighted'),
        ("f1(average=binary)", LABELS, "wanted one of samples, macro, micro, weighted"),
        ("jaccard(average=binary)", LABELS, "wanted one of samples, macro, micro, weighted"),
        ("roc_auc(average=samples)", LABELS, "wanted one of macro, micro, weighted"),
        ("average_precision(average=samples)", LABELS, "wanted one of macro, micro, weighted"),
        ("fbeta(average=samples)", CLASSES, "wanted one of macro, micro, weighted, binary"),
        ("samples_f2", CLASSES, 'average = "samples"; wanted one of macro, micro, weighted, binary'),
        ("kappa(weights=quadratc)", CLASSES, "none, linear, quadratic (did you mean 'quadratic'?)"),
        ("kappa(weights=[1, 2])", CLASSES, "weights = [1, 2]; wanted one of none, linear, quadratic"),
        ("cost", CLASSES, "matrix is missing; wanted a square list of lists of numbers"),
        ("cost(matrix=[[0, 1], [1]])", CLASSES, "wanted a square list of lists"),
        ("cost(matrix=[[0, dear], [1, 0]])", CLASSES, "wanted a square list of lists"),
        ("log_loss(weights=heavy)", CLASSES, "wanted a list of numbers from 0 on"),
        ("log_loss(weights=[0, 0])", CLASSES, "not all 0: one for each of the classes"),
        ("log_loss(eps=0)", LABELS, "eps = 0; wanted a number above 0 and below 0.5"),
        ("log_loss(eps=NaN)", CLASSES, "wanted a number above 0 and below 0.5"),
        ("partial_auc(min_tpr=80)", CLASSES, "wanted a number from 0 on and below 1"),
        ("map@0", CLASSES, "wanted a whole number of 1 or more"),
        ("fbeta(beta=-1)", CLASSES, "wanted a number of 0 or more"),
    ],
)
def test_a_metric_that_is_none_says_why(text: str, of: str, said: str):
    with pytest.raises(ValueError) as error:
        find_metric(text, of)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "of", "said"),
    [
        ("cost(matrix=[[0, 1], [1, 0]])", CLASSES, "wanted 3 rows of 3 numbers, one for each class; these are 2"),
        ("log_loss(weights=[1, 2])", CLASSES, "wanted 3 numbers, one for each of the classes; these are 2"),
        ("log_loss(weights=[1, 2, 3, 4])", LABELS, "wanted 3 numbers, one for each of the labels; these are 4"),
    ],
)
def test_a_list_has_one_number_for_each_class(text: str, of: str, said: str):
    assert find_metric(text, of).name == text  # the classes are not known yet
    with pytest.raises(ValueError) as error:
        find_metric(text, of, 3)
    assert said in str(error.value)


def test_names_are_listed_by_kind():
    assert "rmse" in metric_names(NUMBERS) and "rmse" not in metric_names(CLASSES)
    assert {"accuracy", "quadratic_kappa"} <= set(metric_names(CLASSES))


def test_gap_sums_the_precision_up_to_each_row_that_is_right():
    labels = np.array([0, 1, 2, 1])
    proba = np.array([[0.9, 0.1, 0], [0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.2, 0.6, 0.2]])
    gap = find_metric("gap")
    assert gap.greater_is_better
    assert gap(labels, proba) == pytest.approx((1 / 1 + 2 / 2 + 0 + 3 / 4) / 4)
    weights = np.array([2.0, 0, 1, 1])
    repeated = np.repeat(np.arange(4), weights.astype(int))
    assert gap.prepare(labels, proba)(weights) == pytest.approx(gap(labels[repeated], proba[repeated]), abs=0.01)
