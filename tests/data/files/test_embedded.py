"""Tables whose cells hold encoded images."""

from __future__ import annotations

import struct
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.base.errors import UserError
from harness.data.files.archives import FileTree
from harness.data.files.embedded import encoded_images, tfrecord
from harness.data.rows.tables import Table, read_table
from tests.data.files.tfrecords import Record, example, write_tfrecord

JPEG = b"\xff\xd8\xff and more, as long as an image"


def read(folder: Path, *records: Record | bytes) -> Table:
    write_tfrecord(folder / "a.tfrec", records)
    return read_table(FileTree(folder), "a.tfrec", "data.train")


def columns(table: Table) -> dict[str, list[str]]:
    return dict(zip(table.header, table.columns, strict=True))


def test_features_are_columns_and_images_are_read_apart(tmp_path: Path):
    table = read(
        tmp_path,
        {"id": b"h\xc3\xa4se", "class": 7, "image": JPEG, "share": 0.5},
        {"id": b"b", "class": -1, "image": JPEG + b"2", "share": 2.0},
    )
    assert columns(table) == {"class": ["7", "-1"], "id": ["häse", "b"], "share": ["0.5", "2"]}
    assert table.pictures == ("image",)
    assert list(encoded_images(FileTree(tmp_path), "a.tfrec", "image")) == [JPEG, JPEG + b"2"]


def test_what_a_record_lacks_is_empty_and_lists_are_lists(tmp_path: Path):
    table = read(tmp_path, {"id": b"a"}, {"id": b"b", "tags": [3, 4], "image": JPEG}, {"tags": []}, {})
    assert columns(table) == {"id": ["a", "b", "", ""], "tags": ["", "[3, 4]", "", ""]}
    assert list(encoded_images(FileTree(tmp_path), "a.tfrec", "image")) == [b"", JPEG, b"", b""]


def test_bytes_that_are_neither_image_nor_text_are_left_out(tmp_path: Path):
    table = read(tmp_path, {"id": b"a", "raw": b"\x00\xff"}, {"id": b"b", "raw": b"fine"})
    assert columns(table) == {"id": ["a", "b"]} and table.pictures == ()


def test_an_unchanged_file_is_read_once_and_a_changed_one_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tree, read_by = FileTree(tmp_path), tfrecord.text_columns
    times: list[str] = []
    monkeypatch.setattr(tfrecord, "text_columns", lambda *given: times.append(given[1]) or read_by(*given))
    write_tfrecord(tmp_path / "a.tfrec", [{"id": b"a"}])
    assert read_table(tree, "a.tfrec", "").columns == read_table(tree, "a.tfrec", "").columns == [["a"]]
    write_tfrecord(tmp_path / "a.tfrec", [{"id": b"other"}])
    assert read_table(tree, "a.tfrec", "").columns == [["other"]] and len(times) == 2


def test_rows_of_images_alone_are_counted(tmp_path: Path):
    table = read(tmp_path, {"image": JPEG}, {"image": JPEG})
    assert columns(table) == {"row": ["0", "1"]} and table.pictures == ("image",)
    pd.DataFrame({"image": [JPEG, JPEG, JPEG]}).to_parquet(tmp_path / "a.parquet")
    assert columns(read_table(FileTree(tmp_path), "a.parquet", "data.test")) == {"row": ["0", "1", "2"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"rubbish that is no record", "record 1 is cut off, or this is no TFRecord"),
        (struct.pack("<Q", 2**40) + bytes(99), "record 1 is cut off"),
        (struct.pack("<Q", 3) + bytes(4) + b"\xff\xff\xff" + bytes(4), "record 1 is no Example of TensorFlow's"),
        (struct.pack("<Q", len(example({"id": b"a"}))) + bytes(4) + example({"id": b"a"}), "record 1 is cut off"),
        (b"", "has no rows"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes, said: str):
    (tmp_path / "a.tfrec").write_bytes(content)
    with pytest.raises(UserError, match=rf"a.tfrec: {said}"):
        read_table(FileTree(tmp_path), "a.tfrec", "data.train")


def test_two_columns_of_one_name_are_refused(tmp_path: Path):
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array(["a"])], names=["id", "id"]), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a.parquet: two columns are named 'id'.*Rename one"):
        read_table(FileTree(tmp_path), "a.parquet", "data.train")


def test_images_of_parquet_are_read_part_by_part(tmp_path: Path):
    cells = [{"bytes": JPEG, "path": None}, {"bytes": None, "path": "x"}, None]
    pd.DataFrame({"image": cells, "label": [0, 1, 2]}).to_parquet(tmp_path / "a.parquet")
    assert list(encoded_images(FileTree(tmp_path), "a.parquet", "image")) == [JPEG, b"", b""]
    table = read_table(FileTree(tmp_path), "a.parquet", "data.train")
    assert columns(table) == {"label": ["0", "1", "2"], "image.path": ["", "x", ""]}
