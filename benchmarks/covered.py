"""What `make coverage` found: lines and branches of harness, and its least covered files; exit code 1 below pyproject.toml's fail_under.

coverage itself has one figure for lines and branches together; fail_under is meant for lines.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import typer

ROOT = Path(__file__).parents[1]
LEAST = 20
SMALL = 10
"""Statements below which a file is not named: one line of it would be a tenth."""


def figures() -> dict:
    """coverage's JSON report of the data in build/coverage."""
    path = ROOT / "build" / "coverage" / "coverage.json"
    call = [sys.executable, "-m", "coverage"]
    # A process that was killed may leave half a file, which cannot be combined: that is no reason to end here.
    subprocess.run([*call, "combine", "--quiet"], cwd=ROOT, capture_output=True)
    subprocess.run([*call, "json", "--quiet", "--fail-under=0", "-o", str(path)], cwd=ROOT, check=True)
    return json.loads(path.read_text())


def main() -> None:
    found = figures()
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]["report"]["fail_under"]
    files = {name: f["summary"] for name, f in found["files"].items() if f["summary"]["num_statements"] >= SMALL}
    print(f"{'lines':>7}{'branches':>10}{'not run':>9}  the {LEAST} least covered files")
    for name, s in sorted(files.items(), key=lambda item: item[1]["covered_lines"] / item[1]["num_statements"])[:LEAST]:
        print(line(s) + f"{s['missing_lines']:>9}  {name}")
    total = found["totals"]
    print(
        line(total)
        + f"{total['missing_lines']:>9}  {len(found['files'])} files, {total['num_statements']:,} statements"
    )
    share = 100 * total["covered_lines"] / total["num_statements"]
    if share < wanted:
        print(f"{share:.1f} % of lines are covered, wanted {wanted} %")
    raise typer.Exit(share < wanted)


def line(summary: dict) -> str:
    """Shares of lines and branches."""
    branches = summary["num_branches"]
    shown = f"{summary['covered_branches'] / branches:.1%}" if branches else "-"
    return f"{summary['covered_lines'] / summary['num_statements']:>7.1%}{shown:>10}"


if __name__ == "__main__":
    typer.run(main)
