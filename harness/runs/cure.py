"""What to say of a damaged or a partial run: the command that heals or finishes it."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

from harness.base.storage.damage import DAMAGED
from harness.base.untrusted_text import plain
from harness.runs.start import read_start


def finish(path: Path) -> str:
    """What trains the folds that the run in a folder lacks."""
    command = _environment(path).get("command")
    if not isinstance(command, str):
        return "Finish it: the command that began it, with --resume and without --folds"
    return f"Finish it: {plain(_FOLDS.sub('', command))}"


_FOLDS = re.compile(r" --folds[ =]\S+")


def _environment(path: Path) -> dict[str, Any]:
    """environment.json of the run in a folder, or the second copy of it; {} where neither can be read."""
    told: dict[str, Any] = {}
    for content in ((read_start(path) or {}).get("environment.json"), _plain(path / "environment.json")):
        told = told or _dict_in(content)
    return told


def cure(path: Path) -> str:
    """What heals the run in a folder."""
    told = _environment(path)
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
