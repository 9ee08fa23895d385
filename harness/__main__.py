"""python -m harness, or harness: list the commands, or run one: `harness cv bloodcells` is `python -m harness.cv bloodcells`."""

from __future__ import annotations

import runpy
import sys

from harness import __version__
from harness.base.errors import UserError, not_installed
from harness.base.places.home import COMPETITIONS, project_home

COMMANDS = {
    "harness.data": "where a competition's data lies, what is in it, and the embedded sample",
    "harness.clean": "find duplicates, label conflicts, foreign and mislabelled images; harness.cv goes by the verdicts",
    "harness.cv": "train a recipe on k folds: OOF and test probabilities, scores with intervals, a report",
    "harness.tune": "search a recipe's [tune] by Optuna, prune early, judge the best on folds that it was not chosen on",
    "harness.oof": "compare finished runs, look at their errors, combine them, forecast the leaderboard",
    "harness.submit": "blend runs into a submission file, check it, send it once, follow it to its score",
    "harness.play": "all of it under a budget of hours: the best submission that they can buy, and the truth about it",
    "harness.leaderboard": "what was sent: CV, forecast, public and private score; what to send next",
    "harness.board": "all competitions, runs, studies and submissions on a page; --serve follows what runs now",
}


def main() -> int:
    """Run the command that the first argument names, with the others; without one print the table of commands."""
    if len(sys.argv) > 1 and f"harness.{sys.argv[1].removeprefix('harness.')}" in COMMANDS:
        module = f"harness.{sys.argv[1].removeprefix('harness.')}"
        del sys.argv[1]
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except ModuleNotFoundError as error:  # of what every command needs: typer, pydantic
            if not (said := not_installed(error)):
                raise
            print(f"error: {said}", file=sys.stderr)
            return 2
        return 0
    if sys.argv[1:] == ["--version"]:
        print(f"competition-harness {__version__}")
        return 0
    width = max(map(len, COMMANDS))
    print("Competition harness: every number honest, every submission worth it.\n")
    for module, purpose in COMMANDS.items():
        print(f"  python -m {module:<{width}}  {purpose}")
    print(
        f"\nThe command `harness` takes the word after the dot: harness cv bloodcells. Each takes --help. Start with:  {_first()}"
    )
    if sys.argv[1:] and sys.argv[1:] not in (["--help"], ["-h"]):
        print(
            f"\nerror: {' '.join(sys.argv[1:])!r} is no command and no option here; name one as above.", file=sys.stderr
        )
        return 2
    return 0


def _first() -> str:
    """The command to begin with: on a competition that is there, else the one that brings one."""
    try:
        there = (project_home() / COMPETITIONS).is_dir()
    except UserError as error:
        return f"(error: {error})"
    return f"python -m harness.{'cv competitions/digit-recognizer --sample' if there else 'data init --like digit-recognizer'}"


if __name__ == "__main__":
    sys.exit(main())
