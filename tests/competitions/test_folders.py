"""The competitions' own folders: each reads its embedded sample in the platform's true layout; each recipe is a recipe."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition import DataChoice, find_competition, load_recipe
from harness.competition.recipe import recipe_names
from harness.data.dataset import load_dataset
from harness.models.captioned import check_captioned
from harness.models.registry import check_model
from tests.conftest import REPOSITORY

FOLDERS = sorted((REPOSITORY / "competitions").glob("*/competition.toml"))
RECIPES = [(path.parent, name) for path in FOLDERS for name in recipe_names(path.parent)]
SETS = [(path.parent.name, name) for path in FOLDERS for name in ("", *find_competition(path.parent).sets)]


def sample(slug: str, chosen: str = "", root: Path = Path("nowhere")):
    return load_dataset(
        find_competition(REPOSITORY / "competitions" / slug).using(DataChoice(set=chosen)), root, sample=True
    )


@pytest.mark.parametrize(("folder", "name"), RECIPES, ids=[f"{f.name}/{n}" for f, n in RECIPES])
def test_every_recipe_is_valid_and_says_what_it_answers_to(folder: Path, name: str):
    recipe = load_recipe(folder, name)
    competition = find_competition(folder).using(recipe.data)
    assert recipe.description and (recipe.answers_to or competition.is_clustering)
    if competition.is_clustering:
        check_captioned(recipe.model)
        assert recipe.clusters is not None
    else:
        check_model(recipe.model, competition)


@pytest.mark.parametrize("folder", [path.parent for path in FOLDERS], ids=lambda f: f.name)
def test_every_folder_has_a_readme_that_names_its_recipes(folder: Path):
    text = (folder / "README.md").read_text()
    for name in recipe_names(folder):
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("folder", [path.parent for path in FOLDERS], ids=lambda f: f.name)
def test_every_folder_knows_its_classes_so_that_playing_it_writes_nothing_into_it(folder: Path):
    competition = find_competition(folder)
    assert competition.classes or competition.is_clustering


@pytest.mark.parametrize("slug", ["bloodcells", "cifar-10", "pneumonia", "digit-recognizer"])
def test_every_sample_can_be_read_and_says_that_it_is_one(slug: str):
    dataset = sample(slug)
    assert dataset.is_sample and "embedded sample" in dataset.source
    counts = np.bincount(
        dataset.train.labels, minlength=len(find_competition(REPOSITORY / "competitions" / slug).classes)
    )
    assert counts.min() >= 15 and dataset.test is not None


def test_flickrs_sample_has_captions_kinds_and_no_labels():
    dataset = sample("flickr8k")
    assert dataset.train.captions.shape == (200, 5) and (dataset.train.captions != "").all()
    assert np.bincount(dataset.train.truth).tolist() == [40] * 5 and not dataset.train.labels.any()
    assert dataset.test is not None and dataset.test.captions is None


def test_the_kinds_of_the_second_set_stand_in_its_names():
    truth = find_competition(REPOSITORY / "competitions" / "flickr8k").hook("truth")
    kinds, names = truth(np.array(["ucm_0001.jpg", "ucm_0101.jpg", "ucm_2100.jpg"]))
    assert [names[kind] for kind in kinds] == ["agricultural", "airplane", "tennis-court"]
    assert truth(np.array(["1000268201_693b08cb0e.jpg"]))[0] is None


def test_cifars_sample_is_packed_as_kaggle_packs_it():
    dataset = sample("cifar-10")
    with zipfile.ZipFile(dataset.source.split(" in ")[1].split(" (")[0]) as archive:
        assert sorted(archive.namelist()) == ["sampleSubmission.csv", "test.7z", "train.7z", "trainLabels.csv"]
    assert dataset.train.images.shape == (300, 32, 32, 3) and dataset.submission is not None


def test_a_patient_is_a_group_and_the_validation_folder_trains():
    train = sample("pneumonia").train
    group = dict(zip(train.ids.tolist(), train.groups.tolist(), strict=True))
    assert any(name.startswith("val/") for name in group)
    by_patient: dict[str, set[int]] = {}
    for name, number in group.items():
        stem = Path(name).name
        patient = stem.split("_")[0] if stem.startswith("person") else stem.split("IM-")[1].split("-")[0]
        by_patient.setdefault(patient, set()).add(number)
    assert all(len(numbers) == 1 for numbers in by_patient.values()) and len(by_patient) == len(set(group.values()))


def test_the_small_x_rays_are_a_data_set_of_their_own():
    assert sample("pneumonia", "mnist28").train.images.shape == (96, 28, 28, 1)


# torchvision's CIFAR-10 files are pickles: they are read without running anything in them


def batches(folder: Path, content: Any = None) -> np.ndarray:
    """Write cifar-10-batches-py as Krizhevsky did (protocol 2, bytes as keys); returns the first batch's planes."""
    rng = np.random.default_rng(0)
    (folder / "cifar-10-batches-py").mkdir(parents=True)
    first = None
    for name in ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"):
        data = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
        first = data if first is None else first
        batch = {
            b"data": data,
            b"labels": [i % 10 for i in range(20)],
            b"batch_label": b"x",
            b"filenames": [b"a.png"] * 20,
        }
        (folder / "cifar-10-batches-py" / name).write_bytes(
            pickle.dumps(content if content is not None else batch, protocol=2)
        )
    return first


def torchvisions(tmp_path: Path):
    competition = find_competition(REPOSITORY / "competitions" / "cifar-10").using(DataChoice(set="torchvision"))
    return load_dataset(competition, tmp_path)


def test_torchvisions_folder_is_read(tmp_path: Path):
    first = batches(tmp_path / "cifar-10")
    dataset = torchvisions(tmp_path)
    assert dataset.train.images.shape == (100, 32, 32, 3) and len(dataset.test) == 20
    np.testing.assert_array_equal(dataset.train.images[0], first[0].reshape(3, 32, 32).transpose(1, 2, 0))
    assert dataset.train.labels[:12].tolist() == [*range(10), 0, 1] and dataset.test.labels is None


class Evil:
    def __reduce__(self):
        return (exec, ("open('/tmp/competition-harness-evil', 'w')",))


@pytest.mark.parametrize(
    "content", [Evil(), {b"data": Evil()}, io.BytesIO, np.float64(3), {b"data": np.array([{}], dtype=object)}]
)
def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, content: Any):
    batches(tmp_path / "cifar-10", content)
    with pytest.raises(UserError, match="data_batch_1: "):
        torchvisions(tmp_path)
    assert not Path("/tmp/competition-harness-evil").exists()


def test_truncated_and_missing_batches_are_told(tmp_path: Path):
    batches(tmp_path / "cifar-10")
    path = tmp_path / "cifar-10" / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="data_batch_3: not read"):
        torchvisions(tmp_path)
    path.unlink()
    with pytest.raises(UserError, match=r"data_batch_3: not there\. Unpack"):
        torchvisions(tmp_path)
