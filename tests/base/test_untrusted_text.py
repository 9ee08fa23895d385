"""Foreign text reaches nobody's terminal as more than text."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.terminal import PlainStream, print_table, table_lines
from harness.base.untrusted_text import is_plain, plain, shown

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "ok\r\nerror: your key was sent",
    "a\u202egnp.exe",
    "\u2066hidden\u2069",
    "half \ud800",
    "zero\u200bwidth",
    "\x00nul",
    "next\x85line\u2028and\u2029more",
    "tag\U000e0041",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_steers_hides_or_turns_is_written_out(text: str):
    seen = plain(text)
    assert is_plain(seen) and "\n" not in seen and seen.encode("utf-8")
    assert not is_plain(text)


@given(st.text())
def test_plain_text_is_one_line_that_can_be_printed(text: str):
    seen = plain(text)
    assert is_plain(seen) and plain(seen, 10**6) == seen
    assert len(shown(text).splitlines()) <= text.count("\n") + 1
    seen.encode("utf-8")


def test_what_is_plain_stays():
    for text in ("Kätzchen", "собака", "a b", "👩‍🚀", "می‌خواهم"):  # the last two need their joiners
        assert plain(text) == text


def test_a_stream_lets_no_sequence_through_and_lacks_no_letter():
    raw = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    stream = PlainStream(raw)
    print("Kätzchen \x1b[31m\nnext", file=stream, flush=True)
    assert raw.buffer.getvalue() == b"K\\xe4tzchen \\x1b[31m\nnext\n"


@pytest.mark.parametrize("name", ["[/red]", "[bold]x", "$x^{$", "[link=http://x]y[/link]", "\x1b[31m", ":smile:"])
def test_names_in_tables_are_no_markup(name: str, capsys: pytest.CaptureFixture[str]):
    print_table(["class", name], [[name, "1"]], title=name)
    said = capsys.readouterr().out
    assert said.count(plain(name)) == 3 and "\x1b" not in said
    assert any(plain(name) in line for line in table_lines([name], [[name]]))


@pytest.mark.parametrize("name", ["$x^{$", "$$", "a$b", "\\frac", "_hidden", "\x1b[31m"])
def test_names_in_figures_are_no_mathematics(name: str):
    import numpy as np

    from harness.report import figures

    assert figures.confusion_matrix(np.eye(2), [name, "b"]).startswith(b"<?xml")
    assert figures.score_bars({name: {"pooled": 0.5, "low": 0.4, "high": 0.6, "mean": 0.5}}, name)
    assert figures.lines({name: ([1, 2], [3, 4])}, name, name)
