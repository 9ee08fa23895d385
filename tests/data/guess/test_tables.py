"""Which tables hold labels, pixels or the sample submission, and how their ids name images."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.competition.competition import Competition
from harness.competition.data_spec import DataSpec
from harness.data.files.archives import FileTree
from harness.data.files.names import stem
from harness.data.guess import inventory
from harness.data.guess.guess import guess
from harness.data.guess.inventory import take_stock
from harness.data.guess.layout import Layout, id_column_of
from harness.data.guess.targets import Targets
from harness.data.rows.listing import list_by_table
from harness.data.rows.tables import Table

IDS = [f"a{n}" for n in range(12)]
KINDS = [("cat", "dog")[n % 2] for n in range(12)]


def images(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)


def table(path: Path, /, **columns: list[object]) -> None:
    pd.DataFrame(columns).to_csv(path, index=False)


def guessed(folder: Path) -> tuple[Layout, Targets]:
    return guess(take_stock(FileTree(folder)))


def test_a_sample_submission_with_a_hundred_columns_holds_no_pixels(tmp_path: Path):
    classes = [f"kind{n}" for n in range(70)]
    images(tmp_path, *(f"train/a{n}.png" for n in range(70)), "test/a.png", "test/b.png")
    table(tmp_path / "train.csv", id=[f"a{n}" for n in range(70)], label=classes)
    table(tmp_path / "sample_submission.csv", id=["a", "b"], **{name: [0, 0] for name in classes})
    layout, targets = guessed(tmp_path)
    assert (layout.values["format"], layout.values["labels"], targets.label) == ("image_csv", "train.csv", ["label"])


@pytest.mark.parametrize("ending", ["", ".png"])
def test_a_hundred_columns_beside_images_are_no_pixels(tmp_path: Path, ending: str):
    images(tmp_path, *(f"train/{n:03d}.png" for n in range(90)))
    marks = {f"label{k}": [int(n % 80 == k) for n in range(90)] for k in range(80)}
    table(tmp_path / "train.csv", id=[f"{n:03d}{ending}" if ending else n for n in range(90)], **marks)
    layout, targets = guessed(tmp_path)
    assert (layout.values["format"], len(targets.label), targets.task) == ("image_csv", 80, "single")
    assert layout.train_table is not None and len(layout.train_table[1]) == 90  # all rows were read


@pytest.mark.parametrize(("ending", "mark"), [("csv", ","), ("csv", ";"), ("tsv", "\t")])
def test_pixels_beside_images_of_other_names_are_pixels(tmp_path: Path, ending: str, mark: str):
    images(tmp_path, "examples/three.png")
    pixels = {f"pixel{k}": [(n * k) % 256 for n in range(12)] for k in range(64)}
    pd.DataFrame({"label": KINDS, **pixels}).to_csv(tmp_path / f"train.{ending}", index=False, sep=mark)
    found = guessed(tmp_path)[0].values
    assert (found["format"], found["size"], found["train"]) == ("csv_pixels", [8, 8], f"train.{ending}")


def test_most_numbers_lost_their_zeros_and_some_had_none(tmp_path: Path):
    images(tmp_path, *(f"train/{n:03d}.png" for n in range(90, 111)), *(f"test/{n:03d}.png" for n in (8, 120)))
    rows = list(range(90, 111))
    table(tmp_path / "train.csv", id=rows, label=[("cat", "dog")[n % 2] for n in rows])
    table(tmp_path / "sample_submission.csv", id=[8, 120], label=["cat", "cat"])
    layout, _ = guessed(tmp_path)
    assert (layout.values["labels"], layout.values["id"], layout.values["test"]) == ("train.csv", "id", "test")
    assert "labels" not in layout.why  # all rows have an image
    text = 'title = "t"\nmetric = "accuracy"\n[data]\nformat = "image_csv"\nsize = 8\nlabels = "train.csv"\nid = "id"\nlabel = "label"\n'
    (tmp_path / "competition.toml").write_text(text)
    competition: Competition = find_competition(tmp_path)
    listing = list_by_table(FileTree(tmp_path), "train", competition.data)
    assert listing.files == [(f"train/{n:03d}.png",) for n in rows]


@pytest.mark.parametrize("name", ["sample_metadata.csv", "sample_sheet.csv", "train_test_labels.csv"])
def test_a_table_of_labels_may_be_called_like_a_sample_or_a_test(tmp_path: Path, name: str):
    images(tmp_path, *(f"images/{i}.png" for i in IDS))
    table(tmp_path / name, id=IDS, label=KINDS)
    layout, targets = guessed(tmp_path)
    assert layout.sample is None and layout.values["labels"] == name and targets.label == ["label"]


def test_names_of_images_are_looked_at_once_for_all_tables(monkeypatch: pytest.MonkeyPatch):
    looked_at: list[str] = []
    monkeypatch.setattr(inventory, "stem", lambda path: looked_at.append(path) or stem(path))
    folder = inventory.Images("data", [f"data/scan_{n}.png" for n in range(50)])
    for n in range(40):
        shapes = {"label": ["nodule", "cyst"], "group": [f"{n}x", f"{n}y"], "points": ["[[1, 2]]", "[[3, 4]]"]}
        assert id_column_of(Table(list(shapes), list(shapes.values()), "one.json"), folder) is None
    assert 0 < len(looked_at) <= 3 * 50


@pytest.mark.parametrize("ending", ["zip", "ZIP", "Zip"])
def test_packed_tables_and_folders_are_read_whatever_the_letters_of_their_endings(tmp_path: Path, ending: str):
    images(tmp_path / "aside", *(f"train/{i}.png" for i in IDS))
    table(tmp_path / "aside/train.csv", id=IDS, label=KINDS)
    for packed, names in {"train": [f"train/{i}.png" for i in IDS], "train.csv": ["train.csv"]}.items():
        with zipfile.ZipFile(tmp_path / f"{packed}.{ending}", "w") as archive:
            for name in names:
                archive.write(tmp_path / "aside" / name, name)
    shutil.rmtree(tmp_path / "aside")
    layout, _ = guessed(tmp_path)
    found = layout.values
    assert (found["train"], found["labels"], found["size"]) == ("train", "train.csv", [8, 8])


def test_of_two_packed_folders_of_one_name_the_other_is_not_listed(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        archive.writestr("train/a.png", b"")
    (tmp_path / "train.tar").write_bytes(b"of the same name")
    assert inventory.all_names(FileTree(tmp_path)) == ["train.tar", "train/a.png"]


def test_a_table_of_labels_that_is_called_a_submission_is_told(tmp_path: Path):
    images(tmp_path, *(f"images/{i}.png" for i in IDS))
    table(tmp_path / "my_submission.csv", id=IDS, label=KINDS)
    with pytest.raises(
        UserError, match=r"my_submission.csv \(id, label, taken for the sample submission by its name\)"
    ):
        guessed(tmp_path)


def test_a_table_for_validation_is_trained_on_too(tmp_path: Path):
    images(tmp_path, *(f"images/{i}.png" for i in IDS))
    table(tmp_path / "train.csv", file=[f"{i}.png" for i in IDS[:7]], label=KINDS[:7])
    table(tmp_path / "val.csv", file=[f"{i}.png" for i in IDS[7:10]], label=KINDS[7:10])
    table(tmp_path / "test.csv", file=[f"{i}.png" for i in IDS[10:]])
    layout, _ = guessed(tmp_path)
    assert (layout.values["labels"], layout.values["merge_labels"]) == ("train.csv", ["val.csv"])
    assert layout.train_table is not None and len(layout.train_table[1]) == 10
    values = {k: v for k, v in layout.values.items() if k not in ("size", "channels")} | {"size": 8}
    listing = list_by_table(FileTree(tmp_path), "images", DataSpec.model_validate(values))
    assert listing.ids == [f"{i}.png" for i in IDS[:10]]


def test_images_for_validation_beside_those_of_training_are_found_from_the_folder_above(tmp_path: Path):
    paths = [f"{'train' if n < 8 else 'valid'}/p{n // 2}/{n}.png" for n in range(12)]
    images(tmp_path, *(f"chest/{path}" for path in paths))
    table(tmp_path / "chest" / "train.csv", Path=[f"chest/{p}" for p in paths[:8]], label=KINDS[:8])
    table(tmp_path / "chest" / "valid.csv", Path=[f"chest/{p}" for p in paths[8:]], label=KINDS[8:])
    layout, _ = guessed(tmp_path)
    assert (layout.values["train"], layout.values["merge_labels"]) == ("chest", ["chest/valid.csv"])


def test_the_folds_of_the_same_rows_are_no_validation(tmp_path: Path):
    images(tmp_path, *(f"train/{i}.png" for i in IDS))
    table(tmp_path / "train.csv", id=IDS, label=KINDS)
    table(tmp_path / "val_folds.csv", id=IDS, label=KINDS)
    assert "merge_labels" not in guessed(tmp_path)[0].values


def test_a_first_line_that_names_an_image_is_no_header(tmp_path: Path):
    images(tmp_path, *(f"train/{i}.png" for i in IDS))
    (tmp_path / "train.csv").write_text("".join(f"{i}.png,{kind}\n" for i, kind in zip(IDS, KINDS, strict=True)))
    layout, targets = guessed(tmp_path)
    assert (layout.values["id"], targets.label) == ("file", ["label"])
    assert layout.train_table is not None and len(layout.train_table[1]) == 12


def test_attributes_of_1_and_minus_1_are_labels(tmp_path: Path):
    images(tmp_path, *(f"img/{i}.png" for i in IDS))
    marks = {name: [1 if (n + k) % 3 else -1 for n in range(12)] for k, name in enumerate(("Smiling", "Male", "Young"))}
    table(tmp_path / "list_attr.csv", image_id=[f"{i}.png" for i in IDS], **marks)
    _, targets = guessed(tmp_path)
    assert (targets.task, targets.label) == ("multilabel", list(marks))


def test_the_number_of_a_class_is_the_label_where_the_test_has_it_too(tmp_path: Path):
    images(tmp_path, *(f"Train/{i}.png" for i in IDS[:9]), *(f"Test/{i}.png" for i in IDS[9:]))
    for name, ids in (("Train", IDS[:9]), ("Test", IDS[9:])):
        box = {f"Roi.{side}": [n + 3 for n in range(len(ids))] for side in ("X1", "Y1", "X2", "Y2")}
        paths = [f"{name}/{i}.png" for i in ids]
        table(tmp_path / f"{name}.csv", **box, ClassId=[n % 3 for n in range(len(ids))], Path=paths)
    _, targets = guessed(tmp_path)
    assert (targets.label, targets.task) == (["ClassId"], "single")


def test_the_label_by_another_name_is_no_feature(tmp_path: Path):
    images(tmp_path, *(f"img/{i}.png" for i in IDS))
    numbers = [n % 2 for n in range(12)]
    for name, rows in (("train", slice(0, 9)), ("test", slice(9, 12))):
        told = {"": list(range(12))[rows], "Filename": [f"{i}.png" for i in IDS][rows], "Label": numbers[rows]}
        table(tmp_path / f"{name}.csv", **told, ClassName=KINDS[rows], width_cm=[0.5 * n for n in range(12)][rows])
    layout, targets = guessed(tmp_path)
    assert targets.label == ["Label"] and layout.values["features"] == ["width_cm"]
    assert any("what ClassName is" in line for line in layout.unknown)


def test_images_that_a_table_names_come_before_small_copies_in_a_table_of_pixels(tmp_path: Path):
    ids = [f"ISIC_{n:04d}" for n in range(30)]
    images(tmp_path, *(f"part_{1 + n % 2}/{i}.png" for n, i in enumerate(ids)))
    dx = [("nv", "mel", "bkl")[n // 2 % 3] for n in range(30)]
    table(tmp_path / "metadata.csv", lesion_id=[f"HAM_{n // 2}" for n in range(30)], image_id=ids, dx=dx)
    pixels = {f"pixel{k:04d}": [(n * k) % 256 for n in range(30)] for k in range(64)}
    table(tmp_path / "hmnist_8_8_L.csv", **pixels, label=[n // 2 % 3 for n in range(30)])
    layout, targets = guessed(tmp_path)
    assert (layout.values["format"], layout.values["labels"], targets.label) == ("image_csv", "metadata.csv", ["dx"])
    assert layout.values["group_by"] == "lesion_id"


def test_an_identifier_is_the_last_that_is_taken_for_a_label(tmp_path: Path):
    images(tmp_path, *(f"train/{i}.png" for i in IDS))
    table(tmp_path / "train.csv", image=IDS, burst_id=[n // 2 for n in range(12)], sort_of_bird=KINDS)
    assert guessed(tmp_path)[1].label == ["sort_of_bird"]
