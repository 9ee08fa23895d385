"""python -m benchmarks.cluster: what Ray costs per fold, on two nodes of this machine, against worker processes.

Five folds of digit-recognizer's embedded sample, recipe `simple_cnn` for two epochs: short folds, so that what is around them shows. The first
run on the cluster starts its worker processes and imports torch there; the second one finds them warm.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import describe_machine, load_before, print_machine
from harness.train.precision import cpu_name

FOLDS = 5


def run(out: Path, *options: str) -> tuple[float, float]:
    """Wall seconds of a whole harness.cv, and seconds of its folds together."""
    fixed = [
        "digit-recognizer",
        "--sample",
        "--recipe",
        "simple_cnn",
        "--set",
        "train.epochs=2",
        "--json",
        "--out",
        str(out),
    ]
    fixed += ["--set", "train.precision=fp32", "--set", "train.channels_last=false", "--fresh"]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "harness.cv", *fixed, *options], check=True, stdout=subprocess.PIPE, text=True
    )
    return time.perf_counter() - started, sum(json.loads(done.stdout)["seconds"].values())


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    from ray.cluster_utils import Cluster

    print_machine(describe_machine(cpu_name(), load_before()))
    os.environ.setdefault("PYTHONPATH", str(Path.cwd()))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            lines = {"worker processes": run(out), "Ray, first run": run(out, "--cluster", cluster.address)}
            lines["Ray, second run"] = run(out, "--cluster", cluster.address)
    finally:
        cluster.shutdown()
    base = lines["worker processes"][0]
    for name, (wall, folds) in lines.items():
        print(
            f"{name:18} {wall:6.1f} s in all, folds {folds:5.1f} s; {(wall - base) / FOLDS:+.1f} s a fold against processes"
        )


if __name__ == "__main__":
    main()
