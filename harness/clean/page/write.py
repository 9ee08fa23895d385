"""The page of verdicts as a file: every row is on it, thumbnails for as many as it has room for, and a little script."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.pictures import as_picture
from harness.clean.page.families import Section, Shelf, by_need_of_image, place_of, sections_of, shelves_of
from harness.clean.verdicts import ACTIONS, COLUMNS, Verdict
from harness.competition import Samples
from harness.report.links import publish
from harness.report.page import template
from harness.runs.align import align_rows

PAGE_BYTES = 5_000_000
"""What the page may weigh. Rows whose image has no room stand there without it."""

AT_ONCE = 1_000
"""Rows that stand in the page's HTML. Thousands would take a browser seconds: the others are drawn when they come near the window."""

_THUMBNAIL = 96
_ROUND_IMAGE = 100  # bytes: its element, and a share of the links that are put into the page later


def write_page(
    path: Path,
    title: str,
    lead: str,
    warnings: Sequence[str],
    verdicts: Sequence[Verdict],
    samples: Samples,
    classes: Sequence[str],
    csv_path: Path,
) -> None:
    """Write the page of these verdicts on these training rows; `csv_path` is where the verdicts lie."""
    sections, rows = sections_of(verdicts), _rows(verdicts, samples)
    assert samples.labels is not None  # training rows always have labels
    labels = [classes[samples.labels[row]] if row >= 0 else "" for row in rows]
    there, shelves = set(labels), shelves_of(sections, AT_ONCE)
    told = {
        "title": title,
        "lead": lead,
        "warnings": warnings,
        "path": csv_path,
        "actions": ACTIONS,
        "table": count_table(verdicts),
        "kinds": sorted({v.verdict for v in verdicts}, key=place_of),
        "classes": [name for name in classes if name in there],
        "sections": list(zip(sections, shelves, strict=True)),
        "verdicts": verdicts,
        "labels": labels,
        "later": sum(len(shelf.rows) for of in shelves for shelf in of if not shelf.drawn),
    }
    page = template(Path(__file__).with_name("clean.html"))
    none = [""] * len(rows)
    text = page.render(**told, sources=none, bare=0, data=_data(verdicts, sections, shelves, labels, none))
    room = PAGE_BYTES - len(text.encode("utf-8")) - 10_000  # links
    sources = thumbnails(samples.images, rows, by_need_of_image(sections), room)
    bare = sum(row >= 0 and not source for row, source in zip(rows, sources, strict=True))
    data = _data(verdicts, sections, shelves, labels, sources)
    publish(path, page.render(**told, sources=sources, bare=bare, data=data))


def count_table(verdicts: Sequence[Verdict]) -> list[list[str]]:
    """A line for each verdict: its name, rows by action, rows in all."""
    counts = Counter((v.verdict, v.action) for v in verdicts)
    names = dict.fromkeys(sorted((v.verdict for v in verdicts), key=place_of))
    lines = []
    for name in names:
        of_action = [counts[name, action] for action in ACTIONS]
        lines.append([name, *(f"{n:,}" for n in of_action), f"{sum(of_action):,}"])
    return lines


def thumbnails(images: np.ndarray, rows: Sequence[int], order: Sequence[int], room: int) -> list[str]:
    """Images as they stand in the page, by verdict; "" where there is none or no room.

    Parameters
    ----------
    images : uint8 (n, H, W, C)
    rows : of each verdict its image, -1 = none
    order : verdicts, those that get an image first
    room : bytes that all of them may take
    """
    sources = [""] * len(rows)
    for verdict in order:
        if rows[verdict] < 0:
            continue
        source = _thumbnail(np.asarray(images[rows[verdict]]))
        room -= len(source) + _ROUND_IMAGE
        if room < 0:
            break
        sources[verdict] = source
    return sources


def _rows(verdicts: Sequence[Verdict], samples: Samples) -> list[int]:
    """Of each verdict its row in `samples`; -1 for broken images, which are none."""
    there = [i for i, v in enumerate(verdicts) if v.verdict != "broken"]
    rows = np.full(len(verdicts), -1)
    if there:
        rows[there] = align_rows(samples.ids, np.array([verdicts[i].id for i in there], dtype=np.str_), "verdicts")
    found: list[int] = rows.tolist()
    return found


def _data(
    verdicts: Sequence[Verdict],
    sections: Sequence[Section],
    shelves: Sequence[Sequence[Shelf]],
    labels: Sequence[str],
    sources: Sequence[str],
) -> Any:
    """What the script works on: clean.csv as it is, which of its lines stands where on the page, labels, and images of what it draws."""
    names = list(dict.fromkeys(labels))
    number = {name: i for i, name in enumerate(names)}
    later = [row for of in shelves for shelf in of if not shelf.drawn for row in shelf.rows]
    return _script_json(
        {
            "columns": COLUMNS,
            "actions": ACTIONS,
            "verdicts": [dataclasses.astuple(v) for v in verdicts],
            "order": [row for section in sections for row in section.rows],
            "names": names,
            "labels": [number[label] for label in labels],
            "sources": {row: sources[row] for row in later if sources[row]},
        }
    )


def _thumbnail(image: np.ndarray) -> str:
    picture = as_picture(image)
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _script_json(value: Any) -> Any:
    """JSON that may stand in a script element whatever the strings in it: no '<' ends it."""
    import markupsafe

    return markupsafe.Markup(json.dumps(value, separators=(",", ":")).replace("<", "\\u003c"))
