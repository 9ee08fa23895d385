"""The same rows at another size, or brought to it in another way: a recipe's `data.size`, `data.resize`. Ids, folds and fingerprint
stay those of the data set.

    train/images.npy           as competition.toml says
    HxW-WAY/train/images.npy   another way (`DataSpec.way`): the files decoded anew, at the competition's size
    train/images-HxW[-WAY].npy another size: made of the one or the other, image by image
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.storage.atomic_files import read_json, remove_folder, resumable_folder
from harness.base.storage.manifest import MANIFEST, faults, manifest_beside, sealed_file, write_manifest
from harness.base.storage.npy import open_array
from harness.competition import Competition, Samples
from harness.competition.data_spec import DataSpec
from harness.competition.recipe import DataChoice
from harness.data.build import files_of_rows, scale_note
from harness.data.cache import Dataset, open_cache
from harness.data.files.arrays import new_array
from harness.data.files.decode import Decoder
from harness.data.files.frame import Frame
from harness.data.files.sizes import settled_decoder
from harness.data.formats.images import SCALE, SIZES, Broken, decode_all, forget_decoded, refuse_broken
from harness.data.streaming import StreamedImages

_AT_ONCE = 1024

Tick = Callable[[int, int], None]


def resize(dataset: Dataset, choice: DataChoice, tick: Tick = lambda done, total: None) -> list[str]:
    """Write the images as a recipe chose them beside the decoded ones; nothing, where they stand undamaged.

    Returns
    -------
    notes on what is odd

    Raises
    ------
    UserError
        If a file cannot be decoded.
    """
    assert dataset.competition is not None  # of `load_dataset`
    copies = _Copies.of(dataset, dataset.competition.data, choice)
    if copies.is_streamed:
        copies.settle_streamed()
        return []
    if copies.is_anew and faults(copies.folder / MANIFEST):
        copies.decode(tick)
    for split, samples in _splits(dataset):
        whole, path = copies.at_own_size(split), copies.path(split)
        if path is not None and path != whole and not (path.is_file() and not faults(manifest_beside(path))):
            images = samples.images if whole is None else open_array(whole)
            with sealed_file(path) as temporary:
                _write(images, temporary, frame_of(copies.wanted), tick)
    has_scale = copies.is_anew and (copies.folder / SCALE).is_file()
    return [scale_note(copies.at_own, copies.folder)] if has_scale else []


def open_resized(competition: Competition, cache: Path, choice: DataChoice) -> tuple[Competition, Dataset]:
    """The competition and its data as a recipe chose them; `resize` was called before."""
    competition, dataset = competition.using(choice), _with_columns(open_cache(cache), choice)
    copies = _Copies.of(dataset, competition.data, choice)
    if copies.wanted == competition.data:
        return competition, dataset
    train = copies.open("train", dataset.train)
    test = copies.open("test", dataset.test) if dataset.test else None
    competition = competition.model_copy(update={"data": copies.wanted})
    way = "" if copies.wanted.way == copies.own.way else copies.wanted.way
    return competition, dataclasses.replace(dataset, train=train, test=test, way=way)


def frame_of(spec: DataSpec) -> Frame:
    """What images that lie decoded, all of one size, are brought to."""
    return Frame(*spec.size, spec.resize, spec.fill, spec.background).of_frames()


def frame_of_raw(competition: Competition, cache: Path, choice: DataChoice) -> Frame:
    """What an image as it comes is brought to, for a network that a recipe trained on these data."""
    dataset, own = open_cache(cache), competition.using(choice).data
    copies = _Copies.of(dataset, own, choice)
    wanted, is_other = copies.wanted, copies.is_anew or (copies.is_streamed and copies.wanted != own)
    frame = Frame(*wanted.size, wanted.resize, wanted.fill, wanted.background)
    path = (copies.folder if is_other else cache) / SCALE
    if wanted.resize != "scale" or not path.is_file():  # arrays and tables: all images are of one size
        return frame
    larger = 1.0 if copies.is_streamed else min(wanted.size[0] / own.size[0], wanted.size[1] / own.size[1])
    return frame._replace(factor=read_json(path)["factor"] * larger)


def without_fill(competition: Competition, dataset: Dataset, tick: Tick = lambda done, total: None) -> Dataset:
    """The data stretched to the frame, for whoever compares images: what is filled is alike in all of them, and hides how they differ."""
    if competition.data.resize not in ("fit", "scale"):
        return dataset
    stretched = DataChoice(resize="stretch")
    resize(dataset, stretched, tick)
    return open_resized(competition, dataset.cache, stretched)[1]


def resize_pixels(images: np.ndarray, frame: Frame) -> np.ndarray:
    """uint8 (B, H, W, C) in a frame, as `resize` makes them."""
    out = np.empty((len(images), frame.height, frame.width, images.shape[3]), dtype=np.uint8)
    for row, picture in enumerate(images):
        out[row] = frame.pixels(picture)
    return out


def _with_columns(dataset: Dataset, choice: DataChoice) -> Dataset:
    """The data with the columns beside the images, or without, as the recipe has it."""
    if choice.columns or dataset.train.columns is None:
        return dataset
    test = dataclasses.replace(dataset.test, columns=None) if dataset.test else None
    return dataclasses.replace(dataset, train=dataclasses.replace(dataset.train, columns=None), test=test)


@dataclasses.dataclass(frozen=True)
class _Copies:
    """Where the images that a recipe chose lie.

    own : [data] as the data were decoded; wanted : as the recipe has it
    """

    dataset: Dataset
    own: DataSpec
    wanted: DataSpec

    @classmethod
    def of(cls, dataset: Dataset, own: DataSpec, choice: DataChoice) -> _Copies:
        return cls(dataset, own, own.chosen(choice))

    @property
    def is_anew(self) -> bool:
        """Whether files are to be decoded another time: what lies decoded has lost what is wanted; arrays and tables have no files."""
        return self.own.way != self.wanted.way and (self.dataset.cache / "train" / SIZES).is_file()

    @property
    def at_own(self) -> DataSpec:
        """The wanted way, at the size that the data were decoded to."""
        return self.wanted.model_copy(update={"size": self.own.size})

    @property
    def is_streamed(self) -> bool:
        """Whether images are decoded on the way."""
        return isinstance(self.dataset.train.images, StreamedImages)

    @property
    def folder(self) -> Path:
        """What is decoded anew, like the data set's own folder; of streamed images scale.json alone, of their size too."""
        return self.dataset.cache / self._name(self.wanted if self.is_streamed else self.at_own)

    def at_own_size(self, split: str) -> Path | None:
        """What is decoded anew; None where nothing is."""
        return self.folder / split / "images.npy" if self.is_anew else None

    def path(self, split: str) -> Path | None:
        """What is trained on; None where that is what lies decoded."""
        if self.wanted.size == self.own.size:
            return self.at_own_size(split)
        return self.dataset.cache / split / f"images-{self._name(self.wanted)}.npy"

    def decode(self, tick: Tick) -> None:
        """Decode the files another time; what is stopped goes on."""
        files_in = self.dataset.files or self.dataset.tree
        assert files_in is not None  # of `load_dataset`
        # which files are broken was told, or refused, when they were first decoded
        skip = (self.dataset.cache / "broken.csv").is_file()
        if self.folder.is_dir():  # damaged
            remove_folder(self.folder)
        with resumable_folder(self.folder) as part:
            if part is None:
                return
            broken: list[Broken] = []
            for split, _ in _splits(self.dataset):
                (part / split).mkdir(exist_ok=True)
                files = files_of_rows(self.dataset, split)
                broken += decode_all(files_in, files, self.at_own, part / split, tick, skip)[0].values()
            if not skip:
                refuse_broken(broken)  # since they were first decoded
            for split, _ in _splits(self.dataset):
                forget_decoded(part / split)
            write_manifest(part / MANIFEST, [p.relative_to(part).as_posix() for p in part.rglob("*") if p.is_file()])

    def settle_streamed(self) -> None:
        """Choose the scale, where images that are decoded on the way need one of their own."""
        if self.wanted != self.own and self.wanted.resize == "scale":
            self._streamed_decoder()

    def _streamed_decoder(self) -> Decoder:
        images: Any = self.dataset.train.images
        return settled_decoder(images.tree, images.files, self.wanted, self.folder / SCALE, lambda done, total: None)

    def open(self, split: str, samples: Samples) -> Samples:
        """A split's rows with these images."""
        if self.is_streamed:
            old: Any = samples.images
            return dataclasses.replace(samples, images=old.by(self._streamed_decoder()))
        path = self.path(split)
        return samples if path is None else dataclasses.replace(samples, images=open_array(path, "c"))

    def _name(self, spec: DataSpec) -> str:
        way = "" if spec.way == self.own.way else f"-{spec.way}"
        return f"{spec.size[0]}x{spec.size[1]}{way}"


def _splits(dataset: Dataset) -> list[tuple[str, Samples]]:
    return [("train", dataset.train)] + ([("test", dataset.test)] if dataset.test else [])


def _write(images: np.ndarray, path: Path, frame: Frame, tick: Tick) -> None:
    """Bring uint8 (n, H, W, C) into a new .npy, in threads."""
    resized = new_array(path, (len(images), frame.height, frame.width, images.shape[3]), np.uint8)

    def resize_row(row: int) -> None:
        resized[row] = frame.pixels(images[row])

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(images), _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, len(images)))
            for row, _ in zip(rows, pool.map(resize_row, rows), strict=True):
                tick(row + 1, len(images))
    resized.flush()
