"""Submissions from Python: made and checked, and sent only where that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.analysis import Runs
from harness.api.calls import api_call, names_of, place
from harness.api.contest import AnyCompetition, Contest, competition
from harness.api.run import Score
from harness.api.shown import html_table
from harness.base.errors import UserError

if TYPE_CHECKING:
    from harness.submit.prepare.prepared import Prepared


class Submission:
    """A checked file, and what became of it.

    Attributes
    ----------
    path : the file; sent : entries of the ledger (state, public score, ...), [] where nothing was sent
    """

    def __init__(self, contest: Contest, made: Prepared, lines: list[str], sent: list[dict[str, Any]]) -> None:
        self.contest, self.path, self.sent = contest, Path(made.intent.file), sent
        self._made, self._lines = made, lines

    @property
    def oof(self) -> Score | None:
        """The leaderboard's metric over the OOF rows, with its 95 % interval; None for a ready file."""
        told = self._made.oof
        return Score(self._made.intent.metric, told["pooled"], told["low"], told["high"]) if told else None

    @property
    def warnings(self) -> list[str]:
        """What is odd but no reason to refuse."""
        return list(self._made.warnings)

    @property
    def summary(self) -> dict[str, Any]:
        """What `python -m harness.submit --json` prints."""
        return self._made.summary()

    def __repr__(self) -> str:
        state = self.sent[0]["state"] if self.sent else "not sent"
        return f"<submission {self.path}: {state}>"

    def _repr_html_(self) -> str:
        lines = [*self._lines, *(f"{entry['state']}: {entry.get('detail') or ''}" for entry in self.sent)]
        return html_table(f"{self.contest.spec.title}: submission", [""], [[line] for line in lines])


@api_call
def submit(
    comp: AnyCompetition,
    runs: Runs = None,
    *,
    dry_run: bool = True,
    best: int = 1,
    threshold: float | str | None = None,
    file: str | Path | None = None,
    message: str | None = None,
    sample: bool = False,
    wait: float = 120,
    force: bool = False,
    reserve: int = 0,
    out: str | Path | None = None,
    quiet: bool = False,
) -> Submission:
    """Blend runs into a submission file that is checked and forecast; with dry_run=False it is sent.

    Other than the command it sends nothing unless it is told to: a cell is easily run twice. What is sent stands in the ledger, and
    nothing is sent twice.

    Parameters
    ----------
    runs : to blend; None = the `best` best by OOF
    threshold : two classes: predict the second from this probability on; "oof" = as found on OOF
    file : a ready file in place of runs
    wait : seconds to wait for the score
    force : send although the same was sent before; reserve : submissions of today to leave unspent

    Raises
    ------
    UserError
        If the file would not pass the platform's checks, the same was sent before, or nothing could be sent.
    """
    from harness.base.progress import LineWatcher
    from harness.ledger import open_ledger
    from harness.submit.arguments import BundleOptions, Content, SendOptions
    from harness.submit.flow import send_new
    from harness.submit.platform import find_platform
    from harness.submit.request import prepare, prepared_lines

    contest, where_to = competition(comp, sample=sample), place(out)
    content = Content(
        run=names_of(runs) or None,
        best=best,
        file=None if file is None else Path(file),
        threshold=None if threshold is None else str(threshold),
        message=message,
    )
    content.check("")
    if not dry_run:
        find_platform(contest.spec)  # before anything is made that has nowhere to go
    ledger = open_ledger(where_to)
    spec, made, tried = prepare(contest.spec, content, BundleOptions(), contest.where, where_to, ledger)
    lines = [*prepared_lines(made), *tried]
    if dry_run:
        return Submission(contest, made, lines, [])
    if contest.where.sample:
        raise UserError(
            f"{made.intent.file}: made from the embedded sample, which no platform wants. Leave sample=True out"
        )
    how = SendOptions(wait=wait, force=force, reserve=reserve)
    shown = send_new(ledger, where_to, spec, made, how, LineWatcher(quiet).say)
    return Submission(contest, made, lines, shown.summaries)
