"""The page of verdicts: which rows it shows, what it holds of each, and what it weighs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.clean.page import count_table, write, write_page
from harness.clean.page.families import Section, by_need_of_image, sections_of
from harness.clean.verdicts import Verdict
from harness.competition import Samples
from tests.clean.cells import cells

CLASSES = ("purple", "red", "blue")
NASTY = '</script><b id="x">a, "quoted" & more'
VERDICTS = [
    Verdict("r0", "near duplicate", "group", "family-0", "like row 4 (correlation 0.991)"),
    Verdict("r4", "near duplicate", "group", "family-0", "like row 0 (correlation 0.991)"),
    Verdict("r7", "foreign", "exclude", "", NASTY),
    Verdict("gone.png", "broken", "exclude", "", "cannot be decoded"),
]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    images, labels = cells(10)
    samples = Samples(np.array([f"r{i}" for i in range(10)]), images, labels)
    path = tmp_path / "clean.html"
    write_page(path, "Cells: clean", "drawn", [], VERDICTS, samples, CLASSES, tmp_path / "clean.csv")
    return path


def test_it_shows_each_family_with_its_labels_and_nothing_breaks_out(page: Path):
    text = page.read_text()
    assert text.count('class="family"') == 3 and text.count('class="row ') == 4 and text.count("data:image/jpeg") == 3
    assert "Near duplicate (2)" in text and "Broken (1)" in text and str(page.with_name("clean.csv")) in text
    assert NASTY not in text and text.count("</script>") == 2 and 'id="x"' not in text
    assert not re.search(r'(src|href)="(?!data:|#main)', text)  # one file, nothing from outside


def test_the_table_counts_actions():
    assert count_table(VERDICTS) == [
        ["foreign", "0", "0", "1", "0", "1"],
        ["near duplicate", "0", "2", "0", "0", "2"],
        ["broken", "0", "0", "1", "0", "1"],
    ]


def of(verdict: str, group: str, n: int = 1) -> list[Verdict]:
    return [Verdict(f"{verdict}-{group}-{i}", verdict, "group", group, "") for i in range(n)]


def test_a_family_stays_whole_and_every_row_stands_once():
    verdicts = [
        *of("near duplicate", "f", 2),  # 0, 1
        *of("own kind", "", 1),  # 2
        *of("near duplicate", "g", 3),  # 3, 4, 5
        *of("exact duplicate", "f", 1),  # 6: of the first family
        *of("near duplicate", "", 2),  # 7, 8
        *of("blank", "alone"),  # 9: a group of one is no family
    ]
    sections = sections_of(verdicts)
    assert sections == [
        Section("exact duplicate", [[0, 1, 6]], []),
        Section("near duplicate", [[3, 4, 5]], [7, 8]),
        Section("blank", [], [9]),
        Section("own kind", [], [2]),
    ]
    assert sections[1].title == "Near duplicate (5)" and sections[1].rows == [3, 4, 5, 7, 8]
    assert by_need_of_image(sections) == [0, 3, 7, 8, 9, 2, 1, 4, 6, 5]
    assert sections_of([]) == []


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a loaded machine draws slowly
@given(st.lists(st.integers(0, 11), max_size=20))
def test_no_row_is_left_out_or_doubled(drawn: list[int]):
    kinds, groups = ("foreign", "blank", "own"), ("", "a", "b", "c")
    verdicts = [Verdict(str(i), kinds[n % 3], "keep", groups[n // 3], "") for i, n in enumerate(drawn)]
    sections = sections_of(verdicts)
    assert sorted(row for section in sections for row in section.rows) == list(range(len(verdicts)))
    assert sorted(by_need_of_image(sections)) == list(range(len(verdicts)))
    homes = [{section.kind for section in sections for row in section.rows if verdicts[row].group == g} for g in "abc"]
    assert all(len(home) <= 1 for home in homes)


def test_rows_beyond_the_pages_weight_stand_there_without_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    images, labels = cells(60)
    ids = np.array([f"r{i}" for i in range(60)])
    verdicts = [Verdict(name, "exact duplicate", "group", f"f{i % 2}", "x" * 50) for i, name in enumerate(ids)]
    path = tmp_path / "clean.html"

    def written(most: int) -> str:
        monkeypatch.setattr(write, "PAGE_BYTES", most)
        write_page(path, "Cells", "", [], verdicts, Samples(ids, images, labels), CLASSES, tmp_path / "clean.csv")
        text = path.read_text()
        assert text.count('class="row ') == 60 and len(path.read_bytes()) <= most
        assert text.count("<img ") == text.count('loading="lazy"')
        return text

    full = written(5_000_000)
    assert full.count("<img ") == 60 and "without their image" not in full
    light = written(len(full.encode()) - 30_000)
    n = light.count("<img ")
    assert 10 < n < 60 and f"{60 - n} of 60 without their image" in light
    with_image = re.findall(r"<img [^>]+><b>\w+</b>id r(\d+)<", light)
    assert {int(i) % 2 for i in with_image} == {0, 1} and set(map(int, with_image)) == set(
        range(n)
    )  # both families their first
    data = json.loads(re.search(r'id="verdicts">(.+?)</script>', light)[1])
    assert [v[0] for v in data["verdicts"]] == ids.tolist() and sorted(data["order"]) == list(range(60))


def test_its_script_is_small(page: Path):
    scripts = re.findall(r"<script>(.+?)</script>", page.read_text(), re.DOTALL)
    assert len(scripts) == 1 and len(scripts[0].encode()) <= 30_000
