"""From a competition and a data root to checked samples: found, decoded once into the cache, opened as memory maps.

<cache>/<slug>/<key>/       key = files' names, sizes, times of change and the [data] section
    train/images.npy        uint8 (n, H, W, C), a memory map when opened
    train/ids.npy labels.npy
    test/images.npy ids.npy (absent where the test is hidden)
    submission.csv          the platform's sample submission (where there is one)
    broken.csv              pictures that could not be decoded (--skip-broken)
    meta.json               source, fingerprint of the content, counts; written last

While it is made it is called .<key>.part; a killed decoding of pictures goes on from there. With --stream there is no
images.npy: pictures.json names the files, which are decoded whenever they are asked for.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.command import cache_root
from harness.base.errors import UserError
from harness.base.files import read_json, resumable_folder, write_json
from harness.competition import Competition, Samples
from harness.data.archives import FileTree
from harness.data.custom import write_custom
from harness.data.image_folder import (
    Broken,
    Listing,
    list_by_csv,
    list_by_folder,
    list_test,
    read_image_folder,
)
from harness.data.sample import sample_folder
from harness.data.submission_ids import check_submission_ids, read_submission_ids

_CACHE_VERSION = 3
_PICTURE_FORMATS = ("image_folder", "image_csv")

Tick = Callable[[int, int], None]
"""(done, of how many)."""


@dataclass(frozen=True)
class Dataset:
    """A competition's rows, ready to train on.

    Attributes
    ----------
    train, test : Samples; test is None where the platform hides it
    submission : path of the sample submission, or None
    source : in words, where it came from; says so when it is the embedded sample
    is_sample : whether it is the embedded sample
    fingerprint : 16 hex digits over ids, labels and pixels; equal data have equal fingerprints wherever they lie
    cache : folder that the arrays are mapped from
    """

    train: Samples
    test: Samples | None
    submission: Path | None
    source: str
    is_sample: bool
    fingerprint: str
    cache: Path


def load_dataset(
    competition: Competition,
    root: Path,
    *,
    sample: bool = False,
    skip_broken: bool = False,
    stream: bool = False,
    tick: Tick = lambda done, total: None,
    unpack_tick: Tick = lambda done, total: None,
) -> Dataset:
    """Find, decode (once) and check a competition's data.

    Parameters
    ----------
    root : data root; the files lie in <root>/<slug>/, plain or as the platform's zip
    sample : take the embedded sample instead; never done unasked
    skip_broken : leave pictures out that cannot be decoded, and say so, instead of refusing the data
    stream : keep no decoded copy: decode pictures whenever they are asked for
    tick, unpack_tick : called with (done, total) while pictures are decoded, and before that while a 7z is unpacked

    Raises
    ------
    UserError
        If the data are missing (names the cures) or wrong (says which file and row).
    """
    folder = sample_folder(competition) if sample else root / competition.slug
    tree = find_files(competition, folder, unpack_tick)
    if stream and competition.data.format not in _PICTURE_FORMATS:
        raise UserError(f"--stream: is for folders of pictures; data.format of '{competition.slug}' is another")
    cache = cache_root() / competition.slug / (_key(competition, tree) + ("-stream" if stream else ""))
    if not (cache / "meta.json").is_file():
        building = Building(competition, tree, sample, skip_broken, stream, tick)
        with resumable_folder(cache) as part:
            if part is not None:
                building.write(part)
    return open_cache(cache)


def open_cache(cache: Path) -> Dataset:
    """Open a decoded data set as memory maps; nothing is read but the ids and labels."""
    meta = read_json(cache / "meta.json")
    submission = cache / "submission.csv"
    return Dataset(
        train=_open_samples(cache / "train"),
        test=_open_samples(cache / "test") if (cache / "test").is_dir() else None,
        submission=submission if submission.is_file() else None,
        source=meta["source"],
        is_sample=meta["is_sample"],
        fingerprint=meta["fingerprint"],
        cache=cache,
    )


def find_files(competition: Competition, folder: Path, tick: Tick = lambda done, total: None) -> FileTree:
    """The folder itself when it holds the training data, else the platform's zip in it.

    Raises
    ------
    UserError
        If neither is there; names the download command and --sample.
    """
    archive = folder / (competition.data.archive or f"{competition.slug}.zip")
    if competition.data.format == "custom" and folder.is_dir() and any(folder.iterdir()):
        return FileTree(folder)
    for tree in (FileTree(folder, tick), FileTree(archive, tick)):
        if tree.path.exists() and tree.has(competition.data.train):
            return tree
    others = [name for name, other in competition.sets.items() if FileTree(folder).has(other.data.train)]
    there = "".join(
        f"  There are files of another data set: --set data.set={name} (--data-set {name})\n" for name in others
    )
    sample = "  or try the harness on the embedded sample: add --sample\n" if competition.hook("make_sample") else ""
    raise UserError(
        f"no data of '{competition.slug}': neither {folder / competition.data.train} nor {archive} with it is there.\n"
        f"  Download it:           {_download_command(competition, folder)}\n"
        f"{there}{sample}"
        "  (the folder is <data root>/<slug>/; the root comes from --data DIR, else $HARNESS_DATA, else data/)"
    )


def _download_command(competition: Competition, folder: Path) -> str:
    if competition.platform == "kaggle":
        return f"kaggle competitions download -c {competition.slug} -p {folder}   (pip install kaggle)"
    return f"from {competition.url or 'the competition page'} into {folder}"


def _stamped(competition: Competition, tree: FileTree) -> list[str]:
    """Names of the files that the data are read from."""
    spec = competition.data
    names = [spec.train, *([spec.test] if spec.test else [])]
    if spec.format == "custom" and not tree.is_zip:
        names = sorted(p.relative_to(tree.path).as_posix() for p in tree.path.rglob("*") if p.is_file())
    elif spec.format in _PICTURE_FORMATS and not tree.is_zip:
        folders = [*names, *spec.merge]
        names = [name for f in folders for name in ([f] if tree.is_packed(f) else tree.names(f))]
    if spec.format == "image_csv":
        names.append(spec.labels)
    if competition.submission.sample and competition.submission.sample not in names:
        names.append(competition.submission.sample)
    return [name for name in names if tree.has(name)]


def _key(competition: Competition, tree: FileTree) -> str:
    content = [
        _CACHE_VERSION,
        str(tree.path.resolve()),
        tree.stamp(_stamped(competition, tree)),
        competition.data.model_dump(mode="json"),
        competition.submission.model_dump(mode="json"),
        competition.classes,
        [p.stat().st_mtime_ns for p in [competition.folder / "competition.py"] if p.is_file()],
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Building:
    """The making of a cache folder."""

    competition: Competition
    tree: FileTree
    sample: bool
    skip_broken: bool
    stream: bool
    tick: Callable[[int, int], None]

    def write(self, folder: Path) -> None:
        """Write both splits, the sample submission and meta.json into `folder`."""
        self._copy_submission(folder)
        broken: list[Broken] = []
        for split in ("train", "test"):
            (folder / split).mkdir(exist_ok=True)
            found = self._write_split(split, folder / split)
            if found is None:
                (folder / split).rmdir()
            else:
                broken += found
        if broken:
            lines = [["file", "reason"], *([b.file, b.reason] for b in broken)]
            with (folder / "broken.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(lines)
        self._write_meta(folder, len(broken))

    def _copy_submission(self, folder: Path) -> None:
        name, tree = self.competition.submission.sample, self.tree
        if not name or self._left_out(name):
            return
        if not tree.has(name):
            raise UserError(
                f"{tree.show(name)}: not there. Download it, or correct submission.sample in competition.toml."
            )
        with tree.open(name) as file, (folder / "submission.csv").open("wb") as copy:
            shutil.copyfileobj(file, copy)

    def _write_split(self, split: str, folder: Path) -> list[Broken] | None:
        """Write one split's arrays; None where the competition has no such split."""
        competition, tree, spec = self.competition, self.tree, self.competition.data
        name = spec.train if split == "train" else spec.test
        if spec.format == "custom":
            return [] if write_custom(competition, tree, split, folder) else None
        if name is None or self._left_out(name):
            return None
        if not tree.has(name):
            raise UserError(
                f"{tree.show(name)}: not there. Download the data again, or set data.test in competition.toml."
            )
        classes = competition.classes if split == "train" else None
        if spec.format == "csv_pixels":
            from harness.data.csv_pixels import read_csv_pixels

            read_csv_pixels(tree, name, spec, classes, folder)
            return []
        if spec.format == "npz":
            from harness.data.npz import read_npz

            read_npz(tree, name, spec, split, classes, folder)
            return []
        listing = self._listing(name, classes, folder.parent / "submission.csv")
        if self.stream:
            _write_streamed(listing, tree, (*spec.size, spec.channels), folder)
            return []
        return read_image_folder(tree, listing, spec, folder, self.tick, self.skip_broken)

    def _left_out(self, name: str) -> bool:
        """Whether a file that may be missing is missing."""
        return name in self.competition.data.optional and not self.tree.has(name)

    def _listing(self, name: str, classes: tuple[str, ...] | None, submission: Path) -> Listing:
        """The pictures of a split (without classes: the test's)."""
        tree, spec = self.tree, self.competition.data
        if classes is None:
            wanted = None
            if submission.is_file():
                shown = tree.show(self.competition.submission.sample or "")
                wanted = read_submission_ids(self.competition, submission, shown)
            return list_test(tree, name, wanted)
        if spec.format == "image_csv":
            return list_by_csv(tree, name, spec, classes)
        return list_by_folder(tree, [name, *(m for m in spec.merge if tree.has(m) or m not in spec.optional)], classes)

    def _write_groups(self, folder: Path) -> None:
        """groups.npy by data.group: rows whose ids it finds alike have the same number."""
        if not self.competition.data.group:
            return
        pattern = re.compile(self.competition.data.group)
        ids = np.load(folder / "ids.npy", allow_pickle=False)
        found = [pattern.search(i) for i in ids.tolist()]
        names = ["|".join(map(str, m.groups())) if m else f"\n{i}" for m, i in zip(found, ids.tolist(), strict=True)]
        np.save(folder / "groups.npy", np.unique(names, return_inverse=True)[1].astype(np.int64))

    def _write_meta(self, folder: Path, n_broken: int) -> None:
        self._write_groups(folder / "train")
        train = _open_samples(folder / "train")
        test = _open_samples(folder / "test") if (folder / "test").is_dir() else None
        if test is not None and (folder / "submission.csv").is_file():
            check_submission_ids(self.competition, test.ids, folder / "submission.csv", self.tree)
        kind = "embedded sample" if self.sample else "real data"
        counts = f"{len(train):,} training and {len(test) if test else 0:,} test images"
        broken = f"; {n_broken} could not be decoded, see broken.csv in the cache" if n_broken else ""
        streamed = "; decoded on the way" if self.stream else ""
        parts = [train] + ([test] if test else [])
        stamp = self.tree.stamp(_stamped(self.competition, self.tree)) if self.stream else None
        write_json(
            folder / "meta.json",
            {
                "source": f"{kind} in {self.tree.path} ({counts}{broken}{streamed})",
                "is_sample": self.sample,
                "n_broken": n_broken,
                "fingerprint": _fingerprint(parts, stamp),
            },
        )


def _write_streamed(listing: Listing, tree: FileTree, shape: tuple[int, int, int], folder: Path) -> None:
    np.save(folder / "ids.npy", np.array(listing.ids, dtype=np.str_))
    if listing.labels is not None:
        np.save(folder / "labels.npy", listing.labels)
    write_json(folder / "pictures.json", {"path": str(tree.path.resolve()), "shape": shape, "files": listing.files})


def _open_samples(folder: Path) -> Samples:
    def optional(name: str) -> np.ndarray | None:
        path = folder / f"{name}.npy"
        return np.load(path, allow_pickle=False) if path.is_file() else None

    return Samples(
        ids=np.load(folder / "ids.npy", allow_pickle=False),
        images=_open_images(folder),
        labels=optional("labels"),
        captions=optional("captions"),
        groups=optional("groups"),
    )


def _open_images(folder: Path) -> Any:
    """The decoded images as a memory map, or with --stream what decodes them on the way."""
    pictures = folder / "pictures.json"
    if not pictures.is_file():
        return np.load(folder / "images.npy", mmap_mode="c", allow_pickle=False)
    from harness.data.stream import StreamedImages

    listed = read_json(pictures)
    return StreamedImages(Path(listed["path"]), listed["files"], tuple(listed["shape"]))


def _fingerprint(parts: list[Samples], stamp: Any = None, rows_at_once: int = 4096) -> str:
    """Of ids, groups, labels and pixels; with a `stamp` of the files (streamed pictures) of that in place of pixels."""
    digest = hashlib.blake2b(digest_size=8)
    for samples in parts:
        digest.update("\n".join(samples.ids).encode())
        digest.update(samples.groups.astype("<i8").tobytes())
        if samples.labels is not None:
            digest.update(samples.labels.astype("<i8").tobytes())
        digest.update(str(samples.images.shape).encode())
        if stamp is not None:
            digest.update(json.dumps(stamp).encode())
            continue
        for start in range(0, len(samples), rows_at_once):
            digest.update(np.ascontiguousarray(samples.images[start : start + rows_at_once]))
    return digest.hexdigest()
