"""Readers of images and of arrays of them: PNG, JPEG, TIFF and others, .npy, .npz, IDX, TFRecord, images inside Parquet."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.fuzz.forms import (
    jpeg_exif,
    npy_lies,
    png_chunks,
    tiff_tags,
    zip_lies,
)
from benchmarks.fuzz.parts import (
    CLASSES,
    NPY_WORDS,
    Reader,
    Seed,
)
from benchmarks.fuzz.readers.made import encode_targets, png, spec_of


def readers() -> list[Reader]:
    """Of this kind."""
    return [
        Reader("npz", _npzs, _read_npz, NPY_WORDS),
        Reader("array", _image_arrays, _read_image_array, NPY_WORDS),
        Reader("stack", _stacks, _read_stack, (*NPY_WORDS, b"\x00\x00\x08\x03", b"\x00\x00\x0d\x01")),
        Reader("records", _records, _read_records, (b"PAR1", b"\xff\xd8", b"\x80" * 9 + b"\x01", b"\x0a\x00", b"\x12\x7f", b"\x1a\x02")),
        Reader("pictures", _pictures, _read_picture, (b"II*\x00\x08\x00\x00\x00", b"Exif\x00\x00", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"IHDR", b"IDAT",
               b"eXIf", b"\xff\xda", b"\xff\xe1", b"\xff\xd8", b"GIF89a", b"RIFF", b"WEBPVP8X", b"P6 9 9 255\n", b"BM")),
    ]  # fmt: skip


def _npzs() -> list[Seed]:
    images, labels = (
        np.arange(96, dtype=np.uint8).reshape(6, 4, 4),
        np.array([[0], [1], [2], [0], [1], [2]], dtype=np.uint8),
    )
    seeds = []
    for save, other in ((np.savez, np.int64), (np.savez_compressed, np.uint8)):
        buffer = io.BytesIO()
        save(buffer, images=images, labels=labels.astype(other), more=np.array(["a", "b"]))
        seeds.append(Seed("train.npz", buffer.getvalue(), zip_lies(npy_lies)))
    return seeds


def _read_npz(path: Path) -> None:
    from harness.competition.tasks import TASKS
    from harness.data.files.archives import FileTree
    from harness.data.formats.npz import labels_of_array, read_npz

    folder = path.parent / "out"
    folder.mkdir()
    spec = spec_of(format="npz", label="labels", train=path.name)
    labels = read_npz(FileTree(path.parent), path.name, spec, "train", folder)
    if labels is not None:
        labels_of_array(TASKS["single"], labels, CLASSES, str(path))


def _stacks() -> list[Seed]:
    images = np.arange(96, dtype=np.uint8).reshape(6, 4, 4)
    seeds = []
    for array in (images, images.reshape(6, 16), np.array([*CLASSES, *CLASSES])):
        buffer = io.BytesIO()
        np.save(buffer, array)
        seeds.append(Seed("X.npy" if array.ndim > 1 else "y.npy", buffer.getvalue(), npy_lies))
    sides = (images.shape, (6,))
    heads = [bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) for shape in sides]
    return [
        *seeds,
        Seed("X.idx3", heads[0] + images.tobytes()),
        Seed("y.idx1", heads[1] + bytes([0, 1, 2] * 2)),
    ]


def _read_stack(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.formats.stacked import read_stacked

    (path.parent / "out").mkdir()
    other = {"X": "y.npy", "y": "X.npy"}[path.stem]
    np.save(path.parent / other, np.array([*CLASSES, *CLASSES]) if other == "y.npy" else np.zeros((6, 4, 4), np.uint8))
    images, labels = (path.name, other) if path.stem == "X" else (other, path.name)
    spec = spec_of(format="arrays", train=images, labels=labels, range=(0, 255))
    rows = read_stacked(FileTree(path.parent), images, spec, True, path.parent / "out")
    if path.suffix != ".idx1":  # which holds numbers, and no names of classes
        encode_targets(rows.targets)


def _records() -> list[Seed]:
    import pandas as pd

    from tests.data.files.tfrecords import Record, write_tfrecord

    picture = png(9)
    rows: list[Record] = [{"image": picture, "label": CLASSES[n % 3].encode(), "id": f"{n}".encode()} for n in range(4)]
    numbers: list[Record] = [
        {"image": picture, "label": CLASSES[n % 3].encode(), "n": n, "more": [0.5, 1.5]} for n in range(4)
    ]
    buffer = io.BytesIO()
    cells = [{"bytes": picture, "path": f"{n}.png"} for n in range(4)]
    pd.DataFrame({"image": cells, "label": [CLASSES[n % 3] for n in range(4)]}).to_parquet(buffer)
    found = [Seed("train.parquet", buffer.getvalue())]
    with tempfile.TemporaryDirectory() as folder:
        for told in (rows, numbers):
            write_tfrecord(Path(folder) / "a", told)
            found.append(Seed("train.tfrec", (Path(folder) / "a").read_bytes()))
    return found


def _read_records(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.formats.table_pixels import read_table_pixels

    (path.parent / "out").mkdir()
    spec = spec_of(format="table_pixels", train=path.name, pixels="image")
    encode_targets(read_table_pixels(FileTree(path.parent), path.name, spec, True, path.parent / "out")[0].targets)


def _image_arrays() -> list[Seed]:
    seeds = []
    for array in (
        np.arange(63, dtype=np.uint8).reshape(7, 9),
        np.linspace(0, 1, 63, dtype=np.float32).reshape(7, 9, 1),
    ):
        buffer = io.BytesIO()
        np.save(buffer, array)
        seeds.append(Seed("a.npy", buffer.getvalue(), npy_lies))
    return seeds


def _read_image_array(path: Path) -> None:
    from harness.data.files.decode import Decoder

    with path.open("rb") as file:
        Decoder(4, 4, 1, bounds=(0.0, 1.0))(file, str(path))


def _pictures() -> list[Seed]:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "an image"
    eps = io.BytesIO()
    Image.new("L", (4, 4)).save(eps, "eps")
    seeds = [Seed("a.png", png(1, mode), png_chunks) for mode in ("RGB", "L", "P", "RGBA", "LA", "1", "I;16")]
    seeds += [Seed("a.png", png(2, exif=exif), png_chunks), Seed("a.png", png(2, interlace=1), png_chunks)]
    seeds += [
        Seed("a.jpg", png(3, kind="jpeg", exif=exif), jpeg_exif),
        Seed("a.jpg", png(3, "CMYK", "jpeg"), jpeg_exif),
    ]
    seeds += [Seed("a.jpg", png(4, "L", "jpeg", progressive=True), jpeg_exif), Seed("a.png", png(4, kind="ppm"))]
    seeds += [Seed("a.gif", png(5, "P", "gif", save_all=True, append_images=[Image.new("P", (9, 7))]))]
    seeds += [Seed("a.bmp", png(6, mode, "bmp")) for mode in ("RGB", "P", "1")]
    packings = (
        (None, "RGB"),
        ("tiff_lzw", "RGB"),
        ("jpeg", "RGB"),
        ("tiff_adobe_deflate", "L"),
        (None, "I;16"),
        ("packbits", "1"),
    )
    seeds += [Seed("a.tif", png(7, mode, "tiff", compression=packing), tiff_tags) for packing, mode in packings]
    seeds += [
        Seed("a.webp", png(8, kind="webp", exif=exif.tobytes())),
        Seed("a.webp", png(8, "RGBA", "webp", lossless=True)),
    ]
    return [*seeds, Seed("eps.png", eps.getvalue())]


def _read_picture(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.files.decode import Decoder

    if path.name == "eps.png" and path.read_bytes() == _pictures()[-1].content:
        return  # the one seed that is rightly refused
    for channels in (1, 3):
        tree = FileTree(path.parent)
        with tree.open(path.name) as file:
            Decoder(8, 8, channels)(file, tree.show(path.name))
