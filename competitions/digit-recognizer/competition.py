"""Digit Recognizer: what TOML can't say is only where the embedded sample comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def make_sample(folder: Path) -> None:
    """Write scikit-learn's 1,797 handwritten digits (UCI, Alpaydin and Kaynak 1998) in the competition's layout.

    Each 8x8 image is enlarged to 20x20 and set in the middle of 28x28, as MNIST's digits are. Every fifth image,
    class by class, is a test image: 1,442 have labels, 355 do not.
    """
    import pandas as pd
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = _to_28x28(digits.images).reshape(len(digits.images), 784)
    is_test = _every_fifth(digits.target)
    columns = [f"pixel{i}" for i in range(784)]
    train = pd.DataFrame(pixels[~is_test], columns=columns)
    train.insert(0, "label", digits.target[~is_test])
    train.to_csv(folder / "train.csv", index=False)
    pd.DataFrame(pixels[is_test], columns=columns).to_csv(folder / "test.csv", index=False)
    ids = np.arange(1, is_test.sum() + 1)
    pd.DataFrame({"ImageId": ids, "Label": 0}).to_csv(folder / "sample_submission.csv", index=False)


def _to_28x28(images: np.ndarray) -> np.ndarray:
    """Float (n, 8, 8) in 0..16 to uint8 (n, 28, 28)."""
    from PIL import Image

    out = np.zeros((len(images), 28, 28), dtype=np.uint8)
    for i, image in enumerate(images):
        small = Image.fromarray(np.round(image * 255 / 16).astype(np.uint8))
        out[i, 4:24, 4:24] = small.resize((20, 20), Image.Resampling.BICUBIC)
    return out


def _every_fifth(labels: np.ndarray) -> np.ndarray:
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        chosen[np.flatnonzero(labels == label)[4::5]] = True
    return chosen
