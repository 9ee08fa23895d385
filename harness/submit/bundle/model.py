"""A model of competition-harness, complete in this folder: needs torch, numpy and pillow, and no network."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

HERE = Path(__file__).resolve().parent
BATCH = 128


class Model:
    """Labels for pictures: `Model().predict(X)`."""

    def __init__(self):
        self.about = json.loads((HERE / "bundle.json").read_text())
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = torch.export.load(str(HERE / self.about["graph"])).module().to(self.device)
        self.weights = [self._read(name) for name in self.about["weights"]]

    def predict(self, X):
        """uint8 (n, H, W, C) -> class numbers int64 (n,)."""
        return self.predict_proba(X).argmax(axis=1).astype(np.int64)

    def predict_proba(self, X):
        """uint8 (n, H, W, C) -> probabilities float32 (n, classes), of all folds together."""
        X = self._as_trained(np.asarray(X))
        total = np.zeros((len(X), self.about["classes"]), dtype=np.float64)
        for weights in self.weights:
            self.network.load_state_dict(weights)
            proba = self._run(X)
            total += np.eye(total.shape[1])[proba.argmax(axis=1)] + 1e-3 * proba if self.about["vote"] else proba
        return (total / total.sum(axis=1, keepdims=True)).astype(np.float32)

    def _run(self, X):
        parts = []
        with torch.inference_mode():
            for start in range(0, len(X), BATCH):
                pixels = torch.from_numpy(X[start : start + BATCH]).to(self.device)
                parts.append(self.network(pixels).cpu().numpy())
        return np.concatenate(parts)

    def _as_trained(self, X):
        """At the size that the network was trained at, by the same filter."""
        if X.ndim == 3:
            X = X[..., None]
        height, width = self.about["size"]
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

    def _read(self, name):
        with np.load(HERE / name, allow_pickle=False) as file:
            tensors = {key: torch.from_numpy(file[key]) for key in file.files}
        whole = {key: t.float() if t.dtype == torch.float16 else t for key, t in tensors.items()}
        return {key: t.to(self.device) for key, t in whole.items()}
