"""python -m benchmarks.fuzz: damaged and hostile files for every reader of files that came from elsewhere or were stored.

The law: a reader succeeds, or raises `UserError` with a message that names the file. A finding is anything else: another
exception, more than 10 s, more than 1 GiB of memory, a file written outside the scratch folder, a process started.

Each input is made from the seed and its number alone. Readers run in forked processes that may die; a parent watches them.
Needs Linux (fork, /proc, limits of a process).
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import faulthandler
import importlib
import io
import json
import math
import mmap
import os
import random
import re
import resource
import select
import shutil
import signal
import sqlite3
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.common import describe_machine, load_before, print_machine, say
from harness.base.command import new_app, user_command
from harness.base.errors import UserError, nearest
from harness.base.files import explain_disk_errors

HANG_SECONDS = 10.0  # of the processor's time, so that a busy machine makes no findings; six times as long by the clock
MOST_MEMORY = 2**30
LARGEST_FILE = 2**30
LARGEST_INPUT = 4 * 2**20
AT_ONCE = 5_000  # inputs that a process reads before a fresh one takes over
PLACE = "fuzz-place"  # the folder of the file that is read; its name must stand in a refusal
OUTSIDE = "/tmp/harness-fuzz-escaped"  # an absolute name that hostile archives hold

CLASSES = ("cat", "dog", "owl")

WARM = (
    *("numpy", "pandas", "pyarrow.csv", "pyarrow.parquet", "PIL.Image", "py7zr", "sqlalchemy", "optuna", "torch", "timm"),
    *("safetensors.torch", "tomllib", "lzma", "bz2", "harness.data.dataset", "harness.data.captioned", "harness.data.npz"),
    *("harness.data.csv_pixels", "harness.runs", "harness.clean.verdicts", "harness.clean.duplicates", "harness.ledger"),
    *("harness.tune.study", "harness.models.weights", "harness.submit.preflight", "harness.cv.fold_job"),
)  # fmt: skip
"""Imported before the first fork, so that no process pays for it."""

app = new_app()


class Dice(random.Random):
    """Random numbers of one input, and a note of what was done to it."""

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Remember what was done."""
        self.notes.append(text[:60])


Form = Callable[[Dice, bytes], bytes]
"""Changes a file as its format is built: cells, values, members, headers with right checksums."""


@dataclass(frozen=True)
class Seed:
    """A small valid file: its name below the place, its bytes, and what changes it by its structure."""

    name: str
    content: bytes
    form: Form | None = None


@dataclass(frozen=True)
class Reader:
    """What is fuzzed.

    Attributes
    ----------
    name : in the table
    seeds : makes the valid files
    read : reads the changed file at a path; a list that it returns is one of problems in words
    tokens : words of the format, put in anywhere
    beside : makes the files that lie beside the changed one, by name
    """

    name: str
    seeds: Callable[[], list[Seed]]
    read: Callable[[Path], Any]
    tokens: tuple[bytes, ...] = ()
    beside: Callable[[], dict[str, bytes]] = dict


@dataclass
class Finding:
    """What broke the law: the kind of exception, the innermost place in the harness, and one input that does it."""

    kind: str
    place: str
    said: str
    number: int
    name: str
    how: str
    count: int = 1


@dataclass
class Tally:
    """Of one reader."""

    inputs: int = 0
    seconds: float = 0.0
    refused: int = 0
    accepted: int = 0
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def add(self, found: Finding) -> None:
        """Count a finding; the first of a kind and place is kept."""
        key = found.kind, found.place
        if key in self.findings:
            self.findings[key].count += found.count
        else:
            self.findings[key] = found


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
    known = {reader.name: reader for reader in readers_of_files()}
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


# Running a reader


def make_input(reader: Reader, seeds: Sequence[Seed], seed: int, number: int) -> tuple[str, bytes, str]:
    """Name, bytes and making of one input; the same for the same numbers, wherever and whenever it is made."""
    dice = Dice(f"{seed}/{reader.name}/{number}")
    chosen = dice.choice(seeds)
    content, formed = chosen.content, chosen.form is not None and dice.random() < 0.7
    if formed and chosen.form is not None:
        content = chosen.form(dice, content)
    if not formed or dice.random() < 0.2:
        content = scramble(dice, content, [other.content for other in seeds], reader.tokens)
    return chosen.name, content[:LARGEST_INPUT], ", ".join(dice.notes)


def judge(reader: Reader, name: str, content: bytes, root: Path) -> tuple[str, Finding | None]:
    """Read one input in a clean place: "accepted", "refused", or "finding" with what was found."""
    path = root / PLACE / name
    for folder in (root / PLACE, root / "cache"):
        if any(folder.iterdir()):
            shutil.rmtree(folder)
            folder.mkdir()
    for other, stands in reader.beside().items():
        _put(root / PLACE / other, stands)
    _put(path, content)
    there = _names(root)
    with _limited_memory():
        try:
            with _guard.on(), explain_disk_errors(path):
                problems = reader.read(path)
            outcome, found = ("refused" if isinstance(problems, list) and problems else "accepted"), None
        except UserError as error:
            outcome, found = "refused", None
            if PLACE not in str(error):
                outcome, found = "finding", _finding(error, "UserError that names no file")
        except BaseException as error:
            outcome, found = "finding", _finding(error, _kind(error))
    if _names(root) != there or os.path.lexists(OUTSIDE) or _names(root / "cwd"):
        return "finding", Finding("file outside the scratch folder", "", "", 0, name, "")
    return outcome, found


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _kind(error: BaseException) -> str:
    if isinstance(error, _Forbidden):
        return f"forbidden {error.args[0]}"
    module = type(error).__module__
    return type(error).__qualname__ if module == "builtins" else f"{module}.{type(error).__qualname__}"


def _finding(error: BaseException, kind: str) -> Finding:
    """The innermost place in the harness, and where beyond it the exception came from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/harness/" in frame.filename] or frames[-1:]
    said = f"{type(error).__name__}: {str(error)[:160]!r}"
    if frames and own and frames[-1] is not own[-1]:
        said += f" (from {'/'.join(Path(frames[-1].filename).parts[-2:])}:{frames[-1].lineno})"
    return Finding(kind, _shown(own[-1].filename, own[-1].lineno or 0, own[-1].name) if own else "", said, 0, "", "")


def _shown(file: str, line: int, function: str) -> str:
    own = "/harness/" in file
    name = f"harness/{file.rpartition('/harness/')[2]}" if own else "/".join(Path(file).parts[-2:])
    return f"{name}:{line} {function}"


@contextlib.contextmanager
def _limited_memory() -> Iterator[None]:
    """Let the process grow by MOST_MEMORY from here; beyond that an allocation fails, and says where."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (pages * mmap.PAGESIZE + MOST_MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


class _Forbidden(BaseException):
    """Raised in the place of what a reader may not do."""


_FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn",
              "socket.connect", "pickle.find_class")  # fmt: skip
_WRITES = {"os.mkdir": 1, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.link": 2, "os.symlink": 2, "os.truncate": 1,
           "os.chmod": 1, "sqlite3.connect": 1}  # fmt: skip
"""Audit events, and how many of their arguments are paths."""


class _Guard:
    """An audit hook that forbids, while it is on, processes, connections, pickles and writing outside a folder."""

    def __init__(self) -> None:
        self.active, self.root = False, ""

    def install(self, root: Path) -> None:
        """For good: a hook cannot be taken out of a process."""
        self.root = f"{root}/"
        sys.addaudithook(self._look)

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Forbid within the block."""
        self.active = True
        try:
            yield
        finally:
            self.active = False

    def _look(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.active:
            return
        if event in _FORBIDDEN:
            raise _Forbidden(event, *args[:2])
        if event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self._within(event, args[0])
        for path in args[: _WRITES.get(event, 0)]:
            self._within(event, path)

    def _within(self, event: str, path: Any) -> None:
        if isinstance(path, int) or path in ("/dev/null", ":memory:"):
            return
        if not os.path.abspath(os.fsdecode(path)).startswith(self.root):  # noqa: PTH100 - resolve() would audit itself
            raise _Forbidden(f"{event} outside the scratch folder", path)


_guard = _Guard()


class Campaign:
    """One reader's inputs, in processes one after another, watched from here."""

    SHARED = struct.Struct(
        "qqqqdd"
    )  # number, whether it is being read, refused, accepted; clock and processor's time then

    def __init__(self, reader: Reader, seeds: list[Seed], seed: int, root: Path) -> None:
        self.reader, self.seeds, self.seed, self.root = reader, seeds, seed, root
        self.tally = Tally()
        self.shared = mmap.mmap(-1, self.SHARED.size)
        self.dump = root / "tmp" / "dump"

    def run(self, inputs: int, seconds: float) -> Tally:
        """Read inputs until there were so many, or the time is over."""
        started, number = time.monotonic(), 0
        self._fork(lambda: self._check_seeds(), "the seeds", 120)
        while number < inputs and time.monotonic() - started < seconds:
            last, until = min(number + AT_ONCE, inputs), started + seconds
            self._share(number, 0, 0, 0, 0.0, 0.0)
            died = self._fork(
                lambda first=number, last=last, until=until: self._work(first, last, until), "", HANG_SECONDS
            )
            reached, _, refused, accepted, *_ = self.SHARED.unpack(self.shared)
            self.tally.refused += refused
            self.tally.accepted += accepted
            self.tally.inputs += reached - number + bool(died)
            if died:
                self._blame(died, reached)
            number = reached + bool(died)
        self.tally.seconds = time.monotonic() - started
        return self.tally

    def keep(self, folder: Path) -> None:
        """Write an input of each finding as READER.NUMBER.NAME, made small where an exception shows that it still does it."""
        folder.mkdir(parents=True, exist_ok=True)
        for found in self.tally.findings.values():
            name, content, _ = make_input(self.reader, self.seeds, self.seed, found.number)
            path = folder.resolve() / f"{self.reader.name}.{found.number}.{name.replace('/', '+')}"
            path.write_bytes(content)
            if not found.kind.startswith(("died", "more than")):
                small = self.root / "tmp" / "small"
                self._fork(lambda f=found, n=name, c=content, s=small: self._shrink(f, n, c, s), "shrinking", 60)
                if small.is_file():
                    shutil.move(small, path)

    def _share(self, *values: Any) -> None:
        self.shared[:] = self.SHARED.pack(*values)

    def _fork(self, work: Callable[[], None], what: str, patience: float) -> str:
        """Do some work in a process of its own; returns how it died, "" where it ended well."""
        reading, writing = os.pipe()
        self.dump.write_bytes(b"")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(reading)
                self.pipe = writing
                self._prepare()
                work()
                code = 0
            except BaseException:
                _send(writing, {"fault": traceback.format_exc()})
            finally:
                os._exit(code)
        os.close(writing)
        status, killed = self._watch(child, reading, patience, what)
        os.close(reading)
        if killed or os.waitstatus_to_exitcode(status) == 0:
            return killed
        code = os.waitstatus_to_exitcode(status)
        return f"died by {signal.Signals(-code).name}" if code < 0 else f"died with exit code {code}"

    def _watch(self, child: int, reading: int, patience: float, what: str) -> tuple[int, str]:
        """Take in what the process tells until it ends; end it where one input takes too long."""
        rest, killed, begun = b"", "", time.monotonic()
        while True:
            told = os.read(reading, 65_536) if select.select([reading], [], [], 0.05)[0] else None
            if told == b"":  # it has closed its end
                return os.waitpid(child, 0)[1], killed
            *lines, rest = (rest + (told or b"")).split(b"\n")
            for line in lines:
                self._heard(json.loads(line))
            _, busy, _, _, since, spent = self.SHARED.unpack(self.shared)
            waited, worked = (
                time.monotonic() - (begun if what else since),
                _processor_time(child) - (0 if what else spent),
            )
            if not killed and (busy or what) and (worked > patience or waited > 6 * patience):
                killed = f"more than {patience:.0f} s"
                os.kill(child, signal.SIGUSR1)  # faulthandler writes where it is
                time.sleep(0.5)
                os.kill(child, signal.SIGKILL)

    def _heard(self, told: dict[str, Any]) -> None:
        if "fault" in told:
            raise RuntimeError(f"the fuzzer itself failed on {self.reader.name}:\n{told['fault']}")
        self.tally.add(Finding(**told))

    def _blame(self, died: str, number: int) -> None:
        """A finding for the input that a process died of, at the place that faulthandler saw."""
        name, _, how = make_input(self.reader, self.seeds, self.seed, number)
        dumped = self.dump.read_text(errors="replace")
        frames = re.findall(r'File "([^"]*/harness/[^"]*)", line (\d+) in (\S+)', dumped)
        inner = re.search(r'File "([^"]*)", line (\d+)', dumped)
        said = f"in {'/'.join(Path(inner[1]).parts[-2:])}:{inner[2]}" if inner else ""
        place = _shown(frames[0][0], int(frames[0][1]), frames[0][2]) if frames else ""
        self.tally.add(Finding(died, place, said, number, name, how))

    # In the forked process

    def _prepare(self) -> None:
        """Limits, a quiet stdout and stderr, folders of its own; it ends when its parent does."""
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        null, dump = os.open(os.devnull, os.O_WRONLY), self.dump.open("w")
        os.dup2(null, 1)
        os.dup2(null, 2)
        faulthandler.enable(dump)
        faulthandler.register(signal.SIGUSR1, dump)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
        os.environ |= {"HARNESS_CACHE": str(self.root / "cache"), "TMPDIR": str(self.root / "tmp")}
        tempfile.tempdir = str(self.root / "tmp")
        os.chdir(self.root / "cwd")
        _guard.install(self.root)

    def _check_seeds(self) -> None:
        """A fuzzer whose valid files are refused finds nothing."""
        for seed in self.seeds:
            outcome, found = judge(self.reader, seed.name, seed.content, self.root)
            if outcome != "accepted":
                raise AssertionError(f"{self.reader.name}: the seed {seed.name} is not accepted: {outcome} {found}")

    def _work(self, first: int, last: int, until: float) -> None:
        refused = accepted = 0
        judge(self.reader, self.seeds[0].name, self.seeds[0].content, self.root)  # what is imported late
        for number in range(first, last):
            if time.monotonic() > until:
                return
            name, content, how = make_input(self.reader, self.seeds, self.seed, number)
            self._share(number, 1, refused, accepted, time.monotonic(), time.process_time())
            outcome, found = judge(self.reader, name, content, self.root)
            refused, accepted = refused + (outcome == "refused"), accepted + (outcome == "accepted")
            self._share(number + 1, 0, refused, accepted, 0.0, 0.0)
            if found is not None:
                _send(self.pipe, asdict(found) | {"number": number, "name": name, "how": how})

    def _shrink(self, found: Finding, name: str, content: bytes, target: Path) -> None:
        """Take blocks out for as long as the same is found, and write the least."""
        until, size = time.monotonic() + 5, len(content) // 2
        while size and time.monotonic() < until:
            start = 0
            while start < len(content) and time.monotonic() < until:
                shorter = content[:start] + content[start + size :]
                again = judge(self.reader, name, shorter, self.root)[1]
                if again is not None and (again.kind, again.place) == (found.kind, found.place):
                    content = shorter
                else:
                    start += size
            size //= 2
        target.write_bytes(content)


def _processor_time(process: int) -> float:
    """Seconds that a process has worked; 0 where it is gone."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _send(pipe: int, told: dict[str, Any]) -> None:
    content = json.dumps(told).encode() + b"\n"
    while content:
        content = content[os.write(pipe, content) :]


def _replay(path: Path, root: Path) -> None:
    """Read a kept file by the reader that its name begins with, with the exception as it comes."""
    reader_name, _, rest = path.name.partition(".")
    name = rest.partition(".")[2].replace("+", "/")
    reader, content = _chosen(reader_name)[0], path.read_bytes()
    for other, stands in reader.beside().items():
        _put(root / PLACE / other, stands)
    _put(root / PLACE / name, content)
    os.environ["HARNESS_CACHE"] = str(root / "cache")
    print("read:", reader.read(root / PLACE / name))


# Changing bytes

INTEGERS = (0, 1, 2, 3, 4, 16, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40,
            2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip


def scramble(dice: Dice, content: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """A few changes that know nothing of the format, but for its words."""
    data = bytearray(content)
    for _ in range(dice.choice((1, 1, 1, 2, 2, 4, 8))):
        change = dice.choice(_CHANGES)
        dice.note(change.__name__.strip("_").replace("_", " "))
        change(dice, data, others, tokens)
    return bytes(data)


def _spot(dice: Dice, data: bytearray) -> int:
    """A position: often near the beginning or the end, where headers and indices are."""
    where, n = dice.random(), len(data)
    if where < 0.4:
        return dice.randrange(min(n, 64) + 1)
    return max(n - dice.randrange(96), 0) if where < 0.6 else dice.randrange(n + 1)


def _block(dice: Dice, data: bytearray) -> tuple[int, int]:
    start = _spot(dice, data)
    return start, start + 1 + int(dice.random() ** 3 * max(len(data) - start, 1))


def _flip_a_bit(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    if data:
        data[min(_spot(dice, data), len(data) - 1)] ^= 1 << dice.randrange(8)


def _overwrite_bytes(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    start, count = _spot(dice, data), dice.choice((1, 1, 2, 4, 16))
    data[start : start + count] = dice.randbytes(count)


def _put_in_an_integer(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    start, size = _spot(dice, data), dice.choice((1, 2, 4, 8))
    number = dice.choice(INTEGERS) % 256**size
    data[start : start + size] = number.to_bytes(size, dice.choice(("little", "big")))


def _truncate(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    del data[dice.randrange(len(data) + 1) :]


def _repeat_a_block(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    start, end = _block(dice, data)
    times = dice.choice((1, 1, 2, 10, 1_000))
    data[start:start] = (data[start:end] * times)[:LARGEST_INPUT]


def _remove_a_block(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    start, end = _block(dice, data)
    del data[start:end]


def _move_a_block(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    start, end = _block(dice, data)
    block = data[start:end]
    del data[start:end]
    to = _spot(dice, data)
    data[to:to] = block


def _splice(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    other = dice.choice(others)
    cut = dice.random()
    data[int(cut * len(data)) :] = other[int(dice.choice((cut, dice.random())) * len(other)) :]


def _put_in_a_word(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    word, start = dice.choice(tokens or (b"\x00", b"\xff" * 4)), _spot(dice, data)
    data[start : start + dice.choice((0, len(word)))] = word


def _zeros(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    start, end = _block(dice, data)
    data[start:end] = bytes(end - start)


_CHANGES = (_flip_a_bit, _overwrite_bytes, _put_in_an_integer, _truncate, _repeat_a_block, _remove_a_block, _move_a_block,
            _splice, _put_in_a_word, _zeros)  # fmt: skip


# Changing text by its structure

CELLS = (b"", b" ", b'"', b'""', b'"a', b'a"b', b"\x00", b"nan", b"NaN", b"inf", b"-1", b"1e999", b"256", b"9" * 25, b"9" * 5_000,
         b"0x10", b"1.5", b"true", b"None", b"\xff\xfe", b"\xed\xa0\x80", b"\xc3\xa9", "\u0661\u0662".encode(), "\u00b2".encode(), b"\r",
         b"\n", b"a\nb", b'"a\nb"', b"\x85", "\u2028".encode(), b"../x", b"a,b", b"#", b"\t", b";", b"keep", b"cat", b" cat", b"id",
         b"x" * 200_000)  # fmt: skip

_ROW_CHANGES = "add a cell", "drop a cell", "repeat a cell", "repeat a row", "drop a row", "shuffle rows", "many rows"


def csv_cells(dice: Dice, content: bytes) -> bytes:
    """Cells, rows, the header and the encoding of a CSV."""
    rows = [row.split(b",") for row in content.split(b"\n")]
    for _ in range(dice.choice((1, 1, 2, 3))):
        row = dice.choice(rows[:1] if dice.random() < 0.3 else rows)
        at, act = dice.randrange(len(row)), dice.randrange(12)
        if act < 5:
            row[at] = dice.choice(CELLS)
            dice.note(f"cell {row[at][:12]!r}{'...' if len(row[at]) > 12 else ''}")
        else:
            dice.note(_ROW_CHANGES[act - 5])
            _change_rows(dice, rows, row, at, act)
        rows = [r for r in rows if r] or [[b""]]
    text = b"\n".join(b",".join(row) for row in rows)
    if dice.random() < 0.15:
        text = _reencoded(dice, text)
    return text


def _change_rows(dice: Dice, rows: list[list[bytes]], row: list[bytes], at: int, act: int) -> None:
    if act == 5:
        row.insert(at, dice.choice(CELLS))
    elif act == 6:
        del row[at]
    elif act == 7:
        row.insert(at, row[at])
    elif act == 8:
        rows.insert(dice.randrange(len(rows) + 1), list(row))
    elif act == 9:
        rows.remove(row)
    elif act == 10:
        rows.sort(key=lambda _: dice.random())
    elif dice.random() < 0.3:
        rows[1:1] = [[b"%d" % number, *row[1:]] for number in range(1_000)]


def _reencoded(dice: Dice, text: bytes) -> bytes:
    """Another delimiter, line end, encoding; a byte-order mark; nothing but the header."""
    way = dice.choice((";", "tab", "crlf", "cr", "bom", "utf-16", "header only", "no last line end", "zeros"))
    dice.note(way)
    return {
        ";": lambda: text.replace(b",", b";"),
        "tab": lambda: text.replace(b",", b"\t"),
        "crlf": lambda: text.replace(b"\n", b"\r\n"),
        "cr": lambda: text.replace(b"\n", b"\r"),
        "bom": lambda: b"\xef\xbb\xbf" + text,
        "utf-16": lambda: text.decode("latin-1").encode("utf-16"),
        "header only": lambda: text.partition(b"\n")[0],
        "no last line end": lambda: text.rstrip(b"\n"),
        "zeros": lambda: text.replace(b",", b"\x00,"),
    }[way]()


JSON_VALUES = (None, True, False, 0, -1, 1, 1.5, 2**31, 2**63, -(2**63) - 1, 1e308, float("nan"), float("inf"), "", "x", "nan", "\x00",
               "\ud800", "../x", "x" * 5_000, [], [[]], [None], {}, {"": 0}, [1, "a"])  # fmt: skip
RAW_VALUES = ("9" * 5_000, "-0", "1e999", "[" * 50_000, '{"a":' * 50_000, "Infinity", "01", "'x'", "")
_RAW = "raw value"


def json_values(dice: Dice, content: bytes) -> bytes:
    """Values of a JSON file of other types, keys gone or unknown, nesting, numbers beyond all bounds."""
    holder = {"": json.loads(content)}
    raw = dice.choice(RAW_VALUES)
    for _ in range(dice.choice((1, 1, 2, 3))):
        parent, key = dice.choice(list(_nodes(holder)))
        act = dice.randrange(10)
        if act < 5:
            parent[key] = copy.deepcopy(dice.choice(JSON_VALUES))
            dice.note(f"{key} = {str(parent[key])[:20]!r}")
        elif act == 5:
            parent[key] = _RAW
            dice.note(f"{key} = {raw[:12]}")
        elif act == 6 and parent is not holder:
            del parent[key]
            dice.note(f"without {key}")
        elif act == 7 and isinstance(parent, dict):
            parent[dice.choice(("x", "", "name", str(key) + "s"))] = copy.deepcopy(parent[key])
            dice.note(f"{key} under another key")
        elif act == 8:
            parent[key] = [copy.deepcopy(parent[key]) for _ in range(dice.choice((1, 2, 50)))]
            dice.note(f"{key} in a list")
        else:
            other, at = dice.choice(list(_nodes(holder)))
            parent[key] = copy.deepcopy(other[at])
            dice.note(f"{key} = that of {at}")
    return json.dumps(holder[""]).replace(json.dumps(_RAW), raw).encode()


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of nested dicts and lists."""
    for key in list(value if isinstance(value, dict) else range(len(value))):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _nodes(value[key])


def json_lines(dice: Dice, content: bytes) -> bytes:
    """One line of a file of JSON lines changed, dropped, repeated or moved."""
    lines = content.splitlines()
    at, act = dice.randrange(len(lines)), dice.randrange(8)
    if act < 5:
        lines[at] = json_values(dice, lines[at])
    elif act == 5:
        dice.note(f"without line {at + 1}")
        del lines[at]
    elif act == 6:
        dice.note(f"line {at + 1} again")
        lines.insert(dice.randrange(len(lines)), lines[at])
    else:
        dice.note("lines in another order")
        dice.shuffle(lines)
    return b"\n".join(lines) + b"\n"


TOML_VALUES = ("nan", "inf", "-1", "0", "1e999", "9" * 30, "9" * 5_000, "true", '""', '"x"', '"\\u0000"', '"\\ud800"', "[]", "[[]]", "{}",
               "1979-05-27T07:32:00Z", "07:32:00", "0x7fffffffffffffff", "[" * 2_000 + "]" * 2_000, "[" * 2_000, "{a=" * 500, '"../x"',
               '"/x"', '"(((a+)+)+)+$"', '"("', "[1, 'a', {}]", "'''", "{low = 1, high = 2}", "{choices = [nan, [], {}]}",
               "{each = {low = 1, high = 3}, length = [2, 1]}", "1_000", "''", "a.b = 1", "x" * 5_000)  # fmt: skip


def toml_lines(dice: Dice, content: bytes) -> bytes:
    """Values of other types, keys of other tables, lines gone, repeated or in another table."""
    lines = content.decode().splitlines()
    keys = [line.partition(" = ")[0] for line in lines if " = " in line]
    for _ in range(dice.choice((1, 1, 2, 3))):
        at, act = dice.randrange(len(lines)), dice.randrange(10)
        key, equals, _ = lines[at].partition(" = ")
        if act < 5 and equals:
            lines[at] = f"{key} = {dice.choice(TOML_VALUES)}"
            dice.note(lines[at])
        elif act < 7:
            lines.insert(at, f"{dice.choice(keys)} = {dice.choice(TOML_VALUES)}")
            dice.note(f"added {lines[at]}")
        elif act == 7 and len(lines) > 1:
            dice.note(f"without {lines.pop(at)}")
        elif act == 8:
            lines.insert(dice.randrange(len(lines)), lines[at])
            dice.note(f"again {lines[at]}")
        else:
            dotted = ".".join([key or "a"] * dice.choice((1, 2, 2_000)))
            lines.insert(at, dice.choice(("[{}]", "[[{}]]", "{} = 1", "[x.{}]")).format(dotted))
            dice.note(f"added {lines[at]}")
    return "\n".join(lines).encode()


# Changing binary formats by their structure

NAMES = (f"{OUTSIDE}/a.png", "../escaped.png", "train/../../escaped.png", "..\\escaped.png", "train\\cat\\1.png", "C:/a.png", "/", "", ".",
         "train", "train/", "train/cat", "train/cat/1.png", "train/cat/1.png/x.png", "train//1.png", "./train/cat/9.png", "a" * 300,
         "train/" + "b/" * 500 + "c.png", "train/\x00.png", "train/cat/\n.png", "train/cat/\u202e.png", "train/wolf/1.png",
         "train/cat/.hidden.png", "images.npy", "labels.npy", "images", "train/cat/CON.png", "test/..", "train/ /a.png", "train.7z",
         "train.zip", "train/cat/\udcff.png".encode("utf-8", "surrogateescape").decode("latin-1"))  # fmt: skip


def zip_of(members: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with these members, twice of one name where they say so."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for name, content in members:
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, method
            archive.writestr(info, content)
    return buffer.getvalue()


def zip_lies(inner: Callable[[Dice, bytes], bytes]) -> Form:
    """Members changed by their own structure, hostile names, other methods of packing, fields of headers that lie."""

    def change(dice: Dice, content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
        for _ in range(dice.choice((0, 1, 1, 2))):
            at, act = dice.randrange(len(members)), dice.randrange(7)
            name, inside = members[at]
            if act < 4:
                members[at] = name, inner(dice, inside)
            elif act == 4:
                members[at] = dice.choice(NAMES), inside
                dice.note(f"{name} named {members[at][0]!r}")
            elif act == 5:
                members.append((dice.choice((name, *NAMES)), inside))
                dice.note(f"added {members[-1][0]!r}")
            elif len(members) > 1:
                dice.note(f"without {members.pop(at)[0]}")
        packed = bytearray(zip_of(members, dice.choice((*[0] * 8, *[8] * 8, 12, 14))))
        for _ in range(dice.choice((0, 0, 1, 1, 2))):
            _lie_in_a_zip(dice, packed)
        return bytes(packed)

    return change


_ZIP_FIELDS = {
    b"PK\x01\x02": ((6, "H"), (8, "H"), (10, "H"), (16, "I"), (20, "I"), (24, "I"), (28, "H"), (30, "H"), (32, "H"), (38, "I"), (42, "I")),
    b"PK\x03\x04": ((6, "H"), (8, "H"), (14, "I"), (18, "I"), (22, "I"), (26, "H"), (28, "H")),
    b"PK\x05\x06": ((4, "H"), (8, "H"), (10, "H"), (12, "I"), (16, "I"), (20, "H")),
}  # fmt: skip


def _lie_in_a_zip(dice: Dice, packed: bytearray) -> None:
    """Overwrite one field of one header: flags, method, sizes, lengths, offsets."""
    mark = dice.choice(list(_ZIP_FIELDS))
    starts = [found.start() for found in re.finditer(re.escape(mark), packed)]
    if not starts:
        return
    offset, kind = dice.choice(_ZIP_FIELDS[mark])
    size = struct.calcsize(kind)
    number = dice.choice((*INTEGERS, 1, 8, 9, 12, 14, 93, 97, 99, 0x800, 0x801, 0x2000)) % 256**size
    at = dice.choice(starts) + offset
    packed[at : at + size] = number.to_bytes(size, "little")
    dice.note(f"zip header {mark[2:].hex()}+{offset} = {number}")


DESCRIPTIONS = ("'|u1'", "'<u8'", "'>i4'", "'|O'", "'<f4'", "'|S0'", "'|S3'", "'|V0'", "'<U0'", "'<U1'", "'|b1'", "'<M8[ns]'", "'<c16'",
                "[('a', '|O')]", "[('a', '<i4'), ('b', '<f8')]", "[]", "''", "'x'", "('|u1', (2, 2))", "None", "1", "'<i999'", "'|i1'",
                "'<m8'", "[('a', [('b', '|u1', (1000, 1000, 1000))])]", "'V2147483647'")  # fmt: skip
SHAPES = ("()", "(0,)", "(6,)", "(6, 4, 4)", "(-1,)", "(4, -4)", f"({2**62},)", f"({2**40}, {2**40})", "(True, True)", "(6.0,)", "[6]",
          "6", "None", "('6',)", f"({'9' * 400},)", "(1,) * 9", f"({'1,' * 70})", "(" * 90 + ")" * 90, "(0, 4, 4)", "(6, 4, 4, 1)",
          "(6, 0, 0)", "(6, 1)", "(1, 6)", f"({2**32 + 6},)", "(6, 4, 4, 0)", f"(0, {2**62}, 4)", "-" * 2_000 + "1")  # fmt: skip


def npy_lies(dice: Dice, content: bytes) -> bytes:
    """A .npy whose header lies of shape, type, order, version or its own length; or other bytes."""
    if not content.startswith(b"\x93NUMPY") or dice.random() < 0.2:
        return scramble(dice, content, [content], (b"\x93NUMPY\x01\x00",))
    length = struct.unpack("<H", content[8:10])[0]
    header, body = content[10 : 10 + length].decode("latin-1").strip(), content[10 + length :]
    found = re.fullmatch(r"\{'descr': (.*), 'fortran_order': (.*), 'shape': (\(.*\)), \}", header)
    descr, order, shape = found.groups() if found else ("'|u1'", "False", "(6,)")
    lie = dice.randrange(8)
    descr = dice.choice(DESCRIPTIONS) if lie in (0, 1, 2) else descr
    shape = dice.choice(SHAPES) if lie in (2, 3, 4, 5) else shape
    order = dice.choice(("True", "1", "None", "'x'")) if lie == 6 else order
    keys = dice.choice(
        ("'descr': {}, 'fortran_order': {}, 'shape': {}, ", "'descr': {}, 'fortran_order': {}, 'shape': {}, 'x': 0")
    )
    text = f"{{{keys.format(descr, order, shape)}}}"
    dice.note(f"npy header {text[:50]}")
    if lie == 7:
        text = dice.choice(
            (
                "{}",
                "",
                "[]",
                "{'descr': '|u1'}",
                "{1: 2}",
                "\x00",
                "{" * 500,
                "(" * 9_000,
                "f'{x}'",
                "{'shape': ",
                "'" * 3,
            )
        )
        dice.note(f"npy header {text[:20]!r}")
    version = dice.choice((b"\x01\x00",) * 6 + (b"\x02\x00", b"\x03\x00", b"\x09\x09"))
    coded = text.encode("latin-1") + b" " * dice.choice((0, 1, 40)) + b"\n"
    said = dice.choice((len(coded),) * 8 + (0, 1, 65_535, len(coded) + 9))
    length_field = struct.pack("<H", said % 65_536) if version == b"\x01\x00" else struct.pack("<I", said)
    body = dice.choice((body,) * 5 + (b"", body[:-1], body + b"\x00", body * 2))
    return b"\x93NUMPY" + version + length_field + coded + body


def seven_zip_header(dice: Dice, content: bytes) -> bytes:
    """The index at the end of a 7z changed, with right checksums and lengths; or its first header."""
    offset, size = struct.unpack("<QQ", content[12:28])
    index = bytearray(content[32 + offset : 32 + offset + size])
    for _ in range(dice.choice((1, 1, 2, 4))):
        at, act = dice.randrange(len(index) or 1), dice.randrange(6)
        if act < 3:
            index[at : at + 1] = bytes([dice.choice((0, 1, 2, 127, 128, 254, 255, dice.randrange(256)))])
        elif act == 3:
            del index[at : at + dice.choice((1, 2, 8))]
        elif act == 4:
            index[at:at] = index[at : at + dice.choice((1, 8))] or b"\x00"
        else:
            index[at : at + 9] = b"\xff" + dice.choice(INTEGERS).to_bytes(8, "little")
        dice.note(f"7z index, byte {at}")
    body, index = content[32 : 32 + offset], bytes(index)
    if dice.random() < 0.15:
        body = scramble(dice, body, [body], ())
    fields = struct.pack("<QQI", len(body), len(index), zlib.crc32(index))
    if dice.random() < 0.1:
        dice.note("7z first header")
        fields = struct.pack("<QQI", *(dice.choice(INTEGERS) % 2**64 for _ in range(2)), zlib.crc32(index))
    return content[:8] + struct.pack("<I", zlib.crc32(fields)) + fields + body + index


PNG_CHUNKS = (b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"acTL", b"fcTL", b"fdAT", b"PLTE", b"tRNS", b"gAMA", b"pHYs", b"IDAT", b"IHDR",
              b"IEND", b"cHRM", b"sBIT", b"\x00\x00\x00\x00")  # fmt: skip


def png_chunks(dice: Dice, content: bytes) -> bytes:
    """Chunks of a PNG changed, added, dropped or repeated, with right checksums."""
    chunks, at = [], 8
    while at + 12 <= len(content):
        size = struct.unpack(">I", content[at : at + 4])[0]
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    for _ in range(dice.choice((1, 1, 2, 3))):
        at, act = dice.randrange(len(chunks)), dice.randrange(6)
        kind, body = chunks[at]
        dice.note(f"{('change', 'change', 'add', 'drop', 'repeat', 'rename')[act]} chunk {kind.decode('latin-1')}")
        if act < 2:
            chunks[at] = kind, scramble(dice, body, [body], ())
        elif act == 2:
            chunks.insert(
                max(at, 1), (dice.choice(PNG_CHUNKS), dice.choice((b"", b"\x00", dice.randbytes(26), _exif(dice))))
            )
        elif act == 3 and len(chunks) > 1:
            del chunks[at]
        elif act == 4:
            chunks.insert(at, (kind, body))
        else:
            chunks[at] = dice.choice(PNG_CHUNKS), body
    packed = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks)
    return content[:8] + b"".join(packed)


def _exif(dice: Dice) -> bytes:
    """A TIFF directory of one or two entries with odd types, counts and offsets."""
    order = dice.choice("<>")
    entries = [
        struct.pack(
            f"{order}HHII",
            dice.choice((0x0112, 0x8769, 0x8825, 0x010E, 0x0000, 0xFFFF)),
            dice.choice((0, 1, 2, 3, 4, 5, 7, 10, 12, 13, 99)),
            dice.choice(INTEGERS) % 2**32,
            dice.choice((*INTEGERS, 6, 8, 9)) % 2**32,
        )
        for _ in range(dice.choice((1, 1, 2)))
    ]
    head = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(f"{order}IH", 8, len(entries))
    return head + b"".join(entries) + bytes(dice.choice((0, 2, 4)))


def jpeg_exif(dice: Dice, content: bytes) -> bytes:
    """A JPEG with an EXIF block of its own, or one of its segments changed."""
    if dice.random() < 0.5:
        dice.note("odd EXIF")
        block = b"Exif\x00\x00" + _exif(dice)
        return content[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + content[2:]
    marks = [found.start() for found in re.finditer(rb"\xff[\xc0-\xfe]", content)]
    at = dice.choice(marks)
    data = bytearray(content)
    data[at + 1 : at + 2] = bytes([dice.randrange(0xC0, 0xFF)]) if dice.random() < 0.3 else data[at + 1 : at + 2]
    start = at + 2 + dice.randrange(12)
    data[start : start + 1] = dice.randbytes(1)
    dice.note(f"segment at {at}")
    return bytes(data)


def tiff_tags(dice: Dice, content: bytes) -> bytes:
    """Entries of a TIFF's directory with other tags, types, counts and values."""
    order = "<" if content[:2] == b"II" else ">"
    start = struct.unpack(f"{order}I", content[4:8])[0]
    count = struct.unpack(f"{order}H", content[start : start + 2])[0]
    data = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 3))):
        at = start + 2 + 12 * dice.randrange(count)
        offset, size = dice.choice(((0, 2), (2, 2), (4, 4), (8, 2), (8, 4)))
        number = (
            dice.choice((*INTEGERS, 5, 6, 7, 8, 0x102, 0x103, 0x106, 0x115, 0x153, 0x8769, 32_773, 34_925, 50_000))
            % 256**size
        )
        dice.note(f"tag {struct.unpack(f'{order}H', data[at : at + 2])[0]}+{offset} = {number}")
        data[at + offset : at + offset + size] = struct.pack(f"{order}{'H' if size == 2 else 'I'}", number)
    return bytes(data)


def parquet_columns(dice: Dice, content: bytes) -> bytes:
    """A sound parquet file of other columns, types, rows or metadata than a run's."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    for _ in range(dice.choice((1, 1, 2))):
        names, n, act = table.column_names, table.num_rows, dice.randrange(8)
        at = dice.randrange(len(names))
        if act < 4:
            values = dice.choice(_COLUMNS)
            column = pa.array([values[row % len(values)] for row in range(n)])
            dice.note(f"{names[at]} = {values!r}")
            table = table.set_column(at, names[at], column)
        elif act == 4 and len(names) > 1:
            dice.note(f"without {names[at]}")
            table = table.remove_column(at)
        elif act == 5:
            dice.note(f"another {names[at]}")
            table = table.append_column(dice.choice((names[at], "x")), table.column(at))
        elif act == 6:
            dice.note("other rows")
            table = dice.choice(
                (
                    table.slice(0, 0),
                    table.slice(0, 1),
                    pa.concat_tables([table, table]),
                    table.take(pa.array([n - 1] * n, pa.int64())),
                )
            )
        else:
            metadata = dict(table.schema.metadata or {})
            metadata[b"pandas"] = json_values(dice, metadata.get(b"pandas", b"{}"))
            table = table.replace_schema_metadata(metadata)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


_COLUMNS = ([None], ["0"], ["a", None], [0, None], [1.5], [math.nan], [2**63 - 1], [-1], [b"\xff"], [[0.5]], [{"a": 1}], [True], ["x" * 9],
            [""], [7], [1e300])  # fmt: skip


def sqlite_cells(dice: Dice, content: bytes) -> bytes:
    """A sound database with other values, without rows, columns or tables."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.deserialize(content)
    with contextlib.closing(database):
        for _ in range(dice.choice((1, 1, 2, 3))):
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            if not tables:
                break
            table, act = dice.choice(sorted(tables)), dice.randrange(10)
            columns = [line[1] for line in database.execute(f"PRAGMA table_info({table})")]
            column, value = dice.choice(columns), dice.choice(_CELLS)
            row = f"rowid = (SELECT rowid FROM {table} LIMIT 1 OFFSET {dice.randrange(3)})"
            command, values = {
                6: (f"DELETE FROM {table} WHERE {row}", ()),
                7: (f"DROP TABLE {table}", ()),
                8: (f"ALTER TABLE {table} RENAME COLUMN {column} TO {column}_", ()),
                9: (f"ALTER TABLE {table} ADD COLUMN other TEXT NOT NULL DEFAULT 'x'", ()),
            }.get(act, (f"UPDATE {table} SET {column} = ? WHERE {row}", (value,)))
            dice.note(f"{command.split(' WHERE')[0]} {str(values)[:20] if values else ''}")
            with contextlib.suppress(sqlite3.Error):
                database.execute(command, values)
        return database.serialize()


_CELLS = (None, "", "x", "[]", "{}", "null", "[1, {}]", "nan", "[" * 50_000, "9" * 5_000, 0, -1, 2**31, 2**62, 1.5, float("inf"), b"\xff\xfe",
          "complete", "scored", "\x00", '[{"team": 1}]', '{"x": NaN}')  # fmt: skip


def safetensors_header(dice: Dice, content: bytes) -> bytes:
    """The JSON header of a safetensors file changed, with its right length or a wrong one."""
    length = struct.unpack("<Q", content[:8])[0]
    header, body = content[8 : 8 + length], content[8 + length :]
    if dice.random() < 0.8:
        header = _tensor_fields(dice, header)
    said = dice.choice((len(header),) * 8 + (0, 1, 2**63, 2**64 - 1, len(header) + 1))
    return (
        struct.pack("<Q", said)
        + header
        + dice.choice((body,) * 6 + (b"", body[:-4], body + bytes(4), bytes(len(body))))
    )


def _tensor_fields(dice: Dice, header: bytes) -> bytes:
    values = json.loads(header)
    name = dice.choice(list(values))
    part = dice.choice(("dtype", "shape", "data_offsets", "all"))
    if part == "all" or part not in values[name]:
        return json_values(dice, header)
    values[name][part] = dice.choice(
        {
            "dtype": ("F64", "F16", "BF16", "I8", "BOOL", "U8", "F8_E4M3", "F4", "C64", "x", "", None),
            "shape": ([], [0], [-1], [2**62, 4], [2**32, 2**32], [1.5], "x", [1] * 70),
            "data_offsets": ([0, 0], [0, 2**63], [4, 0], [2**64 - 1, 0], [0], [0, 4], "x"),
        }[part]
    )
    dice.note(f"{name}.{part} = {str(values[name][part])[:30]}")
    return json.dumps(values).encode()


# The readers, their seeds, and what they read


def readers_of_files() -> list[Reader]:
    """All of them."""
    zip_words = (
        *(b"PK" + mark for mark in (b"\x03\x04", b"\x01\x02", b"\x05\x06", b"\x06\x06", b"\x06\x07")),
        b"\x01\x00\x10\x00",
    )
    zip_words += tuple(name.encode() for name in NAMES)
    csv_words = (b'"', b"\x00", b"\xff", b",,,", b"\r\n", b"\r", b"\xef\xbb\xbf", b'"' * 3, b"\n\n", b"nan")
    npy_words = (b"\x93NUMPY\x01\x00", b"'descr'", b"'|O'", b"shape", *zip_words[:5])
    json_words = (*b'NaN null {} \\ud800 1e999 " ,'.split(), b"\x00", b"\xff", b"[" * 3_000, b"9" * 5_000)
    toml_words = (*b"""[ [[ = nan # { . ''' \"\"\" """.split(), b"\x00", b"\xff", b"\r", b"\n[x]\n", b"9" * 5_000)
    return [
        Reader("zip", _zips, _read_zip, zip_words),
        Reader("dataset", _zips, _read_dataset, zip_words),
        Reader("7z", _seven_zips, _read_seven_zip, (b"7z\xbc\xaf\x27\x1c", b"\x17\x06", b"\x01\x05", b"\xff" * 9, b"\x06\xf1\x07\x01")),
        Reader("npz", _npzs, _read_npz, npy_words),
        Reader("pixels", _pixel_csvs, _read_pixels, csv_words),
        Reader("labels", _label_csvs, _read_labels, csv_words),
        Reader("captions", _caption_files, _read_captions, (*csv_words, b"#", b"\t", b"image,caption", b".jpg.1", "\u2028".encode())),
        Reader("sample", _submissions, _read_sample, csv_words),
        Reader("ready", _submissions, _read_ready, csv_words),
        Reader("competition", _competition_tomls, _read_competition, toml_words),
        Reader("recipe", _recipe_tomls, _read_recipe, toml_words),
        Reader("json", lambda: [_run_seed("recipe.json"), _run_seed("environment.json")], _read_json, json_words),
        Reader("pictures", _pictures, _read_picture, (b"II*\x00\x08\x00\x00\x00", b"Exif\x00\x00", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"IHDR", b"IDAT",
               b"eXIf", b"\xff\xda", b"\xff\xe1", b"\xff\xd8", b"GIF89a", b"RIFF", b"WEBPVP8X", b"P6 9 9 255\n", b"BM")),
        Reader("run", lambda: [_run_seed(name) for name in _RUN_FORMS], _read_run, (*json_words, b"PAR1"), _run_files),
        Reader("fold", lambda: [_run_seed("fold-0.npz")], _read_fold, npy_words),
        Reader("folds", lambda: [_run_seed("folds.csv")], _read_folds, csv_words),
        Reader("cache", _caches, _read_cache, npy_words, _cache_files),
        Reader("weights", _weights, _read_weights, (b"F32", b"data_offsets", b"[0,0]", b"__metadata__")),
        Reader("checkpoint", _checkpoints, _read_checkpoint, (b"F32", b"data_offsets", b"[0,0]", b"__metadata__")),
        Reader("clean", _clean_csvs, _read_clean, (*csv_words, b"exclude", b"relabel", b"to cat;")),
        Reader("ledger", _ledgers, _read_ledger, (b"SQLite format 3\x00", b"CREATE TABLE", b"\xff" * 4)),
        Reader("journal", _journals, _read_journal, json_words),
    ]  # fmt: skip


def _spec(**values: Any) -> Any:
    from harness.competition.competition import DataSpec

    return DataSpec.model_validate({"size": (4, 4), "channels": 1, **values})


def _competition(folder: Path, **data: Any) -> Any:
    from harness.competition.competition import Competition, SubmissionSpec

    classes = () if data.get("format") == "captioned" else CLASSES
    return Competition(slug="fuzz", folder=folder / "contest", title="Fuzz", metric="accuracy", classes=classes, data=_spec(**data),
                       submission=SubmissionSpec(sample="sample.csv" if data.get("optional") else None))  # fmt: skip


def _png(number: int, mode: str = "RGB", kind: str = "png", **options: Any) -> bytes:
    from PIL import Image

    rng, buffer = np.random.default_rng(number), io.BytesIO()
    picture = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 65_536, (7, 9)).astype(np.uint16))
    elif mode != "RGB":
        picture = picture.convert(mode)
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _tree_members() -> list[tuple[str, bytes]]:
    members = [(f"train/{c}/{n}.png", _png(n)) for n, c in enumerate(CLASSES)]
    return [
        *members,
        ("test/a.png", _png(7)),
        ("test/b.jpg", _png(8, kind="jpeg")),
        ("sample.csv", b"id,label\na,cat\nb,cat\n"),
    ]


def _member(dice: Dice, content: bytes) -> bytes:
    """Some file of a data set's zip."""
    if content.startswith(b"id,"):
        return csv_cells(dice, content)
    return (
        png_chunks(dice, content)
        if content.startswith(b"\x89PNG") and dice.random() < 0.5
        else scramble(dice, content, [content], ())
    )


def _zips() -> list[Seed]:
    form = zip_lies(_member)
    return [Seed("fuzz.zip", zip_of(_tree_members(), method), form) for method in (8, 0, 12, 14)]


def _read_zip(path: Path) -> None:
    from harness.data.archives import FileTree
    from harness.data.image_folder import list_by_folder, list_test

    tree = FileTree(path)
    for name in tree.names("train") + tree.names("test"):
        with tree.open(name) as file:
            while file.read(2**20):
                pass
    list_test(tree, "test")
    list_by_folder(tree, ["train"], CLASSES)
    tree.archive.close()


def _read_dataset(path: Path) -> None:
    from harness.data.dataset import load_dataset

    if path.parent.name != "fuzz":
        (path.parent / "fuzz").mkdir()
        path = path.rename(path.parent / "fuzz" / path.name)
    load_dataset(_competition(path.parent, format="image_folder", optional=("test", "sample.csv")), path.parent.parent)


def _seven_zips() -> list[Seed]:
    import py7zr

    seeds = []
    for filters in ([{"id": py7zr.FILTER_LZMA2, "preset": 1}], [{"id": py7zr.FILTER_COPY}], [{"id": py7zr.FILTER_BZIP2}],
                    [{"id": py7zr.FILTER_DELTA}, {"id": py7zr.FILTER_LZMA2, "preset": 1}], [{"id": py7zr.FILTER_DEFLATE}],
                    [{"id": py7zr.FILTER_ZSTD, "level": 3}], [{"id": py7zr.FILTER_PPMD, "order": 6, "mem": "64k"}]):  # fmt: skip
        buffer = io.BytesIO()
        with py7zr.SevenZipFile(buffer, "w", filters=filters) as archive:
            archive.set_encoded_header_mode(False)
            for name, content in _tree_members()[:4]:
                archive.writestr(content, name)
        seeds.append(Seed("train.7z", buffer.getvalue(), seven_zip_header))
    return seeds


def _read_seven_zip(path: Path) -> None:
    from harness.data.archives import FileTree

    tree = FileTree(path.parent)
    for name in tree.names("train"):
        with tree.open(name) as file:
            file.read()


def _npzs() -> list[Seed]:
    images, labels = (
        np.arange(96, dtype=np.uint8).reshape(6, 4, 4),
        np.array([[0], [1], [2], [0], [1], [2]], dtype=np.uint8),
    )
    seeds = []
    for save, other in ((np.savez, np.int64), (np.savez_compressed, np.uint8)):
        buffer = io.BytesIO()
        save(buffer, images=images, labels=labels.astype(other), more=np.array(["a", "b"]))
        seeds.append(Seed("train.npz", buffer.getvalue(), zip_lies(npy_lies)))
    return seeds


def _read_npz(path: Path) -> None:
    from harness.data.archives import FileTree
    from harness.data.npz import read_npz

    folder = path.parent / "out"
    folder.mkdir()
    read_npz(
        FileTree(path.parent), path.name, _spec(format="npz", label="labels", train=path.name), "train", CLASSES, folder
    )


def _pixel_csvs() -> list[Seed]:
    header = ["label", *(f"pixel{n}" for n in range(16))]
    rows = [[CLASSES[n % 3], *(str((n * 31 + p) % 256) for p in range(16))] for n in range(6)]
    plain = "\n".join(",".join(row) for row in [header, *rows, []]).encode()
    quoted = "\r\n".join(",".join(f'"{cell}"' for cell in row) for row in [header, *rows]).encode()
    return [Seed("train.csv", plain, csv_cells), Seed("train.csv", quoted, csv_cells)]


def _read_pixels(path: Path) -> None:
    from harness.data.archives import FileTree
    from harness.data.csv_pixels import read_csv_pixels

    (path.parent / "out").mkdir()
    read_csv_pixels(FileTree(path.parent), path.name, _spec(format="csv_pixels"), CLASSES, path.parent / "out")


def _label_csvs() -> list[Seed]:
    rows = "".join(f"{n},{CLASSES[n % 3]}\n" for n in range(1, 8))
    return [
        Seed("labels.csv", f"id,label\n{rows}".encode(), csv_cells),
        Seed("labels.csv", b'other,"label",id\n1,"cat","a,b"\r\n,dog,c\n', csv_cells),
    ]


def _read_labels(path: Path) -> None:
    from harness.data.archives import FileTree
    from harness.data.labels import read_label_csv

    read_label_csv(FileTree(path.parent), path.name, "id", "label", CLASSES)


def _caption_files() -> list[Seed]:
    lines = [(f"{n}.jpg", f"a dog , number {n} .") for n in range(6)]
    comma = "image,caption\n" + "".join(f"{i},{c}\n" for i, c in lines)
    quoted = "image,caption\n" + "".join(f'{i},"{c}"\n{i},"a ""second"" one"\n' for i, c in lines)
    token = "".join(f"{i}#{k}\t{c}\n" for i, c in lines for k in range(2))
    return [Seed("captions.txt", text.encode(), csv_cells) for text in (comma, quoted, token)]


def _read_captions(path: Path) -> None:
    from harness.data.archives import FileTree
    from harness.data.captioned import read_captioned

    (path.parent / "out").mkdir()
    competition = _competition(path.parent, format="captioned", train=path.name, test=None)
    read_captioned(competition, FileTree(path.parent), "train", path.parent / "out", lambda done, total: None, False)


def _submissions() -> list[Seed]:
    rows = [(str(n), CLASSES[n % 3]) for n in range(1, 7)]
    plain = "id,label\n" + "".join(f"{i},{c}\n" for i, c in rows)
    marked = "\ufeffid,label\r\n" + "".join(f'"{i}","{c}"\r\n' for i, c in rows)
    return [Seed("file.csv", plain.encode(), csv_cells), Seed("file.csv", marked.encode(), csv_cells)]


def _read_sample(path: Path) -> None:
    from harness.data.archives import FileTree
    from harness.data.submission_ids import check_submission_ids

    competition = _competition(path.parent, format="image_folder", optional=("x",))
    check_submission_ids(competition, np.arange(1, 7).astype(np.str_), path, FileTree(path.parent / "fuzz.zip"))


def _read_ready(path: Path) -> list[str]:
    """As `harness.submit --file` reads, writes anew and checks it; and as the sample that another file is checked against."""
    from harness.data.submission_ids import read_submission_ids
    from harness.submit.preflight import check_submission, labels_hash, read_ready_file

    competition, ids = _competition(path.parent, format="image_folder"), np.arange(1, 7).astype(np.str_)
    read_submission_ids(competition, path, str(path))  # a data set's sample was read before
    table, ordered = read_ready_file(path, competition, ids), path.with_name("sorted.csv")
    table.to_csv(ordered, index=False)
    labels_hash(ordered)
    own = check_submission(path, competition, ids) if path.read_bytes()[:3] != b"\xef\xbb\xbf" else []
    return check_submission(ordered, competition, ids) + check_submission(ordered, competition, ids, sample=path) + own


_COMPETITION_TOML = """\
title = "Fuzz"
platform = "kaggle"
url = "https://example.org"
dataset = "owner/name"
metric = "accuracy"
also = ["macro_f1", "log_loss"]
classes = ["cat", "dog", "owl"]
symmetries = ["hflip"]

[data]
format = "image_csv"
size = [4, 4]
channels = 1
train = "train"
merge = ["val"]
test = "test"
optional = ["test"]
labels = "labels.csv"
label = "label"
id = "id"
group = "(\\\\d+)_"
archive = "fuzz.zip"

[submission]
id = "id"
value = "probability"
sample = "sample.csv"

[leaderboard]
public_share = 0.5
private_share = 0.5
counted = 100

[codabench]
phase = 3
site = "https://example.org"

[sets.other.data]
format = "npz"
size = [4, 4]
[sets.other.submission]
id = "x"
"""


def _competition_tomls() -> list[Seed]:
    return [Seed("competition.toml", _COMPETITION_TOML.encode(), toml_lines)]


def _read_competition(path: Path) -> None:
    from harness.competition import find_competition
    from harness.competition.recipe import DataChoice

    competition = find_competition(path.parent)
    for name in competition.sets:
        competition.using(DataChoice(set=name)).leaderboard.rows(10)
    competition.model_dump(mode="json")


_RECIPE_TOML = """\
description = "one"
answers_to = "two"
seed = 3

[data]
size = [8, 8]

[model]
name = "cnn"
[model.args]
stages = [[4]]
batch_norm = true

[augment]
fill = "reflect"
rotation = 180.0
shift = 0.08
horizontal_flip = 0.5
randaugment = { operations = 2, magnitude = 0.4 }
erasing_area = [0.02, 0.12]

[train]
epochs = 2
batch_size = 16
optimizer = "adamw"
lr = 0.01
schedule = "one_cycle"
warmup = 0.1
precision = "fp32"

[cv]
folds = 3
seed = 1

[predict]
tta = ["identity", "hflip"]
weights = [1.0, 2.0]
across_folds = "vote"

[tune]
"train.lr" = { low = 0.001, high = 0.1, log = true }
"train.optimizer" = { choices = ["adamw", "sgd"] }
"""


def _recipe_tomls() -> list[Seed]:
    clusters = '[model]\nname = "cnn"\npretrained = false\n[clusters]\n[text]\n[pseudo]\nrun = "x"\nthreshold = 0.9\n'
    return [
        Seed("recipes/one.toml", _RECIPE_TOML.encode(), toml_lines),
        Seed("recipes/two.toml", clusters.encode(), toml_lines),
    ]


def _read_recipe(path: Path) -> None:
    from harness.competition import load_recipe

    recipe = load_recipe(path.parent.parent, path.stem)
    recipe.digest()
    recipe.model_dump(mode="json")


def _read_json(path: Path) -> None:
    from harness.base.files import read_json

    read_json(path)


def _pictures() -> list[Seed]:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture"
    eps = io.BytesIO()
    Image.new("L", (4, 4)).save(eps, "eps")
    seeds = [Seed("a.png", _png(1, mode), png_chunks) for mode in ("RGB", "L", "P", "RGBA", "LA", "1", "I;16")]
    seeds += [Seed("a.png", _png(2, exif=exif), png_chunks), Seed("a.png", _png(2, interlace=1), png_chunks)]
    seeds += [
        Seed("a.jpg", _png(3, kind="jpeg", exif=exif), jpeg_exif),
        Seed("a.jpg", _png(3, "CMYK", "jpeg"), jpeg_exif),
    ]
    seeds += [Seed("a.jpg", _png(4, "L", "jpeg", progressive=True), jpeg_exif), Seed("a.png", _png(4, kind="ppm"))]
    seeds += [Seed("a.gif", _png(5, "P", "gif", save_all=True, append_images=[Image.new("P", (9, 7))]))]
    seeds += [Seed("a.bmp", _png(6, mode, "bmp")) for mode in ("RGB", "P", "1")]
    packings = (
        (None, "RGB"),
        ("tiff_lzw", "RGB"),
        ("jpeg", "RGB"),
        ("tiff_adobe_deflate", "L"),
        (None, "I;16"),
        ("packbits", "1"),
    )
    seeds += [Seed("a.tif", _png(7, mode, "tiff", compression=packing), tiff_tags) for packing, mode in packings]
    seeds += [
        Seed("a.webp", _png(8, kind="webp", exif=exif.tobytes())),
        Seed("a.webp", _png(8, "RGBA", "webp", lossless=True)),
    ]
    return [*seeds, Seed("eps.png", eps.getvalue())]


def _read_picture(path: Path) -> None:
    from harness.data.archives import FileTree
    from harness.data.decode import Decoder

    if path.name == "eps.png" and path.read_bytes() == _pictures()[-1].content:
        return  # the one seed that is rightly refused
    for channels in (1, 3):
        tree = FileTree(path.parent)
        with tree.open(path.name) as file:
            Decoder(8, 8, channels)(file, tree.show(path.name))


_RUN_FORMS: dict[str, Form] = {
    "recipe.json": json_values,
    "environment.json": json_values,
    "scores.json": json_values,
    "folds.csv": csv_cells,
    "oof.parquet": parquet_columns,
    "test.parquet": parquet_columns,
}


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fuzz-seeds-") as name:
        yield Path(name)


_made: dict[str, dict[str, bytes]] = {}


def _run_files() -> dict[str, bytes]:
    """A small finished run, file by file."""
    if "run" in _made:
        return _made["run"]
    import pandas as pd

    from harness.base.files import write_json
    from harness.competition import Recipe
    from harness.runs import FoldResult, RunFolder
    from harness.runs.folds import Folds
    from harness.runs.run import proba_column

    ids, test_ids = np.array([f"r{n}" for n in range(6)]), ["t1", "t2", "t3"]
    folds = Folds(ids, np.arange(6), np.arange(6).astype(np.int8) % 2, np.arange(6) != 4)
    proba = np.full((6, 3), 1 / 3, dtype=np.float32)
    environment = {"competition": {"slug": "fuzz", "classes": list(CLASSES)}, "versions": {"numpy": "2.0"},
                   "data": {"n_train": 6, "n_test": 3, "fingerprint": "0" * 16, "source": "made up"}}  # fmt: skip
    with _folder() as name:
        folder, columns = RunFolder(name), [proba_column(c) for c in CLASSES]
        folder.start(Recipe.model_validate({"name": "one", "model": {"name": "cnn"}}), folds, environment)
        history = [{"epoch": 1, "loss": 0.5}]
        folder.save_fold(FoldResult(0, np.array([0, 2, 4]), proba[:3], proba[:3], history, 1.5))
        table = pd.DataFrame(proba, columns=columns)
        oof, test = table.assign(id=ids, label=np.arange(6) % 3), table[:3].assign(id=test_ids)
        folder.save_tables(oof, test, history)
        scores = {"folds": [{"fold": 0, "accuracy": 0.5}, {"fold": 1, "accuracy": 0.6}], "oof": {"accuracy": 0.55}}
        write_json(name / "scores.json", scores)
        files = {path.name: path.read_bytes() for path in sorted(name.iterdir()) if path.is_file()}
        # as a run from before there were checksums, which would refuse every change before a reader is reached
        kept = {n: content for n, content in files.items() if not n.endswith("manifest.json") and n != "start.zip"}
        told = {k: v for k, v in json.loads(files["environment.json"]).items() if k not in ("format", "run")}
        _made["run"] = kept | {"environment.json": json.dumps(told).encode()}
    return _made["run"]


def _run_seed(name: str) -> Seed:
    return Seed(name, _run_files()[name], {**_RUN_FORMS, "fold-0.npz": zip_lies(npy_lies)}[name])


def _read_run(path: Path) -> None:
    from harness.runs import load_run

    run = load_run(path.parent)
    _ = run.classes, run.complete, run.folds.hash, run.recipe.digest()


def _read_fold(path: Path) -> None:
    from harness.base.manifest import write_manifest
    from harness.runs import RunFolder

    folder = RunFolder(path.parent)
    write_manifest(folder.fold_manifest(0), [path.name])  # else every change would be refused by its checksum
    folder.load_fold(0)


def _read_folds(path: Path) -> None:
    from harness.runs.folds import Folds

    folds = Folds.load(path)
    _ = folds.hash, [folds.valid_rows(fold) for fold in range(folds.k)]


def _cache_files() -> dict[str, bytes]:
    """A decoded data set."""
    if "cache" not in _made:
        ids, images = np.array([f"r{n}" for n in range(6)]), np.arange(96, dtype=np.uint8).reshape(6, 4, 4, 1)
        arrays = {"train/ids": ids, "train/images": images, "train/labels": np.arange(6) % 3, "train/groups": np.arange(6) // 2,
                  "test/ids": ids[:3], "test/images": images[:3]}  # fmt: skip
        files = {
            "meta.json": json.dumps(
                {"source": "made up", "is_sample": False, "fingerprint": "0" * 16, "notes": []}
            ).encode()
        }
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            files[f"{name}.npy"] = buffer.getvalue()
        _made["cache"] = files
    return _made["cache"]


def _caches() -> list[Seed]:
    return [
        Seed(name, content, json_values if name == "meta.json" else npy_lies)
        for name, content in _cache_files().items()
    ]


def _read_cache(path: Path) -> None:
    from harness.data.cache import open_cache

    root = path.parent if path.name == "meta.json" else path.parent.parent
    dataset = open_cache(root)
    _ = [np.asarray(samples.images).sum() for samples in (dataset.train, dataset.test) if samples]


BACKBONE = "test_efficientnet"  # the smallest of timm's: files of 400 KB


def _weights() -> list[Seed]:
    import timm
    from safetensors.torch import save

    model = timm.create_model(BACKBONE, pretrained=False)
    return [Seed("weights.safetensors", save(model.state_dict()), safetensors_header)]


def _read_weights(path: Path) -> None:
    from harness.models.weights import weights_digest, with_weights

    weights_digest({"weights": str(path)})
    with_weights(BACKBONE, str(path), "", {"in_chans": 1, "num_classes": 0})


def _checkpoints() -> list[Seed]:
    import torch
    from safetensors.torch import save

    states = {f"{seed}.{name}": torch.ones(3, 2) for seed in (0, 1) for name in ("conv.weight", "conv.bias")}
    return [Seed("fold-0.safetensors", save(states), safetensors_header)]


def _read_checkpoint(path: Path) -> None:
    from harness.cv.fold_job import FoldTraining

    folder = SimpleNamespace(checked_checkpoint=lambda fold: path, damaged=lambda wrong: f"{path}: {wrong[0]}")
    FoldTraining.saved_states(SimpleNamespace(fold=0, folder=folder))  # type: ignore[arg-type]  # all that it asks for


def _clean_csvs() -> list[Seed]:
    rows = [("r0", "near duplicate", "group", "g1", "of r1"), ("r1", "near duplicate", "group", "g1", "of r0"),
            ("r2", "suspect", "exclude", "", "loss 4.2"), ("r3", "suspect", "relabel", "", '"to dog; p = 0.99, sure"'),
            ("r4", "suspect", "keep", "", ""), ("x", "broken", "keep", "", "no picture")]  # fmt: skip
    lines = ["id,verdict,action,group,evidence", *(",".join(row) for row in rows), ""]
    return [Seed("clean.csv", end.join(lines).encode(), csv_cells) for end in ("\n", "\r\n")]


def _read_clean(path: Path) -> None:
    from harness.clean.verdicts import apply_verdicts
    from harness.competition import Samples

    ids, images = np.array([f"r{n}" for n in range(6)]), np.zeros((6, 4, 4, 1), dtype=np.uint8)
    apply_verdicts(path, Samples(ids, images, labels=np.arange(6, dtype=np.int64) % 3), CLASSES)


def _ledgers() -> list[Seed]:
    from harness.ledger import Intent, State
    from harness.ledger.ledger import open_ledger

    with _folder() as out:
        ledger = open_ledger(out)
        for number in range(3):
            intent = Intent("fuzz", "kaggle", f"run{number}", ("a", "b"), "file.csv", str(number), str(number), 6, "said", "tag", "accuracy",
                            0.5, 0.4, 0.6, {"low": 0.4} if number else None)  # fmt: skip
            entry = ledger.add(intent)
            ledger.record(entry, State.PENDING, ref="7")
            ledger.record(entry, State.COMPLETE, public=0.5)
        ledger.add_snapshot("fuzz", "kaggle", [{"team": "a", "score": 0.9}])
        _close(ledger)
        content = (out / "submissions" / "ledger.sqlite").read_bytes()
    return [Seed("submissions/ledger.sqlite", content, sqlite_cells)]


def _close(ledger: Any) -> None:
    if ledger._engine is not None:
        ledger._engine.dispose()


def _read_ledger(path: Path) -> None:
    from harness.ledger.ledger import open_ledger

    ledger = open_ledger(path.parent.parent)
    try:
        for entry in ledger.entries("fuzz"):
            ledger.events(entry.id)
        ledger.snapshot("fuzz")
        ledger.everything()
    finally:
        _close(ledger)


def _plan(home: Path) -> Any:
    from harness.tune.study import Plan

    return Plan("fuzz", None, home, {"space": "x", "folds": "y"}, 4, "random", "none", 0)


def _trials(home: Path) -> Any:
    """What opening a study asks of its trials."""
    return SimpleNamespace(metric=SimpleNamespace(greater_is_better=True), objectives=("score",), recipe=None, space=None, home=home,
                           limits=SimpleNamespace(), watcher=SimpleNamespace(say=lambda text: None), competition=SimpleNamespace(slug="fuzz"))  # fmt: skip


def _journals() -> list[Seed]:
    from harness.tune.storage import bury_dead
    from harness.tune.study import open_study

    with _folder() as home:
        study = open_study(_plan(home), _trials(home))
        for number in range(3):
            trial = study.ask()
            trial.suggest_float("train.lr", 0.001, 0.1, log=True)
            trial.suggest_categorical("train.optimizer", ["adamw", "sgd"])
            trial.set_user_attr("beat", time.time() if number else 1.0)
            trial.report(0.5, 1)
            if number == 1:
                study.tell(trial, 0.5)
        fresh = (home / "study.journal").read_bytes()
        bury_dead(study)
        content = (home / "study.journal").read_bytes()
    return [Seed("study.journal", content, json_lines), Seed("study.journal", fresh, json_lines)]


def _read_journal(path: Path) -> None:
    from harness.tune.storage import bury_dead
    from harness.tune.study import open_study

    study = open_study(_plan(path.parent), _trials(path.parent))
    bury_dead(study)
    _ = [(trial.params, trial.user_attrs, trial.values) for trial in study.get_trials(deepcopy=False)]


if __name__ == "__main__":
    app()
