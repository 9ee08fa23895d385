"""Reading the inputs of one reader in forked processes that may die, and what is found there."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import json
import mmap
import os
import re
import resource
import select
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fuzz.changes import scramble
from benchmarks.fuzz.parts import (
    LARGEST_INPUT,
    OUTSIDE,
    PLACE,
    Dice,
    Reader,
    Seed,
)
from harness.base.errors import UserError
from harness.base.storage.atomic_files import explain_disk_errors

HANG_SECONDS = 10.0  # of the processor's time, so that a busy machine makes no findings; six times as long by the clock
MOST_MEMORY = 2**30
LARGEST_FILE = 2**30
AT_ONCE = 5_000  # inputs that a process reads before a fresh one takes over


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
        put_file(root / PLACE / other, stands)
    put_file(path, content)
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


def put_file(path: Path, content: bytes) -> None:
    """Write a file, with its folders."""
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


_OWN = "harness.data.files.unpack"
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
        if event == "subprocess.Popen" and _OWN in args[1]:
            return  # a 7z is unpacked in a process of its own
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
            if not killed and ((busy and since) or what) and (worked > patience or waited > 6 * patience):
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
