"""Images with captions: both files' forms, and whatever is wrong with them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.data.dataset import load_dataset
from harness.data.files.archives import FileTree
from harness.data.formats.captioned import parse_captions

TOML = """\
title = "Captioned"
metric = "accuracy"
[data]
format = "captioned"
size = [8, 8]
channels = 3
train = "Images"
captions = ["captions.txt", "Flickr8k.token.txt"]
test = "test_Images"
optional = ["test_Images"]
[sets.words.data]
format = "captioned"
size = [1, 1]
train = "captions.txt"
test = "test_Images"
optional = ["test_Images"]
"""


@pytest.fixture
def contest(tmp_path: Path):
    folder = tmp_path / "competitions" / "captioned"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(TOML)
    files = tmp_path / "data" / "captioned" / "Images"
    files.mkdir(parents=True)
    for i in range(3):
        Image.fromarray(np.full((8, 8, 3), 40 * i, np.uint8)).save(files / f"{i}.jpg")
    return find_competition(folder)


def write(tmp_path: Path, text: str, name: str = "captions.txt", encoding: str = "utf-8") -> None:
    (tmp_path / "data" / "captioned" / name).write_bytes(text.encode(encoding))


GOOD = "image,caption\n" + "".join(f"{i}.jpg,Caption {j} of {i} .\n" for i in range(3) for j in range(5))


def load(contest, tmp_path: Path, **options):
    return load_dataset(contest, tmp_path / "data", **options)


def test_pictures_captions_and_no_labels(contest, tmp_path: Path):
    write(tmp_path, GOOD)
    found = load(contest, tmp_path).train
    assert contest.is_clustering and found.ids.tolist() == ["0.jpg", "1.jpg", "2.jpg"]
    assert found.captions.shape == (3, 5) and found.captions[2, 4] == "Caption 4 of 2 ."
    assert found.labels.tolist() == [0, 0, 0] and found.truth is None and found.images.shape == (3, 8, 8, 3)


def test_captions_alone(contest, tmp_path: Path):
    from harness.competition import DataChoice

    write(tmp_path, GOOD)
    found = load(contest.using(DataChoice(set="words")), tmp_path).train
    assert found.images.shape == (3, 1, 1, 3) and found.captions.shape == (3, 5)


def test_the_original_token_file_and_its_broken_name(contest, tmp_path: Path):
    lines = [f"{i}.jpg#{j}\tCaption, {j} of {i}" for i in range(3) for j in range(5)]
    write(tmp_path, "\n".join([*lines, "2258277193.jpg.1#0\tA broken name"]), "Flickr8k.token.txt")
    found = load(contest, tmp_path).train
    assert found.captions[1, 0] == "Caption, 0 of 1" and len(found) == 3


def test_commas_quotes_other_scripts_and_fewer_than_five(contest, tmp_path: Path):
    text = 'image,caption\r\n0.jpg,"A dog, a ""big"" one"\r\n0.jpg,a dog, big\r\n1.jpg,Ein Kätzchen\r\n2.jpg,собака\r\n2.jpg,\r\n'
    write(tmp_path, "\ufeff" + text)
    found = load(contest, tmp_path).train
    assert found.captions[:, 0].tolist() == ['A dog, a "big" one', "Ein Kätzchen", "собака"]
    assert found.captions[0, 1] == "a dog, big" and found.captions[1, 1] == ""


def test_old_encodings_are_read(contest, tmp_path: Path):
    write(tmp_path, "image,caption\n0.jpg,Kätzchen\n1.jpg,b\n2.jpg,c\n", encoding="latin-1")
    assert load(contest, tmp_path).train.captions[0, 0] == "Kätzchen"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("2.jpg", "9.jpg"), r"1 image has no caption \(2.jpg\)"),
        (GOOD + "9.jpg,Nobody is here\n", r"1 image has captions and no image \(9.jpg\)"),
        (GOOD.replace(".jpg", ".gif"), "none of its 3 images lies in"),
        ("image,caption\n", "holds no captions"),
        ("image,caption\njust a line\n", "line 2: 'just a line' is no"),
        ("image,caption\n0.jpg,a\n1.jpg,b\n2.jpg,\n", r"has no caption \(2.jpg\)"),
    ],
)
def test_what_does_not_fit_is_named(contest, tmp_path: Path, text: str, said: str):
    write(tmp_path, text)
    with pytest.raises(UserError, match=said):
        load(contest, tmp_path)


def test_skip_broken_leaves_out_what_does_not_fit(contest, tmp_path: Path):
    write(tmp_path, GOOD.replace("2.jpg", "9.jpg"))
    dataset = load(contest, tmp_path, skip_broken=True)
    assert dataset.train.ids.tolist() == ["0.jpg", "1.jpg"]
    told = (dataset.cache / "broken.csv").read_text()
    assert "2.jpg,no caption" in told and "9.jpg," in told


def test_a_zip_of_another_set_wins_over_files_of_the_same_name(contest, tmp_path: Path):
    from harness.competition import DataChoice

    write(tmp_path, GOOD)
    toml = contest.folder / "competition.toml"
    toml.write_text(toml.read_text().replace("[sets.words.data]", '[sets.words.data]\narchive = "words.zip"'))
    with zipfile.ZipFile(tmp_path / "data" / "captioned" / "words.zip", "w") as archive:
        archive.writestr("captions.txt", "image,caption\nz.jpg,only this\n")
    found = load(find_competition(contest.folder).using(DataChoice(set="words")), tmp_path).train
    assert found.ids.tolist() == ["z.jpg"]


def test_parse_in_a_zip(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("captions.txt", "image,caption\na.jpg,one\na.jpg,two\n")
    assert parse_captions(FileTree(tmp_path / "a.zip"), "captions.txt") == {"a.jpg": ["one", "two"]}
