"""A metric's string: what is written in competition.toml is read back as the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.competition.scoring.spec import parsed, written

VALUES = st.one_of(
    st.integers(-1000, 1000), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(),
    st.text(max_size=12), st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=3),
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda k: k != "name"), VALUES, max_size=4))
def test_what_is_written_is_read_back(parameters: dict[str, object]):
    name, found = parsed(written({"name": "some_metric", **parameters}))
    assert (name, found) == ("some_metric", parameters)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy", ("accuracy", {})),
        ("map@5", ("map_at_k", {"k": 5})),
        ("f2", ("fbeta", {"beta": 2.0})),
        ("f1", ("f1", {})),
        ("samples_f2", ("fbeta", {"beta": 2.0, "average": "samples"})),
        ("macro_f1", ("macro_f1", {})),
        ("top3_accuracy", ("top_k_accuracy", {"k": 3})),
        ("fbeta(beta=2, average=micro)", ("fbeta", {"beta": 2, "average": "micro"})),
    ],
)
def test_short_names_are_written_out(text: str, expected: tuple[str, dict[str, object]]):
    assert parsed(text) == expected


@pytest.mark.parametrize("wrong", [{"beta": 2}, 5, ["f1"]])
def test_what_is_no_metric_is_refused(wrong: object):
    with pytest.raises(ValueError, match="write a name"):
        written(wrong)
    with pytest.raises(ValueError, match="is no metric's name"):
        parsed("two words here")


def test_a_quote_in_a_value_ends_nothing():
    for text in ('"', 'a", b', "\\", '\\"'):
        assert parsed(written({"name": "m", "a": text, "b": 1})) == ("m", {"a": text, "b": 1})
