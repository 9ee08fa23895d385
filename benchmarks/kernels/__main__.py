"""The command."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.kernels.cases import Case, all_cases
from harness.base.command import new_app, user_command

app = new_app()

_SECRETS = ("that-nobody-may-see",)
_TIMES = 5


@dataclass
class Result:
    """What became of a case; kinds : what went wrong; again : commands beyond the first."""

    name: str
    command: str
    step: str
    kinds: list[str] = field(default_factory=list)
    again: int = 0
    said: list[str] = field(default_factory=list)


@app.command()
@user_command
def main(
    only: Annotated[str, typer.Option(help="train, code or tasks; default: all.")] = "",
    case: Annotated[str, typer.Option(help="Cases whose names hold this.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every case there.", metavar="FILE")] = None,
) -> None:
    """Every fault at every call of --on kaggle and --code, and a SIGKILL at each. Exit code 1: something went wrong."""
    started, results = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="kernels-") as folder, _environment(Path(folder)):
        if only in ("", "train", "code"):
            results += _play([c for c in all_cases() if only in ("", c.command) and case in c.name], Path(folder))
        if only in ("", "tasks"):
            from benchmarks.kernels.tasks import play_tasks

            results += play_tasks(Path(folder), case)
    _print(results)
    print(f"{len(results)} cases, {sum(bool(r.kinds) for r in results)} failed, {time.monotonic() - started:.0f} s")
    if json_file:
        json_file.write_text(json.dumps([vars(r) for r in results], indent=1) + "\n")
    if any(r.kinds for r in results):
        raise typer.Exit(1)


@contextlib.contextmanager
def _environment(folder: Path) -> Iterator[None]:
    from tests.kernels.field import QUICK

    before = dict(os.environ)
    os.environ |= {**QUICK, "HARNESS_CALL_SECONDS": "2", "HARNESS_CACHE": str(folder / "cache")}
    yield
    os.environ.clear()
    os.environ |= before


def _play(cases: list[Case], folder: Path) -> list[Result]:
    from tests.kernels.field import make_project, play_contest, play_field
    from tests.kernels.server import Notebooks

    server = Notebooks(folder / "kaggle")
    os.environ |= server.environment()
    results, grounds = [], {}
    for command, play in (("train", play_field), ("code", play_contest)):
        if any(c.command == command for c in cases):
            server.reset()
            (folder / command).mkdir()
            grounds[command] = play(make_project(folder / command, server), server)
    for case in cases:
        result = _played(case, grounds[case.command])
        results.append(result)
        print(f"{case.name}: {', '.join(result.kinds) or 'well'}, {result.again} more", file=sys.stderr, flush=True)
    server.close()
    return results


def _played(case: Case, ground: Any) -> Result:
    ground.clear()
    result, server = Result(case.name, case.command, case.step), ground.kaggle
    server.faults = {step: list(faults) for step, faults in case.faults.items()}
    for number in range(_TIMES):
        if number == 0 and case.kill:
            _killed(case, ground)
        else:
            done = ground.cv() if case.command == "train" else ground.submit()
            result.said.append(done.stderr)
        if _ended(case, ground):
            break
        if case.command == "code" and ground.entries()[-1].state == "refused":
            done = ground.submit(*_CODE)  # nothing was spent: the same may be sent again
            result.said.append(done.stderr)
        result.again += 1
    text = "".join(result.said)
    checks = {
        "double": len(server.sessions) > 1 or len(server.submissions) > 1,
        "lost": not _ended(case, ground),
        "leaked": any(secret in text for secret in _SECRETS),
        "traceback": "Traceback" in text,
    }
    result.kinds = [kind for kind, wrong in checks.items() if wrong]
    return result


_CODE = ("shapes", "--code", "--hidden-rows", "1000")


def _ended(case: Case, ground: Any) -> bool:
    if case.command == "train":
        return bool((ground.run / "scores.json").is_file())
    return bool(any(entry.state == "complete" for entry in ground.entries()))


def _killed(case: Case, ground: Any) -> None:
    from tests.conftest import start_forked
    from tests.kernels.field import THERE

    assert case.kill
    step, when = case.kill

    def kill(now: str) -> None:
        if now == when and process.is_alive():
            process.kill()
            process.join()

    ground.kaggle.hooks = {step: kill}
    words = ("harness.cv", *THERE) if case.command == "train" else ("harness.submit", "--resume")
    process = start_forked(*words, cwd=ground.project, env=dict(os.environ))
    process.join(60)
    assert process.exitcode == -9, f"{case.name}: was not killed ({process.exitcode})"
    ground.kaggle.hooks = {}


def _print(results: list[Result]) -> None:
    from rich.console import Console
    from rich.table import Table

    kinds = ("double", "lost", "leaked", "traceback", "differs")
    shown = Table(
        "command", "step", "cases", *kinds, "again, most", title="Faults of Kaggle's notebooks", title_justify="left"
    )
    for key in dict.fromkeys((r.command, r.step) for r in results):
        mine = [r for r in results if (r.command, r.step) == key]
        counts = [sum(kind in r.kinds for r in mine) for kind in kinds]
        shown.add_row(*key, *map(str, (len(mine), *counts, max(r.again for r in mine))))
    Console(width=None if sys.stdout.isatty() else 120).print(shown)
    for result in results:
        if result.kinds:
            print(f"{result.name}: {', '.join(result.kinds)}\n  {result.said[-1][-600:] if result.said else ''}")


if __name__ == "__main__":
    app()
