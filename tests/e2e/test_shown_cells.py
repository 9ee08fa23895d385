"""What documents show about blood cells and leaves is run, on drawn ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.browser import Browser
from tests.clean.cells import cells
from tests.conftest import run_inside
from tests.e2e.shown import play_through, small_copy
from tests.pages import LOOKS, faults_of, one_of_each

LEAVES = ("--set", "train.epochs=2")


@pytest.fixture(scope="module")
def leaves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sixth competition of README and tutorial: `init` on a zip, then the same by hand."""
    folder = tmp_path_factory.mktemp("leaves")
    rng = np.random.default_rng(0)
    for i in range(40):
        name = ("beech", "oak")[i % 2]
        place = folder / "leaves" / ("test" if i >= 32 else f"train/{name}")
        place.mkdir(parents=True, exist_ok=True)
        leaf = rng.integers(0, 80, (20, 24, 3), dtype=np.uint8)
        leaf[..., i % 2] += 120  # beeches are red, oaks green
        Image.fromarray(leaf).save(place / f"leaf{i}.png")
    (folder / "downloads").mkdir()
    shutil.make_archive(str(folder / "downloads" / "leaves"), "zip", folder / "leaves")
    play_through("leaves", folder, run_inside, LEAVES, anew="harness.submit")
    return folder


def test_leaves_word_by_word(leaves: Path):
    paths = list((leaves / "submissions" / "leaves").glob("*.csv"))
    assert len(paths) >= 3  # of play's shares and run, of the recipes
    for path in paths:
        sent = pd.read_csv(path)
        assert sent["id"].tolist() == [f"leaf{i}" for i in range(32, 40)]
        assert set(sent.iloc[:, 1]) <= {"beech", "oak"}


@pytest.fixture(scope="module")
def blood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blood cells in the competition's layout: eight classes, three colours of them drawn; a test that is at hand."""
    folder = tmp_path_factory.mktemp("blood")
    small_copy("bloodcells", folder)
    images, _ = cells(96)
    data = folder / "data" / "bloodcells"
    data.mkdir(parents=True)
    np.savez(data / "training_set.npz", images=images.repeat(2, 1).repeat(2, 2), labels=np.arange(96)[:, None] % 8)
    np.savez(data / "test_set.npz", images=cells(24, seed=4)[0].repeat(2, 1).repeat(2, 2))
    play_through("cells", folder, run_inside)
    return folder


def test_blood_cells_word_by_word(blood: Path):
    assert (blood / "oof" / "bloodcells" / "clean" / "clean.csv").is_file()
    assert list((blood / "oof" / "bloodcells").glob("*/forecast.html"))


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_their_pages_have_no_fault(browser: Browser, blood: Path, leaves: Path, width: int, dark: bool):
    pages = one_of_each(blood, leaves)
    assert {"play.html", "clean.html", "noise.html", "forecast.html", "report.html"} <= {page.name for page in pages}
    found = {page.name: faults_of(browser, page, width, dark) for page in pages}
    assert not any(found.values()), found
