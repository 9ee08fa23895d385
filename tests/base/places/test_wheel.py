"""The harness that runs, packed as a wheel: the same bytes from a checkout and from where it is installed."""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness import __version__
from harness.base.places import templates as places
from harness.base.places.wheel import build_wheel
from harness.base.source_digest import code_digest
from tests.conftest import REPOSITORY

AGAIN = """
import sys
from pathlib import Path
import harness
from harness.base.places.wheel import build_wheel
from harness.base.source_digest import code_digest
assert harness.__file__.startswith(sys.argv[1]), harness.__file__
print(build_wheel(Path(sys.argv[2])), code_digest())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel") / "new")


def test_what_is_installed_from_it_makes_the_same_bytes_and_says_the_same_source(wheel: Path, tmp_path: Path):
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(tmp_path / "place"), str(wheel)], check=True, capture_output=True)
    assert list((tmp_path / "place").rglob("__pycache__"))  # pip compiles; that goes into no wheel
    words = [sys.executable, "-c", AGAIN, str(tmp_path / "place"), str(tmp_path / "again")]
    said = subprocess.run(
        words, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "place")}, check=True, capture_output=True, text=True
    )
    path, digest = said.stdout.split()
    assert Path(path).read_bytes() == wheel.read_bytes() and digest == code_digest()


def test_it_holds_the_package_and_the_competitions_and_no_more(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    package = {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "harness").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {n for n in names if n.startswith("harness/") and not n.startswith("harness/templates/")} == package
    for slug in places.SHIPPED:
        here = REPOSITORY / "competitions" / slug
        own = {
            f"harness/templates/{slug}/{path.relative_to(here).as_posix()}"
            for path in here.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert own and {n for n in names if n.startswith(f"harness/templates/{slug}/")} == own


def test_the_competitions_that_come_with_it_are_those_of_the_checkout():
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "competitions/*/competition.toml"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("no checkout of git: which competitions are the user's own cannot be told")
    assert tuple(line.split("/")[1] for line in listed.stdout.splitlines()) == places.SHIPPED


def test_its_name_and_commands_are_those_of_setup_cfg(wheel: Path):
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    info = f"competition_harness-{__version__}.dist-info"
    with zipfile.ZipFile(wheel) as packed:
        commands = configparser.ConfigParser()
        commands.read_string(packed.read(f"{info}/entry_points.txt").decode())
        about = packed.read(f"{info}/METADATA").decode()
    assert (
        setup["options.entry_points"]["console_scripts"].strip()
        == "harness = " + commands["console_scripts"]["harness"]
    )
    assert (
        f"Name: {setup['metadata']['name']}\n" in about and f"Python: {setup['options']['python_requires']}\n" in about
    )
    assert "Requires-Dist" not in about


def test_a_changed_file_changes_it_and_a_strangers_competition_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for slug in ("pneumonia", "leaves"):
        (tmp_path / "competitions" / slug).mkdir(parents=True)
        (tmp_path / "competitions" / slug / "competition.toml").write_text('title = "x"\n')
    monkeypatch.setattr("harness.base.places.wheel.templates_root", lambda: tmp_path / "competitions")
    monkeypatch.setattr(places, "templates_root", lambda: tmp_path / "competitions")
    first = build_wheel(tmp_path / "wheel").read_bytes()
    assert build_wheel(tmp_path / "wheel").read_bytes() == first
    names = zipfile.ZipFile(tmp_path / "wheel" / f"competition_harness-{__version__}-py3-none-any.whl").namelist()
    assert [n for n in names if "/templates/" in n] == ["harness/templates/pneumonia/competition.toml"]
    (tmp_path / "competitions" / "pneumonia" / "competition.toml").write_text('title = "y"\n')
    assert build_wheel(tmp_path / "wheel").read_bytes() != first
