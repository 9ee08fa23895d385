"""What fixtures are made with: images that tell their class, tables, zips and 7z files as platforms deliver them."""

from __future__ import annotations

import csv
import io
import json
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.coverage.graders import Grader


@dataclass(frozen=True)
class Fixture:
    """A competition.

    Attributes
    ----------
    name : as in its address on the platform
    layout, task, metric, submission : in words
    write : writes its files into a kit's folder, returns the grader that knows the answers
    toml : competition.toml by hand, without the title; None where no TOML can say it
    why_not : then the reason
    """

    name: str
    layout: str
    task: str
    metric: str
    submission: str
    write: Callable[[Kit], Grader]
    toml: str | None = None
    why_not: str = ""


Write = Callable[["Kit"], Grader]


def _varint(value: int) -> bytes:
    """Protobuf's whole number: seven bits a byte, the last one below 128."""
    found = []
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


class Family:
    """Fixtures of one kind, gathered by a decorator in the order in which they are written."""

    def __init__(self) -> None:
        self.fixtures: list[Fixture] = []

    def __call__(self, name: str, *words: str, toml: str | None = None, why_not: str = "") -> Callable[[Write], Write]:
        """words : layout, task, metric, submission"""

        def add(write: Write) -> Write:
            self.fixtures.append(Fixture(name, *words, write, toml, why_not))  # type: ignore[misc,arg-type]
            return write

        return add


class Kit:
    """Writes below `root`; all that is random comes from `seed`."""

    def __init__(self, root: Path, seed: int = 0) -> None:
        self.root, self.rng = root, np.random.default_rng(seed)

    def pixels(self, kind: int | Sequence[float], height: int = 16, width: int = 16, channels: int = 3) -> np.ndarray:
        """uint8 (H, W, C): a coarse pattern of its class (or brightness that grows with numbers) under noise."""
        if isinstance(kind, int):
            coarse = np.random.default_rng(1000 + kind).integers(20, 236, (4, 4, channels)).astype(float)
        else:
            values = np.resize(np.asarray(kind, dtype=float), 16 * channels)
            coarse = (30 + 190 * np.clip(values, 0, 1)).reshape(4, 4, channels)
        rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
        noisy = coarse[rows][:, columns] + self.rng.normal(0, 12, (height, width, channels))
        return np.clip(noisy, 0, 255).astype(np.uint8)

    def picture(
        self, name: str, kind: int | Sequence[float], size: tuple[int, int] = (16, 16), grey: bool = False
    ) -> None:
        """An image file; its ending says the format."""
        pixels = self.pixels(kind, *size, 1 if grey else 3)
        image = Image.fromarray(pixels[:, :, 0] if grey else pixels)
        path = self.place(name)
        ending = path.suffix.lower().lstrip(".")
        image.save(path, {"jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF", "bmp": "BMP"}.get(ending, "PNG"))

    def dicom(self, name: str, kind: int, patient: str) -> None:
        """A DICOM file of 12 bits a pixel, explicit little-endian, written by hand."""
        pixels = self.pixels(kind, channels=1)[:, :, 0].astype("<u2") * 16
        self.place(name).write_bytes(dicom_bytes(pixels, patient))

    def place(self, name: str) -> Path:
        """Where a file goes; its folder is made."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def csv(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A table; a name in '.zip' packs it as the platform once did ('train.csv.zip' holds 'train.csv')."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        if name.endswith(".zip"):
            with zipfile.ZipFile(self.place(name), "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(PurePosixPath(name).name.removesuffix(".zip"), text.getvalue())
        else:
            self.place(name).write_text(text.getvalue(), encoding="utf-8")

    def tfrecord(self, name: str, records: Iterable[dict[str, bytes | int]]) -> None:
        """Records of TensorFlow's Example, by hand: of each feature one value."""

        def field(number: int, content: bytes) -> bytes:
            return bytes([number << 3 | 2]) + _varint(len(content)) + content

        written = io.BytesIO()
        for record in records:
            entries = b""
            for key, value in record.items():
                kind = field(1, field(1, value)) if isinstance(value, bytes) else field(3, field(1, _varint(value)))
                entries += field(1, field(1, key.encode()) + field(2, kind))
            content = field(1, entries)
            written.write(struct.pack("<Q", len(content)) + bytes(4) + content + bytes(4))
        self.place(name).write_bytes(written.getvalue())

    def json(self, name: str, content: Any) -> None:
        """A JSON file."""
        self.place(name).write_text(json.dumps(content), encoding="utf-8")

    def pack(self, *folders: str, flat: bool = False, kind: str = "zip") -> None:
        """Put folders into '<folder>.zip' or '.7z' beside their place; flat: without the folder's own name inside."""
        for folder in folders:
            path, below = self.root / folder, self.root / folder if flat else (self.root / folder).parent
            files = sorted(p for p in path.rglob("*") if p.is_file())
            if kind == "7z":
                import py7zr

                with py7zr.SevenZipFile(self.root / f"{folder}.7z", "w") as packed:
                    packed.writeall(path, PurePosixPath(folder).name)
            else:
                with zipfile.ZipFile(self.root / f"{folder}.zip", "w") as archive:
                    for file in files:
                        archive.write(file, file.relative_to(below).as_posix())
            shutil.rmtree(path)

    def hexes(self, n: int, length: int) -> list[str]:
        """n different hexadecimal names."""
        found: dict[str, None] = {}
        while len(found) < n:
            found["".join(self.rng.choice(list("0123456789abcdef"), length))] = None
        return list(found)

    def numbers(self, n: int, low: int, high: int) -> list[int]:
        """n different whole numbers, in no order."""
        return [int(v) for v in self.rng.permutation(np.arange(low, high))[:n]]

    def kinds(self, n: int, classes: int) -> list[int]:
        """Class indices of n rows, all classes about alike, in no order."""
        return [int(v) for v in self.rng.permutation(np.arange(n) % classes)]

    def label_sets(self, n: int, labels: int, most: int = 3) -> list[list[int]]:
        """Sets of labels of n rows; each label stands somewhere."""
        found = []
        for row in range(n):
            others = self.rng.choice(labels, int(self.rng.integers(0, most)), replace=False)
            found.append(sorted({row % labels, *map(int, others)}))
        return [found[int(i)] for i in self.rng.permutation(n)]


def mixed(labels: Sequence[int], n: int) -> list[float]:
    """Numbers that `Kit.pixels` draws: a band of brightness for each label that a row has."""
    return [1.0 if place in labels else 0.0 for place in range(n)]


def dicom_bytes(pixels: np.ndarray, patient: str) -> bytes:
    """A minimal DICOM file of one grey image, uint16 (H, W)."""

    def element(group: int, number: int, kind: str, value: bytes) -> bytes:
        value += b"" if len(value) % 2 == 0 else (b"\0" if kind in ("UI", "OB", "OW") else b" ")
        tag = group.to_bytes(2, "little") + number.to_bytes(2, "little") + kind.encode()
        if kind in ("OB", "OW"):
            return tag + b"\0\0" + len(value).to_bytes(4, "little") + value
        return tag + len(value).to_bytes(2, "little") + value

    def short(number: int) -> bytes:
        return number.to_bytes(2, "little")

    sop, uid, syntax = b"1.2.840.10008.5.1.4.1.1.1.2", b"1.2.826.0.1.3680043.2.1", b"1.2.840.10008.1.2.1"
    meta = element(2, 1, "OB", b"\0\1") + element(2, 2, "UI", sop) + element(2, 3, "UI", uid)
    meta += element(2, 0x10, "UI", syntax) + element(2, 0x12, "UI", b"1.2.826.0.1.3680043.2")
    body = element(8, 0x16, "UI", sop) + element(8, 0x18, "UI", uid) + element(8, 0x60, "CS", b"MG")
    body += element(0x10, 0x20, "LO", patient.encode())
    body += element(0x28, 2, "US", short(1)) + element(0x28, 4, "CS", b"MONOCHROME2")
    body += element(0x28, 0x10, "US", short(pixels.shape[0])) + element(0x28, 0x11, "US", short(pixels.shape[1]))
    body += element(0x28, 0x100, "US", short(16)) + element(0x28, 0x101, "US", short(12))
    body += element(0x28, 0x102, "US", short(11)) + element(0x28, 0x103, "US", short(0))
    body += element(0x7FE0, 0x10, "OW", pixels.astype("<u2").tobytes())
    length = element(2, 0, "UL", len(meta).to_bytes(4, "little"))
    return b"\0" * 128 + b"DICM" + length + meta + body
