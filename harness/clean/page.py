"""The page in which a person looks at each family and changes verdicts: one file, thumbnails and a little script in it."""

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
from harness.clean.verdicts import ACTIONS, Verdict
from harness.competition import Samples
from harness.report.links import publish
from harness.report.page import template
from harness.runs.align import align_rows

_THUMBNAIL = 96
_MOST_OF_A_FAMILY = 24
_MOST_OF_A_SECTION = 400

_TEXTS = {
    "foreign": "Images from another world: far from the bulk of the data by colour and structure. Those that the test holds as many of are kept.",
    "label conflict": "Copies of one image with several labels. Of those whose right label could not be told all are excluded.",
    "exact duplicate": "Every pixel is the same, and so is the label.",
    "near duplicate": "The same image compressed, cropped, mirrored or made brighter; the label is the same.",
    "look-alike": "Images of several labels that look alike, as test images do too: the test's world is like that. They are kept.",
    "label error": "Rows whose out-of-fold probabilities speak against their label. They are kept unless you say otherwise.",
    "copy of a test image": "Training rows that the test repeats: the test's score says less about new images.",
    "blank": "Images of one colour.",
    "tiny": "Images that were enlarged a lot. They are kept where the test holds as many.",
    "broken": "Images that could not be decoded.",
}


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
    page = template(Path(__file__).with_name("page.html")).render(
        title=title,
        lead=lead,
        warnings=warnings,
        path=csv_path,
        actions=ACTIONS,
        table=count_table(verdicts),
        sections=_sections(verdicts, samples, classes),
        verdicts=_script_json([dataclasses.astuple(v) for v in verdicts]),
    )
    publish(path, page)


def count_table(verdicts: Sequence[Verdict]) -> list[list[str]]:
    """A line for each verdict: its name, rows by action, rows in all."""
    counts = Counter((v.verdict, v.action) for v in verdicts)
    names = dict.fromkeys(sorted((v.verdict for v in verdicts), key=_order))
    lines = []
    for name in names:
        of_action = [counts[name, action] for action in ACTIONS]
        lines.append([name, *(f"{n:,}" for n in of_action), f"{sum(of_action):,}"])
    return lines


def _order(verdict: str) -> int:
    return list(_TEXTS).index(verdict) if verdict in _TEXTS else len(_TEXTS)


def _sections(verdicts: Sequence[Verdict], samples: Samples, classes: Sequence[str]) -> list[dict[str, Any]]:
    sections = []
    for name in dict.fromkeys(sorted((v.verdict for v in verdicts), key=_order)):
        these = [v for v in verdicts if v.verdict == name and name != "broken"]
        families: dict[str, list[Verdict]] = {}
        for verdict in these:
            families.setdefault(verdict.group or f"id {verdict.id}", []).append(verdict)
        largest_first = sorted(families.values(), key=len, reverse=True)
        shown, n = [], 0
        for family in largest_first:
            if n >= _MOST_OF_A_SECTION:
                break
            shown.append([_row(v, samples, classes) for v in family[:_MOST_OF_A_FAMILY]])
            n += len(shown[-1])
        rest = f" {n:,} of {len(these):,} are shown; all stand in the file." if n < len(these) else ""
        title = f"{name[0].upper()}{name[1:]} ({sum(v.verdict == name for v in verdicts):,})"
        sections.append({"title": title, "text": _TEXTS.get(name, "") + rest, "families": shown})
    return sections


def _row(verdict: Verdict, samples: Samples, classes: Sequence[str]) -> dict[str, Any]:
    assert samples.labels is not None  # training rows always have labels
    row = int(align_rows(samples.ids, np.array([verdict.id]), "verdicts")[0])
    return {
        **dataclasses.asdict(verdict),
        "label": classes[samples.labels[row]],
        "source": _thumbnail(np.asarray(samples.images[row])),
    }


def _thumbnail(image: np.ndarray) -> str:
    picture = as_picture(image)
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _script_json(value: Any) -> Any:
    """JSON that may stand in a script element whatever the strings in it: no '<' ends it."""
    import markupsafe

    return markupsafe.Markup(json.dumps(value).replace("<", "\\u003c"))
