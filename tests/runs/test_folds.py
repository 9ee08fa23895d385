"""Folds: who is trained on, predicted and scored; the CSV holds what it was given, and the hash tells splits apart."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.runs import Folds
from tests.conftest import REPOSITORY

KEPT = np.array([True, True, False, True, True, True])


def folds(**changes) -> Folds:
    ids = np.array(["a", "b,c", 'd "e"', "f\r\ng", "é", "0007"])
    return Folds(
        **{"ids": ids, "groups": np.array([5, 5, 9, -1, 2**40, 0]), "fold": np.int8([0, 1, 0, 2, 1, 0]), **changes}
    )


def test_left_out_rows_are_predicted_and_neither_trained_on_nor_scored():
    split = folds(kept=KEPT)
    assert split.k == 3
    assert split.train_rows(0).tolist() == [1, 3, 4] and split.train_rows(1).tolist() == [0, 3, 5]
    assert split.valid_rows(0).tolist() == [0, 2, 5]
    assert split.scored_rows([0]).tolist() == [0, 5] and split.scored_rows([2, 0]).tolist() == [0, 3, 5]
    everyone = folds()
    assert everyone.kept.dtype == bool and everyone.kept.all() and len(everyone.kept) == 6
    assert everyone.train_rows(1).tolist() == [0, 2, 3, 5] and everyone.scored_rows(range(3)).tolist() == list(range(6))


def test_the_hash_is_of_ids_folds_and_what_is_left_out():
    split = folds()
    lines = "\n".join(f"{name},{fold}" for name, fold in zip(split.ids, [0, 1, 0, 2, 1, 0], strict=True))
    assert split.hash == hashlib.sha256(lines.encode()).hexdigest()[:12]  # as runs and ledgers hold it
    assert folds(groups=np.arange(6)).hash == split.hash
    without = folds(kept=KEPT)
    assert without.hash == hashlib.sha256(f'{lines}\nexcluded d "e"'.encode()).hexdigest()[:12]
    others = [folds(ids=split.ids[::-1]), folds(fold=np.int8([0, 1, 0, 2, 0, 1])), without, folds(kept=~KEPT)]
    assert len({split.hash, *(other.hash for other in others)}) == 5


@pytest.mark.parametrize("kept", [None, KEPT])
def test_what_was_saved_is_read_back_whatever_stands_in_an_id(tmp_path: Path, kept: np.ndarray | None):
    split = folds(kept=kept)
    split.save(tmp_path / "folds.csv")
    again = Folds.load(tmp_path / "folds.csv")
    for name in ("ids", "groups", "fold", "kept"):
        np.testing.assert_array_equal(getattr(again, name), getattr(split, name), err_msg=name)
    assert (again.groups.dtype, again.fold.dtype, again.kept.dtype) == (np.int64, np.int8, bool)
    assert again.hash == split.hash


def test_the_file_is_a_plain_csv(tmp_path: Path):
    Folds(np.array(["é", "b"]), np.array([7, 8]), np.int8([1, 0]), np.array([True, False])).save(tmp_path / "folds.csv")
    assert (tmp_path / "folds.csv").read_bytes() == "id,group,fold,kept\né,7,1,1\nb,8,0,0\n".encode()


def test_the_file_is_utf_8_where_the_locale_is_ascii(tmp_path: Path):
    """As in a container or a cron job without a language."""
    Folds(np.array(["é"]), np.array([7]), np.int8([1])).save(tmp_path / "a.csv")
    code = "import sys; from pathlib import Path; from harness.runs import Folds; a, b = map(Path, sys.argv[1:]); Folds.load(a).save(b)"
    paths = (tmp_path / "a.csv", tmp_path / "b.csv")
    bare = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", code, *paths], cwd=REPOSITORY, env={**os.environ, **bare}, check=True)
    assert (tmp_path / "b.csv").read_bytes() == "id,group,fold,kept\né,7,1,1\n".encode()
    assert Folds.load(tmp_path / "b.csv").ids.tolist() == ["é"]


def test_folds_that_are_not_there_are_told_with_the_cure(tmp_path: Path):
    with pytest.raises(UserError, match=r"folds\.csv: not there\. Run harness\.cv again with --resume: it is restored"):
        Folds.load(tmp_path / "folds.csv")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "another header"),
        ("id,group,fold\n1,0,0\n", "another header"),
        ("id,group,fold,kept\n", ""),
        ("id,group,fold,kept\n1,0,x,1\n", "invalid literal"),
        ("id,group,fold,kept\n1,0,1\n", ""),
        ("id,group,fold,kept\n1,0,0,no\n", "kept is neither 0 nor 1"),
        ("id,group,fold,kept\n1,0,300,1\n", ""),
        ("id,group,fold,kept\n1,0,0,1\n2,x,1,1\n", "invalid literal"),
        ("id,group,fold,kept\n1,0,0,1\n2,0,1,1,9\n", ""),
    ],
)
def test_a_file_that_is_no_folds_file_is_refused(tmp_path: Path, text: str, why: str):
    (tmp_path / "folds.csv").write_text(text)
    with pytest.raises(
        UserError, match=rf"folds\.csv: not a folds file with columns id, group, fold, kept \({why}.*--resume"
    ):
        Folds.load(tmp_path / "folds.csv")
