"""`import harness`: instant, every name there, stages callable and still packages, and typed for those who use it."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import harness
import harness.api
from tests.conftest import REPOSITORY

SCRIPT = """
import harness
from harness.cv.pipeline import cross_validate

comp = harness.competition("shapes", data="data")
run = harness.cv(comp, "quick", set={"train.epochs": 3}, folds=[0, 1])
run2 = harness.cv("shapes", out="elsewhere")
best: float = run.score.value
columns: list[str] = list(run.scores.columns)
harness.compare(comp, [run, run2]).report().open()
try:
    harness.ensemble(comp, [run, "other-12345678"])
except harness.UserError as error:
    print(error)
"""


def test_every_name_is_there_and_has_a_docstring():
    assert set(harness.__all__) <= set(dir(harness))
    for name in harness.__all__:
        value = getattr(harness, name)
        assert value.__doc__, name
        if name not in harness._STAGES:
            assert value is getattr(harness.api, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = harness.nothing


def test_a_stage_is_a_package_that_can_be_called(monkeypatch: pytest.MonkeyPatch):
    import harness.cv.folds

    monkeypatch.setattr(harness.api, "cv", lambda *args, **options: (args, options))
    assert harness.cv("shapes", folds=[0]) == (("shapes",), {"folds": [0]})
    assert harness.cv.folds.__name__ == "harness.cv.folds"
    monkeypatch.undo()
    for name in harness._STAGES:
        stage, function = getattr(harness, name), getattr(harness.api, name)
        assert callable(stage) and inspect.ismodule(stage)
        assert inspect.signature(stage) == inspect.signature(function) and stage.__call__ is function


def test_the_stub_names_what_is_there():
    stub = (REPOSITORY / "harness" / "__init__.pyi").read_text()
    assert [name for name in harness.__all__ if f" {name} as {name}" not in stub] == []


def test_importing_loads_nothing_heavy():
    code = "import sys, harness; dir(harness); print([m for m in ('numpy', 'torch', 'typer', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_a_users_script_is_type_checked(checked):
    done = checked(SCRIPT)
    assert done.returncode == 0, done.stdout
    wrong = checked('import harness\nharness.cv(1.5, folds="0")\nharness.cv("shapes", epochs=3)\n')
    assert (
        "harness" not in wrong.stdout.replace("script.py", "").split("error")[0] and wrong.stdout.count("error:") >= 2
    )
