"""Tables of the terminal: what is too wide is stacked, and nothing is cut."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.base.terminal import PlainStream, hanging, print_table, table_lines

RUN = "sample-simple_cnn-34d679d2"
HEADER = ["recipe", "run", "accuracy", "macro f1", "pooled accuracy [95 %]", "seconds"]
ROWS = [
    ["simple_cnn", RUN, "0.8523 +- 0.0279", "0.8465 +- 0.0310", "0.8523 [0.8336, 0.8689]", "1,018"],
    ["ensemble-mean", RUN[::-1], "0.7607 +- 0.0374", "0.7294 +- 0.0513", "0.7607 [0.7399, 0.7816]", "0"],
]


def printed(capsys: pytest.CaptureFixture[str], header, rows, **options) -> list[str]:
    print_table(header, rows, **options)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120, 200])
def test_a_table_keeps_to_its_columns_and_cuts_no_number_and_no_interval(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = printed(capsys, HEADER, ROWS, left=2, title="Runs")
    assert max(map(cell_len, lines)) <= columns
    text = "\n".join(lines)
    for row in ROWS:
        for cell in row[2:]:
            for piece in re.findall(r"\[.*?\]|\+- \S+|\S+", cell):
                assert piece in text
    assert "…" not in text


def test_a_table_that_fits_is_one_with_nothing_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "160")
    lines = printed(capsys, HEADER, ROWS, left=2)
    assert len(lines) == 6 and all(cell in lines[3] for cell in ROWS[0])


def test_where_names_are_long_the_tables_below_go_by_the_numbers_of_the_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "80")
    lines = printed(capsys, HEADER, ROWS, left=2)
    assert sum(RUN in line for line in lines) == 1
    firsts = [found[1] for line in lines if (found := re.match(r"│ (\d) ", line))]
    assert firsts == ["1", "2", "1", "2"]
    assert any("0.8523 [0.8336, 0.8689]" in line for line in lines)  # there is room for it unbroken


def test_short_names_are_said_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("COLUMNS", "60")
    rows = [[f"fold {k}", *["0.85229 [0.83356, 0.86895]"] * 6] for k in range(2)]
    lines = printed(capsys, ["fold", *"abcdef"], rows)
    assert sum("fold 1" in line for line in lines) > 1 and max(map(cell_len, lines)) <= 60


def test_a_pipe_has_no_width_of_its_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert len(printed(capsys, HEADER, ROWS, left=2)) == 6
    assert len(printed(capsys, HEADER, ROWS, left=2, width=80)) > 6


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_line_too_wide_is_set_in_below_its_label(width: int):
    line = f"note:   5 classes read from the data ({', '.join(f'class_{n}' for n in range(12))}); kept in classes.txt"
    first, *others = hanging(line, width).split("\n")
    assert first.startswith("note:   5 classes") and others and all(re.match(r" {8}\S", other) for other in others)
    assert max(map(cell_len, (first, *others))) <= width and " ".join([first, *map(str.strip, others)]) == line


def test_intervals_and_what_is_to_be_typed_are_never_broken():
    line = "OOF:      accuracy 0.98682 [0.98012, 0.99584], of 1,442 rows. Train one: python -m harness.cv digit-recognizer --recipe quick"
    lines = hanging(line, 40).split("\n")
    assert lines[0] == "OOF:      accuracy 0.98682" and "          [0.98012, 0.99584], of 1,442" in lines
    assert lines[-1].strip() == "python -m harness.cv digit-recognizer --recipe quick"


def test_a_line_that_goes_on_below_a_label_keeps_its_place():
    lines = hanging(
        "          the test images are not like the training images (AUC 0.56), and nothing was measured", 40
    ).split("\n")
    assert len(lines) == 4 and all(re.match(r" {10}\S", line) for line in lines)


@pytest.mark.parametrize("text", ['  "name": "{}",', '        "{}",', 'title = "a: {}"', "# of: {}", "[{}]: x", "{}"])
def test_what_is_no_labelled_line_is_left_to_the_terminal(text: str):
    line = text.replace("{}", "word " * 40)
    assert hanging(line, 40) == line


def test_only_a_terminal_is_wrapped_for(monkeypatch: pytest.MonkeyPatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "40")
    line = "note: " + "word " * 20
    for raw, lines in ((Terminal(), 3), (io.StringIO(), 1)):
        print(line, file=PlainStream(raw))
        assert len(raw.getvalue().splitlines()) == lines


_CELLS = st.one_of(
    st.floats(0, 1).map(lambda x: f"{x:.4f} [{x / 2:.4f}, {2 * x:.4f}]"),
    st.integers(0, 10**6).map("{:,}".format),
    st.text("abc -", max_size=60).map(str.strip),
)


@given(
    rows=st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(_CELLS, min_size=n, max_size=n), min_size=1, max_size=3)
    ),
)
def test_every_number_is_printed_whatever_the_width(rows: list[list[str]]):
    with pytest.MonkeyPatch.context() as patch:
        told = []
        for columns in ("80", "4000"):
            patch.setenv("COLUMNS", columns)
            told.append("\n".join(table_lines([f"column {n}" for n in range(len(rows[0]))], rows)))
        wanted = {piece for row in rows for cell in row for piece in re.findall(r"\[.*?\]|[\d,.]+", cell)}
        assert all(piece in text for piece in wanted for text in told)
