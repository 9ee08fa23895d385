"""The command."""

from __future__ import annotations

import ctypes
import importlib
import json
import math
import os
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.common import describe_machine, load_before, print_machine, say
from benchmarks.fuzz.campaign import Campaign, Tally, put_file
from benchmarks.fuzz.parts import (
    PLACE,
    Reader,
)
from benchmarks.fuzz.readers import readers_of_data
from benchmarks.fuzz.stored import readers_of_stored_files
from harness.base.command import new_app, user_command
from harness.base.errors import UserError, nearest

WARM = (
    *("numpy", "pandas", "pyarrow.csv", "pyarrow.parquet", "PIL.Image", "py7zr", "openpyxl", "sqlalchemy", "optuna", "torch", "timm"),
    *("safetensors.torch", "tomllib", "lzma", "bz2", "harness.data.dataset", "harness.data.formats.captioned", "harness.data.formats.npz"),
    *("harness.data.formats.csv_pixels", "harness.runs", "harness.clean.verdicts", "harness.clean.copies.duplicates", "harness.ledger"),
    *("harness.tune.study", "harness.models.weights", "harness.submit.preflight", "harness.cv.jobs.fold_job"),
)  # fmt: skip
"""Imported before the first fork, so that no process pays for it."""

app = new_app()


@app.command()
@user_command
def main(
    seconds: Annotated[float, typer.Option(min=1, help="In all, shared evenly by the readers.")] = 600,
    inputs: Annotated[int, typer.Option(min=0, help="Inputs of each reader instead; 0 = by time.")] = 0,
    only: Annotated[str, typer.Option(help="Readers, separated by commas.", metavar="NAME,...")] = "",
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 0,
    keep: Annotated[Path | None, typer.Option(help="Folder for an input of each finding, made small.")] = None,
    replay: Annotated[Path | None, typer.Option(help="Read one kept file again and show what happens.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report there.", metavar="FILE")] = None,
) -> None:
    """Fuzz the readers; exit code 1 where there are findings."""
    if not Path("/proc/self/statm").exists():
        raise UserError("a process's memory is read from /proc, which only Linux has")
    before, readers = load_before(), _chosen(only)
    _warm_up()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        root = Path(folder).resolve()
        for name in ("cwd", "cache", "tmp", PLACE):
            (root / name).mkdir()
        if replay is not None:
            _replay(replay, root)
            return
        tallies = {}
        for reader in readers:
            campaign = Campaign(reader, reader.seeds(), seed, root)
            tallies[reader.name] = tally = campaign.run(inputs or 2**62, math.inf if inputs else seconds / len(readers))
            say(f"{reader.name}: {tally.inputs:,} inputs, {len(tally.findings)} findings")
            if keep is not None:
                campaign.keep(keep)
    report = _report(tallies, seed, before)
    if json_file is not None:
        json_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(report)
    if any(tally.findings for tally in tallies.values()):
        raise typer.Exit(1)


def _chosen(only: str) -> list[Reader]:
    known = {reader.name: reader for reader in (*readers_of_data(), *readers_of_stored_files())}
    wanted = [name.strip() for name in only.split(",") if name.strip()] or list(known)
    for name in wanted:
        if name not in known:
            raise UserError(f"--only {name}: no such reader{nearest(name, known)}; known: {', '.join(known)}")
    return [known[name] for name in wanted]


def _warm_up() -> None:
    """Import what readers import, on one thread: threads do not survive a fork."""
    warnings.simplefilter("ignore")
    sys.dont_write_bytecode = True
    os.environ.pop("HARNESS_LEDGER", None)
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # its own takes a gigabyte at once
    ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX: an arena of each thread would count as 64 MiB of memory
    for name in WARM:
        importlib.import_module(name)
    import pyarrow as pa
    import torch

    pa.set_cpu_count(1)
    torch.set_num_threads(1)


def _report(tallies: dict[str, Tally], seed: int, before: float | None) -> dict[str, Any]:
    from harness.train.precision import cpu_name

    lines = {
        name: {
            "inputs": tally.inputs,
            "per_second": round(tally.inputs / tally.seconds, 1) if tally.seconds else 0.0,
            "refused": tally.refused,
            "accepted": tally.accepted,
            "findings": [asdict(found) for found in tally.findings.values()],
        }
        for name, tally in tallies.items()
    }
    return {"machine": describe_machine(cpu_name(), before), "seed": seed, "readers": lines}


def _print(report: dict[str, Any]) -> None:
    """The table by reader, then each finding in three lines."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Damaged files, seed {report['seed']}", title_justify="left")
    for header in ("reader", "inputs", "per second", "refused", "accepted", "findings"):
        table.add_column(header, justify="left" if header == "reader" else "right")
    for name, line in report["readers"].items():
        numbers = [f"{line[key]:,}" for key in ("inputs", "per_second", "refused", "accepted")]
        table.add_row(name, *numbers, str(len(line["findings"])))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    for name, line in report["readers"].items():
        for found in line["findings"]:
            print(f"{name}: {found['kind']} at {found['place']}, {found['count']:,} times")
            print(f"    {found['said']}")
            print(f"    input {found['number']} ({found['name']}: {found['how']})")
    print_machine(report["machine"])


def _replay(path: Path, root: Path) -> None:
    """Read a kept file by the reader that its name begins with, with the exception as it comes."""
    reader_name, _, rest = path.name.partition(".")
    name = rest.partition(".")[2].replace("+", "/")
    reader, content = _chosen(reader_name)[0], path.read_bytes()
    for other, stands in reader.beside().items():
        put_file(root / PLACE / other, stands)
    put_file(root / PLACE / name, content)
    os.environ["HARNESS_CACHE"] = str(root / "cache")
    print("read:", reader.read(root / PLACE / name))


if __name__ == "__main__":
    app()
