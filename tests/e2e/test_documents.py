"""What the documents show can be done as they show it: every command parses, every key exists, what is marked is run."""

from __future__ import annotations

import configparser
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from docs.made import commands as made
from harness.competition import Competition, Recipe
from harness.competition.schema import dotted_keys
from tests.conftest import REPOSITORY
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


NEEDED = {
    "--on": "Kaggle's machines (pretended ones: tests/kernels)",
    "--code": "Kaggle's machines (tests/kernels, tests/e2e/test_submit.py)",
    "--notebook": "a notebook on Kaggle (tests/e2e/test_submit.py)",
    "--resume": "a submission under way (tests/e2e/test_submit.py)",
    "--cluster": "a cluster (tests/distributed)",
    "cuda:0": "a graphics card (tests/simulated_cuda.py)",
    "tensorboard": "an extra (tests/cv/tracking)",
    "postgresql+psycopg://user@host/name": "a database (tests/tune)",
    "/kaggle/input": "a notebook on Kaggle (tests/e2e/test_anywhere.py)",
    "cifar-10": "the competition's files (tests/competitions)",
    "--like": "an installed wheel: docs/install.md runs it, inside Kaggle too (tests/e2e/test_anywhere.py)",
    "competitions/flickr8k": "the competition's files (tests/competitions)",
}
"""What commands that are shown and not run need, by the word that says so, and where they are tested."""


@pytest.mark.parametrize("block", [b for b in blocks() if b.kind == "bash" and not b.place], ids=lambda b: b.where)
def test_what_is_shown_is_run_or_needs_what_is_not_here(block: Block):
    if block.where in ("docs/tutorials/kaggle-gpu.md", "docs/scale.md"):
        return  # of what came back from there; of eight graphics cards
    for words in block.calls:
        if words[:2] == ["python", "-m"] and words[2].startswith("harness."):
            assert set(words) & set(NEEDED), f"{block.where}: mark it <!-- run: PLACE -->: {' '.join(words)}"
