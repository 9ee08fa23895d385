"""Rows of a table whose cells hold an image: of training and test in one table, and rows without a number, which are left out."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import numpy as np
import pytest

from harness.competition import find_competition
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
