"""Readers of zips and 7z archives with a data set in them."""

from __future__ import annotations

import io
from pathlib import Path

from benchmarks.fuzz.changes import csv_cells, scramble
from benchmarks.fuzz.forms import (
    NAMES,
    png_chunks,
    seven_zip_header,
    zip_lies,
    zip_of,
)
from benchmarks.fuzz.parts import (
    CLASSES,
    ZIP_WORDS,
    Dice,
    Reader,
    Seed,
)
from benchmarks.fuzz.readers.made import competition_of, png, spec_of


def readers() -> list[Reader]:
    """Of this kind."""
    zip_words = (*ZIP_WORDS, *(name.encode() for name in NAMES))
    return [
        Reader("zip", _zips, _read_zip, zip_words),
        Reader("dataset", _zips, _read_dataset, zip_words),
        Reader("init", _zips, _read_init, zip_words),
        Reader("7z", _seven_zips, _read_seven_zip, (b"7z\xbc\xaf\x27\x1c", b"\x17\x06", b"\x01\x05", b"\xff" * 9, b"\x06\xf1\x07\x01")),
    ]  # fmt: skip


def _tree_members() -> list[tuple[str, bytes]]:
    members = [(f"train/{c}/{n}.png", png(n)) for n, c in enumerate(CLASSES)]
    return [
        *members,
        ("test/a.png", png(7)),
        ("test/b.jpg", png(8, kind="jpeg")),
        ("sample.csv", b"id,label\na,cat\nb,cat\n"),
    ]


def _member(dice: Dice, content: bytes) -> bytes:
    """Some file of a data set's zip."""
    if content.startswith(b"id,"):
        return csv_cells(dice, content)
    return (
        png_chunks(dice, content)
        if content.startswith(b"\x89PNG") and dice.random() < 0.5
        else scramble(dice, content, [content], ())
    )


def _zips() -> list[Seed]:
    form = zip_lies(_member)
    return [Seed("fuzz.zip", zip_of(_tree_members(), method), form) for method in (8, 0, 12, 14)]


def _read_zip(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.rows.listing import list_by_folder, list_test

    tree = FileTree(path)
    for name in tree.names("train") + tree.names("test"):
        with tree.open(name) as file:
            while file.read(2**20):
                pass
    list_test(tree, "test", spec_of(format="image_folder"))
    list_by_folder(tree, spec_of(format="image_folder"), ["train"], CLASSES)
    tree.archive.close()


def _read_dataset(path: Path) -> None:
    from harness.data.dataset import load_dataset

    if path.parent.name != "fuzz":
        (path.parent / "fuzz").mkdir()
        path = path.rename(path.parent / "fuzz" / path.name)
    load_dataset(
        competition_of(path.parent, format="image_folder", optional=("test", "sample.csv")), path.parent.parent
    )


def _read_init(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.guess.guess import guess
    from harness.data.guess.inventory import take_stock

    guess(take_stock(FileTree(path).below_top()))


def _seven_zips() -> list[Seed]:
    import py7zr

    seeds = []
    for filters in ([{"id": py7zr.FILTER_LZMA2, "preset": 1}], [{"id": py7zr.FILTER_COPY}], [{"id": py7zr.FILTER_BZIP2}],
                    [{"id": py7zr.FILTER_DELTA}, {"id": py7zr.FILTER_LZMA2, "preset": 1}], [{"id": py7zr.FILTER_DEFLATE}],
                    [{"id": py7zr.FILTER_ZSTD, "level": 3}], [{"id": py7zr.FILTER_PPMD, "order": 6, "mem": "64k"}]):  # fmt: skip
        buffer = io.BytesIO()
        with py7zr.SevenZipFile(buffer, "w", filters=filters) as archive:
            archive.set_encoded_header_mode(False)
            for name, content in _tree_members()[:4]:
                archive.writestr(content, name)
        seeds.append(Seed("train.7z", buffer.getvalue(), seven_zip_header))
    return seeds


def _read_seven_zip(path: Path) -> None:
    from harness.data.files.archives import FileTree

    tree = FileTree(path.parent)
    for name in tree.names("train"):
        with tree.open(name) as file:
            file.read()
