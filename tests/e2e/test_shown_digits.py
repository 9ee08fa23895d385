"""What documents show about digits is run: on the embedded sample, on rows in Kaggle's layout, in an empty folder; and captions."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.browser import Browser
from tests.conftest import PINNED, REPOSITORY, run_inside, write_digits
from tests.e2e.shown import play_through, small_copy
from tests.pages import LOOKS, faults_of, one_of_each
from tests.submit import servers

DIGITS = (
    "--set",
    "train.epochs=1",
    "--set",
    "cv.folds=2",
    "--set",
    "model.args.stages=[[4],[8]]",
    "--workers",
    "1",
    *PINNED,
)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first submission, on the embedded sample, and what how-to pages do with its runs."""
    folder = tmp_path_factory.mktemp("digits")
    shutil.copytree(REPOSITORY / "competitions" / "digit-recognizer", folder / "competitions" / "digit-recognizer")
    play_through("digits", folder, run_inside, DIGITS)
    return folder


def test_digits_word_by_word(digits: Path):
    assert list((digits / "submissions" / "digit-recognizer").glob("*.csv"))
    made = list((digits / "oof" / "digit-recognizer").glob("sample-ensemble-*"))
    assert any("hill_climbing" in path.name for path in made)  # the way that is asked for; the best one may be the same
    assert all((path / "oof.parquet").is_file() for path in made)


def test_a_wheel_begins_in_an_empty_folder(tmp_path: Path):
    play_through("empty", tmp_path, run_inside, DIGITS)
    assert list((tmp_path / "oof" / "digit-recognizer").glob("sample-quick-*/report.html"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits as Kaggle has them, fetched from a Kaggle on loopback and sent to it; all that the documents do with them was done."""
    servers.skip_without_kaggle()
    folder = tmp_path_factory.mktemp("rows")
    small_copy("digit-recognizer", folder)
    write_digits(folder / "kaggle")
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as pack:
        for path in (folder / "kaggle").iterdir():
            pack.write(path, path.name)
    server = servers.Kaggle()
    server.zip = packed.getvalue()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("KAGGLE", "CODABENCH"))}
    quick = {"HARNESS_RETRY_SECONDS": "0.05", "HARNESS_GRACE_SECONDS": "0.2", "HARNESS_CALL_SECONDS": "2"}
    here = {"PYTHONPATH": str(REPOSITORY), "HOME": str(folder), "COLUMNS": "200"}
    try:
        play_through("rows", folder, run_inside, env=kept | here | quick | server.environment())
        assert server.stray == [] and len(server.submissions) >= 1
    finally:
        server.close()
    return folder


def test_kaggles_digits_word_by_word(rows: Path):
    assert (rows / "data" / "digit-recognizer" / "digit-recognizer.zip").is_file()
    assert list((rows / "oof" / "digit-recognizer").glob("studies/*/study.html"))


@pytest.fixture(scope="module")
def captions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clusters of the embedded sample's captions."""
    folder = tmp_path_factory.mktemp("captions")
    small_copy("flickr8k", folder)
    play_through("captions", folder, run_inside)
    return folder


def test_captions_word_by_word(captions: Path):
    assert len(list((captions / "oof" / "flickr8k").glob("*/report.html"))) == 2


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_their_pages_have_no_fault(browser: Browser, digits: Path, rows: Path, captions: Path, width: int, dark: bool):
    pages = one_of_each(digits, rows, captions)
    names = {"board.html", "compare.html", "errors.html", "leaderboard.html", "report.html", "study.html"}
    assert names <= {page.name for page in pages}
    assert {"ensemble", "caption_clusters"} <= {
        page.parent.name.removeprefix("sample-").split("-")[0] for page in pages
    }
    found = {f"{page.parent.name}/{page.name}": faults_of(browser, page, width, dark) for page in pages}
    assert not any(found.values()), found
