"""python -m benchmarks.packed: Kaggle's cifar-10.zip with 300,000 test images in a 7z, from the zip to a submission.

Writes a zip in Kaggle's layout (drawn PNG images of about 2 KB in train.7z and test.7z), then has it read by the harness and
by what people write themselves: unpack the 7z into a folder of files, open each with Pillow, stack them. Each in a process
of its own, so that its peak memory is its own. Last, a run of one epoch and its submission, as a user would start them.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.common import (
    compare,
    describe_machine,
    in_a_process,
    load_before,
    peak_mib,
    print_comparison,
    print_machine,
    print_peaks,
    say,
)
from harness.base.command import JsonOption, new_app, user_command
from harness.base.errors import UserError
from harness.competition import find_competition

WAYS = ("harness", "by hand")

app = new_app()


@app.command()
@user_command
def main(
    n: Annotated[int, typer.Option("--n", min=100, help="Test images.")] = 300_000,
    n_train: Annotated[int, typer.Option(min=100, help="Training images.")] = 5_000,
    folder: Annotated[
        Path | None, typer.Option(help="Where everything is written (4 GB). Default: a temporary folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Time the reading of a packed data set, and a run and a submission on it. Let nothing else run."""
    from harness.train.precision import cpu_name

    before = load_before()
    with tempfile.TemporaryDirectory(dir=folder, prefix="packed-") as name:
        place = Path(name)
        size = write_download(place / "data" / "cifar-10" / "cifar-10.zip", n_train, n)
        speeds: dict[str, list[float]] = {}
        peaks: dict[str, int] = {}
        for way in WAYS:
            code = f"from benchmarks.packed import read; read({way!r}, {name!r})"
            found = in_a_process(code, **_environment(place))
            speeds[way], peaks[way] = [found["images"] / found["seconds"]], found["peak_mib"]
            say(f"{way}: {found['images']:,} images in {found['seconds']:.0f} s, peak {found['peak_mib']:,} MiB")
        seconds = _run_and_submit(place)
    report = {
        "machine": describe_machine(cpu_name(), before),
        "settings": {"n": n, "n_train": n_train, "zip_mib": size // 2**20},
        "compared": compare(speeds, "by hand"),
        "peak_mib": peaks,
        "seconds": seconds,
    }
    if as_json:
        print(json.dumps(report, indent=2))
        return
    print_comparison(f"{n_train:,} + {n:,} images in 7z ({size // 2**20:,} MiB), read into arrays", report["compared"])
    print_peaks(peaks)
    for what, took in seconds.items():
        print(f"{what}: {took:.0f} s")
    print_machine(report["machine"])


def write_download(path: Path, n_train: int, n: int) -> int:
    """Write the zip as Kaggle packs it; returns its size in bytes."""
    import py7zr

    path.parent.mkdir(parents=True)
    counts = {"train": n_train, "test": n}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as outer:
        for split, count in counts.items():
            packed = path.with_name(f"{split}.7z")
            with py7zr.SevenZipFile(packed, "w", filters=[{"id": py7zr.FILTER_LZMA2, "preset": 1}]) as archive:
                for number, png in enumerate(_pictures(count, seed=len(split)), start=1):
                    archive.writestr(png, f"{split}/{number}.png")
            outer.write(packed, f"{split}.7z")
            packed.unlink()
        classes = find_competition("cifar-10").classes
        names = [classes[number % len(classes)] for number in range(n_train)]
        outer.writestr("trainLabels.csv", _csv("label", names))
        outer.writestr("sampleSubmission.csv", _csv("label", [classes[0]] * n))
    return path.stat().st_size


def read(way: str, place: str) -> None:
    """Read the download; prints images, seconds and the peak of the resident memory."""
    started = time.perf_counter()
    images = (_by_harness if way == "harness" else _by_hand)(Path(place))
    print(json.dumps({"images": images, "seconds": time.perf_counter() - started, "peak_mib": peak_mib()}))


def _pictures(n: int, seed: int) -> Iterator[bytes]:
    """Blurred colours with grain: no two alike, and no easier to pack than photographs."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    for _ in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((32, 32))
        grain = rng.integers(-12, 13, (32, 32, 3))
        picture, buffer = np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8), io.BytesIO()
        Image.fromarray(picture).save(buffer, "png", compress_level=1)
        yield buffer.getvalue()


def _csv(column: str, values: list[str]) -> str:
    return "\n".join([f"id,{column}", *(f"{number},{value}" for number, value in enumerate(values, start=1)), ""])


def _by_harness(place: Path) -> int:
    from harness.data.dataset import load_dataset

    found = load_dataset(find_competition("cifar-10"), place / "data")
    return len(found.train) + (len(found.test) if found.test else 0)


def _by_hand(place: Path) -> int:
    import py7zr
    from PIL import Image

    target, read = place / "by-hand", 0
    with zipfile.ZipFile(place / "data" / "cifar-10" / "cifar-10.zip") as outer:
        outer.extractall(target)
    for split in ("train", "test"):
        with py7zr.SevenZipFile(target / f"{split}.7z") as archive:
            archive.extractall(target)
        files = sorted((target / split).iterdir(), key=lambda p: int(p.stem))
        read += len(np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files]))
    return read


def _environment(place: Path) -> dict[str, str]:
    return {"HARNESS_DATA": str(place / "data"), "HARNESS_CACHE": str(place / "cache")}


def _run_and_submit(place: Path) -> dict[str, float]:
    """Seconds of a run of one epoch over five folds, which predicts every test image five times, and of its submission."""
    train = "harness.cv cifar-10 --recipe cnn_bn --set train.epochs=1"
    submit = "harness.submit --comp cifar-10 --dry-run"
    commands = {"harness.cv, one epoch": train.split(), "harness.submit --dry-run": submit.split()}
    seconds = {}
    for what, command in commands.items():
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", *command, "--out", str(place)], env=os.environ | _environment(place), check=False
        )
        if done.returncode:
            raise UserError(f"{' '.join(command)} ended with exit code {done.returncode}; its error stands above.")
        seconds[what] = time.perf_counter() - started
    return seconds


if __name__ == "__main__":
    app()
