"""python -m benchmarks.gpu: what the harness makes of a GPU. Needs one (or --device cpu, to see that it runs).

1. The card's peak: a large bf16 matrix product.
2. The CIFAR-10 speed run: `speedrun`'s network and steps on 50,000 images. With --cifar FILE.npz (images uint8
   (60000, 32, 32, 3), the 10,000 test images last, and labels) the real data and the accuracy of each seed; else random
   pixels of the same size, which take the same time. With --airbench SCRIPT the published script is run beside it.
3. A whole 5-fold CV of the small CNN, against the plain loop on the same card.
Each with the share of the card's peak that its multiplications reach.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.common import describe_machine, load_before, print_machine, say
from harness.base.command import JsonOption, new_app, user_command
from harness.base.errors import UserError

app = new_app()


@app.command()
@user_command
def main(
    device: Annotated[str, typer.Option(help="cuda, cuda:N, or cpu to try the script.")] = "cuda",
    cifar: Annotated[Path | None, typer.Option(help=".npz with all 60,000 CIFAR-10 images.")] = None,
    airbench: Annotated[Path | None, typer.Option(help="airbench94.py, to time on the same card.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Speed runs.")] = 5,
    images: Annotated[int, typer.Option(min=2048, help="Training images of the speed run.")] = 50_000,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of the speed run.")] = 10,
    rows: Annotated[int, typer.Option(min=2000, help="Rows of the cross-validation.")] = 40_000,
    as_json: JsonOption = False,
) -> None:
    """Print peak, speed run, 5-fold CV and what bounds them. Let nothing else run."""
    import torch

    from harness.train.precision import cpu_name, usable_device

    before, card = load_before(), usable_device(device)
    name = torch.cuda.get_device_name(card) if card.type == "cuda" else cpu_name()
    report: dict[str, Any] = {"device": name, "peak_tflops": round(peak(card) / 1e12, 2)}
    say(f"{name}: {report['peak_tflops']:,} TFLOP/s in bf16 by a matrix product")
    report["speedrun"] = time_speedrun(card, cifar, seeds, images, epochs, report["peak_tflops"])
    if airbench:
        report["airbench_seconds"] = time_script(airbench)
    report["cross_validation"] = time_cross_validation(card, rows)
    report["machine"] = describe_machine(name, before)
    if as_json:
        print(json.dumps(report, indent=2))
        return
    for key in ("speedrun", "airbench_seconds", "cross_validation"):
        if key in report:
            print(f"{key}: {json.dumps(report[key])}")
    print_machine(report["machine"])


def peak(device: Any) -> float:
    """FLOP/s of a bf16 matrix product, the best of five."""
    import torch

    from harness.train.precision import synchronize

    n = 8192 if device.type == "cuda" else 1024
    a = torch.randn(n, n, device=device, dtype=torch.bfloat16)
    best = 0.0
    for _ in range(6):
        synchronize(device)
        started = time.perf_counter()
        a @ a
        synchronize(device)
        best = max(best, 2 * n**3 / (time.perf_counter() - started))
    return best


def time_speedrun(
    device: Any, cifar: Path | None, seeds: int, images: int, epochs: int, peak_tflops: float
) -> dict[str, Any]:
    """Seconds of each seed's training, the data on the device; accuracy with the real data."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from harness.models.network import Network
    from harness.models.speedrun import speedrun
    from harness.train.fit import Rows, Training
    from harness.train.inputs.network_inputs import PixelInputs
    from harness.train.inputs.pixels import ResidentImages, to_float
    from harness.train.precision import Layout, synchronize
    from harness.train.prediction.predict import Predictor, predict

    pixels, labels, n = _cifar(cifar, images)
    recipe, layout = speedrun_recipe(epochs, min(1024, n)), Layout("bf16", True)
    source, truth = ResidentImages(pixels, device), torch.from_numpy(labels).to(device)
    rows, seconds, accuracies, flops = torch.arange(n, device=device), [], [], 0
    for seed in range(seeds + 1):  # the first one warms up
        torch.manual_seed(seed)
        body = speedrun(32, 32, 3, 10)
        network = Network(body, [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616], 10).to(device)
        some = to_float(source.take(rows[:5000]), torch.contiguous_format)
        body.initialise((some - network.mean) / network.std)
        if seed == 0:
            with FlopCounterMode(display=False) as counter:
                network(some[:8]).sum().backward()
            flops = counter.get_total_flops() // 8
            network.zero_grad()
        training = Training(network, PixelInputs(source, recipe, layout, seed), truth, Rows(rows), recipe, layout, seed)
        synchronize(device)
        started = time.perf_counter()
        for epoch in range(1, epochs + 1 if seed else 2):
            training.epoch(epoch, lambda done: None)
        training.finish()
        synchronize(device)
        if seed == 0:
            continue
        seconds.append(time.perf_counter() - started)
        if cifar:
            test = torch.arange(n, len(pixels), device=device)
            proba = predict(Predictor(network, layout), PixelInputs(source, recipe, layout), test, recipe.predict)
            accuracies.append(float((proba.argmax(1) == torch.from_numpy(labels[n:])).float().mean()))
        said = f", {accuracies[-1]:.4f} of the test images right" if accuracies else " (random pixels)"
        say(f"speed run {seed}: {seconds[-1]:.2f} s{said}")
    trained = training.images_per_epoch * epochs
    reached = flops * trained / min(seconds) / 1e12
    return {
        "seconds": [round(s, 3) for s in seconds],
        "images_per_second": round(trained / min(seconds)),
        "accuracy": round(mean(accuracies), 4) if accuracies else None,
        "share_of_peak": round(reached / peak_tflops, 3),
    }


def speedrun_recipe(epochs: int, batch: int) -> Any:
    """The constants of airbench94 (Jordan 2024), as far as the harness has a key for them."""
    from harness.competition import Recipe
    from harness.competition.augment_spec import AugmentSpec
    from harness.competition.recipe import ModelSpec, PredictSpec
    from harness.competition.train_spec import TrainSpec

    return Recipe(
        name="speedrun",
        model=ModelSpec(name="speedrun"),
        augment=AugmentSpec(pad_crop=2, alternating_flip=True, fill="reflect"),
        train=TrainSpec(
            epochs=epochs,
            batch_size=batch,
            optimizer="sgd",
            lr=1.5,
            momentum=0.85,
            weight_decay=0.0015,
            bias_lr=64.0,
            schedule="one_cycle",
            warmup=0.23,
            label_smoothing=0.2,
            ema=0.99,
        ),
        predict=PredictSpec(tta=("identity", "hflip"), batch_size=2000),
    )


def _cifar(path: Path | None, images: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Pixels, labels, and how many of them are for training."""
    if path is None:
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (images, 32, 32, 3), dtype=np.uint8), np.arange(images) % 10, images
    try:
        with np.load(path, allow_pickle=False) as file:
            pixels, labels = file["images"], file["labels"].astype(np.int64).reshape(-1)
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"--cifar {path}: wanted an .npz with images and labels ({error})") from error
    return pixels, labels, len(pixels) - 10_000


def time_script(path: Path) -> float:
    """Wall seconds of a script, imports and compilation and all; its own output says more."""
    if not path.is_file():
        raise UserError(f"--airbench {path}: not there")
    started = time.perf_counter()
    subprocess.run([sys.executable, path.name], cwd=path.parent, check=True)
    return round(time.perf_counter() - started, 2)


def time_cross_validation(device: Any, rows: int) -> dict[str, Any]:
    """A 5-fold CV of the report's small network: harness and plain loop, in turns, each in a process of its own."""
    from benchmarks.peers import Job
    from benchmarks.train_speed import prepare, run_contender

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        competition, _ = prepare("color", folder, None, rows)
        for workers in (0, 8) if device.type == "cuda" else (0,):
            job = Job(str(competition), "cnn_bn", str(folder / "data"), 2, workers or 2, workers, str(device))
            result = run_contender(folder, job, "plain")
            speed = result["images"] / result["seconds"]
            found["plain"] = max(found.get("plain", 0), round(speed))
            say(f"plain loop, num_workers={workers}: {speed:,.0f} images/s")
        job = Job(
            str(competition), "cnn_bn", str(folder / "data"), 2, 16 if device.type == "cuda" else 2, 0, str(device)
        )
        run_contender(folder, job, "harness")  # decodes, times its layouts
        result = run_contender(folder, job, "harness")
        found["harness"] = round(result["images"] / result["seconds"])
        say(f"harness: {found['harness']:,} images/s ({result['how']})")
    return {**found, "ratio": round(found["harness"] / found["plain"], 2)}


if __name__ == "__main__":
    app()
