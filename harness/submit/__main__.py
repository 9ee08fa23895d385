"""python -m harness.submit --comp SLUG: blend runs, write the submission file, check it, say what would be sent."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.base.command import (
    DataOption,
    DataSetOption,
    JsonOption,
    OutOption,
    SampleOption,
    StreamOption,
    data_root,
    new_app,
    user_command,
)
from harness.base.errors import UserError

app = new_app()


@app.command()
@user_command
def main(
    comp: Annotated[str, typer.Option(help="Folder or slug of the competition, e.g. digit-recognizer.")],
    run: Annotated[
        list[str] | None, typer.Option(help="Run to send; repeat it to blend several. Default: the best by OOF.")
    ] = None,
    best: Annotated[int, typer.Option(min=1, help="Without --run: blend this many best runs.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but the upload.")] = False,
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Two classes: say the second from this probability on; 'oof' = as found on OOF.", metavar="T"
        ),
    ] = None,
    message: Annotated[str | None, typer.Option(help="Description shown by the platform.")] = None,
    data: DataOption = None,
    data_set: DataSetOption = "",
    sample: SampleOption = False,
    stream: StreamOption = False,
    out: OutOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Blend the chosen runs, write submissions/<slug>/<run>.csv aligned by id, check it, and send it."""
    from harness.competition import DataChoice, find_competition
    from harness.data.dataset import load_dataset
    from harness.ledger import open_ledger
    from harness.oof.ensemble import mean_of_probabilities
    from harness.oof.forecast_report import forecast_lines
    from harness.oof.forecast_runs import forecast_runs
    from harness.oof.history import past_of
    from harness.runs import load_run
    from harness.submit.platform import find_platform
    from harness.submit.preflight import check_submission
    from harness.submit.submission import wanted_ids, write_submission

    competition = find_competition(comp)
    named = [load_run(out / "oof" / competition.slug / _bare(name)) for name in dict.fromkeys(run or [])]
    choice = DataChoice(set=data_set or (named[0].recipe.data.set if named else ""))
    competition = competition.using(choice)
    dataset = load_dataset(competition, data_root(data), sample=sample, stream=stream)
    runs = _chosen_runs(competition, dataset, named, best, out)
    blend = mean_of_probabilities(runs, competition)
    path = out / "submissions" / competition.slug / f"{blend.name}.csv"
    ids = wanted_ids(competition, dataset)
    decision = _threshold(threshold, blend, competition)
    write_submission(competition, blend, ids, path, decision)
    problems = check_submission(path, competition, ids, dataset.submission)
    if problems:
        raise UserError("\n  ".join([f"{path} does not pass its checks; it is not sent:", *problems]))
    made = forecast_runs(competition, runs, dataset, past_of(open_ledger(out).entries()))
    sent = _describe(blend, path, len(ids), message, competition, dataset, decision)
    sent["forecast"] = made.found.summary()
    if not dry_run:
        if dataset.is_sample:
            raise UserError(
                f"{path}: made from the embedded sample, which no platform wants. Add --dry-run, or leave out --sample."
            )
        find_platform(competition).upload(path, sent["message"])
    print(json.dumps(sent, indent=2)) if as_json else _print(sent, forecast_lines(made.found))


def _chosen_runs(competition: Any, dataset: Any, named: list[Any], best: int, out: Path) -> list[Any]:
    """The named runs, or the best by OOF among the finished runs on this data."""
    from harness.clean.verdicts import apply_verdicts, clean_folder
    from harness.oof.ensemble import best_runs
    from harness.oof.forecast_runs import check_same_data
    from harness.runs import load_run

    runs = out / "oof" / competition.slug
    if named:
        for run in named:
            check_same_data(run, dataset)
        return named
    verdicts = clean_folder(out, competition, dataset.is_sample) / "clean.csv"
    cleaned = apply_verdicts(verdicts, dataset.train, competition.classes).digest if verdicts.is_file() else ""
    fitting = best_runs(out, competition, dataset.fingerprint, cleaned)
    if not fitting:
        raise UserError(
            f"no finished run of '{competition.slug}' on this data{f' by the verdicts of {verdicts}' if cleaned else ''} in {runs}. Train one: python -m harness.cv "
            f"{competition.slug}{' --sample' if dataset.is_sample else ''}"
        )
    return [load_run(path) for path in fitting[:best]]


def _threshold(asked: str | None, blend: Any, competition: Any) -> float | None:
    """The decision threshold that was asked for; None where the larger probability decides."""
    if asked is None:
        return None
    if len(competition.classes) != 2:
        raise UserError(f"--threshold {asked}: is for two classes; '{competition.slug}' has {len(competition.classes)}")
    if asked == "oof":
        found = blend.scores["threshold"]
        if found is None:
            raise UserError(f"--threshold oof: metric '{competition.metric}' needs none, or too few folds were trained")
        return found["value"]
    try:
        value = float(asked)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1:
        raise UserError(f"--threshold {asked}: give a probability between 0 and 1, or 'oof'")
    return value


def _bare(name: str) -> str:
    if Path(name).name != name:
        raise UserError(f"--run {name}: give the run's name only ('{Path(name).name}'); --out says where oof/ lies")
    return name


def _describe(
    blend: Any,
    path: Path,
    rows: int,
    message: str | None,
    competition: Any,
    dataset: Any,
    threshold: float | None,
) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    main = blend.scores["metrics"][blend.scores["metric"]]
    said = message or f"{blend.name}: OOF {blend.scores['metric']} {main['pooled']:.5f}"
    return {
        "competition": competition.slug,
        "platform": competition.platform,
        "members": list(blend.members),
        "data": dataset.source,
        "file": str(path),
        "rows": rows,
        "sha256": digest,
        "message": f"{said} [{digest[:12]}]",
        "metric": blend.scores["metric"],
        "oof": {k: main[k] for k in ("pooled", "low", "high")},
        "threshold": threshold,
        "shares": _shares(blend, competition.classes, threshold),
    }


def _shares(blend: Any, classes: tuple[str, ...], threshold: float | None) -> dict[str, dict[str, float]]:
    import numpy as np

    from harness.competition.threshold import moved

    def shares(proba: Any) -> Any:
        proba = proba if threshold is None else moved(proba, threshold)
        return np.bincount(proba.argmax(axis=1), minlength=len(classes)) / len(proba)

    oof, test = shares(blend.oof[blend.kept]), shares(blend.test)
    return {name: {"oof": float(oof[i]), "test": float(test[i])} for i, name in enumerate(classes)}


def _print(sent: dict[str, Any], forecast: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    oof = sent["oof"]
    table = Table("class", "predicted, OOF", "predicted, test", title="Shares of the predictions", title_justify="left")
    for name, share in sent["shares"].items():
        table.add_row(name, f"{100 * share['oof']:.2f} %", f"{100 * share['test']:.2f} %")
    print(f"members:  {', '.join(sent['members'])}")
    print(f"data:     {sent['data']}")
    print(f"OOF:      {sent['metric']} {oof['pooled']:.5f}, 95 % interval {oof['low']:.5f} to {oof['high']:.5f}")
    for line in forecast:
        print(line)
    if sent["threshold"] is not None:
        print(f"threshold: the second class is said from {sent['threshold']:.3f} on")
    Console().print(table)
    print(f"file:     {sent['file']} ({sent['rows']:,} rows, sha256 {sent['sha256'][:12]}); passes its checks")
    print(f"message:  {sent['message']}")
    print(f"dry run: nothing was sent to {sent['platform']}.")


if __name__ == "__main__":
    app()
