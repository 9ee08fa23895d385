"""Digit Recognizer's CSV: every pixel where it belongs, every fault with its row."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.competition.data_spec import DataSpec
from harness.data.dataset import load_dataset
from harness.data.files.archives import FileTree
from harness.data.formats.csv_pixels import may_lack_id, read_csv_pixels
from tests.conftest import REPOSITORY, write_digits

DIGITS = REPOSITORY / "competitions" / "digit-recognizer"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_digits(tmp_path / "digit-recognizer")
    return tmp_path


def load(root: Path):
    return load_dataset(find_competition(DIGITS), root)


def edit(path: Path, change: Callable[[list[str]], None]) -> None:
    lines = path.read_text().splitlines()
    change(lines)
    path.write_text("\n".join(lines) + "\n")


def test_pixels_labels_and_ids_are_those_of_the_file(root: Path):
    dataset = load(root)
    table = np.loadtxt(root / "digit-recognizer" / "train.csv", delimiter=",", skiprows=1, dtype=np.int64)
    assert dataset.train.images.dtype == np.uint8
    np.testing.assert_array_equal(dataset.train.images.reshape(60, 784), table[:, 1:])
    np.testing.assert_array_equal(dataset.train.labels, table[:, 0])
    assert dataset.train.ids[:2].tolist() == ["1", "2"]
    assert len(dataset.test) == 10 and dataset.test.labels is None
    assert dataset.source.startswith("real data in ") and not dataset.is_sample


def test_the_platforms_zip_gives_the_same_data(root: Path, tmp_path: Path):
    zipped = tmp_path / "zipped" / "digit-recognizer"
    zipped.mkdir(parents=True)
    with zipfile.ZipFile(zipped / "digit-recognizer.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("train.csv", "test.csv", "sample_submission.csv"):
            archive.write(root / "digit-recognizer" / name, name)
    assert load(tmp_path / "zipped").fingerprint == load(root).fingerprint


def test_columns_may_stand_in_any_place_and_a_bom_does_not_matter(root: Path):
    plain = load(root).fingerprint
    path = root / "digit-recognizer" / "train.csv"

    def label_last(lines: list[str]) -> None:
        lines[:] = [",".join([*line.split(",")[1:], line.split(",")[0]]) for line in lines]

    edit(path, label_last)
    path.write_text("\ufeff" + path.read_text())
    assert load(root).fingerprint == plain


def test_a_changed_pixel_changes_the_fingerprint(root: Path):
    before = load(root).fingerprint
    edit(root / "digit-recognizer" / "test.csv", lambda lines: lines.__setitem__(3, lines[3].replace(",7,", ",8,", 1)))
    assert load(root).fingerprint != before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x.__setitem__(5, x[5].rsplit(",", 2)[0]), r"row 5 \(line 6\) has 783 values, the header has 785"),
        (
            lambda x: x.__setitem__(7, "300".join(x[7].rsplit(x[7].split(",")[-1], 1))),
            r"row 7 .*pixel783: '.*300' is no pixel",
        ),
        (lambda x: x.__setitem__(2, x[2][:2] + "-1," + x[2].split(",", 2)[2]), r"row 2 .*pixel0: '-1' is no pixel"),
        (lambda x: x.__setitem__(2, x[2][:2] + "," + x[2].split(",", 2)[2]), r"row 2 .*pixel0: '' is no pixel"),
        (lambda x: x.__setitem__(9, "12" + x[9][1:]), r"row 9: label '12' is no class.*Classes: 0, 1"),
        (lambda x: x.__setitem__(9, "7.0" + x[9][1:]), r"row 9: label '7\.0' is no class"),
        (
            lambda x: x.__setitem__(0, x[0].replace("label", "lable")),
            r"no column 'label' \(did you mean 'lable'\?\). Its header begins: lable, pixel0.*Correct data.label",
        ),
        (
            lambda x: x.__setitem__(0, x[0].rsplit(",", 1)[0]),
            r"783 pixel columns, but data\.size \[28, 28\] x 1 channels needs 784",
        ),
        (lambda x: x.__delitem__(slice(1, None)), "has a header but no rows"),
    ],
)
def test_faults_name_the_row(root: Path, change: Callable[[list[str]], None], said: str):
    edit(root / "digit-recognizer" / "train.csv", change)
    with pytest.raises(UserError, match=said) as error:
        load(root)
    assert "train.csv" in str(error.value)


def test_a_fault_leaves_no_cache_behind_and_the_cure_works(root: Path):
    path = root / "digit-recognizer" / "train.csv"
    good = path.read_text()
    edit(path, lambda lines: lines.__setitem__(5, lines[5] + ",1"))
    with pytest.raises(UserError, match="row 5"):
        load(root)
    path.write_text(good)
    assert len(load(root).train) == 60


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "ImageId,Label\n1,0\n2,0\n",
            r"its 2 ids are not those of the 10 test images: 0 missing, 8 too many; e\.g\. id '10'",
        ),
        (
            "ImageId,Label\n" + "".join(f"{i},0\n" for i in range(2, 12)),
            r"1 missing, 1 too many; e\.g\. id '11' has no test",
        ),
        ("Id,Label\n1,0\n", r"no column 'ImageId'"),
        ("ImageId,Label\n1,0\n1,0\n", r"id '1' stands in row 1 and in row 2"),
        ("", "cannot be read as CSV"),
    ],
)
def test_a_sample_submission_of_other_rows_is_refused(root: Path, text: str, said: str):
    (root / "digit-recognizer" / "sample_submission.csv").write_text(text)
    with pytest.raises(UserError, match=said):
        load(root)


def test_which_table_may_lack_the_id(tmp_path: Path):
    spec = DataSpec(format="csv_pixels", size=(1, 1), channels=1, train="train.csv", test="test.csv", id="id")
    tree, header = FileTree(tmp_path), lambda tree, name: (tree.path / name).read_text().split(",")
    (tmp_path / "test.csv").write_text("id,pixel0")
    assert may_lack_id(tree, spec, ["pixel0"], False, header)  # the test's rows have numbers
    assert may_lack_id(tree, spec, ["label", "pixel0"], True, header)  # the test's has it
    assert not may_lack_id(tree, spec, ["id", "label", "pixel0"], True, header)  # it is there
    (tmp_path / "test.csv").write_text("pixel0")
    assert not may_lack_id(tree, spec, ["label", "pixel0"], True, header)  # nobody has it
    assert not may_lack_id(tree, spec.model_copy(update={"id": None}), ["label"], True, header)


@pytest.mark.parametrize("mark", ["\t", ";"])
def test_values_may_be_separated_by_tabs_or_semicolons(tmp_path: Path, mark: str):
    spec = DataSpec(format="csv_pixels", size=[2, 2], channels=1, train="train.tsv", test="test.tsv", label="label")
    rows = [["label", "a", "b", "c", "d"], ["cat", "0", "1", "2", "255"], ["dog", "3", "4", "5", "6"]]
    (tmp_path / "train.tsv").write_text("".join(mark.join(row) + "\n" for row in rows))
    found = read_csv_pixels(FileTree(tmp_path), "train.tsv", spec, True, tmp_path)
    assert found.targets is not None and found.targets.columns == [["cat", "dog"]]
    assert np.load(tmp_path / "images.npy").reshape(2, 4).tolist() == [[0, 1, 2, 255], [3, 4, 5, 6]]
    (tmp_path / "train.tsv").write_text("".join(mark.join(row) + "\n" for row in [*rows, ["dog", "3", "x", "5", "6"]]))
    with pytest.raises(UserError, match=r"row 3 \(line 4\), column b: 'x' is no pixel"):
        read_csv_pixels(FileTree(tmp_path), "train.tsv", spec, True, tmp_path)
