"""The place where a case is played: a project, a server, the killing and the resuming."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.kills.contents import contents, differences
from benchmarks.kills.scenes import GRACE, JOURNAL, LIMIT, ORPHANS, RECIPE, ROOT, Case, Moment, Scene
from harness.base.errors import UserError


@dataclass
class Played:
    """What became of a case.

    Attributes
    ----------
    kills : that hit a running process; moments : in words, with the delays as they were
    differences : files and values that are not the reference's; doubles : submissions beyond the first
    failures : what else went wrong; left : files that lie about; seconds : of the resuming command
    """

    case: Case
    kills: int = 0
    moments: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    doubles: int = 0
    failures: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return not (self.differences or self.doubles or self.failures)

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        told = {k: v for k, v in vars(self).items() if k != "case"}
        return {"case": self.case.name, "command": self.case.scene.title, "cold": self.case.cold} | told


@dataclass(frozen=True)
class Reference:
    """An undisturbed command: what it leaves, how long it takes, how large the journal gets."""

    contents: dict[str, str]
    seconds: float
    journal: int

    @property
    def limit(self) -> float:
        """Seconds that it may take when it is resumed."""
        return max(LIMIT, 6 * self.seconds)


class Field:
    """Where it all happens: prepared projects, servers, processes; everything ends with it."""

    def __init__(self, work: Path) -> None:
        self.work, self.groups, self.number = work, set(), 0
        self.servers: dict[str, Any] = {}
        self.references: dict[str, Reference] = {}

    def close(self) -> None:
        """Kill what may still run, and stop the servers."""
        for group in list(self.groups):
            self.end_group(group)
        for server in self.servers.values():
            server.close()

    def server(self, platform: str) -> Any:
        """Kaggle's or Codabench's wire format on loopback; None for a command that sends nothing."""
        if platform and platform not in self.servers:
            from tests.submit import servers

            self.servers[platform] = servers.Kaggle() if platform == "kaggle" else servers.Codabench()
        return self.servers.get(platform)

    def prepare(self) -> None:
        """The projects that cases are copies of, made by the harness's own commands."""
        from tests.conftest import make_shapes

        bare = self.work / "bare"
        make_shapes(bare)
        (bare / "data").rename(self.work / "data")
        pictures = self.work / "data" / "shapes" / "train"
        for source, copy in (("circle/0", "circle/90"), ("square/1", "circle/91"), ("square/2", "square/92")):
            shutil.copyfile(pictures / f"{source}.png", pictures / f"{copy}.png")  # for harness.clean to find
        (bare / "competitions" / "shapes" / "recipes" / "tiny.toml").write_text(RECIPE)
        toml = bare / "competitions" / "shapes" / "competition.toml"
        toml.write_text(toml.read_text().replace("metric =", 'platform = "codabench"\nmetric ='))
        toml.write_text(toml.read_text() + "\n[codabench]\nphase = 9\n")
        cv = ("harness.cv", "shapes", "--recipe", "tiny", "--noise", "--workers", "1", "--set")
        cleaned, trained = self.work / "cleaned", self.work / "trained"
        shutil.copytree(bare, cleaned)
        self.run_or_stop(cleaned, ("harness.clean", "shapes"))
        shutil.copytree(cleaned, trained)
        for seed in (1, 2):
            self.run_or_stop(trained, (*cv, f"seed={seed}"))

    def run_or_stop(self, project: Path, command: tuple[str, ...], platform: str = "") -> None:
        """Run a command that nothing disturbs; it must end well."""
        process = self.begin(project, command, platform)
        if self.finish(process) != 0:
            raise UserError(f"undisturbed, {' '.join(command)} fails: {last_words(project)}")

    def refer(self, scene: Scene, times: int = 2) -> None:
        """Run a scene twice, undisturbed; both times it must leave the same. The last run is the one that is timed."""
        found = []
        for _ in range(times):
            project, started = self.copy(scene), time.monotonic()
            self.run_or_stop(project, scene.start, scene.platform)
            seconds = time.monotonic() - started
            found.append(Reference(contents(project, scene), seconds, journal_size(project)))
            shutil.rmtree(project.parent)
        unequal = differences(found[0].contents, found[-1].contents, scene)
        if unequal:
            raise UserError(f"undisturbed, {scene.title} leaves other bits the second time: {', '.join(unequal[:5])}")
        known = {} if not scene.sampled else self.references[next(t for t in self.references if "grid" in t)].contents
        points = {key: value for key, value in known.items() if key.startswith(("point", "report", "trial run"))}
        self.references[scene.title] = dataclasses.replace(found[-1], contents=found[-1].contents | points)

    def copy(self, scene: Scene, cold: bool = False) -> Path:
        """A fresh copy of the scene's project, with a home, a folder for temporary files and perhaps a cache of its own."""
        self.number += 1
        case = self.work / f"case-{self.number}"
        project = case / "project"
        shutil.copytree(self.work / scene.base, project)
        for name in ("home", "tmp", *(["cache"] if cold else [])):
            (case / name).mkdir()
        server = self.server(scene.platform)
        if server:
            server.clear()
            toml = project / "competitions" / "shapes" / "competition.toml"
            toml.write_text(toml.read_text().replace("codabench", scene.platform, 1))
        return project

    def begin(self, project: Path, command: tuple[str, ...], platform: str = "") -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own; what it says is added to said.txt beside the project."""
        case = project.parent
        own = case / "cache"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("KAGGLE", "CODABENCH", "HARNESS"))}
        environment = kept | {
            "PYTHONPATH": str(ROOT),
            "HARNESS_DATA": str(self.work / "data"),
            "HARNESS_CACHE": str(own if own.is_dir() else self.work / "cache"),
            "HARNESS_RETRY_SECONDS": "0.05",
            "HARNESS_GRACE_SECONDS": str(GRACE),
            "HARNESS_CALL_SECONDS": "20",
            "MPLCONFIGDIR": str(self.work / "matplotlib"),
            "HOME": str(case / "home" if (case / "home").is_dir() else self.work),  # without credentials
            "TMPDIR": str(case / "tmp" if (case / "tmp").is_dir() else self.work),
        }
        server = self.server(platform)
        environment |= server.environment() if server else {}
        with (case / "said.txt").open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=project,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self.groups.add(process.pid)
        return process

    def finish(self, process: subprocess.Popen[bytes], limit: float = 600.0) -> int | None:
        """Wait for a process; returns its exit code, or None where it had to be killed for taking too long."""
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        self.end_group(process.pid)
        process.wait()
        return code

    def end_group(self, group: int) -> None:
        """Kill what is left of a process group; one without members may be somebody else's by now."""
        if living(group):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        self.groups.discard(group)


def play(ground: Field, case: Case) -> Played:
    """Kill, resume, compare."""
    scene, played = case.scene, Played(case)
    reference, project = ground.references[scene.title], ground.copy(scene, case.cold)
    server, groups, command = ground.server(scene.platform), [], scene.start
    code: int | None = None
    for moment in case.moments:
        process = ground.begin(project, command, scene.platform)
        groups.append(process.pid)
        if not kill_at(process, project, moment, reference, server, played):
            code = process.returncode
            break
        next_command = going_on(scene, project)
        if next_command is None:
            code = 0
            break
        command = next_command
    if code is None:
        started = time.monotonic()
        process = ground.begin(project, command, scene.platform)
        groups.append(process.pid)
        code = ground.finish(process, reference.limit)
        played.seconds = time.monotonic() - started
    if code != 0:
        ended = f"exit code {code}" if code is not None else f"not ended after {reference.limit:.0f} s"
        played.failures.append(f"{' '.join(command)}: {ended}: {last_words(project)}")
    _see_orphans_end(ground, groups, played)
    judge(project, scene, reference, server, played)
    if played.is_good and (played.left or case.number % 4 == 0):
        _run_once_more(ground, project, scene, reference, played)
    if played.is_good:
        shutil.rmtree(project.parent)
    return played


def kill_at(
    process: subprocess.Popen[bytes],
    project: Path,
    moment: Moment,
    reference: Reference,
    server: Any,
    played: Played,
) -> bool:
    """Wait for the moment and kill; False where the process has ended before."""
    started, step = time.monotonic(), moment.pattern.removeprefix("server:")
    on_server = step != moment.pattern
    size = journal_size(project)
    size = size + 1 + int(moment.share * max(reference.journal - size, 0)) if moment.grows else 0
    if moment.pattern and not on_server and is_there(project, moment.pattern, size):
        moment = dataclasses.replace(moment, pattern="", lag=0.0)  # of a command that was killed before
    if on_server:
        from tests.submit.servers import FAULTS

        server.calls.clear()
        server.faults = {step: [FAULTS["slow"]]}  # the work is done, and the answer waits for the kill
    while process.poll() is None:
        seconds = time.monotonic() - started
        if on_server:
            due = step in server.calls
        elif moment.pattern:
            due = is_there(project, moment.pattern, size)
        else:
            due = seconds >= moment.share * reference.seconds
        if due:
            break
        if seconds > reference.limit:
            played.failures.append(
                f"not ended after {reference.limit:.0f} s, waiting for {moment}: {last_words(project)}"
            )
            break
        time.sleep(0.0003 if moment.pattern else 0.002)
    time.sleep(moment.lag)
    delay = time.monotonic() - started
    if process.poll() is not None:
        played.moments.append(
            f"{moment}: too late, it had ended after {delay:.3f} s with exit code {process.returncode}"
        )
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL) if moment.alone else os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if server:
        server.faults = {}
    played.kills += 1
    played.moments.append(f"{moment}: killed after {delay:.3f} s")
    return True


def is_there(project: Path, pattern: str, size: int = 0) -> bool:
    """Whether a file of that pattern is there, with so many bytes, and the text after # in its last line."""
    root = project.parent if pattern.startswith("cache/") else project
    pattern, _, text = pattern.partition("#")
    with contextlib.suppress(OSError):  # it was renamed while we looked
        for path in root.glob(pattern):
            if size and path.stat().st_size < size:
                continue
            if not text or text.encode() in last_line(path):
                return True
    return False


def last_line(path: Path) -> bytes:
    """The last line of a journal that is being written."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 2000, 0))
        return file.read().rstrip(b"\n").rpartition(b"\n")[2]


def journal_size(project: Path) -> int:
    """Bytes of the study's journal; 0 where there is none."""
    path = project / JOURNAL
    return path.stat().st_size if path.is_file() else 0


def going_on(scene: Scene, project: Path) -> tuple[str, ...] | None:
    """The command that a user gives after a kill; None where nothing is left to do: a submission has its score."""
    if not scene.platform:
        return scene.resume
    from harness.ledger import State, open_ledger

    time.sleep(GRACE + 0.2)  # so that a doubtful one may be decided at once
    entries = open_ledger(project).entries()
    if not entries:
        return scene.start
    return None if all(entry.state == State.COMPLETE for entry in entries) else scene.resume


def judge(project: Path, scene: Scene, reference: Reference, server: Any, played: Played) -> None:
    """Hold what is there against the reference, count what the server got, list what lies about."""
    try:
        found = contents(project, scene)
    except Exception as error:  # whatever a half-written file raises when it is read
        played.failures.append(f"what it left cannot be read: {type(error).__name__}: {error}")
        found = reference.contents
    played.differences = differences(reference.contents, found, scene)
    played.left = left_over(project)
    if server:
        sent = len(server.submissions)
        played.doubles = max(sent - 1, 0)
        if sent == 0:
            played.failures.append("the server was sent nothing")
        if server.stray:
            played.failures.append(f"called elsewhere: {server.stray}")


def _see_orphans_end(ground: Field, groups: list[int], played: Played) -> None:
    """What a killed main process left running must end by itself."""
    ends = time.monotonic() + ORPHANS
    while (left := [group for group in groups if living(group)]) and time.monotonic() < ends:
        time.sleep(0.1)
    if left:
        named = "; ".join(name for group in left for name in living(group))
        played.failures.append(f"processes run on {ORPHANS:.0f} s after the resumed command has ended: {named}")
    for group in groups:
        ground.end_group(group)


def _run_once_more(ground: Field, project: Path, scene: Scene, reference: Reference, played: Played) -> None:
    """What lies about must not make a later command fail, or change what stands."""
    command = (*scene.start, "--dry-run") if scene.platform else scene.resume
    code = ground.finish(ground.begin(project, command, scene.platform), reference.limit)
    if code != 0:
        played.failures.append(f"once more, {' '.join(command)}: exit code {code}: {last_words(project)}")
        return
    unequal = differences(reference.contents, contents(project, scene), scene)
    played.failures += [f"once more, {' '.join(command)} changes {', '.join(unequal[:5])}"] if unequal else []


def living(group: int) -> list[str]:
    """Command lines of a process group's processes that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, of_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(of_group) == group and state not in "ZX":
                found.append(stat.with_name("cmdline").read_bytes().replace(b"\0", b" ").decode()[:120])
    return found


def last_words(project: Path) -> str:
    """What the last command said in the end."""
    path = project.parent / "said.txt"
    lines = path.read_text(errors="replace").strip().splitlines() if path.is_file() else []
    errors = [line for line in lines[-60:] if line.startswith("error:")]
    return (errors or lines or ["nothing was said"])[-1][:300]


def left_over(project: Path) -> list[str]:
    """Temporary files, unfinished folders, locks of the study and unpacked bundles that nobody uses any more."""
    case = project.parent
    found = [p for folder in (project, case / "cache") for p in folder.rglob(".*") if p.suffix in (".tmp", ".part")]
    found += [*project.rglob("study.journal.lock*"), *(case / "tmp").glob("*"), *project.rglob("*.sqlite-journal")]
    return sorted(path.relative_to(case).as_posix() for path in found)
