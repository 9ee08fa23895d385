"""python -m benchmarks.scale: training from a file of 1,000,000 images against 50,000 images in memory.

Each way trains the small network of recipe `quick` (in colour) in a process of its own, in turns, on random 32x32 images; a
turn trains on `--images` rows drawn over the whole data set. Peak memory is the process's largest resident set.
"""

from __future__ import annotations

import json
import tempfile
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

CLASSES, BATCH = 10, 128

app = new_app()


@app.command()
@user_command
def main(
    n: Annotated[int, typer.Option("--n", min=1000, help="Images in the large file.")] = 1_000_000,
    small: Annotated[int, typer.Option(min=1000, help="Images held in memory.")] = 50_000,
    images: Annotated[int, typer.Option(min=BATCH, help="Images trained on in a turn.")] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each.")] = 2,
    folder: Annotated[
        Path | None, typer.Option(help="Where the file is written (3 GB). Default: a temporary folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Time training from a large file and from memory. Let nothing else run."""
    from harness.train.precision import cpu_name

    before = load_before()
    with tempfile.TemporaryDirectory(dir=folder, prefix="scale-") as name:
        paths = {"in memory": Path(name) / "small.npy", "from the file": Path(name) / "large.npy"}
        write_images(paths["in memory"], small)
        write_images(paths["from the file"], n)
        speeds: dict[str, list[float]] = {way: [] for way in paths}
        peaks: dict[str, int] = {}
        for number in range(1, rounds + 1):
            for way, path in paths.items():
                resident = way == "in memory"
                found = in_a_process(
                    f"from benchmarks.scale import train; train({str(path)!r}, {images}, {threads}, {resident})"
                )
                speeds[way].append(found["images_per_second"])
                peaks[way] = max(peaks.get(way, 0), found["peak_mib"])
                say(f"round {number}: {way}: {speeds[way][-1]:,.0f} images/s, peak {found['peak_mib']:,} MiB")
    report = {
        "machine": describe_machine(cpu_name(), before),
        "settings": {"n": n, "small": small, "images": images, "threads": threads},
        "compared": compare(speeds, "in memory"),
        "peak_mib": peaks,
    }
    if as_json:
        print(json.dumps(report, indent=2))
        return
    print_comparison(f"{n:,} images from a file, {small:,} in memory", report["compared"])
    print_peaks(peaks)
    print_machine(report["machine"])


def write_images(path: Path, n: int, at_once: int = 50_000) -> None:
    """Random uint8 (n, 32, 32, 3)."""
    from harness.data.files.arrays import new_array

    rng, images = np.random.default_rng(0), new_array(path, (n, 32, 32, 3), np.uint8)
    for start in range(0, n, at_once):
        part = images[start : start + at_once]
        part[:] = rng.integers(0, 256, part.shape, dtype=np.uint8)
    images.flush()


def train(path: str, images: int, threads: int, resident: bool) -> None:
    """Train on some rows; prints images per second and the peak of the resident memory."""
    import time

    import torch

    from harness.competition import Recipe
    from harness.competition.augment_spec import AugmentSpec
    from harness.competition.recipe import ModelSpec
    from harness.competition.train_spec import TrainSpec
    from harness.models.network import Network
    from harness.models.small import cnn
    from harness.train.allocator import keep_freed_memory
    from harness.train.fit import Rows, Training
    from harness.train.inputs.network_inputs import PixelInputs
    from harness.train.inputs.pixels import FileImages, ResidentImages
    from harness.train.precision import Layout

    torch.set_num_threads(threads)
    keep_freed_memory()
    cpu, layout = torch.device("cpu"), Layout("bf16", True)
    pixels = np.load(path, mmap_mode="c", allow_pickle=False)
    source = ResidentImages(np.array(pixels), cpu) if resident else FileImages(Path(path), cpu)
    stages = [[32], [48, 48], [96, 96]]
    body = cnn(32, 32, 3, CLASSES, stages=stages, batch_norm=True, pool_first=True, pool_last=False, head="max")
    recipe = Recipe(
        name="x",
        model=ModelSpec(name="cnn"),
        augment=AugmentSpec(rotation=12.0, shift=0.08, horizontal_flip=0.5),
        train=TrainSpec(epochs=100, batch_size=BATCH, optimizer="adamw"),
    )
    n = len(pixels)
    rows = torch.from_numpy(np.sort(np.random.default_rng(1).choice(n, images, replace=False)))
    labels = torch.arange(n) % CLASSES
    network = Network(body, [0.5] * 3, [0.25] * 3, CLASSES)
    training = Training(network, PixelInputs(source, recipe, layout), labels, Rows(rows), recipe, layout, 0)
    training.rows = Rows(rows[: 4 * BATCH])
    training.per_epoch = 4
    training.epoch(1, lambda images: None)  # to warm up
    training.rows, training.per_epoch = Rows(rows), images // BATCH
    started = time.perf_counter()
    training.epoch(2, lambda images: None)
    seconds = time.perf_counter() - started
    print(json.dumps({"images_per_second": training.images_per_epoch / seconds, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    app()
