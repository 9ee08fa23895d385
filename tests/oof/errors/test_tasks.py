"""What errors says of labels, grades and numbers, on predictions whose faults are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    mean_absolute_error,
    precision_recall_fscore_support,
    r2_score,
    roc_auc_score,
)

from harness.competition.scoring.registry import LABELS, find_metric
from harness.competition.tasks import TASKS
from harness.oof.errors.by_task import report_of
from harness.oof.errors.report import ErrorReport, Pictures, write_errors_csv
from harness.report.page import Page
from harness.runs import Folds, Run
from tests.oof.ensemble.test_by_task import graded, labelled, numbered


def make(task: str, oof: np.ndarray, labels: np.ndarray, metric=None, kept: np.ndarray | None = None) -> Run:
    n = len(labels)
    groups = np.arange(n) // 2
    folds = Folds(np.array([f"id{i}" for i in range(n)]), groups, (groups % 4).astype(np.int8), kept)
    names = [f"c{k}" for k in range(oof.shape[1])]
    environment = {"competition": {"classes": names, "task": task}, "data": {"is_sample": False}}
    rows = np.flatnonzero(folds.kept)
    told = TASKS[task].find_decision(metric, labels[rows], oof[rows], folds.fold[rows]) if metric else None
    return Run(None, None, {"decision": told}, environment, folds, labels, oof, None, None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tagged() -> Run:
    proba, truth = labelled(n=600)
    kept = np.arange(600) % 10 != 0
    return make("multilabel", proba[0], truth, find_metric("macro_f1", LABELS), kept)


@pytest.fixture(scope="module")
def steps() -> Run:
    proba, grade = graded()
    return make("ordinal", proba[0], grade, TASKS["ordinal"].metric(find_metric("quadratic_kappa")))


@pytest.fixture(scope="module")
def amounts() -> Run:
    proba, truth = numbered()
    return make("regression", proba[0], truth)


def by_the_other_folds(run: Run) -> np.ndarray:
    return run.task.decide_by_fold(run.oof, run.folds.fold, run.scores["decision"])


def test_labels_agree_with_scikit_learn_by_the_thresholds_of_the_other_folds(tagged: Run):
    found = report_of(tagged).found
    rows = np.flatnonzero(tagged.folds.kept)
    truth, outputs, said = tagged.labels[rows], tagged.oof[rows], by_the_other_folds(tagged)[rows] >= 0.5
    wanted = precision_recall_fscore_support(truth, said, zero_division=0)
    for number, (name, scores) in enumerate(found.labels.items()):
        assert name == f"c{number}" and scores.rows == truth[:, number].sum()
        for place, key in enumerate(("precision", "recall", "f1")):
            value = getattr(scores, key)
            assert value.value == pytest.approx(wanted[place][number]) and value.low < value.value < value.high
        for key, by_hand in (("average_precision", average_precision_score), ("auc", roc_auc_score)):
            value = getattr(scores, key)
            assert value.value == pytest.approx(by_hand(truth[:, number], outputs[:, number]))
            assert value.low < value.value < value.high
    assert set(map(tuple, found.wrong)) == set(map(tuple, np.argwhere(said != (truth >= 0.5))))
    away = np.abs(truth - outputs)[tuple(found.wrong.T)]
    assert (np.diff(away) <= 0).all()


def test_labels_given_instead_of_each_other_are_told_by_rows(tagged: Run):
    truth = np.zeros((40, 3), dtype=np.float32)
    truth[:, 0] = 1
    outputs = truth * 0.8 + 0.1
    outputs[:12] = [0.1, 0.9, 0.1]  # twelve rows: c1 instead of c0
    outputs[12:15] = [0.9, 0.1, 0.9]  # three: c2 besides
    found = report_of(make("multilabel", outputs, truth)).found
    assert found.instead == [(0, 1, 12)] and found.together == [(0, 2, 0, 3)]
    assert found.groups[0][2] == 4 and len(found.wrong) == 27
    assert found.instead_matrix.tolist() == [[0, 12, 0], [0, 0, 0], [0, 0, 0]]


def test_a_wrong_label_is_doubted_and_one_that_nobody_has_is_no_number(tagged: Run):
    row = int(np.argmin(tagged.oof[:, 1] + 9.0 * (tagged.labels[:, 1] > 0) + 9.0 * ~tagged.folds.kept))
    labels = tagged.labels.copy()
    labels[row, 1] = 1
    labels[:, 3] = 0
    report = report_of(replace(tagged, labels=labels))
    place = int(np.flatnonzero(report.found.rows == row)[0])
    assert (place, 1) in list(map(tuple, report.found.suspected[:3]))
    scores = report.found.labels["c3"]
    assert np.isnan(scores.auc.value) and np.isnan(scores.average_precision.value) and scores.rows == 0
    assert report.summary()["labels"]["c3"]["auc"] == {"value": None, "low": None, "high": None}
    table = report.frame().set_index(["id", "name"])
    assert table.index.is_unique and table.loc[(f"id{row}", "c1"), "label_suspected"]


def test_grades_are_told_how_far_and_which_way(steps: Run):
    report = report_of(steps)
    said = by_the_other_folds(steps).argmax(axis=1)
    off = said - steps.labels
    assert report.grades.signed.value == pytest.approx(off.mean())
    assert report.grades.absolute.value == pytest.approx(np.abs(off).mean())
    assert report.grades.near.value == pytest.approx((np.abs(off) <= 1).mean())
    for grade, (rows, signed, absolute, _) in enumerate(report.grades.by_grade):
        mine = steps.labels == grade
        assert rows == mine.sum() and signed.value == pytest.approx(off[mine].mean())
        assert absolute.low <= absolute.value <= absolute.high
    far = np.abs(off)[report.grades.farthest]
    assert (np.diff(far) <= 0).all() and len(far) == (off != 0).sum() == report.summary()["wrong"]
    assert report.grades.rows.sum() == len(off)
    assert [row[0] for row in report.table()[1]] == steps.classes  # in their order


def test_expected_grades_that_are_right_are_told_so():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(4), 4000).astype(np.float32)
    labels = np.array([rng.choice(4, p=row / row.sum()) for row in proba.astype(float)])
    assert report_of(make("ordinal", proba, labels)).grades.off < 0.08
    assert report_of(make("ordinal", proba[:, ::-1].copy(), labels)).grades.off > 0.5


def test_numbers_agree_with_scikit_learn_and_lie_in_their_intervals(amounts: Run):
    found = report_of(amounts).found
    for number, scores in enumerate(found.numbers.values()):
        truth, said = amounts.labels[:, number].astype(float), amounts.oof[:, number].astype(float)
        assert scores.r2.value == pytest.approx(r2_score(truth, said))
        assert scores.mae.value == pytest.approx(mean_absolute_error(truth, said))
        assert scores.bias.value == pytest.approx((said - truth).mean())
        for value in (scores.bias, scores.mae, scores.rmse, scores.r2):
            assert value.low < value.value < value.high
        assert sum(q.rows for q in scores.by_target) == sum(q.rows for q in scores.by_prediction) == len(truth)
        means = [q.truth for q in scores.by_target]
        assert means == sorted(means) and len(means) == 10
        assert scores.by_target[0].bias.value > scores.by_target[-1].bias.value  # predictions are half of the truth
    scaled = np.abs(found.residuals) / amounts.labels.std(axis=0)
    assert (np.diff(scaled[tuple(found.largest.T)]) <= 1e-6).all()


def test_a_target_far_off_is_doubted_and_its_group_is_the_hardest(amounts: Run):
    labels = amounts.labels.copy()
    labels[77, 0] += 40
    report = report_of(replace(amounts, labels=labels))
    assert tuple(report.found.largest[0]) == tuple(report.found.suspected[0]) == (77, 0)
    assert report.groups[0][0] == 77 // 2
    first = report.frame().iloc[0]
    assert first["id"] == "id77" and first["label_suspected"]
    assert first["residual"] == pytest.approx(first["predicted"] - first["label"])


def test_a_number_that_is_always_the_same_has_no_r2(amounts: Run):
    labels = amounts.labels.copy()
    labels[:, 0] = 3
    report = report_of(replace(amounts, labels=labels))
    assert report.summary()["numbers"]["c0"]["r2"]["value"] is None and "-" in report.table()[1][0]


@pytest.mark.parametrize("which", ["tagged", "steps", "amounts"])
def test_the_page_and_the_table_are_written_without_pictures(which: str, request, tmp_path: Path):
    run = request.getfixturevalue(which)
    hostile = [*run.classes[:-1], "<script>$x$"]
    environment = {**run.environment, "competition": {**run.environment["competition"], "classes": hostile}}
    report, page = report_of(replace(run, environment=environment)), Page("title", "lead")
    report.sections(page, Pictures(None))
    assert len(page.cards) >= 3 and any(b["kind"] == "figure" for s in page.sections for b in s.blocks)
    assert page.html().count("<script>") == 2 and "&lt;script&gt;" in page.html()
    header, rows = report.table()
    assert all(len(row) == len(header) for row in rows) and report.lines()
    write_errors_csv(tmp_path / "errors.csv", report)
    assert (tmp_path / "errors.csv").read_text().startswith("id,")


@pytest.mark.parametrize(("n", "shown"), [(2, 2), (40, 40), (121, 20)])
def test_a_terminal_gets_the_worst_of_many(n: int, shown: int):
    report: Any = type("Many", (ErrorReport,), {"table": lambda self: (["class"], [[str(i)] for i in range(n)])})
    report.__abstractmethods__ = frozenset()
    header, rows, left_out = report().short_table()
    assert header == ["class"] and rows == [[str(i)] for i in range(shown)] and left_out == n - shown
