"""How cost grows with the number of classes: time and peak memory of cv, errors, compare and submit, and the fitted exponent.

python -m benchmarks.classes                               # 10 to 5,000 classes, 20 rows each
python -m benchmarks.classes --classes 20000 --rows 200000 # one size
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

COMMANDS = {
    "cv": ("harness.cv", "many", "--recipe", "tiny", "--workers", "1"),
    "errors": ("harness.oof", "errors", "many"),
    "compare": ("harness.oof", "compare", "many"),
    "submit": ("harness.submit", "--comp", "many", "--dry-run"),
}

RECIPE = """\
[model]
name = "mlp"
[model.args]
hidden = [16]
[train]
epochs = 1
batch_size = 256
lr = 0.01
precision = "fp32"
channels_last = false
[cv]
folds = 2
"""


@dataclass(frozen=True)
class Cost:
    """Seconds and peak GiB of a command on so many classes and rows."""

    command: str
    classes: int
    rows: int
    seconds: float
    gib: float
    code: int


def make_project(root: Path, n_classes: int, rows: int) -> None:
    """Write competitions/many and its data: images of 8 x 8 noise, as many rows of each class, a tenth of them as test."""
    folder, rng = root / "competitions" / "many", np.random.default_rng(0)
    (folder / "recipes").mkdir(parents=True)
    names = json.dumps([f"class {i:05d}" for i in range(n_classes)])
    data = '[data]\nformat = "npz"\nsize = [8, 8]\nchannels = 1\ntrain = "train.npz"\nlabel = "labels"\ntest = "test.npz"\n'
    head = f'title = "Many classes"\nmetric = "accuracy"\nalso = ["macro_f1", "log_loss"]\nclasses = {names}\n'
    (folder / "competition.toml").write_text(f'{head}{data}[submission]\nvalue = "class"\n')
    (folder / "recipes" / "tiny.toml").write_text(RECIPE)
    files = root / "data" / "many"
    files.mkdir(parents=True)

    def noise(n: int) -> np.ndarray:
        return rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8)

    np.savez(files / "train.npz", images=noise(rows), labels=np.arange(rows) % n_classes)
    np.savez(files / "test.npz", images=noise(rows // 10))


def measure(root: Path, name: str, n_classes: int, rows: int) -> Cost:
    """Run a command in a project; peak memory is of the largest process, mapped pages among it."""
    repository = str(Path(__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": repository, "HARNESS_CACHE": str(root / "cache")}
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", *COMMANDS[name]],
        cwd=root,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, _anonymous(process.pid))
        time.sleep(0.05)
    seconds = time.monotonic() - started
    if process.returncode:
        print(process.stderr.read().decode()[-500:], file=sys.stderr)
    return Cost(name, n_classes, rows, seconds, peak / 2**20, process.returncode)


def _anonymous(pid: int) -> int:
    """KiB of a process that are its own: resident pages less those of mapped files, which the system takes back when it needs them."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    fields = {line.partition(":")[0]: line.split()[1] for line in lines if line.startswith(("RssAnon", "RssShmem"))}
    return sum(map(int, fields.values()))


def exponent(costs: list[Cost], of: str) -> float:
    """Slope of log cost over log classes, by least squares, of the larger half of the sizes: small ones are all start-up."""
    costs = sorted(costs, key=lambda c: c.classes)[len(costs) // 2 :]
    x, y = np.log([c.classes for c in costs]), np.log([max(getattr(c, of), 1e-3) for c in costs])
    return float(np.polyfit(x, y, 1)[0]) if len(costs) > 1 else float("nan")


def main(
    classes: Annotated[str, typer.Option(help="Numbers of classes, with commas.")] = "10,100,300,1200,2500,5000",
    rows: Annotated[int, typer.Option(help="Training rows; 0: 20 for each class, 2,000 at least.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Measure every command at every size."""
    found: list[Cost] = []
    for number in map(int, classes.split(",")):
        n = rows or max(20 * number, 2000)
        with tempfile.TemporaryDirectory(prefix="classes-") as folder:
            make_project(Path(folder), number, n)
            for name in COMMANDS:
                cost = measure(Path(folder), name, number, n)
                found.append(cost)
                said = "" if cost.code == 0 else f"  FAILED ({cost.code})"
                print(
                    f"{number:>6} classes {n:>8,} rows  {name:<8}{cost.seconds:>9.1f} s{cost.gib:>8.2f} GiB{said}",
                    flush=True,
                )
    for name in COMMANDS:
        of = [c for c in found if c.command == name]
        if len(of) > 2:
            print(
                f"{name:<8} grows with classes^{exponent(of, 'seconds'):.2f} in time, ^{exponent(of, 'gib'):.2f} in memory"
            )
    if json_file:
        json_file.write_text(json.dumps([vars(c) for c in found], indent=1))
    raise SystemExit(any(c.code for c in found))


if __name__ == "__main__":
    typer.run(main)
