"""A file that is there is complete."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from harness.base.errors import UserError, nearest
from harness.base.storage.atomic_files import complete_file, complete_folder, explain_disk_errors, read_json, write_json


def test_a_block_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path):
    path = tmp_path / "scores.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), complete_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["scores.json"]


def test_folder_appears_whole_or_not_at_all(tmp_path: Path):
    with pytest.raises(RuntimeError), complete_folder(tmp_path / "cache") as building:
        (building / "half").write_text("x")
        raise RuntimeError("killed")
    assert list(tmp_path.iterdir()) == []
    with complete_folder(tmp_path / "cache") as building:
        (building / "images").write_text("x")
    assert (tmp_path / "cache" / "images").read_text() == "x"


def test_second_builder_of_a_folder_keeps_the_first_ones(tmp_path: Path):
    with complete_folder(tmp_path / "cache") as building:
        (building / "images").write_text("ours")
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "images").write_text("theirs")
    assert (tmp_path / "cache" / "images").read_text() == "theirs"


@pytest.mark.parametrize(
    ("code", "said"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "may not be read or written"), (errno.EACCES, "--out DIR")],
)
def test_disk_errors_name_place_and_cure(code: int, said: str):
    with pytest.raises(UserError, match=said), explain_disk_errors(Path("oof/run")):
        raise OSError(code, "strerror", "x")


def test_other_os_errors_stay_what_they_are(tmp_path: Path):
    with pytest.raises(ConnectionResetError), explain_disk_errors(tmp_path):
        raise ConnectionResetError(errno.ECONNRESET, "reset")


def test_json_refuses_nan_and_explains_what_it_cannot_read(tmp_path: Path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "x.json", {"score": float("nan")})
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UserError, match=r"bad\.json: not valid JSON"):
        read_json(tmp_path / "bad.json")
    with pytest.raises(UserError, match=r"none\.json: not there"):
        read_json(tmp_path / "none.json")


def test_nearest_names_the_close_one_only():
    assert nearest("epoch", ["epochs", "lr"]) == " (did you mean 'epochs'?)"
    assert nearest("zzz", ["epochs", "lr"]) == ""
