"""Where data are looked for, what is said when they are not there, and the sample that is never taken unasked."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.base.command import data_root
from harness.base.errors import UserError
from harness.competition import find_competition
from harness.data.dataset import load_dataset
from tests.conftest import REPOSITORY

DIGITS = REPOSITORY / "competitions" / "digit-recognizer"


def test_missing_data_name_both_cures(tmp_path: Path):
    with pytest.raises(UserError) as error:
        load_dataset(find_competition(DIGITS), tmp_path)
    said = str(error.value)
    assert "python -m harness.data digit-recognizer" in said
    assert "--sample" in said
    assert str(tmp_path / "digit-recognizer") in said


def test_the_sample_is_the_1797_real_digits_and_says_so(tmp_path: Path):
    dataset = load_dataset(find_competition(DIGITS), tmp_path, sample=True)
    assert dataset.is_sample and dataset.source.startswith("embedded sample in ")
    assert len(dataset.train) + len(dataset.test) == 1797
    assert dataset.train.images.shape[1:] == (28, 28, 1)
    assert np.bincount(dataset.train.labels).min() >= 138
    ink = dataset.train.images.reshape(len(dataset.train), -1).mean(axis=1)
    assert 20 < ink.mean() < 80  # digits on black, not noise, not empty
    assert not dataset.train.images[:, :4].any()


def test_a_competition_without_a_sample_says_so(shapes: Path):
    with pytest.raises(UserError, match="'shapes' has no embedded sample: --sample needs make_sample"):
        load_dataset(find_competition(shapes / "competitions" / "shapes"), shapes / "data", sample=True)


def test_one_folder_for_both_needs_a_word_on_which_are_the_tests(shapes: Path):
    folder = shapes / "competitions" / "shapes"
    with (folder / "competition.toml").open("a") as toml:
        toml.write('test = "train"\n')
    with pytest.raises(UserError, match=r"nothing says which of its images are the test's .*data.test_where"):
        load_dataset(find_competition(folder), shapes / "data")


def test_data_root_is_the_option_then_the_variable_then_data(monkeypatch: pytest.MonkeyPatch):
    assert data_root(None) == Path("data")
    monkeypatch.setenv("HARNESS_DATA", "/somewhere")
    assert data_root(None) == Path("/somewhere")
    assert data_root(Path("here")) == Path("here")


def test_custom_loader_of_competition_py(shapes: Path):
    folder = shapes / "competitions" / "shapes"
    toml = (folder / "competition.toml").read_text().replace('"image_folder"', '"custom"')
    (folder / "competition.toml").write_text(toml)
    competition = find_competition(folder)
    with pytest.raises(UserError, match="needs load_samples"):
        load_dataset(competition, shapes / "data")
    (folder / "competition.py").write_text(
        "import numpy as np\nfrom harness.competition import Samples\n"
        "def load_samples(folder, split):\n"
        "    if split == 'test': return None\n"
        "    ids = np.array([f'{i}' for i in range(20)])\n"
        "    return Samples(ids, np.zeros((20, 12, 12, 1), np.uint8), np.arange(20) % 2, groups=np.arange(20) // 2)\n"
    )
    dataset = load_dataset(competition, shapes / "data")
    assert dataset.test is None
    assert dataset.train.groups.tolist() == [i // 2 for i in range(20)]


def test_classes_that_are_read_are_counted_and_five_of_them_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "competitions" / "many").mkdir(parents=True)
    toml = tmp_path / "competitions" / "many" / "competition.toml"
    keys = 'format = "image_csv"\nsize = [8, 8]\nchannels = 1\ntrain = "train"\nlabels = "train.csv"\noptional = ["test"]\n'
    (tmp_path / "data" / "many" / "train").mkdir(parents=True)
    for row in range(12):
        Image.fromarray(np.full((8, 8), 20 * row, np.uint8)).save(tmp_path / "data" / "many" / "train" / f"{row}.png")
    (tmp_path / "data" / "many" / "train.csv").write_text(
        "id,label\n" + "".join(f"{row},{row % 6}\n" for row in range(12))
    )
    for task, said in (
        (
            'metric = "accuracy"',
            "note: 6 classes read from the data (0, 1, 2, 3, 4, ... (6 in all)); kept in competitions/many/classes.txt",
        ),
        (
            'task = "regression"\nmetric = "rmse"',
            "note: 1 target read from the data (label); kept in competitions/many/classes.txt",
        ),
    ):
        toml.write_text(f'title = "Many"\n{task}\n\n[data]\n{keys}')
        toml.with_name("classes.txt").unlink(missing_ok=True)
        lines: list[str] = []
        load_dataset(find_competition(toml.parent), tmp_path / "data", say=lines.append)
        assert any(line.startswith(said) for line in lines), lines


def test_images_are_mapped_not_loaded(tmp_path: Path):
    dataset = load_dataset(find_competition(DIGITS), tmp_path, sample=True)
    assert isinstance(dataset.train.images, np.memmap)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ("ids, images, np.arange(20)", "row 3: label 2 is no class .0 to 1"),
        ("ids, images, np.zeros(20)", r"labels are float64 .20,.; wanted int64"),
        ("ids, images[:, :6], np.arange(20) % 2", r"images are .6, 12, 1.; data.size and channels say .12, 12, 1"),
        ("ids, images[:5], np.arange(20) % 2", "20 ids but 5 images"),
    ],
)
def test_what_load_samples_may_not_give(shapes: Path, samples: str, said: str):
    folder = shapes / "competitions" / "shapes"
    toml = (folder / "competition.toml").read_text().replace('"image_folder"', '"custom"')
    (folder / "competition.toml").write_text(toml)
    (folder / "competition.py").write_text(
        "import numpy as np\nfrom harness.competition import Samples\n"
        "def load_samples(folder, split):\n"
        "    ids, images = np.arange(20).astype(str), np.zeros((20, 12, 12, 1), np.uint8)\n"
        f"    return Samples({samples})\n"
    )
    with pytest.raises(UserError, match=said):
        load_dataset(find_competition(folder), shapes / "data")


def test_a_folder_with_the_zip_alone_is_not_the_training_images(shapes: Path):
    competition, data = shapes / "competitions" / "shapes", shapes / "data" / "shapes"
    text = (competition / "competition.toml").read_text()
    pattern = "label_pattern = '^(circle|square)/'"
    toml = text.replace('"image_folder"', f'"image_folder"\ntrain = "."\n{pattern}\noptional = ["test"]')
    (competition / "competition.toml").write_text(toml)
    with zipfile.ZipFile(shapes / "shapes.zip", "w") as archive:
        for path in sorted((data / "train").rglob("*.png")):
            archive.write(path, path.relative_to(data / "train").as_posix())
    shutil.rmtree(data)
    data.mkdir()
    (shapes / "shapes.zip").rename(data / "shapes.zip")
    dataset = load_dataset(find_competition(competition), shapes / "data")
    assert len(dataset.train) == 40 and dataset.test is None


def test_a_sample_submission_without_commas_is_read_and_no_note_is_said_twice(tmp_path: Path):
    data, folder = tmp_path / "data" / "mine", tmp_path / "competitions" / "mine"
    for name in ("train/a/1.png", "train/b/2.png", "train/notes.txt", "test/9.png", "test/notes.txt"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(data / name, "PNG")
    (data / "sample.csv").write_text("id;label\n9;a\n")
    folder.mkdir(parents=True)
    layout = '[data]\nformat = "image_folder"\nsize = 8\n[submission]\nsample = "sample.csv"\n'
    (folder / "competition.toml").write_text(f'title = "Mine"\nmetric = "accuracy"\n{layout}')
    notes = load_dataset(find_competition(folder), tmp_path / "data").notes
    assert (
        sum("not among the image formats: 1 with .txt" in note for note in notes)
        == 2
        == len([n for n in set(notes) if ".txt" in n and "classes.txt" not in n])
    )
