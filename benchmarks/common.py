"""What the benchmarks share: contenders in turns, ratios within a round, the machine, tables."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from harness.base.errors import UserError
from harness.cv.jobs.prepare import usable_cores

VERSIONED = ("torch", "torchvision", "timm", "fastai", "lightning", "pytorch-lightning")

Contender = Callable[[], int]
"""Does a fixed piece of work; returns how many images took part in it."""


def take_turns(contenders: dict[str, Contender], rounds: int, warm_up: bool = True) -> dict[str, list[float]]:
    """Images per second of each contender in each round (A B C, A B C, ...), after one unmeasured turn of each.

    In turns, so that a machine that slows down slows them all.
    """
    if warm_up:
        for work in contenders.values():
            work()
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(1, rounds + 1):
        for name, work in contenders.items():
            started = time.perf_counter()
            images = work()
            speeds[name].append(images / (time.perf_counter() - started))
            say(f"round {number}: {name}: {speeds[name][-1]:,.0f} images/s")
    return speeds


def compare(speeds: dict[str, list[float]], baseline: str) -> dict[str, Any]:
    """Median, least and largest speed of each, and of its ratio to the baseline within a round."""
    found = {}
    for name, values in speeds.items():
        ratios = [value / base for value, base in zip(values, speeds[baseline], strict=True)]
        found[name] = {"images_per_second": spread(values), "ratio": spread(ratios)}
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Median, min and max."""
    return {name: round(pick(values), 3) for name, pick in (("median", median), ("min", min), ("max", max))}


def describe_machine(cpu: str, load_before: float | None) -> dict[str, Any]:
    """CPU, cores, versions, and how busy the machine was before."""
    found = {d.name.lower(): d.version for d in importlib.metadata.distributions() if d.name.lower() in VERSIONED}
    versions = {name: found[name] for name in VERSIONED if name in found}
    return {"cpu": cpu, "cores": usable_cores(), "python": platform.python_version(), "load_before": load_before} | {
        "versions": versions
    }


def load_before() -> float | None:
    """How many processes wanted a core in the last minute; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def peak_mib() -> int:
    """Largest resident set of this process; getrusage would also count what its parent had when it was forked."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise UserError("this system does not tell a process's peak memory (/proc/self/status)")


def in_a_process(code: str, **environment: str) -> Any:
    """What Python code prints last, as JSON, from a fresh process, whose peak memory is its own.

    Raises
    ------
    UserError
        If it fails; what it said stands above.
    """
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=os.environ | environment)
    if done.returncode:
        raise UserError(f"a contender ended with exit code {done.returncode}; its error stands above: {code}")
    return json.loads(done.stdout.splitlines()[-1])


def print_peaks(peaks: dict[str, int]) -> None:
    """Peak memory of each way, in MiB."""
    for way, peak in peaks.items():
        print(f"peak memory, {way}: {peak:,} MiB")


def print_machine(machine: dict[str, Any]) -> None:
    """The machine in two lines, with a warning where others worked on it."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    print(f"machine: {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {versions}")
    if machine["load_before"] is not None and machine["load_before"] > 0.3:
        print(f"warning: load average {machine['load_before']:.1f} before the start: other jobs took part in this.")


def print_comparison(title: str, compared: dict[str, Any]) -> None:
    """A table: contender, images per second, ratio; medians with their range."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for header in ("contender", "images/s", "min..max", "ratio", "min..max"):
        table.add_column(header, justify="left" if header == "contender" else "right")
    for name, line in compared.items():
        speed, ratio = line["images_per_second"], line["ratio"]
        table.add_row(
            name,
            f"{speed['median']:,.0f}",
            f"{speed['min']:,.0f}..{speed['max']:,.0f}",
            f"{ratio['median']:.2f}x",
            f"{ratio['min']:.2f}..{ratio['max']:.2f}",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def say(text: str) -> None:
    """To stderr, at once."""
    print(text, file=sys.stderr, flush=True)
