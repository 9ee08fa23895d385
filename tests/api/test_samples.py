"""`harness.Samples`: arrays that are a competition; what they may be, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import harness
from tests.conftest import TINY_RECIPE, draw


def drawn(n: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Circles and squares, uint8 (n, 12, 12), and which is which, as text."""
    rng = np.random.default_rng(seed)
    names = np.array(["circle", "square"])[np.arange(n) % 2]
    return np.stack([draw(name, rng) for name in names]), names


def trained(samples: harness.Samples, tmp_path: Path, **set: object) -> harness.api.FinishedRun:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY_RECIPE)
    settings = {"train.epochs": 1, "cv.folds": 2, **set}
    return harness.cv(samples, str(recipe), set=settings, workers=1, out=tmp_path, quiet=True)


def test_arrays_are_a_competition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    images, names = drawn()
    samples = harness.Samples(
        images,
        names,
        ids=[f"r{i}" for i in range(40)],
        groups=np.arange(40) // 4,
        test_images=images[:6],
        name="shapes-2",
    )
    run = trained(samples, tmp_path)
    assert run.path.parent == tmp_path / "oof" / "shapes-2" and not (tmp_path / "competitions").exists()
    assert run.oof["label"].tolist() == names.tolist() and run.oof["id"].tolist()[:2] == ["r0", "r1"]
    folds = run.oof["fold"].to_numpy().reshape(-1, 4)
    assert (folds == folds[:, :1]).all()  # groups share a fold
    assert run.test is not None and run.test["id"].tolist() == [str(i) for i in range(6)]
    data = samples.contest().data(quiet=True)
    np.testing.assert_array_equal(data.train.images[..., 0], images)


def test_the_same_arrays_are_the_same_competition_and_others_are_not():
    images, names = drawn()
    first, again = harness.Samples(images, names), harness.Samples(images.tolist() and list(images), list(names))
    other = images.copy()
    other[0, 0, 0] ^= 1
    assert first.folder == again.folder
    assert len({first.digest, harness.Samples(other, names).digest, harness.Samples(images, names[::-1]).digest}) == 3
    assert harness.Samples(images, names, groups=np.arange(40)).digest != first.digest
    unknown = harness.Samples(images, names, groups=[None, float("nan"), "row 0", *["a"] * 37])._beside["groups"]
    assert unknown.tolist()[:4] == ["row 1", "row 2", "row 0", "a"]
    when = np.array(["2024-01-01"] * 40, dtype="datetime64[D]")
    for odd, named in ((when, "datetime64"), (list(when), "date")):
        with pytest.raises(harness.UserError, match=f"columns\\['taken'\\]: holds {named}"):
            harness.Samples(images, names, columns={"taken": odd})


@pytest.mark.parametrize(
    ("labels", "task", "classes"),
    [
        (["b", "a", "c", "a"], "single", ("a", "b", "c")),
        ([10, 9, 10, 9], "binary", ("9", "10")),
        ([True, False, True, True], "binary", ("False", "True")),
        ([2.0, 1.0, 0.0, 1.0], "single", ("0.0", "1.0", "2.0")),
        ([0.5, 1.0, 2.0, 3.0], "regression", ("value",)),
        ([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]], "multilabel", ("0", "1", "2")),
        ([[0.5, 1], [1, 2], [3, 4], [5, 6]], "regression", ("0", "1")),
    ],
)
def test_the_task_is_seen_in_the_labels(labels: list, task: str, classes: tuple[str, ...]):
    samples = harness.Samples(np.zeros((4, 3, 3), np.uint8), labels)
    assert (samples.targets.task, samples.targets.classes) == (task, classes)
    values = samples.targets.values
    if task in ("single", "binary"):
        assert samples.targets.originals[values].tolist() == labels
    else:
        np.testing.assert_allclose(values, np.array(labels, np.float32).reshape(4, -1))


def test_every_task_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    images, names = drawn()
    square = (names == "square").astype(int)
    light = images.reshape(40, -1).mean(axis=1)
    several = trained(harness.Samples(images, np.stack([square, light > np.median(light)], axis=1)), tmp_path)
    assert several.score.metric == "samples_f1" and {"label_0", "label_1"} <= set(several.oof.columns)
    number = trained(harness.Samples(images, light / 255), tmp_path)
    assert number.score.metric == "rmse" and number.oof["label_value"].to_numpy() == pytest.approx(light / 255)
    grades = trained(harness.Samples(images, square, task="ordinal"), tmp_path)
    assert grades.score.metric == "quadratic_kappa"


def test_columns_stand_beside_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    images, names = drawn()
    table = pd.DataFrame({"width": np.linspace(0, 1, 46), "site": ["north", "south"] * 23})
    samples = harness.Samples(
        images,
        names,
        columns=table[:40],
        test_images=images[:6],
        test_ids=[f"t{i}" for i in range(6)],
        test_columns=table[40:],
    )
    found = samples.contest().data(quiet=True)
    assert found.train.columns is not None and found.test is not None and found.test.columns is not None
    assert found.train.columns.number_names == ("width",) and list(found.train.columns.categories) == ["site"]
    np.testing.assert_allclose(found.test.columns.numbers[:, 0], table["width"][40:], rtol=1e-6)
    with pytest.raises(harness.UserError, match="id '0' is of a training row and of a test row"):
        harness.Samples(images, names, columns=table[:40], test_images=images[:6], test_columns=table[40:]).contest()


IMAGES = np.zeros((4, 3, 3), np.uint8)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"images": IMAGES.astype(float)}, r"images: are float64.*astype\('uint8'\)"),
        ({"images": [IMAGES[0], IMAGES[0, :2]]}, "bring (all|them) to one size"),
        ({"images": np.zeros((4, 3, 80, 80), np.uint8)}, "channels come last"),
        ({"labels": ["a", "b"]}, "labels: has 2 rows, images 4"),
        ({"labels": ["a", None, "b", "a"]}, r"labels: row 1 \(from 0\): is empty"),
        ({"labels": ["a"] * 4}, "are all 'a'; there must be two classes"),
        ({"labels": np.array([1, "1", 2, 2], dtype=object)}, "two classes are written '1'"),
        ({"labels": ["a", "b\x1b[31m", "a", "a"]}, "cannot be printed"),
        ({"labels": [0.5, np.nan, 1, 2]}, "row 1, column 0"),
        ({"labels": [[0, 2]] * 4, "task": "multilabel"}, "row 0, column 1.*0 or 1"),
        ({"task": "singel"}, "did you mean 'single'"),
        ({"classes": ["a", "c"]}, r"row 1 \(from 0\): 'b' is none of classes"),
        ({"ids": ["x", "y", "", "z"]}, r"ids: row 2 \(from 0\): '' is empty"),
        ({"groups": [1, 2]}, "groups: has 2 rows"),
        ({"name": "../out"}, "it is a folder's name"),
        ({"test_images": np.zeros((2, 5, 5), np.uint8)}, "bring them to one size"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(given: dict, said: str):
    with pytest.raises(harness.UserError, match=f"(?s){said}"):
        harness.Samples(**{"images": IMAGES, "labels": ["a", "b", "a", "b"], **given})


def test_ids_that_stand_twice_are_refused():
    with pytest.raises(harness.UserError, match="x"):
        harness.Samples(IMAGES, ["a", "b", "a", "b"], ids=["x", "y", "x", "z"]).contest().data(quiet=True)


@pytest.mark.parametrize(
    "more", [{}, {"predict.tta": ["identity", "shift1"], "train.seeds": 2}, {"data.size": [16, 16]}]
)
def test_new_images_are_predicted_as_the_test_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict):
    monkeypatch.chdir(tmp_path)
    images, names = drawn()
    run = trained(harness.Samples(images, names, test_images=images[:7]), tmp_path, **more)
    assert run.test is not None
    expected = run.test[["proba_circle", "proba_square"]].to_numpy()
    np.testing.assert_array_equal(run.predict(images[:7]), expected)
    with pytest.raises(harness.UserError, match=r"wanted uint8 \(n, 12, 12, 1\), as the training images"):
        run.predict(images[:, :6])
