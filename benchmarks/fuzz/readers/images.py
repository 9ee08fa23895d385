"""Readers of images and of arrays of them: PNG, JPEG, TIFF and others, .npy, .npz."""

from __future__ import annotations

import io
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
from benchmarks.fuzz.readers.made import png, spec_of


def readers() -> list[Reader]:
    """Of this kind."""
    return [
        Reader("npz", _npzs, _read_npz, NPY_WORDS),
        Reader("array", _image_arrays, _read_image_array, NPY_WORDS),
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
