"""competition.toml with a comment for every guess, recipes and a README, written where nothing stands yet."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.storage.atomic_files import write_text
from harness.base.untrusted_text import plain
from harness.competition.builtin.facts import are_places
from harness.data.guess.layout import Layout
from harness.data.guess.targets import Targets

_LONGEST = 300  # characters of a comment


@dataclass(frozen=True)
class Made:
    """What was written, in lines for people and for scripts."""

    lines: list[str]
    told: dict[str, Any]


def competition_toml(
    title: str,
    platform: str,
    layout: Layout,
    targets: Targets,
    facts: Iterable[str] = (),
    symmetries: tuple[str, ...] = (),
    why: str = "",
) -> str:
    """The text of competition.toml; why : of the symmetries."""
    lines = [f"# {_short(line)}" for line in facts]
    lines += ["# Guessed from the files: look at every line with a comment before you trust a score.", ""]
    lines += [
        _line("title", title),
        _line("platform", platform, "where it is submitted: kaggle, codabench, or none of them"),
    ]
    lines.append(_line("task", targets.task, targets.why.get("task", "")))
    others = ", ".join(targets.fits)
    lines.append(
        _line(
            "metric",
            targets.metric,
            targets.why.get("metric")
            or f"not known: the competition's page says which. It fits the submission, as do {others}",
        )
    )
    if layout.classes:
        lines.append(_line("classes", layout.classes, "their names hold what stands between id and class"))
    else:
        lines.append("# classes = [...]          left out: read from the data and kept in classes.txt")
    if symmetries:
        lines.append(_line("symmetries", list(symmetries), why))
    elif targets.task == "regression" and are_places(targets.label):
        lines.append("# symmetries                  none: a mirrored image has its points elsewhere")
    else:
        lines.append(
            '# symmetries = ["hflip"]   changes that leave the label as it is (also vflip, rot90, rot180, rot270)'
        )
    lines += ["", "[data]"]
    for key, value in layout.values.items():
        lines.append(_line(key, value, layout.why.get(key, "")))
    if targets.label and layout.values.get("format") not in ("image_folder", "npz"):
        label = layout.value_column or (targets.label[0] if len(targets.label) == 1 else targets.label)
        lines.append(_line("label", label, "" if layout.value_column else targets.why.get("label", "")))
        if targets.separator and not layout.value_column:
            lines.append(_line("separator", targets.separator))
    if "group_by" not in layout.values and "group" not in layout.values:
        told = "whose rows must share a fold (a patient, a place, a burst of images)"
        if layout.values.get("format") == "image_folder":
            lines.append(f"# group = '^([^_]+)_'        what a file's name begins with, {told}")
        else:
            lines.append(f'# group_by = ["patient"]   a column {told}')
    lines += ["", "[submission]"]
    if layout.sample and len(layout.sample[1]):
        lines.append(_line("sample", layout.sample[0]))
    for key, value in targets.submission.items():
        lines.append(_line(key, value, targets.why.get(key, "")))
    return "\n".join(lines) + "\n"


def _line(key: str, value: object, why: str = "") -> str:
    text = f"{key} = {_toml(value)}"
    return f"{text:<27} # {_short(why)}" if why else text


def _short(text: str) -> str:
    """One line, ended between two words where it is long."""
    return textwrap.shorten(plain(text), _LONGEST, placeholder=" ...")


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_key(key)} = {_toml(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        if "\\" in value and "'" not in value:
            return f"'{value}'"
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def write_competition(folder: Path, files: dict[str, str]) -> list[Path]:
    """Write files below a competition's folder; nothing that stands is touched.

    Raises
    ------
    UserError
        If competition.toml stands there.
    """
    if (folder / "competition.toml").exists():
        raise UserError(
            f"{folder / 'competition.toml'}: stands already, and is not written over. Move it away, or name another: --slug NAME"
        )
    written = []
    for name, text in files.items():
        path = folder / name
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        written.append(path)
    return written
