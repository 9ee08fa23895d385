"""What a table with embedded images holds beside them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Found:
    """What a file holds beside images.

    Attributes
    ----------
    header, columns : names and cells of the columns that hold no images
    pictures : names of those that do
    rows : how many there are
    classes : of columns of numbers the names of the classes, where the file tells them; the cells have the names
    """

    header: list[str]
    columns: list[list[str]]
    pictures: tuple[str, ...]
    rows: int
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
