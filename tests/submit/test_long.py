"""Submissions with a row for each image and class: read from the sample, written, checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.base.errors import UserError
from harness.competition import Competition, find_competition
from harness.competition.data_spec import LookupSpec, SubmissionSpec
from harness.data.files.archives import FileTree
from harness.data.rows.sample_submission import (
    LOOKUP,
    Form,
    check_submission_ids,
    copy_lookup,
    read_asked,
    read_submission_header,
    read_submission_ids,
)
from harness.submit.preflight import check_submission, read_ready_file
from harness.submit.submission import submission_table
from tests.conftest import REPOSITORY

DIGITS = find_competition(REPOSITORY / "competitions" / "digit-recognizer")
CLASSES = ("any", "sub_dural")
OUTPUTS = np.array([[0.9, 0.1], [0.8, 0.3]])
SAMPLES = {
    "pattern": "ID,Label\nb_any,0.5\nb_sub_dural,0.5\na_1_sub_dural,0.5\na_1_any,0.5\n",
    "column": "Label,ID,what\n0.5,b,any\n0.5,b,sub_dural\n0.5,a_1,sub_dural\n0.5,a_1,any\n",
    "lookup": "ID,Label\n4,0\n3,0\n2,0\n",
}
WRITTEN = {
    "pattern": "ID,Label\nb_any,0.9\nb_sub_dural,0.1\na_1_sub_dural,0.3\na_1_any,0.8\n",
    "column": "Label,ID,what\n0.9,b,any\n0.1,b,sub_dural\n0.3,a_1,sub_dural\n0.8,a_1,any\n",
    "lookup": "ID,Label\n4,0.9\n3,0.1\n2,0.3\n",
}
LOOKED_UP = "ID,image,name\n1,a_1,any\n2,a_1,sub_dural\n3,b,sub_dural\n4,b,any\n"


def competition(kind: str, value: str = "probability", classes: tuple[str, ...] = CLASSES) -> Competition:
    long = {"pattern": "{id}_{class}", "column": "what", "lookup": "name"}[kind]
    lookup = LookupSpec(file="l.csv", id="image") if kind == "lookup" else None
    spec = SubmissionSpec(id="ID", target="Label", value=value, sample="sample.csv", long=long, lookup=lookup)
    return DIGITS.model_copy(update={"task": "multilabel", "classes": classes, "submission": spec})


@pytest.fixture(params=["pattern", "column", "lookup"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def sample(folder: Path, kind: str, text: str | None = None) -> Path:
    """A cached copy of a sample submission, with what is looked up beside it."""
    (folder / "given").mkdir(exist_ok=True)
    (folder / "given" / "l.csv").write_text(LOOKED_UP)
    copy_lookup(competition(kind), FileTree(folder / "given"), folder)
    path = folder / "submission.csv"
    path.write_text(SAMPLES[kind] if text is None else text)
    return path


def test_images_each_once_in_the_order_of_the_sample(tmp_path: Path, kind: str):
    path = sample(tmp_path, kind)
    assert read_submission_ids(competition(kind), path, "sample").tolist() == ["b", "a_1"]
    assert read_submission_header(competition(kind), path, "sample") == SAMPLES[kind].split("\n")[0].split(",")
    check_submission_ids(competition(kind), np.array(["a_1", "b"]), path, FileTree(tmp_path))
    with pytest.raises(UserError, match="id 'c' is not asked for"):
        check_submission_ids(competition(kind), np.array(["a_1", "b", "c"]), path, FileTree(tmp_path))


def test_what_is_written_is_what_is_asked_for_and_passes_its_checks(tmp_path: Path, kind: str):
    contest, path = competition(kind), sample(tmp_path, kind)
    ids = read_submission_ids(contest, path, "sample")
    form = Form(read_submission_header(contest, path, ""), asked=read_asked(contest, path, ""), id="ID")
    text = form.text(submission_table(contest, ids, OUTPUTS))
    assert text == WRITTEN[kind] and form.rows(ids) == text.count("\n") - 1
    written = tmp_path / "mine.csv"
    written.write_text(text)
    assert check_submission(written, contest, ids, path) == []
    lines = text.splitlines()
    written.write_text("\n".join([lines[0], *lines[:0:-1]]))
    assert "another order" in " ".join(check_submission(written, contest, ids, path))
    table, said = read_ready_file(written, contest, ids, path)
    assert "platform's order" in said and table.to_csv(index=False) == text
    written.write_text("\n".join([*lines[:-1], lines[-1].replace("0.", "7.")]))
    assert "no probabilities" in " ".join(check_submission(written, contest, ids, path))
    written.write_text("\n".join(lines[:-1]))
    assert "missing" in " ".join(check_submission(written, contest, ids, path))


def test_zeros_and_ones(tmp_path: Path):
    contest, path = (
        competition("pattern", "onehot"),
        sample(tmp_path, "pattern", SAMPLES["pattern"].replace("0.5", "0")),
    )
    ids = read_submission_ids(contest, path, "sample")
    form = Form(read_submission_header(contest, path, ""), asked=read_asked(contest, path, ""), id="ID")
    text = form.text(submission_table(contest, ids, OUTPUTS))
    assert text == "ID,Label\nb_any,1\nb_sub_dural,0\na_1_sub_dural,0\na_1_any,1\n"


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("pattern", "ID,Label\nb_any,0\nb_fox,0\n", "row 2, column 'ID': 'b_fox' is not made as"),
        ("column", "ID,what,Label\nb,any,0\nb,fox,0\n", "row 2 asks for 'fox', which is none of the classes"),
        ("column", "ID,what,Label\nb,any,0\nb,any,0\n", "'b any' stands in row 1 and in row 2"),
        ("lookup", "ID,Label\n4,0\n9,0\n", "l.csv: has no row for id '9' of sample, row 2"),
        ("lookup", "ID,Label\n4,0\n4,0\n", "'4' stands in row 1 and in row 2"),
    ],
)
def test_samples_that_ask_for_what_is_not_there(tmp_path: Path, kind: str, text: str, said: str):
    with pytest.raises(UserError, match=said):
        read_asked(competition(kind), sample(tmp_path, kind, text), "sample")


def test_lookup_tables_that_cannot_be_read(tmp_path: Path):
    contest, given = competition("lookup"), tmp_path / "given"
    given.mkdir()
    with pytest.raises(UserError, match="not there.*submission.lookup.file"):
        copy_lookup(contest, FileTree(given), tmp_path)
    for text, said in (("ID,image\n1,a\n", "no column 'name'"), ("ID,image,name\n1,a,any\n1,b,any\n", "stands in row")):
        (given / "l.csv").write_text(text)
        with pytest.raises(UserError, match=said):
            copy_lookup(contest, FileTree(given), tmp_path)
    assert not (tmp_path / LOOKUP).exists()


def test_values_are_found_by_image_and_class_in_any_order(tmp_path: Path):
    n = 500
    ids = [f"i{row}" for row in range(n)]
    path = sample(tmp_path, "pattern", "ID,Label\n" + "".join(f"{i}_{c},0\n" for i in ids for c in CLASSES))
    asked = read_asked(competition("pattern"), path, "sample")
    assert asked is not None
    wide = pd.DataFrame({"ID": ids, "any": np.arange(n), "sub_dural": -np.arange(n)}).sample(frac=1, random_state=0)
    told = asked.values(wide, "ID")["Label"].to_numpy().reshape(n, 2)
    assert told[:, 0].tolist() == list(range(n)) and (told[:, 1] == -told[:, 0]).all()


def test_cells_that_join_to_one_text_are_two_rows_still(tmp_path: Path):
    text = "ID,what,Label\n1,red fox,0\n1 red,fox,0\n"
    asked = read_asked(competition("column", classes=("red fox", "fox")), sample(tmp_path, "column", text), "sample")
    assert asked is not None and len(set(asked.keys)) == 2


def test_a_class_may_be_spelt_in_another_unicode_form(tmp_path: Path):
    contest = competition("column", classes=("cafe\u0301", "tea"))
    path = sample(tmp_path, "column", "ID,what,Label\nb,caf\u00e9,0\nb,tea,0\n")
    asked = read_asked(contest, path, "sample")
    assert asked is not None and asked.classes == ["cafe\u0301", "tea"]
    form = Form(read_submission_header(contest, path, ""), asked=asked, id="ID")
    text = form.text(submission_table(contest, np.array(["b"]), OUTPUTS[:1]))
    assert text == "ID,what,Label\nb,caf\u00e9,0.9\nb,tea,0.1\n"


def test_a_lookup_table_whose_columns_are_called_as_ours(tmp_path: Path):
    spec = SubmissionSpec(
        id="image", target="t", value="number", sample="s.csv", long="row", lookup=LookupSpec(file="l.csv", id="class")
    )
    contest = DIGITS.model_copy(update={"task": "regression", "classes": ("x", "y"), "submission": spec})
    (tmp_path / "l.csv").write_text("image,class,row\n1,a,x\n2,a,y\n")
    copy_lookup(contest, FileTree(tmp_path), tmp_path)
    (tmp_path / "submission.csv").write_text("image,t\n2,0\n1,0\n")
    asked = read_asked(contest, tmp_path / "submission.csv", "sample")
    assert asked is not None and (list(asked.images), list(asked.classes)) == (["a", "a"], ["y", "x"])
