"""What past submissions teach: how far the leaderboard was from cross-validation before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.ledger import Entry

ENOUGH = 3
"""So many submissions of the competition must have a score before history has a say."""

_OTHERS = 0.1  # what a submission of another competition counts for


@dataclass(frozen=True)
class Past:
    """A submission that has been scored.

    Attributes
    ----------
    competition : slug; metric : that cv is by, the leaderboard's as competition.toml had it then
    cv : its OOF score; public : the leaderboard's
    forecast, low, high : the forecast that was made of it, or None
    run : its name
    """

    competition: str
    cv: float
    public: float
    forecast: float | None = None
    low: float | None = None
    high: float | None = None
    run: str = ""
    metric: str = ""


@dataclass(frozen=True)
class History:
    """Offset public - cv, its spread, and how many submissions (others count a tenth) say so."""

    offset: float
    spread: float
    count: float
    own: int

    @classmethod
    def of(cls, past: Sequence[Past], slug: str, metric: str) -> History | None:
        """None where fewer than three submissions of this competition have a score.

        Entries count whose CV is by the same metric: competition.toml may have named another one when some were sent. Of other
        competitions "custom" says nothing, since each has its own.
        """
        own_only = metric.startswith("custom")
        past = [p for p in past if p.metric == metric and (p.competition == slug or not own_only)]
        own = sum(p.competition == slug for p in past)
        if own < ENOUGH:
            return None
        offsets = np.array([p.public - p.cv for p in past])
        weights = np.array([1.0 if p.competition == slug else _OTHERS for p in past])
        offset = float(np.average(offsets, weights=weights))
        variance = float(np.average((offsets - offset) ** 2, weights=weights))
        count = float(weights.sum())
        return cls(offset, float(np.sqrt(variance * count / (count - 1))), count, own)

    def pull(self, draws: np.ndarray, cv: float, rng: Any) -> np.ndarray:
        """Draws of the score, pulled towards cv + offset by how sure either is (Student's t for so few)."""
        sure = max(self.spread, 1e-4) * np.sqrt(1 + 1 / self.count)
        mine = cv + self.offset + sure * rng.standard_t(max(self.count - 1, 1), len(draws))
        spread = float(np.subtract(*np.quantile(draws, [0.84, 0.16]))) / 2
        weight = spread**2 / (spread**2 + sure**2) if spread else 0.0
        return (1 - weight) * draws + weight * mine

    def summary(self) -> dict[str, float]:
        """For tables and --json."""
        return {"offset": self.offset, "spread": self.spread, "count": self.count, "own": self.own}


def past_of(entries: Iterable[Entry]) -> list[Past]:
    """The ledger's scored submissions that were cross-validated here."""
    found = []
    for entry in entries:
        if entry.public is None or entry.intent.cv is None:
            continue
        public = (entry.intent.forecast or {}).get("public") or {}
        found.append(
            Past(
                competition=entry.intent.competition,
                cv=entry.intent.cv,
                public=entry.public,
                forecast=public.get("score"),
                low=public.get("low"),
                high=public.get("high"),
                run=entry.intent.run,
                metric=entry.intent.metric,
            )
        )
    return found
