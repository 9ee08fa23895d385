"""Folders of .npy files: read as they are, linked and not copied, and nothing believed that does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.data.dataset import Dataset, load_dataset

TOML = """\
title = "Cells"
metric = "accuracy"

[data]
format = "arrays"
size = [6, 5]
channels = 1
optional = ["test"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "competitions" / "cells").mkdir(parents=True)
    (tmp_path / "competitions" / "cells" / "competition.toml").write_text(TOML)
    (tmp_path / "data" / "cells" / "train").mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (9, 6, 5, 1), dtype=np.uint8)
    save(tmp_path, images=images, labels=np.arange(9) % 3)
    return tmp_path


def save(project: Path, split: str = "train", **arrays: np.ndarray) -> None:
    for name, array in arrays.items():
        np.save(project / "data" / "cells" / split / f"{name}.npy", array)


def load(project: Path) -> Dataset:
    return load_dataset(find_competition(project / "competitions" / "cells"), project / "data")


def test_rows_are_those_of_the_files(project: Path):
    save(
        project,
        ids=np.array([f"r{i}" for i in range(9)]),
        groups=np.arange(9) // 3,
        weight=np.ones(9),
        fold=np.arange(9) % 2,
    )
    dataset = load(project)
    images = project / "data" / "cells" / "train" / "images.npy"
    np.testing.assert_array_equal(dataset.train.images, np.load(images))
    assert dataset.train.labels.tolist() == [0, 1, 2] * 3 and dataset.classes == ("0", "1", "2")
    assert dataset.train.ids[0] == "r0" and dataset.train.groups.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert dataset.train.fold.tolist() == [0, 1] * 4 + [0] and dataset.train.weight.tolist() == [1.0] * 9
    assert dataset.test is None
    assert images.stat().st_nlink == 2  # in the cache the same file


def test_a_test_without_channels_is_taken(project: Path):
    (project / "data" / "cells" / "test").mkdir()
    save(project, "test", images=np.zeros((2, 6, 5), np.uint8))
    dataset = load(project)
    assert (
        dataset.test is not None
        and dataset.test.images.shape == (2, 6, 5, 1)
        and dataset.test.ids.tolist() == ["0", "1"]
    )


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (
            {"images": np.zeros((9, 6, 6, 1), np.uint8)},
            r"images.npy: is uint8 \(9, 6, 6, 1\), wanted uint8 \(n, 6, 5, 1\)",
        ),
        ({"images": np.zeros((9, 6, 5, 1))}, "is float64"),
        ({"labels": np.arange(8)}, r"9 images but \(8,\)"),
        ({"labels": np.array([0, 1, -1] * 3)}, "labels.npy"),
        ({"labels": np.array(["a"] * 9)}, "labels.npy: is <U1"),
        ({"labels": np.array([{}] * 9, dtype=object)}, "labels.npy: no array that numpy could have written"),
        ({"ids": np.array(["a"] * 9)}, "ids.npy"),
        ({"weight": -np.ones(9)}, r"weight.npy: row 0 \(from 0\).*is no weight"),
        ({"fold": np.array([0.5] * 9)}, "is no fold"),
    ],
)
def test_what_does_not_fit_is_named(project: Path, arrays: dict[str, np.ndarray], said: str):
    save(project, **arrays)
    with pytest.raises(UserError, match=f"(?s){said}"):
        load(project)


def test_a_missing_array_is_named(project: Path):
    (project / "data" / "cells" / "train" / "labels.npy").unlink()
    with pytest.raises(UserError, match="labels.npy: not there"):
        load(project)
