"""What stands where on the page of verdicts: sections by kind of finding, in them families of copies, and which rows get an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.clean.verdicts import Verdict

TEXTS = {
    "foreign": "Images from another world: far from the bulk of the data by colour and structure. Those that the test holds as many of are kept.",
    "label conflict": "Copies of one image with several labels. Of those whose right label could not be told all are excluded.",
    "exact duplicate": "Every pixel is the same, and so is the label.",
    "near duplicate": "The same image compressed, cropped, mirrored or made brighter; the label is the same.",
    "look-alike": "Images of several labels that look alike, as test images do too: the test's world is like that. They are kept.",
    "label error": "Rows whose out-of-fold probabilities speak against their label. They are kept unless you say otherwise.",
    "copy of a test image": "Training rows that the test repeats: the test's score says less about new images.",
    "blank": "Images of one colour.",
    "tiny": "Images that were enlarged a lot. They are kept where the test holds as many.",
    "broken": "Images that could not be decoded: no rows of the training set, and no action brings them back.",
}
"""Kinds of finding, in the page's order, and what is said of them."""


@dataclass(frozen=True)
class Section:
    """A kind of finding. Rows are positions in the list of verdicts.

    Attributes
    ----------
    kind : as verdicts name it
    families : rows of one group, the largest family first; two rows or more each
    single : rows that no other belongs to
    """

    kind: str
    families: list[list[int]]
    single: list[int]

    @property
    def rows(self) -> list[int]:
        """All rows, as they stand on the page."""
        return [row for family in self.families for row in family] + self.single

    @property
    def title(self) -> str:
        """The kind, and how many rows there are."""
        return f"{self.kind[0].upper()}{self.kind[1:]} ({len(self.rows):,})"

    @property
    def text(self) -> str:
        """What the kind is."""
        return TEXTS.get(self.kind, "")


@dataclass(frozen=True)
class Shelf:
    """Rows that stand in one box of the page, and are drawn together.

    Attributes
    ----------
    start : place of the first among all rows of the page
    rows : positions in the list of verdicts
    is_family : whether they belong together
    drawn : whether they stand in the page's HTML; else its script draws them when they come near the window
    """

    start: int
    rows: list[int]
    is_family: bool
    drawn: bool


def shelves_of(sections: Sequence[Section], at_once: int) -> list[list[Shelf]]:
    """Of each section its families, then the others, some dozens together; so many rows at most are drawn at once."""
    found, start = [], 0
    for section in sections:
        parts = [section.single[i : i + _ABREAST] for i in range(0, len(section.single), _ABREAST)]
        shelves = []
        for place, rows in enumerate([*section.families, *parts]):
            shelves.append(Shelf(start, rows, place < len(section.families), start + len(rows) <= at_once))
            start += len(rows)
        found.append(shelves)
    return found


_ABREAST = 60


def sections_of(verdicts: Sequence[Verdict]) -> list[Section]:
    """Every row in one section.

    A family stays whole: copies of which some are exact and some near stand under the first of their kinds.
    """
    groups: dict[tuple[str, int], list[int]] = {}
    for row, verdict in enumerate(verdicts):
        groups.setdefault((verdict.group, -1) if verdict.group else ("", row), []).append(row)
    by_kind: dict[str, list[list[int]]] = {}
    for rows in groups.values():
        kind = min((verdicts[row].verdict for row in rows), key=place_of)
        by_kind.setdefault(kind, []).append(rows)
    return [_section(kind, by_kind[kind]) for kind in sorted(by_kind, key=place_of)]


def _section(kind: str, groups: list[list[int]]) -> Section:
    families = sorted((rows for rows in groups if len(rows) > 1), key=len, reverse=True)
    return Section(kind, families, [rows[0] for rows in groups if len(rows) == 1])


def place_of(kind: str) -> int:
    """Where a kind stands among the others; those that are not known stand last."""
    return list(TEXTS).index(kind) if kind in TEXTS else len(TEXTS)


def by_need_of_image(sections: Sequence[Section]) -> list[int]:
    """All rows, those first that an image tells most of: one of each family and those that stand alone, then the second of each family, ..."""
    placed = [(place, row) for section in sections for place, row in _placed(section)]
    return [row for _, row in sorted(placed, key=lambda pair: pair[0])]  # stable: else in the page's order


def _placed(section: Section) -> Iterator[tuple[int, int]]:
    for family in section.families:
        yield from enumerate(family)
    yield from ((0, row) for row in section.single)
