"""What errors says, on predictions whose faults are known; and pairs of runs by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from harness.competition.metrics import METRICS
from harness.competition.scoring.registry import find_metric
from harness.competition.scoring.temperature import calibrated
from harness.oof.compare.pairwise import compare_pairs, error_correlation, recalls
from harness.oof.errors.analysis import errors_table, find_errors
from harness.oof.predictions import Predictions
from harness.runs import Folds, Run
from tests.oof.forecast.test_estimators import calibrated_rows


def make(n: int = 900, temperature: float = 1.0) -> Run:
    proba, labels = calibrated_rows(n, sharpness=4.0)
    folds = Folds(np.arange(n).astype(str), np.arange(n) // 3, ((np.arange(n) // 3) % 5).astype(np.int8))
    environment = {"competition": {"classes": ["a", "b", "c"]}, "data": {"is_sample": False}}
    said = calibrated(proba, temperature).astype(np.float32)
    return Run(None, None, {}, environment, folds, labels, said, None, None)


def test_classes_agree_with_scikit_learn_and_lie_in_their_intervals():
    run = make()
    found = find_errors(run)
    expected = precision_recall_fscore_support(run.labels, run.oof.argmax(axis=1))
    for number, name in enumerate("abc"):
        for place, metric in enumerate(("precision", "recall", "f1")):
            score = found.classes[name][metric]
            assert score.value == pytest.approx(expected[place][number]) and score.low < score.value < score.high


def test_the_most_confident_mistakes_come_first_and_rows_left_out_never():
    run = make()
    kept = np.ones(900, bool)
    kept[:300] = False
    run = replace(run, folds=replace(run.folds, kept=kept))
    found = find_errors(run)
    wrong = np.flatnonzero((run.oof.argmax(axis=1) != run.labels) & kept)
    assert set(found.mistakes) == set(wrong) and len(found.rows) == 600
    assert (np.diff(run.oof[found.mistakes].max(axis=1)) <= 0).all()
    margin = np.sort(run.oof[found.unsure], axis=1)
    assert (np.diff(margin[:, 2] - margin[:, 1]) >= 0).all()


def test_too_sure_predictions_are_told_and_mended():
    fair, sure = find_errors(make(6000)).reliability, find_errors(make(6000, 0.4)).reliability
    assert fair.ece < 0.03 and fair.temperature == pytest.approx(1, abs=0.1)
    assert sure.ece > 0.08 and sure.ece_after < 0.03 and sure.temperature == pytest.approx(2.5, rel=0.1)
    assert sure.rows.sum() == 6000 and sure.brier > fair.brier


def test_a_wrong_label_is_suspected():
    run = make()
    row = int(np.argmax(run.oof.max(axis=1)))
    labels = run.labels.copy()
    labels[row] = (run.oof[row].argmax() + 1) % 3
    found = find_errors(replace(run, labels=labels))
    assert row in found.suspected[:3]
    table = errors_table(replace(run, labels=labels), found)
    assert table.set_index("id").loc[str(row), "label_suspected"] and table["id"].is_unique


def test_a_class_that_nobody_predicts_has_no_precision():
    run = make()
    proba = run.oof.copy()
    proba[:, 2] = 0
    proba /= proba.sum(axis=1, keepdims=True)
    found = find_errors(replace(run, oof=proba))
    assert np.isnan(found.classes["c"]["precision"].value) and found.classes["c"]["recall"].value == 0


def test_groups_with_most_mistakes_come_first():
    run = make()
    found = find_errors(run)
    wrong = run.oof.argmax(axis=1) != run.labels
    for group, n, mistakes in found.groups:
        inside = run.folds.groups == group
        assert inside.sum() == n == 3 and wrong[inside].sum() == mistakes > 0
    assert found.groups[0][2] == max(g[2] for g in found.groups)


def test_pairs_by_hand():
    labels = np.array([0, 0, 1, 1] * 50)
    good, bad = np.eye(2)[labels].astype(np.float32), np.eye(2)[labels].astype(np.float32)
    bad[::10] = bad[::10, ::-1]
    folds = Folds(np.arange(200).astype(str), np.arange(200), (np.arange(200) % 2).astype(np.int8))
    predictions = Predictions(("good", "bad"), labels, folds, np.stack([good, bad]), None, None)
    [pair] = compare_pairs(predictions, METRICS["accuracy"])
    assert pair.difference == pytest.approx(0.1) and (pair.only_first, pair.only_second) == (20, 0)
    assert pair.p_value == pytest.approx(2 * 0.5**20) and not pair.is_noise
    assert np.isnan(pair.correlation)  # the good one makes no mistake
    assert error_correlation([pair], 2).shape == (2, 2)
    np.testing.assert_allclose(recalls(predictions, 2)[0], 1)
    [same] = compare_pairs(replace(predictions, oof=np.stack([bad, bad])), find_metric("log_loss"))
    assert same.difference == 0 and same.is_noise and same.correlation == pytest.approx(1) and same.p_value == 1
