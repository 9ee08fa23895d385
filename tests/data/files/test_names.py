"""How a table may have meant the names of files."""

from __future__ import annotations

from harness.data.files.names import Lookup, number_width, other_spellings


def test_numbers_that_lost_their_zeros_are_spelt_as_wide_as_the_files():
    assert list(other_spellings(["1", "100"], 3)) == [["001", "100"]]
    assert list(other_spellings(["1", "a"], 3)) == [] and list(other_spellings(["1"], None)) == []


def test_files_of_several_widths_have_none():
    assert number_width(["a/001.png", "x.png"]) == 3 and number_width(["1.png", "10.png"]) is None


def test_how_many_ids_are_known():
    lookup = Lookup(["001.png", "002.png", "100.png"], str)
    assert (lookup.known(["1", "2", "100"]), lookup.known(["001", "002", "100"]), lookup.width) == (1, 3, 3)
