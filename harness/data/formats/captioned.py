"""Images with captions and no labels: a folder of images beside a text file, or the text file alone."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import counted, plain
from harness.competition import Competition, Listing
from harness.data.files.archives import FileTree
from harness.data.files.arrays import new_images
from harness.data.files.decode import is_image
from harness.data.files.names import nfc
from harness.data.formats.images import Broken, read_images
from harness.data.rows.listing import list_test

Captions = dict[str, list[str]]
"""Captions by the image's file name, in the file's order."""

_MOST_NAMED = 5


def read_captioned(
    competition: Competition,
    tree: FileTree,
    split: str,
    folder: Path,
    tick: Callable[[int, int], None],
    skip_broken: bool,
) -> tuple[list[Broken], list[str]]:
    """Write a split's arrays into `folder`: images, ids (file names), captions, and for training zeros as labels.

    Returns what was left out (images that cannot be decoded, and with `skip_broken` those without captions and captions
    without image), and notes. Captions alone get a black pixel as image.

    Raises
    ------
    UserError
        If an image of the training part has no caption, or captions have no image (names them, counts them), or two images
        have one name.
    """
    spec = competition.data
    name = spec.train if split == "train" else spec.test
    assert name is not None  # the caller has looked
    if name.lower().endswith((".txt", ".csv", ".tsv")):
        captions = parse_captions(tree, name)
        new_images(folder, len(captions), spec.model_copy(update={"size": (1, 1)}))
        _save(competition, folder, list(captions), captions, split)
        return [], []
    found = list_test(tree, name, spec)
    files = files_by_name(tree, [row[0] for row in found.files])
    where = next((f for f in spec.captions if tree.has(f)), None) if split == "train" else spec.test_captions
    if where is None:
        if split == "train":
            raise UserError(
                f"{tree.path}: holds none of {', '.join(spec.captions)}. Download the captions, or name their file in data.captions."
            )
        listing = Listing([(file,) for file in files.values()], list(files), None, None, found.notes)
        return read_images(tree, listing, {}, spec, folder, tick, skip_broken)
    captions = {nfc(image): lines for image, lines in parse_captions(tree, where).items()}
    left_out = _strangers(tree, where, name, files, captions, skip_broken) if split == "train" else []
    ids = [i for i in captions if i in files] if split == "train" else list(files)
    labels = {"labels": np.zeros(len(ids), np.int64)} if split == "train" else {}
    listing = Listing([(files[i],) for i in ids], ids, None, None, found.notes)
    broken, notes = read_images(tree, listing, labels, spec, folder, tick, skip_broken)
    if broken and not skip_broken:
        return broken, []
    _save(competition, folder, np.load(folder / "ids.npy", allow_pickle=False).tolist(), captions, split)
    return [*left_out, *broken], notes


def files_by_name(tree: FileTree, files: list[str]) -> dict[str, str]:
    """Files by their name without folders, in NFC."""
    found: dict[str, str] = {}
    for file in files:
        name = nfc(PurePosixPath(file).name)
        if name in found:
            raise UserError(
                f"{tree.show(found[name])} and {tree.show(file)} have one name, by which captions tell them. Take one away, or "
                "rename it."
            )
        found[name] = file
    return found


def parse_captions(tree: FileTree, name: str) -> Captions:
    """Captions of a file: 'image,caption' (with that header or none) or 'image#number<tab>caption'.

    The first is a CSV whose captions may stand in quotes, then with commas, quotes and line breaks, or without, then with
    commas. Lines end at LF, CR or both, at nothing else. UTF-8, UTF-16 with its mark, or Windows' cp1252. An image called
    '....jpg.1', as one of Flickr8k's token file is, is the line's own mistake: it has no image and is left out.

    Raises
    ------
    UserError
        If a line is neither, the header is another one, a quote is not closed, or there are no captions.
    """
    shown = tree.show(name)
    with tree.open(name) as file:
        text = _decoded(file.read(), shown)
    first = re.split(r"\r\n|\r|\n", text.lstrip("\r\n"), maxsplit=1)[0]
    rows = _token_rows(text, shown) if "\t" in first and "#" in first else _comma_rows(text, shown)
    found: Captions = {}
    for image, caption in rows:
        if not re.search(r"\.\w{2,4}\.\d+$", image):
            found.setdefault(image, []).append(_one_line(caption))
    if not found:
        raise UserError(f"{shown}: holds no captions")
    return found


def _decoded(content: bytes, shown: str) -> str:
    """The text of a file in one of the encodings that captions come in."""
    # cp1252 knows five bytes less than all, so that what is no text is mostly refused
    encodings = ["utf-16"] if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise UserError(f"{shown}: is not text in UTF-8, UTF-16 or cp1252. Save it as UTF-8.")


def _comma_rows(text: str, shown: str) -> list[tuple[str, str]]:
    """(image, caption) of a CSV, quoted or not; only the first comma parts the two where nothing is quoted."""
    rows: list[tuple[str, str]] = []
    reader, before = csv.reader(io.StringIO(text, newline="")), 0
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise UserError(f"{shown}, line {before + 1}: {error}. Put captions with quotes into quotes.") from error
        if row is None:
            return rows
        number, before = before + 1, reader.line_num
        if not any(cell.strip() for cell in row):
            continue
        if not rows and number <= before and _is_header(row, shown):
            continue
        image, caption = row[0].strip(), ",".join(row[1:])
        if len(row) < 2 or not image:
            raise UserError(f"{shown}, line {number}: '{plain(','.join(row), 80)}' is no 'image,caption'")
        if _SWALLOWED.search(caption):
            raise UserError(
                f"{shown}, line {number}: a quote is opened and not closed: '{plain(caption, 80)}'. Close it."
            )
        rows.append((image, caption))


_SWALLOWED = re.compile(r"[\r\n][^,\r\n]*\.\w{2,4},")
"""A line of its own inside a caption."""

_SEEN_HEADER = "image,caption"


def _is_header(row: list[str], shown: str) -> bool:
    """Whether the first row is the header; one that is neither it nor a caption of an image is refused."""
    names = [cell.strip().lower() for cell in row]
    if names == _SEEN_HEADER.split(","):
        return True
    if is_image(names[0]) or re.search(r"\.\w{2,4}\.\d+$", names[0]) or len(row) < 2:
        return False
    raise UserError(
        f"{shown}: its first line is '{plain(','.join(row), 80)}'; wanted the header '{_SEEN_HEADER}', or an image's file name with "
        "its caption. Correct the header, or take the line out."
    )


def _token_rows(text: str, shown: str) -> list[tuple[str, str]]:
    """(image, caption) of lines 'image#number<tab>caption'."""
    rows = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        image, tab, caption = line.partition("\t")
        image = image.rpartition("#")[0].strip()
        if line.strip() and not (tab and image):
            raise UserError(f"{shown}, line {number}: '{plain(line, 80)}' is no 'image#number<tab>caption'")
        if line.strip():
            rows.append((image, caption))
    return rows


def _one_line(caption: str) -> str:
    """A caption as one line: a line break is a space to whoever reads it."""
    return re.sub(r"\s*[\r\n]+\s*", " ", caption).strip()


def _strangers(
    tree: FileTree, where: str, name: str, files: dict[str, str], captions: Captions, skip: bool
) -> list[Broken]:
    """Images without a caption and captions without an image."""
    silent = [i for i in files if not any(captions.get(i, []))]
    blind = [i for i in captions if i not in files]
    if len(blind) == len(captions):
        raise UserError(f"{tree.show(where)}: none of its {len(blind):,} images lies in {tree.show(name)}")
    for lacking, said in ((silent, "no caption"), (blind, "captions and no image")):
        if lacking and not skip:
            named = plain(", ".join(lacking[:_MOST_NAMED])) + (", ..." if len(lacking) > _MOST_NAMED else "")
            raise UserError(
                f"{tree.show(where)}: {counted(len(lacking), 'image')} {'has' if len(lacking) == 1 else 'have'} {said} ({named}). Complete the files, or leave these out with "
                "--skip-broken"
            )
    for image in silent:
        captions.pop(image, None)
    return [Broken(i, "no caption") for i in silent] + [Broken(i, "captions, but no image") for i in blind]


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
