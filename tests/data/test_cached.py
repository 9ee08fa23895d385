"""What lies in the cache is said and taken away, by name and by age; nothing beside it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.data.cached import clear, parts, unused

OLD, NEW, FEATURES = "leaves/00000000000000d1", "leaves/00000000000000d2", "features/00000000000000fe"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Images of two data sets, one of them last used forty days ago, features, a link out of the cache."""
    root = tmp_path / "cache"
    for name, size in ((OLD, 5_000), (NEW, 20_000), (FEATURES, 9_000)):
        (root / name).mkdir(parents=True)
        (root / name / "train.npy").write_bytes(b"x" * size)
    then = time.time() - 40 * 24 * 3600
    os.utime(root / OLD / "train.npy", (then, then))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("kept")
    (root / "leaves" / "0123456789abcdef").symlink_to(tmp_path / "elsewhere")
    (root / "outside").symlink_to(tmp_path / "elsewhere")
    return root


def test_the_largest_part_comes_first(cache: Path):
    found = parts(cache)
    assert [part.name for part in found] == ["leaves", "features"]
    assert found[0].size >= 25_000 and found[1].size == 9_000 and parts(cache / "nowhere") == []


def test_by_age_only_what_was_not_used_goes(cache: Path):
    assert [part.name for part in unused(cache, ["all"], 30)] == [OLD]
    assert [part.name for part in clear(cache, ["all"], 30)] == [OLD]
    assert sorted(path.name for path in (cache / "leaves").iterdir()) == ["00000000000000d2", "0123456789abcdef"]


def test_by_name_a_part_goes_and_what_links_lead_to_stays(cache: Path):
    with pytest.raises(UserError, match="--clear leavs: no such part of the cache.*did you mean 'leaves'"):
        clear(cache, ["leavs"])
    assert [part.name for part in clear(cache, ["features", "leaves"])] == [FEATURES, OLD, NEW]
    assert not (cache / "features").exists() and (cache.parent / "elsewhere" / "kept").read_text() == "kept"
    assert clear(cache, ["features", "layouts"]) == []  # what is not there need not be taken away


def test_what_the_harness_did_not_write_is_not_touched(cache: Path):
    for name in ("shared/thesis/chapter.tex", "leaves/notes.txt", "leaves/photos/1.png", "features/readme.md"):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text("mine")
    assert [part.name for part in parts(cache)] == ["leaves", "features"] and parts(cache)[1].size == 9_000
    assert {part.name for part in clear(cache, ["all"])} == {FEATURES, NEW, OLD}
    with pytest.raises(UserError, match="no such part of the cache.*there are: nothing"):
        clear(cache, ["shared"])
    assert (
        sorted(path.read_text() for path in cache.rglob("*") if path.is_file() and not path.is_symlink())
        == ["mine"] * 4
    )


@pytest.mark.parametrize(
    "name",
    [
        "0123456789abcdef-stream",
        ".0123456789abcdef.part",
        ".0123456789abcdef.lock",
        ".0123456789abcdef.0123456789ab.tmp",
        ".0123456789abcdef.zip.0123456789ab.tmp.7z",
        "sample-18ebb83f7015e58f",
        "sample-0",
        "sample-18ebb83f7015e58f.manifest.json",
        "pooled-0123456789abcdef.npz",
        "0123456789abcdef.json",
        "0123456789abcdef.zip",
        "0123456789abcdef.zip.manifest.json",
    ],
)
def test_all_that_the_harness_writes_is_known_by_its_name(tmp_path: Path, name: str):
    (tmp_path / "leaves" / name).mkdir(parents=True)
    assert [part.name for part in clear(tmp_path, ["leaves"])] == [f"leaves/{name}"]
    assert not (tmp_path / "leaves").exists()


def test_as_a_command(cache: Path, run_command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    said = run_command("harness.data", "cache")
    assert said.returncode == 0 and "leaves" in said.stdout and f"cache: {cache}" in said.stdout
    freed = json.loads(run_command("harness.data", "cache", "--clear", "features", "--json").stdout)
    assert freed["cleared"] == [{"name": FEATURES, "bytes": 9_000}]
    assert [part["name"] for part in freed["parts"]] == ["leaves"]
    refused = run_command("harness.data", "cache", "--older-than", "30")
    assert refused.returncode == 2 and "add --clear all" in refused.stderr
