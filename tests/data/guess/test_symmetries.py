"""init declares the symmetries that the images themselves bear out, with what was seen; else it leaves the line as a comment."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.files.archives import FileTree
from harness.data.guess.init import init
from harness.data.guess.symmetries import guess_symmetries
from tests.data.test_symmetries import MARKS, things

TOML = 'title = "T"\ntask = "single"\nmetric = "accuracy"\n[data]\nformat = "image_folder"\nsize = 32\nchannels = 1\ntrain = "train"\n'


def write(root: Path, turns: int, mirrored: bool, broken: int = 0) -> None:
    images, labels = things(400, 0, MARKS, turns, mirrored)
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = root / "train" / f"mark{label}" / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if row < broken:
            path.write_bytes(b"no image")
        else:
            Image.fromarray(image[..., 0]).save(path)
    (root / "test").mkdir()
    Image.fromarray(images[0][..., 0]).save(root / "test" / "a.png")


@pytest.mark.parametrize(
    ("turns", "mirrored", "broken", "names"),
    [
        (4, True, 0, ("hflip", "vflip", "rot90", "rot180", "rot270")),
        (1, False, 0, ()),
        (1, True, 20, ("hflip",)),
        (1, True, 390, ()),
    ],
)
def test_what_the_images_say(tmp_path: Path, turns: int, mirrored: bool, broken: int, names: tuple[str, ...]):
    write(tmp_path, turns, mirrored, broken)
    found = guess_symmetries(TOML, FileTree(tmp_path))
    assert found.names == names and ("look like the others (hflip " in found.why) == bool(names)


def test_what_is_not_read_says_nothing(tmp_path: Path):
    found = guess_symmetries(TOML, FileTree(tmp_path))
    assert found.names == () and "train" in found.unread
    found = guess_symmetries(TOML.replace("image_folder", "arrays").replace('"train"', '"X.npy"'), FileTree(tmp_path))
    assert found.names == () and "X.npy: not there" in found.unread


@pytest.mark.parametrize(("turns", "names"), [(4, ("hflip", "vflip", "rot90", "rot180", "rot270")), (1, ("hflip",))])
def test_what_the_images_of_an_array_say(tmp_path: Path, turns: int, names: tuple[str, ...]):
    images, labels = things(400, 0, MARKS, turns, True)
    np.save(tmp_path / "X.npy", images)
    np.save(tmp_path / "y.npy", labels)
    text = TOML.replace("image_folder", "arrays").replace('"train"', '"X.npy"\nlabels = "y.npy"')
    assert (
        guess_symmetries(text.replace("size = 32", f"size = {list(images.shape[1:3])}"), FileTree(tmp_path)).names
        == names
    )


def test_init_says_why_it_could_not_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    images, labels = things(60, 0, MARKS, 1, True)
    (tmp_path / "marks" / "train").mkdir(parents=True)
    for row, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(tmp_path / "marks" / "train" / f"{row}.png")
    rows = [f"{row},mark{label}" for row, label in enumerate(labels)]
    (tmp_path / "marks" / "train.csv").write_text("\n".join(["id,label", *rows, "ghost,mark0"]) + "\n")
    monkeypatch.chdir(tmp_path)
    said = "\n".join(init(tmp_path / "marks", None, None, "none", tmp_path / "data").lines)
    assert "symmetries of the images, which cannot be read yet" in said and "ghost" in said


def test_init_writes_them_with_the_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path / "marks", 1, True)
    monkeypatch.chdir(tmp_path)
    made = init(tmp_path / "marks", None, None, "none", tmp_path / "data")
    assert made.told["symmetries"] == ["hflip"]
    assert any(line.startswith("guessed:  symmetries hflip: images changed like this look like") for line in made.lines)
    folder = tmp_path / "competitions" / "marks"
    assert '\nsymmetries = ["hflip"]      # images changed like this' in (folder / "competition.toml").read_text()
    assert "horizontal_flip = 0.5" in (folder / "recipes" / "quick.toml").read_text()
    assert np.char.find((folder / "recipes" / "quick.toml").read_text(), '"hflip"') > 0
