"""Chest X-rays: what TOML can't say is only how the embedded sample is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_KINDS = ("bacteria", "virus")


def make_sample(folder: Path) -> None:
    """Draw 60 patients' chests (training 48, validation 4, test 12 images) under Kaggle's file names, and a small npz.

    A body with two dark lungs; with pneumonia there are bright clouds in one of them. One to three images per patient, of
    several sizes. Drawn by this program, no X-rays.
    """
    rng = np.random.default_rng(16)
    for split, patients in (("train", range(1, 31)), ("val", range(31, 35)), ("test", range(35, 47))):
        for patient in patients:
            sick = patient % 2 == 0
            pictures = int(rng.integers(1, 4)) if split == "train" else 1
            for number in range(1, pictures + 1):
                side = int(rng.integers(120, 260))
                name = (
                    f"person{patient}_{_KINDS[patient % 4 // 2]}_{patient * 3 + number}"
                    if sick
                    else _normal(patient, number)
                )
                if split == "test":
                    path = folder / "chest_xray/test" / f"test_{patient - 34:04}.jpeg"
                else:
                    path = folder / "chest_xray" / split / ("PNEUMONIA" if sick else "NORMAL") / f"{name}.jpeg"
                path.parent.mkdir(parents=True, exist_ok=True)
                _draw(rng, side, sick).save(path, quality=90)
    ids = [f"test_{i:04}" for i in range(1, 13)]
    (folder / "chest_xray/sample_submission.csv").write_text("\n".join(["id,label", *(f"{i},0" for i in ids)]) + "\n")
    labels = np.arange(120) % 2
    small = np.stack([np.asarray(_draw(rng, 28, bool(label)).resize((28, 28))) for label in labels])
    np.savez_compressed(
        folder / "pneumoniamnist_28.npz",
        train_images=small[:96],
        train_labels=labels[:96].astype(np.uint8),
        test_images=small[96:],
    )


def _normal(patient: int, number: int) -> str:
    return f"{'NORMAL2-' if patient % 4 == 1 else ''}IM-{patient:04}-{number:04}"


def _draw(rng: np.random.Generator, side: int, sick: bool) -> Any:
    """A grey image, wider than high."""
    from PIL import Image, ImageDraw, ImageFilter

    width, height = round(side * 1.2), side
    picture = Image.new("L", (width, height), 30)
    pen = ImageDraw.Draw(picture)

    def ellipse(x: float, y: float, rx: float, ry: float, grey: int) -> None:
        pen.ellipse(((x - rx) * width, (y - ry) * height, (x + rx) * width, (y + ry) * height), fill=grey)

    dx, dy = rng.normal(0, 0.02, 2)
    ellipse(0.5 + dx, 0.55 + dy, 0.45, 0.55, 150)
    for x in (0.32, 0.68):
        ellipse(x + dx, 0.5 + dy, 0.13, 0.32, 55)
    ellipse(0.56 + dx, 0.62 + dy, 0.1, 0.16, 170)
    if sick:
        x = rng.choice([0.32, 0.68])
        for _ in range(6):
            ellipse(
                x + dx + rng.normal(0, 0.05), 0.55 + dy + rng.normal(0, 0.1), 0.05, 0.06, int(rng.integers(110, 150))
            )
    blurred = picture.filter(ImageFilter.GaussianBlur(side / 40))
    noisy = np.asarray(blurred) * rng.uniform(0.8, 1.15) + rng.normal(0, 6, (height, width))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
