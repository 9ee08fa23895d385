"""Zips are read in place; what leads out of the folder, lies about its size or is cut off is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.data.files.archives import FileTree


def make_zip(path: Path, members: dict[str, bytes]) -> FileTree:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return FileTree(path)


def test_zip_and_folder_give_the_same_names_and_bytes(tmp_path: Path):
    members = {"train/a/1.png": b"one", "train/b/2.png": b"two", "train/.hidden": b"x", "__MACOSX/train/1.png": b"x"}
    packed = make_zip(tmp_path / "x.zip", members)
    for name, content in members.items():
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).write_bytes(content)
    for tree in (packed, FileTree(tmp_path / "x")):
        assert tree.names("train") == ["train/a/1.png", "train/b/2.png"]
        assert tree.has("train") and tree.has("train/a/1.png") and not tree.has("tra")
        with tree.open("train/b/2.png") as file:
            assert file.read() == b"two"


@pytest.mark.parametrize("name", ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "..\\evil.csv", "C:/evil.csv"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str):
    with pytest.raises(UserError, match="leads out of its folder"):
        make_zip(tmp_path / "x.zip", {name: b"x"}).names("train")


def test_a_bomb_is_refused_before_it_is_read(tmp_path: Path):
    tree = make_zip(tmp_path / "x.zip", {"train.csv": bytes(300 * 2**20)})
    with pytest.raises(UserError, match="would unpack to 314,572,800"):
        tree.has("train.csv")


def test_a_cut_off_zip_says_so(tmp_path: Path):
    tree = make_zip(tmp_path / "x.zip", {"train.csv": b"label,pixel0\n" * 1000})
    tree.path.write_bytes(tree.path.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"x\.zip: the zip is truncated or corrupt.*Download it again"):
        tree.has("train.csv")


def test_damaged_bytes_inside_a_zip_are_noticed(tmp_path: Path):
    tree = make_zip(tmp_path / "x.zip", {"train.csv": bytes(range(256)) * 400})
    content = bytearray(tree.path.read_bytes())
    content[200] ^= 0xFF
    tree.path.write_bytes(content)
    with (
        pytest.raises(UserError, match=r"x\.zip:train\.csv: the zip is truncated or corrupt"),
        tree.open("train.csv") as f,
    ):
        f.read()
