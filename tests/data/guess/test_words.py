"""What names say by whole words."""

from __future__ import annotations

import pytest

from harness.data.guess.words import of_test, of_training, words


@pytest.mark.parametrize(
    "name",
    [
        "train",
        "train_images",
        "Training",
        "trainImages",
        "x_train",
        "xtrain",
        "XTrain",
        "trainset",
        "train2019",
        "stage_2_train",
        "TRAIN",
        "train-jpg",
        "trainimgs",
    ],
)
def test_names_of_training(name: str):
    assert of_training(name) and not of_test(name)


@pytest.mark.parametrize(
    "name", ["test", "stage1_test", "testset", "Test Set", "PublicTest", "test2019", "test-jpg", "y_test", "testImages"]
)
def test_names_of_a_test(name: str):
    assert of_test(name) and not of_training(name)


@pytest.mark.parametrize(
    "name",
    ["protest", "testis", "contest", "latest", "attest", "strain", "trainer", "trained", "testimony", "train_test"],
)
def test_names_of_neither(name: str):
    assert not of_test(name) and not of_training(name)


def test_words_end_at_capitals_digits_and_marks():
    assert words("trainImages_2.npy") == ["train", "images", "npy"]
    assert words("ISICTrain-Set 2") == ["isic", "train", "set"]
