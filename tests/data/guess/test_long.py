"""Tables and sample submissions in long format are told from others."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from harness.base.errors import UserError
from harness.data.files.archives import FileTree
from harness.data.guess.guess import guess
from harness.data.guess.inventory import Images, Inventory, take_stock
from harness.data.guess.layout import Layout
from harness.data.guess.long import long_tables
from harness.data.guess.targets import Targets
from harness.data.guess.written import competition_toml
from harness.data.rows.tables import Table
from tests.data.guess.test_tables import images, table

TRAIN, TEST = [f"ID_{n:02x}" for n in range(12)], [f"ID_{n:02x}" for n in range(40, 44)]
NAMES = ("epidural", "subdural", "any")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images(tmp_path, *(f"train/{i}.png" for i in TRAIN), *(f"test/{i}.png" for i in TEST))
    return tmp_path


def guessed(folder: Path) -> tuple[Layout, Targets]:
    return guess(take_stock(FileTree(folder)))


def value(n: int, k: int) -> int:
    return int((n + k) % 3 == 0 or n % 4 == k)


@pytest.mark.parametrize("mark", ["_", "-", " ", ":", "__", " - "])
@pytest.mark.parametrize("first", [True, False])
def test_ids_that_hold_the_class(folder: Path, mark: str, first: bool):
    def joined(i: str, name: str) -> str:
        return f"{i}{mark}{name}" if first else f"{name}{mark}{i}"

    rows = [(joined(i, name), value(n, k)) for n, i in enumerate(TRAIN) for k, name in enumerate(NAMES)]
    table(folder / "train.csv", ID=[i for i, _ in rows], Label=[v for _, v in rows])
    asked = [joined(i, name) for i in TEST for name in NAMES]
    table(folder / "sample_submission.csv", ID=asked, Label=[0.5] * len(asked))
    layout, targets = guessed(folder)
    pattern = joined("{id}", "{class}")
    assert (layout.values["long"], layout.values["id"], layout.value_column) == (pattern, "ID", "Label")
    assert (targets.task, targets.label, targets.submission["long"]) == ("multilabel", list(NAMES), pattern)
    assert (targets.submission["value"], targets.submission["target"]) == ("probability", "Label")
    text = competition_toml("T", "none", layout, targets)
    assert 'label = "Label"' in text and "# classes" in text


def test_names_of_classes_that_hold_the_mark_are_written(folder: Path):
    names = ("grapheme_root", "vowel")
    rows = [(f"{i}_{name}", value(n, k)) for n, i in enumerate(TRAIN) for k, name in enumerate(names)]
    table(folder / "train.csv", row_id=[i for i, _ in rows], target=[v for _, v in rows])
    layout, targets = guessed(folder)
    assert layout.classes == list(names)
    assert 'classes = ["grapheme_root", "vowel"]' in competition_toml("T", "none", layout, targets)


def test_columns_for_image_class_and_value(folder: Path):
    rows = [(i, name, value(n, k), n // 2) for n, i in enumerate(TRAIN) for k, name in enumerate(NAMES)]
    pd.DataFrame(rows, columns=["image", "what", "there", "patient"]).to_csv(folder / "train.csv", index=False)
    asked = [(i, name, 0.5) for i in TEST for name in NAMES]
    pd.DataFrame(asked, columns=["image", "what", "p"]).to_csv(folder / "sample_submission.csv", index=False)
    layout, targets = guessed(folder)
    assert (layout.values["long"], layout.value_column, layout.values["group_by"]) == ("what", "there", "patient")
    assert targets.submission == {"id": "image", "value": "probability", "target": "p", "long": "what"}


def test_a_row_for_each_label(folder: Path):
    rows = [(i, name) for n, i in enumerate(TRAIN) for k, name in enumerate(NAMES) if value(n, k)]
    table(folder / "train.csv", image=[i for i, _ in rows], tag=[name for _, name in rows])
    layout, targets = guessed(folder)
    assert (layout.values["long"], layout.value_column, targets.task) == ("tag", "tag", "multilabel")
    assert "separator" not in competition_toml("T", "none", layout, targets)


def test_a_lookup_table(folder: Path):
    columns = {name: [n / 7 + k for n in range(12)] for k, name in enumerate(NAMES)}
    table(folder / "train.csv", id=TRAIN, **columns)
    asked = [(i, name) for n, i in enumerate(TEST) for k, name in enumerate(NAMES) if (n + k) % 3]
    rows = list(range(1, len(asked) + 1))
    table(folder / "lookup.csv", RowId=rows, Image=[i for i, _ in asked], What=[name for _, name in asked])
    table(folder / "sample_submission.csv", RowId=rows, Where=[0] * len(rows))
    layout, targets = guessed(folder)
    assert targets.label == list(NAMES) and "long" not in layout.values
    lookup = {"file": "lookup.csv", "id": "Image"}
    assert targets.submission == {"id": "RowId", "value": "number", "target": "Where", "long": "What", "lookup": lookup}
    assert not any("otherwise" in line for line in layout.unknown)


def test_boxes_and_ids_with_a_mark_are_no_long_tables(folder: Path):
    rows = [(i, "fox", n, n + 3) for n, i in enumerate(TRAIN) for _ in range(1 + n % 2)]
    pd.DataFrame(rows, columns=["image", "label", "x", "y"]).to_csv(folder / "boxes.csv", index=False)
    table(folder / "train.csv", id=TRAIN, label=["cat_a", "dog_b"] * 6)
    table(folder / "sample_submission.csv", id=TEST, label=["cat_a"] * 4)
    layout, targets = guessed(folder)
    assert (layout.values["labels"], targets.task) == ("train.csv", "single")
    assert "long" not in layout.values and "long" not in targets.submission


def test_one_repeated_row_makes_no_labels_of_a_class_or_a_number(folder: Path):
    for cells, task in ((["cat", "dog", "owl"] * 4, "single"), ([30 + n for n in range(12)], "regression")):
        table(folder / "train.csv", id=[*TRAIN, TRAIN[0]], age=[*cells, cells[1]])
        table(folder / "sample_submission.csv", id=TEST, age=cells[:4])
        layout, targets = guessed(folder)
        assert (targets.task == task or task == "regression") and "long" not in layout.values
        assert targets.task != "multilabel"


def test_raters_are_no_classes(folder: Path):
    rows = [(i, f"r{k}", value(n, k)) for n, i in enumerate(TRAIN) for k in range(3)]
    pd.DataFrame(rows, columns=["id", "rater", "score"]).to_csv(folder / "train.csv", index=False)
    table(folder / "sample_submission.csv", id=TEST, score=[0.5] * 4)
    with pytest.raises(UserError, match="several rows an image"):
        guessed(folder)


def test_masks_and_texts_are_no_values(folder: Path):
    rows = [(f"{i}_{k}", "1 3 10 5") for i in TRAIN for k in range(1, 3)]
    table(folder / "train.csv", ImageId_ClassId=[i for i, _ in rows], EncodedPixels=[cell for _, cell in rows])
    with pytest.raises(UserError, match="neither a table names them"):
        guessed(folder)
    table(folder / "train.csv", img=TRAIN, rle=[" ".join(map(str, range(20_000)))] * 12)  # long cells take no long time
    assert "long" not in guessed(folder)[0].values


def test_ids_with_a_mark_and_columns_called_so_are_no_long_sample(tmp_path: Path):
    train, test = ([f"{p}{n}_{k}" for n in range(6) for k in range(2)] for p in "pq")
    images(tmp_path, *(f"train/{i}.png" for i in train), *(f"test/{i}.png" for i in test))
    table(tmp_path / "train.csv", id=train, label=["cat", "dog"] * 6)
    table(tmp_path / "features.csv", id=train, **{str(k): [n / 7 for n in range(12)] for k in range(3)})
    table(tmp_path / "sample_submission.csv", id=test, label=["cat"] * 12)
    layout, targets = guessed(tmp_path)
    assert (layout.values["labels"], targets.label, targets.task) == ("train.csv", ["label"], "single")
    table(tmp_path / "sample_submission.csv", id=test, label=[0.5] * 12)
    assert "long" not in guessed(tmp_path)[1].submission


def test_a_table_beside_in_long_format_is_not_joined_as_if_it_were_wide(folder: Path):
    table(folder / "train.csv", id=TRAIN, label=["cat", "dog"] * 6)
    rows = [(i, n // 2, tag) for n, i in enumerate(TRAIN) for tag in ("a", "b")[: 1 + n % 2]]
    pd.DataFrame(rows, columns=["id", "patient", "tag"]).to_csv(folder / "tags.csv", index=False)
    layout, _ = guessed(folder)
    assert layout.values["labels"] == "train.csv" and "join" not in layout.values


def test_rows_in_another_order_and_said_twice(folder: Path):
    rows = [(f"{i}_{name}", value(n, k)) for k, name in enumerate(NAMES) for n, i in enumerate(TRAIN)]
    rows.append(rows[0])
    table(folder / "train.csv", ID=[i for i, _ in rows], Label=[v for _, v in rows])
    layout, _ = guessed(folder)
    assert layout.values["long"] == "{id}_{class}"


def test_a_row_that_is_missing_is_told(folder: Path):
    rows = [(f"{i}_{name}", value(n, k)) for n, i in enumerate(TRAIN) for k, name in enumerate(NAMES)][:-1]
    table(folder / "train.csv", ID=[i for i, _ in rows], Label=[v for _, v in rows])
    with pytest.raises(UserError, match="1 image of 12 has no row for class 'any', e.g. 'ID_0b'"):
        guessed(folder)


def test_a_sample_in_long_format_of_classes_that_stand_in_cells(folder: Path):
    table(folder / "train.csv", image=TRAIN, label=["cat", "dog", "owl"] * 4)
    asked = [f"{i}_{name}" for i in TEST for name in ("owl", "cat", "dog")]
    table(folder / "sample_submission.csv", id=asked, p=[0.3] * 12)
    _, targets = guessed(folder)
    assert (targets.task, targets.label, targets.submission["long"]) == ("single", ["label"], "{id}_{class}")
    assert (targets.submission["value"], targets.submission["target"]) == ("probability", "p")


def test_a_row_for_each_label_asked_for_by_column(folder: Path):
    rows = [(i, name) for n, i in enumerate(TRAIN) for k, name in enumerate(NAMES) if value(n, k)]
    table(folder / "train.csv", image=[i for i, _ in rows], tag=[name for _, name in rows])
    asked = [(i, name) for i in TEST for name in sorted(NAMES)]
    table(folder / "sample_submission.csv", image=[i for i, _ in asked], tag=[n for _, n in asked], p=[0.5] * 12)
    _, targets = guessed(folder)
    assert targets.submission == {"id": "image", "value": "probability", "target": "p", "long": "tag"}


def test_a_lookup_of_every_number(folder: Path):
    table(folder / "train.csv", id=TRAIN, **{name: [n / 7 + k for n in range(12)] for k, name in enumerate(NAMES)})
    asked = [(i, name) for i in TEST for name in NAMES]
    rows = list(range(1, 13))
    table(folder / "lookup.csv", RowId=rows, Image=[i for i, _ in asked], What=[name for _, name in asked])
    table(folder / "sample_submission.csv", RowId=rows, Where=[0] * 12)
    layout, targets = guessed(folder)
    assert (layout.values["labels"], targets.submission["lookup"]) == (
        "train.csv",
        {"file": "lookup.csv", "id": "Image"},
    )


def test_a_stray_table_with_two_columns_of_one_name_is_no_obstacle(folder: Path):
    table(folder / "train.csv", id=TRAIN, label=["cat", "dog"] * 6)
    (folder / "notes.csv").write_text("when,who,who\n1,a,b\n2,a,c\n")
    stock = take_stock(FileTree(folder))
    assert guess(stock)[0].values["labels"] == "train.csv"
    assert "columns named who" in stock.unread["notes.csv"]


def test_rows_without_all_numbers_are_left_out(folder: Path):
    table(
        folder / "train.csv", id=TRAIN, x=[n / 7 for n in range(12)], y=["" if n % 4 == 0 else n / 3 for n in range(12)]
    )
    table(folder / "sample_submission.csv", id=TEST, x=[0.1] * 4, y=[0.1] * 4)
    layout, targets = guessed(folder)
    assert (targets.task, layout.values["where"]) == ("regression", {"y": "?*"})
    assert layout.why["where"] == "3 rows without all labels: left out of training"


def test_labels_that_some_rows_lack_are_labels_still(folder: Path):
    told = {
        name: ["" if n == 5 and k else int((n + k) % 3 == 0 or n == k) for n in range(12)]
        for k, name in enumerate("ab")
    }
    table(folder / "train.csv", id=TRAIN, **told)
    table(folder / "sample_submission.csv", id=TEST, a=[0.1] * 4, b=[0.1] * 4)
    layout, targets = guessed(folder)
    assert (targets.task, layout.values["where"]) == ("multilabel", {"b": "?*"})


def test_places_are_the_targets_where_no_sample_says_which(folder: Path):
    told = {name: [n / 7 + k for n in range(12)] for k, name in enumerate(("eye_x", "eye_y", "nose_x", "nose_y"))}
    table(folder / "train.csv", id=TRAIN, age=list(range(30, 42)), **told)
    _, targets = guessed(folder)
    assert (targets.task, targets.label) == ("regression", list(told))
    table(folder / "train.csv", id=TRAIN, label=["a", "b"] * 6, **told)
    assert guessed(folder)[1].label == ["label"]  # boxes of something


def test_a_sample_that_lacks_a_row_is_long_still(folder: Path):
    rows = [(f"{i}_{name}", value(n, k)) for n, i in enumerate(TRAIN) for k, name in enumerate(NAMES)]
    table(folder / "train.csv", ID=[i for i, _ in rows], Label=[v for _, v in rows])
    asked = [f"{i}_{name}" for i in TEST for name in NAMES][:-1]
    table(folder / "sample_submission.csv", ID=asked, Label=[0.5] * len(asked))
    assert guessed(folder)[1].submission["long"] == "{id}_{class}"


def test_a_cell_that_is_no_number_is_told_before_all_else(folder: Path):
    rows = [(f"{i}_{name}", value(n, k)) for n, i in enumerate(TRAIN) for k, name in enumerate(NAMES)]
    table(folder / "train.csv", ID=[i for i, _ in rows], Label=[v for _, v in rows[:-1]] + ["x"])
    with pytest.raises(UserError, match="^Not known: whether 'train.csv'.*row 36, column 'Label': 'x' is no number"):
        guessed(folder)


def test_a_2_among_thousands_of_0_and_1_makes_no_regression(tmp_path: Path):
    ids = [f"i{n}" for n in range(600)]
    images(tmp_path, *(f"train/{i}.png" for i in ids))
    marks = {name: [int((n + k) % 3 == 0) for n in range(600)] for k, name in enumerate("abc")}
    marks["b"][7] = 2
    table(tmp_path / "train.csv", id=ids, **marks)
    table(tmp_path / "sample_submission.csv", id=["x"], a=[0.1], b=[0.1], c=[0.1])
    layout, targets = guessed(tmp_path)
    assert targets.task == "multilabel" and "'2'" in targets.why["task"] and "where" not in layout.values


def test_large_tables_whose_classes_come_in_turn():
    ids = [f"ID_{n:06x}" for n in range(4000)]
    cells = [f"{i}_{name}" for i in ids for name in NAMES]
    train = Table(["ID", "Label"], [cells, ["0", "1", "0"] * 4000], "train.csv")
    sample = Table(["ID", "Label"], [cells[:3000], ["0.5"] * 3000], "sample.csv")
    images_of = Images("train", [f"train/{i}.png" for i in ids])
    inventory = Inventory(None, {"train.csv": train, "sample.csv": sample}, [images_of], [])  # type: ignore[arg-type]
    found = long_tables(inventory, ("sample.csv", sample), ["sample.csv"])
    assert list(found.tables) == ["train.csv"] and found.sample is not None and found.sample.names == NAMES
