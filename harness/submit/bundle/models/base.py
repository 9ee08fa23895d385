"""A model of competition-harness, complete in this folder: needs no harness and no network."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

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
        """uint8 (n, H, W, C) -> probabilities float32 (n, classes), of all folds together."""
        X = as_trained(np.asarray(X))
        total = np.zeros((len(X), ABOUT["classes"]), dtype=np.float64)
        for fold in self.folds:
            said = [self.run(fold, X[start : start + BATCH]) for start in range(0, len(X), BATCH)]
            proba = np.concatenate(said) if said else np.zeros_like(total)
            total += np.eye(total.shape[1])[proba.argmax(axis=1)] + 1e-3 * proba if ABOUT["vote"] else proba
        return (total / total.sum(axis=1, keepdims=True)).astype(np.float32)


def as_trained(X):
    """At the size that the network was trained at, by the same filter."""
    if X.ndim == 3:
        X = X[..., None]
    height, width = ABOUT["size"]
    if X.dtype != np.uint8 or X.ndim != 4:
        raise ValueError(f"X must be uint8 (n, height, width, channels), not {X.dtype} {X.shape}")
    if X.shape[1:3] == (height, width):
        return np.ascontiguousarray(X)
    out = np.empty((len(X), height, width, X.shape[3]), dtype=np.uint8)
    for row, picture in enumerate(X):
        image = Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture)
        small = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
        out[row] = small.reshape(height, width, -1)
    return out


def read_arrays(path):
    """Arrays of an .npz by name, float16 brought to float32."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    return {key: a.astype(np.float32) if a.dtype == np.float16 else a for key, a in arrays.items()}
