"""Which folders are the training's and the test's, where classes are called much like them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition.data_spec import DataSpec
from harness.data.files.archives import FileTree
from harness.data.guess.guess import guess
from harness.data.guess.inventory import take_stock
from harness.data.guess.layout import Layout
from harness.data.rows.listing import list_by_folder, list_test


def draw(folder: Path, **counts: int) -> None:
    """So many images in each folder; '__' stands for '/'."""
    for name, count in counts.items():
        place = folder / name.replace("__", "/")
        place.mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(place / f"{number}.png")


def guessed(folder: Path) -> Layout:
    return guess(take_stock(FileTree(folder)))[0]


@pytest.mark.parametrize("name", ["protest", "testis", "contest", "test", "train"])
@pytest.mark.parametrize("there", [0, 2])
def test_a_class_that_is_called_like_a_test_is_no_test(tmp_path: Path, name: str, there: int):
    draw(tmp_path, **{f"train__{name}": 6, "train__calm": 5}, **({"test": there} if there else {}))
    found = guessed(tmp_path).values
    assert (found["train"], found["test"]) == ("train", "test")
    assert found.get("optional", []) == ([] if there else ["test"])


def test_a_class_of_the_test_that_is_called_train_is_no_training(tmp_path: Path):
    draw(tmp_path, test__train=9, test__bus=9, train__train=3, train__bus=3)
    found = guessed(tmp_path).values
    assert (found["train"], found["test"]) == ("train", "test")


@pytest.mark.parametrize("above", ["", "vehicles__"])
def test_a_class_called_train_stands_beside_the_others(tmp_path: Path, above: str):
    draw(tmp_path, **{f"{above}{name}": 4 for name in ("car", "train", "bus")})
    layout = guessed(tmp_path)
    assert layout.values["train"] == (above.rstrip("_") or ".")
    assert sorted(set(layout.labels_of or ())) == ["bus", "car", "train"]


@pytest.mark.parametrize("test", ["train_images", "testset", "stage1_test", "Test Set"])
def test_names_with_more_words_are_still_known(tmp_path: Path, test: str):
    train = "train_images" if "train" not in test else "train"
    test = "test_images" if "train" in test else test
    draw(tmp_path, **{f"{train}__a": 3, f"{train}__b": 3, test: 2})
    found = guessed(tmp_path).values
    assert (found["train"], found["test"]) == (train, test)


@pytest.mark.parametrize("above", ["", "pets__"])
def test_classes_may_lie_beside_the_test(tmp_path: Path, above: str):
    draw(tmp_path, **{f"{above}{name}": n for name, n in (("cats", 6), ("dogs", 5), ("Red Fox", 4), ("test", 3))})
    layout = guessed(tmp_path)
    train, test = above.replace("__", "") or ".", f"{above.replace('__', '/')}test"
    assert (layout.values["format"], layout.values["train"], layout.values["test"]) == ("image_folder", train, test)
    tree = FileTree(tmp_path)
    spec = DataSpec.model_validate({"format": "image_folder", "size": 8, "train": train, "test": test})
    listing = list_by_folder(tree, spec, [train], ())
    assert listing.targets is not None and set(listing.targets.columns[0]) == {"cats", "dogs", "Red Fox"}
    assert len(listing.ids) == 15 and len(list_test(tree, test, spec).ids) == 3


def test_parts_of_the_data_beside_the_test_are_no_classes(tmp_path: Path):
    draw(tmp_path, images_a=6, images_b=5, test=3)
    with pytest.raises(UserError, match="nor do folders or file names tell labels"):
        guessed(tmp_path)


def test_classes_that_are_packed_each_by_itself_are_told_with_the_cure(tmp_path: Path):
    draw(tmp_path, cats=3, dogs=3, test=2)
    for name in ("cats", "dogs", "test"):
        shutil.make_archive(str(tmp_path / name), "zip", tmp_path, name)
        shutil.rmtree(tmp_path / name)
    with pytest.raises(
        UserError, match="If cats, dogs are classes, each packed by itself: unpack them into one folder, train/"
    ):
        guessed(tmp_path)


def test_classes_that_stand_there_twice_are_read_once(tmp_path: Path):
    draw(tmp_path, yes=4, no=3, brain_dataset__yes=4, brain_dataset__no=3)
    layout = guessed(tmp_path)
    assert layout.values["train"] == "brain_dataset" and layout.labels_of is not None and len(layout.labels_of) == 7
    assert any("taken for copies" in line for line in layout.unknown)


def test_a_table_of_rows_for_validation_is_not_the_training_rows_where_these_lie_in_classes(tmp_path: Path):
    draw(tmp_path, train__n01__images=6, train__n02__images=6, val__images=3, test__images=3)
    for number in range(3):
        path = tmp_path / "val" / "images" / f"{number}.png"
        path.rename(path.with_name(f"val_{number}.png"))
    (tmp_path / "val" / "val_annotations.txt").write_text(
        "".join(f"val_{n}.png\tn0{n % 2 + 1}\t0\t0\n" for n in range(3))
    )
    layout = guessed(tmp_path)
    assert (layout.values["format"], layout.values["train"], layout.values["test"]) == ("image_folder", "train", "test")


def test_masks_beside_their_images_are_no_images(tmp_path: Path):
    draw(tmp_path, data__benign=4, data__normal=3)
    for kind in ("benign", "normal"):
        for path in list((tmp_path / "data" / kind).iterdir()):
            shutil.copy(path, path.with_name(f"{path.stem}_mask.png"))
    shutil.copy(tmp_path / "data" / "benign" / "0.png", tmp_path / "data" / "benign" / "0_mask_1.png")
    layout = guessed(tmp_path)
    assert layout.labels_of is not None and len(layout.labels_of) == 7
    values = {"format": "image_folder", "size": 8, "train": "data", "label_pattern": layout.values["label_pattern"]}
    listing = list_by_folder(FileTree(tmp_path), DataSpec.model_validate(values), ["data"], ())
    assert (
        len(listing.ids) == 7
        and listing.targets is not None
        and set(listing.targets.columns[0]) == {"benign", "normal"}
    )
    assert any("left out" in note for note in listing.notes)
