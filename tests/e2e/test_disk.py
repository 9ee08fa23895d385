"""Full and read-only disks, real ones: small file systems in memory, where the system lets us mount them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import FAST

Mount = Callable[[str], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Mount]:
    """Mount a tmpfs with the given options; skips where that is not allowed."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> Path:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("may not mount a file system here")
        return place

    yield mount
    subprocess.run(["umount", str(place)], capture_output=True, check=False)


def test_a_disk_that_fills_up_while_training_keeps_what_was_done(disk: Mount, run_command):
    out = disk("size=7m")  # room for some of the five checkpoints of 1.7 MB
    call = ("digit-recognizer", "--sample", *FAST, "--out", out)
    done = run_command("harness.cv", *call)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the disk is full" in done.stderr and "Traceback" not in done.stderr
    (run,) = out.glob("oof/digit-recognizer/sample-*")
    kept = list(run.glob("fold-*.npz"))
    assert kept and not list(run.rglob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(out)], check=True)
    again = run_command("harness.cv", *call, "--resume")
    assert again.returncode == 0, again.stderr
    assert (run / "scores.json").is_file()


def test_a_read_only_disk_is_told_before_anything_is_trained(disk: Mount, run_command):
    done = run_command("harness.cv", "digit-recognizer", "--sample", *FAST, "--out", disk("ro"))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "may not be read or written" in done.stderr and "--out DIR" in done.stderr and "Traceback" not in done.stderr
    assert "trained" not in done.stderr


def test_a_full_cache_is_told(disk: Mount, run_command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HARNESS_CACHE", str(disk("size=200k")))
    done = run_command("harness.data", "digit-recognizer", "--sample")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the disk is full" in done.stderr and "HARNESS_CACHE" in done.stderr
