"""What the documents show can be done as they show it: every command parses, every key exists, what is marked is run."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from docs.made import commands as made
from harness.competition import Competition, Recipe
from harness.competition.schema import dotted_keys
from tests.conftest import PINNED, REPOSITORY
from tests.e2e.snippets import FENCE, PAGES, Block, blocks, shown_calls

MAKEFILE = (REPOSITORY / "Makefile").read_text()
ELSEWHERE = ("source", "ray", "srun", "sleep", "head=$(scontrol", "pre-commit")
"""First words of lines that are no command of ours."""
TEXTS = {page.relative_to(REPOSITORY).as_posix(): FENCE.sub("", page.read_text(encoding="utf-8")) for page in PAGES}


class NotTaken(AssertionError):
    """A command line that no command would take."""


def check(words: list[str]) -> None:
    """Refuse a command line that would not be taken, without running it."""
    if words[:2] == ["python", "-m"] and words[2].startswith("harness."):
        try:
            name, arguments = made.named_in(words[2:])
            made.commands()[name].make_context(name, ["1" if word == "H" else word for word in arguments])
        except Exception as error:  # typer has click's, or its own
            raise NotTaken(getattr(error, "message", str(error))) from error
    elif words[:2] == ["python", "-m"]:
        module = REPOSITORY / words[2].replace(".", "/")
        own = module.with_suffix(".py").exists() or (module / "__main__.py").exists()
        assert own or words[2] in ("venv", "pytest", "benchmarks.NAME"), words
    elif words[0] == "make":
        assert re.search(rf"^{words[1]}:", MAKEFILE, flags=re.M), words
    elif words[:2] == ["pip", "install"]:
        setup = configparser.ConfigParser()
        setup.read(REPOSITORY / "setup.cfg")
        extras = re.findall(r"\[([\w,-]+)\]", " ".join(words))
        assert all(setup.has_option("options.extras_require", e) for part in extras for e in part.split(",")), words
    else:
        assert words[0] in ELSEWHERE or words[:2] == ["pip", "wheel"], words


@pytest.mark.parametrize("page", sorted({page for page, _ in shown_calls()}))
def test_commands_that_are_shown_are_taken(page: str):
    """Names, options, values: by the parser of each command."""
    for where, words in shown_calls():
        if where == page:
            check(words)


@pytest.mark.parametrize(
    "line",
    [
        "python -m harness.cv leaves --recipee quick",
        "python -m harness.cv leaves --workers many",
        "python -m harness.oof comparison leaves",
        "python -m harness.play leaves --hours",
        "python -m harness.nothing leaves",
        "python -m benchmarks.nothing",
        "make nothing",
        "pip install -e '.[nothing]'",
        "nothing at all",
    ],
)
def test_a_line_that_is_wrong_is_seen(line: str):
    with pytest.raises(AssertionError):
        check(shlex.split(line))


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_options_and_keys_in_the_text_exist(page: str):
    options = {name for c in made.commands().values() for p in c.params for name in (*p.opts, *p.secondary_opts)}
    named = set(re.findall(r"`(--[a-z][a-z-]+)", TEXTS[page]))
    assert named <= {*options, "--help", "--version"}, named - options
    keys = {*dotted_keys(Recipe), *dotted_keys(Competition), "model.pretrained"}
    named = set(
        re.findall(
            r"`((?:train|data|augment|predict|cv|pseudo|features|clusters)\.(?!csv|zip|json|bson|7z|toml)[a-z_]+)(?: =|=|`)",
            TEXTS[page],
        )
    )
    assert named <= keys | {"data.dataset", "cv.folds", "cv.jobs"}, named - keys


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_links_lead_somewhere(page: str):
    for target in re.findall(r"\]\(([^)#\s]+)", TEXTS[page]):
        there = target.startswith("http") or ((REPOSITORY / page).parent / target).exists()
        assert there, f"{page}: {target}"


TOML = [b for b in blocks() if b.kind == "toml" and b.where != "docs/layouts.md"]


@pytest.mark.parametrize("block", TOML, ids=lambda block: block.where)
def test_toml_that_is_shown_is_taken(block: Block):
    """A competition, a recipe, or tables of one (layouts.md is played by test_layouts.py)."""
    from harness.competition.schema import validate

    values = tomllib.loads(block.text)
    if "title" in values:
        validate(Competition, {**values, "slug": "x", "folder": Path()}, block.where)
    else:
        validate(Recipe, {"name": "x", "model": {"name": "cnn"}, **values}, block.where)


LEAVES = ("--set", "train.epochs=2", "--set", "cv.folds=2")
DIGITS = (
    "--set",
    "train.epochs=1",
    "--set",
    "cv.folds=2",
    "--set",
    "model.args.stages=[[4],[8]]",
    "--workers",
    "1",
    *PINNED,
)


def play_through(place: str, folder: Path, run_command, fast: tuple[str, ...]) -> None:
    """Run every block of a place, in the order of the pages. What comes a second time stands already; a submission is
    written anew.

    fast : what harness.cv gets, but for recipes that the documents write
    """
    done: set[tuple[str, ...]] = set()
    shown = [block for block in blocks() if block.place == place]
    assert shown
    written: set[str] = set()
    for block in shown:
        if block.kind == "toml":
            path = block.text.splitlines()[0].removeprefix("# ")
            (folder / path).write_text(block.text)
            written.add(Path(path).stem)
            continue
        for words in block.calls:
            if tuple(words) in done and words[2] != "harness.submit":
                continue
            done.add(tuple(words))
            short = [
                "0.002" if before == "--hours" else word for before, word in zip(["", *words], words, strict=False)
            ]
            trains = words[2] == "harness.cv" and not written & set(words)
            ended = run_command(short[2], *short[3:], *(fast if trains else ()), cwd=folder)
            assert ended.returncode == 0, f"{block.where}: {' '.join(words)}\n{ended.stderr}"


def test_leaves_word_by_word(tmp_path: Path, run_command):
    """The sixth competition of README and tutorial: `init` on a zip, then the same by hand."""
    rng = np.random.default_rng(0)
    for i in range(40):
        name = ("beech", "oak")[i % 2]
        folder = tmp_path / "leaves" / ("test" if i >= 32 else f"train/{name}")
        folder.mkdir(parents=True, exist_ok=True)
        leaf = rng.integers(0, 80, (20, 24, 3), dtype=np.uint8)
        leaf[..., i % 2] += 120  # beeches are red, oaks green
        Image.fromarray(leaf).save(folder / f"leaf{i}.png")
    (tmp_path / "downloads").mkdir()
    shutil.make_archive(str(tmp_path / "downloads" / "leaves"), "zip", tmp_path / "leaves")
    play_through("leaves", tmp_path, run_command, LEAVES)
    paths = list((tmp_path / "submissions" / "leaves").glob("*.csv"))
    assert len(paths) >= 3  # of play's shares and run, of the recipes
    for path in paths:
        sent = pd.read_csv(path)
        assert sent["id"].tolist() == [f"leaf{i}" for i in range(32, 40)]
        assert set(sent.iloc[:, 1]) <= {"beech", "oak"}


def test_digits_word_by_word(tmp_path: Path, run_command):
    """The first submission, on the embedded sample, and what how-to pages do with its runs."""
    shutil.copytree(REPOSITORY / "competitions" / "digit-recognizer", tmp_path / "competitions" / "digit-recognizer")
    play_through("digits", tmp_path, run_command, DIGITS)
    assert len(list((tmp_path / "submissions" / "digit-recognizer").glob("*.csv"))) == 1
    made = list((tmp_path / "oof" / "digit-recognizer").glob("sample-ensemble-*"))
    assert any("hill_climbing" in path.name for path in made)  # the way that is asked for; the best one may be the same
    assert all((path / "oof.parquet").is_file() for path in made)
