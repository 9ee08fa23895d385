"""What a command leaves, brought to a form in which two of them can be compared."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.kills.scenes import JOURNAL, PLAY_JOURNAL, Scene


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
                found[name] = digest_of(path) if not _tells_of_a_play(name) else "there"
    if scene.name == "tune":
        found |= study_contents(project)
    if scene.name == "play":
        found |= play_contents(project)
    if scene.platform:
        found |= ledger_contents(project)
    return found


def _tells_of_a_play(name: str) -> bool:
    """Whether a file tells how a play went, with its times: the journal is looked at by `play_contents`."""
    return "oof/shapes/play/" in name and (
        "/timings/" in name or name.endswith(("journal.jsonl", "spent.json", "play.toml", "result.json"))
    )


BY_THE_WAY = ("file", "page", "forecast", "warnings", "folds")
"""Of a step's outcome: where things lie, and how many folds were left to train, which depends on when it was killed."""


def play_contents(project: Path) -> dict[str, str]:
    """Every decision and every step with what came out; how often it was done: a step that was done twice differs."""
    found: dict[str, str] = {}
    done: dict[str, int] = {}
    for text in (project / PLAY_JOURNAL).read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if "decision" in line:
            found[f"decision {line['decision']}"] = json.dumps(line["value"], sort_keys=True)
        step = line.get("step", {})
        if step.get("state") in ("done", "failed", "skipped"):
            key = f"step {step['key']}"
            outcome = {k: v for k, v in timeless(step["outcome"]).items() if k not in BY_THE_WAY}
            found[key] = f"{step['state']} {json.dumps(outcome, sort_keys=True, default=str)}"
            done[key] = done.get(key, 0) + (step["state"] == "done")
    return found | {f"{key}, times done": str(times) for key, times in done.items()}


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
