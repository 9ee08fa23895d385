"""competition.toml as `init` writes it: comments are whole words, and say which values there are."""

from __future__ import annotations

import tomllib

from harness.data.guess.layout import Layout
from harness.data.guess.targets import Targets
from harness.data.guess.written import competition_toml


def test_a_long_comment_ends_between_two_words():
    why = " ".join(f"word{n}" for n in range(100))
    text = competition_toml("t", "none", Layout(), Targets(why={"task": why}), [why], ("hflip",), why)
    cut = [line.partition("# ")[2] for line in text.splitlines() if "word99" in line or line.endswith(" ...")]
    assert len(cut) == 3 and all(line.removesuffix(" ...") in why and len(line) <= 300 for line in cut)
    assert all(why[len(line.removesuffix(" ..."))] == " " for line in cut)


def test_the_platforms_are_named_beside_theirs():
    text = competition_toml("t", "none", Layout(), Targets())
    [line] = [line for line in text.splitlines() if line.startswith("platform")]
    assert tomllib.loads(line) == {"platform": "none"} and all(name in line for name in ("kaggle", "codabench", "none"))
