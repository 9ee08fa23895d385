"""What is offered next after a run."""

import sys

import pytest

from harness.cv.report.summary import again


@pytest.mark.parametrize("word", ["--fresh", "--resume", "--attach"])
def test_words_that_begin_anew_or_only_follow_are_not_offered_again(monkeypatch, word: str):
    monkeypatch.setattr(sys, "argv", ["cv", "leaves", "--on", "kaggle", word, "--folds", "0"])
    assert again() == "python -m harness.cv leaves --on kaggle --folds 0 --resume"
    assert again(all_folds=True) == "python -m harness.cv leaves --on kaggle --resume"
