"""How long until the score is there? The time in which a play scores what fastai's own recipe ends with, on a held-out fifth.

python -m benchmarks.time_to_score pneumonia bloodcells --data DIR [--epochs 5] [--picture-to DIR]

fastai fine-tunes EfficientNet-Lite0 as in `benchmarks.play_fastai`, for --epochs epochs after the frozen one; a plain loop of timm and
PyTorch trains the same network for as many. Then `harness.play` is given a ninth, a third and all of fastai's time, until it scores as much:
the time told is that of the first budget that did, or "not reached". Wall time and core seconds: the peers' clocks start after
imports and decoding, that of the play with its process. One seed; the interval beside the score says what the fifth's rows can tell.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.common import say
from benchmarks.forecast import hold_out
from benchmarks.play_fastai import PLAYS, NoModel, played, taught
from harness.base.command import DataOption, data_root, new_app, user_command
from harness.base.errors import UserError
from harness.base.storage.atomic_files import write_json
from harness.base.terminal import print_table
from harness.competition.metrics import Metric, group_weights
from harness.cv.scores import competition_metrics

_SHARES = (1 / 9, 1 / 3, 1.0)  # of fastai's time
_LEAST = 15.0  # seconds: below them a play only reads the data
app = new_app()

Line = dict[str, Any]


@app.command()
@user_command
def main(
    names: Annotated[list[str], typer.Argument(help="Competitions.", metavar="COMP")],
    data: DataOption = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of the peers, all layers.")] = 5,
    picture_to: Annotated[Path | None, typer.Option(help="Write a picture of each set there.", metavar="DIR")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report there.", metavar="FILE")] = None,
) -> None:
    """Train the peers, then play ever longer until their score is reached."""
    if unknown := [name for name in names if name not in PLAYS]:
        raise UserError(f"{unknown[0]}: competitions: {', '.join(PLAYS)}")
    lines = []
    with tempfile.TemporaryDirectory(prefix="time-to-score-") as home:
        for name in names:
            lines += _of_set(name, data_root(data).resolve(), Path(home) / name, epochs)
            if picture_to:
                _draw(picture_to / f"{name}.svg", [line for line in lines if line["name"] == name])
    if json_file is not None:
        write_json(json_file, lines)
    header = ("competition", "what", "score [95 %]", "seconds", "core seconds", "of fastai's time")
    print_table(header, [_cells(line) for line in lines], left=2)


def _of_set(name: str, root: Path, home: Path, epochs: int) -> list[Line]:
    """fastai, the plain loop, and plays until fastai's score is reached."""
    competition, _, labels = hold_out(PLAYS[name], root, home)
    metric = competition_metrics(competition)[0]
    lines: list[Line] = []

    def take(what: str, proba: np.ndarray, seconds: float, cores: float) -> Line:
        line = {"name": name, "what": what, "seconds": seconds, "core_seconds": cores, **_scored(metric, labels, proba)}
        line["of_fastai"] = seconds / (lines[0]["seconds"] if lines else seconds)
        lines.append(line)
        say(f"{name}: {what}: {line['score']:.4f} in {seconds:.0f} s")
        return line

    for what, worker in (("fastai", "benchmarks.play_fastai_worker"), ("plain loop", "benchmarks.plain_worker")):
        proba, told = taught(competition, home, worker, epochs=epochs)
        take(what, proba, told["seconds"], told["core_seconds"])
    sign = 1 if metric.greater_is_better else -1
    for share in _SHARES:
        budget = max(share * lines[0]["seconds"], _LEAST)
        out = home / f"play-{budget:.0f}"
        try:
            proba, wall, cores = played(competition.folder, budget / 3600, home, out)
        except NoModel as error:
            say(f"{name}: {error}")
            continue
        line = take(f"harness.play, {budget:.0f} s", proba, wall, cores)
        line["reached"] = sign * (line["score"] - lines[0]["score"]) >= 0
        if line["reached"]:
            break
    return lines


def _scored(metric: Metric, labels: np.ndarray, proba: np.ndarray) -> dict[str, float]:
    """The score with its 95 % interval over the test's rows."""
    scorer = metric.prepare(labels, proba)
    drawn = [scorer(weights) for weights in group_weights(np.arange(len(labels)), 1_000)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return {"score": float(scorer(None)), "low": float(low), "high": float(high)}


def _draw(path: Path, lines: list[Line]) -> None:
    """Score over seconds, a point each."""
    from harness.report.figures.curves import lines as drawn

    plays = sorted((line["seconds"], line["score"]) for line in lines if line["what"].startswith("harness"))
    curves = {"harness.play": ([p[0] for p in plays], [p[1] for p in plays])}
    for line in lines[:2]:
        curves[line["what"]] = ([line["seconds"]], [line["score"]])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(drawn(curves, "seconds", "score on the held-out fifth"))
    say(f"written: {path}")


def _cells(line: Line) -> list[str]:
    missed = "" if line.get("reached", True) else ", not reached"
    return [
        line["name"],
        line["what"],
        f"{line['score']:.4f} [{line['low']:.4f}, {line['high']:.4f}]",
        f"{line['seconds']:.0f}",
        f"{line['core_seconds']:.0f}",
        f"{line['of_fastai']:.2f}{missed}",
    ]


if __name__ == "__main__":
    app()
