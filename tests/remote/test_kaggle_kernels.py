"""Names of files as a platform gives them stay below the folder that they are written into."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.remote.kaggle_kernels import is_inside


@pytest.mark.parametrize(
    "name", ["a", "oof/leaves/tiny-1a2b3c4d/fold-0.npz", "oof/a b/größe (1).csv", ".hidden/x", "a..b/c"]
)
def test_names_of_ours_are_inside(name: str):
    assert is_inside(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        ".",
        "a/.",
        "a\\..\\x",
        "C:x",
        "a\nb",
        "a\x00b",
        "\x1b[31m",
        "a/" * 20 + "b",
    ],
)
def test_names_that_climb_or_steer_are_not(name: str):
    assert not is_inside(name)


@given(st.text(st.sampled_from("ab./\\ :\n\x00~-"), max_size=12))
def test_what_is_inside_stays_inside(name: str):
    root = Path("/root/of/it")
    if is_inside(name):
        assert root in Path(os.path.normpath(root / name)).parents
