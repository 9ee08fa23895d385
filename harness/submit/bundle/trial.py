"""Run a bundle as the platform would: a fresh folder tree, a clean process without the harness and without network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UserError

_RUNNER = """
import json, os, resource, sys, time
os.chdir("ingested_program")
sys.path.insert(0, os.getcwd())
for name in sys.argv[2:]:
    sys.modules[name] = None  # a bundle that needs it must fail here, not on the platform
if sys.argv[1] == "python":
    import socket
    def refuse(*args, **kwargs):
        raise OSError("no network in the trial")
    socket.socket.connect = socket.create_connection = refuse
import numpy as np
X = np.load("../input_data/X.npy", allow_pickle=False)
started = time.perf_counter()
from model import Model
model = Model()
loaded = time.perf_counter()
y = np.asarray(model.predict(X))
done = time.perf_counter()
np.save("../output/labels.npy", y)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
told = {"load": loaded - started, "predict": done - loaded, "peak_gib": peak}
open("../output/told.json", "w").write(json.dumps(told))
"""


@dataclass(frozen=True)
class Trial:
    """How it went.

    Attributes
    ----------
    labels : int64 (n,)
    load, seconds_per_image : seconds to load, and of `predict` per picture; peak_gib : memory of the process
    isolated : "network namespace" or "python" (sockets are refused, which a determined program could get round)
    printed : the first line that it wrote to stdout, "" where it was quiet
    """

    labels: np.ndarray
    load: float
    seconds_per_image: float
    peak_gib: float
    isolated: str
    printed: str

    def images_within(self, seconds: float) -> int:
        """How many pictures it could label in a time limit on a machine like this."""
        return max(int((seconds - self.load) / max(self.seconds_per_image, 1e-9)), 0)


def try_bundle(
    path: Path,
    pixels: np.ndarray,
    n_classes: int,
    seconds: float,
    memory_gib: float | None,
    lacks: Sequence[str] = ("harness",),
) -> Trial:
    """Unpack and run a bundle on pictures uint8 (n, H, W, C).

    lacks : modules that it must do without

    Raises
    ------
    UserError
        If it is not flat, fails, takes too long or too much memory, or does not give n labels.
    """
    with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
        root = Path(folder)
        for name in ("ingested_program", "input_data", "output"):
            (root / name).mkdir()
        _unpack(path, root / "ingested_program")
        np.save(root / "input_data" / "X.npy", pixels)
        isolated, prefix = _isolation()
        command = [*prefix, sys.executable, "-I", "-c", _RUNNER, isolated, *lacks]
        try:
            done = subprocess.run(
                command, cwd=root, capture_output=True, text=True, timeout=seconds, env=_bare_environment(root)
            )
        except subprocess.TimeoutExpired as error:
            raise UserError(f"{path}: took longer than {seconds:.0f} s for {len(pixels):,} pictures") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
            raise UserError(f"{path}: fails where the platform would run it: {last}")
        told = json.loads((root / "output" / "told.json").read_text())
        labels = np.load(root / "output" / "labels.npy", allow_pickle=False)
    _check_labels(path, labels, len(pixels), n_classes)
    if memory_gib is not None and told["peak_gib"] > memory_gib:
        raise UserError(f"{path}: takes {told['peak_gib']:.2f} GiB of memory, more than {memory_gib:.2f}")
    printed = (done.stdout.strip().splitlines() or [""])[0]
    per_image = told["predict"] / max(len(pixels), 1)
    return Trial(labels.astype(np.int64), told["load"], per_image, told["peak_gib"], isolated, printed)


def _unpack(path: Path, folder: Path) -> None:
    """Members of a flat zip only: a name with a folder, or one that climbs, is refused."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            deep = [name for name in names if "/" in name or "\\" in name or name in ("", ".", "..")]
            if deep:
                raise UserError(f"{path}: is not flat: '{deep[0]}'. The platform looks for model.py at the top.")
            if "model.py" not in names:
                raise UserError(f"{path}: holds no model.py")
            for name in names:
                with archive.open(name) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, FileNotFoundError) as error:
        raise UserError(f"{path}: is no zip ({error})") from error


def _check_labels(path: Path, labels: np.ndarray, n: int, n_classes: int) -> None:
    if labels.shape != (n,):
        raise UserError(f"{path}: predict gives {labels.shape} for {n} pictures; wanted ({n},), not one-hot")
    if not np.issubdtype(labels.dtype, np.integer):
        raise UserError(f"{path}: predict gives {labels.dtype}; wanted whole numbers")
    if n and not (labels.min() >= 0 and labels.max() < n_classes):
        raise UserError(f"{path}: predict gives labels {labels.min()} to {labels.max()}; there are {n_classes} classes")


def _isolation() -> tuple[str, list[str]]:
    """A network namespace of its own where the system lets us, else sockets refused by Python."""
    unshare = shutil.which("unshare")
    if unshare and subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode == 0:
        return "network namespace", [unshare, "-rn"]
    return "python", []


def _bare_environment(root: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(root), "TMPDIR": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
