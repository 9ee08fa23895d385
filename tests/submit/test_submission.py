"""The submission's rows: one image each, or several whose outputs are averaged."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from harness.base.errors import UserError
from harness.competition import Competition, Samples, find_competition
from harness.competition.data_spec import SubmissionSpec
from harness.competition.scoring.registry import find_metric
from harness.data.rows.sample_submission import Form, read_submission_header, sample_separator
from harness.submit.preflight import check_submission
from harness.submit.submission import averaged, clipped
from tests.conftest import REPOSITORY

DIGITS = find_competition(REPOSITORY / "competitions" / "digit-recognizer")


def test_outputs_of_the_images_of_a_row_are_averaged():
    rows = np.array(["b", "a", "b", "c"])
    names, means = averaged(rows, np.array([[0.2], [1.0], [0.6], [0.5]], dtype=np.float32))
    assert names.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(means[:, 0], [1.0, 0.4, 0.5], atol=1e-6)


def test_what_is_answered_is_each_row_once_in_its_order():
    samples = Samples(np.array(["1", "2", "3"]), np.zeros((3, 2, 2, 1), np.uint8), rows=np.array(["b", "a", "b"]))
    assert samples.answered.tolist() == ["b", "a"]
    assert Samples(np.array(["1"]), np.zeros((1, 2, 2, 1), np.uint8)).answered.tolist() == ["1"]


def contest(metric: str, value: str = "probability", task: str = "single") -> Competition:
    submission = SubmissionSpec(id="id", value=value, **({} if value == "probability" else {"target": "t"}))
    return DIGITS.model_copy(
        update={"metric": metric, "task": task, "classes": ("a", "b", "c"), "submission": submission}
    )


def test_probabilities_are_as_the_log_loss_counts_them_and_other_rows_are_left():
    outputs = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2], [1 - 1e-9, 1e-9, 0.0]], dtype=np.float64)
    sent = clipped(contest("log_loss"), outputs)
    assert sent[1].tolist() == outputs[1].tolist()
    np.testing.assert_allclose(sent.sum(axis=1), 1, rtol=1e-12)
    assert sent[sent < 1e-3].min() == pytest.approx(1e-7, rel=1e-5)
    loss, truth = find_metric("log_loss"), np.array([1, 0, 2])
    kaggle = -np.log(np.clip(sent[np.arange(3), truth], 1e-15, 1 - 1e-15)).mean()
    assert kaggle == pytest.approx(loss(truth, outputs), rel=1e-6)  # what OOF was scored by
    deep = clipped(contest("log_loss(eps=1e-15)"), outputs)
    assert 0 < deep[0, 1] < 2e-15
    for other in (contest("accuracy"), contest("log_loss", value="class"), contest("brier")):
        assert clipped(other, outputs) is outputs


def test_labels_are_clipped_at_both_ends_and_do_not_sum_to_one():
    outputs = np.array([[1.0, 0.0, 1.0], [0.5, 0.9, 0.2]])
    sent = clipped(contest("log_loss", task="multilabel"), outputs)
    assert sent[0].tolist() == [1 - 1e-7, 1e-7, 1 - 1e-7] and sent[1].tolist() == outputs[1].tolist()


@pytest.mark.parametrize("cell", ["nan", "inf", "0"])
def test_a_placeholder_is_no_fraction(tmp_path, cell: str):
    sample = tmp_path / "sample.csv"
    asked = contest("accuracy", value="class").model_copy(update={"classes": ("cat", "dog")})
    sample.write_text(f"id,t\na,{cell}\nb,{cell}\n")
    assert read_submission_header(asked, sample, "sample.csv") == ["id", "t"]
    sample.write_text("id,t\na,0.25\nb,0.5\n")
    with pytest.raises(UserError, match="holds fractions"):
        read_submission_header(asked, sample, "sample.csv")


def test_a_column_of_row_numbers_is_written_as_the_sample_has_it():
    table = pd.DataFrame({"id": ["b", "a"], "label": ["x", "y"]})
    assert Form(["Unnamed: 0", "label", "id"]).text(table).splitlines() == ["Unnamed: 0,label,id", "0,x,b", "1,y,a"]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_values_are_separated_as_in_the_sample(tmp_path, mark: str):
    asked = contest("accuracy", value="class").model_copy(update={"classes": ("cat", "dog; or, wolf")})
    sample, written, other = (tmp_path / name for name in ("sample.csv", "out.csv", "other.csv"))
    sample.write_text("id,t\na,cat\nb,cat\n".replace(",", mark))
    form = Form(read_submission_header(asked, sample, "sample.csv"), sample_separator(sample))
    table = pd.DataFrame({"t": ["dog; or, wolf", "cat"], "id": ["a", "b"]})
    written.write_text(form.text(table))
    assert written.read_text().startswith(f"id{mark}t\n")
    assert check_submission(written, asked, np.array(["a", "b"]), sample) == []
    other.write_text("id|t\na|cat\nb|cat\n")
    (problem,) = check_submission(other, asked, np.array(["a", "b"]), sample)
    assert problem.startswith("header is id|t, wanted")


def test_without_a_sample_commas_separate():
    assert sample_separator(None) == Form().separator == ","


@pytest.mark.parametrize(("first", "told"), [("0", True), ("7", False)])
def test_only_row_numbers_may_stand_in_a_column_without_a_name(tmp_path, first: str, told: bool):
    sample = tmp_path / "sample.csv"
    sample.write_text(f",id,0,1\n{first},a,0.5,0.5\n1,b,0.5,0.5\n")
    asked = contest("log_loss").model_copy(update={"classes": ("0", "1")})
    if told:
        assert read_submission_header(asked, sample, "sample.csv") == ["", "id", "0", "1"]
        written = tmp_path / "out.csv"
        written.write_text(",id,0,1\n0,a,0.25,0.75\n1,b,0.5,0.5\n")
        assert check_submission(written, asked, np.array(["a", "b"]), sample) == []
    else:
        with pytest.raises(UserError, match="columns that .submission. does not describe: one without a name;"):
            read_submission_header(asked, sample, "sample.csv")


@pytest.mark.parametrize(
    ("cells", "separator", "wanted"),
    [
        (["a|b", "c"], ",", "|"),
        (["a|b", "c"], "|", None),
        (["a, b", "b, c"], " ", ", "),
        (["a b", "c"], ";", " "),
        (["a", "b"], ";", None),  # none has several
        (["x y", "z w"], ";", None),  # placeholders that are no names
    ],
)
def test_a_separator_other_than_the_samples_is_refused(tmp_path, cells: list[str], separator: str, wanted: str | None):
    path = tmp_path / "sample.csv"
    pd.DataFrame({"id": range(len(cells)), "tags": cells}).to_csv(path, index=False)
    spec = SubmissionSpec(id="id", target="tags", value="labels", separator=separator, sample="sample.csv")
    competition = DIGITS.model_copy(update={"task": "multilabel", "classes": ("a", "b", "c"), "submission": spec})
    if wanted is None:
        assert read_submission_header(competition, path, "sample") == ["id", "tags"]
        return
    with pytest.raises(UserError, match=re.escape(f'separator = "{wanted}" under [submission]')):
        read_submission_header(competition, path, "sample")
