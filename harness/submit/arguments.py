"""The options of harness.submit, by group."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.base.errors import UserError
from harness.base.option_groups import option_group
from harness.kernels.options import ACCELERATORS, check_accelerator


def as_threshold(asked: str) -> float:
    """A threshold that is given as a number (UserError where it is none)."""
    try:
        value = float(asked)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1:
        raise UserError(f"--threshold {asked}: give a probability between 0 and 1, or 'oof'")
    return value


@option_group("What is sent")
class Content:
    """Runs, a ready file or a notebook, and what is said of it."""

    run: Annotated[
        list[str] | None,
        typer.Option(
            "--run", "--ensemble", help="Run or ensemble to send; repeat it to blend several. Default: the best by OOF."
        ),
    ] = None
    best: Annotated[int, typer.Option(min=1, help="Without --run: blend this many best runs.")] = 1
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Send one --run with untrained folds: the mean of those that are trained."),
    ] = False
    file: Annotated[Path | None, typer.Option(help="Send this ready file instead of runs.", metavar="CSV")] = None
    notebook: Annotated[
        str | None,
        typer.Option(help="Send this version of a notebook to a code competition.", metavar="OWNER/NAME@VERSION"),
    ] = None
    output: Annotated[str, typer.Option(help="With --notebook: the file that it writes.", metavar="FILE")] = (
        "submission.csv"
    )
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Two classes: predict the second from this probability on; 'oof' = the one found on OOF.", metavar="T"
        ),
    ] = None
    message: Annotated[str | None, typer.Option(help="Description shown by the platform.")] = None

    def check(self, bundle: str) -> None:
        """Refuse a message that cannot be shown, and two things to send at once.

        bundle : the option that asks for code, "" where none does

        Raises
        ------
        UserError
            Names what is wrong.
        """
        if self.message and not self.message.isprintable():
            raise UserError("--message: holds characters that cannot be printed")
        asked = {"--file": bool(self.file), bundle: bool(bundle), "--notebook": bool(self.notebook)}
        names = [name for name, given in asked.items() if given]
        if len(names) > 1:
            raise UserError(f"{' and '.join(names)}: give one of them")
        if self.file and not self.file.exists():
            raise UserError(f"--file {self.file}: not there")
        if self.threshold not in (None, "oof"):
            as_threshold(self.threshold)
        if self.partial and (names or len(self.run or []) != 1):
            raise UserError("--partial: is for the file of one run; name it by --run")

    def run_names(self) -> list[str]:
        """The runs that are named, each once.

        Raises
        ------
        UserError
            If one is named by its folder, or a file is to be sent too.
        """
        names = list(dict.fromkeys(self.run or []))
        for name in names:
            if Path(name).name != name:
                raise UserError(
                    f"--run {name}: give the run's name only ('{Path(name).name}'); --out says where oof/ lies"
                )
        if self.file and names:
            raise UserError("--file and --run: give one of them")
        return names

    @property
    def most_unnamed(self) -> int:
        """How many runs are taken where none is named."""
        return 0 if self.file or self.notebook else self.best


@option_group("Bundle")
class BundleOptions:
    """Whether code is sent, and what it is made for.

    Attributes
    ----------
    backend : a name of `bundle.backends.BACKENDS`; half : weights as float16
    seconds, memory_gib, size_mib : the platform's limits; None = not known
    """

    bundle: Annotated[
        bool, typer.Option("--bundle", help="Send code: a zip with model.py and the weights of one run's folds.")
    ] = False
    backend: Annotated[str, typer.Option(help="With --bundle: what it runs on: torch, timm or onnx.")] = "torch"
    code: Annotated[
        bool,
        typer.Option(
            "--code", help="Code competition of Kaggle: the same in a private notebook, which is run there, then sent."
        ),
    ] = False
    hidden_rows: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --code: images of the hidden test. Default: [leaderboard] counted.", metavar="N"
        ),
    ] = None
    accelerator: Annotated[
        str, typer.Option(help=f"With --code: {', '.join(ACCELERATORS)}, where the competition allows it.")
    ] = "none"
    half: Annotated[bool, typer.Option("--half", help="With --bundle: weights as float16, half the size.")] = False
    seconds: Annotated[
        float | None,
        typer.Option(
            "--limit",
            min=1,
            help="The platform's time limit in seconds. Default: 600, of --code 32,400 (9 h).",
            metavar="S",
        ),
    ] = None
    memory_gib: Annotated[
        float | None, typer.Option("--memory", min=0, help="With --bundle: its memory limit.", metavar="GIB")
    ] = None
    size_mib: Annotated[
        float | None, typer.Option("--size", min=0, help="With --bundle: its size limit.", metavar="MIB")
    ] = None

    def __post_init__(self) -> None:
        if self.bundle and self.code:
            raise UserError("--bundle and --code: give one of them (--code builds the bundle too)")
        given = {"--hidden-rows": self.hidden_rows is not None, "--accelerator": self.accelerator != "none"}
        for name in (name for name, is_given in given.items() if is_given and not self.code):
            raise UserError(f"{name}: is for --code")
        check_accelerator(self.accelerator)
        if self.backend != "torch":
            from harness.submit.bundle.backends import check_backend

            check_backend(self.backend)

    @property
    def asked(self) -> str:
        """The option that asks for code; "" where none does."""
        return "--code" if self.code else "--bundle" if self.bundle else ""

    @property
    def limit(self) -> float:
        """The platform's time limit in seconds."""
        return self.seconds or (32_400 if self.code else 600)


@option_group("Sending")
class SendOptions:
    """Whether, when and where it is sent."""

    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but the upload.")] = False
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the score; then --resume asks again.")] = 120
    resume: Annotated[bool, typer.Option("--resume", help="Follow up everything that was begun and not finished.")] = (
        False
    )
    queued: Annotated[bool, typer.Option("--queued", help="Send what was kept for later.")] = False
    force: Annotated[bool, typer.Option("--force", help="Send even if the same was sent before.")] = False
    reserve: Annotated[int, typer.Option(min=0, help="How many of today's submissions to leave unspent.")] = 0
    trust_host: Annotated[
        str | None,
        typer.Option(
            help="Allow a platform's credentials to go to a host that is not its own; remembered.",
            metavar="PLATFORM:HOST",
        ),
    ] = None

    @property
    def follows_up(self) -> bool:
        """Whether nothing new is sent: what was begun or kept is gone on with."""
        return self.resume or self.queued
