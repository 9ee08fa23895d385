"""Which files make which rows: by folders, names, tables and templates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition.data_spec import DataSpec
from harness.data.files.archives import FileTree
from harness.data.rows.listing import list_by_folder, list_by_table, list_test


def spec(**values: object) -> DataSpec:
    return DataSpec.model_validate({"format": "image_csv", "size": 8, "labels": "train.csv", **values})


def files(folder: Path, *names: str, **texts: str) -> FileTree:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(folder / name)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)
    return FileTree(folder)


def test_labels_in_file_names(tmp_path: Path):
    tree = files(tmp_path, "train/cat.0.jpg", "train/dog.0.jpg", "train/sub/cat.1.jpg", "train/readme.png")
    found = list_by_folder(tree, spec(format="image_folder", label_pattern=r"(cat|dog)\."), ["train"], ())
    assert found.ids == ["cat.0.jpg", "dog.0.jpg", "sub/cat.1.jpg"]
    assert found.targets.columns == [["cat", "dog", "cat"]]
    assert "1 of 4 images in" in found.notes[-1] and "readme.png" in found.notes[-1]


def test_a_pattern_that_finds_nothing_is_told(tmp_path: Path):
    tree = files(tmp_path, "train/a.jpg")
    with pytest.raises(UserError, match="finds a label in no file name, e.g. not in 'a.jpg'"):
        list_by_folder(tree, spec(format="image_folder", label_pattern=r"(cat|dog)"), ["train"], ())


def test_a_table_names_its_files_by_a_template_of_any_columns(tmp_path: Path):
    tree = files(tmp_path, "train/x/1.jpg", "train/y/2.jpg", train="id,folder,label\n1,x,a\n2,y,b\n")
    found = list_by_table(tree, "train", spec(files="{folder}/{id}.jpg"))
    assert found.files == [("train/x/1.jpg",), ("train/y/2.jpg",)]
    with pytest.raises(UserError, match=r"'{foldr}' is no column \(did you mean 'folder'\?\)"):
        list_by_table(tree, "train", spec(files="{foldr}/{id}.jpg"))


def test_several_files_make_a_row(tmp_path: Path):
    names = [f"train/{i}_{c}.png" for i in ("a", "b") for c in ("red", "green")]
    tree = files(tmp_path, *names, train="Id,Target\na,1\nb,2\n")
    chosen = spec(id="Id", label="Target", files=["{Id}_red.png", "{Id}_green.png"], channels=2)
    assert list_by_table(tree, "train", chosen).files[1] == ("train/b_red.png", "train/b_green.png")
    (tmp_path / "train" / "b_green.png").unlink()
    with pytest.raises(UserError, match=r"'b' \(by data.files it would be 'b_red.png'\)"):
        list_by_table(tree, "train", chosen)


def test_a_path_of_the_table_may_begin_with_the_folder(tmp_path: Path):
    tree = files(tmp_path, "train/x/1.jpg", train="id,file_name,label\n1,train/x/1.jpg,a\n")
    assert list_by_table(tree, "train", spec(files="{file_name}")).files == [("train/x/1.jpg",)]


def test_groups_by_columns_and_rows_without_one_alone(tmp_path: Path):
    text = "id,label,patient,eye\n1,a,p,l\n2,b,p,l\n3,a,,\n4,b,,\n"
    tree = files(tmp_path, *(f"train/{i}.png" for i in range(1, 5)), train=text)
    groups = list_by_table(tree, "train", spec(group_by=["patient", "eye"])).groups
    assert groups[0] == groups[1] and groups[0] and groups[2:] == ["", ""]


def test_groups_of_a_joined_table(tmp_path: Path):
    tree = files(
        tmp_path,
        "train/1.jpg",
        "train/2.jpg",
        train="id,label\n1,a\n2,b\n",
        drivers="img,subject\n1.jpg,p1\n2.jpg,p1\n",
    )
    chosen = spec(join={"file": "drivers.csv", "id": "img"}, group_by="subject")
    assert list_by_table(tree, "train", chosen).groups == ["p1", "p1"]


def test_the_folder_itself_and_fanned_out_files(tmp_path: Path):
    tree = files(tmp_path, "0/a/0abc.png", "1/b/1bcd.png", train="id,label\n0abc,x\n1bcd,y\n")
    assert list_by_table(tree, ".", spec(train=".")).files == [("0/a/0abc.png",), ("1/b/1bcd.png",)]


def test_one_folder_for_both_and_the_sample_says_which_are_the_tests(tmp_path: Path):
    tree = files(tmp_path, *(f"images/{i}.png" for i in range(4)), train="id,label\n0,a\n1,b\n")
    chosen = spec(train="images", test="images")
    assert list_by_table(tree, "images", chosen).notes == ()
    found = list_test(tree, "images", chosen, np.array(["3", "2"]))
    assert found.ids == ["3", "2"] and found.files == [("images/3.png",), ("images/2.png",)] and found.notes == ()


def test_a_table_of_test_rows(tmp_path: Path):
    tree = files(tmp_path, *(f"images/{i}.png" for i in range(4)), train="id,label\n0,a\n", test="id\n2\n")
    found = list_test(tree, "images", spec(train="images", test="images", test_rows="test.csv"))
    assert found.ids == ["2"]


def test_test_images_that_nobody_asks_for_are_left_out_and_said(tmp_path: Path):
    tree = files(tmp_path, "test/1.png", "test/2.png", train="id,label\n")
    found = list_test(tree, "test", spec(), np.array(["2"]))
    assert found.ids == ["2"] and "1 of 2 images in" in found.notes[0]
    with pytest.raises(UserError, match="none of the 1 ids of the sample submission has an image there"):
        list_test(tree, "test", spec(), np.array(["9"]))


def test_several_files_a_row_need_a_list_of_the_test_rows(tmp_path: Path):
    tree = files(tmp_path, "test/1_a.png", "test/1_b.png")
    with pytest.raises(UserError, match=r"nothing says which rows there are.*data.test_rows"):
        list_test(tree, "test", spec(files=["{id}_a.png", "{id}_b.png"], channels=2))


@pytest.mark.parametrize("start", ["/home/bob/comp/", "C:\\\\data\\\\", "comp-v1/"])
def test_paths_of_another_machine_find_their_images(tmp_path: Path, start: str):
    start = start.replace("\\\\", "\\")
    cells = [f"{start}train/{name}" for name in ("a/1.png", "b/1.png")]
    tree = files(tmp_path, "train/a/1.png", "train/b/1.png", train="\n".join(["id,label", *(f"{c},x" for c in cells)]))
    found = list_by_table(tree, "train", spec())
    assert found.files == [("train/a/1.png",), ("train/b/1.png",)] and found.ids == cells


def test_paths_of_another_machine_that_share_no_more_than_names_with_ours(tmp_path: Path):
    rows = "id,label\n/x/photos/1.png,a\n/x/photos/2.png,b\n"
    tree = files(tmp_path, "train/1.png", "train/2.png", train=rows)
    assert list_by_table(tree, "train", spec()).files == [("train/1.png",), ("train/2.png",)]


def test_rows_that_do_not_count_are_left_out_and_that_is_said(tmp_path: Path):
    rows = "id,split,label\n1,train,a\n2,test,\n3,train,\n"
    tree = files(tmp_path, "train/1.png", "train/2.png", "train/3.png", train=rows)
    chosen = spec(
        test="train", test_rows="train.csv", where={"split": "train", "label": "?*"}, test_where={"split": "test"}
    )
    found = list_by_table(tree, "train", chosen)
    assert found.ids == ["1"] and "1 row is taken, as data.where says" in found.notes[0]
    assert list_test(tree, "train", chosen).ids == ["2"]


def test_test_where_alone_chooses_rows_of_the_labels(tmp_path: Path):
    tree = files(tmp_path, "train/1.png", "train/2.png", train="id,split,label\n1,train,a\n2,test,\n")
    chosen = spec(test="train", where={"split": "train"}, test_where={"split": "test"})
    assert list_by_table(tree, "train", chosen).ids == ["1"] and list_test(tree, "train", chosen).ids == ["2"]
    with pytest.raises(UserError, match=r"train.csv: no row is left by data.test_where = {split = \['tset'\]}"):
        list_test(tree, "train", spec(test="train", test_where={"split": "tset"}))


def test_endings_in_other_letters_and_numbers_without_zeros_find_their_images(tmp_path: Path):
    tree = files(tmp_path, "train/0001.JPG", "train/0002.jpeg", train="id,label\n0001.jpg,a\n0002.jpg,b\n")
    assert list_by_table(tree, "train", spec()).files == [("train/0001.JPG",), ("train/0002.jpeg",)]
    (tmp_path / "train.csv").write_text("id,label\n1,a\n2,b\n")
    found = list_by_table(tree, "train", spec())
    assert found.files == [("train/0001.JPG",), ("train/0002.jpeg",)] and found.ids == ["1", "2"]


def test_a_name_as_it_is_written_comes_before_one_in_other_letters(tmp_path: Path):
    tree = files(tmp_path, "train/a.jpg", "train/a.JPG", train="id,label\na.JPG,x\n")
    assert list_by_table(tree, "train", spec()).files == [("train/a.JPG",)]
    (tmp_path / "train.csv").write_text("id,label\na.jpeg,x\n")
    with pytest.raises(UserError, match=r"id 'a.jpeg' may be .*a.JPG or .*a.jpg"):
        list_by_table(tree, "train", spec())
