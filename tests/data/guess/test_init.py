"""What `init` refuses to take for one competition's files, and what it offers to train first."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.data.guess.init import init
from tests.conftest import make_shapes


def draw(folder: Path, classes: tuple[str, ...], side: int = 12) -> None:
    """Ten images a class below train/, four below test/."""
    for number in range(14 * len(classes)):
        name = classes[number % len(classes)]
        place = folder / ("test" if number >= 10 * len(classes) else f"train/{name}")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((side, side, 3), number, np.uint8)).save(place / f"{number}.png")


def lines_of(place: Path, slug: str | None = None) -> list[str]:
    return init(place, slug, None, "none", Path("data")).lines


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: competitions/shapes with its data."""
    make_shapes(tmp_path / "project", per_class=4)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.mark.parametrize("place", [".", "..", "data"])
def test_the_project_itself_is_no_competition(project: Path, place: str):
    with pytest.raises(UserError, match=r"holds (competitions|data/shapes).*Name the folder or zip of one competition"):
        lines_of(Path(place))
    assert [path.name for path in (project / "competitions").iterdir()] == ["shapes"]  # nothing was written
    draw(project / "data" / "leaves", ("beech", "oak"))
    assert lines_of(Path("data/leaves"))


def test_a_project_may_begin_in_the_folder_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    draw(tmp_path / "leaves", ("beech", "oak"))
    monkeypatch.chdir(tmp_path / "leaves")
    for slug in ("leaves", "again"):
        assert any("20 images in train" in line for line in lines_of(Path(), slug))


def test_folders_that_are_laid_out_alike_may_be_several_competitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    draw(tmp_path / "files" / "leaves", ("beech", "oak"))
    (tmp_path / "project" / "competitions").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    assert not [line for line in lines_of(Path("../files"), "one") if "laid out alike" in line]
    draw(tmp_path / "files" / "shells", ("cone", "cowrie"))
    shutil.copytree(tmp_path / "files" / "shells", tmp_path / "files" / "stones")
    said = next(line for line in lines_of(Path("../files"), "three") if "laid out alike" in line)
    assert "'leaves', which is read, and 'shells', 'stones' are laid out alike" in said and said.startswith("unknown:")


@pytest.mark.parametrize(
    ("side", "weights", "recipe"), [(32, True, "transfer"), (12, True, "quick"), (32, False, "quick")]
)
def test_a_frozen_pretrained_network_comes_first_where_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int, weights: bool, recipe: str
):
    draw(tmp_path / "leaves", ("beech", "oak"), side)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.competition.builtin.facts.weights_at_hand", lambda: "package" if weights else "")
    assert f"          python -m harness.cv leaves --recipe {recipe}" in lines_of(tmp_path / "leaves")


def test_what_cannot_be_a_competition_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    draw(tmp_path / "files" / "leaves", ("beech", "oak"))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    with pytest.raises(
        UserError, match=r"competition.toml \(not written\): platform = 'Kaggle': unknown .*known: none"
    ):
        init(Path("../files/leaves"), None, None, "Kaggle", Path("data"))
    assert not list(Path().iterdir())
    assert init(Path("../files/leaves"), None, None, "kaggle", Path("data"))


def test_what_is_trained_on_too_is_told(project: Path):
    sets = {"train": 24, "val": 9, "test": 6}
    images = {f"{name}_images": np.full((n, 12, 12), 7, np.uint8) for name, n in sets.items()}
    labels = {f"{name}_labels": np.arange(n) % 3 for name, n in sets.items()}
    (project / "arrays").mkdir()
    np.savez(project / "arrays" / "all.npz", **images, **labels)
    assert "guessed:  merge all/val_images.npy: their rows have labels too, and are trained on" in lines_of(
        project / "arrays"
    )
