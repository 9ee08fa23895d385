"""Weights of rows from a column: of each format's table or of a joined one; every cell that is none is named where it stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.competition.data_spec import DataSpec
from harness.data.dataset import load_dataset
from harness.data.files.archives import FileTree
from harness.data.rows.listing import list_by_table
from harness.data.rows.weights import checked_weights, note_on_weights

WEIGHTS = [0.5, 0.0, 2.0, 1e3]


def spec(**values: object) -> DataSpec:
    return DataSpec.model_validate({"format": "image_csv", "size": 4, "labels": "train.csv", **values})


def competition(project: Path, data: str, **texts: str) -> Path:
    """A competition 'w' of four images 1.png to 4.png, class 'a' or 'b' by turns, and these texts as CSV files beside them."""
    files = project / "data" / "w"
    for number in range(4):
        path = files / "train" / "ab"[number % 2] / f"{number + 1}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), 60 * number, np.uint8)).save(path)
    for name, text in texts.items():
        (files / f"{name}.csv").write_text(text)
    folder = project / "competitions" / "w"
    folder.mkdir(parents=True, exist_ok=True)
    toml = f'title = "W"\nmetric = "accuracy"\n[data]\nsize = [2, 2]\nchannels = 1\noptional = ["test", "test.csv"]\n{data}\n'
    (folder / "competition.toml").write_text(toml)
    return folder


def rows(*columns: str, weights: list[object] = WEIGHTS) -> str:  # type: ignore[assignment]
    """A CSV of four rows: id, label, and other columns by name."""
    values = {
        "id": [1, 2, 3, 4],
        "label": ["a", "b", "a", "b"],
        "w": weights,
        "path": ["a/1.png", "b/2.png", "a/3.png", "b/4.png"],
        "pixels": ["0 1 2 3"] * 4,
        **{f"pixel{n}": [n] * 4 for n in range(4)},
    }
    lines = [",".join(columns)] + [",".join(str(values[c][row]) for c in columns) for row in range(4)]
    return "\n".join(lines) + "\n"


PIXELS = tuple(f"pixel{n}" for n in range(4))
LAYOUTS = {
    "the label table": (
        'format = "image_csv"\nlabels = "train.csv"\nweight = "w"',
        {"train": rows("id", "label", "w")},
    ),
    "a joined table": (
        'format = "image_csv"\nlabels = "train.csv"\nweight = "w"\njoin = {file = "more.csv", id = "id"}',
        {"train": rows("id", "label"), "more": rows("id", "w")},
    ),
    "class folders": (
        'format = "image_folder"\nweight = "w"\njoin = {file = "more.csv", id = "path"}',
        {"more": rows("path", "w")},
    ),
    "pixel columns": (
        'format = "csv_pixels"\ntrain = "train.csv"\ntest = "test.csv"\nweight = "w"',
        {"train": rows("label", "w", *PIXELS)},
    ),
    "pixels in a cell": (
        'format = "table_pixels"\ntrain = "train.csv"\ntest = "test.csv"\npixels = "pixels"\nweight = "w"',
        {"train": rows("label", "w", "pixels")},
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_with_a_table_has_weights(tmp_path: Path, name: str):
    data, texts = LAYOUTS[name]
    folder, said = competition(tmp_path, data, **texts), []
    dataset = load_dataset(find_competition(folder), tmp_path / "data", say=said.append)
    by_id = dict(zip(dataset.train.ids.tolist(), dataset.train.weight.tolist(), strict=True))
    assert [weight for _, weight in sorted(by_id.items(), key=lambda item: item[0].split("/")[-1])] == WEIGHTS
    assert any("weighted from 0 to 1000" in line and "1 weigh nothing" in line for line in said)
    toml = folder / "competition.toml"
    toml.write_text(toml.read_text().replace('weight = "w"\n', "").replace('weight = "w"', ""))
    if name in ("the label table", "a joined table"):
        plain = load_dataset(find_competition(folder), tmp_path / "data")
        assert plain.train.weight is None and plain.fingerprint != dataset.fingerprint


@pytest.mark.parametrize("cell", ["-1", "nan", "", "heavy", "inf", "-inf"])
def test_what_is_no_weight_is_told_where_it_stands(tmp_path: Path, cell: str):
    (tmp_path / "train").mkdir()
    for number in range(1, 5):
        Image.new("L", (4, 4)).save(tmp_path / "train" / f"{number}.png")
    (tmp_path / "train.csv").write_text(rows("id", "label"))
    bad = rows("id", "w", weights=[1, 2, cell, 3]).splitlines()
    (tmp_path / "more.csv").write_text("\n".join([bad[0], *reversed(bad[1:])]) + "\n")
    chosen = spec(weight="w", join={"file": "more.csv", "id": "id"})
    with pytest.raises(
        UserError, match=rf"more.csv: row 2, column 'w': '{cell}' is no weight, a number from 0 on. Correct"
    ):
        list_by_table(FileTree(tmp_path), "train", chosen)  # row 2 of that table, row 3 of the labels'


def test_rows_that_are_left_out_do_not_shift_the_others(tmp_path: Path):
    (tmp_path / "train").mkdir()
    for name in ("1", "2"):
        Image.new("L", (4, 4)).save(tmp_path / "train" / f"{name}.png")
    (tmp_path / "train.csv").write_text("id,label,w\n.DS_Store,a,x\n1,a,3\n2,b,4\n")
    assert list_by_table(FileTree(tmp_path), "train", spec(weight="w")).weight.tolist() == [3, 4]
    (tmp_path / "train.csv").write_text("id,label,w\n.DS_Store,a,1\n1,a,3\n2,b,x\n")
    with pytest.raises(UserError, match="row 3, column 'w': 'x'"):
        list_by_table(FileTree(tmp_path), "train", spec(weight="w"))


def test_a_column_or_an_id_that_is_not_there(tmp_path: Path):
    data, texts = LAYOUTS["a joined table"]
    folder = competition(
        tmp_path, data.replace('"w"', '"weihgt"'), **texts | {"more": rows("id", "w").replace("w", "weight")}
    )
    with pytest.raises(UserError, match=r"train.csv: no column 'weihgt' \(did you mean 'weight'\?\).*data.weight"):
        load_dataset(find_competition(folder), tmp_path / "data")
    folder = competition(tmp_path, data, **texts | {"more": rows("id", "w").replace("3,2.0\n", "")})
    with pytest.raises(UserError, match=r"more.csv: has no row for id '3' of .*train.csv. Complete it"):
        load_dataset(find_competition(folder), tmp_path / "data")
    data, texts = LAYOUTS["pixel columns"]
    folder = competition(tmp_path, data.replace('"w"', '"v"'), **texts)
    with pytest.raises(UserError, match=r"train.csv: no column 'v'.*Correct data.weight"):
        load_dataset(find_competition(folder), tmp_path / "data")


def test_weights_that_are_all_zero_teach_nothing():
    with pytest.raises(UserError, match=r"t: row 1: '0', and so in every row: .* take data.weight out"):
        checked_weights(["0", "0.0"], lambda row: f"t: row {row + 1}")


def test_formats_without_a_table_refuse_the_key():
    with pytest.raises(ValidationError, match="format = 'npz' does not read it"):
        spec(format="npz", weight="w")
    with pytest.raises(ValidationError, match=r"name the one with this column: data.join"):
        spec(format="image_folder", weight="w")


def test_the_note_counts_equal_rows():
    assert "as much as 4 of 4 rows" in note_on_weights(np.full(4, 1e300))
    assert "as much as 1 of 4 rows" in note_on_weights(np.array([0, 0, 0, 1e-300]))
