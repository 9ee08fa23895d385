"""From a competition and a data root to checked samples: found, decoded once into the cache, opened as memory maps.

<cache>/<slug>/<key>/       key = files' names, sizes, times of change and the [data] section
    train/images.npy        uint8 (n, H, W, C), a memory map when opened
    train/ids.npy labels.npy
    test/images.npy ids.npy (absent where the test is hidden)
    submission.csv          the platform's sample submission (where there is one)
    meta.json               source, fingerprint of the content, counts; written last
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.command import cache_root
from harness.base.errors import UserError
from harness.base.files import complete_folder, read_json, write_json
from harness.competition import Competition, Samples
from harness.data.archives import FileTree
from harness.data.custom import write_custom
from harness.data.sample import sample_folder
from harness.data.submission_ids import check_submission_ids, read_submission_ids

_CACHE_VERSION = 2


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
    competition: Competition, root: Path, *, sample: bool = False, tick: Callable[[int, int], None] | None = None
) -> Dataset:
    """Find, decode (once) and check a competition's data.

    Parameters
    ----------
    root : data root; the files lie in <root>/<slug>/, plain or as the platform's zip
    sample : take the embedded sample instead; never done unasked
    tick : called with (done, total) while pictures are decoded

    Raises
    ------
    UserError
        If the data are missing (names the cures) or wrong (says which file and row).
    """
    folder = sample_folder(competition) if sample else root / competition.slug
    tree = find_files(competition, folder)
    cache = cache_root() / competition.slug / _key(competition, tree)
    if not (cache / "meta.json").is_file():
        with complete_folder(cache) as building:
            _decode(competition, tree, building, tick or (lambda done, total: None))
            _write_meta(competition, tree, building, sample)
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


def find_files(competition: Competition, folder: Path) -> FileTree:
    """The folder itself when it holds the training data, else the platform's zip in it.

    Raises
    ------
    UserError
        If neither is there; names the download command and --sample.
    """
    archive = folder / (competition.data.archive or f"{competition.slug}.zip")
    if competition.data.format == "custom" and folder.is_dir() and any(folder.iterdir()):
        return FileTree(folder)
    for tree in (FileTree(folder), FileTree(archive)):
        if tree.path.exists() and tree.has(competition.data.train):
            return tree
    sample = "  or try the harness on the embedded sample: add --sample\n" if competition.hook("make_sample") else ""
    raise UserError(
        f"no data of '{competition.slug}': neither {folder / competition.data.train} nor {archive} with it is there.\n"
        f"  Download it:           {_download_command(competition, folder)}\n"
        f"{sample}"
        "  (the folder is <data root>/<slug>/; the root comes from --data DIR, else $HARNESS_DATA, else data/)"
    )


def _download_command(competition: Competition, folder: Path) -> str:
    if competition.platform == "kaggle":
        return f"kaggle competitions download -c {competition.slug} -p {folder}   (pip install kaggle)"
    return f"from {competition.url or 'the competition page'} into {folder}"


def _key(competition: Competition, tree: FileTree) -> str:
    spec = competition.data
    names = [spec.train, *([spec.test] if spec.test else [])]
    if spec.format == "custom" and not tree.is_zip:
        names = sorted(p.relative_to(tree.path).as_posix() for p in tree.path.rglob("*") if p.is_file())
    elif spec.format == "image_folder" and not tree.is_zip:
        names = [name for folder in names for name in tree.names(folder)]
    if competition.submission.sample and competition.submission.sample not in names:
        names.append(competition.submission.sample)
    content = [
        _CACHE_VERSION,
        str(tree.path.resolve()),
        tree.stamp([name for name in names if tree.has(name)]),
        spec.model_dump(mode="json"),
        competition.submission.model_dump(mode="json"),
        competition.classes,
        [p.stat().st_mtime_ns for p in [competition.folder / "competition.py"] if p.is_file()],
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _decode(competition: Competition, tree: FileTree, building: Path, tick: Callable[[int, int], None]) -> None:
    sample = competition.submission.sample
    if sample:
        if not tree.has(sample):
            raise UserError(
                f"{tree.show(sample)}: not there. Download it, or correct submission.sample in competition.toml."
            )
        with tree.open(sample) as file, (building / "submission.csv").open("wb") as copy:
            shutil.copyfileobj(file, copy)
    for split in ("train", "test"):
        (building / split).mkdir()
        if not _decode_split(competition, tree, split, building / split, tick):
            (building / split).rmdir()


def _decode_split(
    competition: Competition, tree: FileTree, split: str, folder: Path, tick: Callable[[int, int], None]
) -> bool:
    """Write one split's arrays; False where the competition has no such split."""
    spec = competition.data
    name = spec.train if split == "train" else spec.test
    classes = competition.classes if split == "train" else None
    if spec.format == "custom":
        return write_custom(competition, tree, split, folder)
    if name is None:
        return False
    if not tree.has(name):
        raise UserError(f"{tree.show(name)}: not there. Download the data again, or set data.test in competition.toml.")
    if spec.format == "csv_pixels":
        from harness.data.csv_pixels import read_csv_pixels

        read_csv_pixels(tree, name, spec, classes, folder)
    else:
        from harness.data.image_folder import read_image_folder

        submission = folder.parent / "submission.csv"
        wanted = (
            read_submission_ids(competition, submission, tree.show(submission.name)) if submission.is_file() else None
        )
        read_image_folder(tree, name, spec, classes, folder, tick, wanted)
    return True


def _open_samples(folder: Path) -> Samples:
    def optional(name: str) -> np.ndarray | None:
        path = folder / f"{name}.npy"
        return np.load(path, allow_pickle=False) if path.is_file() else None

    return Samples(
        ids=np.load(folder / "ids.npy", allow_pickle=False),
        images=np.load(folder / "images.npy", mmap_mode="c", allow_pickle=False),
        labels=optional("labels"),
        captions=optional("captions"),
        groups=optional("groups"),
    )


def _write_meta(competition: Competition, tree: FileTree, building: Path, sample: bool) -> None:
    train = _open_samples(building / "train")
    test = _open_samples(building / "test") if (building / "test").is_dir() else None
    if test is not None and (building / "submission.csv").is_file():
        check_submission_ids(competition, test.ids, building / "submission.csv", tree)
    kind = "embedded sample" if sample else "real data"
    n_test = len(test) if test else 0
    write_json(
        building / "meta.json",
        {
            "source": f"{kind} in {tree.path} ({len(train):,} training and {n_test:,} test images)",
            "is_sample": sample,
            "fingerprint": _fingerprint([train] + ([test] if test else [])),
        },
    )


def _fingerprint(parts: list[Samples], rows_at_once: int = 4096) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for samples in parts:
        digest.update("\n".join(samples.ids).encode())
        digest.update(samples.groups.astype("<i8").tobytes())
        if samples.labels is not None:
            digest.update(samples.labels.astype("<i8").tobytes())
        digest.update(str(samples.images.shape).encode())
        for start in range(0, len(samples), rows_at_once):
            digest.update(np.ascontiguousarray(samples.images[start : start + rows_at_once]))
    return digest.hexdigest()
