"""Targets as text to arrays, and what is said of a cell that cannot be one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition.data_spec import DataSpec
from harness.competition.samples import RawTargets
from harness.competition.tasks import TASKS
from harness.data.rows.tables import Table
from harness.data.rows.targets import (
    classes_of,
    encode,
    fold_numbers,
    notes_on_labels,
    sorted_names,
    split_labels,
    targets_of,
    votes,
)

SINGLE, LABELS, NUMBERS = TASKS["single"], TASKS["multilabel"], TASKS["regression"]


def cells(*values: str, separator: str | None = None) -> RawTargets:
    return RawTargets([list(values)], ["label"], "train.csv", separator)


def columns(**values: list[str]) -> RawTargets:
    return RawTargets(list(values.values()), list(values), "train.csv")


def spec(**values: object) -> DataSpec:
    return DataSpec.model_validate({"format": "image_csv", "size": 8} | values)


def test_classes_are_sorted_as_numbers_or_names_or_as_the_sample_has_them():
    assert classes_of(SINGLE, cells("10", "9", "2", "9")) == ("2", "9", "10")
    assert classes_of(SINGLE, cells("c10", "c2", "c2")) == ("c2", "c10")
    assert classes_of(SINGLE, cells("b", "a"), wanted=["b", "a"]) == ("b", "a")
    assert classes_of(SINGLE, cells("b", "a"), wanted=["b", "x"]) == ("a", "b")
    assert classes_of(LABELS, cells("haze primary", "clear", separator=" ")) == ("clear", "haze", "primary")
    assert classes_of(LABELS, columns(rust=["1"], scab=["0"])) == ("rust", "scab")
    assert sorted_names(["-2", "10", "-10"]) == ["-10", "-2", "10"]


def test_one_label_a_row():
    assert encode(SINGLE, cells("b", "a", "b"), ("a", "b")).tolist() == [1, 0, 1]


def test_several_labels_in_a_cell_and_none():
    found = encode(LABELS, cells("a  c", "", "b", separator=" "), ("a", "b", "c"))
    assert found.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]] and found.dtype == np.float32
    assert split_labels("a| b |", "|") == ["a", "b"]


def test_columns_of_labels_in_the_order_of_the_classes():
    raw = columns(rust=["1", "0.0", "1"], scab=["0", "1", "True"])
    assert encode(LABELS, raw, ("scab", "rust")).tolist() == [[0, 1], [1, 0], [1, 1]]


def test_one_column_of_0_and_1_is_one_label():
    assert classes_of(LABELS, columns(cactus=["1", "0"])) == ("cactus",)
    assert encode(LABELS, columns(cactus=["1", "0"]), ("cactus",)).tolist() == [[1], [0]]


def test_one_hot_columns_are_one_class():
    assert encode(SINGLE, columns(a=["1", "0"], b=["0", "1"]), ("a", "b")).tolist() == [0, 1]


def test_numbers():
    assert encode(NUMBERS, columns(x=["1", "-2.5"], y=["1e3", "0"]), ("x", "y")).tolist() == [[1, 1000], [-2.5, 0]]


@pytest.mark.parametrize(
    ("task", "raw", "classes", "said"),
    [
        (SINGLE, cells("a", "c"), ("a", "b"), "row 2: label 'c' is no class"),
        (SINGLE, cells("a", "B"), ("a", "b"), "it is written 'b' there"),
        (SINGLE, cells("0.0"), ("0", "1"), 'write classes = ["0.0", ...]'),
        (
            SINGLE,
            columns(a=["1", "1"], b=["0", "1"]),
            ("a", "b"),
            "row 2 has 2 of the columns a, b at 1 (a, b), wanted one",
        ),
        (SINGLE, columns(a=["1", "0"], b=["0", "0"]), ("a", "b"), "column 'b' is 1 in no row"),
        (LABELS, columns(a=["1", "2"], b=["1", "0"]), ("a", "b"), "row 2, column 'a': '2' is neither 0 nor 1"),
        (LABELS, columns(a=["1"], b=["1"]), ("a", "c"), "They must be the same names"),
        (LABELS, cells("a b"), ("a", "b"), 'Labels are separated by " " there: data.separator = " "'),
        (LABELS, cells("a", separator=" "), ("a", "b"), "no row has the label 'b'"),
        (NUMBERS, columns(x=["1", "much"]), ("x",), "row 2, column 'x': 'much' is no number"),
        (NUMBERS, columns(x=["nan", "", "1"]), ("x",), "(2 rows are like it)"),
    ],
)
def test_a_cell_that_cannot_be_a_target_is_named(task, raw: RawTargets, classes: tuple[str, ...], said: str):
    with pytest.raises(UserError) as error:
        encode(task, raw, classes)
    assert said in str(error.value) and str(error.value).startswith("train.csv")


def test_a_row_without_a_label_is_told_before_it_becomes_a_class():
    with pytest.raises(UserError, match="row 2, column 'label': is empty"):
        classes_of(SINGLE, cells("a", ""))


def test_votes_become_shares_in_the_order_of_the_classes():
    raw = columns(a=["3", "0"], b=["1", "5"])
    assert votes(SINGLE, raw, ("b", "a")).tolist() == [[0.25, 0.75], [1.0, 0.0]]
    assert votes(SINGLE, columns(a=["1", "0"], b=["0", "1"]), ("a", "b")) is None  # one-hot
    assert votes(LABELS, raw, ("a", "b")) is None
    with pytest.raises(UserError, match=r"row 2: the votes of the columns a, b are \[0.0, 0.0\]"):
        votes(SINGLE, columns(a=["2", "0"], b=["0", "0"]), ("a", "b"))


def test_folds_are_whole_numbers():
    place = partial(cells().cell, "fold")
    assert fold_numbers(["0", " 4"], place).tolist() == [0, 4]
    with pytest.raises(UserError, match="train.csv: row 2, column 'fold': 'x' is no fold"):
        fold_numbers(["0", "x"], place)


def test_blanks_around_a_label_do_not_count_and_that_is_said():
    raw = cells("cat", "dog ", " cat", "cat")
    assert classes_of(SINGLE, raw) == ("cat", "dog")
    assert encode(SINGLE, raw, ("cat", "dog")).tolist() == encode(SINGLE, raw, ("cat ", "dog")).tolist() == [0, 1, 0, 0]
    [note] = notes_on_labels(SINGLE, raw, True)
    assert "2 rows of 4 have some, e.g. 'dog '" in note
    with pytest.raises(UserError, match="row 2, column 'label': is empty"):
        classes_of(SINGLE, cells("a", "  "))


@pytest.mark.parametrize(("task", "mark"), [(SINGLE, None), (LABELS, ",")])
def test_a_label_that_differs_in_case_is_refused_where_it_is_rare_and_noted_where_it_is_not(task, mark: str | None):
    letters = cells(*["a"] * 19, "A", "b", separator=mark)
    assert classes_of(task, letters) == ("A", "a", "b")
    [note] = notes_on_labels(task, letters, True)
    assert "'a' (19 rows) and 'A' (1 row) differ in case alone" in note
    assert notes_on_labels(task, letters, False) == []  # who writes both into competition.toml means both
    with pytest.raises(UserError, match=r"row 21, .*'A' \(1 row\) is written 'a' in 20 rows.*classes = \[...\]"):
        classes_of(task, cells(*["a"] * 20, "A", "b", separator=mark))


@pytest.mark.parametrize(("task", "mark"), [(SINGLE, None), (LABELS, ",")])
def test_a_slip_of_the_pen_is_told(task, mark: str | None):
    raw = cells(*["buildings"] * 40, *["runway"] * 40, "buldings", separator=mark)
    [note] = notes_on_labels(task, raw, True)
    assert (
        "row 81, column 'label': the label 'buldings' (1 row) is nearly 'buildings' (40 rows)" in note
        and "classes.txt" in note
    )
    assert notes_on_labels(task, raw, False) == []
    numbered = cells(*["class_1"] * 40, "class_11", *["oak"] * 40, "oaks", separator=mark)
    assert [n for n in notes_on_labels(task, numbered, True) if "class_11" in n] == []


def test_labels_with_another_mark_between_are_no_label_of_their_own():
    with pytest.raises(UserError, match="row 3, .*label 'red;big'.* data.separator = \";\""):
        classes_of(LABELS, cells("red", "big,old", "red;big", separator=","))
    with pytest.raises(UserError, match="label 'red big'"):  # the separator that is set never occurs
        classes_of(LABELS, cells("red", "big", "red big", separator=","))
    assert classes_of(LABELS, cells("ice", "cream,ice cream", separator=",")) == ("cream", "ice", "ice cream")
    assert classes_of(SINGLE, cells("sea", "lion", "sea lion")) == ("lion", "sea", "sea lion")


def test_digits_of_other_kinds_are_text():
    assert sorted_names(["10²", "①", "2"]) == ["2", "10²", "①"]


@pytest.mark.parametrize(
    ("task", "columns", "said"),
    [
        (SINGLE, {"label": ["a", "", "c"]}, "row 7, column 'label'"),
        (SINGLE, {"label": ["a", "b", "c"]}, "row 9: label 'c'"),
        (SINGLE, {"a": ["1", "1", "0"], "b": ["0", "1", "1"]}, "row 7 has 2 of the columns"),
        (SINGLE, {"a": ["3", "0", "1"], "b": ["1", "0", "1"]}, "row 7: the votes"),
        (LABELS, {"a": ["1", "0", "2"], "b": ["0", "1", "1"]}, "row 9, column 'a'"),
        (NUMBERS, {"a": ["1", "0", "x"]}, "row 9, column 'a'"),
    ],
)
def test_a_row_is_told_by_its_number_in_the_file(task, columns: dict[str, list[str]], said: str):
    table = Table([*columns, "fold"], [*columns.values(), ["0", "1", "x"]], "train.csv")
    origins = {name: ("train.csv", [1, 6, 8]) for name in table.header}
    raw = targets_of(replace(table, origins=origins), spec(label=list(columns)))
    classes = ("a", "b") if len(columns) > 1 or task is SINGLE else tuple(columns)
    with pytest.raises(UserError, match=f"^train.csv: {said}"):
        if columns.get("label") == ["a", "", "c"]:
            classes_of(task, raw)
        votes(task, raw, classes)
        encode(task, raw, classes)
    with pytest.raises(UserError, match="^train.csv: row 9, column 'fold'"):
        fold_numbers(table.column("fold", "data.fold"), partial(raw.cell, "fold"))


def test_a_separator_that_a_column_does_not_have_is_refused():
    table = Table(["category"], [["traffic light,dog"]], "train.json", separators={"category": ","})
    assert targets_of(table, spec(label="category", separator=",")).separator == ","
    with pytest.raises(UserError, match='data.separator = ","'):
        targets_of(table, spec(label="category", separator=" "))


def test_a_column_of_ones_and_blanks_says_no_where_it_is_empty():
    raw = columns(a=["1.0", "", ""], b=["", "TRUE", "1"])
    assert encode(TASKS["multilabel"], raw, ("a", "b")).tolist() == [[1, 0], [0, 1], [0, 1]]
    assert (
        encode(TASKS["single"], raw, ("a", "b")).tolist() == [0, 1, 1]
        and votes(TASKS["single"], raw, ("a", "b")) is None
    )
    with pytest.raises(UserError, match="row 3, column 'a': '' is neither 0 nor 1"):  # not told, for there are 0s
        encode(TASKS["multilabel"], columns(a=["1", "0", ""], b=["1", "1", "1"]), ("a", "b"))


def test_numbers_stand_under_their_names_whatever_their_order():
    raw = RawTargets([["1", "2"], ["10", "20"], ["0.1", "0.2"]], ["b", "a", "c"], "train.csv")
    regression = TASKS["regression"]
    order = classes_of(regression, raw, ("id", "a", "b", "c"))
    assert order == ("a", "b", "c")
    assert encode(regression, raw, order)[0].tolist() == pytest.approx([10, 1, 0.1])
    assert encode(regression, raw, ("x", "y", "z"))[0].tolist() == pytest.approx([1, 10, 0.1])  # names of one's own


def test_a_label_of_several_rows_is_told_where_it_stands():
    rows = {"hare": 0, "Hare": 1003}
    columns = [["hare"] * 30 + ["Hare"]]
    raw = RawTargets(columns, ["tag"], "labels.csv", "\x1f", rows_of_labels=rows)
    with pytest.raises(UserError, match="labels.csv: row 1004, column 'tag': label 'Hare'"):
        classes_of(TASKS["multilabel"], raw)
    with pytest.raises(UserError, match="labels.csv: row 1004, column 'tag': label 'Hare' is none of the classes"):
        encode(TASKS["multilabel"], raw, ("hare",))
