"""Folds: stratified, grouped, seeded, saved once."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.errors import UserError
from harness.base.storage.manifest import manifest_beside
from harness.competition import Samples, find_competition
from harness.competition.recipe import CvSpec
from harness.cv.folds import FoldsJob, folds_path, load_folds, make_folds, rare_classes
from harness.data.dataset import load_dataset
from harness.runs import Folds

CLASSES = ("a", "b", "c")


def samples(labels: np.ndarray, groups: np.ndarray | None = None) -> Samples:
    n = len(labels)
    return Samples(np.arange(n).astype(str), np.zeros((n, 1, 1, 1), np.uint8), labels.astype(np.int64), groups=groups)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), k=st.integers(2, 6), n=st.integers(60, 300))
def test_every_fold_has_its_share_of_every_class(seed: int, k: int, n: int):
    labels = np.r_[np.repeat([0, 1, 2], 6), np.random.default_rng(seed).integers(3, size=n)]
    folds = make_folds(samples(labels), CLASSES, CvSpec(folds=k, seed=seed))
    for c in range(3):
        counts = np.bincount(folds.fold[labels == c], minlength=k)
        assert counts.max() - counts.min() <= 1
    assert folds.k == k


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), k=st.integers(2, 5))
def test_a_group_never_stands_on_both_sides(seed: int, k: int):
    rng = np.random.default_rng(seed)
    groups = rng.integers(60, size=200)
    labels = np.array([0, 1, 2] * 20)[groups]  # a group has one class
    folds = make_folds(samples(labels, groups), CLASSES, CvSpec(folds=k, seed=seed))
    for g in np.unique(groups):
        assert len(set(folds.fold[groups == g])) == 1
    for fold in range(k):
        assert not set(groups[folds.train_rows(fold)]) & set(groups[folds.valid_rows(fold)])


def test_the_seed_decides():
    labels = np.arange(90) % 3
    first, again, other = (make_folds(samples(labels), CLASSES, CvSpec(seed=s)).hash for s in (1, 1, 2))
    assert first == again != other


def test_rare_classes_stay_and_are_named():
    """A class of one image is trained on; it was refused, with a cure that could not be carried out."""
    labels = np.array([0] * 9 + [1] * 9 + [2] * 1)
    folds = make_folds(samples(labels), CLASSES, CvSpec())
    assert sorted(np.bincount(folds.fold)) == [3, 4, 4, 4, 4]
    (said,) = rare_classes(labels, np.arange(19), CLASSES, 5)
    assert "1 of 3 classes" in said and "'c' 1" in said
    assert rare_classes(np.arange(90) % 3, np.arange(90), CLASSES, 5) == []
    alone = make_folds(samples(np.array([0, 1, 2, 0, 1, 2])), CLASSES, CvSpec(folds=5))  # no class has five
    assert alone.k == 5


@pytest.mark.parametrize(
    ("n", "groups", "k", "said"),
    [
        (4, None, 5, "4 training rows are too few for 5 folds. Lower it: --set cv.folds=4"),
        (9, [0] * 5 + [1] * 4, 5, "9 training rows in 2 groups are too few for 5 folds. Lower it: --set cv.folds=2"),
        (
            6,
            [0] * 6,
            2,
            "6 training rows in 1 groups are too few for 2 folds. Two are the least: there must be more data",
        ),
    ],
)
def test_too_few_rows_for_the_folds(n: int, groups: list[int] | None, k: int, said: str):
    rows = samples(np.arange(n) % 3, None if groups is None else np.array(groups))
    with pytest.raises(UserError, match=said):
        make_folds(rows, CLASSES, CvSpec(folds=k))
    cure = re.search(r"cv\.folds=(\d+)", said)
    if cure:  # which cures
        assert make_folds(rows, CLASSES, CvSpec(folds=int(cure[1]))).k == int(cure[1])


def test_another_seed_is_tried_before_folds_are_refused():
    """Groups of unlike size: by some seeds a fold lacks a class."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        groups = np.repeat(np.arange(12), rng.integers(1, 9, 12))
        labels = np.repeat(np.r_[np.arange(10) % 2, 2, 2], np.bincount(groups))
        folds = make_folds(samples(labels, groups), CLASSES, CvSpec(folds=2))
        assert all(set(labels[folds.fold == k]) == {0, 1, 2} for k in range(2))


def test_saved_folds_are_the_truth(shapes: Path):
    competition = find_competition(shapes / "competitions" / "shapes")
    dataset = load_dataset(competition, shapes / "data")
    path = folds_path(shapes, dataset.fingerprint, CvSpec())
    job = FoldsJob(dataset.cache, competition.classes, CvSpec(), path)
    job(lambda *said: None)
    made = load_folds(dataset.train, path)
    text = path.read_text().splitlines()
    name, group, fold, kept = text[1].split(",")
    fold = int(fold)
    path.write_text("\n".join([text[0], f"{name},{group},{(fold + 1) % 5},{kept}", *text[2:]]) + "\n")
    manifest_beside(path).unlink()  # as another version of scikit-learn made them, before there were checksums
    job(lambda *said: None)
    again = load_folds(dataset.train, path)
    assert again.fold[0] == (fold + 1) % 5 and again.hash != made.hash


@pytest.mark.parametrize("changed", [samples(np.arange(60) % 3), samples(np.arange(90) % 3, np.arange(90) // 2)])
def test_saved_folds_of_other_rows_or_groups_are_refused(tmp_path: Path, changed: Samples):
    path = tmp_path / "folds.csv"
    make_folds(samples(np.arange(90) % 3), CLASSES, CvSpec()).save(path)
    with pytest.raises(UserError, match="its ids or groups are not those of the data"):
        load_folds(changed, path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "id,group,fold\n1,0,0\n",
        "id,group,fold,kept\n",
        "id,group,fold,kept\n1,0,x,1\n",
        "id,group,fold,kept\n1,0,1\n",
        "id,group,fold,kept\n1,0,0,no\n",
    ],
)
def test_a_file_that_is_no_folds_file_is_refused(tmp_path: Path, text: str):
    (tmp_path / "folds.csv").write_text(text)
    with pytest.raises(UserError, match=r"folds\.csv: not a folds file with columns id, group, fold"):
        Folds.load(tmp_path / "folds.csv")
