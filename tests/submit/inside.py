"""Trials of bundles in this process: a tenth of a second instead of a new Python that imports torch, where how a bundle is run apart is not
what is tested (test_bundle.py tests that)."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import pytest

from harness.submit.bundle import trial
from harness.submit.bundle.sandbox import Finished


@pytest.fixture
def tried_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundles are tried by the same program, without the same modules, but in this process."""
    monkeypatch.setattr(trial, "run_apart", run_inside)


def run_inside(arguments: list[str], box: Path, seconds: float, memory_gib: float | None) -> Finished:
    """As `harness.submit.bundle.sandbox.run_apart`, but that nothing is watched and no wall stands around it."""
    _, _, program, _, *lacks = arguments
    before, path, words, out = dict(sys.modules), list(sys.path), sys.argv, io.StringIO()
    code = 0
    try:
        sys.argv = ["-c", "sandbox", *lacks]  # as where the walls are not the program's own task
        with contextlib.chdir(box), contextlib.redirect_stdout(out):
            exec(compile(program, "<trial>", "exec"), {"__name__": "__main__"})
    except Exception as error:
        code = 1
        (box.parent / "stderr.txt").write_text(f"{type(error).__name__}: {error}\n")
    finally:
        sys.argv, sys.path[:] = words, path
        for name in {"model", *lacks}:
            sys.modules.pop(name, None)
            if name in before:
                sys.modules[name] = before[name]
    (box.parent / "stdout.txt").write_text(out.getvalue())
    return Finished(code, "", 0.0)
