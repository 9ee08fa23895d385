"""Arrays by `load_samples`: all that `Samples` may hold arrives, and what it may not is told with its row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.data.cache import Dataset
from harness.data.dataset import load_dataset

CODE = """\
import numpy as np
from harness.competition import Samples
from harness.competition.samples import Columns

def load_samples(folder, split):
    n = 6 if split == "train" else 4
    ids, images, labels = np.arange(n), np.zeros((n, 2, 2, 1), np.uint8), np.arange(n) % 2
    columns = Columns(np.arange(n)[:, None] / 2, np.arange(n)[:, None] % 2, ("age",), {"sex": ("f", "m")})
    if split == "test":
        return TEST
    return TRAIN
"""
TOML = """\
title = "G"
metric = "accuracy"
classes = ["a", "b"]
[data]
format = "custom"
size = 2
channels = 1
"""


def load(project: Path, train: str, test: str = "None", toml: str = TOML) -> Dataset:
    folder, files = project / "competitions" / "g", project / "data" / "g"
    folder.mkdir(parents=True)
    files.mkdir(parents=True)
    (files / "rows.csv").write_text("id,height\n" + "".join(f"{i},{i * i}\n" for i in range(6)))
    (folder / "competition.toml").write_text(toml)
    (folder / "competition.py").write_text(CODE.replace("TRAIN", train).replace("TEST", test))
    return load_dataset(find_competition(folder), project / "data")


def test_all_that_samples_may_hold_arrives(tmp_path: Path):
    soft = "np.where(np.arange(2) == labels[:, None], 3, 1)"
    found = load(
        tmp_path,
        f"Samples(ids, images, labels, soft={soft}, fold=labels, weight=ids + 1, columns=columns, groups=np.array(list('ppqq') + ['', '']))",
        "Samples(ids, images, labels, rows=np.array(['x', 'x', 'y', 'y']), columns=columns)",
    )
    train, test = found.train, found.test
    assert train.ids.tolist() == list("012345") and train.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert train.soft.dtype == np.float32 and train.soft[0].tolist() == [0.75, 0.25]
    assert train.fold.tolist() == [0, 1, 0, 1, 0, 1] and train.weight.tolist() == [1, 2, 3, 4, 5, 6]
    assert train.groups[0] == train.groups[1] and len(set(train.groups.tolist())) == 4
    assert train.columns.numbers.ravel().tolist() == [0, 0.5, 1, 1.5, 2, 2.5] and train.columns.names == ("age", "sex")
    assert (
        test.rows.tolist() == list("xxyy")
        and test.labels is None
        and test.columns.codes.ravel().tolist() == [0, 1, 0, 1]
    )


def test_numbers_of_groups_stay_what_they_are(tmp_path: Path):
    assert load(tmp_path, "Samples(ids, images, labels, groups=7 - ids // 2)").train.groups.tolist() == [
        7,
        7,
        6,
        6,
        5,
        5,
    ]


def test_columns_may_stand_in_a_table_by_id(tmp_path: Path):
    toml = TOML + 'features = ["height"]\nfeatures_from = "rows.csv"\n'
    found = load(tmp_path, "Samples(ids, images, labels)", "Samples(ids, images)", toml)
    assert found.train.columns.numbers.ravel().tolist() == [0, 1, 4, 9, 16, 25]
    assert found.test.columns.numbers.ravel().tolist() == [0, 1, 4, 9]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("None", r"load_samples\(..., 'train'\) gave None; without training images"),
        ("ids", r"gave ndarray; wanted"),
        ("Samples(ids[:0], images[:0], labels[:0])", "has no images"),
        ("Samples(ids, images, labels, fold=labels[:3])", r"load_samples\(..., 'train'\): 6 ids but 3 fold"),
        ("Samples(ids, images)", r"labels are not given; wanted int64 \(n,\)"),
        ("Samples(ids, images, labels[:, None])", r"labels are int64 \(6, 1\); wanted int64 \(n,\)"),
        ("Samples(ids, images, labels / 1)", r"labels are float64"),
        ("Samples(ids, images, labels + 1)", r"row 2: label 2 is no class \(0 to 1\)"),
        ("Samples(ids, images, labels, fold=labels - 1)", r"row 1, column 'fold': '-1' is no fold"),
        ("Samples(ids, images, labels, soft=np.ones((6, 3)))", r"soft is float64 \(6, 3\); wanted float32 \(n, 2\)"),
        ("Samples(ids, images, labels, soft=np.zeros((6, 2)))", r"row 1: soft \[0.0, 0.0\] are no votes"),
        (
            "Samples(ids, images, labels, soft=np.tile([2, 1], (6, 1)))",
            r"row 2: label 1 is not the class with the most",
        ),
        (
            "Samples(ids, images, labels, groups=np.zeros((6, 2)))",
            r"groups is float64 \(6, 2\); wanted a value for each row",
        ),
        ("Samples(ids, images, labels, truth=labels)", "truth is of data.format = 'captioned'"),
        ("Samples(np.array(['', *'bcdef']), images, labels)", "row 1: id '' is empty"),
        (
            "Samples(ids, images, labels, columns=Columns(np.zeros((6, 2)), np.zeros((6, 0), int), ('age',), {}))",
            r"columns.numbers are float64 \(6, 2\); wanted float32 \(n, 1\)",
        ),
        (
            "Samples(ids, images, labels, columns=Columns(np.zeros((6, 0)), ids[:, None], (), {'sex': ('f', 'm')}))",
            r"row 3: columns.codes: 2 is no value of 'sex' \(0 to 1\)",
        ),
    ],
)
def test_what_arrays_may_not_hold(tmp_path: Path, given: str, said: str):
    with pytest.raises(UserError, match=said):
        load(tmp_path, given)


def test_several_labels_a_row(tmp_path: Path):
    toml = TOML.replace('metric = "accuracy"', 'task = "multilabel"\nmetric = "samples_f1"')
    table = "np.stack([labels, 1 - labels], axis=1)"
    found = load(tmp_path / "right", f"Samples(ids, images, {table})", toml=toml).train.labels
    assert found.dtype == np.float32 and found[:2].tolist() == [[0, 1], [1, 0]]
    with pytest.raises(UserError, match=r"row 1: labels \[0.0, 2.0\] "):
        load(tmp_path / "wrong", f"Samples(ids, images, 2 * {table})", toml=toml)
    with pytest.raises(UserError, match=r"labels are int64 \(6,\); wanted float32 \(n, 2\)"):
        load(tmp_path / "flat", "Samples(ids, images, labels)", toml=toml)


def test_both_splits_need_the_same_columns(tmp_path: Path):
    with pytest.raises(UserError, match="columns are none, those of 'train' age, sex; both need the same"):
        load(tmp_path, "Samples(ids, images, labels, columns=columns)", "Samples(ids, images)")


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ('["height"]\nfeatures_from = "rows.csv"', "gives columns, and data.features in competition.toml names some"),
        ('["image.height"]', "data.features: 'image.height': .*load_samples gives arrays, which have one size"),
        ('["height"]', "data.format = 'custom' has no table of the rows"),
    ],
)
def test_columns_of_which_it_is_not_clear_where_they_are_from(tmp_path: Path, features: str, said: str):
    with pytest.raises(UserError, match=said):
        load(tmp_path, "Samples(ids, images, labels, columns=columns)", toml=f"{TOML}features = {features}\n")
