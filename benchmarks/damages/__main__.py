"""All damages, in lanes beside each other; the report."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import say
from benchmarks.damages.harm import AREAS, VERDICTS, Damage, damages
from benchmarks.damages.judging import CURED, Outcome, Reference, make_reference, try_damage
from benchmarks.damages.project import BAD, Whole, keep_to_core, make_whole, preload


def try_all(whole: Whole, wanted: Sequence[Damage], lanes: int) -> list[Outcome]:
    """All damages; outcomes in the order that they were given."""
    more = {"runs": ("resume", "fresh noise"), "clean": ("overwrite",), "journal": ("other study",), "cache": ("data",)}
    named = [n for d in wanted for n in (*d.commands, *CURED[d.area], *more.get(d.area, ()))]
    names = list(dict.fromkeys(named))
    told = side_by_side(whole.work, lambda name, lane: make_reference(whole, name), names, lanes)
    known = {name: Reference(**one) for name, one in zip(names, told, strict=True)}
    say(f"{len(known)} references stand; {len(wanted)} damages in {lanes} lanes")

    def attempt(damage: Damage, lane: int) -> list[dict[str, Any]]:
        found = try_damage(whole, damage, lane, known)
        bad = [f"{outcome.command} {outcome.verdict}" for outcome in found if outcome.verdict in BAD]
        say(f"{damage.name}: {', '.join(bad) or 'good'}")
        return [vars(outcome) for outcome in found]

    return [Outcome(**one) for several in side_by_side(whole.work, attempt, wanted, lanes) for one in several]


def side_by_side(work: Path, function: Callable[[Any, int], Any], items: Sequence[Any], lanes: int) -> list[Any]:
    """function(item, lane) of every item as JSON, in order; lane i is a forked child that takes items i, i + lanes, ..."""
    children = []
    for lane in range(lanes):
        child = os.fork()
        if child == 0:
            _be_lane(
                work / f"lane-{lane}.jsonl", lambda item, lane=lane: function(item, lane), items[lane::lanes], lane
            )
        children.append(child)
    ends = [os.waitpid(child, 0)[1] for child in children]  # of all, whatever the first one is
    if any(ends):
        raise RuntimeError("a lane failed; its error stands above")
    found: list[Any] = [None] * len(items)
    for lane in range(lanes):
        lines = (work / f"lane-{lane}.jsonl").read_text().splitlines()
        found[lane::lanes] = [json.loads(line) for line in lines]
    return found


def _be_lane(path: Path, function: Callable[[Any], Any], items: Sequence[Any], lane: int) -> None:
    """Do some of the items, a line each in `path`; never returns."""
    code = 1
    try:
        keep_to_core(lane)
        with path.open("w") as file:
            for item in items:
                file.write(json.dumps(function(item)) + "\n")
                file.flush()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def show(found: Sequence[Outcome]) -> None:
    """The table by file and damage, counts, and the bad cases by name."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="commands by what became of them", title_justify="left")
    table.add_column("file", no_wrap=True)
    table.add_column("damage", no_wrap=True)
    for verdict in VERDICTS:
        table.add_column(verdict, justify="right")
    for name in dict.fromkeys(outcome.damage for outcome in found):
        counts = Counter(outcome.verdict for outcome in found if outcome.damage == name)
        file, _, kind = name.rpartition("/")
        table.add_row(file, kind, *(str(counts[verdict] or "") for verdict in VERDICTS))
    Console(width=140).print(table)
    bad = [outcome for outcome in found if outcome.verdict in BAD]
    for verdict in BAD:
        for outcome in (o for o in bad if o.verdict == verdict):
            print(f"{verdict:<9} {outcome.name}: {outcome.why}")
    counts = Counter(outcome.verdict for outcome in found)
    hurt = len({outcome.damage for outcome in bad})
    print(f"{len({o.damage for o in found})} damages, {len(found)} commands: ", end="")
    print(", ".join(f"{verdict} {counts[verdict]}" for verdict in VERDICTS) + f"; {hurt} damages with a bad end")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=AREAS, help="damages of this kind of file")
    parser.add_argument("--match", default="", metavar="PATTERN", help="damages whose name holds this pattern")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write every outcome there")
    parser.add_argument("--work", type=Path, default=None, metavar="DIR", help="work there and keep it; must not exist")
    parser.add_argument("--lanes", type=int, default=2, help="damages side by side")
    given = parser.parse_args()
    began = time.perf_counter()
    preload()
    with tempfile.TemporaryDirectory(prefix="damages-") as folder:
        whole = make_whole((given.work or Path(folder)).resolve())
        wanted = [d for d in damages(whole) if given.only in (None, d.area) and re.search(given.match, d.name)]
        found = try_all(whole, wanted, given.lanes)
    show(found)
    print(f"took {time.perf_counter() - began:.0f} s, {sum(os.times()[:4]):.0f} s of one core")
    if given.json:
        given.json.write_text(json.dumps([vars(outcome) for outcome in found], indent=1) + "\n")
    return int(any(outcome.verdict in BAD for outcome in found))


if __name__ == "__main__":
    sys.exit(main())
