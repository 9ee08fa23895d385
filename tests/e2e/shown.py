"""The blocks of documents that are marked to be run: in places drawn for them, one after the other, as a reader would."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tomli_w

from tests.conftest import REPOSITORY
from tests.e2e.snippets import blocks

SHORTER = {"--hours": "0.004", "--trials": "2", "--parallel": "2"}
ELSEWHERE = {"--on", "--cluster", "--serve", "--submit", "--bundle", "oof/bloodcells/play/play.toml"}
"""Lines with one of these need another machine, a platform, or minutes, or never end: tests/kernels, tests/distributed, tests/board,
tests/submit/test_bundle.py and tests/e2e/test_play.py have them."""
UNSURE = ("--set", "pseudo.threshold=0.1")
"""After an epoch on drawn rows."""
RUN = re.compile(r"(\w+)-1a2b3c4d|RUN")


def play_through(
    place: str, folder: Path, run: Callable[..., Any], extra: tuple[str, ...] = (), anew: str = "", **how: Any
) -> None:
    """Run every block of a place, in the order of the pages. What comes a second time stands already.

    extra : what harness.cv gets, but for recipes that the documents write; anew : a command that is run a second time too
    how : for `run`
    """
    done: set[tuple[str, ...]] = set()
    shown = [block for block in blocks() if block.place == place]
    assert shown
    written: set[str] = set()
    for block in shown:
        if block.kind == "toml":
            path = block.text.splitlines()[0].removeprefix("# ")
            (folder / path).write_text(block.text)
            written.add(Path(path).stem)
            continue
        for words in block.calls:
            if ELSEWHERE & set(words) or (tuple(words) in done and words[2] != anew):
                continue
            done.add(tuple(words))
            more = extra if words[2] == "harness.cv" and not written & set(words) else ()
            more += UNSURE if "--pseudo-labels" in words else ()
            more += ("--noise-rows", "16") if "--noise" in words else ()
            ended = run(*_as_here(words, folder)[2:], *more, cwd=folder, **how)
            assert ended.returncode == 0, f"{block.where}: {' '.join(words)}\n{ended.stderr}\n{ended.stdout}"


def _as_here(words: list[str], folder: Path) -> list[str]:
    """Shorter than a person would have it; a run's name is that of the first there."""
    found = [SHORTER.get(before, word) for before, word in zip(["", *words], words, strict=False)]
    return [match[0] and _first(folder, match[1] or "*") if (match := RUN.fullmatch(w)) else w for w in found]


def _first(folder: Path, recipe: str) -> str:
    tables = sorted((folder / "oof").glob(f"*/{recipe}-*/oof.parquet"), key=lambda path: path.stat().st_mtime_ns)
    return tables[0].parent.name


def small_copy(slug: str, folder: Path) -> None:
    """A competition that comes with the project in competitions/ of `folder`; its recipes train small networks for an epoch, in
    two folds, by nothing that is timed."""
    there = folder / "competitions" / slug
    shutil.copytree(REPOSITORY / "competitions" / slug, there)
    for path in (there / "recipes").glob("*.toml"):
        recipe = tomllib.loads(path.read_text(encoding="utf-8"))
        recipe["train"] = recipe.get("train", {}) | {
            "epochs": 1,
            "seeds": 1,
            "precision": "fp32",
            "channels_last": False,
        }
        recipe["cv"] = recipe.get("cv", {}) | {"folds": 2}
        if "size" in recipe.get("data", {}):
            recipe["data"]["size"] = [32, 32]
        small = {"stages": [[4], [8]], "widths": [4, 8, 8], "stem": 4}
        arguments = recipe["model"].get("args", {})
        arguments |= {name: value for name, value in small.items() if name in arguments}
        path.write_text(tomli_w.dumps(recipe))
