"""Run folders: what was written is read back; what is missing, damaged or mixed up is refused with the cure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.base.errors import UserError
from harness.base.storage.manifest import MANIFEST, read_manifest, write_manifest
from harness.competition import Recipe
from harness.competition.recipe import CvSpec, ModelSpec
from harness.runs import FoldResult, Folds, Run, RunFolder, load_run, runs_of
from harness.runs.align import align_rows, check_alignable
from harness.runs.probability_tables import new_table
from harness.runs.run import nearest_run

CLASSES = ["cat", "dog"]


def make_run(
    path: Path, *, fold_seed: int = 0, fingerprint: str = "f00d", classes: list[str] = CLASSES, clean: str = ""
) -> RunFolder:
    """A finished run of 12 rows in 3 folds and 4 test rows, made without training."""
    rng = np.random.default_rng(0)
    folds = Folds(
        ids=np.array([f"r{i}" for i in range(12)]),
        groups=np.arange(12),
        fold=np.random.default_rng(fold_seed).permutation(np.arange(12) % 3).astype(np.int8),
    )
    folder = RunFolder(path)
    recipe = Recipe(name=path.name, model=ModelSpec(name="cnn"), cv=CvSpec(folds=3, seed=fold_seed))
    data = {"fingerprint": fingerprint, "source": f"real data {fingerprint}", "n_test": 4, "clean": clean}
    about = {"competition": {"classes": classes}, "data": data, "folds": {"hash": folds.hash}}
    folder.start(recipe, folds, about)
    proba = rng.dirichlet(np.ones(2), 12).astype(np.float32)
    columns = {f"proba_{c}": proba[:, i] for i, c in enumerate(classes)}
    oof = pd.DataFrame({"id": folds.ids, "label": np.arange(12) % 2, "fold": folds.fold} | columns)
    test = pd.DataFrame({"id": list("abcd")} | {name: column[:4] for name, column in columns.items()})
    folder.save_tables(oof, test, [{"fold": 0, "epoch": 1, "loss": 0.5}])
    for fold in range(3):
        valid = folds.valid_rows(fold)
        folder.save_fold(FoldResult(fold, valid, proba[valid], proba[:4], [{"epoch": 1}], 1.5))
    folder.finish({"metric": "accuracy", "folds": [{"fold": f, "n": 4} for f in range(3)], "metrics": {}})
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
        ("oof.parquet", r"damaged: oof\.parquet is not there"),
        ("test.parquet", r"damaged: test\.parquet is not there"),
        ("folds.csv", r"damaged: folds\.csv is not there"),
        ("environment.json", r"damaged: environment\.json is not there"),
        ("scores.json", "the run is not finished.*--resume"),
        ("recipe.json", r"damaged: recipe\.json is not there"),
        ("manifest.json", r"damaged: manifest\.json is not there.*--resume"),
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
    with pytest.raises(UserError, match=r"damaged: fold-2\.npz has 7 bytes.*--resume"):
        folder.load_fold(2)


def test_a_misspelt_run_lists_its_neighbours(tmp_path: Path):
    make_run(tmp_path / "quick-1234")
    with pytest.raises(UserError, match="no run there .did you mean 'quick-1234'"):
        load_run(tmp_path / "quick-1235")


def test_mixed_up_files_are_refused(tmp_path: Path):
    one = make_run(tmp_path / "one")
    oof = pd.read_parquet(one.path / "oof.parquet")
    oof.iloc[::-1].to_parquet(one.path / "oof.parquet")
    with pytest.raises(UserError, match=r"oof\.parquet (has|is not what)"):
        load_run(one.path)
    write_manifest(one.path / MANIFEST, list(read_manifest(one.path / MANIFEST)))  # whoever does it thoroughly
    with pytest.raises(UserError, match=r"oof\.parquet and folds\.csv hold different ids"):
        load_run(one.path)


@pytest.mark.parametrize(("value", "rows"), [(np.nan, 3), (1.7, 1), (-0.2, 2)])
def test_predictions_that_are_no_probabilities_are_refused_at_the_door(tmp_path: Path, value: float, rows: int):
    """argmax of NaN is the first class: such rows were scored as hits."""
    folder = make_run(tmp_path / "one")
    valid = folder.load_fold(0).valid_index
    proba = np.tile(np.float32([0.25, 0.75]), (len(valid), 1))
    proba[:rows, 0] = value
    with pytest.raises(
        UserError, match=rf"fold 0, validation rows: {rows} of 4 rows are no probabilities.*train\.precision"
    ):
        folder.save_fold(FoldResult(0, valid, proba, proba[:0], [], 1.0))
    with pytest.raises(UserError, match=rf"fold 0, test rows .*: {rows} of 4 rows.*first id '0'"):
        folder.save_fold(FoldResult(0, valid, np.full((4, 2), 0.5, np.float32), proba, [], 1.0))


def test_a_stored_row_that_is_none_is_refused_by_whoever_reads_it(tmp_path: Path):
    one = make_run(tmp_path / "one")
    oof = pd.read_parquet(one.path / "oof.parquet")
    oof.loc[5, "proba_cat"] = np.nan
    oof.to_parquet(one.path / "oof.parquet")
    write_manifest(one.path / MANIFEST, list(read_manifest(one.path / MANIFEST)))
    with pytest.raises(UserError, match="run 'one', OOF: 1 of 12 rows are no probabilities.*first id 'r5'"):
        load_run(one.path)


@pytest.mark.parametrize("name", ["recipe.json", "folds.csv", "environment.json"])
def test_what_was_known_before_training_is_restored_from_its_second_place(tmp_path: Path, name: str):
    folder = make_run(tmp_path / "one")
    before = (folder.path / name).read_bytes()
    for damage in (None, b"", before[:10], bytes(len(before))):
        (folder.path / name).unlink(missing_ok=True)
        if damage is not None:
            (folder.path / name).write_bytes(damage)
        assert folder.restore_start() == [name] and (folder.path / name).read_bytes() == before
    assert folder.restore_start() == [] and load_run(folder.path).complete


def test_the_second_place_is_made_again_too(tmp_path: Path):
    folder = make_run(tmp_path / "one")
    (folder.path / "start.zip").write_bytes(b"PK")
    assert folder.start_faults() and folder.restore_start() == ["start.zip"] and not folder.start_faults()


def test_runs_from_before_there_were_manifests_are_read(tmp_path: Path):
    folder = make_run(tmp_path / "oof" / "pets" / "one")
    for path in [folder.path / "start.zip", folder.path / MANIFEST, *folder.path.glob("fold-*.manifest.json")]:
        path.unlink()
    environment = folder.path / "environment.json"
    environment.write_text(environment.read_text().replace('"format": 2', '"old": 1'))
    assert load_run(folder.path).complete and folder.done(3) == [0, 1, 2] and folder.load_fold(1).seconds == 1.5
    assert runs_of(tmp_path, "pets") == [folder.path]


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
        ({"clean": "beef"}, "they go by different verdicts of harness.clean"),
    ],
)
def test_others_are_refused_with_the_reason(tmp_path: Path, changes: dict, said: str):
    with pytest.raises(UserError, match=f"runs 'a' and 'b' cannot be blended: {said}"):
        check_alignable(two(tmp_path, **changes))


def test_runs_by_the_same_verdicts_go_together_and_the_first_by_some_is_refused_too(tmp_path: Path):
    one, other, none = (
        load_run(make_run(tmp_path / name, clean=c).path) for name, c in (("a", "beef"), ("b", "beef"), ("c", ""))
    )
    check_alignable([one, other])
    with pytest.raises(UserError, match="runs 'a' and 'c' cannot be blended: they go by different verdicts"):
        check_alignable([one, other, none])  # the last of three
    del none.environment["data"]["clean"]  # a run from before there were verdicts
    later = load_run(make_run(tmp_path / "d").path)
    check_alignable([none, later])
    check_alignable([later, none])


def test_rows_are_aligned_by_id_whatever_the_order():
    rng = np.random.default_rng(0)
    ids = rng.permutation([f"id{i}" for i in range(500)])
    wanted = rng.permutation(ids)[:300]
    assert (ids[align_rows(ids, wanted, "x")] == wanted).all()
    assert align_rows(ids, ids[::-1], "x").tolist() == list(range(499, -1, -1))
    assert align_rows(ids[:1], ids[:1], "x").tolist() == [0]
    with pytest.raises(UserError, match="x: 1 ids are missing, e.g. 'nobody'"):
        align_rows(ids, np.array(["id3", "nobody"]), "x")
    with pytest.raises(UserError, match="1 ids are missing"):
        align_rows(np.array([], dtype=str), np.array(["id3"]), "x")


def test_the_second_place_of_another_run_is_not_believed(tmp_path: Path):
    one, other = make_run(tmp_path / "one"), make_run(tmp_path / "other", fold_seed=1)
    before = (one.path / "folds.csv").read_bytes()
    (one.path / "start.zip").write_bytes((other.path / "start.zip").read_bytes())
    assert one.start_faults() and one.restore_start() == ["start.zip"]
    assert (one.path / "folds.csv").read_bytes() == before and not one.start_faults()


def test_a_copy_of_a_map_is_saved_with_the_fold(tmp_path: Path):
    folder = make_run(tmp_path / "one")
    fold = folder.load_fold(0)
    table = new_table(folder.fold_table(0, "valid"), fold.valid_proba.shape)
    table[:] = fold.valid_proba
    folder.save_fold(replace(fold, valid_proba=table.copy()))  # a memmap too, but of no file
    with np.load(folder.fold_path(0)) as file:
        np.testing.assert_array_equal(file["valid_proba"], table)
    folder.save_fold(replace(fold, valid_proba=table))
    with np.load(folder.fold_path(0)) as file:
        assert "valid_proba" not in file.files


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("simple_cnn", " (did you mean 'sample-simple_cnn-1111aaaa' or 'simple_cnn-2222bbbb'?)"),
        ("simpel_cnn", " (did you mean 'sample-simple_cnn-1111aaaa' or 'simple_cnn-2222bbbb'?)"),
        ("2222bbbb", " (did you mean 'simple_cnn-2222bbbb'?)"),
        ("quick-3333ccc", " (did you mean 'quick-3333cccc'?)"),
        ("quick", " (did you mean 'quick-3333cccc'?)"),
        ("boosting", ""),
    ],
)
def test_a_run_that_was_meant_is_named_also_by_its_recipe(name: str, meant: str):
    assert nearest_run(name, ["simple_cnn-2222bbbb", "sample-simple_cnn-1111aaaa", "quick-3333cccc"]) == meant
