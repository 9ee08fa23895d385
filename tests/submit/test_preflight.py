"""The checks of a submission file find everything that is wrong, at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.competition import find_competition
from harness.competition.competition import SubmissionSpec
from harness.submit.preflight import check_submission
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
        ("ImageId,Label\n1,\n2,0\n3,9\n", ["column Label is empty in 1 rows, first in row 1"]),
        ("ImageId,Label\n1,7.0\n2,0\n3,10\n", ["column Label has no class in 2 rows, first '7.0' in row 1"]),
        (
            "ImageId,Label\n1,\n2,12\n",
            ["has 2 rows", "missing: 3", "is empty", "no class in 1 rows, first '12' in row 2"],
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
    assert problems(tmp_path, wrong, competition) == ["1 rows do not sum to one, first row 3"]
    assert "no probabilities, first row 2" in problems(tmp_path, "id,a,b\n1,0.5,0.5\n2,x,0\n3,1,0\n", competition)[0]


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
