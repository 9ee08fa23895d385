"""Arrays of all images: which are trained on, what says their labels; and tables whose cells hold images."""

from __future__ import annotations

import gzip
import io
import json
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.data.files.archives import FileTree
from harness.data.guess.guess import guess
from harness.data.guess.inventory import take_stock
from harness.data.guess.layout import Layout
from harness.data.guess.targets import Targets
from tests.data.files.tfrecords import write_tfrecord

X, Y = np.full((40, 20, 20, 3), 7, np.uint8), np.arange(40) % 4


def guessed(folder: Path) -> tuple[Layout, Targets]:
    return guess(take_stock(FileTree(folder)))


def chosen(layout: Layout, *keys: str) -> list[object]:
    return [layout.values.get(key) for key in keys or ("format", "train", "labels", "test")]


def test_images_and_labels_in_files_of_their_own(tmp_path: Path):
    for name, array in {"X_train": X, "y_train": Y, "X_val": X[:5], "y_val": Y[:5], "X_test": X[:6]}.items():
        np.save(tmp_path / f"{name}.npy", array)
    pd.DataFrame({"id": range(6), "label": [0] * 6}).to_csv(tmp_path / "sample_submission.csv", index=False)
    layout, targets = guessed(tmp_path)
    assert chosen(layout) == ["arrays", "X_train.npy", "y_train.npy", "X_test.npy"]
    assert chosen(layout, "size", "channels", "range", "id") == [[20, 20], 3, None, None]
    assert targets.label == ["label"] and targets.submission["value"] == "class"
    assert chosen(layout, "merge", "merge_labels") == [["X_val.npy"], ["y_val.npy"]] and layout.unknown == []


def test_validation_rows_are_merged_where_they_have_all_that_is_needed_and_other_ids(tmp_path: Path):
    def merged(ids: range, **columns: object) -> list[object]:
        val = {
            "image": [f"i{n}" for n in ids],
            "species": [f"s{y}" for y in Y[:5]],
            "patient": range(50, 55),
            **columns,
        }
        pd.DataFrame({k: v for k, v in val.items() if v is not None}).to_csv(tmp_path / "val.csv", index=False)
        layout, _ = guessed(tmp_path)
        told = [line for line in layout.unknown if "X_val.npy (5, 20, 20, 3); to train on more" in line]
        assert bool(told) == ("merge" not in layout.values)
        return chosen(layout, "id", "group_by", "merge", "merge_labels")

    train = {"image": [f"i{n}" for n in range(40)], "patient": np.arange(40) // 4, "species": [f"s{y}" for y in Y]}
    pd.DataFrame(train).to_csv(tmp_path / "train.csv", index=False)
    for name, array in {"X_train": X, "X_val": X[:5], "X_test": X[:6], "X_other": X[:5, :9]}.items():
        np.save(tmp_path / f"{name}.npy", array)
    assert merged(range(40, 45)) == ["image", "patient", ["X_val.npy"], ["val.csv"]]
    assert merged(range(5)) == merged(range(40, 45), patient=None) == ["image", "patient", None, None]
    assert merged(range(40, 45), species=["new"] * 5) == ["image", "patient", None, None]


@pytest.mark.parametrize(
    "arrays",
    [
        {"X_trainval": X, "y_trainval": Y, "X_train": X[:30], "y_train": Y[:30], "X_val": X[:10], "y_val": Y[:10]},
        {"X_train": X, "y_train": Y, "X_train_part": X[:30], "X_val": X[30:], "y_val": Y[30:]},
        {"X_train": X, "y_train": Y, "X_val": X[:10], "groups_val": Y[:10]},
        {"X_train": X, "y_train": Y, "X_val": X[:10], "y_val": np.array(["a"] * 10)},
        {"X_train": X, "y_train": Y, "X_val": X[:10] / np.float32(255), "y_val": Y[:10]},
        {"X_train": X, "y_train": Y, "X_val": X[:10], "landmark_labels_val": np.zeros((10, 5, 2))},
    ],
    ids=["all in one", "a part of it", "groups", "other labels", "other values", "landmarks"],
)
def test_what_may_not_be_more_training_rows_is_not_merged(tmp_path: Path, arrays: dict[str, np.ndarray]):
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    layout, _ = guessed(tmp_path)
    assert "merge" not in layout.values


def test_columns_by_a_pattern_and_folders_of_validation(tmp_path: Path):
    for name, n, start in (("train", 40, 0), ("val", 8, 100), ("test", 8, 200)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "X.npy", X[:n])
        columns = {f"m{k}": np.arange(n) % (k + 3) for k in range(5)}
        known = pd.DataFrame(
            {"image": [f"i{start + k}" for k in range(n)], **columns, "species": [f"s{y}" for y in Y[:n]]}
        )
        known.drop(columns=["species"] if name == "test" else []).to_csv(tmp_path / name / "rows.csv", index=False)
    layout, _ = guessed(tmp_path)
    assert chosen(layout, "merge", "merge_labels", "test_rows") == [["val/X.npy"], ["val/rows.csv"], "test/rows.csv"]
    assert layout.values["features"]


@pytest.mark.parametrize(
    ("array", "size", "channels", "bounds"),
    [
        (X.transpose(0, 3, 1, 2).astype(np.float32) / 255, [20, 20], 3, [0, 1]),
        (np.linspace(0, 255, 40 * 400).reshape(40, 20, 20), [20, 20], 1, [0, 255]),
        (np.linspace(-2.5, 2.1, 40 * 400).reshape(40, 400), [20, 20], 1, [-3, 3]),
        (np.tile(np.arange(20, dtype=np.uint16) * 200, (40, 24, 1)), [24, 20], 1, [0, 3800]),
    ],
)
def test_shapes_and_values_tell_what_an_image_is(
    tmp_path: Path, array: np.ndarray, size: list[int], channels: int, bounds: list[int]
):
    np.save(tmp_path / "images.npy", array)
    np.save(tmp_path / "labels.npy", Y)
    layout, _ = guessed(tmp_path)
    assert chosen(layout, "train", "labels", "size", "channels", "range") == [
        "images.npy",
        "labels.npy",
        size,
        channels,
        bounds,
    ]


def test_a_table_beside_an_npz_has_labels_ids_groups_and_columns(tmp_path: Path):
    np.savez(tmp_path / "train.npz", X=X)
    np.savez(tmp_path / "test.npz", X=X[:6])
    known = {"image": [f"i{n}" for n in range(40)], "patient": np.arange(40) // 4, "age": np.arange(40) % 7}
    pd.DataFrame({**known, "species": [f"s{y}" for y in Y]}).to_csv(tmp_path / "train.csv", index=False)
    test = {"image": [f"t{n}" for n in range(6)], "patient": 90 + np.arange(6), "age": range(6)}
    pd.DataFrame(test).to_csv(tmp_path / "test.csv", index=False)
    layout, targets = guessed(tmp_path)
    assert chosen(layout) == ["arrays", "train/X.npy", "train.csv", "test/X.npy"]
    assert chosen(layout, "id", "test_rows", "group_by", "features") == ["image", "test.csv", "patient", ["age"]]
    assert targets.label == ["species"]


def test_patients_count_without_an_id(tmp_path: Path):
    np.save(tmp_path / "X_train.npy", X)
    pd.DataFrame({"patient": np.arange(40) // 4, "species": [f"s{y}" for y in Y]}).to_csv(
        tmp_path / "y_train.csv", index=False
    )
    layout, targets = guessed(tmp_path)
    assert chosen(layout, "labels", "id", "group_by") == ["y_train.csv", None, "patient"]
    assert targets.label == ["species"]


def idx(path: Path, array: np.ndarray) -> None:
    content = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content))


def test_mnists_own_files(tmp_path: Path):
    idx(tmp_path / "train-images-idx3-ubyte.gz", X[..., 0].copy())
    idx(tmp_path / "train-labels-idx1-ubyte.gz", Y.astype(np.uint8))
    idx(tmp_path / "t10k-images-idx3-ubyte.gz", X[:6, ..., 0].copy())
    layout, _ = guessed(tmp_path)
    assert chosen(layout) == [
        "arrays",
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
    ]


def test_arrays_of_an_hdf5_file(tmp_path: Path):
    h5py = pytest.importorskip("h5py")
    for split, n in (("train", 40), ("test", 6)):
        with h5py.File(tmp_path / f"camel_{split}_x.h5", "w") as file:
            file["x"] = X[:n]
        with h5py.File(tmp_path / f"camel_{split}_y.h5", "w") as file:
            file["y"] = Y[:n, None, None, None]
    layout, _ = guessed(tmp_path)
    assert chosen(layout) == ["arrays", "camel_train_x/x.npy", "camel_train_y/y.npy", "camel_test_x/x.npy"]


def test_images_that_nothing_labels_are_told(tmp_path: Path):
    np.save(tmp_path / "X_train.npy", X)
    np.save(tmp_path / "y_test.npy", Y[:6])
    with pytest.raises(
        UserError, match=r"X_train.npy: 40 images, and their labels were not found.*y_test.npy \(6 rows\)"
    ):
        guessed(tmp_path)


def test_one_hot_labels_are_all_columns_of_their_array(tmp_path: Path):
    np.save(tmp_path / "X_train.npy", X)
    np.save(tmp_path / "y_train.npy", np.eye(4, dtype=int)[Y])
    pd.DataFrame({"id": range(6), "label": 0}).to_csv(tmp_path / "sample_submission.csv", index=False)
    _, targets = guessed(tmp_path)
    assert (targets.task, targets.label) == ("single", ["0", "1", "2", "3"])
    assert targets.submission["target"] == "label" and targets.submission["value"] == "class"


def test_a_table_says_which_rows_of_one_array_are_the_tests(tmp_path: Path):
    np.save(tmp_path / "images.npy", X)
    known = {"name": [f"{n}.png" for n in range(40)], "split": ["train"] * 30 + ["test"] * 10, "kind": Y}
    pd.DataFrame(known).to_csv(tmp_path / "meta.csv", index=False)
    layout, _ = guessed(tmp_path)
    assert chosen(layout, "train", "test", "where", "test_where", "optional") == [
        "images.npy",
        "images.npy",
        {"split": ["train"]},
        {"split": ["test"]},
        None,
    ]


def test_a_table_without_a_header_is_told(tmp_path: Path):
    np.save(tmp_path / "images.npy", X)
    np.savetxt(tmp_path / "labels.csv", Y, fmt="%d")
    with pytest.raises(UserError, match=r"labels.csv: has 39 rows below its first line '0', .*Write a header above it"):
        guessed(tmp_path)


def test_pickled_files_are_told_with_the_cure(tmp_path: Path):
    (tmp_path / "train.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match=r"it holds 1 with .pkl. Pickled files can run code.*numpy.save"):
        guessed(tmp_path)
    (tmp_path / "train.pkl").rename(tmp_path / "train.exe")
    with pytest.raises(UserError, match=r"it holds 1 with .exe. Name the folder"):
        guessed(tmp_path)


def test_arrays_that_are_images_stay_images(tmp_path: Path):
    (tmp_path / "train").mkdir()
    for n in range(6):
        np.save(tmp_path / "train" / f"{n}.npy", np.zeros((6, 24, 20), np.float32))
    pd.DataFrame({"id": range(6), "target": [0, 1] * 3}).to_csv(tmp_path / "labels.csv", index=False)
    layout, _ = guessed(tmp_path)
    assert chosen(layout, "format", "train", "channels") == ["image_csv", "train", 6]


def png(side: int) -> dict[str, object]:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(side).integers(0, 255, (side, side, 3), dtype=np.uint8)).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": f"some/{side}.png"}


def test_images_inside_a_table_in_parts(tmp_path: Path):
    (tmp_path / "data").mkdir()
    for part in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        cells = {"image": [png(side) for side in range(20, 26)], "label": [0, 1] * 3}
        pd.DataFrame(cells).to_parquet(tmp_path / "data" / f"{part}.parquet")
    layout, targets = guessed(tmp_path)
    assert chosen(layout, "format", "train", "test", "pixels", "size", "channels") == [
        "table_pixels",
        "data/train-*.parquet",
        "data/test-00000-of-00001.parquet",
        ["image"],
        [24, 24],
        3,
    ]
    assert targets.label == ["label"] and targets.task == "binary"


def test_patients_of_a_table_of_images_share_a_fold_and_columns_are_known(tmp_path: Path):
    for split, n in (("train", 12), ("test", 4)):
        known = {"id": [f"{split}{row}" for row in range(n)], "patient": [f"{split}{row // 3}" for row in range(n)]}
        cells = {"image": [png(20 + row)["bytes"] for row in range(n)], **known, "age": [row % 5 for row in range(n)]}
        table = pd.DataFrame(cells | ({"grade": ["a", "b"] * 6} if split == "train" else {}))
        table.to_parquet(tmp_path / f"{split}.parquet")
    layout, targets = guessed(tmp_path)
    assert chosen(layout, "id", "group_by", "features") == ["id", "patient", ["age"]]
    assert targets.label == ["grade"]


def test_tfrecords_of_one_size_are_taken_those_for_validation_too(tmp_path: Path):
    for side in (64, 192, 512):
        for part, n in (("train", 5), ("val", 3), ("test", 2)):
            known = [{"id": f"{part}{n}".encode(), "image": png(20)["bytes"], "class": n % 2} for n in range(n)]
            records = [{k: v for k, v in one.items() if part != "test" or k != "class"} for one in known]
            for shard in range(2 if part == "train" else 1):
                half = records[shard::2] if part == "train" else records
                write_tfrecord(
                    tmp_path / f"jpeg-{side}x{side}" / part / f"{shard:02}-{side}x{side}-{len(half)}.tfrec", half
                )
    layout, targets = guessed(tmp_path)
    assert chosen(layout, "train", "merge", "test", "id") == [
        "jpeg-192x192/train/*.tfrec",
        ["jpeg-192x192/val/00-192x192-3.tfrec"],
        "jpeg-192x192/test/00-192x192-2.tfrec",
        "id",
    ]
    assert targets.label == ["class"] and any(line.startswith("which size is best: ") for line in layout.unknown)


def test_tfrecords_of_both_splits_in_one_folder_are_told_apart_and_not_read_beside_images(tmp_path: Path):
    for part in ("train00", "train01", "test00"):
        known = [{"id": f"{part}-{n}".encode(), "image": png(20)["bytes"], "target": n % 2} for n in range(4)]
        write_tfrecord(tmp_path / f"{part}-2071.tfrec", known)
    layout, _ = guessed(tmp_path)
    assert chosen(layout, "train", "test", "merge") == ["train*.tfrec", "test00-2071.tfrec", None]
    for kind in "ab":
        (tmp_path / "train" / kind).mkdir(parents=True)
        for n in range(3):
            Image.new("RGB", (8, 8)).save(tmp_path / "train" / kind / f"{n}.png")
    layout, _ = guessed(tmp_path)
    assert chosen(layout, "format", "train") == ["image_folder", "train"]


def test_cells_of_bytes_that_are_no_images_are_told(tmp_path: Path):
    pd.DataFrame({"image": [b"x", b"y"], "label": [0, 1]}).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(UserError, match=r"there are tables, but no images and no pixels in them"):
        guessed(tmp_path)
    pd.DataFrame({"image": [b"\xff\xd8\xff" + bytes(40)] * 2, "label": [0, 1]}).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(UserError, match=r"train.parquet: no image in 'image' could be opened \(row 1: "):
        guessed(tmp_path)


def hub(path: Path, n: int, **columns: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"image": [png(20 + row) for row in range(n)], **columns}).to_parquet(path)


def test_tables_of_another_place_or_with_the_same_ids_are_not_merged_and_told(tmp_path: Path):
    for kind in ("cropped", "full"):
        for part, n in (("train", 6), ("validation", 4), ("test", 2)):
            hub(tmp_path / kind / f"{part}-00000-of-00001.parquet", n, label=[0, 1] * (n // 2))
    layout, _ = guessed(tmp_path)
    train, merged = chosen(layout, "train", "merge")
    assert (train, merged) == ("cropped/train-00000-of-00001.parquet", ["cropped/validation-00000-of-00001.parquet"])
    assert any("full/train-00000-of-00001.parquet" in line for line in layout.unknown)
    for part, n in (("train", 6), ("validation", 4)):
        hub(tmp_path / "cropped" / f"{part}-00000-of-00001.parquet", n, index=range(n), label=[0, 1] * (n // 2))
    layout, _ = guessed(tmp_path)
    assert chosen(layout, "id", "merge") == ["index", None]


def test_other_classes_and_paths_are_no_features(tmp_path: Path):
    about = {"info": {"features": {name: {"names": ["a", "b"], "_type": "ClassLabel"} for name in ("fine", "coarse")}}}
    for part, n in (("train", 6), ("test", 4)):
        cells = {"image": [png(20 + row) for row in range(n)], "fine": [0, 1] * (n // 2), "coarse": [1, 0] * (n // 2)}
        table = pa.Table.from_pandas(pd.DataFrame(cells), preserve_index=False)
        pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(about)}), tmp_path / f"{part}.parquet")
    layout, targets = guessed(tmp_path)
    assert chosen(layout, "features") == [None] and targets.label == ["fine"]
    assert any(line.startswith("whether coarse, classes too, are known of the test") for line in layout.unknown)


def test_a_column_of_bytes_beside_images_in_files_changes_nothing(tmp_path: Path):
    (tmp_path / "train").mkdir()
    for n in range(6):
        Image.new("RGB", (8, 8), (40 * n, 0, 0)).save(tmp_path / "train" / f"{n}.png")
    pd.DataFrame({"id": range(6), "label": [0, 1] * 3}).to_csv(tmp_path / "train.csv", index=False)
    pd.DataFrame({"id": range(6), "phash": [b"\x00\x01"] * 6}).to_parquet(tmp_path / "hashes.parquet")
    hub(tmp_path / "thumbs.parquet", 6, id=range(6))
    layout, _ = guessed(tmp_path)
    assert chosen(layout, "format", "labels") == ["image_csv", "train.csv"]


def test_volumes_that_a_table_names_and_numbered_arrays_are_images(tmp_path: Path):
    (tmp_path / "train").mkdir()
    for n in range(20):
        np.save(tmp_path / "train" / f"v{n}.npy", np.zeros((20, 24, 24), np.uint8))
    pd.DataFrame({"id": [f"v{n}" for n in range(20)], "target": [0, 1] * 10}).to_csv(
        tmp_path / "train.csv", index=False
    )
    layout, _ = guessed(tmp_path)
    assert chosen(layout, "format", "train") == ["image_csv", "train"]


def test_a_logo_and_arrays_of_both_kinds_of_file_do_not_matter(tmp_path: Path):
    np.savez(tmp_path / "data.npz", X_train=X, X_test=X[:6])
    np.save(tmp_path / "y_train.npy", Y)
    Image.new("RGB", (8, 8)).save(tmp_path / "logo.png")
    layout, _ = guessed(tmp_path)
    assert chosen(layout) == ["arrays", "data/X_train.npy", "y_train.npy", "data/X_test.npy"]


def test_images_come_before_other_arrays_of_their_rows(tmp_path: Path):
    for name, array in {"depth_train": X[..., :1], "images_train": X, "labels_train": Y}.items():
        np.save(tmp_path / f"{name}.npy", array)
    layout, _ = guessed(tmp_path)
    assert chosen(layout, "train", "labels") == ["images_train.npy", "labels_train.npy"]


def test_arrays_of_other_things_are_told(tmp_path: Path):
    np.save(tmp_path / "X_train.npy", np.full((40, 8, 8), "x"))
    np.save(tmp_path / "y_train.npy", Y)
    with pytest.raises(UserError, match=r"X_train.npy: holds <U1 values, which are no pixels"):
        guessed(tmp_path)
