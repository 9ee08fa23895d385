"""Which arrays of an .npz are the images, the labels and the test's, by their names and shapes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.data.files.archives import FileTree
from harness.data.guess.guess import guess
from harness.data.guess.inventory import take_stock
from harness.data.guess.layout import Layout

X, Y = np.zeros((6, 8, 8), np.uint8), np.array([0, 1] * 3)


def guessed(folder: Path) -> Layout:
    return guess(take_stock(FileTree(folder)))[0]


def saved(folder: Path, /, **arrays: np.ndarray) -> Layout:
    np.savez(folder / "all.npz", **arrays)
    return guessed(folder)


def chosen(layout: Layout) -> tuple[object, ...]:
    return tuple(layout.values.get(key) for key in ("images", "label", "test_images"))


@pytest.mark.parametrize(
    ("images", "size", "channels"),
    [
        (np.zeros((40, 8, 8, 3), np.float32), [8, 8], 3),
        (np.zeros((40, 3, 8, 8), np.uint8), [8, 8], 3),
        (np.ones((40, 12, 12)), [12, 12], 1),
    ],
)
def test_images_that_are_no_plain_bytes_are_read_as_arrays(
    tmp_path: Path, images: np.ndarray, size: list[int], channels: int
):
    layout = saved(tmp_path, x_train=images, y_train=np.arange(40) % 4, x_test=images[:6])
    assert [layout.values[key] for key in ("format", "train", "labels", "test")] == [
        "arrays",
        "all/x_train.npy",
        "all/y_train.npy",
        "all/x_test.npy",
    ]
    assert (layout.values["size"], layout.values["channels"]) == (size, channels)


def test_what_is_kept_for_validation_is_trained_on_too(tmp_path: Path):
    sets = {"train": 9, "val": 4, "test": 5}
    images = {f"{name}_images": np.zeros((n, 8, 8), np.uint8) for name, n in sets.items()}
    labels = {f"{name}_labels": np.arange(n)[:, None] % 2 for name, n in sets.items()}
    layout = saved(tmp_path, **images, **labels)
    assert [layout.values[key] for key in ("train", "labels", "merge", "merge_labels", "test")] == [
        "all/train_images.npy",
        "all/train_labels.npy",
        ["all/val_images.npy"],
        ["all/val_labels.npy"],
        "all/test_images.npy",
    ]


def test_the_labels_stay_where_there_is_nothing_to_merge(tmp_path: Path):
    arrays = {"train_images": X, "train_fold": Y, "train_kind": Y, "test_images": X[:3]}
    assert (
        chosen(saved(tmp_path, **arrays, val_images=X[:2]))[1] == chosen(saved(tmp_path, **arrays))[1] == "train_kind"
    )


def test_the_labels_of_a_test_of_equal_size_are_not_the_trainings(tmp_path: Path):
    layout = saved(tmp_path, x_test=X, y_test=Y, x_train=X, y_train=Y)
    assert chosen(layout) == ("x_train", "y_train", "x_test") and not layout.unknown


def test_test_arrays_come_first_and_the_others_have_no_word_for_training(tmp_path: Path):
    assert chosen(saved(tmp_path, test_images=X, test_labels=Y, images=X, labels=Y)) == (
        "images",
        "labels",
        "test_images",
    )


def test_ids_and_folds_are_no_labels(tmp_path: Path):
    layout = saved(tmp_path, images=X, ids=np.arange(6), folds=Y, labels=Y)
    assert chosen(layout)[1] == "labels" and not layout.unknown


@pytest.mark.parametrize("names", [("kind", "sort"), ("labels_fine", "labels_coarse"), ("ids",)])
def test_arrays_that_may_be_the_labels_alike_are_told(tmp_path: Path, names: tuple[str, ...]):
    layout = saved(tmp_path, images=X, **dict.fromkeys(names, Y))
    assert chosen(layout)[1] == names[0]
    assert any("which array holds the labels" in line and names[-1] in line for line in layout.unknown)


def test_a_number_and_a_foreign_file_among_the_arrays_are_left_aside(tmp_path: Path):
    np.savez(tmp_path / "all.npz", images=X, version=np.array(3), labels=Y, about=np.array([{}], dtype=object))
    with zipfile.ZipFile(tmp_path / "all.npz", "a") as archive:
        archive.writestr("README.txt", "about the data")
    assert chosen(guessed(tmp_path)) == ("images", "labels", None)


def test_labels_of_the_test_alone_are_no_labels(tmp_path: Path):
    with pytest.raises(UserError, match="x_train.npy: 6 images, and their labels were not found"):
        saved(tmp_path, x_train=X, x_test=X, y_test=Y)
