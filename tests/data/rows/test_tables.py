"""Tables of every kind as columns of text."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.base.errors import UserError
from harness.data.files.archives import FileTree
from harness.data.rows.tables import joined, read_table, rows_where

FRAME = pd.DataFrame({"id": ["a", "b", "c"], "grade": [0, 2, 1], "share": [0.5, 1.0, 2.25], "cat": [True, False, True]})


def read(folder: Path, name: str, text: str | bytes):
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return read_table(FileTree(folder), name, "data.labels")


def as_xlsx(folder: Path) -> bytes:
    with pd.ExcelWriter(folder / "x.xlsx") as writer:
        pd.DataFrame().to_excel(writer, sheet_name="empty")
        FRAME.to_excel(writer, index=False, sheet_name="labels")
        FRAME.iloc[:1].to_excel(writer, index=False, sheet_name="another")
    return (folder / "x.xlsx").read_bytes()


def as_parquet(folder: Path) -> bytes:
    FRAME.to_parquet(folder / "x")
    return (folder / "x").read_bytes()


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("t.csv", lambda f: FRAME.to_csv(index=False)),
        ("t.tsv", lambda f: FRAME.to_csv(index=False, sep="\t")),
        ("semicolons.csv", lambda f: FRAME.to_csv(index=False, sep=";")),
        ("t.parquet", as_parquet),
        ("t.xlsx", as_xlsx),
        ("records.json", lambda f: FRAME.to_json(orient="records")),
        ("columns.json", lambda f: json.dumps(FRAME.to_dict("list"))),
        ("by_id.json", lambda f: json.dumps({r["id"]: {k: v for k, v in r.items() if k != "id"} for r in FRAME.to_dict("records")})),
        ("lines.jsonl", lambda f: FRAME.to_json(orient="records", lines=True)),
    ],
)  # fmt: skip
def test_the_same_rows_from_every_kind(tmp_path: Path, name: str, write):
    table = read(tmp_path, name, write(tmp_path))
    assert table.header == ["id", "grade", "share", "cat"] and len(table) == 3
    assert table.column("id", "") == ["a", "b", "c"] and table.column("grade", "") == ["0", "2", "1"]
    assert [float(x) for x in table.column("share", "")] == [0.5, 1.0, 2.25]
    assert [c.lower() in ("1", "true") for c in table.column("cat", "")] == [True, False, True]


def test_labels_by_id_alone(tmp_path: Path):
    table = read(tmp_path, "t.json", '{"a.png": "cat", "b.png": 3}')
    assert table.column("id", "") == ["a.png", "b.png"] and table.column("label", "") == ["cat", "3"]


COCO = {
    "images": [{"id": 7, "file_name": "x/7.jpg", "location": 3}, {"id": 9, "file_name": "9.jpg", "location": 4}],
    "annotations": [{"id": 1, "image_id": 9, "category_id": 1}, {"id": 2, "image_id": 7, "category_id": 0}],
    "categories": [{"id": 0, "name": "oak"}, {"id": 1, "name": "red beech"}],
}


def test_coco_annotations_are_a_row_for_each_image(tmp_path: Path):
    table = read(tmp_path, "train.json", json.dumps(COCO))
    assert table.row(0) == {"id": "7", "file_name": "x/7.jpg", "location": "3", "category_id": "0", "category": "oak"}
    assert table.column("category", "") == ["oak", "red beech"]


def test_an_image_with_several_annotations_has_all_its_categories(tmp_path: Path):
    more = {**COCO, "annotations": [*COCO["annotations"], {"id": 3, "image_id": 7, "category_id": 1}]}
    assert read(tmp_path, "train.json", json.dumps(more)).column("category_id", "") == ["0 1", "1"]


def test_names_with_blanks_are_separated_by_a_mark_that_none_holds(tmp_path: Path):
    several = [*COCO["annotations"], {"id": 3, "image_id": 7, "category_id": 1}]
    table = read(tmp_path, "train.json", json.dumps({**COCO, "annotations": several}))
    assert table.column("category", "") == ["oak,red beech", "red beech"]
    assert table.rows([1]).separators == {"category": ","}
    named = [{"id": 0, "name": "oak, old"}, {"id": 1, "name": "red beech"}]
    other = read(tmp_path, "other.json", json.dumps({**COCO, "annotations": several, "categories": named}))
    assert other.column("category", "")[0] == "oak, old;red beech"
    plain = [{"id": 0, "name": "oak"}, {"id": 1, "name": "beech"}]
    plain_table = read(tmp_path, "plain.json", json.dumps({**COCO, "annotations": several, "categories": plain}))
    assert plain_table.column("category", "")[0] == "oak beech" and plain_table.separators == {}


def test_an_annotation_of_an_unknown_image_is_told(tmp_path: Path):
    wrong = {**COCO, "annotations": [{"image_id": 8, "category_id": 0}]}
    with pytest.raises(UserError, match="image_id '8', which is not among its images"):
        read(tmp_path, "train.json", json.dumps(wrong))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.json", "{", "cannot be read as JSON"),
        ("t.json", "[1, 2]", "is no table"),
        ("t.json", '{"a": [1], "b": [1, 2]}', "its columns are not equally long"),
        ("t.parquet", "PAR1", "cannot be read as Parquet"),
        ("t.csv", "id,label\n", "has no rows"),
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, name: str, text: str, said: str):
    with pytest.raises(UserError, match=said) as error:
        read(tmp_path, name, text)
    assert name in str(error.value)


def test_joined_by_ids_with_and_without_ending(tmp_path: Path):
    left = read(tmp_path, "a.csv", "img,classname\n1.jpg,c0\n2.jpg,c1\n")
    right = read(tmp_path, "b.csv", "name,driver,classname\n2,p2,x\n1,p1,x\n3,p3,x\n")
    table = joined(left, right, "img", "name")
    assert table.column("driver", "") == ["p1", "p2"] and table.column("classname", "") == ["c0", "c1"]
    with pytest.raises(UserError, match="has no row for id '4'"):
        joined(read(tmp_path, "c.csv", "img,x\n4,1\n"), right, "img", "name")
    with pytest.raises(UserError, match="stands in rows 1 and 2 with different values"):
        joined(left, read(tmp_path, "d.csv", "name,driver\n1,p1\n1,p2\n"), "img", "name")


def test_a_text_of_files_is_a_table_and_its_first_line_a_row(tmp_path: Path):
    table = read(tmp_path, "train.txt", "images/1.jpg 3\nimages/2.jpg 0\n")
    assert (table.header, table.columns) == (["file", "label"], [["images/1.jpg", "images/2.jpg"], ["3", "0"]])
    assert read(tmp_path, "test.txt", "1.png\r\n2.png\r\n").columns == [["1.png", "2.png"]]
    assert read(tmp_path, "named.txt", "file,label\n1.png,3\n").columns == [["1.png"], ["3"]]


def test_a_line_of_a_list_that_is_unlike_the_first_is_told(tmp_path: Path):
    with pytest.raises(
        UserError, match=r"train.txt: line 2 is 'images/2.jpg', wanted 2 words that begin with an image's name"
    ):
        read(tmp_path, "train.txt", "images/1.jpg 3\nimages/2.jpg\n")


JPEG = b"\xff\xd8\xff and more, as long as an image"


@pytest.mark.parametrize("cells", [[b"", JPEG], [{"bytes": JPEG, "path": "a/1.jpg"}] * 2])
def test_images_inside_parquet_are_not_read_with_the_rows(tmp_path: Path, cells: list[object]):
    pd.DataFrame({"image": cells, "label": [0, 1]}).to_parquet(tmp_path / "x.parquet")
    table = read_table(FileTree(tmp_path), "x.parquet", "data.labels")
    paths = {"image.path": ["1.jpg", "1.jpg"]} if isinstance(cells[0], dict) else {}
    assert dict(zip(table.header, table.columns, strict=True)) == {"label": ["0", "1"], **paths}
    assert table.pictures == ("image",)


@pytest.mark.parametrize("cells", [[b"\x00\x01", b"\x02"], [[b"a"], []], [{"bytes": b"x", "path": "1"}] * 2])
def test_bytes_that_are_no_images_are_left_out(tmp_path: Path, cells: list[object]):
    pd.DataFrame({"hash": cells, "label": [0, 1]}).to_parquet(tmp_path / "x.parquet")
    table = read_table(FileTree(tmp_path), "x.parquet", "data.labels")
    assert (table.header, table.columns, table.pictures) == (["label"], [["0", "1"]], ())


def test_parts_of_a_table_are_read_as_one(tmp_path: Path):
    for part, first in ((0, 0), (1, 5), (10, 9)):
        rows = {"id": [first, first + 1], "of": [part] * 2}
        pd.DataFrame(rows).to_parquet(tmp_path / f"train-{part:05}-of-00011.parquet")
    pd.DataFrame({"id": [7]}).to_parquet(tmp_path / "test-00000-of-00001.parquet")
    table = read_table(FileTree(tmp_path), "train-*.parquet", "data.labels")
    assert table.columns == [["0", "1", "5", "6", "9", "10"], ["0", "0", "1", "1", "10", "10"]]
    with pytest.raises(UserError, match=r"valid-\*.parquet: not there"):
        read_table(FileTree(tmp_path), "valid-*.parquet", "data.labels")


def hub(path: Path, labels: list[int], names: object) -> None:
    """A table with the description of its columns that the hub's library writes."""
    about = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    table = pa.table({"label": labels}).replace_schema_metadata({"huggingface": json.dumps(about)})
    pq.write_table(table, path)


def test_classes_that_the_hub_names_are_read_by_their_names(tmp_path: Path):
    hub(tmp_path / "x.parquet", [1, 0, -1], ["zebra", "ant", "bee"])
    table = read_table(FileTree(tmp_path), "x.parquet", "data.labels")
    assert table.columns == [["ant", "zebra", ""]] and table.classes == {"label": ("zebra", "ant", "bee")}


@pytest.mark.parametrize("names", [None, "ab", ["a", "a"], ["a", 1], 3])
def test_a_strange_description_names_no_classes(tmp_path: Path, names: object):
    hub(tmp_path / "x.parquet", [1, 0], names)
    table = read_table(FileTree(tmp_path), "x.parquet", "data.labels")
    assert table.columns == [["1", "0"]] and table.classes == {}


@pytest.mark.parametrize(
    ("array", "columns"),
    [
        (np.array([3, 1]), {"id": ["0", "1"], "label": ["3", "1"]}),
        (np.array([[[[0.5]]], [[[2.0]]]]), {"id": ["0", "1"], "label": ["0.5", "2"]}),
        (np.array([[0, 1, 1], [1, 0, 0]]), {"id": ["0", "1"], "0": ["0", "1"], "1": ["1", "0"], "2": ["1", "0"]}),
        (np.array([b" fox", b"hare"]), {"id": ["0", "1"], "label": ["fox", "hare"]}),
        (np.array([True, False]), {"id": ["0", "1"], "label": ["1", "0"]}),
    ],
)
def test_an_array_is_a_table(tmp_path: Path, array: np.ndarray, columns: dict[str, list[str]]):
    np.save(tmp_path / "y.npy", array)
    table = read_table(FileTree(tmp_path), "y.npy", "data.labels")
    assert dict(zip(table.header, table.columns, strict=True)) == columns


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 3, 3)), r"y.npy: is float64 \(2, 3, 3\), wanted numbers or texts"),
        (np.array([b"\xff"]), "y.npy: holds text that is not in UTF-8"),
        (np.array([None]), "y.npy: holds pickled Python objects"),
        (np.zeros((2, 3)).T.copy().T, r"y.npy: is stored column by column"),
        (np.zeros(0), "and holds nothing"),
        (np.zeros((3, 0)), "and holds nothing"),
    ],
)
def test_an_array_that_is_no_table_is_told(tmp_path: Path, array: np.ndarray, said: str):
    np.save(tmp_path / "y.npy", array, allow_pickle=True)
    with pytest.raises(UserError, match=said):
        read_table(FileTree(tmp_path), "y.npy", "data.labels")


def test_a_table_that_is_packed_alone_is_read_by_its_name(tmp_path: Path):
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(b"id,label\n1,a\n"))
    assert read_table(FileTree(tmp_path), "train.csv", "data.labels").columns == [["1"], ["a"]]
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"id,label\n1,a\n")[:-6])
    with pytest.raises(UserError, match=r"cut.csv.gz: the .gz is truncated, corrupt"):
        read_table(FileTree(tmp_path), "cut.csv", "data.labels")


def test_rows_are_chosen_by_values_and_patterns(tmp_path: Path):
    table = read(tmp_path, "t.csv", "id,split,level\na,train,1\nb,val,\nc,test,2\n")
    chosen = rows_where(table, {"split": ("train", "val"), "level": ("?*",)}, "data.where")
    assert chosen.columns[0] == ["a"] and rows_where(table, {}, "data.where") is table
    assert rows_where(table, {"level": ("2",)}, "data.where").place("id", 0).endswith("row 3, column 'id'")
    twice = read(tmp_path, "twice.csv", "id,split\nz,x\na,train\na,train\n")
    with pytest.raises(UserError, match=r"twice.csv: id 'a' stands in row 2 and in row 3"):
        rows_where(twice, {"split": ("train",)}, "data.where").ids("id")
    with pytest.raises(
        UserError, match=r"no row is left by data.where = \{split = \['dev'\]\}; the column holds train, val, test"
    ):
        rows_where(table, {"split": ("dev",)}, "data.where")


@pytest.mark.parametrize(
    "told",
    [
        {"fox": ["1.jpg"], "owl": ["2.jpg", "3.jpg"]},
        {"labels": [["1.jpg", "fox"], ["2.jpg", "owl"], ["3.jpg", "owl"]]},
        {
            "info": {"year": 2020},
            "annotations": [{"file": f"{n}.jpg", "label": k} for n, k in ((1, "fox"), (2, "owl"), (3, "owl"))],
        },
    ],
)
def test_other_ways_to_write_files_and_labels_as_json(tmp_path: Path, told: object):
    table = read(tmp_path, "t.json", json.dumps(told))
    assert (table.header, table.columns) == (["file", "label"], [["1.jpg", "2.jpg", "3.jpg"], ["fox", "owl", "owl"]])


@pytest.mark.parametrize("order", ["<", ">"])
def test_numbers_that_are_no_characters_are_refused(tmp_path: Path, order: str):
    text = np.array(["cat", "dög"], dtype=f"{order}U3")
    np.save(tmp_path / "y.npy", text)
    assert read_table(FileTree(tmp_path), "y.npy", "data.labels").column("label", "") == ["cat", "dög"]
    numbers = text.view(f"{order}u4").copy()
    numbers[1] = 0x110000
    np.save(tmp_path / "y.npy", numbers.view(text.dtype))
    with pytest.raises(UserError, match=r"y.npy: holds text with numbers that are no characters"):
        read_table(FileTree(tmp_path), "y.npy", "data.labels")
