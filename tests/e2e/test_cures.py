"""Messages name what is wrong, where and the cure; here each is provoked, and its cure is carried out: then it works."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import make_shapes, run_module

CV = ("harness.cv", "shapes", "--recipe", "tiny", "--set", "cv.folds=2", "--set", "train.epochs=1", "--workers", "1")
DATA = ("harness.data", "shapes")


def toml(project: Path) -> Path:
    return project / "competitions" / "shapes" / "competition.toml"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def add(project: Path, text: str) -> None:
    toml(project).write_text(toml(project).read_text() + text)


def sample_submission(project: Path, header: str = "id,label", extra: str = "") -> None:
    add(project, '\n[submission]\nsample = "sample.csv"\n' + extra)
    (project / "data" / "shapes" / "sample.csv").write_text(header + "\n" + "".join(f"{i},circle\n" for i in range(6)))


@dataclass(frozen=True)
class Case:
    """A mistake, the command that finds it, what it says, and its cure as the message names it."""

    spoil: Callable[[Path], None]
    command: tuple[str, ...]
    said: str
    cure: Callable[[Path, str], tuple[str, ...] | None]
    """Carries the cure out, by what was said; returns another command where the cure is one."""


def quoted(pattern: str) -> Callable[[Path, str], tuple[str, ...]]:
    """The cure is to add options that the message spells out."""

    def cure(project: Path, said: str) -> tuple[str, ...]:
        found = re.search(pattern, said)
        assert found, said
        return tuple(found[0].split())

    return cure


def wrong_png(project: Path) -> None:
    (project / "data" / "shapes" / "train" / "circle" / "3.png").write_bytes(b"no picture")


CASES = {
    "unknown recipe": Case(lambda p: None, (*CV[:3], "tny", *CV[4:]), r"Recipes of shapes: tiny", lambda p, s: CV),
    "more folds than rows": Case(
        lambda p: None, (*CV, "--set", "cv.folds=50"), r"--set cv\.folds=16", quoted(r"--set cv\.folds=16")
    ),
    "a broken picture": Case(wrong_png, CV, r"circle/3\.png: cannot be decoded", quoted("--skip-broken")),
    "a broken picture, taken out": Case(
        wrong_png, CV, "take it out of the folder", lambda p, s: (p / "data/shapes/train/circle/3.png").unlink()
    ),
    "a misspelt class folder": Case(
        lambda p: (p / "data/shapes/train/circle").rename(p / "data/shapes/train/circel"),
        DATA,
        r"did you mean 'circle'",
        lambda p, s: (p / "data/shapes/train/circel").rename(p / "data/shapes/train/circle") and None,
    ),
    "an unknown key": Case(
        lambda p: edit(toml(p), "metric =", "metrik ="),
        DATA,
        r"did you mean 'metric'",
        lambda p, s: edit(toml(p), "metrik =", "metric ="),
    ),
    "a dangling link": Case(
        lambda p: (p / "data/shapes/train/circle/x.png").symlink_to("/nowhere"),
        DATA,
        "Mend the link, or take it away",
        lambda p, s: (p / "data/shapes/train/circle/x.png").unlink(),
    ),
    "a sample submission of another header": Case(
        lambda p: sample_submission(p, "image,label"),
        DATA,
        r"no column 'id'.*it has image, label.*submission\.id",
        lambda p, s: edit(toml(p), 'sample = "sample.csv"', 'sample = "sample.csv"\nid = "image"'),
    ),
    "a target of another name": Case(
        lambda p: sample_submission(p, "id,kind"),
        DATA,
        r"no column 'label'.*submission\.target",
        lambda p, s: edit(toml(p), 'sample = "sample.csv"', 'sample = "sample.csv"\ntarget = "kind"'),
    ),
    "a sample submission with more columns": Case(
        lambda p: (
            sample_submission(p),
            edit(p / "data/shapes/sample.csv", "id,label", "id,label,usage"),
            edit(p / "data/shapes/sample.csv", "circle", "circle,x"),
        ),
        DATA,
        r"columns that \[submission\] does not describe: usage",
        lambda p, s: (
            (p / "competitions/shapes/competition.py").write_text(
                "def to_submission(ids, proba, classes):\n    import pandas as pd\n    return pd.DataFrame({'id': ids, 'label': 'circle', 'usage': 'x'})\n"
            )
            and None
        ),
    ),
    "a test that is not there": Case(
        lambda p: shutil.rmtree(p / "data/shapes/test"),
        DATA,
        r"data\.test",
        lambda p, s: edit(toml(p), "channels = 1", 'channels = 1\noptional = ["test"]'),
    ),
    "a size beyond all images": Case(
        lambda p: edit(toml(p), "[12, 12]", "[60000, 60000]"),
        DATA,
        "lower it",
        lambda p, s: edit(toml(p), "[60000, 60000]", "[12, 12]"),
    ),
    "32 bits without a range": Case(
        lambda p: (
            edit(toml(p), "channels = 1", "channels = 1"),
            Image.new("F", (12, 12), 0.5).save(p / "data/shapes/train/circle/3.tiff"),
        ),
        DATA,
        r"data\.range = \[LOW, HIGH\]; the largest value here is 0\.5",
        lambda p, s: edit(toml(p), "channels = 1", "channels = 1\nrange = [0, 1]"),
    ),
    "a pattern that never ends": Case(
        lambda p: (
            edit(toml(p), "channels = 1", "channels = 1\ngroup = '(a|aa)+$'"),
            (p / "data/shapes/train/circle/1.png").rename(p / f"data/shapes/train/circle/{'a' * 60}b.png"),
        ),
        DATA,
        "Write it without a repetition inside a repetition",
        lambda p, s: edit(toml(p), "(a|aa)+$", "(a+)"),
    ),
    "folds that stand in part": Case(
        lambda p: run_module(*CV, "--folds", "0", cwd=p),
        CV,
        "Add --resume to train what is missing",
        quoted("--resume"),
    ),
    "a damaged run": Case(
        lambda p: (run_module(*CV, cwd=p), next((p / "oof/shapes").glob("tiny-*/oof.parquet")).write_bytes(b"PAR1")),
        ("harness.oof", "errors", "shapes", "--run", "RUN"),
        r"Heal it by: python -m harness\.cv shapes .*--resume",
        lambda p, s: tuple(re.search(r"python -m (harness\.cv .*--resume)", s)[1].split()),
    ),
    "a run of another name": Case(
        lambda p: run_module(*CV, cwd=p),
        ("harness.oof", "errors", "shapes", "--run", "tiny"),
        r"Runs beside it: tiny-[0-9a-f]{8}",
        lambda p, s: ("harness.oof", "errors", "shapes", "--run", re.search(r"tiny-[0-9a-f]{8}", s)[0]),
    ),
    "no run at all": Case(
        lambda p: None,
        ("harness.submit", "--comp", "shapes", "--dry-run"),
        r"Train one: python -m harness\.cv shapes",
        lambda p, s: (run_module(*CV, cwd=p), None)[1],
    ),
    "a partial run": Case(
        lambda p: run_module(*CV, "--folds", "0", cwd=p),
        ("harness.submit", "--comp", "shapes", "--dry-run", "--run", "RUN"),
        "Finish it with --resume",
        lambda p, s: (run_module(*CV, "--resume", cwd=p), None)[1],
    ),
    "verdicts that were cut": Case(
        lambda p: (
            run_module("harness.clean", "shapes", cwd=p),
            (p / "oof/shapes/clean/clean.csv").write_text("id,verdict,action,gro"),
        ),
        CV,
        r"Judge the rows again: python -m harness\.clean shapes --overwrite",
        lambda p, s: (run_module("harness.clean", "shapes", "--overwrite", cwd=p), None)[1],
    ),
    "verdicts that were cut, left out": Case(
        lambda p: (
            run_module("harness.clean", "shapes", cwd=p),
            (p / "oof/shapes/clean/clean.csv").write_text("id,verdict,action,gro"),
        ),
        CV,
        "or go without: --no-clean",
        quoted("--no-clean"),
    ),
    "verdicts that are gone": Case(
        lambda p: (run_module("harness.clean", "shapes", cwd=p), (p / "oof/shapes/clean/clean.csv").unlink()),
        CV,
        r"python -m harness\.clean shapes --overwrite",
        lambda p, s: (run_module("harness.clean", "shapes", "--overwrite", cwd=p), None)[1],
    ),
    "no platform": Case(
        lambda p: run_module(*CV, cwd=p),
        ("harness.submit", "--comp", "shapes"),
        "--dry-run writes and checks the file",
        quoted("--dry-run"),
    ),
}


def filled(command: tuple[str, ...], project: Path) -> tuple[str, ...]:
    runs = [path.name for path in (project / "oof" / "shapes").glob("tiny-*")]
    return tuple(runs[0] if word == "RUN" else word for word in command)


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
    told = run_module(*filled(case.command, project), cwd=project)
    assert told.returncode == 2 and "Traceback" not in told.stderr, told.stderr + told.stdout
    assert told.stderr.count("error: ") == 1 and re.search(case.said, told.stderr, re.S), told.stderr
    assert not re.search(r"KeyError|NoneType|object has no attribute", told.stderr)
    cure = case.cure(project, told.stderr)
    command = case.command if cure is None else (*case.command, *cure) if cure[0].startswith("--") else cure
    cured = run_module(*filled(command, project), cwd=project)
    assert cured.returncode == 0, cured.stderr
    if command is not case.command and not cure[0].startswith("--"):
        again = run_module(*filled(case.command, project), cwd=project) if name == "a damaged run" else cured
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
