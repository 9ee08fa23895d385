"""TOML as it is written: what is read again is what was meant, and the text is tomli_w's."""

from __future__ import annotations

import datetime
import math
import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from harness.base.storage.toml_text import dump_toml
from harness.competition import load_recipe
from harness.competition.recipe import recipe_names
from tests.conftest import REPOSITORY

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(
    ["a", "a.b", "", 'q"\\', "x\ty\n\x7f"]
)
SCALARS = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | TEXTS
    | st.dates()
    | st.times()
    | st.datetimes()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=20
)  # fmt: skip


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_it_is_read_as_it_was_meant_and_written_as_tomli_w_does(values: dict[str, Any]):
    text = dump_toml(values)
    assert tomllib.loads(text) == values
    assert text == tomli_w.dumps(values)


def test_every_recipe_is_written_as_tomli_w_does():
    for path in (REPOSITORY / "competitions").glob("*/competition.toml"):
        for name in recipe_names(path.parent):
            told = load_recipe(path.parent, name).model_dump(mode="json", exclude_none=True)
            assert dump_toml(told) == tomli_w.dumps(told), (path.parent.name, name)


def test_long_tables_of_a_list_stand_for_themselves():
    values = {"step": [{"why": "x" * 100, "seconds": 1.5}, {"why": "short"}], "short": [{"a": 1}, {}]}
    assert dump_toml(values).count("[[step]]") == 2 and dump_toml(values) == tomli_w.dumps(values)


def test_what_toml_lacks_is_refused():
    for value in (None, {1, 2}, b"x", object()):
        with pytest.raises(TypeError, match="TOML has no such value"):
            dump_toml({"a": [value]})
    assert math.isnan(tomllib.loads(dump_toml({"a": math.nan}))["a"])
    assert tomllib.loads(dump_toml({"a": datetime.time(1, 2)}))["a"] == datetime.time(1, 2)
