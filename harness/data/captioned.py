"""Pictures with captions and no labels: a folder of pictures beside a text file, or the text file alone."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from harness.base.errors import UserError
from harness.competition import Competition
from harness.data.archives import FileTree
from harness.data.arrays import new_images
from harness.data.image_folder import Broken, Listing, list_test, read_image_folder

Captions = dict[str, list[str]]
"""Captions by the picture's file name, in the file's order."""

_MOST_NAMED = 5


def read_captioned(
    competition: Competition,
    tree: FileTree,
    split: str,
    folder: Path,
    tick: Callable[[int, int], None],
    skip_broken: bool,
) -> list[Broken]:
    """Write a split's arrays into `folder`: images, ids (file names), captions, and for training zeros as labels.

    Returns what was left out: pictures that cannot be decoded, and with `skip_broken` those without captions and captions
    without picture. Captions alone get a black pixel as picture.

    Raises
    ------
    UserError
        If a picture of the training part has no caption, or captions have no picture (names them, counts them).
    """
    spec = competition.data
    name = spec.train if split == "train" else spec.test
    assert name is not None  # the caller has looked
    if name.lower().endswith((".txt", ".csv", ".tsv")):
        captions = parse_captions(tree, name)
        new_images(folder, len(captions), spec.model_copy(update={"size": (1, 1)}))
        _save(competition, folder, list(captions), captions, split)
        return []
    found = list_test(tree, name)
    files = dict(zip((PurePosixPath(f).name for f in found.files), found.files, strict=True))
    where = next((f for f in spec.captions if tree.has(f)), None) if split == "train" else spec.test_captions
    if where is None:
        if split == "train":
            raise UserError(f"{tree.path}: holds none of {', '.join(spec.captions)}. Download the captions again.")
        listing = Listing(list(files.values()), list(files), None)
        return read_image_folder(tree, listing, spec, folder, tick, skip_broken)
    captions = parse_captions(tree, where)
    left_out = _strangers(tree, where, name, files, captions, skip_broken) if split == "train" else []
    ids = [i for i in captions if i in files] if split == "train" else list(files)
    listing = Listing([files[i] for i in ids], ids, np.zeros(len(ids), np.int64) if split == "train" else None)
    broken = read_image_folder(tree, listing, spec, folder, tick, skip_broken)
    _save(competition, folder, np.load(folder / "ids.npy", allow_pickle=False).tolist(), captions, split)
    return [*left_out, *broken]


def parse_captions(tree: FileTree, name: str) -> Captions:
    """Captions of a file: 'image,caption' (that header; quoted as CSV, or not at all) or 'image#number<tab>caption'.

    An image called '....jpg.1', as one of Flickr8k's token file is, is the line's own mistake: it has no picture and is
    left out.

    Raises
    ------
    UserError
        If a line is neither, or there are none.
    """
    with tree.open(name) as file:
        text = _decoded(file.read())
    lines = [line for line in text.splitlines() if line.strip()]
    split = _token_line if lines and "\t" in lines[0] and "#" in lines[0] else _comma_line
    found: Captions = {}
    for number, line in enumerate(lines, start=1):
        if number == 1 and re.fullmatch(r"\s*image\s*,\s*caption\s*", line.lower()):
            continue
        image, caption = split(line)
        if not image:
            raise UserError(f"{tree.show(name)}, line {number}: '{line[:80]}' is no 'image,caption'")
        if not re.search(r"\.\w{2,4}\.\d+$", image):
            found.setdefault(image, []).append(caption.strip())
    if not found:
        raise UserError(f"{tree.show(name)}: holds no captions")
    return found


def _decoded(content: bytes) -> str:
    """UTF-8, or what old files are otherwise in: then every byte is a character."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _comma_line(line: str) -> tuple[str, str]:
    """Only the first comma parts the two: captions hold commas, quoted or not."""
    image, comma, caption = line.partition(",")
    if caption.startswith('"') and caption.rstrip().endswith('"'):
        caption = ",".join(next(csv.reader([caption]), [""]))
    return (image.strip(), caption) if comma else ("", "")


def _token_line(line: str) -> tuple[str, str]:
    image, tab, caption = line.partition("\t")
    return (image.rpartition("#")[0].strip(), caption) if tab else ("", "")


def _strangers(
    tree: FileTree, where: str, name: str, files: dict[str, str], captions: Captions, skip: bool
) -> list[Broken]:
    """Pictures without a caption and captions without a picture."""
    silent = [i for i in files if not any(captions.get(i, []))]
    blind = [i for i in captions if i not in files]
    if len(blind) == len(captions):
        raise UserError(f"{tree.show(where)}: none of its {len(blind):,} images lies in {tree.show(name)}")
    for lacking, said in ((silent, "pictures have no caption"), (blind, "images with captions have no picture")):
        if lacking and not skip:
            named = ", ".join(lacking[:_MOST_NAMED]) + (", ..." if len(lacking) > _MOST_NAMED else "")
            raise UserError(
                f"{tree.show(where)}: {len(lacking):,} {said} ({named}). Complete the files, or leave these out with "
                "--skip-broken"
            )
    for image in silent:
        captions.pop(image, None)
    return [Broken(i, "no caption") for i in silent] + [Broken(i, "captions, but no picture") for i in blind]


def _save(competition: Competition, folder: Path, ids: list[str], captions: Captions, split: str) -> None:
    most = max(len(captions.get(i, [])) for i in ids)
    table = [captions.get(i, []) + [""] * (most - len(captions.get(i, []))) for i in ids]
    np.save(folder / "ids.npy", np.array(ids, dtype=np.str_))
    np.save(folder / "captions.npy", np.array(table, dtype=np.str_))
    if split != "train":
        return
    np.save(folder / "labels.npy", np.zeros(len(ids), dtype=np.int64))
    truth = competition.hook("truth")
    if truth is not None:
        kinds, _ = truth(np.array(ids))
        if kinds is not None:
            np.save(folder / "truth.npy", np.asarray(kinds, dtype=np.int64))
