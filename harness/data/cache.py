"""A decoded data set in the cache, opened as memory maps.

<cache>/<slug>/<key>/       key = files' names, sizes, times of change and the [data] section
    train/images.npy        uint8 (n, H, W, C), a memory map when opened
    train/ids.npy labels.npy   (captioned: labels are zeros, captions.npy str (n, K), truth.npy where it is known)
    test/images.npy ids.npy (absent where the test is hidden)
    submission.csv          the platform's sample submission (where there is one)
    columns.json */numbers.npy */codes.npy   columns beside the images (where data.features declares some)
    broken.csv              images that could not be decoded (--skip-broken)
    meta.json               source, fingerprint of the content, counts, notes
    manifest.json           checksums of all of these; written last
    scale.json              of resize = "scale": the one scale of all images
    */images-HxW[-WAY].npy  the same rows at another size (see `resize`), each with a manifest of its own
    */statistics-*.npy      what forecasts saw of some rows' images (`harness.oof.forecast.inputs`)
    HxW-WAY/                train/images.npy and test/images.npy brought to the frame in another way, and their manifest

While it is made it is called .<key>.part; a killed decoding of images goes on from there. With --stream there is no
images.npy: pictures.json names the files, which are decoded whenever they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import read_json
from harness.base.storage.damage import DAMAGED
from harness.base.storage.npy import open_array
from harness.base.untrusted_text import plain
from harness.competition import Competition, Samples
from harness.data.columns.reading import open_columns

if TYPE_CHECKING:
    from harness.data.files.archives import FileTree


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
    notes : what is odd about the data, in words
    classes : names of the outputs, as competition.toml has them or the data name them
    competition, tree : with these classes, and the files that it was made of, where `load_dataset` opened the data
    files : where the names that `load_samples` lists are looked up, where that is not `tree`: the zip in it
    way : how images are brought to their size (`DataSpec.way`), where a recipe chose another than competition.toml has
    """

    train: Samples
    test: Samples | None
    submission: Path | None
    source: str
    is_sample: bool
    fingerprint: str
    cache: Path
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    competition: Competition | None = None
    tree: FileTree | None = None
    files: FileTree | None = None
    way: str = ""


def open_cache(cache: Path) -> Dataset:
    """Open a decoded data set as memory maps; nothing is read but the ids and labels. `load_dataset` has looked at its checksums.

    Raises
    ------
    UserError
        If it is damaged.
    """
    try:
        return _opened(cache)
    except UserError as error:
        raise UserError(f"{cache}: {error}") from error
    except (OSError, *DAMAGED) as error:
        raise UserError(
            f"{cache}: the decoded data are damaged ({type(error).__name__}: {plain(error, 200)}). Run harness.data on the competition: they "
            "are made anew"
        ) from error


def _opened(cache: Path) -> Dataset:
    meta = read_json(cache / "meta.json")
    submission = cache / "submission.csv"
    return Dataset(
        train=open_samples(cache / "train"),
        test=open_samples(cache / "test") if (cache / "test").is_dir() else None,
        submission=submission if submission.is_file() else None,
        source=meta["source"],
        is_sample=meta["is_sample"],
        fingerprint=meta["fingerprint"],
        cache=cache,
        notes=tuple(meta["notes"]),
        classes=tuple(meta.get("classes", ())),
    )


def open_samples(folder: Path) -> Samples:
    """One split's arrays: images as a memory map, the others in memory."""

    def optional(name: str) -> np.ndarray | None:
        path = folder / f"{name}.npy"
        return np.load(path, allow_pickle=False) if path.is_file() else None

    return Samples(
        ids=np.load(folder / "ids.npy", allow_pickle=False),
        images=_open_images(folder),
        labels=optional("labels"),
        captions=optional("captions"),
        truth=optional("truth"),
        soft=optional("soft"),
        fold=optional("fold"),
        rows=optional("rows"),
        weight=optional("weight"),
        columns=open_columns(folder),
        groups=optional("groups"),  # type: ignore[arg-type]  # None: each row its own
    )


def _open_images(folder: Path) -> Any:
    """The decoded images as a memory map, or with --stream what decodes them on the way."""
    pictures = folder / "pictures.json"
    if not pictures.is_file():
        return open_array(folder / "images.npy", "c")
    from harness.data.files.decode import Decoder
    from harness.data.streaming import StreamedImages

    listed = read_json(pictures)
    return StreamedImages(Path(listed["path"]), listed["files"], Decoder(**listed["decoder"]), listed["top"])
