"""One process at a time in a folder."""

from pathlib import Path

import filelock
import pytest

from harness.base.errors import UserError
from harness.base.storage.lock import alone_in


def test_another_one_is_refused_and_told_what_is_done_there(tmp_path: Path):
    folder = tmp_path / "a" / "run"
    said = "run: another process is training this run now. Wait for it, or stop it"
    with (
        alone_in(folder, "is training this run"),
        pytest.raises(UserError, match=said),
        alone_in(folder, "is training this run"),
    ):
        raise AssertionError("both are there")
    with alone_in(folder, "is training this run"):  # free again, after an error too
        pass


def test_it_is_free_after_an_error(tmp_path: Path):
    with pytest.raises(ValueError), alone_in(tmp_path, "works"):
        raise ValueError
    with filelock.FileLock(tmp_path / ".lock", timeout=0):
        pass
