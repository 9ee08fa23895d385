"""What to say of a damaged run: the command that heals it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from harness.base.storage.damage import DAMAGED
from harness.base.untrusted_text import plain
from harness.runs.start import read_start


def cure(path: Path) -> str:
    """What heals the run in a folder, by its environment.json or the second copy of it."""
    told: dict[str, Any] = {}
    for content in ((read_start(path) or {}).get("environment.json"), _plain(path / "environment.json")):
        told = told or _dict_in(content)
    with contextlib.suppress(*DAMAGED):  # the file that says it may be the damaged one
        if told.get("ensemble"):
            return _saved_again(told)
    command = told.get("command") or "the command that trained it, with --resume"
    return (
        f"Heal it by: {plain(command)}   (what the folds hold is put together again, only a fold whose own files are lost is "
        "trained anew)"
    )


def _plain(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _dict_in(content: bytes | None) -> dict[str, Any]:
    """A JSON object; {} where it is none."""
    with contextlib.suppress(*DAMAGED):
        told = json.loads(content or b"{}")
        return told if isinstance(told, dict) else {}
    return {}


def _saved_again(told: dict[str, Any]) -> str:
    """The command that saves an ensemble again."""
    ensemble, slug = told["ensemble"], plain(told["competition"]["slug"])
    members = " ".join(f"--run {plain(name)}" for name in ensemble.get("members", {}))
    how = f" --method {plain(ensemble.get('method'))}" if ensemble.get("method") != "consensus" else ""
    return f"Save it again: python -m harness.oof ensemble {slug}{how} {members}"
