"""python -m harness, or harness: list the commands, or run one: `harness cv bloodcells` is `python -m harness.cv bloodcells`."""

from __future__ import annotations

import contextlib
import importlib
import runpy
import sys
import textwrap
from typing import Any

from harness import __version__
from harness.base.data_parts import DATA_PARTS
from harness.base.errors import UserError, nearest, not_installed
from harness.base.places.competitions import SPEC
from harness.base.places.home import COMPETITIONS, project_home
from harness.base.terminal import table_width

COMMANDS = {
    "harness.data": "fetch a competition's files, check them, say what is in them; init PLACE makes a competition of files of your own",
    "harness.clean": "find duplicates, label conflicts, foreign and mislabelled images; harness.cv goes by the verdicts",
    "harness.cv": "train a recipe on k folds: OOF and test probabilities, scores with intervals, a report",
    "harness.tune": "search about a recipe, or its [tune], by Optuna, prune early, judge the best on folds that it was not chosen on",
    "harness.oof": "compare finished runs, look at their errors, combine them, forecast the leaderboard",
    "harness.submit": "blend runs into a submission file, check it, send it once, follow it to its score",
    "harness.play": "all of it under a budget of hours: the best submission that they can buy, and the truth about it",
    "harness.leaderboard": "what was sent: CV, forecast, public and private score; what to send next",
    "harness.board": "all competitions, runs, studies and submissions on a page; --serve follows what runs now",
}

COMPLETION = {
    "bash": """\
_harness() { local IFS=$'\\n'; COMPREPLY=($(harness completion --words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)); }
complete -o default -F _harness harness""",
    "zsh": """\
autoload -U +X compinit && compinit
_harness() { local -a found; found=("${(@f)$(harness completion --words "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -- $found; else _files; fi }
compdef _harness harness""",
    "fish": """\
complete -c harness -a "(harness completion --words (commandline -opc)[2..] (commandline -ct) 2>/dev/null)\"""",
}
"""By shell what makes it complete commands, options, competitions, recipes and runs."""


def main() -> int:
    """Run the command that the first argument names, with the others; without one print the table of commands."""
    words = sys.argv[1:]
    if words and f"harness.{words[0].removeprefix('harness.')}" in COMMANDS:
        return _run(f"harness.{words[0].removeprefix('harness.')}")
    if words[:1] == ["completion"]:
        return _complete(words[1:])
    if words == ["--version"]:
        print(f"competition-harness {__version__}")
        return 0
    if words and words not in (["--help"], ["-h"]):
        _print_commands()
        near = nearest(words[0].removeprefix("harness."), _names_with_parts())
        said = f"{' '.join(words)!r} is no command and no option here{near}; name one as above."
        print(f"\nerror: {said}", file=sys.stderr)
        return 2
    _print_commands()
    return 0


def _names_with_parts() -> list[str]:
    """Commands and parts of commands as they are typed: "cv", "oof compare", "data init"."""
    parts = [f"data {part}" for part in DATA_PARTS]
    with contextlib.suppress(ImportError):  # of what every command needs; then these are not named
        parts += [f"oof {part}" for part in _parser("oof").commands]
    return [*(name.removeprefix("harness.") for name in COMMANDS), *parts]


def _run(module: str) -> int:
    del sys.argv[1]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as error:  # of what every command needs: typer, pydantic
        if not (said := not_installed(error)):
            raise
        print(f"error: {said}", file=sys.stderr)
        return 2
    return 0


def _print_commands() -> None:
    print("Competition harness: every number honest, every submission worth it.\n")
    width = max(map(len, COMMANDS))
    beside = textwrap.TextWrapper(width=table_width(240), subsequent_indent=" " * (width + 14))
    for module, purpose in COMMANDS.items():
        beside.initial_indent = f"  python -m {module:<{width}}  "
        print(beside.fill(purpose))
    print("\nThe command `harness` takes the word after the dot: harness cv bloodcells. Each takes --help.")
    print('Completion in the shell: eval "$(harness completion bash)" in its startup file; or zsh, fish.')
    print(f"Start with:  {_first()}")
    print(
        "Own files:   python -m harness.data init PLACE, a folder, a zip, or a competition's name in its address on Kaggle"
    )


def _first() -> str:
    """The command to begin with: on a competition that is there, else the one that brings one."""
    try:
        there = (project_home() / COMPETITIONS / "digit-recognizer" / SPEC).is_file()
    except UserError as error:
        return f"(error: {error})"
    return f"python -m harness.{'cv digit-recognizer --sample' if there else 'data init --like digit-recognizer'}"


def _complete(words: list[str]) -> int:
    """Print the script for a shell; or, as the script asks, what may stand where the last word was begun."""
    if len(words) == 1 and words[0] in COMPLETION:
        print(COMPLETION[words[0]])
        return 0
    if words[:1] == ["--words"]:
        with contextlib.suppress(UserError, OSError, ImportError):
            print("\n".join(completed(words[1:])))
        return 0
    print(f"error: harness completion SHELL: name one of {', '.join(COMPLETION)}", file=sys.stderr)
    return 2


def completed(words: list[str]) -> list[str]:
    """What may stand in the place of the last word, which was begun, after the others."""
    *before, begun = words or [""]
    names = [name.removeprefix("harness.") for name in COMMANDS]
    if not before:
        return [name for name in (*names, "completion") if name.startswith(begun)]
    if before == ["completion"]:
        return [shell for shell in COMPLETION if shell.startswith(begun)]
    if before[0].removeprefix("harness.") not in names:
        return []
    from harness.base.places.offered import offered

    command, parts, rest = _parser(before[0].removeprefix("harness.")), {}, before[1:]
    if before[0].removeprefix("harness.") == "data":
        parts = DATA_PARTS
    inner = getattr(command, "commands", None) or parts
    if rest and rest[0] in inner:
        name, *rest = rest
        command = _of(inner[name], name)
    elif inner and not rest and not begun.startswith("-"):
        first = [name for name in inner if name.startswith(begun)]
        return first if inner is not parts else [*first, *offered(command, rest, begun)]
    return offered(command, rest, begun)


def _parser(name: str) -> Any:
    import typer

    return typer.main.get_command(importlib.import_module(f"harness.{name}.__main__").app)


def _of(inner: Any, name: str) -> Any:
    """A part of a command: one of its own, or another module's by the module's name."""
    if not isinstance(inner, str):
        return inner
    import typer

    made = typer.main.get_command(importlib.import_module(inner).app)
    return getattr(made, "commands", {}).get(name, made)


if __name__ == "__main__":
    sys.exit(main())
