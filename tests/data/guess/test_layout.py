"""Layouts that init finds: packed tables, the test in several folders, ids that a table turns into files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.data.files.archives import FileTree
from harness.data.guess.guess import guess
from harness.data.guess.inventory import take_stock


def _pictures(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), len(name), np.uint8)).save(folder / name)


def _table(path: Path, header: str, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")


def _labels(names: list[str]) -> list[str]:
    return [f"{name},{'cat' if n % 2 else 'dog'}" for n, name in enumerate(names)]


def test_a_table_packed_on_its_own_is_found(tmp_path: Path) -> None:
    names = [str(n) for n in range(1, 9)]
    _pictures(tmp_path, *(f"images/{n}.png" for n in names))
    _table(tmp_path / "train.csv", "id,species", *_labels(names[:6]))
    with zipfile.ZipFile(tmp_path / "train.csv.zip", "w") as archive:
        archive.write(tmp_path / "train.csv", "train.csv")
    (tmp_path / "train.csv").unlink()
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for n in names:
            archive.write(tmp_path / f"images/{n}.png", f"images/{n}.png")
            (tmp_path / f"images/{n}.png").unlink()
    (tmp_path / "images").rmdir()
    _table(tmp_path / "sample_submission.csv", "id,species", "7,cat", "8,cat")
    layout, targets = guess(take_stock(FileTree(tmp_path)))
    assert layout.values["labels"] == "train.csv" and targets.label == ["species"]
    assert (layout.values["train"], layout.values["test"]) == ("images", "images")


@pytest.mark.parametrize("paths", [False, True])
def test_a_test_in_several_folders_is_everything(tmp_path: Path, paths: bool) -> None:
    names = [f"train_{n}" for n in range(8)]
    _pictures(tmp_path, *(f"train-jpg/{n}.png" for n in names), "test-jpg/test_0.png", "test-jpg/test_1.png")
    _pictures(tmp_path, "test-jpg-more/file_0.png", "test-jpg-more/file_1.png")
    _table(tmp_path / "train.csv", "id,label", *_labels(names))
    more = ["test-jpg-more/file_0.png,cat", "test-jpg-more/file_1.png,cat"] if paths else ["file_0,cat", "file_1,cat"]
    ending = ".png" if paths else ""
    asked = [f"test_0{ending},cat", f"test_1{ending},cat"]
    _table(tmp_path / "sample_submission_1.csv", "id,label", *asked)
    _table(tmp_path / "sample_submission_2.csv", "id,label", *asked, *more)
    layout, _ = guess(take_stock(FileTree(tmp_path)))
    assert layout.sample is not None and layout.sample[0] == "sample_submission_2.csv"
    assert layout.values["train"] == "train-jpg" and layout.values["test"] == "."


def test_ids_that_only_a_table_turns_into_files(tmp_path: Path) -> None:
    kinds = {"train": "abcdefgh", "test": "xyz"}
    for number, (split, letters) in enumerate(kinds.items()):
        _pictures(tmp_path, *(f"{split}2019/{letter * 3}.png" for letter in letters))
        images = [{"id": 1000 * number + n, "file_name": f"{split}2019/{x * 3}.png"} for n, x in enumerate(letters)]
        marks = [{"image_id": 1000 * number + n, "category_id": n % 2} for n, _ in enumerate(letters)]
        told = {"images": images} | ({"annotations": marks} if split == "train" else {})
        (tmp_path / f"{split}2019.json").write_text(json.dumps(told))
    _table(tmp_path / "sample_submission.csv", "id,predicted", "1000,0", "1001,0", "1002,0")
    layout, targets = guess(take_stock(FileTree(tmp_path)))
    found = layout.values
    assert (found["id"], found["files"], found["test_rows"]) == ("id", "{file_name}", "test2019.json")
    assert targets.label == ["category_id"] and targets.submission["value"] == "class"


def test_numbers_of_classes_that_the_sample_does_not_hold_are_no_indices(tmp_path: Path) -> None:
    names = [str(n) for n in range(8)]
    _pictures(tmp_path, *(f"train/{n}.png" for n in names), "test/a.png")
    _table(tmp_path / "train.csv", "id,category_id", *(f"{n},{15000 + int(n) % 3}" for n in names))
    _table(tmp_path / "sample_submission.csv", "id,predicted", "a,0")
    _, targets = guess(take_stock(FileTree(tmp_path)))
    assert targets.submission["value"] == "class"


def test_the_label_is_the_column_whose_values_the_sample_ranks(tmp_path: Path) -> None:
    names = [f"{n:03d}" for n in range(12)]
    _pictures(tmp_path, *(f"train/{n}.png" for n in names), "test/t.png")
    rows = [f"{n},{'whale' if place % 2 else 'dolphin'},animal{place % 4}" for place, n in enumerate(names)]
    _table(tmp_path / "train.csv", "image,species,individual", *rows)
    _table(tmp_path / "sample_submission.csv", "image,predictions", "t,animal0 animal2 animal1 animal3 new")
    _, targets = guess(take_stock(FileTree(tmp_path)))
    assert targets.label == ["individual"] and targets.submission["value"] == "ranked"


def test_arrays_tell_their_channels_and_values(tmp_path: Path) -> None:
    for split, names in (("train", "abcdefgh"), ("test", "xyz")):
        (tmp_path / split).mkdir()
        for name in names:
            values = np.linspace(-1.5, 2.5, 6 * 12 * 9, dtype=np.float16)
            np.save(tmp_path / split / f"{name}.npy", values.reshape(6, 12, 9))
    _table(tmp_path / "train_labels.csv", "id,target", *(f"{x},{n % 2}" for n, x in enumerate("abcdefgh")))
    _table(tmp_path / "sample_submission.csv", "id,target", *(f"{x},0.5" for x in "xyz"))
    found = guess(take_stock(FileTree(tmp_path)))[0].values
    assert (found["size"], found["channels"], found["range"]) == ([12, 9], 6, [-2, 3])


@pytest.mark.parametrize(("kind", "value"), [(np.str_, "class"), (np.int64, "index")])
def test_labels_of_an_npz_are_indices_or_text(tmp_path: Path, kind: type, value: str) -> None:
    np.savez(tmp_path / "all.npz", images=np.zeros((6, 8, 8), np.uint8), labels=np.array([1, 2, 3] * 2).astype(kind))
    layout, targets = guess(take_stock(FileTree(tmp_path)))
    assert layout.values["label"] == "labels" and targets.submission["value"] == value
    _table(tmp_path / "sample_submission.csv", "id,label", "0,1")
    assert guess(take_stock(FileTree(tmp_path)))[1].submission["value"] == value


def test_pickled_labels_of_an_npz_are_told_with_the_cure(tmp_path: Path) -> None:
    labels = np.array(["a", "b"] * 3, dtype=object)
    np.savez(tmp_path / "all.npz", images=np.zeros((6, 8, 8), np.uint8), labels=labels)
    with pytest.raises(UserError, match=r"labels: holds pickled Python objects.*labels.astype\(str\)"):
        guess(take_stock(FileTree(tmp_path)))


def test_an_id_that_only_the_test_table_of_pixels_has(tmp_path: Path) -> None:
    pixels = ",".join(f"pixel{n}" for n in range(64))
    values = ",".join(str(n) for n in range(64))
    _table(tmp_path / "train.csv", f"label,{pixels}", *(f"{n % 3},{values}" for n in range(9)))
    _table(tmp_path / "test.csv", f"id,{pixels}", *(f"{n},{values}" for n in range(4)))
    _table(tmp_path / "sample_submission.csv", "id,label", *(f"{n},0" for n in range(4)))
    layout, targets = guess(take_stock(FileTree(tmp_path)))
    assert layout.values["id"] == "id" and layout.values["size"] == [8, 8] and targets.label == ["label"]


def test_paths_put_together_of_columns(tmp_path: Path) -> None:
    rows = {"train": [], "test": []}
    for number in range(12):
        split, cell, plate, well = (
            "train" if number < 9 else "test",
            f"CELL-{number % 3}",
            1 + number % 4,
            f"B{number:02d}",
        )
        _pictures(tmp_path, *(f"{split}/{cell}/Plate{plate}/{well}_w{channel}.png" for channel in (1, 2)))
        rows[split].append(
            f"{cell}_{plate}_{well},{cell},{plate},{well}" + (f",{number % 2}" if split == "train" else "")
        )
    _table(tmp_path / "train.csv", "id_code,experiment,plate,well,drug", *rows["train"])
    _table(tmp_path / "test.csv", "id_code,experiment,plate,well", *rows["test"])
    _table(tmp_path / "sample_submission.csv", "id_code,drug", *(f"{row.split(',')[0]},0" for row in rows["test"]))
    found = guess(take_stock(FileTree(tmp_path)))[0].values
    assert found["files"] == [f"{{experiment}}/Plate{{plate}}/{{well}}_w{channel}.png" for channel in (1, 2)]
    assert (found["id"], found["test_rows"], found["channels"]) == ("id_code", "test.csv", 2)


def test_ids_without_an_image_anywhere_are_of_a_hidden_test(tmp_path: Path) -> None:
    names = [f"ISIC_{n}" for n in range(8)]
    _pictures(tmp_path, *(f"train-image/image/{n}.png" for n in names))
    _table(tmp_path / "train-metadata.csv", "id,label", *_labels(names))
    _table(tmp_path / "test-metadata.csv", "id,age", "ISIC_90,1", "ISIC_91,2")
    _table(tmp_path / "sample_submission.csv", "id,label", "ISIC_90,cat", "ISIC_91,cat")
    found = guess(take_stock(FileTree(tmp_path)))[0].values
    assert (found["test"], found["optional"]) == ("test", ["test"])


def test_pixels_in_parquet_are_not_taken_for_a_csv(tmp_path: Path) -> None:
    table = pd.DataFrame({"image_id": ["a", "b"]} | {str(n): [n, n + 1] for n in range(64)})
    table.to_parquet(tmp_path / "train_image_data.parquet")
    with pytest.raises(UserError, match="no images and no pixels in them"):
        guess(take_stock(FileTree(tmp_path)))


def test_a_name_with_a_fraction_is_a_class_and_how_sure_it_is(tmp_path: Path) -> None:
    names = [f"{n:03d}" for n in range(12)]
    _pictures(tmp_path, *(f"train/{n}.png" for n in names), "test/t.png")
    _table(tmp_path / "train.csv", "id,landmark_id", *(f"{n},{7000 + int(n) % 3}" for n in names))
    _table(tmp_path / "sample_submission.csv", "id,landmarks", "t,7001 0.1")
    _, targets = guess(take_stock(FileTree(tmp_path)))
    assert targets.label == ["landmark_id"]
    assert (targets.submission["value"], targets.metric) == ("confident", "gap")


def test_test_images_alone_are_told(tmp_path: Path) -> None:
    _pictures(tmp_path, "test/1.png", "test/2.png")
    with pytest.raises(UserError, match="there are test images only"):
        guess(take_stock(FileTree(tmp_path)))


@pytest.mark.parametrize("name", ["samples.csv", "sample_labels.csv"])
def test_a_table_of_samples_is_no_sample_submission(tmp_path: Path, name: str) -> None:
    (tmp_path / "images").mkdir()
    rows = [(f"{i}.png", "ab"[i % 2]) for i in range(8)]
    for file, _ in rows:
        Image.new("RGB", (8, 8)).save(tmp_path / "images" / file)
    pd.DataFrame(rows, columns=["image", "label"]).to_csv(tmp_path / name, index=False)
    layout, targets = guess(take_stock(FileTree(tmp_path)))
    assert layout.sample is None and layout.values["labels"] == name and targets.label == ["label"]
    pd.DataFrame([("9.png", "a")], columns=["image", "label"]).to_csv(tmp_path / "SampleSolution.csv", index=False)
    layout, _ = guess(take_stock(FileTree(tmp_path)))
    assert layout.sample is not None and layout.sample[0] == "SampleSolution.csv" and layout.values["labels"] == name
