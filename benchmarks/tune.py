"""python -m benchmarks.tune: what a study of 20 trials costs and gains on 10,000 digits, beginning with recipe 'quick'.

The cost is counted in fold-epochs (an epoch of one fold), against 20 full runs; the gain is that of the nested estimate: the best
recipe against the one as it was, on folds that the study did not see, paired on the same rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import zipfile
from pathlib import Path

from benchmarks.common import describe_machine, load_before, print_machine
from harness.base.command import data_root
from harness.competition import load_recipe
from harness.train.precision import cpu_name

ROWS, TRIALS = 10_000, 20


def subset(source: Path, work: Path) -> Path:
    """A data root with the first rows of digit-recognizer's train.csv, and a tenth of its test."""
    folder = work / "data" / "digit-recognizer"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(source / "digit-recognizer" / "digit-recognizer.zip") as archive:
        for name, rows in (("train.csv", ROWS), ("test.csv", 2_800), ("sample_submission.csv", 2_800)):
            lines = archive.read(name).decode().splitlines()[: rows + 1]
            (folder / name).write_text("\n".join(lines) + "\n")
    return work / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_root(None), help="data root with digit-recognizer.zip")
    parser.add_argument(
        "--work", type=Path, default=Path("benchmarks/.tune"), help="folder for the study; it goes on there"
    )
    parser.add_argument("--trials", type=int, default=TRIALS)
    args = parser.parse_args()
    print_machine(describe_machine(cpu_name(), load_before()))
    root = args.work / "data" if (args.work / "data").is_dir() else subset(args.data, args.work)
    command = ["harness.tune", "digit-recognizer", "--recipe", "quick", "--trials", str(args.trials), "--json"]
    command += ["--data", str(root), "--out", str(args.work), "--save", "quick-tuned-benchmark"]
    done = subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.PIPE, text=True)
    told = json.loads(done.stdout)
    Path(told["recipe"]).unlink()  # of the benchmark, not of the competition
    recipe = load_recipe(Path("competitions/digit-recognizer"), "quick")
    full = args.trials * recipe.cv.folds * recipe.train.epochs
    nested = told["nested"]
    print(f"trials:    {told['trials']}")
    print(
        f"cost:      {told['fold_epochs']} fold-epochs, {100 * told['fold_epochs'] / full:.0f} % of {full} of full runs"
    )
    print(f"best:      {told['best']}")
    print(f"optimism:  {nested['optimism']:+.5f} (study {nested['study']:.5f}, other folds {nested['mean']:.5f})")
    print(
        f"gain:      {nested['gain']:+.5f} [{nested['gain_low']:+.5f}, {nested['gain_high']:+.5f}], paired, other folds"
    )


if __name__ == "__main__":
    main()
