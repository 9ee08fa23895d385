"""All images of a split in one array, described by a table or another array."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition import Competition
from harness.data.dataset import Dataset, load_dataset

X = np.random.default_rng(0).integers(0, 256, (9, 6, 5, 3), dtype=np.uint8)
KINDS = [f"k{n % 3}" for n in range(9)]


def opened(folder: Path, sample: bool = False, task: str = "single", **keys: Any) -> Dataset:
    data = {"format": "arrays", "size": [6, 5], "train": "X.npy", "labels": "y.npy", "optional": ["test"], **keys}
    submission = {"sample": "sample_submission.csv"} if sample else {}
    about = {"slug": "cells", "folder": folder / "competition", "title": "Cells", "metric": "roc_auc", "task": task}
    (folder / "competition").mkdir(exist_ok=True)
    competition = Competition.model_validate({**about, "data": data, "submission": submission})
    return load_dataset(competition, folder)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "cells"
    folder.mkdir()
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", np.array(KINDS))
    return folder


def test_rows_are_those_of_both_arrays(data: Path):
    dataset = opened(data.parent)
    np.testing.assert_array_equal(dataset.train.images, X)
    assert dataset.train.ids.tolist() == list(map(str, range(9))) and dataset.classes == ("k0", "k1", "k2")
    assert dataset.train.labels is not None and dataset.train.labels.tolist() == [0, 1, 2] * 3


@pytest.mark.parametrize(
    "stored",
    [
        X.transpose(0, 3, 1, 2).copy(),
        X.reshape(9, -1),
        (X / 255).astype(np.float32),
        X.astype(">i4"),
        X.astype(np.float64) / 255,
    ],
)
def test_however_they_are_stored_the_pixels_are_the_same(data: Path, stored: np.ndarray):
    np.save(data / "X.npy", stored)
    bounds = {} if stored.dtype == np.uint8 else {"range": [0, 1 if stored.dtype.kind == "f" else 255]}
    np.testing.assert_array_equal(opened(data.parent, **bounds).train.images, X)


def test_planes_of_colour_are_told_from_pixels(data: Path):
    smooth = np.cumsum(np.random.default_rng(0).integers(0, 9, (9, 6, 5, 3)), axis=1).astype(np.uint8)
    smooth += np.array([0, 80, 160], np.uint8)
    for flat in (smooth.reshape(9, -1), smooth.transpose(0, 3, 1, 2).reshape(9, -1)):
        np.save(data / "X.npy", flat)
        dataset = opened(data.parent)
        np.testing.assert_array_equal(dataset.train.images, smooth)
        assert any("planes of colour" in note for note in dataset.notes) == (flat is not None and flat[0, 1] < 80)


def test_a_table_gives_ids_groups_folds_weights_and_chooses_rows(data: Path):
    lines = [f"i{n},{KINDS[n]},p{n // 2},{n % 2},{n},{'no' if n == 4 else 'yes'}" for n in range(9)]
    (data / "train.csv").write_text("\n".join(["name,kind,patient,fold,weight,good", *lines]))
    keys = {"group_by": "patient", "fold": "fold", "weight": "weight", "where": {"good": "yes"}}
    train = opened(data.parent, labels="train.csv", label="kind", id="name", **keys).train
    kept = [n for n in range(9) if n != 4]
    assert train.ids.tolist() == [f"i{n}" for n in kept]
    np.testing.assert_array_equal(train.images, X[kept])
    assert train.groups.tolist() == [0, 0, 1, 1, 2, 3, 3, 4]
    assert train.fold is not None and train.fold.tolist() == [n % 2 for n in kept]
    assert train.weight is not None and train.weight.argmax() == 7


def test_both_splits_may_lie_in_one_array_with_columns_beside(data: Path):
    lines = [f"i{n},{KINDS[n]},{'train' if n < 6 else 'test'},{n / 2}" for n in range(9)]
    (data / "all.csv").write_text("\n".join(["name,kind,split,age", *lines]))
    keys = {"where": {"split": "train"}, "test_where": {"split": "test"}, "test": "X.npy", "features": ["age"]}
    dataset = opened(data.parent, labels="all.csv", label="kind", id="name", **keys)
    assert dataset.test is not None and dataset.test.ids.tolist() == ["i6", "i7", "i8"]
    np.testing.assert_array_equal(dataset.test.images, X[6:])
    assert dataset.train.columns is not None and dataset.test.columns is not None
    assert dataset.train.columns.numbers[:, 0].tolist() == [n / 2 for n in range(6)]
    assert dataset.test.columns.numbers[:, 0].tolist() == [3, 3.5, 4]


@pytest.mark.parametrize("ids", [["1", "2"], ["z", "a"], ["0", "1"], ["9", "7"]])
def test_the_rows_of_a_test_without_a_table_are_the_sample_submissions(data: Path, ids: list[str]):
    np.save(data / "T.npy", X[:2])
    (data / "sample_submission.csv").write_text("id,label\n" + "".join(f"{i},k0\n" for i in ids))
    test = opened(data.parent, sample=True, test="T.npy").test
    assert test is not None and test.ids.tolist() == ids


def test_ids_that_count_the_rows_in_another_order_are_refused(data: Path):
    order = [0, 1, 8, 2, 3, 4, 5, 6, 7]
    (data / "train.csv").write_text("id,kind\n" + "".join(f"{n},{KINDS[n]}\n" for n in order))
    with pytest.raises(
        UserError, match=r"train.csv: column 'id' counts the rows, but not in their order \('0', '1', ...\)"
    ):
        opened(data.parent, labels="train.csv", label="kind", id="id")
    np.save(data / "T.npy", X[:3])
    (data / "sample_submission.csv").write_text("id,label\n1,k0\n3,k0\n2,k0\n")
    with pytest.raises(
        UserError, match=r"sample_submission.csv: its id column counts the rows, but not in their order"
    ):
        opened(data.parent, sample=True, test="T.npy")


def test_several_numbers_a_row_are_labels(data: Path):
    np.save(data / "y.npy", np.array([[n % 2, n % 3 == 0] for n in range(9)]).astype(int))
    train = opened(data.parent, task="multilabel", label=["0", "1"]).train
    assert train.labels is not None and train.labels.tolist() == [[n % 2, n % 3 == 0] for n in range(9)]


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_mnists_own_files_and_arrays_of_an_npz(data: Path):
    (data / "train-images-idx3-ubyte").write_bytes(idx(X[..., 0].copy()))
    (data / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(9, dtype=np.uint8)))
    np.savez_compressed(data / "test.npz", X=X[:4, ..., 0])
    names = {"train": "train-images-idx3-ubyte", "labels": "train-labels-idx1-ubyte", "test": "test/X.npy"}
    dataset = opened(data.parent, channels=1, **names)
    np.testing.assert_array_equal(dataset.train.images[..., 0], X[..., 0])
    assert dataset.test is not None and dataset.test.ids.tolist() == ["0", "1", "2", "3"]
    np.testing.assert_array_equal(dataset.test.images[..., 0], X[:4, ..., 0])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("y.npy", np.arange(8), r"X.npy: 9 images but 8 rows in .*y.npy"),
        ("X.npy", X.astype(np.float32), r"X.npy: row 0 \(from 0\): float32 values .* data.range = \[LOW, HIGH\]"),
        ("X.npy", X[..., :2], r"X.npy: row 0 \(from 0\): is \(6, 5, 2\), wanted .* 3 channels"),
        ("X.npy", np.array([None] * 9), r"X.npy: holds pickled Python objects"),
        ("y.npy", np.array(["a", "b", ""] * 3), r"y.npy: row 3, column 'label'.* is empty"),
    ],
)
def test_what_does_not_fit_is_told(data: Path, name: str, content: np.ndarray, said: str):
    np.save(data / name, content, allow_pickle=True)
    with pytest.raises(UserError, match=said):
        opened(data.parent)


def test_an_array_that_is_cut_off_is_told(data: Path):
    (data / "X.npy").write_bytes((data / "X.npy").read_bytes()[:-1])
    with pytest.raises(UserError, match=r"X.npy: its header says uint8 \(9, 6, 5, 3\), 810 bytes, but 809 are there"):
        opened(data.parent)
    (data / "X.npy").write_bytes(b"rubbish")
    with pytest.raises(UserError, match=r"X.npy: no array that numpy could have written"):
        opened(data.parent)
    (data / "train-idx3-ubyte").write_bytes(b"\0\0\x08\x03\0\0")
    with pytest.raises(UserError, match=r"train-idx3-ubyte: is no array in the format IDX"):
        opened(data.parent, train="train-idx3-ubyte")


def test_folders_of_arrays_read_no_table(tmp_path: Path):
    with pytest.raises(UserError, match="data.group_by: of arrays it is read where data.train is one array") as raised:
        from harness.competition.schema import validate

        values = {"format": "arrays", "size": 8, "group_by": "patient"}
        about = {"slug": "cells", "folder": tmp_path, "title": "Cells", "metric": "accuracy", "data": values}
        validate(Competition, about, "competition.toml")
    assert "beside images.npy in a folder groups.npy says it" in str(raised.value)


def test_what_is_merged_lies_behind(data: Path):
    for name, part in (
        ("X.npy", X[:5]),
        ("X_val.npy", X[5:]),
        ("y.npy", np.array(KINDS[:5])),
        ("y_val.npy", np.array(KINDS[5:])),
    ):
        np.save(data / name, part)
    merged = {"merge": ["X_val.npy"], "merge_labels": ["y_val.npy"]}
    dataset = opened(data.parent, **merged)
    np.testing.assert_array_equal(dataset.train.images, X)
    assert dataset.train.ids.tolist() == list(map(str, range(9)))
    assert dataset.train.labels is not None and dataset.train.labels.tolist() == [0, 1, 2] * 3
    np.save(data / "y_val.npy", np.array(KINDS[5:])[::-1].copy())  # a file that changes is read anew
    labels = opened(data.parent, **merged).train.labels
    assert labels is not None and labels.tolist() == [0, 1, 2, 0, 1, 2, 1, 0, 2]
    (data / "X_val.npy").unlink()
    dataset = opened(data.parent, **merged, optional=["test", "X_val.npy"])
    assert len(dataset.train) == 5 and "X_val.npy (data.merge) is not there; it is optional" in " ".join(dataset.notes)


def test_ids_groups_and_weights_of_merged_rows_are_their_own(data: Path):
    (data / "y.csv").write_text("id,kind,cam,w\n" + "".join(f"a{n},{KINDS[n]},c{n // 3},1\n" for n in range(9)))
    (data / "v.csv").write_text("kind,w,extra,id,cam\n" + "".join(f"{KINDS[n]},3,x,b{n},c2\n" for n in range(3)))
    np.save(data / "X_val.npy", X[::-3].copy())
    keys: dict[str, Any] = {"labels": "y.csv", "label": "kind", "id": "id", "group_by": "cam", "weight": "w"}
    merged = {"merge": ["X_val.npy"], "merge_labels": ["v.csv"]}
    train = opened(data.parent, **keys, **merged).train
    assert train.ids.tolist() == [*(f"a{n}" for n in range(9)), "b0", "b1", "b2"]
    assert train.groups is not None and len(set(train.groups[6:])) == 1 and len(set(train.groups)) == 3
    assert train.weight is not None and train.weight.tolist() == [1.0] * 9 + [3.0] * 3
    only = opened(data.parent, **keys, **merged, where={"cam": ["c2"]}).train
    assert only.ids.tolist() == ["a6", "a7", "a8", "b0", "b1", "b2"]
    np.testing.assert_array_equal(only.images, np.concatenate([X[6:], X[::-3]]))


@pytest.mark.parametrize(
    ("images", "labels", "keys", "said"),
    [
        (X[:3, :5], KINDS[:3], {}, r"X_val.npy: its rows are uint8 \(5, 5, 3\), those of .*X.npy uint8 \(6, 5, 3\)"),
        (X[:3], KINDS[:2], {}, r"X_val.npy: 3 images but 2 rows in .*y_val.npy"),
        (X[:3], KINDS[:3], {"merge": ["X_val.npy", "X_2.npy"], "merge_labels": ["y_2.npy", "y_val.npy"]}, r"X_val.npy: 3 images but 2 rows in .*y_2.npy"),
        (X[:3], KINDS[:3], {"merge_labels": ["lost.npy"]}, r"lost.npy: not there. Download it, or correct data.merge_labels"),
    ],
)  # fmt: skip
def test_what_cannot_be_merged_is_said(data: Path, images: np.ndarray, labels: list[str], keys: Any, said: str):
    np.save(data / "X_val.npy", images)
    np.save(data / "y_val.npy", np.array(labels))
    np.save(data / "X_2.npy", X[:2])
    np.save(data / "y_2.npy", np.array(KINDS[:2]))
    with pytest.raises(UserError, match=said):
        opened(data.parent, **{"merge": ["X_val.npy"], "merge_labels": ["y_val.npy"], **keys})


def test_labels_are_named_for_all_that_is_merged(data: Path):
    with pytest.raises(ValueError, match="data.merge_labels: names 0, but data.merge names 1"):
        opened(data.parent, merge=["X_val.npy"])
    with pytest.raises(ValueError, match="data.merge_labels: format = 'npz' does not read it"):
        opened(data.parent, format="npz", merge_labels=["y_val.npy"])
    with pytest.raises(ValueError, match="data.merge: of arrays it is read where data.train is one array"):
        opened(data.parent, train="train", merge=["X_val.npy"], merge_labels=["y_val.npy"])
    for images, said in ((["X.npy"], "'X.npy' is trained on already"), (["T.npy"], "'T.npy' holds the test images")):
        with pytest.raises(ValueError, match=f"data.merge: {said}"):
            opened(data.parent, test="T.npy", merge=images, merge_labels=["y_val.npy"])


def test_rows_of_merged_arrays_are_numbered_through(data: Path):
    np.save(data / "X_val.npy", X[:2])
    np.save(data / "y_val.npy", np.array(KINDS[:2]))
    (data / "m.csv").write_text("id,cam\n" + "".join(f"{n},c{n}\n" for n in range(11)))
    merged: dict[str, Any] = {"merge": ["X_val.npy"], "merge_labels": ["y_val.npy"]}
    train = opened(data.parent, id="id", join={"file": "m.csv", "id": "id"}, group_by="cam", **merged).train
    assert train.ids.tolist() == list(map(str, range(11)))
    assert train.groups is not None and len(set(train.groups.tolist())) == 11


def test_ids_of_a_random_split_are_in_each_files_order(data: Path):
    (data / "y.csv").write_text(
        "id,kind\n" + "".join(f"{n},{kind}\n" for n, kind in zip((1, 2, 4, 5, 6, 7, 8, 9, 10), KINDS, strict=True))
    )
    (data / "v.csv").write_text("id,kind\n0,k0\n3,k1\n")
    np.save(data / "X_val.npy", X[:2])
    keys: dict[str, Any] = {
        "labels": "y.csv",
        "label": "kind",
        "id": "id",
        "merge": ["X_val.npy"],
        "merge_labels": ["v.csv"],
    }
    assert opened(data.parent, **keys).train.ids.tolist() == ["1", "2", "4", "5", "6", "7", "8", "9", "10", "0", "3"]
    (data / "v.csv").write_text("id,kind\n1,k0\n0,k1\n")
    with pytest.raises(UserError, match=r"v.csv: column 'id' counts the rows, but not in their order"):
        opened(data.parent, **keys)
