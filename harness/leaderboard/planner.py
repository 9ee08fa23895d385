"""What to send with the submissions that are left, and which two to choose in the end: each with its reason.

What a run may score is drawn about its CV, moved by the offset of past submissions (public - CV) and as uncertain as they
were. What a submission is worth is the expected gain over the best score so far (Mockus 1978); a near-copy of one that was
sent is worth nothing new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

COPY = 0.002
"""Runs whose test predictions differ in fewer rows than this share are copies of each other."""

_UNKNOWN_SPREAD = 0.02  # of public - CV, before two submissions have shown it


@dataclass(frozen=True)
class Candidate:
    """A run that could be sent, or was.

    Attributes
    ----------
    name : of the run; cv : OOF score, error : its standard error
    said : int (t,), predicted class of each test row
    right : bool (n,), rows of OOF that it has right
    public : its score, where it was sent and is comparable with CV
    sent : it was, whether its score is comparable or not
    """

    name: str
    cv: float
    error: float
    said: np.ndarray
    right: np.ndarray
    public: float | None = None
    sent: bool = False

    @property
    def untried(self) -> bool:
        """Whether sending it would tell something new."""
        return self.public is None and not self.sent


@dataclass(frozen=True)
class Advice:
    """A run to send or to choose, what it is worth (in the metric), and why, in a sentence."""

    name: str
    worth: float
    why: str


@dataclass(frozen=True)
class Plan:
    """What to send next, best first; what is left out; and the two to choose as final."""

    send: list[Advice]
    skip: list[Advice]
    final: list[Advice]


def make_plan(
    candidates: Sequence[Candidate],
    greater_is_better: bool,
    left: int | None = None,
    scored: Sequence[tuple[float | None, float]] = (),
) -> Plan:
    """Plan for one competition.

    scored : (CV or None, public) of everything that was sent and scored, blends and ready files too; default: the candidates'
    left : submissions left today; None = not known: all that are worth it are listed
    """
    sent = [c for c in candidates if not c.untried]
    scored = scored or [(c.cv, c.public) for c in sent if c.public is not None]
    send, skip = _to_send(candidates, sent, scored, greater_is_better)
    return Plan(send if left is None else send[:left], skip, _finals(sent or list(candidates), greater_is_better))


def _to_send(
    candidates: Sequence[Candidate],
    sent: Sequence[Candidate],
    scored: Sequence[tuple[float | None, float]],
    greater: bool,
) -> tuple[list[Advice], list[Advice]]:
    sign = 1 if greater else -1
    offset, spread = _offset([public - cv for cv, public in scored if cv is not None])
    best = max((sign * public for _, public in scored), default=-np.inf)
    send: list[Advice] = []
    skip: list[Advice] = []
    taken = list(sent)
    untried = [c for c in candidates if c.untried]
    worth = {c.name: _expected_gain(sign * (c.cv + offset), float(np.hypot(c.error, spread)), best) for c in untried}
    for c in sorted(untried, key=lambda c: (-worth[c.name], -sign * c.cv)):
        near = [(float((c.said != other.said).mean()), other.name) for other in taken]
        closest = min(near, default=(1.0, ""))
        if closest[0] < COPY:
            skip.append(
                Advice(c.name, 0.0, f"says the same as {closest[1]} but for {100 * closest[0]:.2f} % of the rows")
            )
            continue
        taken.append(c)
        if not scored:
            so_far = "no score yet that CV can be held against" if sent else "nothing was sent yet"
            why = f"CV {c.cv:.5f}; {so_far}, so it shows how far CV can be trusted"
            send.append(Advice(c.name, worth[c.name], why))
        else:
            send.append(
                Advice(
                    c.name,
                    worth[c.name],
                    f"expected at {c.cv + offset:.5f} (CV {c.cv:.5f}, past offset {offset:+.5f}) give or take "
                    f"{np.hypot(c.error, spread):.5f}, against {sign * best:.5f} so far",
                )
            )
    return send, skip


def _offset(found: Sequence[float]) -> tuple[float, float]:
    """Offset and spread of public - CV."""
    if not found:
        return 0.0, _UNKNOWN_SPREAD
    gaps = np.array(found)
    spread = float(gaps.std(ddof=1)) if len(gaps) > 1 else _UNKNOWN_SPREAD
    return float(gaps.mean()), max(spread, 1e-4)


def _expected_gain(middle: float, spread: float, best: float) -> float:
    """E[max(score - best, 0)] for a normal score; the score itself where nothing was sent."""
    from scipy.stats import norm

    if not np.isfinite(best):
        return middle
    z = (middle - best) / spread
    return float((middle - best) * norm.cdf(z) + spread * norm.pdf(z))


def _finals(candidates: Sequence[Candidate], greater: bool) -> list[Advice]:
    """The strongest, and the one that helps most where the strongest fails: strong and wrong on other rows."""
    sign = 1 if greater else -1
    if not candidates:
        return []
    strength = {c.name: sign * (c.cv if c.public is None else (c.cv + c.public) / 2) for c in candidates}
    first = max(candidates, key=lambda c: strength[c.name])
    of = "CV" if first.public is None else "CV and public score together"
    advice = [Advice(first.name, sign * strength[first.name], f"the strongest by {of}")]
    others = [c for c in candidates if c is not first]
    if not others:
        return advice
    rescued = {c.name: float((c.right & ~first.right).mean()) for c in others}
    lag = {c.name: strength[first.name] - strength[c.name] for c in others}
    second = max(others, key=lambda c: rescued[c.name] - lag[c.name])
    why = (
        f"right on {100 * rescued[second.name]:.2f} % of the OOF rows that {first.name} has wrong, and "
        f"{lag[second.name]:.5f} behind it"
    )
    return [*advice, Advice(second.name, sign * strength[second.name], why)]
