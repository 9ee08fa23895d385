"""The notebooks that are pushed: their cells, and the folder that the kaggle client pushes."""

from __future__ import annotations

import pprint
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.base.storage.atomic_files import write_json

CODE = "notebook.ipynb"


@dataclass(frozen=True)
class Notebook:
    """A notebook as it is pushed.

    Attributes
    ----------
    owner, name : as in its address
    tag : in its text, by which it is found again
    cells : (kind, text) of each; kind : "markdown" or "code"
    internet, accelerator : of its machine ("none" = no GPU); seconds : that a session may take
    competitions, data_sets, notebooks : what is attached
    """

    owner: str
    name: str
    tag: str
    cells: Sequence[tuple[str, str]]
    accelerator: str = "none"
    internet: bool = False
    seconds: int = 12 * 3600
    competitions: Sequence[str] = ()
    data_sets: Sequence[str] = ()
    notebooks: Sequence[str] = field(default_factory=tuple)

    @property
    def ref(self) -> str:
        """owner/name."""
        return f"{self.owner}/{self.name}"

    @property
    def title(self) -> str:
        """From which Kaggle makes the same name."""
        return self.name.replace("-", " ")

    @property
    def url(self) -> str:
        """Its page."""
        return f"https://www.kaggle.com/code/{self.ref}"

    def write(self, folder: Path) -> None:
        """Write what `kernels_push` reads."""
        write_json(folder / CODE, _ipynb(self.cells))
        write_json(
            folder / "kernel-metadata.json",
            {
                "id": self.ref,
                "title": self.title,
                "code_file": CODE,
                "language": "python",
                "kernel_type": "notebook",
                "is_private": True,
                "enable_gpu": self.accelerator != "none",
                "enable_tpu": False,
                "enable_internet": self.internet,
                "dataset_sources": list(self.data_sets),
                "competition_sources": list(self.competitions),
                "kernel_sources": list(self.notebooks),
                "model_sources": [],
            },
        )


def _ipynb(cells: Sequence[tuple[str, str]]) -> dict[str, Any]:
    def cell(kind: str, text: str) -> dict[str, Any]:
        more: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
        return {"cell_type": kind, "metadata": {}, "source": text.strip("\n"), **more}

    return {
        "cells": [cell(kind, text) for kind, text in cells],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 4,
    }


FIND = '''
import hashlib, json, os, subprocess, sys, tempfile, zipfile
from pathlib import Path

INPUT = Path(os.environ.get("KAGGLE_INPUT_DIR", "/kaggle/input"))
WORKING = Path(os.environ.get("KAGGLE_WORKING_DIR", "/kaggle/working"))


def attached(name, sha256):
    """The file of that name and content, wherever below INPUT Kaggle has put it."""
    for pattern in ("*/", "*/*/", "datasets/*/*/", "*/*/*/"):
        for path in sorted(INPUT.glob(pattern + name)):
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                return path
    raise FileNotFoundError(f"{name} ({sha256[:12]}) is not below {INPUT}: was its data set replaced or detached?")
'''

_PLAY = """
home = Path(tempfile.mkdtemp(prefix="harness-"))
wheel = next(attached(name, sha256) for name, sha256 in JOB["files"].items() if name.endswith(".whl"))
zipfile.ZipFile(wheel).extractall(home / "lib")  # nothing is installed: the image has what it needs
pack = next(attached(name, sha256) for name, sha256 in JOB["files"].items() if name.endswith(".pack"))
(home / "job.json").write_text(json.dumps({**JOB, "pack": str(pack), "home": str(home), "input": str(INPUT)}))
os.chdir(WORKING)
command = [sys.executable, "-u", "-m", "harness.kernels.inside", str(home / "job.json")]
environment = {**os.environ, "PYTHONPATH": str(home / "lib"), "PYTHONDONTWRITEBYTECODE": "1"}
with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
    for line in process.stdout:
        print(line, end="", flush=True)
if process.returncode:
    raise RuntimeError(f"the harness ended with {process.returncode}; its reason stands above")
"""


def session_cells(about: dict[str, Any], tag: str, command: str) -> list[tuple[str, str]]:
    """Cells of a notebook that plays a command of the harness; about : what `inside` is told."""
    words = f"""
# {command}

Pushed by competition-harness. It unpacks the harness from its data set, looks for the competition's files, plays the command and leaves
its results in the output, from where they are fetched. Run `{tag}`.
"""
    return [("markdown", words), ("code", FIND + told_job(about)), ("code", _PLAY)]


def told_job(about: dict[str, Any]) -> str:
    """What a notebook is told, as Python."""
    return f"\nJOB = {pprint.pformat(about, width=120)}\n"
