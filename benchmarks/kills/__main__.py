"""The command."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.common import describe_machine, load_before, print_machine, say
from benchmarks.kills.field import Field, Played, play
from benchmarks.kills.scenes import Case, Scene, draw_case, scenes
from harness.base.command import new_app, user_command
from harness.base.errors import UserError

app = new_app()


@app.command()
@user_command
def main(
    kills: Annotated[int, typer.Option(min=1, help="SIGKILLs in all, spread over the commands in turn.")] = 200,
    only: Annotated[str, typer.Option(help="Some commands: cv,clean,tune,ensemble,noise,submit,bundle,play.")] = "",
    case: Annotated[
        str, typer.Option(help="These cases again, as the list of failures names them: cv:17,tune:3.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the moments.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every case there.", metavar="FILE")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folders of cases that failed.")] = False,
) -> None:
    """Kill commands at random and at chosen moments, resume them, and compare with undisturbed ones. Exit code 1: a fault."""
    from harness.train.precision import cpu_name

    if not Path("/proc/self/stat").is_file():
        raise UserError("this needs /proc, which only Linux has")
    before, started = load_before(), time.monotonic()
    chosen = _chosen(",".join(name.partition(":")[0] for name in case.split(",")) if case else only)
    repeated = [_named(name, chosen, seed) for name in case.split(",")] if case else []
    with _field(keep) as ground:
        ground.prepare()
        for scene in [scene for ways in chosen.values() for scene in ways]:
            if not repeated or "grid" in scene.start or scene in [r.scene for r in repeated]:
                ground.refer(scene, 1 if repeated else 2)
                say(f"undisturbed: {ground.references[scene.title].seconds:5.1f} s  {scene.title}")
        begun = time.monotonic()
        played = [_played(ground, r) for r in repeated] or _play_all(ground, chosen, kills, seed)
        ended = time.monotonic()
    print_machine(describe_machine(cpu_name(), before))
    _print(played, seed)
    done = sum(p.kills for p in played)
    print(
        f"{done} kills in {ended - begun:.0f} s, {(ended - begun) / max(done, 1):.1f} s each; {ended - started:.0f} s in all"
    )
    if json_file:
        json_file.write_text(json.dumps({"seed": seed, "cases": [p.as_dict() for p in played]}, indent=1) + "\n")
    if not all(p.is_good for p in played):
        raise typer.Exit(1)


def _chosen(only: str) -> dict[str, list[Scene]]:
    """Scenes by the command's name, in order."""
    found: dict[str, list[Scene]] = {}
    for scene in scenes():
        found.setdefault(scene.name, []).append(scene)
    names = [name.strip() for name in only.split(",")] if only else list(found)
    unknown = [name for name in names if name not in found]
    if unknown:
        raise UserError(f"--only {unknown[0]}: unknown; known: {', '.join(found)}")
    return {name: found[name] for name in names}


def _named(name: str, chosen: dict[str, list[Scene]], seed: int) -> Case:
    """The case that is meant by COMMAND:NUMBER."""
    command, _, number = name.strip().partition(":")
    if not number.isdigit():
        raise UserError(f"--case {name}: give a command and a number, e.g. cv:17")
    return draw_case(chosen[command], int(number), seed)


@contextlib.contextmanager
def _field(keep: bool) -> Iterator[Field]:
    """A folder for everything; it goes when we go, and so does whatever runs in it."""
    work = Path(tempfile.mkdtemp(prefix="kills-"))
    ground = Field(work)
    signal.signal(signal.SIGTERM, lambda *told: sys.exit(143))  # through the cleaning up below
    try:
        yield ground
    finally:
        ground.close()
        if keep:
            say(f"kept: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)


def _play_all(ground: Field, chosen: dict[str, list[Scene]], kills: int, seed: int) -> list[Played]:
    """The commands in turn until there are enough kills; a case whose process had ended before counts none."""
    played: list[Played] = []
    number = 0
    while number <= 2 * kills:
        for ways in chosen.values():
            if sum(p.kills for p in played) >= kills:
                return played
            played.append(_played(ground, draw_case(ways, number, seed)))
        number += 1
    return played


def _played(ground: Field, case: Case) -> Played:
    """Play a case, and say how it went."""
    played = play(ground, case)
    doubles = [f"{played.doubles} submissions too many"] if played.doubles else []
    told = "same" if played.is_good else "; ".join([*played.differences[:3], *doubles, *played.failures])
    say(f"{case.name:12}{' cold' if case.cold else '':5} {' | '.join(played.moments)}: {told}")
    return played


def _print(played: list[Played], seed: int) -> None:
    """The table by command, what was left lying, and every case that failed."""
    from rich.console import Console
    from rich.table import Table

    headers = (
        "command",
        "cases",
        "kills",
        "again",
        "main only",
        "by file",
        "cold",
        "too late",
        "same bits",
        "differences",
    )
    table = Table(
        *headers, "doubles", "failures", "left files", "resumed s, most", title="SIGKILLs", title_justify="left"
    )
    names = list(dict.fromkeys(p.case.scene.name for p in played))
    for name in [*names, "all"]:
        some = [p for p in played if name in (p.case.scene.name, "all")]
        moments = [m for p in some for m in p.moments if "too late" not in m]
        values = (
            len(some),
            sum(p.kills for p in some),
            sum(p.kills > 1 for p in some),
            sum("main process only" in m for m in moments),
            sum("of its time" not in m for m in moments),
            sum(p.case.cold for p in some),
            sum(p.kills == 0 for p in some),
            sum(p.is_good for p in some),
            sum(bool(p.differences) for p in some),
            sum(p.doubles for p in some),
            sum(bool(p.failures) for p in some),
            sum(bool(p.left) for p in some),
        )
        table.add_row(name, *map(str, values), f"{max(p.seconds for p in some):.1f}", end_section=name == names[-1])
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    for p in [p for p in played if not p.is_good]:
        print(
            f"\n{p.case.name} (--seed {seed} --case {p.case.name}){', cold cache' if p.case.cold else ''}: {p.case.scene.title}"
        )
        lines = [f"kill:       {line}" for line in p.moments]
        lines += [f"difference: {line}" for line in p.differences[:10]] + [f"failure:    {line}" for line in p.failures]
        lines += [f"doubles:    {p.doubles} submissions beyond the first"] if p.doubles else []
        print("\n".join(f"  {line}" for line in lines))


if __name__ == "__main__":
    app()
