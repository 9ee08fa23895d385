"""Which rows belong together: columns and paths of patients, and what is no group."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from harness.data.files.archives import FileTree
from harness.data.guess.groups import choose_groups, group_pattern
from harness.data.guess.guess import guess
from harness.data.guess.inventory import take_stock
from harness.data.guess.layout import Layout
from harness.data.rows.groups import groups_by_pattern
from harness.data.rows.tables import Table

CLASSES = ["a", "b"] * 12
COLUMNS = {
    "session": [f"s{n // 2}" for n in range(24)],
    "subject": [f"p{n // 4}" for n in range(24)],
    "hospital": [f"h{n // 12}" for n in range(24)],
    "age_group": ["40-60" if n % 4 < 2 else "60-80" for n in range(24)],
    "species_group": ["mammal" if n % 2 else "bird" for n in range(24)],
}


def chosen(*names: str, test: dict[str, list[str]] | None = None) -> tuple[str | None, list[str], list[str]]:
    table = Table(list(names), [COLUMNS[name] for name in names], "t.csv")
    there = Table(list(test), list(test.values()), "test.csv") if test else None
    found = choose_groups(table, names, CLASSES, there)
    return found.column, found.others, found.passed_over


def test_a_person_comes_before_sessions_and_places():
    assert chosen("session", "subject") == ("subject", ["session"], [])
    assert chosen("hospital", "subject") == ("subject", [], ["hospital"])


def test_a_column_of_few_values_that_all_classes_have_is_no_group():
    assert chosen("age_group", "subject") == ("subject", [], ["age_group"])
    assert chosen("age_group") == (None, [], ["age_group"])


def test_few_places_that_the_test_has_none_of_are_groups():
    assert chosen("subject", "hospital", test={"hospital": ["h7", "h8"]})[0] == "hospital"


@pytest.mark.parametrize("columns", [("study_id", "clip"), ("clip", "study_id")])
def test_of_several_the_coarser_is_taken(columns: tuple[str, str]):
    rows = {"study_id": [str(n // 2) for n in range(60)], "clip": [str(n // 6) for n in range(60)]}
    table = Table(list(columns), [rows[name] for name in columns], "t.csv")
    assert choose_groups(table, columns, ["a", "b"] * 30, None).column == "clip"


def test_what_is_the_same_for_all_of_a_class_is_no_group():
    assert chosen("species_group") == (None, [], [])
    faces = [f"person_{n}/{k}.png" for n in range(4) for k in range(3)]
    assert group_pattern(faces, [path.partition("/")[0] for path in faces]) is None


def test_the_two_of_a_pair_may_lie_in_two_folders():
    paths = ["mild/1_left.png", "none/1_right.png", "none/2_left.png"]
    pattern = group_pattern(paths, ["mild", "none", "none"])
    assert pattern and groups_by_pattern(paths, pattern).tolist() == [0, 0, 1]


def draw(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)


def guessed(folder: Path) -> Layout:
    return guess(take_stock(FileTree(folder)))[0]


@pytest.mark.parametrize("patient", ["patient_", ""])
def test_patients_are_folders_in_those_of_the_classes(tmp_path: Path, patient: str):
    kinds = ("benign", "malignant")
    draw(tmp_path, *(f"train/{kind}/{patient}{n}/{k}.png" for kind in kinds for n in range(3) for k in range(2)))
    draw(tmp_path, "test/a.png", "test/b.png")
    pd.DataFrame({"id": ["a", "b"], "benign": [0.5, 0.5], "malignant": [0.5, 0.5]}).to_csv(
        tmp_path / "sample_submission.csv", index=False
    )
    layout = guessed(tmp_path)
    if patient:
        paths = [f"{kind}/patient_{n}/{k}.png" for kind in kinds for n in range(3) for k in range(2)]
        groups = groups_by_pattern(paths, str(layout.values["group"]))
        assert groups.tolist() == [0, 0, 1, 1, 2, 2] * 2
    else:
        assert any("'benign/0', belong together" in line and "group = " in line for line in layout.unknown)


@pytest.mark.parametrize("apart", [False, True])
def test_a_column_that_is_passed_over_is_told(tmp_path: Path, apart: bool):
    ids = [f"a{n}" for n in range(24)]
    draw(tmp_path, *(f"train/{i}.png" for i in ids))
    labels, ages = (
        pd.DataFrame({"id": ids, "label": CLASSES}),
        pd.DataFrame({"id": ids, "age_group": COLUMNS["age_group"]}),
    )
    (labels if apart else labels.merge(ages)).to_csv(tmp_path / "train.csv", index=False)
    if apart:
        ages.to_csv(tmp_path / "people.csv", index=False)
    layout = guessed(tmp_path)
    assert "group_by" not in layout.values and any("one value of age_group" in line for line in layout.unknown)
