"""python -m benchmarks.kills: SIGKILLs over the commands that promise to go on where they were killed.

Every case takes a fresh copy of a prepared project (12x12 pictures, two folds, two epochs), starts a command in a process
group of its own, and kills it: after a random part of the time that it takes undisturbed, or at the instant when a chosen
file appears, a journal has grown so far, or a server on loopback has been called. Mostly the whole group dies, sometimes only
the main process, whose children are then orphans while the next command runs already; sometimes the resumed commands are killed
as well; a share begins with a cold cache. Then the command that resumes runs to its end. What it leaves is held against an
undisturbed reference: predictions, folds, weights, scores without times, verdicts, trials, submission and bundle, and how often
the server was sent something. Where something was left lying, and in every fourth case, the command is run once more.

Moments are drawn from the seed and the case's name alone, so `--case cv:17` repeats one; a random time is a share of how long
the command takes here and now. Needs Linux (/proc) and the extra dev; calls nothing but loopback.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.common import describe_machine, load_before, print_machine, say
from harness.base.command import new_app, user_command
from harness.base.errors import UserError

app = new_app()

ROOT = Path(__file__).resolve().parent.parent
COLD, TWICE, OFTEN, ALONE, BY_FILE = 0.25, 0.2, 0.05, 0.25, 0.5
"""Shares of cases: a cold cache, two kills in a row, four in a row, the main process only, killed when a file appears."""
LIMIT = 120.0
"""Seconds that a command may take, or six times what it takes undisturbed, where that is longer."""
ORPHANS = 10.0
"""Seconds in which what a killed process left running has to end, counted from the end of the resumed command."""
GRACE = 2.0
"""HARNESS_GRACE_SECONDS: in which a submission may turn up late in the platform's list."""

RECIPE = """\
[model]
name = "cnn"
[model.args]
stages = [[4]]
batch_norm = true

[train]
epochs = 2
batch_size = 16
lr = 0.03
precision = "fp32"
channels_last = false

[cv]
folds = 2

[tune]
"train.lr" = { choices = [0.003, 0.03] }
"train.batch_size" = { choices = [8, 16] }
"""

COLD_WATCHED = (
    "cache/shapes/.*.lock",
    "cache/shapes/.*.part",
    "cache/shapes/.*.part/train/*",
    "cache/shapes/.*.part/test/*",
    "cache/shapes/.*.part/.meta.json.*.tmp",
    "cache/shapes/*/meta.json",
)
RUN_WATCHED = (
    "oof/shapes/folds/*.csv",
    "oof/shapes/*/.lock",
    "oof/shapes/*/recipe.json",
    "oof/shapes/*/.environment.json.*.tmp",
    "oof/shapes/*/environment.json",
    "oof/shapes/*/checkpoints/.fold-0.safetensors.*.tmp",
    "oof/shapes/*/checkpoints/fold-0.safetensors",
    "oof/shapes/*/checkpoints/fold-1.safetensors",
    "oof/shapes/*/.fold-?.npz.*.tmp",
    "oof/shapes/*/fold-0.npz",
    "oof/shapes/*/fold-1.npz",
    "oof/shapes/*/oof.parquet",
    "oof/shapes/*/test.parquet",
    "oof/shapes/*/history.jsonl",
    "oof/shapes/*/report.html",
    "oof/shapes/*/.scores.json.*.tmp",
    "oof/shapes/*/scores.json",
)
NOISE_WATCHED = (
    *RUN_WATCHED[-2:],
    "oof/shapes/*/noise",
    "oof/shapes/*/noise/.*.tmp",
    "oof/shapes/*/noise/fold-0-*.npz",
    "oof/shapes/*/noise/fold-1-*.npz",
    "oof/shapes/*/noise.html",
    "oof/shapes/*/noise.json",
)
JOURNAL = "oof/shapes/studies/s/study.journal"
TUNE_WATCHED = (
    *[JOURNAL] * 5,  # most of the moments: each asks for another size
    *[f'{JOURNAL}#"{said}":' for said in ("datetime_start", "worker", "beat", "param_name")],  # a trial is being made
    "oof/shapes/studies/s/study.journal.lock",
    "oof/shapes/studies/s/oof/shapes/*/environment.json",
    "oof/shapes/studies/s/oof/shapes/*/fold-0.npz",
    "oof/shapes/studies/s/oof/shapes/*/fold-1.npz",
    "oof/shapes/studies/s/oof/shapes/*/scores.json",
    "oof/shapes/studies/s/study.html",
    "competitions/shapes/recipes/.tiny-tuned.toml.*.tmp",
    "competitions/shapes/recipes/tiny-tuned.toml",
)
ENSEMBLE_WATCHED = tuple(
    f"oof/shapes/ensemble-*/{name}"
    for name in (
        *("recipe.json", "folds.csv", "environment.json", "oof.parquet", "test.parquet", "fold-0.npz", "fold-1.npz"),
        *(".*.tmp", "noise", "noise/.*.tmp", "noise/fold-1-*.npz", "scores.json"),
    )
)
LEDGER = (
    "submissions/shapes/*.csv",
    "submissions/.lock",
    "submissions/shapes/sent/.*.tmp",
    "submissions/shapes/sent/*",
)
LEDGER = (*LEDGER, *["submissions/ledger.sqlite", "submissions/ledger.sqlite-journal"] * 2)
STEPS = {
    "codabench": ("can", "start", "put", "completed", "submit", "submit", "look", "board"),
    "kaggle": ("GetSubmissionLimits", "StartSubmissionUpload", "put", *["CreateSubmission"] * 2, "ListSubmissions"),
}
"""What a submission asks a server, step by step; the final call twice as often."""


@dataclass(frozen=True)
class Scene:
    """A command, and how it is gone on with.

    Attributes
    ----------
    name : of the command, as --only and the table have it; several scenes may be ways to call one command
    base : the prepared project: "bare", "cleaned" (with verdicts), "trained" (and two runs)
    start, resume : module and arguments
    watched : patterns of files, below the project, whose appearance may be the moment of a kill
    sampled : whether later trials are drawn by when the command was killed: those of the reference may then be missing
    platform : the server that is sent to
    """

    name: str
    base: str
    start: tuple[str, ...]
    resume: tuple[str, ...]
    watched: tuple[str, ...]
    sampled: bool = False
    platform: str = ""

    @property
    def title(self) -> str:
        return " ".join([*self.start, f"({self.platform})" if self.platform else ""]).strip()


def scenes() -> list[Scene]:
    """All of them; without its client Kaggle is left out."""
    cv = ("harness.cv", "shapes", "--recipe", "tiny")
    tune = ("harness.tune", "shapes", "--recipe", "tiny", "--study", "s", "--device", "cpu")
    tunes = [
        (*tune, "--trials", "4", "--sampler", "grid", "--pruner", "median", "--no-nested"),
        (*tune, "--trials", "3", "--pruner", "median"),
        (*tune, "--trials", "4", "--pruner", "median", "--no-nested", "--parallel", "2"),
    ]
    clean, ensemble = ("harness.clean", "shapes"), ("harness.oof", "ensemble", "shapes")
    submit = ("harness.submit", "--comp", "shapes", "--wait", "5")
    again = ("harness.submit", "--resume", "--wait", "5")
    bundle = ("harness.submit", "--comp", "shapes", "--bundle", "--dry-run")
    platforms = ["codabench", *(["kaggle"] if importlib.util.find_spec("kaggle") else [])]
    cleaned = ("oof/shapes/clean/.clean.csv.*.tmp", *["oof/shapes/clean/clean.csv"] * 2)
    cleaned = (*cleaned, "oof/shapes/clean/clean.json", "oof/shapes/clean/clean.html")
    zips = ("submissions/shapes/.*.tmp", "submissions/shapes/*.zip")
    noisy = (*cv, "--noise")
    return [
        Scene("cv", "cleaned", cv, (*cv, "--resume"), RUN_WATCHED),
        Scene("cv", "cleaned", (*cv, "--workers", "1"), (*cv, "--workers", "1", "--resume"), RUN_WATCHED),
        Scene("clean", "bare", clean, clean, cleaned),
        *(Scene("tune", "cleaned", t, t, TUNE_WATCHED, sampled="grid" not in t) for t in tunes),
        Scene("ensemble", "trained", ensemble, ensemble, ENSEMBLE_WATCHED),
        Scene("noise", "cleaned", noisy, (*noisy, "--resume"), NOISE_WATCHED),
        *(Scene("submit", "trained", submit, again, LEDGER, platform=p) for p in platforms),
        Scene("bundle", "trained", bundle, bundle, zips),
    ]


@dataclass(frozen=True)
class Moment:
    """When a process is killed.

    Attributes
    ----------
    share : of the time that the command takes undisturbed; of a file, how much of it must be there
    pattern : of a file, with "#TEXT" of one whose last line holds the text; or "server:STEP"; "" = by time alone
    lag : seconds after the file or the call
    alone : only the main process is killed
    """

    share: float
    pattern: str = ""
    lag: float = 0.0
    alone: bool = False

    @property
    def grows(self) -> bool:
        """Whether the file is the study's journal, which has to grow so far."""
        return self.pattern.partition("#")[0] == JOURNAL

    def __str__(self) -> str:
        how = f"{self.pattern} +{1000 * self.lag:.1f} ms" if self.pattern else f"at {self.share:.3f} of its time"
        return how + (f", {self.share:.3f} of it" if self.grows else "") + (", main process only" if self.alone else "")


@dataclass(frozen=True)
class Case:
    """One copy of a project, and what will happen to it."""

    scene: Scene
    number: int
    cold: bool
    moments: tuple[Moment, ...]

    @property
    def name(self) -> str:
        return f"{self.scene.name}:{self.number}"


def draw_case(ways: list[Scene], number: int, seed: int) -> Case:
    """Case `number` of a command, which may be called in several ways: they take turns."""
    scene = ways[number % len(ways)]
    rng = np.random.default_rng([seed, zlib.crc32(scene.name.encode()), number])
    cold, luck = rng.random() < COLD, rng.random()
    times = 4 if luck < OFTEN else 2 if luck < OFTEN + TWICE else 1
    return Case(scene, number, cold, tuple(_draw_moment(scene, rng, cold and not i) for i in range(times)))


def _draw_moment(scene: Scene, rng: np.random.Generator, cold: bool) -> Moment:
    alone, by_file, share = rng.random() < ALONE, rng.random() < BY_FILE, rng.random()
    lag = float(rng.choice([0.0, rng.uniform(0, 0.03)]))
    watched = [*scene.watched, *(COLD_WATCHED if cold else ())]
    watched += [f"server:{step}" for step in STEPS.get(scene.platform, ())] * 2
    pattern = str(rng.choice(watched))
    lag = lag if by_file and "#" not in pattern else 0.0
    return Moment(share, pattern if by_file else "", lag, alone)


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


def differences(reference: dict[str, str], found: dict[str, str], scene: Scene) -> list[str]:
    """Names of what is another, missing or too much; of a study whose trials are drawn anew, points may be missing."""
    unequal = [f"{key} differs" for key in reference if key in found and found[key] != reference[key]]
    missing = [f"{key} is missing" for key in reference if key not in found and not _may_be_missing(key, scene)]
    more = [f"{key} is too much" for key in found if key not in reference and not _may_be_missing(key, scene)]
    return unequal + missing + more


def _may_be_missing(key: str, scene: Scene) -> bool:
    if scene.sampled and key.startswith(("point", "trial run")):
        return True
    return key.startswith("report")  # a trial that is taken up does not report the epochs of a fold that stands


def contents(project: Path, scene: Scene) -> dict[str, str]:
    """What a project holds, by name: a digest of everything that must be the same, and "there" for what bears times."""
    found = {}
    for path in sorted(project.rglob("*")):
        parts = path.relative_to(project).parts
        if path.is_file() and not any(part.startswith(".") for part in parts) and parts[0] in ("oof", "submissions"):
            name = "/".join(parts)
            name = f"trial run {name}" if "studies" in parts and len(parts) > 5 else name
            if scene.name != "tune" or name.startswith("trial run"):
                found[name] = digest_of(path)
    if scene.name == "tune":
        found |= study_contents(project)
    if scene.platform:
        found |= ledger_contents(project)
    return found


def study_contents(project: Path) -> dict[str, str]:
    """The trials by their parameters, how many ended, and whether the best recipe stands."""
    import optuna

    from harness.tune.storage import open_storage

    storage = open_storage(None, (project / JOURNAL).parent)
    trials = optuna.load_study(study_name="s", storage=storage).trials
    found: dict[str, str] = {}
    states = [trial.state.name for trial in trials]
    for trial in trials:
        point = json.dumps(trial.params, sort_keys=True)
        if trial.state.name == "COMPLETE":
            found[f"point {point}"] = f"{trial.values} {trial.user_attrs['scores']}"
        if trial.state.name in ("COMPLETE", "PRUNED"):
            found |= {f"report {point} epoch {step}": repr(v) for step, v in trial.intermediate_values.items()}
    as_it_is = {"train.lr": "0.03", "train.batch_size": "16"}
    found["recipe as it is"] = str(any(t.params == as_it_is and t.state.name != "FAIL" for t in trials))
    recipe = project / "competitions" / "shapes" / "recipes" / "tiny-tuned.toml"
    ended = states.count("COMPLETE") + states.count("PRUNED")
    return found | {
        "trials ended": str(ended),
        "running": str(states.count("RUNNING")),
        "recipe": str(recipe.is_file()),
    }


def ledger_contents(project: Path) -> dict[str, str]:
    """How the entries stand."""
    from harness.ledger import open_ledger

    entries = open_ledger(project).entries()
    return {f"entry {e.id}": f"{e.state} {e.ref} {e.public} {e.intent.sha256}" for e in entries}


TIMES = ("seconds", "started", "predict_seconds")


def digest_of(path: Path) -> str:
    """Of what a file says, without times; "there" for pages, logs and the description of the machine."""
    content: Any = b""
    if path.suffix == ".parquet":
        content = table_bytes(path)
    elif path.suffix == ".npz":
        content = arrays_bytes(path)
    elif path.name == "start.zip" or path.name.endswith("manifest.json"):
        content = b""  # checksums and copies of files that bear times
    elif path.name == "clean.json":
        content = json.dumps(json.loads(path.read_text())["as_written"][:1]).encode()
    elif path.suffix == ".zip":
        content = bundle_bytes(path)
    elif path.suffix in (".csv", ".safetensors", ".toml"):
        content = path.read_bytes()
    elif path.suffix == ".json" and path.name != "environment.json":
        content = json.dumps(timeless(json.loads(path.read_text()))).encode()
    elif path.suffix == ".jsonl":
        content = json.dumps([timeless(json.loads(line)) for line in path.read_text().splitlines()]).encode()
    return hashlib.sha256(content).hexdigest()[:16] if content else "there"


def timeless(value: Any) -> Any:
    """The same without what is timed."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if k not in TIMES}
    return [timeless(v) for v in value] if isinstance(value, list) else value


def table_bytes(path: Path) -> bytes:
    """Names and values of a parquet file, bit by bit."""
    import pandas as pd

    table = pd.read_parquet(path)
    columns = [table[name].to_numpy() for name in table]
    parts = [c.tobytes() if c.dtype.kind in "fiub" else "\n".join(map(str, c)).encode() for c in columns]
    return b"|".join(["\n".join(table.columns).encode(), *parts])


def arrays_bytes(path: Path | io.BytesIO) -> bytes:
    """Names and values of an npz file, bit by bit."""
    parts = []
    with np.load(path, allow_pickle=False) as file:
        for name in sorted(set(file.files) - set(TIMES)):
            value = file[name]
            told = json.dumps(timeless(json.loads(str(value)))).encode() if name == "history" else value.tobytes()
            parts += [name.encode(), str(value.shape).encode() if name != "history" else b"", told]
    return b"|".join(parts)


def bundle_bytes(path: Path) -> bytes:
    """A bundle's program and weights; how torch packs the graph is its own affair."""
    parts = []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            content = archive.read(name)
            if name.endswith(".npz"):
                content = arrays_bytes(io.BytesIO(content))
            parts += [name.encode(), b"" if name.endswith(".pt2") else content]
    return b"|".join(parts)


@app.command()
@user_command
def main(
    kills: Annotated[int, typer.Option(min=1, help="SIGKILLs in all, spread over the commands in turn.")] = 200,
    only: Annotated[str, typer.Option(help="Some commands: cv,clean,tune,ensemble,noise,submit,bundle.")] = "",
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
