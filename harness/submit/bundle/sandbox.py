"""Where a bundle is tried: a process that sees neither the user's home nor tokens, sockets or network, as far as the system lets us.

    "sandbox"             a file system of its own (system libraries and this Python, read-only; an own /tmp), no network, own processes
    "network namespace"   no network; files of this machine can be read and written as by the user
    "python"              sockets are refused by Python, which a determined program could get round

Everywhere: an empty environment, limits of file size and processor time, memory watched while it runs, and everything that it has
started is ended with it. Linux only for the first two (unshare, mount, chroot and setpriv of util-linux and coreutils).
"""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_BARE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_TMP_MIB = 2048
_LARGEST_FILE = 4 * 2**30
_LOOK = 0.05

_JAIL = """
set -e
jail=$1 box=$2 interpreter=$3; shift 3
mount --make-rprivate /
mount -t tmpfs -o mode=755,nosuid tmpfs "$jail"
read_only() { for flags in ro ro,nosuid ro,nodev ro,nosuid,nodev ro,nosuid,nodev,noexec; do
    mount -o "remount,bind,$flags" "$1" 2>/dev/null && return; done; exit 9; }
for path in SYSTEM; do
    if [ -L "$path" ]; then mkdir -p "$jail$(dirname "$path")"; cp -P "$path" "$jail$path"
    elif [ -d "$path" ]; then mkdir -p "$jail$path"; mount --bind "$path" "$jail$path"; read_only "$jail$path"
    elif [ -e "$path" ]; then mkdir -p "$jail$(dirname "$path")"; : > "$jail$path"; mount --bind "$path" "$jail$path"
        read_only "$jail$path"; fi
done
for path in DEVICES; do mkdir -p "$jail/dev"; : > "$jail$path"; mount --bind "$path" "$jail$path"; done
mkdir -p "$jail/proc" "$jail/tmp" "$jail/dev/shm" "$jail/box"
mount -t proc proc "$jail/proc"
mount -t tmpfs -o "size=TMPm,mode=1777" tmpfs "$jail/tmp"
mount -t tmpfs -o "size=TMPm,mode=1777" tmpfs "$jail/dev/shm"
mount --bind "$box" "$jail/box"
mount -o remount,ro "$jail"
cd "$jail/box"
exec chroot "$jail" setpriv --no-new-privs --bounding-set=-all --inh-caps=-all -- \\
    sh -c 'cd /box && exec "$@"' sh "$interpreter" "$@"
"""


@dataclass(frozen=True)
class Finished:
    """How a program ended.

    Attributes
    ----------
    code : exit code; None where it was ended by us
    ended : "time" or "memory", which it took too much of; "" where it ended by itself
    peak_gib : the most memory that it and what it started took together
    """

    code: int | None
    ended: str
    peak_gib: float


@functools.cache
def isolation() -> str:
    """What this system lets us do; tried once."""
    with tempfile.TemporaryDirectory(prefix="probe-") as folder:
        jail, box = Path(folder) / "jail", Path(folder) / "box"
        jail.mkdir()
        box.mkdir()
        if _works(_jailed(jail, box, ["-I", "-c", ""])):
            return "sandbox"
    unshare = shutil.which("unshare")
    if unshare and _works([unshare, "-rn", "true"]):
        return "network namespace"
    return "python"


def run_apart(arguments: list[str], box: Path, seconds: float, memory_gib: float | None) -> Finished:
    """Run this Python with arguments in a folder that it may write to; stdout and stderr go to files stdout.txt and stderr.txt beside it.

    memory_gib : more than that ends it; None: the machine's
    """
    kind, jail = isolation(), box.parent / "jail"
    jail.mkdir(exist_ok=True)
    if kind == "sandbox":
        command = _jailed(jail, box, arguments)
    else:
        prefix = [shutil.which("unshare") or "", "-rn"] if kind == "network namespace" else []
        command = [*prefix, sys.executable, *arguments]
    with (box.parent / "stdout.txt").open("wb") as out, (box.parent / "stderr.txt").open("wb") as err:
        process = subprocess.Popen(
            command,
            cwd=box,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=_bare_environment(box, kind),
            start_new_session=True,
            preexec_fn=_limits(seconds),
        )
        return _watch(process, seconds, memory_gib)


def _jailed(jail: Path, box: Path, arguments: list[str]) -> list[str]:
    """The command that runs this Python in a file system of its own, built below `jail`, with `box` as the folder it works in."""
    unshare = shutil.which("unshare") or "unshare"
    spaces = ["--user", "--map-root-user", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
    prefixes = dict.fromkeys([sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parent.parent)])
    seen = [p for p in prefixes if not any(p.startswith(f"{s}/") for s in _SYSTEM)]
    script = _JAIL.replace("SYSTEM", " ".join(f"'{p}'" for p in (*_SYSTEM, *seen) if "'" not in p))
    script = script.replace("DEVICES", " ".join(_DEVICES)).replace("TMP", str(_TMP_MIB))
    return [unshare, *spaces, "sh", "-c", script, "sh", str(jail), str(box), sys.executable, *arguments]


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60, env=_BARE).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def _limits(seconds: float) -> Callable[[], None]:
    """Set in the child before it begins: no core dumps, no endless files, no endless work."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def limit() -> None:
        for what, value in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, _LARGEST_FILE),
            (resource.RLIMIT_CPU, int(seconds * cores) + 60),
        ):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(what, (value, value))

    return limit


def _bare_environment(box: Path, kind: str) -> dict[str, str]:
    place = "/tmp" if kind == "sandbox" else str(box)
    return _BARE | {"HOME": place, "TMPDIR": place, "PYTHONDONTWRITEBYTECODE": "1"}


def _watch(process: subprocess.Popen[bytes], seconds: float, memory_gib: float | None) -> Finished:
    ends, peak, ended = time.monotonic() + seconds, 0.0, ""
    seen: set[int] = {process.pid}
    try:
        while process.poll() is None and not ended:
            family = _family(process.pid)
            seen |= set(family)
            peak = max(peak, sum(family.values()) / 2**30)
            if memory_gib is not None and peak > memory_gib:
                ended = "memory"
            elif time.monotonic() > ends:
                ended = "time"
            else:
                time.sleep(_LOOK)
    finally:
        _end_all(process, seen)
    return Finished(None if ended else process.returncode, ended, peak)


def _end_all(process: subprocess.Popen[bytes], seen: set[int]) -> None:
    """The process, its group, and whatever of its family has left the group."""
    seen |= set(_family(process.pid))
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for pid in seen - {os.getpid()}:
        if pid != process.pid and _session(pid) is not None and _is_ours(pid, process.pid, seen):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
    process.wait()


def _is_ours(pid: int, leader: int, seen: set[int]) -> bool:
    """Whether a number still belongs to the family: its session is the leader's, or one of the family's."""
    session = _session(pid)
    return session == leader or session in seen


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, IndexError):
        return None


def _session(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[3]) if fields else None


def _family(leader: int) -> dict[int, int]:
    """Bytes of memory of a process and of all that descend from it, by number; {} where the system has no /proc."""
    page = resource.getpagesize()
    parents: dict[int, int] = {}
    memory: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields:
            parents[int(entry.name)], memory[int(entry.name)] = int(fields[1]), int(fields[21]) * page
    found = {leader} if leader in memory else set()
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return {pid: memory[pid] for pid in found}
        found |= more
