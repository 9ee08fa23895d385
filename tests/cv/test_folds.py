"""Folds: stratified, grouped, seeded, saved once."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from harness.base.errors import UserError
from harness.base.storage.manifest import manifest_beside
from harness.clean.verdicts import Verdict, write_verdicts
from harness.competition import Recipe, Samples, find_competition
from harness.competition.recipe import CvSpec, ModelSpec
from harness.competition.tasks import TASKS
from harness.competition.train_spec import TrainSpec
from harness.cv import folds as module
from harness.cv.folds import (
    FoldsJob,
    folds_path,
    load_folds,
    make_folds,
    rare_classes,
    restore_folds,
    saved_faults,
    split_watched,
    strata_of,
)
from harness.data.dataset import load_dataset
from harness.runs import RunFolder, load_run
from tests.runs.test_run import make_run

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


def test_classes_with_just_as_many_rows_as_folds_are_in_each():
    labels = np.repeat([0, 1, 2], 5)
    folds = make_folds(samples(labels), CLASSES, CvSpec(folds=5))
    assert all(sorted(labels[folds.valid_rows(k)]) == [0, 1, 2] for k in range(5))


def test_groups_stay_together_where_no_class_has_a_row_for_each_fold():
    groups = np.array([0, 1, 2, 3, 0, 1, 2, 3])
    folds = make_folds(samples(np.arange(8), groups), tuple("abcdefgh"), CvSpec(folds=3))
    assert folds.k == 3 and (folds.fold[:4] == folds.fold[4:]).all()


def test_the_seed_decides_of_groups_too_where_every_class_is_rare():
    rows = samples(np.arange(40) // 2, np.arange(40) // 4)
    first, again, other = (make_folds(rows, tuple(map(str, range(20))), CvSpec(folds=3, seed=s)) for s in (0, 0, 1))
    assert first.hash == again.hash != other.hash
    assert sorted(np.bincount(other.fold)) == [12, 12, 16]


def test_very_many_classes_and_groups_are_split_without_a_table_of_them(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    groups = rng.integers(200, size=600)
    labels = rng.integers(9, size=200)[groups]
    plain = make_folds(samples(labels, groups), tuple("abcdefghi"), CvSpec())
    monkeypatch.setattr(module, "_MOST_CELLS", 1000)
    monkeypatch.setattr(module, "rarest_first_folds", watched := Mock(wraps=module.rarest_first_folds))
    folds = make_folds(samples(labels, groups), tuple("abcdefghi"), CvSpec())
    assert watched.call_count == 1 and folds.hash != plain.hash
    assert all(len(set(folds.fold[groups == g])) == 1 for g in np.unique(groups))
    counts = np.array([np.bincount(labels[folds.fold == k], minlength=9) for k in range(5)])
    assert (np.ptp(counts, axis=0) <= 8).all() and np.ptp(counts.sum(axis=1)) <= 12


def test_rows_without_groups_are_split_as_scikit_learn_does():
    """Folds are made again where their file is lost: another splitter would make runs that cannot be compared."""
    labels = np.arange(90) % 3
    folds = make_folds(samples(labels), CLASSES, CvSpec(folds=5, seed=4))
    by_hand = StratifiedKFold(n_splits=5, shuffle=True, random_state=4).split(labels, labels)
    assert [folds.valid_rows(k).tolist() for k in range(5)] == [valid.tolist() for _, valid in by_hand]


def test_the_largest_seed_can_be_followed_by_another(monkeypatch: pytest.MonkeyPatch):
    labels, found = np.arange(90) % 3, iter([np.array([[0, 0]]), np.zeros((0, 2), int)])
    monkeypatch.setattr(module, "_lacking", lambda *given: next(found))
    again = make_folds(samples(labels), CLASSES, CvSpec(seed=2**32 - 1))
    monkeypatch.undo()
    assert again.hash == make_folds(samples(labels), CLASSES, CvSpec(seed=1_000_002)).hash  # modulo 2^32


@pytest.mark.parametrize("grouped", [False, True])
def test_rows_that_are_left_out_follow_their_group_or_are_dealt_out_in_turn(grouped: bool):
    labels, groups = np.arange(120) % 3, np.arange(120) // 2 if grouped else np.arange(120)
    kept = np.arange(120) % 4 != 1 if grouped else np.arange(120) >= 10  # the second of a pair, or whole groups
    folds = make_folds(samples(labels, groups), CLASSES, CvSpec(folds=4), kept)
    np.testing.assert_array_equal(folds.kept, kept)
    if grouped:
        assert (folds.fold[::2] == folds.fold[1::2]).all()
    else:
        assert np.bincount(folds.fold[~kept], minlength=4).tolist() == [3, 3, 2, 2]
        assert folds.fold[~kept].tolist() == [i % 4 for i in range(10)]
    alone = make_folds(samples(labels[kept], groups[kept]), CLASSES, CvSpec(folds=4))
    np.testing.assert_array_equal(folds.fold[kept], alone.fold)  # they have no say in the split


def several(n: int, seed: int = 0) -> np.ndarray:
    """Three labels a row, float32 (n, 3): common, seldom, rare."""
    return (np.random.default_rng(seed).random((n, 3)) < [0.6, 0.3, 0.1]).astype(np.float32)


def test_each_of_several_labels_is_spread_evenly_and_groups_stay_together():
    targets, groups = several(400), np.arange(400) // 2
    rows = replace(samples(np.zeros(400), groups), labels=targets)
    kept = np.arange(400) % 20 > 1
    folds = make_folds(rows, CLASSES, CvSpec(folds=4), kept, TASKS["multilabel"])
    assert (folds.fold[::2] == folds.fold[1::2]).all() and folds.k == 4 and folds.fold.min() == 0
    counts = np.array([targets[folds.scored_rows([k])].sum(axis=0) for k in range(4)])
    assert (np.ptp(counts, axis=0) <= [16, 8, 4]).all()
    np.testing.assert_array_equal(folds.kept, kept)
    np.testing.assert_array_equal(folds.groups, groups)
    assert np.bincount(folds.fold[~kept], minlength=4).tolist() == [10, 10, 10, 10]  # left-out groups in turn
    other = make_folds(rows, CLASSES, CvSpec(folds=4, seed=1), kept, TASKS["multilabel"])
    assert other.hash != folds.hash == make_folds(rows, CLASSES, CvSpec(folds=4), kept, TASKS["multilabel"]).hash


def test_what_a_part_of_the_rows_is_balanced_on():
    classes = np.array([2, 0, 1])
    assert strata_of(classes) is classes
    labels = np.float32([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]])
    assert strata_of(labels).tolist() == [1, 2, 3, 0]  # the rarest that a row has
    assert strata_of(np.arange(40, dtype=np.float32)[::-1, None]).tolist() == np.repeat([3, 2, 1, 0], 10).tolist()


def test_numbers_are_spread_by_their_size():
    numbers = np.random.default_rng(0).normal(size=(300, 1)).astype(np.float32)
    folds = make_folds(replace(samples(np.zeros(300)), labels=numbers), ("age",), CvSpec(), task=TASKS["regression"])
    tenth = np.argsort(np.argsort(numbers[:, 0])) // 30
    for k in range(5):
        assert np.bincount(tenth[folds.fold == k], minlength=10).tolist() == [6] * 10


def test_few_groups_of_numbers_are_split_as_well_as_they_can_be():
    """A fold without a tenth of the numbers was refused, by the name of a class that nobody has."""
    numbers = np.arange(200, dtype=np.float32)[:, None]
    rows = replace(samples(np.zeros(200), np.arange(200) // 20), labels=numbers)
    folds = make_folds(rows, ("age",), CvSpec(folds=5), task=TASKS["regression"])
    assert np.bincount(folds.fold).tolist() == [40] * 5
    rng = np.random.default_rng(0)
    mixed = replace(rows, labels=rng.normal(size=(200, 1)).astype(np.float32) + rng.normal(size=(10, 1))[rows.groups])
    assert make_folds(mixed, ("age",), CvSpec(folds=5), task=TASKS["regression"]).k == 5


def test_rare_labels_are_named_and_numbers_never():
    targets = np.zeros((20, 3), np.float32)
    targets[:9, 0] = targets[:3, 1] = targets[:8, 2] = 1
    (said,) = rare_classes(targets, np.r_[np.arange(4), np.full(4, 4), np.arange(5, 17)], CLASSES, 5)
    assert "1 of 3 classes" in said and "'b' 3." in said  # of c there are eight rows, in five groups
    assert rare_classes(targets * 0.7, np.arange(20), CLASSES, 50) == []


@pytest.mark.parametrize("kind", ["labels", "numbers"])
def test_early_stopping_watches_labels_and_numbers_alike(kind: str):
    numbers = np.random.default_rng(1).normal(size=(400, 2)).astype(np.float32)
    rows = replace(samples(np.zeros(400)), labels=several(400) if kind == "labels" else numbers)
    task = TASKS["multilabel" if kind == "labels" else "regression"]
    folds = make_folds(rows, CLASSES, CvSpec(folds=2), task=task)
    train, watched = split_watched(rows, folds, 0, recipe(patience=1, inner_fraction=0.25))
    assert sorted([*train, *watched]) == folds.train_rows(0).tolist() and len(watched) == pytest.approx(50, abs=5)
    if kind == "labels":
        assert rows.labels[watched, 2].sum() == pytest.approx(rows.labels[train, 2].sum() / 3, abs=1.5)
    else:
        high = numbers.mean(axis=1) > np.median(numbers[folds.train_rows(0)].mean(axis=1))
        assert high[watched].mean() == pytest.approx(0.5, abs=0.1)


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
            "6 training rows in 1 group are too few for 2 folds. Two are the least: there must be more data",
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


UNLIKE = (
    np.array([0] * 5 + [1] * 7 + [2] * 2 + [3] * 3 + [4] * 8 + [5]),
    np.array([1, 0, 0, 0, 0, 0, 0, 2, 1, 1, 2, 0, 0, 0, 0, 0, 2, 2, 0, 1, 2, 0, 0, 0, 0, 0]),
)
"""Groups and labels: class c has five rows in three groups, two of which are so large that they never get folds of their own."""


def test_folds_that_lack_a_common_class_by_every_seed_are_refused_with_a_cure_that_cures():
    groups, labels = UNLIKE
    with pytest.raises(UserError) as refused:
        make_folds(samples(labels, groups), CLASSES, CvSpec(folds=3))
    said = re.fullmatch(
        r"fold ([012]) has no sample of class 'c' \(5 samples, 3 folds; groups stay together\), by 20 seeds\. "
        r"Lower it: --set cv\.folds=2\.",
        str(refused.value),
    )
    assert said, refused.value
    folds = make_folds(samples(labels, groups), CLASSES, CvSpec(folds=2))
    assert all(set(labels[folds.fold == k]) == {0, 1, 2} for k in range(2))


def test_two_folds_cannot_be_lowered(monkeypatch: pytest.MonkeyPatch):
    groups = np.array([0] * 8 + [1] * 6 + [2] * 3 + [3] * 4 + [4, 5])
    labels = np.array([1, 2, 0, 1, 0, 2, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2])
    assert make_folds(samples(labels, groups), CLASSES, CvSpec(folds=2)).k == 2  # by another seed
    monkeypatch.setattr(module, "_SEEDS", 1)
    with pytest.raises(
        UserError,
        match=r"fold [01] has no sample of class 'c' \(3 samples, 2 folds.*Two folds are the least; its groups are too unlike",
    ):
        make_folds(samples(labels, groups), CLASSES, CvSpec(folds=2))


def test_of_many_rare_classes_five_are_named():
    classes = tuple("abcdefg")
    labels = np.r_[np.repeat(np.arange(6), 2), np.full(5, 6)]
    (said,) = rare_classes(labels, np.arange(17), classes, 3)
    assert "6 of 7 classes" in said and "'e' 2, ..." in said and "'f'" not in said
    assert "folds: 'a' 2, 'b' 2, 'c' 2, 'd' 2, 'e' 2, ...." in said
    (said,) = rare_classes(np.r_[labels[2:], [0] * 4], np.arange(19), classes, 3)
    assert "5 of 7 classes" in said and "'f' 2. They" in said
    (said,) = rare_classes(labels[2:], np.arange(15), classes, 3)
    assert "6 of 7 classes" in said and "'a' 0" in said  # a class without any image
    (said,) = rare_classes(np.repeat([0, 1, 2], 6), np.r_[np.zeros(6, int), np.arange(1, 13)], classes[:3], 3)
    assert "1 of 3 classes" in said and "'a' 1." in said and "..." not in said  # six images of one group


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
    assert manifest_beside(path).is_file() and saved_faults(path) == []
    path.write_text("\n".join([text[0], f"{name},{group},{(fold + 2) % 5},{kept}", *text[2:]]) + "\n")
    assert saved_faults(path)  # from then on a change is seen
    job(lambda *said: None)
    assert load_folds(dataset.train, path).hash == made.hash


def test_folds_go_by_verdicts_and_are_saved_apart_from_those_that_go_by_none(shapes: Path):
    competition = find_competition(shapes / "competitions" / "shapes")
    dataset = load_dataset(competition, shapes / "data")
    assert folds_path(shapes, "f00d", CvSpec(folds=4, seed=2)).name == "f00d-k4-seed2.csv"
    path = folds_path(shapes, "f00d", CvSpec(), "beef")
    assert path == shapes / "f00d-clean-beef-k5-seed0.csv" and saved_faults(path) == [f"{path.name} is not there"]
    verdicts = shapes / "clean.csv"
    out = str(dataset.train.ids[3])
    write_verdicts(verdicts, [Verdict(out, "unclear", "exclude", "", "")])
    FoldsJob(dataset.cache, competition.classes, CvSpec(), path, verdicts)(lambda *said: None)
    folds = load_folds(dataset.train, path)
    assert folds.ids[~folds.kept].tolist() == [out]


ROWS = Samples(
    np.array([f"r{i}" for i in range(12)]), np.zeros((12, 1, 1, 1), np.uint8), np.arange(12) % 2, groups=np.arange(12)
)
"""The rows of `make_run`."""


def restored(path: Path, homes: Path, rows: Samples = ROWS) -> list[str]:
    said: list[str] = []
    restore_folds(path, homes, rows, said.append)
    return said


def test_lost_and_damaged_folds_come_back_from_a_run_that_used_them(tmp_path: Path):
    make_run(tmp_path / "oof" / "a-other-seed", fold_seed=1)
    make_run(tmp_path / "oof" / "b-other-data", fingerprint="beef")
    make_run(tmp_path / "oof" / "c-damaged").path.joinpath("recipe.json").write_text("{")
    strange = make_run(tmp_path / "oof" / "c-strange")
    (tmp_path / "oof" / "c-without-data").mkdir()
    RunFolder(tmp_path / "oof" / "c-without-data").start(strange.recipe(), load_run(strange.path).folds, {})
    shutil.rmtree(strange.path)
    wanted = make_run(tmp_path / "oof" / "d-that-one").path / "folds.csv"
    path = folds_path(tmp_path, "f00d", CvSpec(folds=3, seed=0))
    for damage in (None, "id,group"):
        if damage:
            path.write_text(damage)
        assert restored(path, tmp_path / "oof") == [f"{path}: restored from run 'd-that-one'"]
        assert path.read_text() == wanted.read_text() and saved_faults(path) == []


def test_folds_of_other_rows_groups_numbers_or_verdicts_are_not_taken(tmp_path: Path):
    make_run(tmp_path / "oof" / "one")
    taken = folds_path(tmp_path, "f00d", CvSpec(folds=3, seed=0))
    others = [
        (folds_path(tmp_path, "f00d", CvSpec(folds=4, seed=0)), ROWS),
        (folds_path(tmp_path, "f00d", CvSpec(folds=3, seed=3)), ROWS),
        (folds_path(tmp_path, "f00d", CvSpec(folds=3, seed=0), "beef"), ROWS),
        (taken, replace(ROWS, ids=np.array([f"s{i}" for i in range(12)]))),
        (taken, replace(ROWS, groups=np.arange(12) // 2)),
    ]
    for path, rows in others:
        assert restored(path, tmp_path / "oof", rows) == [] and not path.exists()
        path.write_text("damaged")
        manifest_beside(path).write_text("damaged")
        assert restored(path, tmp_path / "oof", rows) == [f"{path}: damaged; the folds are made anew"]
        assert not path.exists() and not manifest_beside(path).exists()
    assert restored(taken, tmp_path / "oof")


def test_folds_by_verdicts_come_back_from_a_run_by_the_same(tmp_path: Path):
    folder = make_run(tmp_path / "oof" / "one", clean="beef")
    path = folds_path(tmp_path, "f00d", CvSpec(folds=3, seed=0), "beef")
    assert restored(path, tmp_path / "oof") == [f"{path}: restored from run '{folder.name}'"]
    assert restored(folds_path(tmp_path, "f00d", CvSpec(folds=3, seed=0)), tmp_path / "oof") == []


def recipe(**train) -> Recipe:
    return Recipe(name="x", model=ModelSpec(name="cnn"), train=TrainSpec(**train))


def test_nothing_is_watched_without_patience_and_the_scored_rows_only_when_asked_for():
    rows = samples(np.arange(90) % 3)
    folds = make_folds(rows, CLASSES, CvSpec())
    train, watched = split_watched(rows, folds, 1, recipe())
    assert watched is None and train.tolist() == folds.train_rows(1).tolist()
    train, watched = split_watched(rows, folds, 1, recipe(patience=2, stop_on="validation"))
    assert train.tolist() == folds.train_rows(1).tolist() and watched.tolist() == folds.valid_rows(1).tolist()


@pytest.mark.parametrize(("share", "parts"), [(0.1, 10), (0.25, 4), (0.5, 2)])
def test_early_stopping_watches_a_share_of_the_training_rows_whole_groups_and_classes_alike(share: float, parts: int):
    groups, labels = np.arange(600) // 2, np.arange(600) // 2 % 3
    rows = samples(labels, groups)
    kept = np.arange(600) % 30 != 0
    folds = make_folds(rows, CLASSES, CvSpec(), kept)
    chosen = recipe(patience=2, inner_fraction=share)
    train, watched = split_watched(rows, folds, 2, chosen)
    assert sorted([*train, *watched]) == folds.train_rows(2).tolist()
    assert not set(groups[train]) & set(groups[watched])
    assert len(watched) == pytest.approx(len(folds.train_rows(2)) / parts, rel=0.1)
    due = np.bincount(labels[folds.train_rows(2)], minlength=3) / parts
    assert abs(np.bincount(labels[watched], minlength=3) - due).max() <= 3
    again = split_watched(rows, folds, 2, chosen)
    assert again[1].tolist() == watched.tolist()


@pytest.mark.filterwarnings("error")
def test_too_few_groups_to_watch_are_told_and_just_enough_are_taken():
    labels, groups = np.arange(16) % 2, np.arange(16) // 2 // 2
    rows = samples(labels, groups)  # 4 groups
    folds = make_folds(rows, CLASSES, CvSpec(folds=2))
    said = (
        "train.patience: fold 1 has 2 groups to train on, too few to hold 33% of them out. Raise train.inner_fraction, or take "
        "train.patience out."
    )
    with pytest.raises(UserError, match=said):
        split_watched(rows, folds, 1, recipe(patience=1, inner_fraction=1 / 3))
    train, watched = split_watched(rows, folds, 1, recipe(patience=1, inner_fraction=0.5))
    assert len(train) == len(watched) == 4
    few = samples(np.array([0] * 20 + [1] * 3))  # a class with fewer rows than parts is no reason to warn
    assert split_watched(few, make_folds(few, CLASSES, CvSpec(folds=2)), 0, recipe(patience=1))[1] is not None


@pytest.mark.parametrize("changed", [samples(np.arange(60) % 3), samples(np.arange(90) % 3, np.arange(90) // 2)])
def test_saved_folds_of_other_rows_or_groups_are_refused(tmp_path: Path, changed: Samples):
    path = tmp_path / "folds.csv"
    make_folds(samples(np.arange(90) % 3), CLASSES, CvSpec()).save(path)
    with pytest.raises(UserError, match="its ids or groups are not those of the data"):
        load_folds(changed, path)


def given(fold: list[int], groups: list[int] | None = None) -> Samples:
    n = len(fold)
    return Samples(
        np.array([f"r{i}" for i in range(n)]),
        np.zeros((n, 2, 2, 1), np.uint8),
        np.arange(n) % 2,
        fold=np.array(fold, np.int8),
        groups=np.array(groups if groups else range(n)),
    )


def test_folds_that_the_data_give_are_taken():
    folds = make_folds(given([0, 1, 1, 0]), ("a", "b"), CvSpec(folds=2))
    assert folds.fold.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (given([0, 1, 2, 0]), "Write --set cv.folds=3"),
        (given([0, 0, 0, 0]), "correct the column"),
        (given([0, 1, 1, 0], [5, 5, 6, 7]), "'r0' and 'r1' are of one group and lie in folds 0 and 1"),
    ],
)
def test_given_folds_that_do_not_fit_are_told(samples: Samples, said: str):
    with pytest.raises(UserError, match="data.fold") as error:
        make_folds(samples, ("a", "b"), CvSpec(folds=2))
    assert said in str(error.value)
