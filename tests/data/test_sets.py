"""Data sets of one competition, images at another size, merged folders, groups from file names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition import DataChoice, find_competition
from harness.data.dataset import load_dataset
from harness.data.resize import open_resized, resize
from tests.conftest import make_shapes


def load(project: Path, choice: DataChoice | None = None, **options):
    competition = find_competition(project / "competitions" / "shapes").using(choice or DataChoice())
    return competition, load_dataset(competition, project / "data", **options)


def extend(project: Path, text: str, old: str = "", new: str = "") -> None:
    path = project / "competitions" / "shapes" / "competition.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new) + text)


SMALL = """
[sets.small.data]
format = "npz"
size = [4, 4]
channels = 1
train = "small.npz"
label = "labels"
test = "small.npz"
test_images = "hidden"
"""


def test_a_recipe_chooses_one_of_the_data_sets(shapes: Path):
    extend(shapes, SMALL)
    arrays = np.arange(96, dtype=np.uint8).reshape(6, 4, 4)
    np.savez(
        shapes / "data" / "shapes" / "small.npz", images=arrays[:4], labels=np.array([0, 1, 0, 1]), hidden=arrays[4:]
    )
    own, chosen = load(shapes)[1], load(shapes, DataChoice(set="small"))[1]
    assert own.train.images.shape == (40, 12, 12, 1)
    np.testing.assert_array_equal(chosen.train.images[..., 0], arrays[:4])
    np.testing.assert_array_equal(chosen.test.images[..., 0], arrays[4:])
    assert own.fingerprint != chosen.fingerprint


def test_a_set_that_is_not_there_is_told_with_the_known_ones(shapes: Path):
    extend(shapes, SMALL)
    with pytest.raises(UserError, match=r"has no such data set \(did you mean 'small'\?\); known: small"):
        load(shapes, DataChoice(set="smal"))


def test_files_of_another_set_are_pointed_out_where_the_own_ones_are_missing(shapes: Path):
    extend(shapes, SMALL, 'format = "image_folder"', 'format = "image_folder"\ntrain = "elsewhere"')
    (shapes / "data" / "shapes" / "small.npz").write_bytes(b"")
    with pytest.raises(UserError, match="There are files of another data set: --set data.set=small"):
        load(shapes)


@pytest.mark.parametrize("stream", [False, True])
def test_another_size_keeps_rows_and_fingerprint(shapes: Path, stream: bool):
    competition, dataset = load(shapes, stream=stream)
    choice = DataChoice(size=(8, 10))
    resize(dataset, choice)
    resized_competition, resized = open_resized(competition, dataset.cache, choice)
    assert resized.train.images.shape == (40, 8, 10, 1) and resized.test.images.shape == (6, 8, 10, 1)
    assert resized.fingerprint == dataset.fingerprint and resized.train.ids.tolist() == dataset.train.ids.tolist()
    assert resized_competition.data.size == (8, 10)
    row = dataset.train.ids.tolist().index("square/3.png")
    picture = Image.open(shapes / "data" / "shapes" / "train" / "square" / "3.png")
    wanted = np.asarray(picture.resize((10, 8), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(resized.train.images[np.array([row])][0, :, :, 0], wanted)


def test_the_competitions_own_size_copies_nothing(shapes: Path):
    competition, dataset = load(shapes)
    resize(dataset, DataChoice(size=(12, 12)))
    assert not list(dataset.cache.rglob("images-*.npy"))
    assert open_resized(competition, dataset.cache, DataChoice(size=(12, 12)))[1].train.images.shape == (40, 12, 12, 1)


def test_merged_folders_are_training_images_and_keep_their_names(shapes: Path):
    (shapes / "data" / "shapes" / "val" / "circle").mkdir(parents=True)
    (shapes / "data" / "shapes" / "val" / "square").mkdir()
    for name in ("circle", "square"):
        Image.new("L", (12, 12), 7).save(shapes / "data" / "shapes" / "val" / name / "0.png")
    extend(shapes, "", 'format = "image_folder"', 'format = "image_folder"\nmerge = ["val"]')
    _, dataset = load(shapes)
    assert len(dataset.train) == 42
    assert {"train/circle/0.png", "val/circle/0.png"} <= set(dataset.train.ids.tolist())


def test_a_merged_folder_may_be_missing_only_if_it_is_optional(shapes: Path):
    extend(shapes, "", 'format = "image_folder"', 'format = "image_folder"\nmerge = ["val"]')
    with pytest.raises(UserError, match="val: no images there"):
        load(shapes)
    extend(shapes, "", 'merge = ["val"]', 'merge = ["val"]\noptional = ["val", "test"]')
    told: list[str] = []
    assert len(load(shapes, say=told.append)[1].train) == 40
    assert any("val (data.merge) is not there; it is optional" in line for line in told)


def test_groups_are_what_the_pattern_finds_alike(tmp_path: Path):
    make_shapes(tmp_path)
    extend(
        tmp_path,
        "",
        'format = "image_folder"',
        "format = \"image_folder\"\ngroup = '(?:circle/|(squ)are/)1?([0-4]).png'",
    )
    _, dataset = load(tmp_path)
    group = dict(zip(dataset.train.ids.tolist(), dataset.train.groups.tolist(), strict=True))
    assert group["circle/3.png"] == group["circle/13.png"] != group["square/3.png"]
    assert group["circle/7.png"] not in {g for i, g in group.items() if i != "circle/7.png"}


@pytest.mark.parametrize(
    ("pattern", "said"), [("person[0-9]+", "needs a group in parentheses"), ("(person", "is no regular expression")]
)
def test_a_useless_pattern_is_refused(shapes: Path, pattern: str, said: str):
    extend(shapes, "", 'format = "image_folder"', f"format = \"image_folder\"\ngroup = '{pattern}'")
    with pytest.raises(UserError, match=said):
        load(shapes)
