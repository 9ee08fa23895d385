"""What is said where the data are not: what lies near by, and how it was meant."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.data.dataset import find_files


def told(shapes: Path, root: Path) -> str:
    with pytest.raises(UserError) as error:
        find_files(find_competition(shapes / "competitions" / "shapes"), root / "shapes")
    return str(error.value)


def test_a_second_download_is_named_with_what_it_must_be_called(shapes: Path, tmp_path: Path):
    (tmp_path / "new" / "shapes").mkdir(parents=True)
    (tmp_path / "new" / "shapes" / "shapes (1).zip").write_bytes(b"")
    said = told(shapes, tmp_path / "new")
    assert "There is 'shapes (1).zip': rename it to shapes.zip" in said


def test_data_that_name_the_competitions_own_folder_are_told_the_folder_above(shapes: Path):
    root = shapes / "data" / "shapes"
    assert f"name the folder above by --data {root.parent}" in told(shapes, root)
    assert find_files(find_competition(shapes / "competitions" / "shapes"), root.parent / "shapes")  # the cure


def test_files_in_a_folder_of_another_name_are_told_where_to_go(shapes: Path, tmp_path: Path):
    root = tmp_path / "flat"
    shutil.copytree(shapes / "data" / "shapes", root)
    assert f"{root / 'train'} is there: move it into {root / 'shapes'}" in told(shapes, root)


def test_a_folder_too_deep_is_found(shapes: Path, tmp_path: Path):
    shutil.copytree(shapes / "data" / "shapes", tmp_path / "new" / "shapes" / "unpacked")
    assert "There is 'unpacked/train': move what is in" in told(shapes, tmp_path / "new")


def test_another_case_is_found(shapes: Path, tmp_path: Path):
    shutil.copytree(shapes / "data" / "shapes", tmp_path / "new" / "shapes")
    (tmp_path / "new" / "shapes" / "train").rename(tmp_path / "new" / "shapes" / "Train")
    assert 'write data.train = "Train" in competition.toml' in told(shapes, tmp_path / "new")


def test_data_that_name_a_file(shapes: Path, tmp_path: Path):
    (tmp_path / "shapes.zip").write_bytes(b"")
    assert "is a file: put it into a folder of the name shapes" in told(shapes, tmp_path / "shapes.zip")


def test_an_empty_place_offers_the_download_only(shapes: Path, tmp_path: Path):
    assert "There is" not in told(shapes, tmp_path / "new") and "is there:" not in told(shapes, tmp_path / "new")


def test_one_of_several_downloads_that_is_missing_is_named(shapes: Path, tmp_path: Path):
    root = tmp_path / "parts" / "shapes"
    root.mkdir(parents=True)
    (root / "test.zip").write_bytes(b"")
    (root / "trainLabels.csv").write_text("id,label\n")
    said = told(shapes, root.parent)
    assert "but not train or train.zip (data.train): put it beside" in said and "rename it" not in said
