"""Several tables and folders: which is meant, what is joined, and that what is not used is said."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.data.files.archives import FileTree
from harness.data.guess.guess import guess
from harness.data.guess.inventory import take_stock
from harness.data.guess.layout import Layout
from harness.data.guess.targets import Targets


def images(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), (number, 90, 7), np.uint8)).save(folder / name)


def table(path: Path, /, **columns: list[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(path, index=False)


def guessed(folder: Path) -> tuple[Layout, Targets]:
    return guess(take_stock(FileTree(folder)))


IDS = [f"a{n}" for n in range(12)]
ASKED = ["t0", "t1", "t2", "t3"]
KINDS = [("cat", "dog")[n % 2] for n in range(12)]


def test_the_table_with_the_targets_is_meant_and_the_one_with_the_sites_is_joined(tmp_path: Path) -> None:
    images(tmp_path, *(f"train_features/{i}.png" for i in IDS), *(f"test_features/{i}.png" for i in ASKED))
    table(tmp_path / "train_features.csv", id=IDS, filepath=IDS, site=[f"s{n % 3}" for n in range(12)])
    table(tmp_path / "test_features.csv", id=ASKED, filepath=ASKED, site=["s7", "s7", "s8", "s8"])
    hot = {name: [float(kind == name) for kind in KINDS] for name in ("cat", "dog")}
    table(tmp_path / "train_labels.csv", id=IDS, **hot)
    table(tmp_path / "submission_format.csv", id=ASKED, cat=[0.5] * 4, dog=[0.5] * 4)
    layout, targets = guessed(tmp_path)
    assert (layout.values["labels"], targets.label, targets.task) == ("train_labels.csv", ["cat", "dog"], "single")
    assert layout.values["join"] == {"file": "train_features.csv", "id": "id"}
    assert layout.values["group_by"] == "site"  # the test has other sites


def test_a_column_whose_values_the_test_shares_is_no_group(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/{i}.png" for i in IDS), *(f"test/{i}.png" for i in ASKED))
    table(tmp_path / "train.csv", id=IDS, view=["left", "right"] * 6, label=KINDS)
    table(tmp_path / "test.csv", id=ASKED, view=["left", "right"] * 2)
    layout, _ = guessed(tmp_path)
    assert "group_by" not in layout.values


def test_parts_of_the_training_images_are_taken_together(tmp_path: Path) -> None:
    images(tmp_path, *(f"train_{1 + n % 3}/{i}.png" for n, i in enumerate(IDS)), *(f"test/{i}.png" for i in ASKED))
    table(tmp_path / "train.csv", id=IDS, label=KINDS)
    table(tmp_path / "sample_submission.csv", id=ASKED, label=["cat"] * 4)
    layout, _ = guessed(tmp_path)
    assert (layout.values["train"], layout.values["test"], layout.values["labels"]) == (".", "test", "train.csv")


def test_rows_without_a_label_are_left_out(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/{i}.png" for i in IDS), *(f"test/{i}.png" for i in ASKED))
    table(tmp_path / "train.csv", id=IDS, level=["", *(n % 3 for n in range(11))])
    table(tmp_path / "sample_submission.csv", id=ASKED, level=[0] * 4)
    layout, targets = guessed(tmp_path)
    assert layout.values["where"] == {"level": "?*"} and targets.task == "ordinal"
    assert "1 row without a label" in layout.why["where"]


def test_a_column_tells_the_test_rows_from_the_others(tmp_path: Path) -> None:
    images(tmp_path, *(f"imgs/{i}.png" for i in (*IDS, *ASKED)))
    split = ["train"] * 8 + ["val"] * 4 + ["test"] * 4
    table(tmp_path / "meta.csv", id=[*IDS, *ASKED], label=[*KINDS, *[""] * 4], **{"data set": split})
    layout, targets = guessed(tmp_path)
    found = layout.values
    assert found["where"] == {"data set": ["train", "val"]} and found["test_where"] == {"data set": ["test"]}
    assert (found["test"], found["test_rows"], targets.label) == ("imgs", "meta.csv", ["label"])
    assert layout.train_table is not None and len(layout.train_table[1]) == 12


def test_labelled_rows_and_folds_that_are_not_used_are_told(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/{i}.png" for i in IDS), *(f"more/{i}.png" for i in ASKED), "test/x.png")
    table(tmp_path / "train.csv", id=IDS, label=KINDS, fold=[n % 3 for n in range(12)])
    table(tmp_path / "more.csv", id=ASKED, label=KINDS[:4])
    table(tmp_path / "sample_submission.csv", id=["x"], label=["cat"])
    told = " ".join(guessed(tmp_path)[0].unknown)
    assert "'more.csv' has 4 rows with 'label' that are not used" in told and 'fold = "fold"' in told


def test_names_of_the_labels_and_other_samples_are_no_rows_that_are_left_out(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/{c}/im{n}.png" for c in ("cat", "dog") for n in range(4)), "test/a.png", "test/b.png")
    for stage in (1, 2):
        table(
            tmp_path / f"sample_submission_stg{stage}.csv",
            image=["a.png", "b.png"][:stage],
            cat=[0.4] * stage,
            dog=[0.6] * stage,
        )
    (tmp_path / "map.json").write_text('{"0": "cat", "1": "dog"}')
    layout, targets = guessed(tmp_path)
    assert (layout.values["format"], targets.task) == ("image_folder", "single")
    assert not any("not used" in line for line in layout.unknown)


def test_a_list_of_the_test_whose_rows_are_trained_on_is_told(tmp_path: Path) -> None:
    images(tmp_path, *(f"images_{n % 2}/{i}.png" for n, i in enumerate(IDS)))
    names = [f"{i}.png" for i in IDS]
    table(tmp_path / "entries.csv", **{"Image Index": names, "label": KINDS})
    (tmp_path / "test_list.txt").write_text("\n".join(names[9:]))
    told = " ".join(guessed(tmp_path)[0].unknown)
    assert "'test_list.txt' names 3 images of the training table, e.g. 'a9.png'" in told


def test_lists_of_files_without_a_header(tmp_path: Path) -> None:
    images(tmp_path, *(f"images/{i}.jpg" for i in (*IDS, *ASKED)))
    (tmp_path / "train.txt").write_text("\n".join(f"images/{i}.jpg {n % 3}" for n, i in enumerate(IDS)))
    (tmp_path / "test.txt").write_text("\n".join(f"images/{i}.jpg" for i in ASKED))
    (tmp_path / "readme.txt").write_text("images of animals\n")
    stock = take_stock(FileTree(tmp_path))
    layout, targets = guess(stock)
    found = layout.values
    assert (found["labels"], found["test_rows"], found["test"]) == ("train.txt", "test.txt", "images")
    assert targets.label == ["label"] and stock.others == ["readme.txt"]


def test_paths_of_another_machine_name_the_training_images(tmp_path: Path) -> None:
    images(tmp_path, *(f"images/train/{i}.png" for i in IDS), *(f"images/test/{i}.png" for i in ASKED))
    table(tmp_path / "train.csv", path=[f"D:\\data\\train\\{i}.png" for i in IDS], label=KINDS)
    table(tmp_path / "sample_submission.csv", path=[f"D:\\data\\test\\{i}.png" for i in ASKED], label=["cat"] * 4)
    layout, _ = guessed(tmp_path)
    assert (layout.values["train"], layout.values["test"], layout.id_column) == ("images/train", "images/test", "path")


def test_pairs_of_images_are_a_row_of_two_files(tmp_path: Path) -> None:
    names = [f"{n}.jpg" for n in range(6)]
    images(tmp_path, *(f"images/{n}" for n in names))
    left, right = names * 2, names[1:] * 2 + names[:2]
    table(tmp_path / "train.csv", pair_id=list(range(12)), image_1=left, image_2=right, same=[0, 1] * 6)
    table(tmp_path / "test.csv", pair_id=[50, 51], image_1=names[:2], image_2=names[2:4])
    table(tmp_path / "sample_submission.csv", pair_id=[50, 51], same=[0, 0])
    found = guessed(tmp_path)[0].values
    assert (found["id"], found["files"], found["channels"]) == ("pair_id", ["{image_1}", "{image_2}"], 6)
    assert (found["test"], found["test_rows"]) == ("images", "test.csv")


def test_a_sample_submission_without_rows_gives_its_columns(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/{i}.png" for i in IDS), *(f"test/{i}.png" for i in ASKED))
    table(tmp_path / "Train.csv", ID=IDS, Target=KINDS)
    (tmp_path / "SampleSubmission.csv").write_text("ID,Target\n")
    layout, targets = guessed(tmp_path)
    assert (targets.submission["id"], targets.submission["target"]) == ("ID", "Target")
    assert any("'SampleSubmission.csv' wants in its columns: it has no rows" in line for line in layout.unknown)


def test_columns_of_0_and_1_are_labels_where_nothing_else_is(tmp_path: Path) -> None:
    for split in ("train", "test"):
        images(tmp_path, *(f"{split}/{i}.png" for i in IDS))
        rows = "".join(f"{i}.png, {n % 2}, {int(n % 3 == 0)}, {int(n < 4)}\n" for n, i in enumerate(IDS))
        (tmp_path / split / "_classes.csv").write_text(f"filename, fox, hare, owl\n{rows}")
    layout, targets = guessed(tmp_path)
    assert (targets.task, targets.label) == ("multilabel", ["fox", "hare", "owl"])
    assert "features" not in layout.values and targets.submission["id"] == "filename"


@pytest.mark.parametrize("asked", ["robur", "Acer", None])
def test_folders_in_class_folders(tmp_path: Path, asked: str | None) -> None:
    images(tmp_path, *(f"train/{s}/{n}.png" for s in ("Acer/rubrum", "Quercus/robur") for n in range(4)), "test/9.png")
    if asked:
        table(tmp_path / "sample_submission.csv", id=[9], species=[asked])
    layout, _ = guessed(tmp_path)
    assert (layout.values.get("label_pattern") == "^[^/]+/([^/]+)/") == (asked == "robur")
    assert set(layout.labels_of or ()) == ({"rubrum", "robur"} if asked == "robur" else {"Acer", "Quercus"})
    assert any("which folders are the classes" in line for line in layout.unknown) == (asked is None)


def test_folders_for_validation_with_other_names_are_no_classes(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/{c}/{n}.png" for c in ("cat", "dog") for n in range(4)), "val/p7/0.png", "val/p8/0.png")
    table(tmp_path / "notes.csv", camera=["c1", "c2"], place=["here", "there"])
    layout, _ = guessed(tmp_path)
    assert "merge" not in layout.values
    assert any("notes.csv (camera, place)" in line for line in layout.unknown)


def test_folders_of_frames_are_told_with_the_cure(tmp_path: Path) -> None:
    videos = [f"v{n}" for n in range(6)]
    images(tmp_path, *(f"train/{v}/{n}.jpg" for v in videos for n in range(3)), "test/v8/0.jpg", "test/v9/0.jpg")
    table(tmp_path / "train_labels.csv", video=videos, label=["run", "walk"] * 3)
    table(tmp_path / "sample_submission.csv", video=["v8", "v9"], label=["run", "run"])
    with pytest.raises(UserError, match=r"'video' names folders of images, e.g. 'v0'.*Write load_samples"):
        guessed(tmp_path)


def test_several_columns_of_classes_are_told_with_the_cure(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/{i}.png" for i in IDS), *(f"test/{i}.png" for i in ASKED))
    table(tmp_path / "train.csv", id=IDS, color=["red", "blue"] * 6, shape=["disc", "bar", "bar"] * 4)
    table(tmp_path / "sample_submission.csv", id=ASKED, color=["red"] * 4, shape=["disc"] * 4)
    with pytest.raises(UserError, match=r"targets color, shape are classes, e.g. 'red' of 'color'.*Play each column"):
        guessed(tmp_path)


def test_what_is_not_looked_at_is_named_where_nothing_else_fits(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/{n}.png" for n in range(4)))
    (tmp_path / "labels.docx").write_bytes(b"PK")
    with pytest.raises(
        UserError, match=r"Not looked at: 1 with .docx \(e.g. labels.docx\); save what holds the labels as CSV"
    ):
        guessed(tmp_path)


@pytest.mark.parametrize("shape", [(12, 8, 8, 3), (12,)])
def test_an_array_of_many_among_images_is_told_with_the_cure(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images(tmp_path, *(f"{kind}/{n}.png" for kind in "ab" for n in range(2)))
    np.save(tmp_path / "a" / "all.npy", np.zeros(shape, np.uint8))
    with pytest.raises(UserError, match=r"all.npy: is an array of shape \(12.*'All images in one array'"):
        guessed(tmp_path)


def test_dicom_tells_its_size_and_that_it_is_grey(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import Dataset, FileMetaDataset

    (tmp_path / "train").mkdir()
    for i in IDS:
        made = Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        made.Rows, made.Columns, made.SamplesPerPixel = 12, 20, 1
        buffer = io.BytesIO()
        made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
        pydicom.dcmwrite(buffer, made, enforce_file_format=True)
        (tmp_path / "train" / f"{i}.dcm").write_bytes(buffer.getvalue())
    table(tmp_path / "train.csv", id=IDS, label=KINDS)
    found = guessed(tmp_path)[0].values
    assert (found["size"], found["channels"]) == ([12, 20], 1)


def test_a_split_is_read_from_json_too(tmp_path: Path) -> None:
    images(tmp_path, *(f"imgs/{i}.png" for i in IDS))
    told = {
        f"{i}.png": {"label": kind, "split": "test" if n > 8 else "train"}
        for n, (i, kind) in enumerate(zip(IDS, KINDS, strict=True))
    }
    (tmp_path / "meta.json").write_text(json.dumps(told))
    assert guessed(tmp_path)[0].values["test_where"] == {"split": ["test"]}


def test_images_beside_masks_of_the_same_names_are_meant(tmp_path: Path) -> None:
    images(tmp_path, *(f"images/{i}.jpg" for i in IDS), *(f"annotation_masks/{i}.png" for i in IDS))
    table(tmp_path / "train.csv", image=IDS, label=KINDS)
    layout, _ = guessed(tmp_path)
    assert layout.values["train"] == "images"
    assert any("12 more images are for" in line and "annotation_masks/a0.png" in line for line in layout.unknown)


@pytest.mark.parametrize("cells", [[str(n) for n in range(12)], [f"{n:04d}.jpg" for n in range(12)]])
def test_numbers_without_their_zeros_and_endings_in_other_letters(tmp_path: Path, cells: list[object]) -> None:
    images(tmp_path, *(f"train/{n:04d}.JPG" for n in range(12)), *(f"test/{n:04d}.JPG" for n in range(50, 54)))
    table(tmp_path / "train.csv", id=cells, label=KINDS)
    table(tmp_path / "sample_submission.csv", id=[50, 51, 52, 53], label=["cat"] * 4)
    layout, _ = guessed(tmp_path)
    assert (layout.values["labels"], layout.values["id"], layout.values["test"]) == ("train.csv", "id", "test")


def test_a_folder_of_its_own_name_is_looked_into(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/train/{c}/{n}.png" for c in ("cat", "dog") for n in range(4)), "test/test/9.png")
    layout, _ = guessed(tmp_path)
    assert (layout.values["train"], layout.values["format"]) == ("train/train", "image_folder")


def test_several_rows_an_image_are_told_with_the_cure(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/{i}.png" for i in IDS))
    table(tmp_path / "train.csv", image_id=[i for i in IDS for _ in range(2)], name=KINDS * 2, x_min=[0] * 24)
    with pytest.raises(UserError, match=r"'train.csv' names them by 'image_id', several rows an image \(boxes\?\)"):
        guessed(tmp_path)


def test_labels_in_a_sheet_and_a_sample_submission_in_one(tmp_path: Path) -> None:
    images(tmp_path, *(f"images/{i}.png" for i in (*IDS, *ASKED)))
    pd.DataFrame({"id": IDS, "label": KINDS}).to_excel(tmp_path / "labels.xlsx", index=False)
    (tmp_path / "~$labels.xlsx").write_bytes(b"somebody has it open")
    pd.DataFrame({"id": ASKED, "label": KINDS[: len(ASKED)]}).to_excel(tmp_path / "sample_submission.xlsx", index=False)
    layout, targets = guessed(tmp_path)
    assert layout.values["labels"] == "labels.xlsx" and targets.label == ["label"] and layout.sample is None
    assert (
        sum(
            "sample_submission.xlsx is not read as a sample submission; save it as CSV" in line
            for line in layout.unknown
        )
        == 1
    )
    assert not any("~$" in line for line in layout.unknown)
