"""CIFAR-10: torchvision's own files, read without running what a pickle may hold, and the drawn sample."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.competition import Samples

_BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def load_samples(folder: Path, split: str) -> Samples | None:
    """Read cifar-10-batches-py (Krizhevsky's Python version, as torchvision unpacks it).

    Ids are 1, 2, ... in the order of the batches. The test batch's labels are not read.
    """
    batches = folder / "cifar-10-batches-py"
    if not batches.is_dir():
        raise UserError(f"{batches}: not there. Unpack cifar-10-python.tar.gz into {folder}.")
    images, labels = [], []
    for name in _BATCHES[split]:
        content = _read_batch(batches / name)
        images.append(_to_images(content, batches / name))
        labels += list(content[b"labels"]) if split == "train" else []
    pixels = np.concatenate(images)
    ids = np.arange(1, len(pixels) + 1).astype(np.str_)
    return Samples(ids, pixels, np.array(labels, dtype=np.int64) if split == "train" else None)


def _to_images(content: dict[bytes, Any], path: Path) -> np.ndarray:
    """uint8 (n, 32, 32, 3) of rows of 3,072 values, plane by plane."""
    data = content.get(b"data")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        raise UserError(f"{path}: holds no uint8 array (n, 3072) under 'data'. Download it again.")
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


class _ArraysOnly(pickle.Unpickler):
    """Reads what the batches hold, dictionaries of numbers, text and numpy arrays, and refuses to load anything else."""

    def find_class(self, module: str, name: str) -> Any:
        allowed: dict[tuple[str, str], Any] = {
            ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("_codecs", "encode"): _encode,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"it would load {module}.{name}, which no batch of CIFAR-10 needs")
        return allowed[module, name]


def _reconstruct(kind: type, shape: tuple, typecode: bytes) -> np.ndarray:
    """numpy's own for an empty array of bytes, and nothing else."""
    if kind is not np.ndarray or tuple(shape) != (0,):
        raise pickle.UnpicklingError("an array that numpy would not have written so")
    return np.ndarray((0,), dtype="b")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes as {encoding}")
    return text.encode("latin1")


def _read_batch(path: Path) -> dict[bytes, Any]:
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="bytes").load()
    except FileNotFoundError as error:
        raise UserError(f"{path}: not there. Unpack cifar-10-python.tar.gz again.") from error
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise UserError(f"{path}: not read: {error}. Download it from the data set's own page.") from error
    if not isinstance(content, dict) or b"data" not in content:
        raise UserError(f"{path}: is no batch of CIFAR-10. Download it again.")
    return content


def make_sample(folder: Path) -> None:
    """Draw 30 training and 5 test images of each class, packed as Kaggle packs them: train.7z and test.7z in a zip.

    Each class is a simple figure in its colours before sky, grass, road or water; drawn by this program, no photographs.
    """
    import py7zr

    rng = np.random.default_rng(10)
    with zipfile.ZipFile(folder / "cifar-10.zip", "w") as outer:
        for split, each in (("train", 30), ("test", 5)):
            labels = rng.permutation(np.repeat(np.arange(10), each))
            packed = io.BytesIO()
            with py7zr.SevenZipFile(packed, "w") as archive:
                for number, label in enumerate(labels, start=1):
                    archive.writef(io.BytesIO(_png(_draw(rng, label))), f"{split}/{number}.png")
            outer.writestr(f"{split}.7z", packed.getvalue())
            name = "trainLabels.csv" if split == "train" else "sampleSubmission.csv"
            shown = [_CLASSES[label] if split == "train" else "cat" for label in labels]
            lines = [f"{number},{label}" for number, label in enumerate(shown, start=1)]
            outer.writestr(name, "\n".join(["id,label", *lines]) + "\n")


def _png(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


_SKY, _GRASS, _ROAD, _WATER = (150, 190, 240), (90, 150, 70), (120, 120, 125), (50, 90, 150)

# ground, colour, and the figure as ellipses and boxes (x0, y0, x1, y1) on a grid of 32
_FIGURES: list[tuple[tuple, tuple, list[tuple]]] = [
    (_SKY, (235, 235, 240), [("e", 3, 14, 29, 18), ("b", 13, 6, 17, 26), ("b", 4, 11, 7, 17)]),
    (_ROAD, (190, 40, 40), [("b", 3, 14, 29, 22), ("b", 9, 8, 22, 14), ("e", 6, 19, 12, 25), ("e", 20, 19, 26, 25)]),
    (_SKY, (110, 70, 40), [("e", 9, 12, 23, 22), ("e", 20, 8, 27, 15), ("b", 3, 15, 10, 18)]),
    (_ROAD, (200, 150, 90), [("e", 8, 12, 24, 28), ("e", 9, 4, 22, 15), ("b", 9, 2, 12, 6), ("b", 19, 2, 22, 6)]),
    (_GRASS, (160, 100, 50), [("e", 6, 13, 24, 20), ("b", 8, 19, 10, 29), ("b", 20, 19, 22, 29), ("b", 22, 2, 24, 14)]),
    (_GRASS, (90, 60, 40), [("e", 5, 13, 24, 23), ("e", 20, 7, 30, 16), ("b", 8, 21, 11, 28), ("b", 18, 21, 21, 28)]),
    (_WATER, (70, 170, 60), [("e", 6, 13, 26, 27), ("e", 8, 8, 14, 15), ("e", 18, 8, 24, 15)]),
    (_GRASS, (120, 60, 30), [("e", 5, 11, 25, 20), ("b", 22, 3, 27, 14), ("b", 7, 18, 9, 30), ("b", 21, 18, 23, 30)]),
    (_WATER, (225, 225, 225), [("b", 3, 18, 29, 24), ("b", 12, 9, 21, 18), ("b", 15, 4, 17, 9)]),
    (_ROAD, (60, 90, 180), [("b", 2, 6, 21, 23), ("b", 21, 12, 30, 23), ("e", 5, 21, 11, 27), ("e", 21, 21, 27, 27)]),
]


def _draw(rng: np.random.Generator, label: int) -> Any:
    """An RGB image of 32x32 pixels."""
    from PIL import Image, ImageDraw

    ground, colour, parts = _FIGURES[label]
    picture = Image.new("RGB", (32, 32), _shade(rng, ground))
    pen, shift, mirrored = ImageDraw.Draw(picture), rng.integers(-3, 4, 2), rng.random() < 0.5
    fill = _shade(rng, colour)
    for kind, *box in parts:
        x0, y0, x1, y1 = box
        x0, x1 = (31 - x1, 31 - x0) if mirrored else (x0, x1)
        moved = (x0 + shift[0], y0 + shift[1], x1 + shift[0], y1 + shift[1])
        (pen.ellipse if kind == "e" else pen.rectangle)(tuple(int(v) for v in moved), fill=fill)
    noisy = np.asarray(picture) + rng.normal(0, 12, (32, 32, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _shade(rng: np.random.Generator, colour: tuple) -> tuple:
    return tuple(int(v) for v in (np.array(colour) + rng.normal(0, 25, 3)).clip(0, 255))
