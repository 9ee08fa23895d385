"""Which columns are targets, of which task, and how they are handed in."""

from __future__ import annotations

import pytest

from harness.data.guess.targets import Targets, find_targets
from harness.data.rows.tables import Table


def table(**columns: list[object]) -> Table:
    return Table(list(columns), [list(map(str, cells)) for cells in columns.values()], "t.csv")


def guessed(train: Table, sample: Table | None = None, id_column: str = "id") -> Targets:
    return find_targets(train, None, id_column, ("sample.csv", sample) if sample else None, None)


IDS = list(range(12))
ASKED = list(range(20, 26))


@pytest.mark.parametrize(
    ("label", "cells", "sample", "task", "value", "metric"),
    [
        ("label", ["a", "b", "c"] * 4, "a", "single", "class", "accuracy"),
        ("has_cactus", [0, 1, 1] * 4, 0.5, "binary", "probability", "roc_auc"),
        ("diagnosis", [0, 1, 2] * 4, 0, "ordinal", "class", "quadratic_kappa"),
        ("label", [3, 1, 2] * 4, 1, "single", "class", "accuracy"),
        ("tags", ["haze primary", "clear", "haze road", "clear primary", "haze", "clear road"] * 2, "clear", "multilabel", "labels", "samples_f1"),
        ("attribute_ids", ["7|8", "8", "9|7", "9"] * 3, "7", "multilabel", "labels", "samples_f1"),
        ("Id", ["w1", "w2", "new"] * 4, "new w1 w2", "single", "ranked", "map@3"),
        ("Pawpularity", [n * 1.5 for n in range(12)], 50.0, "regression", "number", "rmse"),
        ("species", ["Common Chickweed", "Maize", "Sugar beet"] * 4, "Maize", "single", "class", "accuracy"),
    ],
)  # fmt: skip
def test_one_column(label: str, cells: list[object], sample: object, task: str, value: str, metric: str):
    found = guessed(table(id=IDS, **{label: cells}), table(id=ASKED, **{label: [sample] * 6}))
    assert (found.task, found.submission["value"], found.metric) == (task, value, metric)
    assert found.label == [label] and found.submission["id"] == "id" and found.submission.get("target") == label


@pytest.mark.parametrize(("asked", "mark"), [("haze, clear", ", "), ("haze,clear", ","), ("haze", ",")])
def test_labels_are_handed_in_as_the_sample_submission_has_them(asked: str, mark: str):
    cells = ["haze, primary", "clear", "haze, road", "clear, primary", "haze", "clear, road"] * 2
    found = guessed(table(id=IDS, tags=cells), table(id=ASKED, tags=[asked] * 6))
    assert (found.separator, found.submission["separator"]) == (",", mark)


def test_names_of_labels_with_blanks_are_no_several_labels():
    names = [f"plant {n} leaf" for n in range(6)] * 2
    assert guessed(table(id=IDS, label=names)).task == "single"


def test_columns_of_the_sample_are_the_targets():
    one_hot = {c: [int(n % 3 == k) for n in IDS] for k, c in enumerate("abc")}
    found = guessed(table(id=IDS, age=IDS, **one_hot), table(id=ASKED, **{c: [0.3] * 6 for c in "abc"}))
    assert found.task == "single" and found.label == ["a", "b", "c"] and found.submission["value"] == "probability"
    several = {c: [int(n % (k + 2) == 0) for n in IDS] for k, c in enumerate("abc")}
    found = guessed(table(id=IDS, **several), table(id=ASKED, **{c: [0] * 6 for c in "abc"}))
    assert found.task == "multilabel" and found.metric == "roc_auc"
    numbers = {c: [n / 10 for n in IDS] for c in "ab"}
    found = guessed(table(id=IDS, **numbers), table(id=ASKED, a=[0.0] * 6, b=[0.0] * 6))
    assert found.task == "regression" and found.label == ["a", "b"]


@pytest.mark.parametrize(
    ("yes", "no"), [("TRUE", "FALSE"), ("True", "False"), ("1.0", ""), ("1", "0"), ("yes", "no"), ("1.0", "0.0")]
)
def test_columns_of_yes_and_no_are_labels_however_they_are_written(yes: str, no: str):
    one_hot = {c: [yes if n % 3 == k else no for n in IDS] for k, c in enumerate("abc")}
    found = guessed(table(id=IDS, **one_hot))
    assert (found.task, found.label) == ("single", ["a", "b", "c"])
    several = {c: [yes if n % (k + 2) == 0 else no for n in IDS] for k, c in enumerate("abc")}
    found = guessed(table(id=IDS, **several), table(id=ASKED, **{c: [0.1] * 6 for c in "abc"}))
    assert (found.task, found.submission["value"]) == ("multilabel", "probability")
    none = {c: [no, *cells[1:]] for c, cells in one_hot.items()}  # a row of nothing
    assert guessed(table(id=IDS, **none)).task == "multilabel"


@pytest.mark.parametrize(("yes", "no"), [("TRUE", "FALSE"), ("yes", "no"), ("1", "0")])
def test_one_column_of_yes_and_no_has_two_classes(yes: str, no: str):
    found = guessed(table(id=IDS, melanoma=[yes, no, no] * 4), table(id=ASKED, melanoma=[0.5] * 6))
    assert (found.task, found.metric, found.submission["value"]) == ("binary", "roc_auc", "probability")


def test_columns_of_the_sample_that_are_the_values_of_one_column():
    found = guessed(
        table(id=IDS, breed=["beagle", "boxer", "pug"] * 4),
        table(id=ASKED, beagle=[0.3] * 6, boxer=[0.3] * 6, pug=[0.3] * 6),
    )
    assert found.label == ["breed"] and found.metric == "log_loss" and "target" not in found.submission


def test_what_is_not_known_is_said():
    found = guessed(table(id=IDS, label=["a", "b", "c"] * 4))
    assert "no sample submission" in found.why["value"] and "macro_f1" in found.fits


def test_persons_and_pairs_in_names_are_groups():
    from harness.data.guess.groups import group_pattern
    from harness.data.rows.groups import groups_by_pattern

    xrays = ["person1_virus_6", "person1_bacteria_7", "person2_virus_1", "IM-0115-0001", "IM-0117-0001"]
    pattern = group_pattern(xrays)
    assert len(set(groups_by_pattern(xrays, pattern).tolist())) == 4
    assert group_pattern(["10_left", "10_right", "13_left"]) and group_pattern(["a1", "b2", "c3"]) is None


def test_a_row_of_the_sample_may_be_of_several_images():
    from harness.data.guess.layout import shared_rows

    test = table(image_id=[1, 2, 3, 4], prediction_id=["p_L", "p_L", "p_R", "q_L"], patient=["p", "p", "p", "q"])
    sample = ("s.csv", table(prediction_id=["p_L", "p_R", "q_L"], cancer=[0.1, 0.1, 0.1]))
    assert shared_rows(("test.csv", test), sample, "image_id") == "prediction_id"
    assert shared_rows(("test.csv", test), ("s.csv", table(id=[1, 2, 3, 4], cancer=[0] * 4)), "image_id") is None
