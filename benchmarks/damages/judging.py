"""Whether a damage was seen, and whether the cure that a message names cures."""

from __future__ import annotations

import json
import re
import shutil
import time
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import say
from benchmarks.damages.harm import Damage
from benchmarks.damages.project import SECONDS, SLUG, Ended, Whole, apart, launch, must

_CURE = re.compile(
    r"--\w|\b(delete|remove|copy|repeat|run|train|download|again|finish|save|give|make)\b", re.IGNORECASE
)

_SAID = re.compile(
    r"damag|rebuil|anew|missing|not there|differ|checksum|manifest|lost|heal|mended|restored|broken|changed|unreadable",
    re.IGNORECASE,
)

_TIMING = re.compile(r"\d[\d.,]* (s|ms|GiB|MiB|min)\b")

_VOLATILE = ("seconds", "started", "git_commit")

_NO_NUMBERS = (".html", ".sqlite", ".lock", ".journal", ".png", ".log")


@dataclass
class Reference:
    """What a command says and writes on the undamaged project.

    Attributes
    ----------
    lines : of stdout, without timings; err : of stderr
    written : files that it makes or changes, below a place
    """

    lines: list[str]
    err: list[str]
    written: list[str]


def make_reference(whole: Whole, name: str) -> dict[str, Any]:
    """A command's Reference as a dict. It is run on two undamaged copies: what differs between them is left out."""
    said = []
    for place in (whole.after(name), whole.after(f"{name} again")):
        shutil.copytree(whole.place, place)
        ended = must(whole.known[name], place)
        said.append((spoken(ended.out), ended.err.splitlines()))
    (first, err), (second, _) = said
    written = apart(_written, str(whole.place), str(whole.after(name)))
    unlike = apart(_unlike, str(whole.after(name)), str(whole.after(f"{name} again")), written)
    odd = [line for line in first if line not in second]
    if unlike or odd:
        say(f"reference '{name}' is not repeated exactly: {unlike or odd}")
    lines, same = [line for line in first if line in second], [path for path in written if path not in unlike]
    return {"lines": lines, "err": err, "written": same}


def spoken(out: str) -> list[str]:
    """Lines of stdout without timings; of a table of runs not the column of seconds."""
    lines = [_TIMING.sub("TIME", line).rstrip() for line in out.splitlines()]
    if any("camera" in line and "seconds" in line for line in lines):
        lines = [line.rpartition("│")[0].rpartition("│")[0] if line.startswith("│") else line for line in lines]
        lines = [line for line in lines if not line or line[0] not in "┏┡└├┃"]
    lines = [re.sub(r"trial \d+|\[[0-9a-f]{12}-[0-9a-f]{6}\]", "TAG", line) for line in lines]
    return [line for line in lines if not line.startswith(("trial:", "bundle:"))]


def _files(place: str) -> dict[str, Path]:
    """Files with numbers in them, by their path below a place."""
    root = Path(place)
    found = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    kept = {}
    for name, path in found.items():
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if not hidden and path.suffix not in _NO_NUMBERS and name not in ("stdout", "stderr"):
            kept[name] = path
    steady = {n: p for n, p in kept.items() if not p.name.endswith("manifest.json") and p.name != "start.zip"}
    return {n: p for n, p in steady.items() if "/studies/" not in n}


def _written(before: str, after: str) -> list[str]:
    """Files that are new or of other bytes."""
    old, new = _files(before), _files(after)
    return [n for n, path in new.items() if n not in old or old[n].read_bytes() != path.read_bytes()]


def _unlike(a: str, b: str, names: list[str]) -> list[str]:
    """Those of the files whose content differs, seconds and dates aside."""
    return [name for name in names if not _same(Path(a) / name, Path(b) / name)]


def _same(a: Path, b: Path) -> bool:
    """Whether two files hold the same; what cannot be read is not the same."""
    if not (a.is_file() and b.is_file()):
        return a.is_file() == b.is_file()
    if a.read_bytes() == b.read_bytes():
        return True
    try:
        return _content(a) == _content(b)
    except Exception:
        return False


def _content(path: Path) -> Any:
    if path.suffix == ".toml":  # its comments tell trials by their numbers
        return tomllib.loads(path.read_text())
    if path.name == "clean.json":  # it also knows the file that it replaced
        told = json.loads(path.read_text())
        return told | {"as_written": told["as_written"][:1]}
    if path.suffix in (".json", ".jsonl"):
        lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        return [_steady(json.loads(line)) for line in lines]
    if path.suffix == ".npz":
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files if name != "seconds"}
        history = _steady(json.loads(str(arrays.pop("history")))) if "history" in arrays else None
        return history, {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in arrays.items()}
    if path.suffix == ".parquet":
        import pandas as pd

        return pd.read_parquet(path).sort_values("id").to_csv(index=False)  # rows are found by their ids
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    return path.read_bytes()


def _steady(told: Any) -> Any:
    """JSON without what is another each time."""
    if isinstance(told, dict):
        return {key: _steady(value) for key, value in told.items() if key not in _VOLATILE}
    return [_steady(value) for value in told] if isinstance(told, list) else told


def _differences(before: str, place: str, after: str, written: list[str]) -> list[str]:
    """Files that the command left otherwise than it does undamaged; what it did not touch does not count."""
    touched = [name for name in _written(before, place) if (Path(after) / name).is_file()]
    return _unlike(place, after, sorted({*touched, *written}))


@dataclass(frozen=True)
class Outcome:
    """What became of a command on a damaged copy."""

    damage: str
    command: str
    verdict: str
    why: str
    seconds: float

    @property
    def name(self) -> str:
        return f"{self.damage} > {self.command}"


def judge(
    whole: Whole, damage: Damage, before: Path, place: Path, command: str, ended: Ended, reference: Reference
) -> tuple[str, str]:
    """Verdict and reason; before : the state that the command was run on."""
    if ended.code is None:
        return "TRACEBACK", f"did not end in {SECONDS} s"
    if ended.code not in (0, 2) or "Traceback (most recent call last)" in ended.err:
        return "TRACEBACK", f"exit {ended.code}: {(ended.err.strip().splitlines() or [''])[-1][:200]}"
    if ended.code == 2:
        message = ended.message
        names, cure = _names(damage, message), _CURE.search(message)
        lacks = "" if names and cure else f"[{'' if names else 'no file'}{'' if cure else ' no cure'}] "
        return ("VAGUE" if lacks else "seen"), lacks + message[:300]
    lines = spoken(ended.out)
    other = [line for line in reference.lines if line not in lines]
    files = apart(_differences, str(before), str(place), str(whole.after(command)), reference.written)
    if not other and not files:
        was, now = before / damage.path, place / damage.path
        mended = now.is_file() and (not was.is_file() or now.read_bytes() != was.read_bytes())
        return ("healed" if mended else "harmless"), ""
    new = [line for line in lines if line not in reference.lines]
    told = [line for line in ended.err.splitlines() if line not in reference.err] + new
    remarks = [line for line in told if _SAID.search(line) and _names(damage, line)]
    if remarks:
        return "seen", remarks[0][:300]
    shown = ", ".join(Path(name).name for name in files[:3])
    return "WRONG", f"other: {shown + ' ' if shown else ''}{(new or other or [''])[0].strip()[:120]}"


def _names(damage: Damage, message: str) -> bool:
    """Whether a message names the file, or the folder of the run, data set, study or verdicts."""
    path = Path(damage.path)
    folders = [parent.name for parent in path.parents if parent.name not in ("", "project", "cache", "oof", SLUG)]
    if damage.area == "clean" and re.search(r"\bclean\.(csv|json)\b", message):
        return True  # the two belong together
    return path.name in message or any(len(f) > 6 and f in message for f in folders)


def try_damage(whole: Whole, damage: Damage, number: int, known: dict[str, Reference]) -> list[Outcome]:
    """Run the damage's commands, each on a fresh copy; then follow the cures that were named."""
    before, found, cures = whole.work / f"damaged-{number}", [], {}
    shutil.rmtree(before, ignore_errors=True)
    shutil.copytree(whole.place, before)
    apart(_applied, damage, str(before))
    for command in damage.commands:
        started, place = time.perf_counter(), whole.copy(number, before)
        ended = launch(whole.known[command], place)
        verdict, why = judge(whole, damage, before, place, command, ended, known[command])
        found.append(Outcome(damage.name, command, verdict, _plain(why), round(time.perf_counter() - started, 2)))
        if ended.code == 2 and (verdict == "seen" or (verdict == "VAGUE" and damage.area == "runs")):
            cure = cure_of(damage, ended.message)
            cures.setdefault(cure, command)
    for cure, command in cures.items():
        started = time.perf_counter()
        verdict, why = follow(whole, damage, before, number, cure, command, known)
        name = f"cure of '{command}' ({', '.join(cure)})"
        found.append(Outcome(damage.name, name, verdict, _plain(why), round(time.perf_counter() - started, 2)))
    return found


def _plain(text: str) -> str:
    """In one line, without what a damaged file may put into a message."""
    return "".join(letter if letter.isprintable() else "?" for letter in text.replace("\n", " "))


def _applied(damage: Damage, place: str) -> None:
    damage.apply(Path(place))


def cure_of(damage: Damage, message: str) -> tuple[str, ...]:
    """The steps that a message asks for: 'delete PATH' and the command to run then; for a run at least --resume."""
    steps = []
    path = re.search(r"(\S+/\S+?)[:;,]? ", message.replace("PLACE/project/", "").replace("PLACE/", "../"))
    if re.search(r"\bdelete\b|\bremove\b", message, re.IGNORECASE) and path:
        steps.append(f"delete {path[1].rstrip(':')}")
    if "--overwrite" in message or (damage.area == "clean" and "harness.clean" in message):
        steps.append("overwrite")
    elif damage.area == "clean" and "harness.cv" in message:
        steps.append("cv")
    elif damage.area == "journal":
        steps.append("other study" if "--study" in message and not steps else "tune")
    elif damage.area == "runs":
        steps.append("fresh noise" if "--fresh" in message and "--resume" not in message else "resume")
    else:
        steps.append("data" if damage.area == "cache" else "clean")
    return tuple(steps)


CURED = {
    "runs": ("compare", "errors", "submit"),
    "cache": ("data", "submit"),
    "journal": (),
    "clean": ("clean", "cv", "submit best"),
}
"""Commands that must say what they always said once a cure was followed."""


def follow(
    whole: Whole,
    damage: Damage,
    before: Path,
    number: int,
    cure: tuple[str, ...],
    seen_by: str,
    known: dict[str, Reference],
) -> tuple[str, str]:
    """Do what a message asks for; afterwards every command must end well, with the numbers that it always had."""
    place = whole.copy(number, before)
    for step in cure:
        if step.startswith("delete "):
            path = (place / "project" / step.removeprefix("delete ")).resolve()
            if place.resolve() not in path.parents:
                return "STUCK", f"'{step}': lies outside the project and its cache"
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            continue
        ended = launch(whole.known[step], place)
        if ended.code != 0:
            return "STUCK", f"'{step}' ends with {ended.code}: {ended.message[:200]}"
    last = () if seen_by in cure or "other study" in cure else (seen_by,)
    for command in dict.fromkeys((*CURED[damage.area], *last)):
        earlier = whole.work / f"earlier-{number}"
        shutil.rmtree(earlier, ignore_errors=True)
        shutil.copytree(place, earlier)
        ended = launch(whole.known[command], place)
        verdict, why = judge(whole, damage, earlier, place, command, ended, known[command])
        if verdict in ("seen", "VAGUE", "TRACEBACK"):
            return "STUCK", f"afterwards '{command}': {why}"
        if verdict == "WRONG":
            return "WRONG", f"afterwards '{command}': {why}"
    return "healed", ""
