"""Rows of tables and sample submissions, and the files that they name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition.data_spec import DataSpec
from harness.data.files.archives import FileTree
from harness.data.formats.csv_pixels import read_csv_pixels
from harness.data.formats.table_pixels import read_table_pixels
from harness.data.rows.listing import list_by_table, list_test
from harness.data.rows.tables import read_table


def _pictures(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / name)


def _spec(**values: object) -> DataSpec:
    return DataSpec.model_validate({"format": "image_csv", "size": 8, "labels": "train.csv"} | values)


def test_rows_of_hidden_files_are_left_out_and_said(tmp_path: Path) -> None:
    _pictures(tmp_path, "train/a.png", "train/b.png")
    (tmp_path / "train.csv").write_text("id,label\na.png,x\n.DS_Store,\nb.png,y\n")
    found = list_by_table(FileTree(tmp_path), "train", _spec())
    assert found.ids == ["a.png", "b.png"] and found.targets is not None
    assert found.targets.columns == [["x", "y"]] and found.groups is None
    assert found.targets.place(1).endswith("train.csv: row 3, column 'label'")  # as the file counts them
    assert any(".DS_Store" in note and "left out" in note for note in found.notes)


def test_ids_may_be_names_and_paths_in_one_list(tmp_path: Path) -> None:
    _pictures(tmp_path, "train/x/img_1.png", "test_1/img_2.png", "test_2/image_1.png")
    asked = np.array(["img_2.png", "test_2/image_1.png"])
    found = list_test(FileTree(tmp_path), ".", _spec(), asked)
    assert found.ids == asked.tolist()
    assert found.files == [("test_1/img_2.png",), ("test_2/image_1.png",)]


def test_a_template_may_call_the_id_by_its_column_in_the_test_too(tmp_path: Path) -> None:
    _pictures(tmp_path, "test/k_red.png", "test/k_green.png")
    spec = _spec(id="Id", files=["{Id}_red.png", "{Id}_green.png"], channels=2)
    found = list_test(FileTree(tmp_path), "test", spec, np.array(["k"]))
    assert found.files == [("test/k_red.png", "test/k_green.png")]


def test_annotations_whose_images_have_an_image_id(tmp_path: Path) -> None:
    told = {
        "images": [{"image_id": "00__1", "file_name": "0/00__1.jpg"}],
        "annotations": [{"image_id": "00__1", "category_id": 3}],
        "categories": [{"category_id": 3, "name": "fir"}],
    }
    (tmp_path / "train.json").write_text(json.dumps(told))
    table = read_table(FileTree(tmp_path), "train.json", "data.labels")
    assert table.row(0) == {"image_id": "00__1", "file_name": "0/00__1.jpg", "category_id": "3", "category": "fir"}


def test_pixels_whose_id_only_the_test_has(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("label,p0,p1,p2,p3\ncat,1,2,3,4\ndog,5,6,7,8\n")
    (tmp_path / "test.csv").write_text("id,p0,p1,p2,p3\n9,1,2,3,4\n")
    values = {"format": "csv_pixels", "size": 2, "channels": 1, "train": "train.csv", "test": "test.csv", "id": "id"}
    spec, folders = DataSpec.model_validate(values), (tmp_path / "one", tmp_path / "two")
    for folder in folders:
        folder.mkdir()
    tree = FileTree(tmp_path)
    assert read_csv_pixels(tree, "train.csv", spec, True, folders[0]).ids is None
    assert read_csv_pixels(tree, "test.csv", spec, False, folders[1]).ids == ["9"]


def test_images_in_cells_whose_id_only_the_test_has(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("label,image\ncat,1 2 3 4\ndog,5 6 7 8\n")
    (tmp_path / "test.csv").write_text("ImageId,image\n9,1 2 3 4\n")
    values = {"format": "table_pixels", "size": 2, "channels": 1, "pixels": "image", "id": "ImageId"}
    spec = DataSpec.model_validate(values | {"train": "train.csv", "test": "test.csv"})
    folders = (tmp_path / "one", tmp_path / "two")
    for folder in folders:
        folder.mkdir()
    tree = FileTree(tmp_path)
    assert read_table_pixels(tree, "train.csv", spec, True, folders[0])[0].ids is None
    assert read_table_pixels(tree, "test.csv", spec, False, folders[1])[0].ids == ["9"]
    with pytest.raises(UserError, match="no column 'Id'"):
        read_table_pixels(tree, "train.csv", spec.model_copy(update={"id": "Id"}), True, folders[0])
