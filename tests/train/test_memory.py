"""Freed blocks are reused: after a first round, large tensors cost no more page faults."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

CODE = """
import resource, sys, torch
from harness.train.memory import keep_freed_memory
if sys.argv[1] == "kept": assert keep_freed_memory()
def churn():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        held = [torch.ones(2_000_000) for _ in range(12)]  # a step's activations, all freed at its end
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
churn()
print(churn())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc")
def test_large_blocks_are_reused():
    faults = {}
    for mode in ("kept", "default"):
        command = [sys.executable, "-c", CODE, mode]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        faults[mode] = int(done.stdout)
    assert faults["kept"] < faults["default"] / 5, faults
