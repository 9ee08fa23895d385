"""Columns beside the images that init finds, and those that it leaves alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.files.archives import FileTree
from harness.data.guess.features import feature_columns
from harness.data.guess.guess import guess
from harness.data.guess.inventory import take_stock
from harness.data.rows.tables import Table

N = 24


def table(rows: range, **more: list[str]) -> Table:
    columns = {
        "id": [str(n) for n in rows],
        **{f"margin{k}": [f"{(n * (k + 3)) % 11 / 10}" for n in rows] for k in range(1, 6)},
        "age": ["" if n % 5 == 0 else str(20 + n * 7 % 50) for n in rows],
        "sex": ["fm"[n % 2] for n in rows],
        "country": ["x" for _ in rows],
        "note": [f"seen on {n}" for n in rows],
        "row": [str(n) for n in rows],
        "seq_uid": [str(n % 5) for n in rows],
        **more,
    }
    return Table(list(columns), list(columns.values()), "a table")


def test_numbers_and_categories_are_taken_a_family_as_a_pattern():
    train, test = table(range(N), species=[str(n % 3) for n in range(N)]), table(range(90, 96))
    assert feature_columns(train, test, ["id", "species"]) == ["margin*", "age", "sex"]


def test_a_pattern_matches_nothing_that_was_left_out():
    train, test = table(range(N), margin_seen=["1"] * N), table(range(90, 96))
    assert feature_columns(train, test, ["id"])[:5] == [f"margin{k}" for k in range(1, 6)]


@pytest.mark.parametrize("whole", [True, False])
def test_init_reads_them_by_the_tables_of_both_splits(tmp_path: Path, whole: bool):
    for split, rows in (("train", range(N)), ("test", range(90, 96))):
        (tmp_path / split).mkdir()
        for n in rows:
            Image.fromarray(np.full((8, 8), n, np.uint8)).save(tmp_path / split / f"{n}.png")
        lines = [
            f"{n},{30 + n * 7 % 40},{'fm'[n % 2]}" + (f",{'ab'[n // 2 % 2]}" if split == "train" else "") for n in rows
        ]
        header = "id,age,sex" + (",species" if split == "train" else "")
        (tmp_path / f"{split}.csv").write_text("\n".join([header, *lines]) + "\n")
    ids = range(90, 96 if whole else 95)
    (tmp_path / "sample_submission.csv").write_text("id,species\n" + "".join(f"{n},a\n" for n in ids))
    layout, targets = guess(take_stock(FileTree(tmp_path)))
    assert targets.label == ["species"]
    assert layout.values.get("features") == (["age", "sex"] if whole else None)
    assert layout.values.get("test_rows") == ("test.csv" if whole else None)
    assert whole or "could be used beside the images (age, sex)" in " ".join(layout.unknown)
