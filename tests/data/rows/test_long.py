"""Tables in long format: which image and class a row is of."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import UserError
from harness.data.rows.long import one_row_each, one_row_of_images, parted
from harness.data.rows.tables import Table


def table(*rows: tuple[str, ...], header: tuple[str, ...] = ("ID", "Label")) -> Table:
    return Table(list(header), [list(cells) for cells in zip(*rows, strict=True)], "train.csv")


def part(cells: list[str], pattern: str, classes: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
    return parted(cells, pattern, classes, lambda row: f"row {row + 1}", "data.long")


@pytest.mark.parametrize(
    ("cell", "pattern", "classes", "told"),
    [
        ("ID_0a_any", "{id}_{class}", (), ("ID_0a", "any")),
        ("any_ID_0a", "{class}_{id}", (), ("ID_0a", "any")),
        ("Test_0_grapheme_root", "{id}_{class}", ("grapheme_root", "root"), ("Test_0", "grapheme_root")),
        ("a.b-c (x)", "{id} ({class})", (), ("a.b-c", "x")),
        ("grapheme_root_Test_0", "{class}_{id}", ("grapheme", "grapheme_root"), ("Test_0", "grapheme_root")),
    ],
)
def test_a_cell_is_an_image_and_a_class(cell: str, pattern: str, classes: tuple[str, ...], told: tuple[str, str]):
    assert part([cell], pattern, classes) == ([told[0]], [told[1]])


@given(st.lists(st.text("ab_0", min_size=1), min_size=1), st.lists(st.text("xy_", min_size=1), min_size=1), st.data())
def test_what_was_joined_is_parted_again(ids: list[str], classes: list[str], data: st.DataObject):
    """With the classes known, the parts join to the cell, and the class is one of them."""
    cells = [f"{i}_{data.draw(st.sampled_from(classes))}" for i in ids]
    images, names = part(cells, "{id}_{class}", tuple(classes))
    assert [f"{i}_{name}" for i, name in zip(images, names, strict=True)] == cells
    assert set(names) <= set(classes)


def test_a_cell_that_is_not_made_so_is_named():
    with pytest.raises(UserError, match=re.escape("row 2: 'b' is not made as data.long = '{id}_{class}' says")):
        part(["a_x", "b"], "{id}_{class}")
    with pytest.raises(UserError, match="whose classes are x"):
        part(["a_y"], "{id}_{class}", ("x",))


def test_a_row_each_with_a_column_for_each_class():
    rows = [("b_x", "1"), ("a_y", "0"), ("b_y", "0"), ("a_x", "1"), ("a_x", "1")]
    found = one_row_each(table(*rows), "{id}_{class}", "ID", "Label")
    assert (found.header, found.columns) == (["ID", "x", "y"], [["b", "a"], ["1", "1"], ["0", "0"]])
    assert (found.labels, found.rows_in_file) == (("x", "y"), 5)
    assert found.place("y", 1) == "train.csv: row 2, column 'Label'"  # where the cell stands in the file


def test_what_is_known_of_an_image_stays_and_what_differs_between_its_rows_goes():
    rows = [
        ("a", "x", "1", "p1", "r1"),
        ("a", "y", "0", "p1", "r2"),
        ("b", "x", "0", "p2", "r1"),
        ("b", "y", "1", "p2", "r1"),
    ]
    found = one_row_each(table(*rows, header=("id", "what", "there", "patient", "reader")), "what", "id", "there")
    assert found.header == ["id", "patient", "x", "y"]
    assert found.column("patient", "") == ["p1", "p2"]
    with pytest.raises(UserError, match="column 'reader' differs between rows 1 and 2 of image 'a'.*data.group_by"):
        found.column("reader", "data.group_by")


def test_rows_that_say_that_an_image_has_a_label():
    rows = [("a", "red fox"), ("a", "hare"), ("b", "hare"), ("c", ""), ("a", "hare")]
    found = one_row_each(table(*rows, header=("id", "tag")), "tag", "id", "tag")
    mark = found.separators["tag"]
    assert mark not in "".join(name for _, name in rows)
    assert [cell.split(mark) if cell else [] for cell in found.column("tag", "")] == [["red fox", "hare"], ["hare"], []]


def test_two_values_of_one_class_are_refused_with_both_rows():
    rows = [("a_x", "1"), ("b_x", "0"), ("a_x", "0")]
    with pytest.raises(UserError, match=r"row 3, column 'Label': '0' for 'x' of 'a', and '1' in row 1\."):
        one_row_each(table(*rows), "{id}_{class}", "ID", "Label")


def test_an_image_without_a_row_of_a_class_is_refused():
    rows = [("a_x", "1"), ("a_y", "1"), ("b_x", "0")]
    with pytest.raises(UserError, match="1 image of 2 has no row for class 'y', e.g. 'b'"):
        one_row_each(table(*rows), "{id}_{class}", "ID", "Label")


def test_names_of_classes_that_hold_the_mark_have_to_be_known():
    rows = [(f"a{n}_{name}", "1") for n in range(2) for name in ("vowel_sign", "root")]
    with pytest.raises(UserError, match=r"name them: classes = \[\.\.\.\]"):
        one_row_each(table(*rows), "{id}_{class}", "ID", "Label")
    found = one_row_each(table(*rows), "{id}_{class}", "ID", "Label", ("root", "vowel_sign"))
    assert found.labels == ("vowel_sign", "root")


def test_a_class_that_is_called_as_a_column_is_refused():
    rows = [("a", "x", "1"), ("a", "id", "1"), ("b", "x", "0"), ("b", "id", "0")]
    with pytest.raises(UserError, match="'id' is a class"):
        one_row_each(table(*rows, header=("id", "what", "there")), "what", "id", "there")


def test_blanks_of_other_kinds_stay_in_a_label():
    found = one_row_each(table(("a", "red\u00a0fox"), ("a", "hare"), header=("id", "tag")), "tag", "id", "tag")
    assert found.column("tag", "")[0].split(found.separators["tag"]) == ["red\u00a0fox", "hare"]
    with pytest.raises(UserError, match="row 1, column 'tag'.*cannot be printed"):
        one_row_each(table(("a", "a\x1fb"), header=("id", "tag")), "tag", "id", "tag")


def test_a_wrong_column_of_classes_takes_no_table_of_all_pairs():
    rows = [(f"i{n // 2}", str(n), "1") for n in range(20_000)]
    with pytest.raises(UserError, match="9,999 images of 10,000 have no row for class '0'"):
        one_row_each(table(*rows, header=("id", "row", "there")), "row", "id", "there")


def test_rows_that_are_asked_for_are_images_too():
    found = one_row_of_images(
        table(("a_x", "p"), ("a_y", "p"), ("b_x", "q"), header=("id", "patient")), "{id}_{class}", "id"
    )
    assert (found.header, found.columns) == (["id", "patient"], [["a", "b"], ["p", "q"]])


def test_a_class_in_another_case_is_told_as_one():
    rows = [(f"{i}_{name}", "1") for i in "abc" for name in ("x", "y")]
    rows[3] = ("b_Y", "1")
    with pytest.raises(
        UserError, match=r"class 'Y' \(1 row, e.g. of 'b'\) is written 'y' in 2 rows. Correct the former"
    ):
        one_row_each(table(*rows), "{id}_{class}", "ID", "Label")


def test_many_repeated_ids_are_offered_to_be_long():
    with pytest.raises(UserError, match="stands in row 1 and in row 2.*data.long in competition.toml"):
        table(("a", "x"), ("a", "y"), ("b", "x")).ids("ID")
    with pytest.raises(UserError) as error:
        table(*[(f"i{n}", "x") for n in range(20)], ("i3", "x")).ids("ID")
    assert "data.long" not in str(error.value)
