"""Folders of runs drawn in no time: the small files that the board reads, without training."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from harness.base.storage.manifest import MANIFEST
from harness.competition import Recipe
from harness.competition.recipe import ModelSpec
from harness.report.about import About, save_about
from harness.runs.notes.progress import TRAINING, ProgressFile
from harness.runs.start import save_start

HOSTILE = "<script>document.title='owned'</script>"


def draw_run(path: Path, score: float | None = 0.9, k: int = 5, done: int = 5, epochs: int = 3, **about: Any) -> Path:
    """A run's small files; score None: not finished."""
    path.mkdir(parents=True)
    recipe = Recipe(name="quick", model=ModelSpec(name="cnn")).model_dump(mode="json")
    recipe["train"]["epochs"] = epochs
    write(path / "recipe.json", recipe)
    environment = {
        "format": 2,
        "run": path.name,
        "started": "2026-11-26T10:00:00Z",
        "competition": {"slug": path.parent.name, "metric": "accuracy", "classes": ["a", "b"]},
        "data": {"fingerprint": "f00d", "is_sample": False, "clean": "", "n_test": 0},
        "folds": {"k": k, "hash": "abcd"},
        "workers": 2,
    } | about
    write(path / "environment.json", environment)
    (path / "folds.csv").write_text("id,group,fold\n")
    save_start(path)
    for fold in range(done):
        (path / f"fold-{fold}.npz").write_bytes(b"")
        write(path / f"fold-{fold}.manifest.json", {})
    if score is not None:
        spread = {"pooled": score, "low": score - 0.01, "high": score + 0.01, "greater_is_better": True}
        folds = [{"fold": fold, "n": 9, "accuracy": score} for fold in range(done)]
        told = {"metric": "accuracy", "complete": done == k, "folds": folds, "metrics": {"accuracy": spread}}
        write(path / "scores.json", told | {"seconds": dict.fromkeys(map(str, range(done)), 12.5)})
        write(path / MANIFEST, {})
        (path / "report.html").write_text("<!--links--><!--/links-->")
    return path


def draw_progress(
    run: Path, fold: int, epochs: int = 4, of: int = 10, stage: str = TRAINING, together: tuple[int, ...] = ()
) -> ProgressFile:
    """A fold under way, by this process."""
    told = ProgressFile(run, fold, stage, lambda *said: None, together)
    told.__enter__()
    told.started -= 10
    for epoch in range(1, epochs + 1):
        told.done, told.total, told.last = 100 * epoch, 100 * of, time.time() - 1
        told.epoch(seed=0, epoch=epoch, epochs=of, loss=2 / epoch, valid_loss=2.2 / epoch, valid_score=epoch / 10)
    return told


def draw_board(root: Path, runs: int = 6) -> Path:
    """Two competitions: one with runs of every state, a study and a play; one of hostile names."""
    cells = root / "oof" / "cells"
    for number in range(runs):
        draw_run(cells / f"quick-{number:08x}", 0.9 + number / 1000, epochs=3 + number % 3)
    save_about(cells / "quick-00000000", About("first try", f"note {HOSTILE}", ("cnn", "night")))
    draw_run(cells / "quick-running", None, done=1)
    draw_progress(cells / "quick-running", 1)
    old = draw_run(cells / "quick-stopped", None, done=2)
    age(old)
    members = {"quick-00000000": "00", "quick-00000001": "11"}
    blend = draw_run(cells / "ensemble-mean-01234567", 0.95, ensemble={"members": members})
    args = {"members": members, "weights": None, "method": "mean"}
    recipe = Recipe(name="ensemble-mean", model=ModelSpec(name="ensemble", args=args))
    write(blend / "recipe.json", recipe.model_dump(mode="json"))
    study = cells / "studies" / "quick-1a2b"
    study.mkdir(parents=True)
    (study / "study.journal").write_text(
        "".join(json.dumps(line) + "\n" for line in [{"op_code": 4}, {"op_code": 4}, ENDED, {"op_code": 5}]) + '{"op_c'
    )
    trial = draw_run(study / "oof" / "cells" / "quick-trial", None, done=0)
    draw_progress(trial, 0, epochs=1)
    play = cells / "play"
    play.mkdir()
    steps = [("train quick", "done"), ("train strong", "begun")]
    lines = [{"step": {"key": f"train/{i}", "what": what, "state": state}} for i, (what, state) in enumerate(steps)]
    (play / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    draw_run(root / "oof" / "a'b<i>c" / f"x{HOSTILE.replace('/', '')}", 0.5)
    (cells / "quick-half").mkdir()
    (cells / "quick-half" / "environment.json").write_text('{"format": ')
    for name in ("folds", "clean", ".quick.part"):
        (cells / name).mkdir()
    write(cells / ".quick.part" / "recipe.json", {})
    return root


ENDED = {"op_code": 6, "trial_id": 0, "state": 1, "values": [0.5]}


def age(run: Path) -> None:
    """Make a run's files as old as yesterday."""
    for path in run.iterdir():
        os.utime(path, (time.time() - 86_400,) * 2)


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))
