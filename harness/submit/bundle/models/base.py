"""A model of competition-harness, complete in this folder: needs no harness and no network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ABOUT = json.loads((HERE / "bundle.json").read_text())
BATCH = 128


class Base:
    """Answers to images: `Model().predict(X)`. A backend says how a fold's network is opened and what it says of a batch."""

    def __init__(self):
        self.networks = [self.open(HERE / name) for name in ABOUT["weights"]]

    def predict(self, X):
        """uint8 (n, H, W, C), or a list of (H, W, C) -> the answers, by "answer" of bundle.json; classes are numbered as in "names".

        value class, index, confident: class numbers int64 (n,); ranked: int64 (n, k), likeliest first; labels, onehot: 0 or 1,
        int64 (n, K); probability, number: float32 (n, K), or (n,) where one column is asked for.
        """
        return answered(self.together(X, ABOUT["answer"]["scaled"]))

    def predict_proba(self, X):
        """The same images -> outputs float32 (n, K) of all folds together: probabilities of classes or labels, or numbers."""
        return self.together(X, True)

    def together(self, X, scale):
        """Outputs float32 (n, K) of all folds together; their probabilities scaled before, if asked for."""
        X, seeds = as_trained(X), ABOUT["seeds"]
        groups = [self.networks[first : first + seeds] for first in range(0, len(self.networks), seeds)]
        folds = (sum(self.of_network(network, X) for network in group) / seeds for group in groups)
        folds = (scaled(said) if scale else said for said in folds)
        if ABOUT["vote"]:
            return VOTES[ABOUT["answer"]["answers"]](list(folds)).astype(np.float32)  # noqa: F821
        return (sum(said.astype(np.float64) for said in folds) / len(groups)).astype(np.float32)

    def of_network(self, network, X):
        """Outputs (n, K) of uint8 images as trained, by one network."""
        said = [self.run(network, X[start : start + BATCH]) for start in range(0, len(X), BATCH)]
        return np.concatenate(said) if said else np.zeros((0, ABOUT["classes"]))


def scaled(proba):
    """Probabilities as sure as they were right out of fold, where the run was scaled; else as they are."""
    if not ABOUT["scaling"]:
        return proba
    labels = ABOUT["answer"]["answers"] == "labels"
    p = np.clip(proba.astype(np.float64), 1e-12, 1 - 1e-12 if labels else 1.0)
    logits = np.log(p) - np.log1p(-p) if labels else np.log(p)
    logits = logits * ABOUT["scaling"]["scale"] + ABOUT["scaling"]["bias"]
    if labels:
        return np.exp(-np.logaddexp(0.0, -logits))  # the sigmoid, without overflow
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def answered(outputs):
    """What "answer" of bundle.json asks for of outputs float32 (n, K), by the decision that was found out of fold."""
    how = ABOUT["answer"]
    value, labels = how["value"], how["answers"] == "labels"
    if how["threshold"] is not None:
        outputs = moved(outputs, how["threshold"])  # noqa: F821
    if how["decision"] is not None:
        outputs = DECISIONS[how["answers"]](outputs, how["decision"])  # noqa: F821
    if value in ("probability", "number"):
        outputs = clipped_to(outputs, how["eps"], not labels) if how["eps"] else outputs  # noqa: F821
        return (outputs[:, -1] if how["one_column"] else outputs).astype(np.float32)
    if value == "ranked":
        return np.argsort(-outputs, axis=1, kind="stable")[:, : how["k"]]
    if labels:
        said = outputs >= 0.5
        none = np.flatnonzero(~said.any(axis=1) & how["likeliest"])
        said[none, outputs[none].argmax(axis=1)] = True
        return said.astype(np.int64)
    best = outputs.argmax(axis=1).astype(np.int64)
    return np.eye(outputs.shape[1], dtype=np.int64)[best] if value == "onehot" else best


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
