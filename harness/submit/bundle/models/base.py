"""A model of competition-harness, complete in this folder: needs no harness and no network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ABOUT = json.loads((HERE / "bundle.json").read_text())
BATCH = 128


class Base:
    """Labels for images: `Model().predict(X)`. A backend says how a fold is opened and what it says of a batch."""

    def __init__(self):
        self.folds = [self.open(HERE / name) for name in ABOUT["weights"]]

    def predict(self, X):
        """uint8 (n, H, W, C) -> class numbers int64 (n,)."""
        return self.predict_proba(X).argmax(axis=1).astype(np.int64)

    def predict_proba(self, X):
        """uint8 (n, H, W, C), or a list of (H, W, C) -> probabilities float32 (n, classes), of all folds together."""
        X = as_trained(X)
        total = np.zeros((len(X), ABOUT["classes"]), dtype=np.float64)
        seeds = ABOUT.get("scaling", {}).get("seeds", 1)  # networks of a fold: they are scaled together
        for first in range(0, len(self.folds), seeds):
            proba = scaled(sum(self.of_fold(fold, X) for fold in self.folds[first : first + seeds]) / seeds)
            total += np.eye(total.shape[1])[proba.argmax(axis=1)] + 1e-3 * proba if ABOUT["vote"] else proba
        return (total / total.sum(axis=1, keepdims=True)).astype(np.float32)

    def of_fold(self, fold, X):
        """Probabilities (n, classes) of uint8 images as trained, by one network."""
        said = [self.run(fold, X[start : start + BATCH]) for start in range(0, len(X), BATCH)]
        return np.concatenate(said) if said else np.zeros((0, ABOUT["classes"]))


def scaled(proba):
    """Probabilities as sure as they were right out of fold, where the run was scaled; else as they are."""
    if "scaling" not in ABOUT:
        return proba
    logs = np.log(np.clip(proba.astype(np.float64), 1e-12, 1.0))
    logs = logs * ABOUT["scaling"]["scale"] + ABOUT["scaling"]["bias"]
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def as_trained(X):
    """In the frame that the network was trained on: uint8 (n, H, W, C), or a list of images (H, W, C) of any sizes.

    Images of the size that the harness decoded them to count as decoded, all others as they come from the camera.
    """
    if isinstance(X, np.ndarray) and X.ndim == 3:
        X = X[..., None]
    if isinstance(X, np.ndarray) and X.ndim > 1 and (X.dtype != np.uint8 or X.ndim != 4):
        raise ValueError(f"X must be uint8 (n, height, width, channels), not {X.dtype} {X.shape}")
    frame, decoded = Frame(**ABOUT["frame"]), tuple(ABOUT["decoded"])  # noqa: F821
    same = isinstance(X, np.ndarray) and X.shape[1:3] == (frame.height, frame.width)
    if same and (frame.resize != "scale" or X.shape[1:3] == decoded):
        return np.ascontiguousarray(X)
    out = np.empty((len(X), frame.height, frame.width, ABOUT["channels"]), dtype=np.uint8)
    for row, image in enumerate(X):
        image = np.asarray(image)
        image = image[..., None] if image.ndim == 2 else image
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != out.shape[3]:
            raise ValueError(
                f"image {row} must be uint8 (height, width, {out.shape[3]}), not {image.dtype} {image.shape}"
            )
        out[row] = (frame.of_frames() if image.shape[:2] == decoded else frame).pixels(image)
    return out


def read_arrays(path):
    """Arrays of an .npz by name, float16 brought to float32."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    return {key: a.astype(np.float32) if a.dtype == np.float16 else a for key, a in arrays.items()}
