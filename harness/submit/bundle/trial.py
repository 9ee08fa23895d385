"""Run a bundle as the platform would: a fresh folder tree, a process apart, without the harness and without network."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.secrets import redact
from harness.base.untrusted_text import plain
from harness.submit.bundle.answers import Form
from harness.submit.bundle.sandbox import isolation, run_apart

_RUNNER = """
import json, os, sys, time
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
np.save("../output/answers.npy", y)
told = {"load": loaded - started, "predict": done - loaded}
open("../output/told.json", "w").write(json.dumps(told))
"""


@dataclass(frozen=True)
class Trial:
    """How it went.

    Attributes
    ----------
    answers : what `predict` gave, int64 or float64 (n,) or (n, columns)
    load, seconds_per_image : seconds to load, and of `predict` per image
    peak_gib : memory of the process and all that it started
    isolated : "sandbox", "network namespace" or "python" (see `sandbox`)
    printed : the first line that it wrote to stdout, "" where it was quiet
    """

    answers: np.ndarray
    load: float
    seconds_per_image: float
    peak_gib: float
    isolated: str
    printed: str

    def images_within(self, seconds: float) -> int:
        """How many images it could answer in a time limit on a machine like this."""
        return max(int((seconds - self.load) / max(self.seconds_per_image, 1e-9)), 0)


def try_bundle(
    path: Path,
    pixels: np.ndarray,
    form: Form,
    seconds: float,
    memory_gib: float | None,
    lacks: Sequence[str] = ("harness",),
) -> Trial:
    """Unpack and run a bundle on images uint8 (n, H, W, C).

    form : what its answers must look like
    lacks : modules that it must do without

    Raises
    ------
    UserError
        If it is not flat, fails, takes too long or too much memory, or does not give n answers of that form.
    """
    with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
        root = Path(folder) / "box"
        for name in ("ingested_program", "input_data", "output"):
            (root / name).mkdir(parents=True)
        _unpack(path, root / "ingested_program")
        np.save(root / "input_data" / "X.npy", pixels)
        kind = isolation()
        done = run_apart(["-I", "-c", _RUNNER, kind, *lacks], root, seconds, memory_gib)
        if done.ended == "time":
            raise UserError(
                f"{path}: took longer than {seconds:.0f} s for {len(pixels):,} images. Make it faster (fewer views of predict.tta, fewer "
                "folds), or give the platform's true --limit"
            )
        if done.ended == "memory":
            raise UserError(
                f"{path}: takes more than {memory_gib:.2f} GiB of memory. Predict in smaller batches (predict.batch_size), or give the "
                "platform's true --memory"
            )
        if done.code:
            raise UserError(f"{path}: fails where the platform would run it: {_last_line(root.parent / 'stderr.txt')}")
        answers, load, predict = _read_output(path, root / "output", form.shape(len(pixels)))
        printed = _first_line(root.parent / "stdout.txt")
    wrong = form.wrong(answers, len(pixels))
    if wrong:
        raise UserError(f"{path}: {wrong}")
    answers = answers.astype(np.int64 if form.numbers else np.float64)
    return Trial(answers, load, predict / max(len(pixels), 1), done.peak_gib, kind, printed)


def _read_output(path: Path, folder: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, float, float]:
    """Answers, seconds to load and to predict, as a stranger's program wrote them."""
    try:
        most = 10_000 + 16 * int(np.prod(shape))
        if (folder / "answers.npy").stat().st_size > most or (folder / "told.json").stat().st_size > 10_000:
            raise ValueError("more than answers")
        told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
        answers = np.load(folder / "answers.npy", allow_pickle=False)
        return answers, float(told["load"]), float(told["predict"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError) as error:
        raise UserError(
            f"{path}: ends without giving answers ({plain(error, 200)}). Model.predict must return an array of shape {shape}, and must not "
            "end the process"
        ) from error


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        return redact(file.read(10_000).decode("utf-8", "replace").strip().split("\n")[0])[:200]


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 10_000, 0))
        lines = file.read().decode("utf-8", "replace").strip().split("\n")
    return redact(lines[-1])[:1000] or "nothing was said"


def _unpack(path: Path, folder: Path) -> None:
    """Members of a flat zip only: a name with a folder, or one that climbs, is refused."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            deep = [name for name in names if "/" in name or "\\" in name or name in ("", ".", "..")]
            if deep:
                raise UserError(
                    f"{path}: is not flat: '{plain(deep[0], 80)}'. The platform looks for model.py at the top."
                )
            if "model.py" not in names:
                raise UserError(f"{path}: holds no model.py")
            for name in names:
                with archive.open(name) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, FileNotFoundError, zlib.error, EOFError, ValueError) as error:
        raise UserError(f"{path}: is no zip ({error})") from error
