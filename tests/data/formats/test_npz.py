"""Arrays in .npz: read as they are, and nothing believed that a file says about itself."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.data.dataset import Dataset, load_dataset

TOML = """\
title = "Cells"
metric = "accuracy"
classes = ["a", "b", "c"]

[data]
format = "npz"
size = [6, 5]
channels = 3
train = "train.npz"
label = "labels"
test = "test.npz"
optional = ["test.npz"]
"""


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 6, 5, 3), dtype=np.uint8)


@pytest.fixture
def project(tmp_path: Path, images: np.ndarray) -> Path:
    (tmp_path / "competitions" / "cells").mkdir(parents=True)
    (tmp_path / "competitions" / "cells" / "competition.toml").write_text(TOML)
    (tmp_path / "data" / "cells").mkdir(parents=True)
    save(tmp_path, images=images, labels=(np.arange(9) % 3).astype(np.uint8)[:, None])
    return tmp_path


def save(project: Path, **arrays: np.ndarray) -> None:
    np.savez_compressed(project / "data" / "cells" / "train.npz", **arrays)


def load(project: Path) -> Dataset:
    return load_dataset(find_competition(project / "competitions" / "cells"), project / "data")


def test_images_labels_and_ids_are_those_of_the_file(project: Path, images: np.ndarray):
    dataset = load(project)
    np.testing.assert_array_equal(dataset.train.images, images)
    assert dataset.train.labels.tolist() == [0, 1, 2] * 3 and dataset.train.labels.dtype == np.int64
    assert dataset.train.ids.tolist() == [str(i) for i in range(9)]
    assert dataset.test is None  # optional, and not there


def test_the_test_file_is_read_where_there_is_one(project: Path, images: np.ndarray):
    np.savez(project / "data" / "cells" / "test.npz", images=images[:4])
    dataset = load(project)
    np.testing.assert_array_equal(dataset.test.images, images[:4])
    assert dataset.test.ids.tolist() == list("0123") and dataset.test.labels is None


def test_bzip2_and_stored_members_are_the_same_to_us(project: Path, images: np.ndarray):
    before = load(project).fingerprint
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_STORED):
        with zipfile.ZipFile(project / "data" / "cells" / "train.npz", "w", method) as archive:
            for name, array in (("images", images), ("labels", (np.arange(9) % 3)[:, None])):
                buffer = io.BytesIO()
                np.save(buffer, array)
                archive.writestr(f"{name}.npy", buffer.getvalue())
        assert load(project).fingerprint == before


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"labels": np.zeros(9, int)}, "no array 'images'"),
        ({"images": np.zeros((9, 6, 5, 3)), "labels": np.zeros(9, int)}, "is float64 (9, 6, 5, 3), wanted uint8"),
        ({"images": np.zeros((9, 5, 6, 3), np.uint8), "labels": np.zeros(9, int)}, "wanted uint8 (n, 6, 5, 3)"),
        ({"images": np.zeros((9, 6, 5, 3), np.uint8), "labels": np.zeros(9)}, "wanted integers (n,) or (n, 1)"),
        ({"images": np.zeros((9, 6, 5, 3), np.uint8), "labels": np.array(["a", "bb"] * 4 + ["c"])}, "row 1 (from 0): label 'bb' is no class"),
        ({"images": np.zeros((9, 6, 5, 3), np.uint8), "labels": np.array([b"\xff"] * 9)}, "holds text that cannot be read"),
        ({"images": np.zeros((9, 6, 5, 3), np.uint8), "labels": np.array([0, 1, 2, 3] * 2 + [0])}, "row 3 (from 0): label 3 is no class"),
        ({"images": np.zeros((9, 6, 5, 3), np.uint8), "labels": np.zeros(8, int)}, "9 images ('images') but 8 labels ('labels')"),
        ({"images": np.zeros((9, 6, 5, 3), np.uint8), "labels": np.array(["a"] * 9, object)}, "pickled Python objects"),
    ],
)  # fmt: skip
def test_wrong_arrays_are_named(project: Path, arrays: dict[str, np.ndarray], said: str):
    save(project, **arrays)
    with pytest.raises(UserError, match=re.escape(said)):
        load(project)


@pytest.mark.parametrize("kind", [str, bytes])
@pytest.mark.parametrize("told", [True, False])
def test_labels_may_be_text(project: Path, images: np.ndarray, kind: type, told: bool):
    toml = project / "competitions" / "cells" / "competition.toml"
    if not told:
        toml.write_text(TOML.replace('classes = ["a", "b", "c"]\n', ""))
    save(project, images=images, labels=np.array([*"cab"] * 3).astype(kind)[:, None])
    dataset = load(project)
    assert dataset.train.labels.tolist() == [2, 0, 1] * 3 and dataset.competition.classes == ("a", "b", "c")


def test_text_that_is_to_be_numbers_is_refused(project: Path, images: np.ndarray):
    toml = project / "competitions" / "cells" / "competition.toml"
    toml.write_text(TOML.replace('metric = "accuracy"', 'task = "multilabel"\nmetric = "samples_f1"'))
    save(project, images=images, labels=np.array([*"cab"] * 3))
    with pytest.raises(UserError, match="holds text, and the task wants numbers"):
        load(project)


def test_a_header_that_lies_about_the_size_is_refused_before_memory_is_taken(project: Path, images: np.ndarray):
    buffer = io.BytesIO()
    np.save(buffer, images)
    lied = buffer.getvalue().replace(b"(9, 6, 5, 3)", b"(9999999, 6, 5, 3)")
    header_length = struct.unpack("<H", buffer.getvalue()[8:10])[0]
    lied = lied[:8] + struct.pack("<H", header_length + 6) + lied[10:]
    with zipfile.ZipFile(project / "data" / "cells" / "train.npz", "w") as archive:
        archive.writestr("images.npy", lied)
    with pytest.raises(UserError, match="are there. The file is damaged or made to mislead"):
        load(project)


def test_a_truncated_file_is_told(project: Path):
    path = project / "data" / "cells" / "train.npz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match="truncated or corrupt"):
        load(project)


def test_columns_first_are_refused(project: Path, images: np.ndarray):
    save(project, images=np.asfortranarray(images), labels=np.zeros(9, int))
    with pytest.raises(UserError, match="numpy.ascontiguousarray"):
        load(project)
