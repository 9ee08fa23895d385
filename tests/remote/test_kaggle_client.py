"""What is taken out of whatever Kaggle says: the key and the tokens, not the user's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.remote.kaggle_client import redacted


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KAGGLE_CONFIG_DIR", "KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".kaggle").mkdir()
    return tmp_path / ".kaggle"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kaggle.json", json.dumps({"username": "somebodys-team", "key": "that-nobody-may-see"})),
        ("access_token", "that-nobody-may-see\n"),
        ("credentials.json", json.dumps({"username": "somebodys-team", "more": {"token": "that-nobody-may-see"}})),
        ("access_token.txt", json.dumps(["that-nobody-may-see"])),
    ],
)
def test_only_secrets_are_taken_out(folder: Path, name: str, text: str):
    (folder / name).write_text(text)
    said = redacted("username somebodys-team, that-nobody-may-see")
    assert said == "username somebodys-team, [redacted]"
