"""Rows of a table whose cells hold an image: of training and test in one table, and rows without a number, which are left out."""

from __future__ import annotations

import csv
import io
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition import Competition, find_competition
from harness.data.dataset import load_dataset

USAGE = ("Training", "PublicTest", "PrivateTest")


def write_faces(folder: Path, task: str) -> np.ndarray:
    """FER2013's table, of 60 images of 12 x 12 pixels: two of three rows for training; uint8 (60, 144) of them."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (60, 144), dtype=np.uint8)
    folder.mkdir(parents=True)
    with (folder / "faces.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["emotion", "size", "pixels", "Usage"])
        for row, values in enumerate(pixels):
            usage = USAGE[0 if row % 3 < 2 else 1 + row % 2]
            target = "" if task == "regression" and row % 5 == 0 else row % 4 + (0.25 if task == "regression" else 0)
            table.writerow([target, row / 2, " ".join(map(str, values)), usage])
    return pixels


@pytest.mark.parametrize("task", ["single", "regression"])
def test_one_table_for_training_and_test(task: str, tmp_path: Path, run_command, monkeypatch: pytest.MonkeyPatch):
    pixels = write_faces(tmp_path / "data" / "faces", task)
    done = run_command("harness.data", "init", "data/faces", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "competitions" / "faces" / "competition.toml"
    data = tomllib.loads(path.read_text())["data"]
    empty = {"emotion": ["?*"]} if task == "regression" else {}
    assert {name: values if isinstance(values, list) else [values] for name, values in data["where"].items()} == {
        "Usage": ["Training"],
        **empty,
    }
    assert data["test"] == "faces.csv" and data["test_where"] == {"Usage": ["PublicTest", "PrivateTest"]}
    monkeypatch.chdir(tmp_path)
    path.write_text(path.read_text().replace("[submission]", 'features = ["size"]\n[submission]'))
    dataset = load_dataset(find_competition("faces"), tmp_path / "data")
    rows = np.arange(60)
    train = rows[(rows % 3 < 2) & ((rows % 5 > 0) if empty else True)]
    np.testing.assert_array_equal(dataset.train.images, pixels[train].reshape(-1, 12, 12, 1))
    assert dataset.test is not None and dataset.train.labels is not None
    np.testing.assert_array_equal(dataset.test.images, pixels[rows % 3 == 2].reshape(-1, 12, 12, 1))
    np.testing.assert_array_equal(dataset.train.labels.ravel(), train % 4 + (0.25 if empty else 0))
    for samples, of in ((dataset.train, train), (dataset.test, rows[rows % 3 == 2])):
        assert samples.columns is not None
        np.testing.assert_array_equal(samples.columns.numbers.ravel(), (of / 2).astype(np.float32))


def test_empty_cells_are_named_with_the_way_to_leave_them_out(tmp_path: Path, run_command):
    write_faces(tmp_path / "data" / "faces", "regression")
    run_command("harness.data", "init", "data/faces", cwd=tmp_path)
    path = tmp_path / "competitions" / "faces" / "competition.toml"
    kept = [line for line in path.read_text().splitlines() if not line.startswith("where")]
    path.write_text("\n".join(kept))
    done = run_command("harness.data", "faces", cwd=tmp_path)
    assert done.returncode == 2
    assert 'data.where = {"emotion" = "?*"} leaves such rows out' in done.stderr
    assert "row 1, column 'emotion': '' is no number" in done.stderr


def embedded(folder: Path, broken: tuple[int, ...], **keys: object) -> Competition:
    """Two parts of six images, a test of two; those rows' bytes are no image."""
    data = folder / "data" / "cells"
    data.mkdir(parents=True, exist_ok=True)
    for part, first, n in (("train-00000-of-00002", 0, 6), ("train-00001-of-00002", 6, 6), ("test", 12, 2)):
        cells = []
        for row in range(first, first + n):
            Image.fromarray(np.full((8, 8, 3), 18 * row, np.uint8)).save(buffer := io.BytesIO(), "PNG")
            cells.append(buffer.getvalue()[: 40 if row in broken else None])
        known = {
            "id": [f"i{row}" for row in range(first, first + n)],
            "label": [row % 2 for row in range(first, first + n)],
        }
        pd.DataFrame({"image": cells, "age": [float(row) for row in range(first, first + n)], **known}).to_parquet(
            data / f"{part}.parquet"
        )
    spec = {
        "format": "table_pixels",
        "size": 8,
        "train": "train-*.parquet",
        "test": "test.parquet",
        "pixels": "image",
        "id": "id",
    }
    (folder / "competition").mkdir(exist_ok=True)
    about = {"slug": "cells", "folder": folder / "competition", "title": "Cells", "metric": "accuracy"}
    return Competition.model_validate({**about, "data": spec | keys})


def test_an_image_that_cannot_be_decoded_is_told_with_its_part_and_left_out_when_asked(tmp_path: Path):
    competition = embedded(tmp_path, (7, 9, 13), features=["age"])
    with pytest.raises(
        UserError, match=r"3 images cannot be decoded: .*train-00001-of-00002.parquet: row 2, column 'image'"
    ):
        load_dataset(competition, tmp_path / "data")
    dataset = load_dataset(competition, tmp_path / "data", skip_broken=True)
    kept = [row for row in range(12) if row not in (7, 9)]
    assert dataset.train.ids.tolist() == [f"i{row}" for row in kept]
    assert dataset.train.images[:, 0, 0, 0].tolist() == [18 * row for row in kept]
    assert dataset.train.labels is not None and dataset.train.labels.tolist() == [row % 2 for row in kept]
    assert dataset.train.columns is not None and dataset.train.columns.numbers[:, 0].tolist() == kept
    assert dataset.test is not None and dataset.test.images[:, 0, 0, 0].tolist() == [216, 0]


def test_where_none_can_be_decoded_it_is_said(tmp_path: Path):
    with pytest.raises(UserError, match=r"train-00000-of-00002.parquet: row 1, column 'image': cannot be decoded"):
        load_dataset(embedded(tmp_path, tuple(range(14))), tmp_path / "data")


def test_rows_of_images_are_chosen_by_the_tables_columns(tmp_path: Path):
    dataset = load_dataset(embedded(tmp_path, (), where={"id": ["i1*", "i7"]}), tmp_path / "data")
    assert dataset.train.ids.tolist() == ["i1", "i7", "i10", "i11"]
    assert dataset.train.images[:, 0, 0, 0].tolist() == [18, 126, 180, 198]
