"""harness.play on real sets: what so many hours bring, how well they were kept, how much of the score was luck.

python -m benchmarks.play bloodcells=0.05 pneumonia=0.02 --data DIR
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.common import say
from harness.base.command import DataOption, data_root, new_app, user_command
from harness.base.errors import UserError
from harness.base.terminal import print_table

app = new_app()
_HEADER = ("competition", "hours", "spent", "final", "OOF [95 %]", "cross-fitted", "anew / OOF of these rows", "runs")


@app.command()
@user_command
def main(
    wanted: Annotated[list[str], typer.Argument(help="COMPETITION=HOURS, as often as you like.", metavar="COMP=HOURS")],
    data: DataOption = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report there.", metavar="FILE")] = None,
) -> None:
    """Play each competition in a folder of its own; the time is that of the whole process, the data's decoding included."""
    lines = []
    for asked in wanted:
        name, equals, hours = asked.partition("=")
        if not equals:
            raise UserError(f"{asked}: write it as COMPETITION=HOURS, e.g. bloodcells=0.1")
        lines.append(_play(name, float(hours), data_root(data).resolve()))
        say(json.dumps({key: lines[-1][key] for key in ("name", "wall", "spent")}))
    if json_file is not None:
        json_file.write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")
    print_table(_HEADER, [_cells(line) for line in lines], left=1)


def _play(name: str, hours: float, root: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="play-") as folder:
        command = [sys.executable, "-m", "harness.play", name, "--hours", f"{hours:g}", "--data", str(root)]
        started = time.monotonic()
        done = subprocess.run([*command, "--out", folder, "--json"], capture_output=True, text=True, check=False)
        wall = time.monotonic() - started
        if done.returncode:
            raise UserError(f"{name}: harness.play ended with {done.returncode}: {done.stderr[-500:]}")
        told = json.loads(done.stdout)
    return {"name": name, "hours": hours, "wall": wall, "spent": told["budget"]["spent"] / (3600 * hours), **told}


def _cells(line: dict[str, Any]) -> list[str]:
    of = {step["kind"]: step["outcome"] for step in line["steps"] if step["state"] == "done"}
    scores, choice, judged = line["score"], of.get("choice"), of.get("judge")
    main = scores["metrics"][scores["metric"]] if scores else None
    return [
        line["name"],
        f"{line['hours']:g}",
        f"{100 * line['wall'] / (3600 * line['hours']):.1f} %",
        line["final"] or "none",
        f"{main['pooled']:.5f} [{main['low']:.5f}, {main['high']:.5f}]" if main else "",
        f"{choice['score']:.5f}" if choice else "",
        f"{judged['anew']:.5f} / {judged['oof']:.5f}" if judged else "",
        str(len(line["runs"])),
    ]


if __name__ == "__main__":
    app()
