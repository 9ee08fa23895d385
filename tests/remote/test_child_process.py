"""The child that holds credentials: found wherever the harness lies, and nothing of the current folder is run in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.remote.child_process import Child, NoAnswer
from tests.conftest import REPOSITORY

ECHO = """
import json, sys
print("ready", flush=True)
for line in sys.stdin:
    print(line.strip(), flush=True)
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with a harness that is not installed, whose child gives back what it is told."""
    clone = tmp_path / "clone"
    for name in ("__init__.py", "remote/__init__.py", "remote/child_process.py"):
        (clone / "harness" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / "harness" / name, clone / "harness" / name)
    (clone / "harness" / "remote" / "echo.py").write_text(ECHO)
    return clone


def test_the_harness_of_a_clone_is_found_from_its_root_and_only_it(clone: Path):
    """As `python -m harness...` runs there, with a file that would stand in for a package."""
    (clone / "six.py").write_text("open('was-run', 'w')")
    (clone / "harness" / "remote" / "echo.py").write_text(f"import six\n{ECHO}")
    ask = "from harness.remote.child_process import Child; print(Child('harness.remote.echo').ask({'a': 1}, 9)['a'])"
    done = subprocess.run([sys.executable, "-c", ask], cwd=clone, capture_output=True, text=True, check=False)
    assert done.stdout == "1\n", done.stderr
    assert not (clone / "was-run").exists()


def test_a_module_that_is_not_there_gives_no_answer():
    with pytest.raises(NoAnswer, match="ended before it was ready"):
        Child("harness.remote.nothing").ask({}, 9)
