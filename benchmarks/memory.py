"""python -m benchmarks.memory COMPETITION [...]: peak memory of a whole cross-validation, all its processes together.

The figure is the sum of the proportional set sizes (PSS) of the command and its workers, sampled five times a second: a
page that three processes share counts a third in each, so shared libraries and the shared images are counted once.
Arguments are those of harness.cv; the run goes to a temporary folder.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20


@dataclass
class Peak:
    """Largest values seen, in bytes."""

    total: int = 0
    anonymous: int = 0
    processes: int = 0


def main() -> int:
    """Run harness.cv with the given arguments and print its peak memory; exits as it does."""
    if not Path("/proc/self/smaps_rollup").exists():
        print("error: PSS is read from /proc/PID/smaps_rollup, which only Linux has.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as out:
        process = subprocess.Popen([sys.executable, "-m", "harness.cv", *sys.argv[1:], "--out", out])
        started, peak = time.monotonic(), Peak()
        while process.poll() is None:
            _sample(process.pid, peak)
            time.sleep(0.2)
    print(
        f"peak memory: {peak.total / MIB:,.0f} MiB in {peak.processes} processes (sum of PSS), of which "
        f"{peak.anonymous / MIB:,.0f} MiB their own (anonymous); {time.monotonic() - started:.0f} s"
    )
    return process.returncode


def _sample(root: int, peak: Peak) -> None:
    readings = [r for r in map(_pss, _tree(root)) if r]
    total = sum(r[0] for r in readings)
    if total > peak.total:
        peak.total, peak.anonymous, peak.processes = total, sum(r[1] for r in readings), len(readings)


def _tree(root: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended while we looked
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = [], [root]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def _pss(pid: int) -> tuple[int, int] | None:
    """(PSS, its anonymous part) in bytes, or None if the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines[1:]}
    return sizes.get("Pss", 0), sizes.get("Pss_Anon", 0)


if __name__ == "__main__":
    sys.exit(main())
