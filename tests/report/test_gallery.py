"""Which rows are pictured, what a picture carries, and that the pictures of a page stay below their bytes."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.report.gallery import LOSSLESS, Shot, embedded, in_turns, top_bars, which_of
from harness.report.page import GALLERY_IN_FULL, WEB, Page
from tests.conftest import REPOSITORY


def pixels_of(source: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))


@given(st.lists(st.integers(0, 6), max_size=60), st.integers(1, 40))
def test_the_first_are_kept_and_every_kind_is_there_where_there_is_room(kinds: list[int], most: int):
    chosen = in_turns(np.array(kinds, dtype=np.int64), most)
    assert len(chosen) == min(most, len(kinds)) and (np.diff(chosen) > 0).all()
    assert set(range(min(most // 2, len(kinds)))) <= set(chosen.tolist())
    if len(set(kinds)) <= most - most // 2:
        assert {kinds[i] for i in chosen} == set(kinds)


def test_the_second_half_takes_in_turns():
    kinds = np.array(["a"] * 50 + ["b", "c", "b", "c", "d"])
    assert in_turns(kinds, 8).tolist() == [0, 1, 2, 3, 50, 51, 52, 54] or in_turns(kinds, 8).tolist()[:4] == [
        0,
        1,
        2,
        3,
    ]
    assert set(kinds[in_turns(kinds, 8)]) == set("abcd")


def test_it_is_said_which_are_shown():
    assert which_of(8, 8, "classes") == "" and which_of(1733, 9, "classes").startswith(
        "The first 4 of 1,733, and 5 that"
    )


def test_the_largest_probabilities_and_its_own_are_told():
    values = np.array([0.01, 0.5, 0.2, 0.1, 0.08, 0.06, 0.05])
    names = list("abcdefg")
    assert [name for name, _ in top_bars(names, values, [0])] == ["b", "c", "d", "e", "f", "a"]
    assert top_bars(["x"], np.array([0.3])) == [("x", pytest.approx(0.3))]


def test_small_images_are_kept_as_they_are():
    image = np.random.default_rng(0).integers(0, 256, (LOSSLESS, 40, 3), dtype=np.uint8)
    assert np.array_equal(pixels_of(embedded([image])[0]), image)
    assert embedded([]) == []


@pytest.mark.parametrize(("n", "side", "room"), [(40, 256, 200_000), (100, 100, 220_000), (3, 600, 3_500_000)])
def test_pictures_stay_below_their_bytes(n: int, side: int, room: int):
    rng = np.random.default_rng(0)
    images = [np.kron(rng.integers(0, 256, (5, 5, 3)), np.ones((side // 5, side // 5, 1))).astype(np.uint8)] * n
    found = embedded(images, room)
    assert sum(map(len, found)) <= room and len(found) == n
    if n == 3:
        assert pixels_of(found[0]).shape == (600, 600, 3)  # as they are, where there is room


def test_what_a_picture_carries_is_plain_and_no_html():
    nasty = "<b>'\"&\u202e\n"
    page = Page("Title", "Lead")
    shot = Shot(nasty, nasty, {nasty: nasty}, 0.0, [(nasty, 1 / 3)], [nasty])
    page.section("S").gallery(np.zeros((1, 2, 2, 1), np.uint8), [shot])
    told = json.loads(shot.data())
    assert told["sure"] == 0.0 and told["bars"][0][1:] == [0.3333, True] and "\u202e" not in shot.data()
    assert "<b>" not in page.html() and "\u202e" not in page.html()


def test_a_page_of_many_photographs_stays_below_5_mb():
    rng = np.random.default_rng(0)
    images = [np.kron(rng.integers(0, 256, (32, 32, 3)), np.ones((7, 7, 1))).astype(np.uint8) for _ in range(96)]
    assert sum(map(len, embedded(images * 4, 10**9))) > 5_000_000  # as they are
    page = Page("Title", "Lead")
    for number in range(4):
        page.section(str(number)).gallery(images, [Shot("a caption", facts={"class": "cat"})] * 96)
    assert len(page.html()) < 5_000_000


def test_scripts_stay_below_30_kb():
    ours = sum(path.stat().st_size for path in WEB.glob("*.js"))
    others = [REPOSITORY / "harness" / "board" / "live.js", REPOSITORY / "harness" / "clean" / "page" / "clean.js"]
    assert all(ours + path.stat().st_size <= 30_000 for path in others)


def test_only_a_large_gallery_has_a_box_that_scrolls():
    def html(n: int) -> str:
        page = Page("Title", "Lead")
        page.section("S").gallery(np.zeros((n, 2, 2, 1), np.uint8), [f"{i}" for i in range(n)])
        return page.html()

    assert 'class="scroll long"' not in html(GALLERY_IN_FULL) and 'class="scroll long"' in html(GALLERY_IN_FULL + 1)
