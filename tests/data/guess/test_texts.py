"""Texts beside the data: the metric that they name, and none that they only speak of."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.data.files.archives import FileTree
from harness.data.guess.texts import Told, told_by_texts


def told(folder: Path, text: str, task: str = "single", name: str = "RULES.txt", guessed: str = "accuracy") -> Told:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return told_by_texts(FileTree(folder), [name], task, guessed)


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("Metric: macro F1", "macro_f1"),
        ("Submissions are scored by macro-averaged F1, not by accuracy.", "macro_f1"),
        ("# Birds\n\nPhotos of birds.\n\n## Evaluation\n\nLog loss over all classes.\n", "log_loss"),
        ("Evaluation\n----------\nThe quadratic weighted\nkappa of the grades.\n", "quadratic_kappa"),
        ("EVALUATION:\nBalanced accuracy\n\nPRIZES:\nhonour\n", "balanced_accuracy"),
        ("Rules\n\n- one account a team\n- the leaderboard is by MAP@3\n- no outside data\n", "map@3"),
        ("Evaluation\r\n\r\nMacro-averaged F1\r\n\r\nBaselines\r\n\r\nAccuracy of a CNN: 0.81\r\n", "macro_f1"),
        ("Our baseline has an accuracy of 0.43; see the paper on F1.", None),
        ("The usual procedure is measured by hand. Images were scored by three people.", None),
        ("", None),
    ],
)
def test_what_a_text_says(tmp_path: Path, text: str, metric: str | None):
    found = told(tmp_path, text, "ordinal" if metric == "quadratic_kappa" else "single")
    assert found.metric == metric and not found.unclear and found.read == ["RULES.txt"]
    if metric:
        assert found.said[metric].startswith("'RULES.txt' says '")


def test_several_metrics_are_told_and_none_is_taken(tmp_path: Path):
    found = told(tmp_path, "Metrics:\n* macro F1\n* log loss\n")
    assert found.metric is None
    assert found.unclear.startswith("which of log_loss, macro_f1 it is judged by: 'RULES.txt' says 'macro F1'")


def test_a_metric_of_another_task_is_none(tmp_path: Path):
    assert told(tmp_path, "Metric: RMSE").metric is None
    assert told(tmp_path, "Metric: RMSE", "regression").metric == "rmse"


def test_texts_far_below_and_other_files_are_not_read(tmp_path: Path):
    for name in ("a/b/README.md", "notes.pdf", "labels.csv"):
        assert told(tmp_path, "Metric: macro F1", name=name).read == []
    assert told(tmp_path, "Metric: macro F1", name="docs/README").metric == "macro_f1"


def test_what_a_text_says_is_no_control_sequence(tmp_path: Path):
    found = told(tmp_path, "Metric: \x1b[31mmacro F1 " + "x" * 400)
    assert found.metric == "macro_f1" and "\x1b" not in found.said["macro_f1"] and len(found.said["macro_f1"]) < 250
