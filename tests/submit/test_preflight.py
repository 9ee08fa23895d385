"""The checks of a submission file find everything that is wrong, at once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.competition.competition import Competition, SubmissionSpec
from harness.submit.preflight import check_submission, labels_hash, read_ready_file
from harness.submit.submission import submission_table
from tests.conftest import REPOSITORY

DIGITS = find_competition(REPOSITORY / "competitions" / "digit-recognizer")
IDS = np.array(["1", "2", "3"])


def problems(tmp_path: Path, text: str, competition=DIGITS) -> list[str]:
    path = tmp_path / "x.csv"
    path.write_text(text)
    return check_submission(path, competition, IDS)


def test_a_good_file_has_none(tmp_path: Path):
    assert problems(tmp_path, "ImageId,Label\n1,7\n2,0\n3,9\n") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Id,Label\n1,7\n2,0\n3,9\n", ["header is Id,Label, wanted ImageId,Label"]),
        ("ImageId;Label\n1;7\n", ["header is ImageId;Label, wanted ImageId,Label"]),
        ("ImageId,Label\n1,7\n2,0\n", ["has 2 rows, wanted 3", "1 ids are missing: 3"]),
        ("ImageId,Label\n1,7\n2,0\n2,9\n", ["1 ids are twice or more: 2", "1 ids are missing: 3"]),
        ("ImageId,Label\n1,7\n2,0\n4,9\n", ["1 ids are missing: 3", "1 ids are not asked for: 4"]),
        ("ImageId,Label\n2,7\n1,0\n3,9\n", ["ids are in another order, first in row 1: '2', wanted '1'"]),
        ("ImageId,Label\n1,7\n3,0\n2,9\n", ["ids are in another order, first in row 2: '3', wanted '2'"]),
        ("ImageId,Label\n1,\n2,0\n3,9\n", ["column Label is empty in 1 row, first in row 1"]),
        ("ImageId,Label\n1,7.0\n2,0\n3,10\n", ["column Label has no class in 2 rows, first '7.0' in row 1"]),
        (
            "ImageId,Label\n1,\n2,12\n",
            ["has 2 rows", "missing: 3", "is empty", "no class in 1 row, first '12' in row 2"],
        ),
        ("", ["cannot be read as CSV"]),
    ],
)
def test_everything_wrong_is_said(tmp_path: Path, text: str, said: list[str]):
    found = problems(tmp_path, text)
    assert len(found) == len(said)
    for line, expected in zip(found, said, strict=True):
        assert expected in line


def test_probabilities(tmp_path: Path):
    spec = SubmissionSpec(id="id", value="probability")
    competition = DIGITS.model_copy(update={"submission": spec, "classes": ("a", "b")})
    proba = np.array([[0.25, 0.75], [1, 0], [0.5, 0.5]])
    assert list(submission_table(competition, IDS, proba).columns) == ["id", "a", "b"]
    assert problems(tmp_path, submission_table(competition, IDS, proba).to_csv(index=False), competition) == []
    wrong = submission_table(competition, IDS, proba * [[1], [1], [0.9]]).to_csv(index=False)
    assert problems(tmp_path, wrong, competition) == ["1 row does not sum to one, first row 3"]
    assert (
        "no probabilities, first 'x' in row 2, column a"
        in problems(tmp_path, "id,a,b\n1,0.5,0.5\n2,x,0\n3,1,0\n", competition)[0]
    )


@pytest.mark.parametrize(("value", "expected"), [("class", ["7", "0", "9"]), ("index", [7, 0, 9])])
def test_labels_are_classes_or_indices(value: str, expected: list):
    spec = DIGITS.submission.model_copy(update={"value": value})
    table = submission_table(DIGITS.model_copy(update={"submission": spec}), IDS, np.eye(10)[[7, 0, 9]])
    assert table["ImageId"].tolist() == ["1", "2", "3"] and table["Label"].tolist() == expected


def test_the_header_wanted_is_the_sample_submissions(tmp_path: Path):
    sample = tmp_path / "sample.csv"
    sample.write_text("\ufeffImageId,label\n1,0\n", encoding="utf-8")
    path = tmp_path / "x.csv"
    path.write_text("ImageId,Label\n1,7\n2,0\n3,9\n")
    assert check_submission(path, DIGITS, IDS, sample) == ["header is ImageId,Label, wanted ImageId,label"]


def test_the_sample_decides_the_header_and_must_have_every_column_that_is_written(tmp_path: Path):
    sample = tmp_path / "sample.csv"
    path = tmp_path / "x.csv"
    spec = SubmissionSpec(id="id", value="probability")
    two = DIGITS.model_copy(update={"submission": spec, "classes": ("a", "b")})
    sample.write_text("id,b,a\n1,0,0\n")
    path.write_text("id,b,a\n1,0.25,0.75\n2,1,0\n3,0.5,0.5\n")
    assert check_submission(path, two, IDS, sample) == []
    sample.write_text("id,b,c\n1,0,0\n")
    path.write_text("id,b,c\n1,0.25,0.75\n2,1,0\n3,0.5,0.5\n")
    (said,) = check_submission(path, two, IDS, sample)
    assert said == "column 'a' of [submission] is not in the sample submission's header id,b,c"


def test_one_probability_need_not_sum_to_one_but_be_one(tmp_path: Path):
    spec = SubmissionSpec(id="id", target="p", value="probability")
    competition = DIGITS.model_copy(update={"submission": spec, "classes": ("a", "b")})
    assert problems(tmp_path, "id,p\n1,0\n2,1\n3,0.25\n", competition) == []
    said = problems(tmp_path, "id,p\n1,0.5\n2,1.001\n3,-0.001\n", competition)
    assert said == ["2 rows hold values that are no probabilities, first '1.001' in row 2, column p"]


def test_probabilities_may_miss_one_by_the_rounding_of_a_file_and_no_more(tmp_path: Path):
    spec = SubmissionSpec(id="id", value="probability")
    competition = DIGITS.model_copy(update={"submission": spec, "classes": ("a", "b")})
    assert problems(tmp_path, "id,a,b\n1,0.5,0.4991\n2,0.5,0.5009\n3,1,0\n", competition) == []
    said = problems(tmp_path, "id,a,b\n1,0.5,0.4989\n2,0.5,0.5011\n3,1,0\n", competition)
    assert said == ["2 rows do not sum to one, first row 1"]


def test_indices_and_names_of_classes_are_told_apart(tmp_path: Path):
    names = DIGITS.model_copy(update={"classes": ("cat", "dog")})
    index = names.model_copy(update={"submission": names.submission.model_copy(update={"value": "index"})})
    by_name, by_index = "ImageId,Label\n1,cat\n2,dog\n3,cat\n", "ImageId,Label\n1,0\n2,1\n3,0\n"
    assert problems(tmp_path, by_name, names) == [] == problems(tmp_path, by_index, index)
    assert problems(tmp_path, by_index, names) == ["column Label has no class in 3 rows, first '0' in row 1"]
    assert problems(tmp_path, by_name, index) == ["column Label has no class in 3 rows, first 'cat' in row 1"]
    assert problems(tmp_path, "ImageId,Label\n1,1\n2,2\n3,0\n", index) == [
        "column Label has no class in 1 row, first '2' in row 2"
    ]


@pytest.mark.parametrize(
    ("spec", "good", "wrong"),
    [
        (
            {"value": "labels"},
            ["", "cat", "dog cat", "cat  dog"],
            {
                "bird": "not only names of classes, 2 at most",
                "cat cat": "not only names of classes",
                "cat,dog": "not only",
            },
        ),
        ({"value": "labels", "separator": ", "}, ["cat, dog"], {"cat dog": "not only names of classes, 2 at most"}),
        ({"value": "ranked", "k": 1}, ["cat", "dog"], {"cat dog": "not only names of classes, 1 at most"}),
        ({"value": "ranked", "k": 2}, ["dog cat"], {"dog bird": "not only names of classes, 2 at most"}),
    ],
)
def test_several_names_in_a_cell(tmp_path: Path, spec: dict, good: list[str], wrong: dict[str, str]):
    competition = DIGITS.model_copy(update={"submission": SubmissionSpec(id="id", **spec), "classes": ("cat", "dog")})
    rows = [*good, "cat"] * 3
    for cell, said in ((rows[0], ""), *wrong.items()):
        text = f'id,label\n1,"{rows[1]}"\n2,"{cell}"\n3,"{rows[0]}"\n'
        found = problems(tmp_path, text, competition)
        assert len(found) == bool(said), found
        if said:
            assert f"column label has {said}" in found[0] and found[0].endswith(f"in 1 row, first '{cell}' in row 2")
    for cell in good:
        assert problems(tmp_path, f'id,label\n1,"{cell}"\n2,cat\n3,dog\n', competition) == []


def test_a_name_and_how_sure_it_is(tmp_path: Path):
    spec = SubmissionSpec(id="id", value="confident")
    competition = DIGITS.model_copy(update={"submission": spec, "classes": ("cat", "old dog")})
    table = submission_table(competition, IDS, np.array([[0.25, 0.75], [1, 0], [0.6, 0.4]], dtype=np.float32))
    assert table["label"].tolist() == ["old dog 0.750000", "cat 1.000000", "cat 0.600000"]
    table.to_csv(tmp_path / "x.csv", index=False)
    assert check_submission(tmp_path / "x.csv", competition, IDS) == []
    for cell in ("cat", "cat 1.5", "bird 0.5", "0.5", "cat nan"):
        said = "column label has not a class's name and a probability in 1 row, first '" + cell + "' in row 2"
        assert problems(tmp_path, f"id,label\n1,cat 0.5\n2,{cell}\n3,old dog 0\n", competition) == [said]


def test_a_row_without_a_label_may_be_blank_only_where_that_is_meant(tmp_path: Path):
    for empty, value, said in (
        ("blank", "labels", []),
        ("likeliest", "labels", ["column label is empty in 1 row, first in row 2"]),
        ("blank", "ranked", ["column label is empty in 1 row, first in row 2"]),
    ):
        spec = SubmissionSpec(id="id", value=value, empty=empty)
        competition = DIGITS.model_copy(update={"submission": spec, "classes": ("cat", "dog")})
        assert problems(tmp_path, "id,label\n1,cat\n2,\n3,dog\n", competition) == said


def test_ones_and_noughts_and_numbers_column_by_column(tmp_path: Path):
    onehot = DIGITS.model_copy(update={"submission": SubmissionSpec(id="id", value="onehot"), "classes": ("a", "b")})
    assert problems(tmp_path, "id,a,b\n1,0,1\n2,1,0\n3,0,0\n", onehot) == []
    assert problems(tmp_path, "id,a,b\n1,0,1\n2,1.0,0\n3,0,2\n", onehot) == [
        "column a has neither 0 nor 1 in 1 row, first '1.0' in row 2",
        "column b has neither 0 nor 1 in 1 row, first '2' in row 3",
    ]
    number = DIGITS.model_copy(update={"submission": SubmissionSpec(id="id", value="number"), "classes": ("age", "kg")})
    assert problems(tmp_path, "id,age,kg\n1,-3,1e3\n2,0.5,7\n3,1,2\n", number) == []
    assert problems(tmp_path, "id,age,kg\n1,-3,nan\n2,inf,7\n3,old,2\n", number) == [
        "column age has no number in 2 rows, first 'inf' in row 2",
        "column kg has no number in 1 row, first 'nan' in row 1",
    ]


def test_probabilities_of_several_labels_need_not_sum_to_one(tmp_path: Path):
    spec = SubmissionSpec(id="id", value="probability")
    labels = DIGITS.model_copy(update={"submission": spec, "classes": ("a", "b"), "task": "multilabel"})
    assert problems(tmp_path, "id,a,b\n1,0.9,0.9\n2,0,0\n3,1,0\n", labels) == []
    assert "no probabilities" in problems(tmp_path, "id,a,b\n1,1.9,0.9\n2,0,0\n3,1,0\n", labels)[0]


def test_what_stands_in_rows_of_ones_own_is_not_judged_but_their_ids_and_empty_cells_are(tmp_path: Path):
    (tmp_path / "competition.toml").write_text((DIGITS.folder / "competition.toml").read_text())
    (tmp_path / "competition.py").write_text("def to_submission(ids, proba, classes): ...\n")
    competition = find_competition(tmp_path)
    sample = tmp_path / "sample.csv"
    sample.write_text("ImageId,boxes,note\n1,,\n")
    path = tmp_path / "x.csv"
    path.write_text("ImageId,boxes,note\n1,0 0 4 4,x\n2,-,y\n3,1 1 2 2,z\n")
    assert check_submission(path, competition, IDS, sample) == []
    path.write_text("ImageId,boxes,note\n1,0 0 4 4,x\n2,,y\n4,,\n")
    assert check_submission(path, competition, IDS, sample) == [
        "1 ids are missing: 3",
        "1 ids are not asked for: 4",
        "column boxes is empty in 2 rows, first in row 2",
        "column note is empty in 1 row, first in row 3",
    ]
    sample.write_text("Image,boxes\n1,\n")
    path.write_text("Image,boxes\n1,x\n")
    (said,) = check_submission(path, competition, IDS, sample)
    assert said.startswith("column 'ImageId' of [submission] is not in the sample submission's header")


def test_of_many_wrong_ids_three_are_shown(tmp_path: Path):
    ids = np.array([f"i{n}" for n in range(9)])
    path = tmp_path / "x.csv"
    for n_wrong, shown in ((3, "3 ids are missing: i0, i1, i2"), (4, "4 ids are missing: i0, i1, i2, ...")):
        path.write_text("ImageId,Label\n" + "".join(f"{name},1\n" for name in ids[n_wrong:]))
        assert check_submission(path, DIGITS, ids) == [f"has {9 - n_wrong} rows, wanted 9", shown]


def test_long_texts_are_cut(tmp_path: Path):
    (said,) = problems(tmp_path, f"ImageId,{'x' * 900}\n1,7\n")
    assert said == f"header is ImageId,{'x' * 292} ..., wanted ImageId,Label"
    (said,) = problems(tmp_path, f"ImageId,Label\n1,{'x' * 900}\n2,1\n3,1\n")
    assert said == f"column Label has no class in 1 row, first '{'x' * 80} ...' in row 1"
    wanted = DIGITS.model_copy(update={"submission": SubmissionSpec(id="ImageId", target="y" * 900)})
    (said,) = problems(tmp_path, "ImageId,Label\n1,7\n", wanted)
    assert said == f"header is ImageId,Label, wanted ImageId,{'y' * 292} ..."
    (_, said) = problems(tmp_path, f"ImageId,Label\n1,7\n2,1\n3,1\n{'z' * 900},1\n")
    assert said == f"1 ids are not asked for: {'z' * 300} ..."
    sample = tmp_path / "sample.csv"
    sample.write_text(f"ImageId,{'w' * 900}\n")
    path = tmp_path / "x.csv"
    path.write_text(f"ImageId,{'w' * 900}\n1,7\n")
    (said,) = check_submission(path, DIGITS, IDS, sample)
    assert said.endswith(f"header ImageId,{'w' * 292} ...")


def test_a_damaged_sample_submission_is_named(tmp_path: Path):
    sample = tmp_path / "sample.csv"
    sample.write_bytes(b"\xff\xfe\x00")
    path = tmp_path / "x.csv"
    path.write_text("ImageId,Label\n1,7\n2,0\n3,9\n")
    with pytest.raises(UserError, match=str(sample)):
        check_submission(path, DIGITS, IDS, sample)


def test_cells_that_pandas_takes_for_missing_are_text(tmp_path: Path):
    names = DIGITS.model_copy(update={"classes": ("NA", "null")})
    assert problems(tmp_path, "ImageId,Label\n1,NA\n2,null\n3,NA\n", names) == []


@pytest.mark.parametrize("text", ["ImageId,Label\n1,7,\n2,0,\n3,9,\n", "ImageId,Label\n1,7,5\n2,0,5\n3,9,5\n"])
def test_cells_beyond_the_header_are_not_dropped_unsaid(tmp_path: Path, text: str):
    """pandas drops them where every row has one; the file was taken for good."""
    said = "cannot be read as CSV: its rows have more cells than its header has names"
    assert problems(tmp_path, text) == [said]
    with pytest.raises(UserError, match=f"mine.csv: {said}"):
        ready(tmp_path / "mine.csv", text)
    assert "Expected 2 fields in line 3, saw 3" in problems(tmp_path, "ImageId,Label\n1,7\n2,0,5\n3,9\n")[0]


def ready(path: Path, text: str | bytes, competition: Competition = DIGITS):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_ready_file(path, competition, IDS)


def test_a_ready_file_is_read_as_text_and_left_as_it_is(tmp_path: Path):
    for text in (b"ImageId,Label\n1,07\n2,NA\n3,9\n", b"\xef\xbb\xbfImageId,Label\r\n1,07\r\n2,NA\r\n3,9\r\n"):
        for name in ("mine.csv", "mine.TXT"):
            table, changed = ready(tmp_path / name, text)
            assert changed == "" and list(table.columns) == ["ImageId", "Label"]
            assert table["ImageId"].tolist() == ["1", "2", "3"] and table["Label"].tolist() == ["07", "NA", "9"]


def test_a_ready_file_in_another_order_is_put_right_and_it_is_said(tmp_path: Path):
    table, changed = ready(tmp_path / "mine.csv", "Label,ImageId\n9,3\n7,1\n0,2\n")
    assert changed == "the rows of mine.csv were put into the platform's order"
    assert table["ImageId"].tolist() == ["1", "2", "3"] and table["Label"].tolist() == ["7", "0", "9"]
    assert list(table.columns) == ["Label", "ImageId"]


@pytest.mark.parametrize("ids", [["3", "1", "1"], ["3", "1", "4"], ["3", "1"], ["1", "2", "3", "3"]])
def test_a_ready_file_with_other_ids_is_left_for_the_checks(tmp_path: Path, ids: list[str]):
    table, changed = ready(tmp_path / "mine.csv", "ImageId,Label\n" + "".join(f"{i},1\n" for i in ids))
    assert changed == "" and table["ImageId"].tolist() == ids
    table, changed = ready(tmp_path / "mine.csv", "Id,Label\n3,1\n1,1\n2,1\n")
    assert changed == "" and table["Id"].tolist() == ["3", "1", "2"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("mine.parquet", "x", "give the CSV itself, not a '.parquet'$"),
        ("mine", "x", "give the CSV itself, not a 'mine'$"),
        ("mine.csv", "", "cannot be read as CSV: "),
        (
            "mine.csv",
            "ImageId;Label\n1;7\n",
            "its columns are not separated by commas; its first line is 'ImageId;Label'$",
        ),
        ("mine.csv", "ImageId\tLabel\n1\t7\n", "its columns are not separated by commas"),
        ("mine.csv", "ImageId|Label\n1|7\n", "its columns are not separated by commas"),
        ("mine.csv", ",ImageId,Label\n0,1,7\n", "its first column has no name: the rows' numbers"),
        ("mine.csv", "Unnamed: 0,ImageId,Label\n0,1,7\n", "its first column has no name"),
        (
            "mine.csv",
            "ImageId,Label\n" + "1,7\n" * 4000,
            "has 16,014 bytes; a submission of 3 rows has 11,500 at most$",
        ),
    ],
)
def test_what_is_no_csv_with_commas_is_refused(tmp_path: Path, name: str, text: str, said: str):
    with pytest.raises(UserError, match=f"^--file {tmp_path / name}: {said}"):
        ready(tmp_path / name, text)


@pytest.mark.parametrize("text", [",ImageId,Label\n0,1,7\n1,2,0\n2,3,9\n", "ImageId,Label\n3,9\n2,0\n1,7\n"])
def test_a_ready_file_gets_the_row_numbers_that_the_sample_has(tmp_path: Path, text: str):
    """The harness's own file, and one that was written with index=False."""
    sample, path = tmp_path / "sample.csv", tmp_path / "mine.csv"
    sample.write_text(",ImageId,Label\n0,1,0\n1,2,0\n2,3,0\n")
    path.write_text(text)
    table, _ = read_ready_file(path, DIGITS, IDS, sample)
    assert table.to_csv(index=False) == ",ImageId,Label\n0,1,7\n1,2,0\n2,3,9\n"
    path.write_text("ImageId,label\n1,7\n2,0\n3,9\n")  # of other columns it is left for the checks
    assert list(read_ready_file(path, DIGITS, IDS, sample)[0].columns) == ["ImageId", "label"]


@pytest.mark.parametrize("header", ["Label,ImageId", ",ImageId,Label"])
def test_empty_cells_are_found_wherever_the_id_stands(tmp_path: Path, header: str):
    sample, path = tmp_path / "sample.csv", tmp_path / "x.csv"
    sample.write_text(f"{header}\n")
    row = {"Label,ImageId": ",{}", ",ImageId,Label": "0,{},"}[header]
    path.write_text("\n".join([header, *(row.format(one) for one in IDS)]))
    assert check_submission(path, DIGITS, IDS, sample) == ["column Label is empty in 3 rows, first in row 1"]


def test_a_ready_file_that_is_a_folder_or_not_there_is_told(tmp_path: Path):
    with pytest.raises(UserError, match="is a folder; name the CSV in it"):
        read_ready_file(tmp_path, DIGITS, IDS)
    with pytest.raises(UserError, match="nothing.csv: not there"):
        read_ready_file(tmp_path / "nothing.csv", DIGITS, IDS)


def test_the_largest_file_that_a_submission_can_be_is_read(tmp_path: Path):
    text = "ImageId,Label\n1,7\n2,0\n3,"
    most = 10_000 + 3 * (200 + 30 * 10)
    table, _ = ready(tmp_path / "mine.csv", text + "9" * (most - len(text)))
    assert len(table) == 3
    with pytest.raises(UserError, match="at most"):
        ready(tmp_path / "mine.csv", text + "9" * (most - len(text) + 1))


def test_a_column_alone_and_a_nameless_one_without_an_id_are_left_for_the_checks(tmp_path: Path):
    assert ready(tmp_path / "mine.csv", "ImageId\n1\n2\n")[1] == "" == ready(tmp_path / "mine.csv", "X\n1\n")[1]
    assert ready(tmp_path / "mine.csv", ",Label\n1,7\n")[1] == ""


def test_files_that_say_the_same_have_the_same_hash(tmp_path: Path):
    texts = [b"a,b\n1,2\n3,4\n", b"a,b\n3,4\n1,2", b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4\r\n", b"a,b\n1,2\n3,5\n"]
    found = []
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.csv").write_bytes(text)
        found.append(labels_hash(tmp_path / f"{number}.csv"))
    assert found[0] == found[1] == found[2] != found[3]
    assert found[0] == hashlib.sha256(b"1,2\n3,4\na,b").hexdigest()  # as ledgers hold it
