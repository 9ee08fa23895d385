"""A run of every task, submitted by --code: the notebook is really run, and its file is the one that harness.submit writes."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from harness.runs import load_run
from tests.conftest import run_inside
from tests.kernels.field import THERE, make_project, play_field
from tests.kernels.server import Notebooks
from tests.submit.test_bundle_tasks import CASES, LONG_CASES, Case, train, write

if TYPE_CHECKING:
    from benchmarks.kernels.__main__ import Result


def play_tasks(folder: Path, only: str) -> list[Result]:
    """Each case of the bundles' tests, in a folder of its own."""
    from benchmarks.kernels.__main__ import Result

    results = []
    for name, case in (CASES | LONG_CASES).items():
        if only not in f"tasks/{name}":
            continue
        result = Result(f"tasks/{name}", "code", name)
        result.kinds, said = _played(folder / name.replace(" ", "-").replace("'", ""), case)
        result.said.append(said)
        results.append(result)
        print(f"{result.name}: {', '.join(result.kinds) or 'well'}", file=sys.stderr, flush=True)
    if only in "tasks/pseudo-labels":
        result = Result("tasks/pseudo-labels", "train", "pseudo-labels")
        result.kinds, said = _labelled(folder / "pseudo")
        result.said.append(said)
        results.append(result)
    return results


def _labelled(root: Path) -> tuple[list[str], str]:
    """A run that learns there from the pseudo-labels of one that was trained here."""
    root.mkdir()
    server = Notebooks(root / "kaggle")
    os.environ |= server.environment()
    field = play_field(make_project(root, server), server)
    done = field.cv(*THERE, "--pseudo-labels", field.first.name, "--set", "pseudo.threshold=0.5")
    runs = [load_run(p.parent) for p in (root / "oof" / "shapes").glob("*/scores.json")]
    server.close()
    learnt = [run for run in runs if (run.environment.get("pseudo") or {}).get("run") == field.first.name]
    return ([] if done.returncode == 0 and len(learnt) == 1 else ["lost"]), done.stderr + server.sessions[-1].text


def _played(root: Path, case: Case) -> tuple[list[str], str]:
    root.mkdir()
    write(root, case)
    toml = root / "competitions" / "patches" / "competition.toml"
    toml.write_text(toml.read_text().replace("metric", 'platform = "kaggle"\nmetric', 1))
    train(root, run_inside, case)
    server = Notebooks(root / "kaggle")
    os.environ |= server.environment()
    server.competition, server.notebooks_only = root / "data" / "patches", True
    done = run_inside("harness.submit", "patches", "--code", *case.sent, cwd=root)
    outputs = server.sessions[-1].outputs() if server.sessions else {}
    said = done.stdout + done.stderr + (server.sessions[-1].text if server.sessions else "")
    run_inside("harness.submit", "patches", "--dry-run", *case.sent, cwd=root)
    [own] = (root / "submissions" / "patches").glob("*.csv")
    server.close()
    kinds = [] if done.returncode == 0 else ["lost"]
    return kinds + ([] if _same(own.read_bytes(), outputs.get("submission.csv", b"")) else ["differs"]), said


def _same(own: bytes, theirs: bytes) -> bool:
    """Whether two files say the same; numbers may differ in their last digits."""
    try:
        pd.testing.assert_frame_equal(
            pd.read_csv(io.BytesIO(own)), pd.read_csv(io.BytesIO(theirs)), rtol=1e-4, atol=1e-4
        )
    except (AssertionError, ValueError):
        return False
    return True
