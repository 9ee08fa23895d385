"""python -m benchmarks.places: where in the image is the digit? Built-in recipes on numbers that are places.

Each of scikit-learn's 1,797 real digits stands at a random place of a larger, noisy image, beside parts of others; asked for are the
middle and a corner of the box around its ink, in pixels. The built-in `quick` neither shifts, turns nor zooms such images, since
that would move what is asked for; here it is held against itself with the usual shifts, and against the pretrained recipes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.common import say
from harness.base.command import new_app, user_command
from harness.base.terminal import print_table

SIDE, SCALE = 48, 3
NAMES = ("middle_x", "middle_y", "corner_x", "corner_y")
TOML = f"""title = "Places"
task = "regression"
metric = "rmse"
[data]
format = "arrays"
size = {SIDE}
channels = 1
train = "images.npy"
labels = "places.csv"
test = "test"
optional = ["test"]
label = {json.dumps(NAMES)}
[submission]
"""
USUAL = ("augment.rotation=12", "augment.shift=0.08", "augment.zoom=0.1")
"""What `quick` does to images whose label stays."""
app = new_app()


@app.command()
@user_command
def main(
    folds: Annotated[str, typer.Option(help="Folds of five that are trained.")] = "0,1",
    epochs: Annotated[int, typer.Option(min=1, help="Of the networks from scratch.")] = 12,
) -> None:
    """Train each and print its error in pixels."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="places-") as home:
        spread = _write(Path(home))
        ways: dict[str, tuple[str, tuple[str, ...]]] = {
            "quick": ("quick", (f"train.epochs={epochs}",)),
            "quick, with the usual shifts": ("quick", (f"train.epochs={epochs}", *USUAL)),
            "transfer": ("transfer", ()),
            "finetune": ("finetune", ()),
        }
        for name, (recipe, settings) in ways.items():
            started = time.perf_counter()
            score = _trained(Path(home), recipe, folds, settings)
            interval = f"{score['pooled']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"
            rows.append([name, interval, f"{time.perf_counter() - started:.0f}"])
            say(f"{name}: {interval}")
    print_table(("recipe", "RMSE in pixels [95 %]", "seconds"), rows, left=1)
    print(f"the mean place, always: {spread:.3f}")


def _write(home: Path) -> float:
    """The competition and its images; returns the error of the mean place."""
    from sklearn.datasets import load_digits

    digits = np.round(load_digits().images * 15.9).astype(np.uint8).repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    rng, side = np.random.default_rng(0), digits.shape[1]
    images = rng.integers(0, 60, (len(digits), SIDE, SIDE), dtype=np.uint8)
    places = np.zeros((len(digits), len(NAMES)))
    for image, digit, place in zip(images, digits, places, strict=True):
        for other in digits[rng.integers(len(digits), size=2)]:
            _draw(image, other[: side // 2, : side // 2], rng)
        x, y = _draw(image, digit, rng)
        ink = np.argwhere(digit > 100)
        (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0)
        place[:] = x + (left + right) / 2, y + (top + bottom) / 2, x + right, y + bottom
    folder, data = home / "competitions" / "places", home / "data" / "places"
    for path in (folder, data):
        path.mkdir(parents=True)
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    np.save(data / "images.npy", images)
    lines = [",".join(NAMES), *(",".join(f"{value:g}" for value in place) for place in places)]
    (data / "places.csv").write_text("\n".join(lines), encoding="utf-8")
    return float(np.sqrt(((places - places.mean(axis=0)) ** 2).mean()))


def _draw(image: np.ndarray, part: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """Put a part at a random place, where its ink is brighter than what is there; returns its left and top."""
    x, y = (int(v) for v in rng.integers(0, SIDE - len(part) + 1, 2))
    there = image[y : y + len(part), x : x + len(part)]
    np.maximum(there, part, out=there)
    return x, y


def _trained(home: Path, recipe: str, folds: str, settings: tuple[str, ...]) -> dict[str, Any]:
    """The scores of a run."""
    command = [sys.executable, "-m", "harness.cv", "places", "--recipe", recipe, "--folds", folds, "--json", "--quiet"]
    command += [word for setting in settings for word in ("--set", setting)]
    here = str(Path(__file__).resolve().parents[1])
    environment = os.environ | {"PYTHONPATH": here, "HARNESS_CACHE": str(home / "cache")}
    done = subprocess.run(command, cwd=home, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)["metrics"]["rmse"]
    return found


if __name__ == "__main__":
    app()
