"""Messages name what is wrong, where and the cure; here each is provoked, and its cure is carried out: then it works."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.conftest import make_shapes, run_inside
from tests.e2e.cures import of_data, of_recipes, of_runs
from tests.e2e.cures.case import CV

CASES = {**of_data.CASES, **of_recipes.CASES, **of_runs.CASES}


def filled(command: tuple[str, ...], project: Path) -> tuple[str, ...]:
    runs = [path.name for path in (project / "oof" / "shapes").glob("tiny-*")]
    return tuple(word.replace("RUN", runs[0]) if "RUN" in word else word for word in command)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("cures")
    make_shapes(project, per_class=8)
    return project


@pytest.mark.parametrize("name", CASES)
def test_the_cure_cures(fresh: Path, tmp_path: Path, name: str):
    project, case = tmp_path / "project", CASES[name]
    shutil.copytree(fresh, project, symlinks=True)
    case.spoil(project)
    told = run_inside(*filled(case.command, project), cwd=project)
    assert told.returncode == 2 and "Traceback" not in told.stderr, told.stderr + told.stdout
    assert told.stderr.count("error: ") == 1 and re.search(case.said, told.stderr, re.S), told.stderr
    assert not re.search(r"KeyError|NoneType|object has no attribute", told.stderr)
    assert all(any(run.iterdir()) for run in (project / "oof/shapes").glob("tiny-*")), (
        "a run's folder in which nothing was begun"
    )
    cure = case.cure(project, told.stderr)
    command = case.command if cure is None else (*case.command, *cure) if cure[0].startswith("--") else cure
    cured = run_inside(*filled(command, project), cwd=project)
    assert cured.returncode == 0, cured.stderr
    if command is not case.command and not cure[0].startswith("--"):
        again = run_inside(*filled(case.command, project), cwd=project) if name == "a damaged run" else cured
        assert again.returncode == 0, again.stderr


def test_a_broken_credentials_file_is_named(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    from harness.base.errors import UserError
    from harness.remote.kaggle_client import check_kaggle_credentials

    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(shapes))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(shapes))
    path = shapes / "kaggle.json"
    for content in ('{"username": "me", "key"', "[]", '{"username": "me"}', '{"username": 1, "key": "k"}'):
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(UserError, match=r"kaggle\.json: is no JSON of the form .*Make a new token") as error:
            check_kaggle_credentials()
        assert '"me"' not in str(error.value)
    path.write_text(json.dumps({"username": "me", "key": "k"}))
    check_kaggle_credentials()


@pytest.mark.parametrize(("name", "known"), [("quick", ["quick"]), ("tiny ", ["tiny "]), ("a", ["a", "b"])])
def test_a_name_is_never_offered_for_itself(name: str, known: list[str]):
    from harness.base.errors import nearest

    assert f"'{name}'" not in nearest(name, known)


def test_too_many_calls_say_when():
    from harness.remote.retry import wait_words

    assert re.fullmatch(r"; it asks to wait 90 s, until \d\d:\d\d", wait_words(90.0))
    assert "does not say when" in wait_words(None)


@pytest.mark.parametrize("folds", [("--folds", "0"), ("--folds=1",)])
def test_a_partial_run_names_the_command_that_finishes_it(fresh: Path, tmp_path: Path, folds: tuple[str, ...]):
    project = tmp_path / "project"
    shutil.copytree(fresh, project, symlinks=True)
    told = run_inside(*CV, *folds, cwd=project)
    command = re.search(r"next: +python -m (\S.*--resume)", told.stdout)
    assert told.returncode == 0 and command and "--partial --dry-run" in told.stdout, told.stdout + told.stderr
    done = run_inside(*shlex.split(command[1]), cwd=project)
    assert done.returncode == 0 and "partial" not in done.stdout, done.stderr
    assert "harness.submit" in done.stdout
