"""Texts beside the data (rules, a README): the metric, where they name one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from harness.base.untrusted_text import listed, plain
from harness.data.files.archives import FileTree
from harness.data.guess.named_metrics import metrics_named, names_metric

_TEXT = re.compile(r"\.(txt|md|rst)$|(^|/)(readme|rules)$", re.I)
_MOST_TEXTS, _MOST_BYTES, _LONGEST_HEADING = 8, 1 << 16, 60
_JUDGES = re.compile(
    r"\bmetrics?\b|\bevaluat|\bleaderboard\b.*\b(by|on|with|using|is)\b|"
    r"\b(scor|judg|rank|measur|grad|assess)\w*\s+(by|on|with|using|according|in terms of)\b",
    re.I,
)
"""What a heading or a sentence says that tells how answers are judged; others speak of baselines and papers."""


@dataclass
class Told:
    """What texts say of the metric.

    Attributes
    ----------
    read : their names; said : by metric, the file and the sentence that names it first
    """

    read: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)

    @property
    def metric(self) -> str | None:
        """The one that all of them name; None where there is none, or several."""
        return next(iter(self.said)) if len(self.said) == 1 else None

    @property
    def unclear(self) -> str:
        """What is to be looked up where several are named; "" otherwise."""
        if len(self.said) < 2:
            return ""
        return f"which of {listed(sorted(self.said), 5)} it is judged by: {next(iter(self.said.values()))}, and others elsewhere"


def told_by_texts(tree: FileTree, names: Sequence[str], task: str, guessed: str) -> Told:
    """Look through the texts among some files, those of the upper two levels.

    guessed : the metric by the sample submission, which has the number that a text leaves out ('MAP@k')
    """
    told = Told()
    for name in sorted((n for n in names if _TEXT.search(n) and n.count("/") < 2), key=lambda n: (n.count("/"), n)):
        if len(told.read) == _MOST_TEXTS:
            break
        with tree.open(name) as file:
            text = file.read(_MOST_BYTES).decode("utf-8-sig", errors="replace")
        told.read.append(name)
        for sentence in _judging(text):
            for metric in metrics_named(sentence, task, guessed):
                told.said.setdefault(metric, f"'{plain(PurePosixPath(name), 80)}' says '{plain(sentence, 160)}'")
    return told


def _judging(text: str) -> Iterator[str]:
    """Sentences that tell how answers are judged: by their words, or by the heading above them."""
    under = False
    for sentence in _sentences(text):
        if _is_heading(sentence):
            under = bool(_JUDGES.search(sentence)) or (under and names_metric(sentence))
        if under or _JUDGES.search(sentence):
            yield sentence.strip(" \t#*_-:")


def _sentences(text: str) -> Iterator[str]:
    """Those of each paragraph; a heading and an item of a list are one of their own, lines that underline or rule are left out."""
    text = re.sub(r"(?m)^[ \t]*([-=~*_])\1+[ \t]*$", "", text.replace("\r\n", "\n"))
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:#|[-*+•]\s|\d+[.)]\s))|(?<=:)\n|(?<=^)(?=#)", text):
        lines = block.strip().splitlines()
        while lines and lines[0].startswith("#"):
            yield lines.pop(0)
        yield from (s for s in re.split(r"(?<=[.!?])\s+", " ".join(line.strip() for line in lines)) if s)


def _is_heading(sentence: str) -> bool:
    short = len(sentence) <= _LONGEST_HEADING and not re.search(r"[;,:]\s*\S|[.;,!?]$", sentence)
    return sentence.startswith("#") or short
