"""docs/notebooks/api.ipynb: its cells one after the other, as a script without a main guard, and in a kernel where there is one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.base.progress import BarWatcher, watching
from harness.base.python import notebook
from tests.api.conftest import SMALL
from tests.conftest import REPOSITORY, run_script_inside

NOTEBOOK = REPOSITORY / "docs" / "notebooks" / "api.ipynb"


def cells() -> list[str]:
    """Its code, a shorter training."""
    told = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    source = ["".join(cell["source"]) for cell in told if cell["cell_type"] == "code"]
    assert sum("quick = {" in text for text in source) == 1
    return [text.replace('"train.epochs": 3', SMALL).replace('"cv.folds": 3', '"cv.folds": 2') for text in source]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "competitions").mkdir()
    shutil.copytree(REPOSITORY / "competitions" / "digit-recognizer", tmp_path / "competitions" / "digit-recognizer")
    return tmp_path


def test_its_cells_run_as_a_script(place: Path):
    done = run_script_inside('print("begun")\n' + "\n\n".join(cells()), place)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("begun\nScore(metric='accuracy'") and done.stdout.count("begun") == 1
    assert sorted(p.name for p in (place / "oof").iterdir()) == ["digit-recognizer", "small-digits"]


def test_its_cells_run_in_a_kernel(place: Path, monkeypatch: pytest.MonkeyPatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells()])
    nbclient.NotebookClient(book, timeout=280, resources={"metadata": {"path": str(place)}}).execute()
    shown = [out.get("data", {}).get("text/html", "") for cell in book.cells for out in cell.outputs]
    assert sum("pooled OOF" in text for text in shown) >= 3 and any("<progress" in text for text in shown)


class Output:
    """Stands for IPython's output below a cell."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []

    def update(self, told: dict[str, str], raw: bool) -> None:
        self.told.append(told)


def test_progress_in_a_notebook_is_one_output(monkeypatch: pytest.MonkeyPatch):
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    output = Output()
    monkeypatch.setattr(notebook, "_new_output", lambda: output)
    with watching() as watcher:
        assert isinstance(watcher, BarWatcher)
        watcher.say("a <b>line</b>\x1b[31m")
        watcher.progress(0, 1, 4)
        watcher.progress(1, 4, 4)
    last = output.told[-1]
    assert "a &lt;b&gt;line&lt;/b&gt;\\x1b[31m" in last["text/html"] and last["text/plain"].startswith("a <b>line")
    assert '<progress value="1" max="4">' in last["text/html"] and "25 %" in last["text/html"]
    Tags().feed(last["text/html"])
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not notebook.in_notebook()


class Tags(HTMLParser):
    """Refuses what is closed and was not opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
