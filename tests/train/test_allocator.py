"""What a step has freed stays with the process, so that the next step does not fault it in again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

CODE = """
import resource, sys, torch
from harness.train.allocator import keep_freed_memory
if sys.argv[1] == "kept": assert keep_freed_memory()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
before = resident()
held = [torch.ones(2_000_000) for _ in range(12)]  # a step's activations: 12 blocks of 8 MB, freed at its end
del held
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc")
def test_freed_blocks_are_kept():
    megabytes = {}
    for mode in ("kept", "default"):
        command = [sys.executable, "-c", CODE, mode]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        megabytes[mode] = float(done.stdout)
    assert megabytes["kept"] > 80 and megabytes["default"] < 40, megabytes
