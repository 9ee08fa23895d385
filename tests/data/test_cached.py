"""What lies in the cache is said and taken away, by name and by age; nothing beside it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.data.cached import clear, parts, unused


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Images of two data sets, one of them last used forty days ago, features, a link out of the cache."""
    root = tmp_path / "cache"
    for name, size in (("leaves/old", 5_000), ("leaves/new", 20_000), ("features/f", 9_000)):
        (root / name).mkdir(parents=True)
        (root / name / "train.npy").write_bytes(b"x" * size)
    then = time.time() - 40 * 24 * 3600
    os.utime(root / "leaves/old/train.npy", (then, then))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("kept")
    (root / "leaves" / "link").symlink_to(tmp_path / "elsewhere")
    (root / "outside").symlink_to(tmp_path / "elsewhere")
    return root


def test_the_largest_part_comes_first(cache: Path):
    found = parts(cache)
    assert [part.name for part in found] == ["leaves", "features"]
    assert found[0].size >= 25_000 and found[1].size == 9_000 and parts(cache / "nowhere") == []


def test_by_age_only_what_was_not_used_goes(cache: Path):
    assert [part.name for part in unused(cache, ["all"], 30)] == ["leaves/old"]
    assert [part.name for part in clear(cache, ["all"], 30)] == ["leaves/old"]
    assert sorted(path.name for path in (cache / "leaves").iterdir()) == ["link", "new"]


def test_by_name_a_part_goes_and_what_links_lead_to_stays(cache: Path):
    assert [part.name for part in clear(cache, ["features", "leaves"])] == ["features/f", "leaves/new", "leaves/old"]
    assert not (cache / "features").exists() and (cache.parent / "elsewhere" / "kept").read_text() == "kept"
    assert clear(cache, ["features", "layouts"]) == []  # what is not there need not be taken away
    with pytest.raises(UserError, match="--clear leavs: no such part of the cache.*did you mean 'leaves'"):
        clear(cache, ["leavs"])


def test_as_a_command(cache: Path, run_command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    said = run_command("harness.data", "cache")
    assert said.returncode == 0 and "leaves" in said.stdout and f"cache: {cache}" in said.stdout
    freed = json.loads(run_command("harness.data", "cache", "--clear", "features", "--json").stdout)
    assert freed["cleared"] == [{"name": "features/f", "bytes": 9_000}]
    assert [part["name"] for part in freed["parts"]] == ["leaves"]
    refused = run_command("harness.data", "cache", "--older-than", "30")
    assert refused.returncode == 2 and "add --clear all" in refused.stderr
