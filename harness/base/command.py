"""The frame of every command: exit codes, the shared options, where outputs go."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.base.errors import UserError, not_installed
from harness.base.option_groups import GroupedCommand, Spread
from harness.base.places.home import project_home
from harness.base.storage.atomic_files import explain_disk_errors
from harness.base.terminal import heard_soon, plain_streams, quietly

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Data root; files lie in DIR/<slug>/. Default: $HARNESS_DATA, else data/ of the project's folder.",
        metavar="DIR",
    ),
]
SampleOption = Annotated[
    bool, typer.Option("--sample", help="Use the competition's small embedded sample instead of its real data.")
]
DataSetOption = Annotated[
    str,
    typer.Option("--data-set", help="One of the competition's [sets.NAME]; default: its own [data].", metavar="NAME"),
]
SkipBrokenOption = Annotated[
    bool,
    typer.Option("--skip-broken", help="Leave images out that cannot be decoded; they are listed in broken.csv."),
]
StreamOption = Annotated[
    bool,
    typer.Option("--stream", help="Keep no decoded copy on disk: decode images whenever they are needed (slow)."),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder that oof/ and submissions/ are written under. Default: the project's folder ($HARNESS_HOME, else the nearest, "
        "from the current one upwards, that holds competitions/).",
        metavar="DIR",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Override a recipe's key, e.g. --set train.epochs=3; may be repeated.", metavar="KEY=VALUE"
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout, and nothing else; no progress either.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no notes on stderr; results, warnings and errors only.")
]


def new_app(**options: Any) -> typer.Typer:
    """A typer application with the habits of all our commands."""
    return _App(
        add_completion=False,  # `harness completion` has it for all commands
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings=_HELP,
        **options,
    )


_HELP = {"help_option_names": ["-h", "--help"]}


class _App(typer.Typer):
    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        return super().command(name, **{"cls": GroupedCommand, "context_settings": _HELP, **options})


def user_command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command its exit codes: 2 with one clear message for a user's mistake, 130 for Ctrl-C and for SIGTERM.

    A parameter that is a group of options (`option_groups`) stands for them on the command line. Every command takes --quiet.
    """
    spread = Spread(function)
    quiet = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=QuietOption)
    signature = spread.signature.replace(parameters=[*spread.signature.parameters.values(), quiet])

    @functools.wraps(function)
    def guarded(quiet: bool = False, **given: Any) -> None:
        with plain_streams(), quietly(quiet), contextlib.nullcontext() if given.get("as_json") else heard_soon():
            try:
                with explain_disk_errors(Path.cwd()), _terminated_like_interrupted():
                    function(**spread.gathered(given))
            except UserError as error:
                print(f"error: {error}", file=sys.stderr)
                raise typer.Exit(EXIT_USER_ERROR) from None
            except ModuleNotFoundError as error:
                if not (said := not_installed(error)):
                    raise
                print(f"error: {said}", file=sys.stderr)
                raise typer.Exit(EXIT_USER_ERROR) from None
            except KeyboardInterrupt as interrupt:
                said = str(interrupt) or "interrupted; nothing that was finished is lost"
                print(f"\n{said}", file=sys.stderr)
                raise typer.Exit(EXIT_INTERRUPTED) from None
            except EOFError as error:  # typer would take it for Ctrl-D and say "Aborted!"
                raise RuntimeError("a file ended before it should, and no reader said which") from error

    guarded.__signature__ = signature  # type: ignore[attr-defined]
    guarded.__annotations__ = {name: p.annotation for name, p in signature.parameters.items()}
    return guarded


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM, by which Slurm and Kubernetes end a job, stops a command as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGTERM"):
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: what cleans up is not interrupted again
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def carried(*options: str) -> str:
    """Those of some options ("--data", "--out", "--sample") that this command line names, for a command that is offered next.

    With a leading blank, quoted for a shell; "" where there is none.
    """
    words, found = sys.argv[1:], []
    for place, word in enumerate(words):
        name, equals, _ = word.partition("=")
        if name not in options:
            continue
        has_value = not equals and name != "--sample"
        found += words[place : place + 2] if has_value else [word]
    return "".join(f" {shlex.quote(word)}" for word in found)


def next_lines(*commands: str, width: int = 10) -> list[str]:
    """What can be done next, a command a line, each as it can be typed; what is to be said of one stands before it.

    A command that ends in ":" is such a word.
    """
    return [f"{'next:' if number == 0 else '':<{width}}{command}" for number, command in enumerate(commands)]


def data_root(option: Path | None) -> Path:
    """Where competitions' data lies: the option, else $HARNESS_DATA, else data/ in the project's folder."""
    named = option or os.environ.get("HARNESS_DATA")
    return Path(named) if named else project_home() / "data"


def out_root(option: Path | None) -> Path:
    """Where oof/ and submissions/ lie: the option, else the project's folder."""
    return project_home() if option is None else option


def cache_root() -> Path:
    """Where decoded images, samples and timings are kept: $HARNESS_CACHE, else ~/.cache/competition-harness.

    Raises
    ------
    UserError
        If there is neither the variable nor a home folder.
    """
    named = os.environ.get("HARNESS_CACHE")
    return Path(named) if named else home_folder("HARNESS_CACHE") / ".cache" / "competition-harness"


def home_folder(instead: str) -> Path:
    """The user's home folder.

    Raises
    ------
    UserError
        If there is none, as in a container without an account; `instead` is the variable that can be set.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise UserError(f"there is no home folder here (no HOME, no account): set {instead}=FOLDER") from error
