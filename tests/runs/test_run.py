"""Run folders: what was written is read back; what is missing, damaged or mixed up is refused with the cure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.base.errors import UserError
from harness.base.files import write_json
from harness.competition import Recipe
from harness.competition.recipe import CvSpec, ModelSpec
from harness.runs import FoldResult, Folds, Run, RunFolder, load_run, runs_of
from harness.runs.align import align_rows, check_alignable

CLASSES = ["cat", "dog"]


def make_run(path: Path, *, fold_seed: int = 0, fingerprint: str = "f00d", classes: list[str] = CLASSES) -> RunFolder:
    """A finished run of 12 rows in 3 folds and 4 test rows, made without training."""
    rng = np.random.default_rng(0)
    folds = Folds(
        ids=np.array([f"r{i}" for i in range(12)]),
        groups=np.arange(12),
        fold=np.random.default_rng(fold_seed).permutation(np.arange(12) % 3).astype(np.int8),
    )
    folder = RunFolder(path)
    recipe = Recipe(name=path.name, model=ModelSpec(name="cnn"), cv=CvSpec(folds=3, seed=fold_seed))
    data = {"fingerprint": fingerprint, "source": f"real data {fingerprint}", "n_test": 4}
    folder.start(recipe, folds, {"competition": {"classes": classes}, "data": data})
    proba = rng.dirichlet(np.ones(2), 12).astype(np.float32)
    columns = {f"proba_{c}": proba[:, i] for i, c in enumerate(classes)}
    oof = pd.DataFrame({"id": folds.ids, "label": np.arange(12) % 2, "fold": folds.fold} | columns)
    test = pd.DataFrame({"id": list("abcd")} | {name: column[:4] for name, column in columns.items()})
    folder.save_tables(oof, test, [{"fold": 0, "epoch": 1, "loss": 0.5}])
    for fold in range(3):
        valid = folds.valid_rows(fold)
        folder.save_fold(FoldResult(fold, valid, proba[valid], proba[:4], [{"epoch": 1}], 1.5))
    write_json(path / "scores.json", {"metric": "accuracy", "folds": [0, 1, 2], "metrics": {}})
    return folder


def test_what_was_written_is_read_back(tmp_path: Path):
    folder = make_run(tmp_path / "oof" / "pets" / "one")
    run = load_run(folder.path)
    assert run.name == "one" and run.classes == CLASSES and run.complete
    assert run.oof.dtype == np.float32 and run.oof.shape == (12, 2)
    assert run.test_ids.tolist() == list("abcd") and run.test.shape == (4, 2)
    fold = folder.load_fold(1)
    assert fold.history == [{"epoch": 1}] and fold.seconds == 1.5
    np.testing.assert_array_equal(run.oof[fold.valid_index], fold.valid_proba)
    assert runs_of(tmp_path, "pets") == [folder.path]


def test_folds_read_back_and_the_hash_follows_ids_and_folds(tmp_path: Path):
    folds = load_run(make_run(tmp_path / "a").path).folds
    assert folds.k == 3 and sorted(np.r_[folds.train_rows(0), folds.valid_rows(0)]) == list(range(12))
    other = Folds(folds.ids, folds.groups, (folds.fold + 1) % 3)
    assert folds.hash != other.hash and folds.hash == Folds.load(tmp_path / "a" / "folds.csv").hash


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("oof.parquet", r"oof\.parquet: not there"),
        ("test.parquet", r"test\.parquet: not there"),
        ("folds.csv", r"folds\.csv: not there"),
        ("environment.json", r"environment\.json: not there"),
        ("scores.json", "the run is not finished"),
        ("recipe.json", "no run there"),
    ],
)
def test_a_folder_copied_only_half_is_refused(tmp_path: Path, name: str, said: str):
    folder = make_run(tmp_path / "one")
    (folder.path / name).unlink()
    with pytest.raises(UserError, match=said):
        load_run(folder.path)


@pytest.mark.parametrize("name", ["oof.parquet", "folds.csv", "recipe.json", "scores.json"])
def test_damaged_files_are_named(tmp_path: Path, name: str):
    folder = make_run(tmp_path / "one")
    (folder.path / name).write_bytes((folder.path / name).read_bytes()[:20])
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        load_run(folder.path)


def test_a_damaged_fold_says_how_to_make_it_again(tmp_path: Path):
    folder = make_run(tmp_path / "one")
    folder.fold_path(2).write_bytes(b"PK half")
    with pytest.raises(UserError, match=r"fold-2\.npz: missing or damaged.*--resume"):
        folder.load_fold(2)


def test_a_misspelt_run_lists_its_neighbours(tmp_path: Path):
    make_run(tmp_path / "quick-1234")
    with pytest.raises(UserError, match="no run there .did you mean 'quick-1234'"):
        load_run(tmp_path / "quick-1235")


def test_mixed_up_files_are_refused(tmp_path: Path):
    one = make_run(tmp_path / "one")
    oof = pd.read_parquet(one.path / "oof.parquet")
    oof.iloc[::-1].to_parquet(one.path / "oof.parquet")
    with pytest.raises(UserError, match=r"oof\.parquet and folds\.csv hold different ids"):
        load_run(one.path)


def two(tmp_path: Path, **changes) -> list[Run]:
    return [load_run(make_run(tmp_path / "a").path), load_run(make_run(tmp_path / "b", **changes).path)]


def test_runs_of_the_same_rows_folds_and_classes_go_together(tmp_path: Path):
    check_alignable(two(tmp_path))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fold_seed": 1}, "their folds differ .3 folds, seed 0; 3 folds, seed 1"),
        ({"fingerprint": "beef"}, "they saw different data .real data f00d; real data beef"),
        ({"classes": ["dog", "cat"]}, "their classes differ"),
    ],
)
def test_others_are_refused_with_the_reason(tmp_path: Path, changes: dict, said: str):
    with pytest.raises(UserError, match=f"runs 'a' and 'b' cannot be blended: {said}"):
        check_alignable(two(tmp_path, **changes))


def test_rows_are_aligned_by_id_whatever_the_order():
    rng = np.random.default_rng(0)
    ids = rng.permutation([f"id{i}" for i in range(500)])
    wanted = rng.permutation(ids)[:300]
    assert (ids[align_rows(ids, wanted, "x")] == wanted).all()
    with pytest.raises(UserError, match="x: 1 ids are missing, e.g. 'nobody'"):
        align_rows(ids, np.array(["id3", "nobody"]), "x")
    with pytest.raises(UserError, match="1 ids are missing"):
        align_rows(np.array([], dtype=str), np.array(["id3"]), "x")
