"""python -m harness.kernels.inside JOB: what is done on Kaggle's machine. Called by the notebook that was pushed.

It unpacks the competition's folder, goes on from what an earlier session saved, looks for the competition's files by name, plays the command
as its own process, ends it before the session's time is over, and writes down what it left with checksums. It ends well whatever the
command ended with: then Kaggle keeps the output.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import __version__
from harness.base.storage.atomic_files import write_json
from harness.base.storage.manifest import sha256_of

REPORT = "harness-session.json"
_DEEP = ("*", "*/*", "*/*/*")
_RESULTS = ("oof", "submissions")  # folders that the command writes; what they hold is kept and gone on from


def main() -> None:
    """Play the job."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    home, working, given = Path(job["home"]), Path.cwd(), Path(job["input"])
    competition = _unpack(job, home, working)
    (competition / "recipes").mkdir(exist_ok=True)
    (working / "recipes").mkdir(exist_ok=True)
    before = {path: _stamp(path) for path in _files(working)}
    own = {path: _stamp(path) for path in _files(competition / "recipes")}
    _report(job, working, before, "running", "")
    resumed = _earlier(job, given, working)
    print(f"goes on from {resumed}" if resumed else "begins anew", flush=True)
    root = _data(job, given, home, competition)
    how, said = _played(job, home, root)
    for path in _files(competition / "recipes"):  # what the command wrote there
        if own.get(path) != _stamp(path):
            shutil.copyfile(path, working / "recipes" / path.name)
    _report(job, working, before, how, said)
    print(f"session over: {how}", flush=True)


def _unpack(job: dict[str, Any], home: Path, working: Path) -> Path:
    """The competition's folder with the recipes, and what the command reads below --out; returns the folder."""
    competition = home / "competitions" / job["slug"]
    for name in _RESULTS:
        (working / name).mkdir(exist_ok=True)
        (home / name).symlink_to(working / name)
    places = {"competition/": competition, "out/": working}
    for name, content in _packed(Path(job["pack"])):
        for start, folder in places.items():
            if name.startswith(start):
                _write(folder / name[len(start) :], content)
    for name, text in job["recipes"].items():
        _write(competition / "recipes" / name, text.encode())
    return competition


def _packed(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():  # Kaggle may have unpacked it
        yield from ((p.relative_to(path).as_posix(), p.read_bytes()) for p in sorted(path.rglob("*")) if p.is_file())
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _earlier(job: dict[str, Any], given: Path, working: Path) -> str:
    """Copy what an earlier session of this job saved; returns where it lay, "" where there is none."""
    for depth in _DEEP:
        for path in sorted(given.glob(f"{depth}/{REPORT}")):
            told = json.loads(path.read_text(encoding="utf-8"))
            if told.get("job") == job["job"]:
                for source in [file for name in _RESULTS for file in _files(path.parent / name)]:
                    target = working / source.relative_to(path.parent)
                    if not target.exists():
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(source, target)  # without the mode: inputs are read-only
                return str(path.parent)
    return ""


def _data(job: dict[str, Any], given: Path, home: Path, folder: Path) -> Path:
    """The data root: a folder with a link to the competition's files, which are looked for by name, then by what they hold."""
    from harness.competition import find_competition
    from harness.data.files.archives import FileTree

    root = home / "data"
    root.mkdir()
    train = find_competition(folder).data.train
    named = [path for depth in _DEEP for path in sorted(given.glob(f"{depth[:-1]}{job['folder']}")) if path.is_dir()]
    holding = [path for depth in _DEEP[:2] for path in sorted(given.glob(depth)) if path.is_dir()]
    ours = {Path(job["pack"]).parent}
    for path in [*named, *(p for p in holding if train not in (".", "") and FileTree(p).has(train))]:
        if path not in ours:
            print(f"data: {path}", flush=True)
            (root / job["slug"]).symlink_to(path)
            break
    return root


def _played(job: dict[str, Any], home: Path, root: Path) -> tuple[str, str]:
    """Play the command; how it ended, and its last words."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "HARNESS_HOME"},
        "HARNESS_CACHE": str(home / "cache"),
        "HARNESS_DATA": str(root),
        "HARNESS_PROGRESS": "relay",
        **({"HARNESS_HUB": "1"} if job.get("internet") else {}),
        "HARNESS_FINGERPRINT": job["fingerprint"],
    }
    command = [sys.executable, "-u", "-m", job["module"], *job["words"]]
    process = subprocess.Popen(
        command,
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    late = threading.Event()
    ender = threading.Thread(target=_end_in_time, args=(process, float(job["seconds"]), late), daemon=True)
    ender.start()
    last: list[str] = []
    assert process.stdout
    for line in process.stdout:
        print(line, end="", flush=True)
        last = [*last[-4:], line.strip()]
    code = process.wait()
    if code == 0:
        return "done", ""
    if late.is_set():
        return "time", "the session's time was over"
    said = [line for line in last if line.startswith("error:")] or last[-1:]
    return "error", f"{said[-1] if said else 'nothing was said'} (exit code {code})"


def _end_in_time(process: subprocess.Popen[str], seconds: float, late: threading.Event) -> None:
    """End the command while there is time to save what it finished."""
    ends = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > ends:
            late.set()
            process.send_signal(signal.SIGTERM)
            time.sleep(min(60.0, seconds))
            process.kill()
            return
        time.sleep(0.1)


def _report(job: dict[str, Any], working: Path, before: dict[Path, tuple[int, int]], how: str, said: str) -> None:
    """Write what the session left, with checksums; at first that it has begun, so that a lost one can be told from another's."""
    new = [path for path in _files(working) if before.get(path) != _stamp(path)] if how != "running" else []
    files = {
        path.relative_to(working).as_posix(): {"sha256": sha256_of(path), "bytes": path.stat().st_size}
        for path in new
        if path.name != REPORT and not path.name.startswith(".")
    }
    write_json(working / REPORT, {"job": job["job"], "how": how, "said": said, "harness": __version__, "files": files})


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder.is_dir() else []


def _stamp(path: Path) -> tuple[int, int]:
    return path.stat().st_size, path.stat().st_mtime_ns


if __name__ == "__main__":
    main()
