"""A version of a notebook: what a code competition takes instead of a file."""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.errors import UserError
from harness.competition import Competition
from harness.data.cache import Dataset
from harness.ledger import Notebook
from harness.oof.forecast.track_record import Past
from harness.runs import Run
from harness.submit.prepare.prepared import Prepared, intent_of


def prepare_notebook(
    competition: Competition,
    dataset: Dataset,
    runs: Sequence[Run],
    named: str,
    output: str,
    message: str | None,
    past: Sequence[Past],
) -> Prepared:
    """What the ledger gets of OWNER/NAME@VERSION; with a run, the score and the forecast of what the notebook predicts with.

    output : name of the file that the notebook writes

    Raises
    ------
    UserError
        If the platform takes none, the name is none, or more than one run is given.
    """
    if competition.platform != "kaggle":
        raise UserError(f"--notebook: is for Kaggle; '{competition.slug}' is on {competition.platform}")
    notebook = Notebook.parse(f"notebook:{named}/{output}")
    if notebook is None:
        raise UserError(f"--notebook {named}: give OWNER/NAME@VERSION, and --output the name of the file it writes")
    if len(runs) > 1:
        raise UserError(f"--notebook: give the one run that it predicts with, not {len(runs)}")
    main, forecast = None, None
    if runs:
        from harness.oof.forecast.runs import forecast_runs

        main = runs[0].scores["metrics"][runs[0].scores["metric"]]
        forecast = forecast_runs(competition, runs, dataset, past).found
    members = tuple(run.name for run in runs)
    intent = intent_of(
        competition, notebook, 0, members[0] if runs else named, members, message or named, main, forecast
    )
    oof = {k: main[k] for k in ("pooled", "low", "high")} if main else None
    warnings = [] if runs else ["which run it predicts with is not known (--run), so the ledger has no CV of it"]
    return Prepared(intent, dataset.source, oof, forecast, None, {}, warnings)
