"""Verdicts on training rows while they are found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.base.untrusted_text import plain
from harness.clean.verdicts import Verdict
from harness.competition import Samples


class Rows:
    """Verdicts as they are found; the first on a row stands. Rows are named by their ids, as in the competition's own files."""

    def __init__(self, samples: Samples, classes: Sequence[str]) -> None:
        assert samples.labels is not None  # training rows always have labels
        self.samples, self.labels, self.classes = samples, samples.labels, classes
        self.judged = np.zeros(len(samples), dtype=bool)
        self._verdicts: dict[int, Verdict] = {}
        self._kept: list[tuple[int, str, str, str]] = []

    def say(self, row: int, verdict: str, action: str, group: str, evidence: str) -> None:
        """A verdict on a row, unless it has one."""
        if not self.judged[row]:
            self.judged[row] = True
            self._verdicts[int(row)] = Verdict(str(self.samples.ids[row]), verdict, action, group, evidence)

    def keep(self, row: int, verdict: str, evidence: str) -> None:
        """A row that is kept, for the list only: whatever else is said of it comes first."""
        self._kept.append((row, verdict, "", evidence))

    def name(self, row: int) -> str:
        """A row's id, as it may be shown."""
        return plain(str(self.samples.ids[row]), 80)

    def family(self, members: np.ndarray) -> str:
        """A family's name is its first row's whole id, since rows of one name share a group; a row alone has none."""
        return f"family-{self.samples.ids[members[0]]}" if len(members) > 1 else ""

    def in_order(self) -> list[Verdict]:
        """All verdicts, in the rows' order."""
        for row, verdict, group, evidence in self._kept:
            self.say(row, verdict, "keep", group, evidence)
        self._kept = []
        return [self._verdicts[row] for row in sorted(self._verdicts)]
