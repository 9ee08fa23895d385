"""Which commands are killed, and when."""

from __future__ import annotations

import importlib.util
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]

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

PLAY_JOURNAL = "oof/shapes/play/journal.jsonl"

PLAY_WATCHED = (
    *[f'{PLAY_JOURNAL}#"state": "{state}"' for state in ("begun", "begun", "begun", "done", "done")],
    f'{PLAY_JOURNAL}#"decision"',
    "oof/shapes/clean/clean.csv",
    "oof/shapes/play/recipes/*.toml",
    "oof/shapes/play/timings/*.json",
    "oof/shapes/play/judged/oof/shapes/*/fold-0.npz",
    "oof/shapes/play/play.toml",
    "oof/shapes/play-*/fold-0.npz",
    "oof/shapes/play-*/.scores.json.*.tmp",
    "oof/shapes/play-*/scores.json",
    "oof/shapes/ensemble-*/scores.json",
    "submissions/shapes/*.csv",
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
    played = ("harness.play", "shapes", "--fold-epochs", "500", "--workers", "1", "--device", "cpu")
    return [
        Scene("cv", "cleaned", cv, (*cv, "--resume"), RUN_WATCHED),
        Scene("cv", "cleaned", (*cv, "--workers", "1"), (*cv, "--workers", "1", "--resume"), RUN_WATCHED),
        Scene("clean", "bare", clean, clean, cleaned),
        *(Scene("tune", "cleaned", t, t, TUNE_WATCHED, sampled="grid" not in t) for t in tunes),
        Scene("ensemble", "trained", ensemble, ensemble, ENSEMBLE_WATCHED),
        Scene("noise", "cleaned", noisy, (*noisy, "--resume"), NOISE_WATCHED),
        *(Scene("submit", "trained", submit, again, LEDGER, platform=p) for p in platforms),
        Scene("bundle", "trained", bundle, bundle, zips),
        Scene("play", "bare", played, played, PLAY_WATCHED),
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
