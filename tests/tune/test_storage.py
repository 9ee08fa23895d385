"""Several machines open an empty database at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.tune.storage import open_storage
from tests.postgresql import server, why_not

pytest.importorskip("optuna")


def test_six_that_begin_at_once_share_one_schema(tmp_path: Path):
    if why_not():
        pytest.skip(why_not())
    with server() as url, ThreadPoolExecutor(6) as pool:
        storages = list(pool.map(lambda _: open_storage(url, tmp_path), range(6)))
        assert all(storage.get_all_studies() == [] for storage in storages)


def test_a_server_that_is_down_is_said_without_the_password(tmp_path: Path):
    pytest.importorskip("psycopg")
    with pytest.raises(UserError) as raised:
        open_storage("postgresql+psycopg://me:hunter2@127.0.0.1:1/none", tmp_path)
    assert "cannot be used" in str(raised.value) and "hunter2" not in str(raised.value)
