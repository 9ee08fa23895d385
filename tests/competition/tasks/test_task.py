"""What each kind of task makes of targets and outputs."""

from __future__ import annotations

import numpy as np
import pytest

from harness.competition.scoring.registry import LABELS, find_metric
from harness.competition.tasks import TASKS

SINGLE, LABELLED, GRADES, NUMBERS = (TASKS[n] for n in ("single", "multilabel", "ordinal", "regression"))


@pytest.mark.parametrize(
    ("task", "row", "wrong"),
    [
        (SINGLE, [0.5, 0.5], False), (SINGLE, [0.9, 0.9], True), (SINGLE, [np.nan, 1.0], True), (SINGLE, [-0.1, 1.1], True),
        (LABELLED, [0.9, 0.9], False), (LABELLED, [0.0, 0.0], False), (LABELLED, [1.2, 0.0], True), (LABELLED, [np.nan, 0.0], True),
        (NUMBERS, [-7.0, 1e6], False), (NUMBERS, [np.inf, 0.0], True), (GRADES, [0.3, 0.3], True),
    ],
)  # fmt: skip
def test_rows_that_are_no_outputs(task, row: list[float], wrong: bool):
    assert task.wrong_rows(np.array([row, [0.5, 0.5]])).tolist() == [wrong, False]


def test_strata_are_classes_the_rarest_label_or_quantiles():
    assert SINGLE.strata(np.array([2, 0])).tolist() == [2, 0]
    labels = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 1]], dtype=np.float32)
    assert LABELLED.strata(labels).tolist() == [2, 1, 0, 3]
    numbers = np.arange(100, dtype=np.float32)[:, None]
    strata = NUMBERS.strata(numbers)
    assert (np.diff(strata) >= 0).all() and np.bincount(strata).tolist() == [10] * 10


def test_grades_are_answered_by_the_expected_one_not_the_likeliest():
    outputs = np.array([[0.4, 0.0, 0.3, 0.3]])  # the likeliest is 0, the mean 1.5
    assert GRADES.plain(outputs).argmax(axis=1).tolist() == [2]
    kappa = GRADES.metric(find_metric("quadratic_kappa"))
    labels = np.array([0, 1, 2, 3, 2])
    rows = np.vstack([np.eye(4), outputs])
    assert kappa(labels, rows) == 1.0


def test_cuts_undo_a_shift_of_the_grades():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 600)
    centre = np.clip(labels * 0.5 + 1.0 + rng.normal(0, 0.08, 600), 0, 3)  # grades pressed towards the middle
    low = np.floor(centre).astype(int).clip(0, 2)
    outputs = np.zeros((600, 4))
    outputs[np.arange(600), low + 1] = centre - low
    outputs[np.arange(600), low] = 1 - (centre - low)
    metric = find_metric("quadratic_kappa")
    told = GRADES.find_decision(metric, labels, outputs, np.arange(600) % 3)
    before = GRADES.metric(metric)(labels, outputs)
    after = metric(labels, GRADES.decide_by_fold(outputs, np.arange(600) % 3, told))
    assert before < 0.8 < 0.97 < after
    assert told["values"] == sorted(told["values"]) and len(told["folds"]) == 3


def test_thresholds_of_labels_are_found_each_for_itself():
    rng = np.random.default_rng(0)
    truth = (rng.random((800, 3)) < 0.3).astype(np.float32)
    outputs = np.clip(truth * 0.2 + np.array([0.1, 0.4, 0.7]) + rng.normal(0, 0.03, truth.shape), 0, 1).astype(
        np.float32
    )
    metric = find_metric("micro_f1", LABELS)
    fold = np.arange(800) % 4
    told = LABELLED.find_decision(metric, truth, outputs, fold)
    assert np.allclose(told["values"], [0.2, 0.5, 0.8], atol=0.08)
    assert metric(truth, LABELLED.decide_by_fold(outputs, fold, told)) > 0.95 > metric(truth, outputs)


def test_a_decision_moves_one_half_to_the_threshold_and_keeps_the_order():
    outputs = np.linspace(0, 1, 101, dtype=np.float32)[:, None]
    moved = LABELLED.decide(outputs, [0.2])
    assert ((moved >= 0.5) == (outputs >= np.float32(0.2))).all()
    assert (np.diff(moved[:, 0]) >= 0).all() and moved.min() >= 0 and moved.max() <= 1


def test_one_fold_alone_is_judged_by_the_plain_rule():
    labels, outputs = np.array([0, 1, 2]), np.eye(3)
    told = GRADES.find_decision(find_metric("accuracy"), labels, outputs, np.zeros(3, int))
    assert told["folds"] == {}
    np.testing.assert_array_equal(GRADES.decide_by_fold(outputs, np.zeros(3, int), told), np.eye(3))


def test_a_fold_is_decided_by_the_others():
    """Fold 1 alone holds rows that would move its threshold: it must not have moved for them."""
    rng = np.random.default_rng(1)
    truth = (rng.random((300, 1)) < 0.5).astype(np.float32)
    outputs = (truth * 0.4 + 0.3 + rng.normal(0, 0.02, truth.shape)).astype(np.float32)
    fold = np.repeat([0, 1, 2], 100)
    changed = outputs.copy()
    changed[fold == 1] = (changed[fold == 1] * 0.3).clip(0, 1)
    metric = find_metric("f1", LABELS)
    first = LABELLED.find_decision(metric, truth, outputs, fold)["folds"]["1"]
    assert LABELLED.find_decision(metric, truth, changed, fold)["folds"]["1"] == first


def test_targets_in_words():
    assert SINGLE.describe(1, ["a", "b"]) == "b"
    assert LABELLED.describe([1, 0, 1], ["a", "b", "c"]) == "a, c"
    assert LABELLED.describe([0, 0], ["a", "b"]) == "(none)"
    assert NUMBERS.describe([1.5, 2.0], ["x", "y"]) == "1.5, 2"


def test_a_row_is_sure_where_its_class_is_or_where_every_label_is():
    rows, targets = TASKS["ordinal"].sure(np.array([[0.9, 0.1], [0.6, 0.4], [0.1, 0.9]]), 0.8)
    assert rows.tolist() == [0, 2] and targets.tolist() == [0, 0, 1]  # of every row: they are numbered as the test is
    outputs = np.array([[0.95, 0.04, 0.99], [0.95, 0.5, 0.01], [0.01, 0.02, 0.0], [0.9, 0.1, 0.9]], dtype=np.float32)
    rows, targets = TASKS["multilabel"].sure(outputs, 0.9)
    assert rows.tolist() == [0, 2, 3] and targets.tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert targets.dtype == np.float32


def test_very_many_numbers_are_kept_as_they_are():
    assert TASKS["regression"].stored_as is np.float32 and TASKS["multilabel"].stored_as is np.float16


def test_outputs_that_differ_beyond_a_margin_are_told_and_level_ones_are_not():
    nobody = np.zeros(0)
    classes, level = np.array([[0.9, 0.1, 0.0]]), np.array([[0.55, 0.45, 0.0]])
    other = np.array([[0.1, 0.9, 0.0]])
    assert (
        SINGLE.firmly_apart(other, classes, 0.3, nobody).all()
        and not SINGLE.firmly_apart(other, level, 0.3, nobody).any()
    )
    labels = np.array([[0.9, 0.4], [0.9, 0.1]])
    assert LABELLED.firmly_apart(np.array([[0.8, 0.7], [0.8, 0.7]]), labels, 0.3, nobody).tolist() == [False, True]
    targets = np.array([[0.0, 0.0], [2.0, 2000.0]])  # spreads 1 and 1000
    assert NUMBERS.units(targets).tolist() == [1, 1000] and LABELLED.units(labels) == 1
    assert NUMBERS.firmly_apart(targets + np.array([[0.2, 200], [0.2, 400]]), targets, 0.3, targets).tolist() == [
        False,
        True,
    ]
