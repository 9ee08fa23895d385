"""What is settled before the first fold."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from harness.cv.jobs import prepare
from harness.cv.jobs.prepare import usable_cores


@pytest.mark.parametrize(("asked", "cores"), [("1", 1), ("", None), ("0", None), ("many", None), ("100000", None)])
def test_processes_that_share_a_machine_can_be_given_some_of_its_cores(
    monkeypatch: pytest.MonkeyPatch, asked: str, cores: int | None
):
    monkeypatch.delenv("HARNESS_CORES", raising=False)
    there = usable_cores()
    monkeypatch.setenv("HARNESS_CORES", asked)
    assert usable_cores() == (cores or there)


def test_an_installed_harness_names_no_strangers_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path / "project" / ".venv" / "site-packages" / "harness"
    place.mkdir(parents=True)
    for words in (
        ("init", "-q"),
        ("-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "x"),
    ):
        if subprocess.run(["git", "-C", str(tmp_path / "project"), *words], check=False).returncode:
            pytest.skip("no git here")
    monkeypatch.setattr(prepare, "package_folder", lambda: place)
    assert prepare.git_commit() is None
    monkeypatch.setattr(prepare, "package_folder", lambda: tmp_path / "project" / "harness")
    assert re.fullmatch("[0-9a-f]{12}", prepare.git_commit() or "")
