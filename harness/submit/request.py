"""What is asked to be sent, by a command or from Python: made, checked and forecast, as far as nothing is sent yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.base.options import DataOptions
from harness.base.places.home import from_here
from harness.base.terminal import table_lines
from harness.base.untrusted_text import counted
from harness.submit.arguments import BundleOptions, Content

if TYPE_CHECKING:
    from harness.competition import Competition
    from harness.ledger import Ledger
    from harness.submit.prepare.prepared import Prepared


def prepare(
    competition: Competition, content: Content, bundle: BundleOptions, where: DataOptions, out: Path, ledger: Ledger
) -> tuple[Competition, Prepared, list[str]]:
    """The competition, what would be sent to it, and how a bundle's trial went.

    Raises
    ------
    UserError
        If there is no such run, the data are not there, or the file would not pass the platform's checks.
    """
    from harness.oof.forecast.track_record import past_of
    from harness.submit.prepare.blend import prepare_blend
    from harness.submit.prepare.bundle import prepare_bundle
    from harness.submit.prepare.clusters import prepare_clusters
    from harness.submit.prepare.code import prepare_code
    from harness.submit.prepare.file import prepare_file
    from harness.submit.prepare.notebook import prepare_notebook

    competition, dataset, runs = _open(competition, content, where, out, bundle.bundle or bundle.code)
    past, message = past_of(ledger.entries()), content.message
    tried: list[str] = []
    if content.file:
        prepared = prepare_file(competition, dataset, content.file, out, message)
    elif bundle.bundle:
        prepared, tried = prepare_bundle(competition, dataset, runs, out, bundle, content.threshold, message, past)
    elif bundle.code:
        prepared, tried = prepare_code(competition, dataset, runs, out, bundle, content.threshold, message, past)
    elif content.notebook:
        prepared = prepare_notebook(competition, dataset, runs, content.notebook, content.output, message, past)
    elif competition.is_clustering:
        prepared = prepare_clusters(competition, dataset, runs, out, message)
    else:
        prepared = prepare_blend(competition, dataset, runs, out, content.threshold, message, past, content.partial)
    return competition, prepared, tried


def _open(
    competition: Competition, content: Content, where: DataOptions, out: Path, as_code: bool
) -> tuple[Competition, Any, Any]:
    """Competition, data and the runs to send: those named, else the best ones."""
    from harness.competition import DataChoice
    from harness.data.dataset import load_dataset
    from harness.runs import load_run
    from harness.submit.prepare.blend import chosen_runs

    named = [load_run(out / "oof" / competition.slug / name) for name in content.run_names()]
    choice = DataChoice(set=where.data_set or (named[0].recipe.data.set if named else ""))
    competition = competition.using(choice)
    dataset = load_dataset(
        competition, where.root, sample=where.sample, skip_broken=where.skip_broken, stream=where.stream
    )
    competition = dataset.competition or competition
    most = content.most_unnamed
    runs = chosen_runs(competition, dataset, named, most, out, as_code) if named or most else []
    return competition, dataset, runs


def prepared_lines(prepared: Prepared) -> list[str]:
    """What is about to be sent."""
    from harness.oof.forecast.report import forecast_lines

    intent, lines = prepared.intent, []
    if intent.members:
        lines.append(f"members:  {', '.join(intent.members)}")
    lines.append(f"data:     {prepared.data}")
    if prepared.oof:
        oof = prepared.oof
        lines.append(
            f"OOF:      {intent.metric} {oof['pooled']:.5f}, 95 % interval {oof['low']:.5f} to {oof['high']:.5f}"
        )
    lines += forecast_lines(prepared.forecast) if prepared.forecast else []
    if prepared.threshold is not None:
        lines.append(
            f"threshold: the second class is predicted from {prepared.threshold:.3f} on (the forecast is without it)"
        )
    if prepared.shares:
        lines += _share_table(prepared.shares)
    lines += [f"warning:  {warning}" for warning in prepared.warnings]
    rows = f"{counted(intent.rows, 'row')}, " if intent.rows else ""
    on_platform = intent.file.startswith("notebook:")
    file, checked = (intent.file, "not seen here") if on_platform else (from_here(intent.file), "passes its checks")
    lines.append(f"file:     {file} ({rows}sha256 {intent.sha256[:12]}); {checked}")
    lines.append(f"message:  {intent.message}")
    return lines


def _share_table(shares: dict[str, dict[str, float]]) -> list[str]:
    rows = [[name, f"{100 * share['oof']:.2f} %", f"{100 * share['test']:.2f} %"] for name, share in shares.items()]
    return table_lines(["class", "predicted, OOF", "predicted, test"], rows, "Shares of the predictions")
