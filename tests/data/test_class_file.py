"""classes.txt, edited or behind the data: names never stand for other labels, and it is the file that is blamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.data.cache import Dataset
from harness.data.dataset import load_dataset

TOML = """\
title = "Pets"
metric = "accuracy"
[data]
format = "image_csv"
size = 4
channels = 1
labels = "train.csv"
optional = ["test"]
"""


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A competition whose classes are read from its table; the folder of its competition.toml."""
    folder, files = tmp_path / "competitions" / "pets", tmp_path / "data" / "pets"
    folder.mkdir(parents=True)
    (files / "train").mkdir(parents=True)
    (folder / "competition.toml").write_text(TOML)
    for i in range(4):
        Image.fromarray(np.full((4, 4), 60 * i, np.uint8)).save(files / "train" / f"{i}.png")
    write_labels(folder, "cat", "dog", "dog", "cat")
    return folder


def write_labels(folder: Path, *labels: str) -> None:
    rows = "".join(f"{i},{label}\n" for i, label in enumerate(labels))
    (folder.parent.parent / "data" / "pets" / "train.csv").write_text(f"id,label\n{rows}")


def load(folder: Path) -> tuple[Dataset, list[str]]:
    """The data, and what is said of them."""
    said: list[str] = []
    return load_dataset(find_competition(folder), folder.parent.parent / "data", say=said.append), said


def named(dataset: Dataset) -> list[str]:
    """The label of each row by its name."""
    return [dataset.competition.classes[k] for k in dataset.train.labels]


def test_the_order_of_an_edited_file_counts(pets: Path):
    first, _ = load(pets)
    assert load(pets)[0].cache == first.cache and (pets / "classes.txt").read_text() == "cat\ndog\n"
    (pets / "classes.txt").write_text("dog\ncat\n")
    turned, _ = load(pets)
    assert turned.competition.classes == turned.classes == ("dog", "cat")
    assert named(turned) == named(first) == ["cat", "dog", "dog", "cat"]
    (pets / "classes.txt").write_text("cat\ndog\n")
    assert load(pets)[0].cache == first.cache


def test_a_deleted_file_is_read_anew_from_the_data_and_not_from_an_edited_one(pets: Path):
    (pets / "classes.txt").write_text("dog\ncat\n")
    load(pets)
    (pets / "classes.txt").unlink()
    assert load(pets)[0].competition.classes == ("cat", "dog")


def test_a_class_that_no_row_has_any_more_is_said(pets: Path):
    write_labels(pets, "cet", "dog", "dog", "cat")
    load(pets)
    write_labels(pets, "cat", "dog", "dog", "cat")
    dataset, said = load(pets)
    assert named(dataset) == ["cat", "dog", "dog", "cat"]
    assert any("classes.txt: no training row is of 'cet'; take out" in line for line in said)


def test_of_a_new_class_it_is_said_which_file_to_mend(pets: Path):
    load(pets)
    write_labels(pets, "cat", "dog", "dog", "fox")
    with pytest.raises(UserError, match=r"row 4: label 'fox' is no class.*or .*pets/classes.txt \(delete it") as error:
        load(pets)
    assert "competition.toml" not in str(error.value)
    (pets / "classes.txt").unlink()
    assert load(pets)[0].classes == ("cat", "dog", "fox")
