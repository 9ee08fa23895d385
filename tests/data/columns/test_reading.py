"""From tables to columns: kinds, order by id, and what is refused, with its place and a cure."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.data.dataset import load_dataset

TOML = """\
title = "Moles"
metric = "accuracy"
classes = ["no", "yes"]
[data]
format = "image_csv"
size = 8
channels = 1
labels = "train.csv"
test_rows = "test.csv"
id = "id"
label = "target"
group_by = "patient"
features = {features}
{more}
"""
N, TEST = 24, 4


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A competition folder 'moles' and its data, with tables of columns of every kind."""
    data = tmp_path / "data" / "moles"
    for split, first, n in (("train", 0, N), ("test", 100, TEST)):
        (data / split).mkdir(parents=True)
        rows = np.arange(first, first + n)
        for row in rows:
            Image.new("L", (9 + row % 3, 8), int(row)).save(data / split / f"{row}.png")
        table = {
            "id": rows,
            "patient": rows // 2,
            "age": ["" if row % 5 == 0 else 20 + row for row in rows],
            "sex": [("f", "m", "")[row % 3] for row in rows],
            "site": rows % 3 + 1,
            "m1": rows / 7,
            "m2": -rows,
        }
        if split == "train":
            table["target"] = [("no", "yes")[row % 2] for row in rows]
        pd.DataFrame(table).to_csv(data / f"{split}.csv", index=False)
    return tmp_path


def load(project: Path, features: str, more: str = "", **options):
    folder = project / "competitions" / "moles"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(TOML.format(features=features, more=more))
    return load_dataset(find_competition(folder), project / "data", say=lambda text: None, **options)


def change(project: Path, name: str, column: str, row: int, value: object) -> None:
    path = project / "data" / "moles" / name
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[row, column] = value
    table.to_csv(path, index=False)


def test_numbers_categories_and_sizes_stand_beside_their_rows(project: Path):
    dataset = load(project, '["sex", "age", "m*", "site", "image.width"]', 'categories = ["site"]')
    train, test = dataset.train.columns, dataset.test.columns
    assert train.number_names == test.number_names == ("age", "m1", "m2", "image.width")
    assert train.categories == {"sex": ("", "f", "m"), "site": ("1", "2", "3")}
    rows = np.arange(N)
    np.testing.assert_array_equal(np.isnan(train.numbers[:, 0]), rows % 5 == 0)
    np.testing.assert_allclose(train.numbers[:, 1], rows / 7, rtol=1e-6)
    np.testing.assert_array_equal(train.numbers[:, 3], 9 + rows % 3)
    np.testing.assert_array_equal(test.numbers[:, 2], [-100, -101, -102, -103])
    assert [train.categories["site"][c] for c in train.codes[:, 1]] == [str(r % 3 + 1) for r in rows]


def test_rows_are_found_by_id_in_another_table(project: Path):
    data = project / "data" / "moles"
    both = pd.concat([pd.read_csv(data / f"{s}.csv") for s in ("train", "test")])
    both["name"] = both.pop("id").astype(str) + ".png"
    both.sample(frac=1, random_state=0).to_csv(data / "more.csv", index=False)
    dataset = load(project, '["m2"]', 'features_from = {file = "more.csv", id = "name"}')
    np.testing.assert_array_equal(dataset.train.columns.numbers[:, 0], -np.arange(N))
    np.testing.assert_array_equal(dataset.test.columns.numbers[:, 0], [-100, -101, -102, -103])


def test_columns_are_part_of_the_data_only_where_they_are_declared(project: Path):
    with_columns = load(project, '["m1"]').fingerprint
    assert with_columns != load(project, '["m2"]').fingerprint
    without = load(project, "[]")
    assert without.train.columns is None and without.fingerprint != with_columns
    assert not list(without.cache.rglob("numbers.npy"))


def test_a_value_that_only_the_test_has_is_noted(project: Path):
    change(project, "test.csv", "sex", 1, "x")
    notes = " ".join(load(project, '["sex"]').notes)
    assert "column 'sex' has 1 value that no training row has, in 1 row: x" in notes


def test_ten_thousand_columns_are_read(project: Path):
    data, rng = project / "data" / "moles", np.random.default_rng(0)
    for split in ("train", "test"):
        header, *rows = (data / f"{split}.csv").read_text().splitlines()
        wide = [f"{header}," + ",".join(f"w{i}" for i in range(10_000))]
        wide += [f"{row}," + ",".join(map(str, rng.integers(0, 100, 10_000).tolist())) for row in rows]
        (data / f"{split}.csv").write_text("\n".join(wide) + "\n")
    assert load(project, '["w*"]').train.columns.numbers.shape == (N, 10_000)


@pytest.mark.parametrize(
    ("change_to", "features", "said"),
    [
        (None, '["ages"]', ["'ages' matches no column of", "did you mean 'age'"]),
        (None, '["q*"]', ["'q*' matches no column of"]),
        (None, '["target"]', ["'target' is what is predicted"]),
        (None, '["id"]', ["'id' has another meaning already"]),
        (("train.csv", "m1", slice(None), "7"), '["m1"]', ["column 'm1' is '7' in every row", "Take 'm1' out"]),
        (("train.csv", "m1", slice(None), ""), '["m1"]', ["column 'm1' is empty in every row"]),
        (("train.csv", "m1", 3, "n.a. yet"), '["m1"]', ["row 4, column 'm1': 'n.a. yet' is no number", "data.categories"]),
        (("train.csv", "m1", 3, "inf"), '["m1"]', ["row 4, column 'm1': 'inf' is too large"]),
        (("train.csv", "id", 3, "2"), '["m1"]', ["id '2'", "stands in rows 3 and 4"]),
        (None, '["m1", "image.height"]', ["column 'image.height' is '8' in every row"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place_and_a_cure(project: Path, change_to, features: str, said: list[str]):
    if change_to:
        change(project, *change_to)
    with pytest.raises(UserError) as error:
        load(project, features)
    assert all(part in str(error.value) for part in said), str(error.value)


def test_a_column_that_the_test_lacks_is_refused(project: Path):
    path = project / "data" / "moles" / "test.csv"
    pd.read_csv(path).drop(columns="m1").to_csv(path, index=False)
    with pytest.raises(UserError, match=r"test.csv: has no column 'm1', which data.features takes"):
        load(project, '["m*"]')


def test_an_id_with_two_rows_or_none_in_the_other_table_is_refused(project: Path):
    data = project / "data" / "moles"
    both = pd.concat([pd.read_csv(data / f"{s}.csv") for s in ("train", "test")])
    pd.concat([both, both[4:5]]).to_csv(data / "more.csv", index=False)
    with pytest.raises(UserError, match="id '4' stands in rows 5 and 29"):
        load(project, '["m1"]', 'features_from = "more.csv"')
    both[:-1].to_csv(data / "more.csv", index=False)
    with pytest.raises(UserError, match="has no row for id '103'"):
        load(project, '["m1"]', 'features_from = "more.csv"')


def test_the_name_of_a_row_is_no_category(project: Path):
    for split in ("train", "test"):
        path = project / "data" / "moles" / f"{split}.csv"
        table = pd.read_csv(path)
        table["note"] = [f"seen {i}" for i in table["id"]]
        table.to_csv(path, index=False)
    with pytest.raises(UserError, match="column 'note' has 24 different texts in 24 rows"):
        load(project, '["note"]')


def test_streamed_images_have_no_size_to_look_at(project: Path):
    with pytest.raises(UserError, match="--stream: .*image.height"):
        load(project, '["image.width"]', stream=True)
    assert load(project, '["m1"]', stream=True).train.columns.numbers.shape == (N, 1)


def test_one_table_of_as_many_test_rows_as_training_rows_keeps_them_apart(project: Path):
    """By where and test_where: the columns are those of each row, not of the other split's."""
    data = project / "data" / "moles"
    table = pd.read_csv(data / "train.csv")
    table["split"] = [("train", "test")[row // 2 % 2] for row in range(N)]
    table.to_csv(data / "train.csv", index=False)
    for row in range(N):
        if row // 2 % 2:
            (data / "train" / f"{row}.png").rename(data / "test" / f"{row}.png")
    (data / "test.csv").unlink()
    for row in range(100, 100 + TEST):
        (data / "test" / f"{row}.png").unlink()
    more = 'where = {split = "train"}\ntest_where = {split = "test"}'
    folder = project / "competitions" / "moles"
    folder.mkdir(parents=True, exist_ok=True)
    toml = TOML.format(features='["m2"]', more=more).replace('test_rows = "test.csv"', 'test_rows = "train.csv"')
    (folder / "competition.toml").write_text(toml)
    dataset = load_dataset(find_competition(folder), project / "data")
    assert dataset.test is not None and len(dataset.test) == len(dataset.train) == N // 2
    for samples in (dataset.train, dataset.test):
        assert samples.columns is not None
        assert samples.columns.numbers.ravel().tolist() == [-float(i) for i in samples.ids]
