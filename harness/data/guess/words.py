"""What names of files, folders, arrays and columns say by whole words: 'x_train' is of training, 'protest' of no test."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_MEANT = r"s|set|sets|data|dataset|imgs?|images?|photos?|pics?|pictures?|jpe?gs?|pngs?|tifs?|files?|labels?|rows?|ing|ingset|ingdata|ingimages?"
_TRAIN = re.compile(rf"[xy]?train({_MEANT}|val|valid|validation)?", re.I)
_TEST = re.compile(rf"[xy]?test({_MEANT})?", re.I)
_BREAK = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z]+")


def words(name: str) -> list[str]:
    """The words of a name in lower case: 'trainImages_2.npy' is 'train', 'images', 'npy'."""
    return [word.lower() for word in _BREAK.split(name) if word]


def of_training(name: str) -> bool:
    """Whether a name speaks of training and of no test: 'train_images', 'Training Set', 'x_train', 'trainset'."""
    return _says(name, _TRAIN) and not _says(name, _TEST)


def of_test(name: str) -> bool:
    """Whether a name speaks of a test and of no training: 'stage1_test', 'testset', 'test2019'; not 'train_test_labels'."""
    return _says(name, _TEST) and not _says(name, _TRAIN)


def of_test_path(path: str) -> bool:
    """Whether a file is the test's: by its name, or the nearest folder above that speaks of either: not 'test/train.csv'."""
    parts = reversed(PurePosixPath(path).parts)
    return of_test(next((part for part in parts if of_training(part) or of_test(part)), ""))


def _says(name: str, pattern: re.Pattern[str]) -> bool:
    return any(pattern.fullmatch(word) for word in words(name))


def has_word(name: str, *wanted: str) -> bool:
    """Whether one of these is a word of the name."""
    return not set(wanted).isdisjoint(words(name))


def of_validation(name: str) -> bool:
    """Whether a name speaks of rows with labels that are kept for validation: 'X_val', 'jpeg/validation'."""
    return has_word(name, "val", "valid", "validation", "dev")


def of_labels(name: str) -> bool:
    """Whether a name speaks of labels: 'y_train', 'labels'."""
    return has_word(
        name, "label", "labels", "target", "targets", "y", "ytrain", "class", "classes", "category", "categories"
    )
