"""The making of a decoded data set: from a competition's files to the arrays of a cache folder (`cache` draws it)."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import read_json, write_json
from harness.base.storage.manifest import MANIFEST, write_manifest
from harness.base.storage.npy import open_array
from harness.base.untrusted_text import counted, listed, plain
from harness.competition import Competition, Listing, Samples
from harness.competition.class_file import CLASSES_FILE
from harness.competition.data_spec import DataSpec
from harness.competition.samples import RawTargets
from harness.data.cache import Dataset, open_samples
from harness.data.columns.patterns import IMAGE_COLUMNS
from harness.data.columns.reading import ColumnPlan, open_columns, plan_columns
from harness.data.files.archives import FileTree, walk
from harness.data.files.decode import Decoder
from harness.data.files.sizes import count_larger, settled_decoder
from harness.data.formats.custom import begin_anew_with_other_files, load_custom, write_samples
from harness.data.formats.given_arrays import refuse_other_columns
from harness.data.formats.images import SCALE, SIZES, Broken, forget_decoded, read_images, refuse_broken
from harness.data.rows.groups import group_numbers, groups_by_pattern, in_either
from harness.data.rows.listing import list_by_folder, list_by_table, list_test
from harness.data.rows.sample_submission import check_submission_ids, copy_lookup, read_submission_ids, sample_columns
from harness.data.rows.targets import classes_of, encode, fold_numbers, notes_on_labels, votes
from harness.data.rows.weights import note_on_weights

if TYPE_CHECKING:
    from harness.data.formats.csv_pixels import PixelRows

PICTURE_FORMATS = ("image_folder", "image_csv", "captioned")

Tick = Callable[[int, int], None]
"""(done, of how many)."""


@dataclass(frozen=True)
class Building:
    """The making of a cache folder.

    files : where the names that `load_samples` gives are looked up: `tree`, or the platform's zip in it
    notes : what is odd about the data, in words; found : classes that the data name; kept : of a split, by its folder's name, the numbers of
        the table's rows, where some were left out; all gathered while it is written
    """

    competition: Competition
    tree: FileTree
    sample: bool
    skip_broken: bool
    stream: bool
    tick: Callable[[int, int], None]
    files: FileTree
    notes: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    kept: dict[str, list[int]] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes: as competition.toml names them, or as the training rows were found to have them."""
        return self.competition.classes or tuple(self.found)

    @property
    def named(self) -> Competition:
        """The competition with its classes, where they were found."""
        return self.competition.with_classes(self.classes) if self.found else self.competition

    def write(self, folder: Path) -> None:
        """Write both splits, the sample submission and meta.json into `folder`."""
        self.notes.extend(
            f"{self.tree.show(name)} (data.merge) is not there; it is optional, so its images are not among the training images"
            for name in self.competition.data.merge
            if self._left_out(name)
        )
        self._copy_submission(folder)
        columns = self._column_plan()
        broken: list[Broken] = []
        for split in ("train", "test"):
            (folder / split).mkdir(exist_ok=True)
            found = self._write_split(split, folder / split)
            if found is None:
                (folder / split).rmdir()
            else:
                broken += found
                if broken and not self.skip_broken:
                    continue  # the other split is looked through as well, so that all that are broken are told
                if columns is not None:
                    columns.write(split, folder / split, self.kept.get(split))
        if not self.skip_broken:
            refuse_broken(broken)
        if broken:
            lines = [["file", "reason"], *([b.file, b.reason] for b in broken)]
            with (folder / "broken.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(lines)
        for split in ("train", "test"):
            forget_decoded(folder / split)  # only now: a kill before has decoded nothing in vain
        self._write_meta(folder, len(broken))
        write_manifest(folder / MANIFEST, [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()])

    def write_train(self, folder: Path) -> Samples:
        """Write the training rows alone, and open them; `folder` is a new one."""
        part = folder / "train"
        part.mkdir()
        refuse_broken(self._write_split("train", part) or [])
        self._write_groups(part)
        return open_samples(part)

    def write_test(self, folder: Path) -> bool:
        """Write the sample submission and the test alone, for where predicting is all that is done; whether there is a test."""
        self._copy_submission(folder)
        (folder / "test").mkdir(exist_ok=True)
        broken = self._write_split("test", folder / "test")
        if not self.skip_broken:
            refuse_broken(broken or [])
        forget_decoded(folder / "test")
        return broken is not None

    def _column_plan(self) -> ColumnPlan | None:
        """The columns beside the images, checked before any image is decoded; None where none are declared."""
        spec = self.competition.data
        if not spec.features:
            return None
        if self.stream and any(name in spec.features for name in IMAGE_COLUMNS):
            raise UserError(
                "--stream: decodes images when they are asked for, so image.height and image.width are not known. Take them out of data.features."
            )
        has_test = spec.test is not None and not self._left_out(spec.test)
        plan = plan_columns(self.files, spec, has_test, self.competition.classes)
        self.notes.extend(plan.notes)
        return plan

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
        copy_lookup(self.competition, tree, folder)

    def _write_split(self, split: str, folder: Path) -> list[Broken] | None:
        """Write one split's arrays; None where the competition has no such split."""
        competition, tree, spec = self.competition, self.tree, self.competition.data
        name = spec.train if split == "train" else spec.test
        if spec.format == "custom":
            return self._write_custom(split, folder)
        if name is None or self._left_out(name):
            return None
        if not tree.has(name):
            raise UserError(
                f"{tree.show(name)}: not there. Download the data again, or set data.test in competition.toml."
            )
        labelled = split == "train"
        if spec.format == "captioned":
            from harness.data.formats.captioned import read_captioned

            broken, notes = read_captioned(competition, tree, split, folder, self.tick, self.skip_broken)
            self.notes.extend(notes)
            return broken
        if spec.format in ("csv_pixels", "table_pixels"):
            from harness.data.formats.csv_pixels import read_csv_pixels
            from harness.data.formats.table_pixels import read_table_pixels

            if spec.format == "csv_pixels":
                self._save_pixel_rows(read_csv_pixels(tree, name, spec, labelled, folder), folder)
            else:
                read = read_table_pixels(tree, name, spec, labelled, folder, self.tick, self.skip_broken)
                if read[1] and not self.skip_broken:
                    return read[1]
                self._save_pixel_rows(read[0], folder)
                return read[1]
            return []
        if spec.format == "npz":
            self._write_npz(name, split, folder)
            return []
        if spec.is_stack:
            from harness.data.formats.stacked import read_stacked

            self._save_pixel_rows(read_stacked(tree, name, spec, labelled, folder), folder)
            return []
        if spec.format == "arrays":
            from harness.data.formats.arrays import read_arrays

            self.found.extend(read_arrays(competition, tree, name, labelled, folder))
            return []
        return self._write_listed(self._listing(name, labelled, folder.parent / "submission.csv"), tree, folder)

    def _write_custom(self, split: str, folder: Path) -> list[Broken] | None:
        """What `load_samples` gives: arrays, or a list of files, which are decoded as those of other formats."""
        samples = load_custom(self.competition, self.tree, self.files, split)
        if samples is None:
            return None
        if isinstance(samples, Listing):
            begin_anew_with_other_files(samples, folder)
            return self._write_listed(samples, self.files, folder)
        if self.stream:
            raise UserError(
                f"--stream: {self.competition.folder / 'competition.py'}: load_samples gives decoded arrays. Give a Listing of their files "
                "instead, or go without --stream."
            )
        self._check_columns_of_arrays(samples, split, folder)
        write_samples(samples, folder)
        return []

    def _check_columns_of_arrays(self, samples: Samples, split: str, folder: Path) -> None:
        """Refuse columns from two sources, columns that cannot be known, and test rows with other ones than the training rows."""
        where, declared = f"{self.competition.folder / 'competition.py'}: load_samples", self.competition.data.features
        own = next((name for name in declared if name in IMAGE_COLUMNS), None)
        if own is not None:
            raise UserError(
                f"data.features: '{own}': {where} gives arrays, which have one size. Take it out in competition.toml."
            )
        if declared and samples.columns is not None:
            raise UserError(
                f"{where} gives columns, and data.features in competition.toml names some: leave out the one or the other."
            )
        train = folder.parent / "train"  # not there, where predicting is all that is done
        if split == "test" and not declared and train.is_dir():
            refuse_other_columns(samples.columns, open_columns(train), f"{where}(..., 'test')")

    def _write_listed(self, listing: Listing, tree: FileTree, folder: Path) -> list[Broken]:
        """The images of a listing, decoded now or, with --stream, whenever they are asked for."""
        spec = self.competition.data
        arrays = self._arrays(listing.targets, listing.groups, listing.fold, listing.weight) if listing.targets else {}
        if listing.rows is not None:
            arrays["rows"] = np.array(listing.rows, dtype=np.str_)
        if self.stream:
            self.notes.extend(listing.notes)
            decoder = settled_decoder(tree, listing.files, spec, folder.parent / SCALE, self.tick)
            _write_streamed(listing, arrays, tree, decoder, folder)
            return []
        broken, notes = read_images(tree, listing, arrays, spec, folder, self.tick, self.skip_broken)
        self.notes.extend(notes)
        return broken

    def _arrays(
        self, raw: RawTargets, groups: list[str] | None, fold: list[str] | None, weight: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """Everything that each training row has beside its pixels: labels, and votes, groups, folds and weights where they are given."""
        task = self.competition.kind
        if not self.classes:
            self.found.extend(classes_of(task, raw, sample_columns(self.competition, self.tree)))
            self.competition.with_classes(self.classes)  # do they fit task and metrics?
        self.notes.extend(notes_on_labels(task, raw, bool(self.found)))
        soft = votes(task, raw, self.classes)
        labels = encode(task, raw, self.classes) if soft is None else soft.argmax(axis=1).astype(np.int64)
        found = {"labels": labels} | ({} if soft is None else {"soft": soft})
        if groups is not None:
            found["groups"] = group_numbers(groups)
        if fold is not None:
            found["fold"] = fold_numbers(fold, partial(raw.cell, self.competition.data.fold or "fold"))
        if weight is not None:
            found["weight"] = weight
            self.notes.append(note_on_weights(weight))
        return found

    def _save_pixel_rows(self, rows: PixelRows, folder: Path) -> None:
        """ids.npy, labels.npy and groups.npy of rows whose pixels stood in a table or an array."""
        self.notes.extend(rows.notes)
        if rows.kept is not None:
            self.kept[folder.name] = rows.kept
        n, ids, first = len(open_array(folder / "images.npy")), rows.ids, 0 if self.competition.data.is_stack else 1
        if ids is None:
            ids = self._sample_ids(n, folder.parent / "submission.csv") if rows.targets is None else None
        np.save(
            folder / "ids.npy", np.array(ids if ids is not None else np.arange(first, n + first).astype(str), np.str_)
        )
        if rows.targets is not None:
            for name, array in self._arrays(rows.targets, rows.groups, rows.fold, rows.weight).items():
                np.save(folder / f"{name}.npy", array)

    def _sample_ids(self, n: int, submission: Path) -> list[str] | None:
        """Ids of test rows that have only numbers: those of the sample submission, where it has as many rows, and counts from 0, or
        data.id names a column that the training rows have and these lack, or they are an array's, which have nothing but their order."""
        if not submission.is_file():
            return None
        shown = self.tree.show(self.competition.submission.sample or "")
        ids = read_submission_ids(self.named, submission, shown)
        counted = ids.tolist() == list(map(str, range(n)))
        spec = self.competition.data
        if spec.is_stack and len(ids) == n:
            from harness.data.formats.stacked import refuse_another_order

            refuse_another_order(ids.tolist(), True, f"{shown}: its id column", self.tree.show(spec.test or ""))
        return ids.tolist() if len(ids) == n and (counted or spec.id or spec.is_stack) else None

    def _write_npz(self, name: str, split: str, folder: Path) -> None:
        from harness.data.formats.npz import classes_of_array, labels_of_array, read_npz

        labels = read_npz(self.tree, name, self.competition.data, split, folder)
        if labels is None:
            return
        task, where = self.competition.kind, f"{self.tree.show(name)}:{self.competition.data.one_label}"
        if not self.classes:
            self.found.extend(classes_of_array(task, labels, where))
            self.competition.with_classes(self.classes)
        np.save(folder / "labels.npy", labels_of_array(task, labels, self.classes, where))

    def files_by_id(self, split: str, submission: Path) -> dict[str, tuple[str, ...]]:
        """The image files of each row of a split, as they are listed now; nothing is decoded."""
        competition, tree, spec = self.competition, self.tree, self.competition.data
        name = spec.train if split == "train" else spec.test
        if spec.format == "custom":
            samples = load_custom(competition, tree, self.files, split)
            return dict(zip(samples.ids, samples.files, strict=True)) if isinstance(samples, Listing) else {}
        assert name is not None
        if spec.format == "captioned":
            from harness.data.formats.captioned import files_by_name

            images = [row[0] for row in list_test(tree, name, spec).files]
            return {image: (file,) for image, file in files_by_name(tree, images).items()}
        listing = self._listing(name, split == "train", submission)
        return dict(zip(listing.ids, listing.files, strict=True))

    def training_rows(self) -> tuple[Listing, dict[str, np.ndarray]]:
        """The training images of image_folder and image_csv, and what each row has beside its pixels; nothing is decoded."""
        listing = self._listing(self.competition.data.train, True, Path())
        assert listing.targets is not None  # training rows always have targets
        return listing, self._arrays(listing.targets, listing.groups, listing.fold, listing.weight)

    def _left_out(self, name: str) -> bool:
        """Whether a file that may be missing is missing."""
        return name in self.competition.data.optional and not self.tree.has(name)

    def _listing(self, name: str, labelled: bool, submission: Path) -> Listing:
        """The images of a split, with the targets of the training rows."""
        tree, spec = self.tree, self.competition.data
        if not labelled:
            wanted = None
            if submission.is_file():
                shown = tree.show(self.competition.submission.sample or "")
                wanted = read_submission_ids(self.named, submission, shown)
            elif name == spec.train and not spec.table_of_test:
                raise UserError(
                    f"{tree.show(name)}: holds the training images (data.train), and nothing says which of its images are the test's "
                    "(data.test). Name them by data.test_where, data.test_rows or submission.sample in competition.toml; where there is no "
                    'test, take data.test out and write optional = ["test"].'
                )
            return list_test(tree, name, spec, wanted, self.competition.submission.rows, self.classes)
        if spec.format == "image_csv":
            return list_by_table(tree, name, spec, self.competition.classes)
        names = [name, *(m for m in spec.merge if tree.has(m) or m not in spec.optional)]
        return list_by_folder(tree, spec, names, self.competition.classes)

    def _write_groups(self, folder: Path) -> None:
        """groups.npy by data.group: rows whose ids it finds alike have the same number, as have those that the data say belong together."""
        if not self.competition.data.group:
            return
        path, ids = folder / "groups.npy", np.load(folder / "ids.npy", allow_pickle=False).tolist()
        groups = groups_by_pattern(ids, self.competition.data.group)
        np.save(path, in_either(groups, np.load(path, allow_pickle=False)) if path.is_file() else groups)

    def _write_meta(self, folder: Path, n_broken: int) -> None:
        self._write_groups(folder / "train")
        train = open_samples(folder / "train")
        test = open_samples(folder / "test") if (folder / "test").is_dir() else None
        if test is not None and (folder / "submission.csv").is_file():
            check_submission_ids(self.named, test.answered, folder / "submission.csv", self.tree)
        kind = "embedded sample" if self.sample else "real data"
        counts = f"{len(train):,} training and {counted(len(test) if test else 0, 'test image')}"
        broken = f"; {n_broken} could not be decoded, see broken.csv in the cache" if n_broken else ""
        streamed = "; decoded on the way" if self.stream else ""
        parts = [train] + ([test] if test else [])
        if not self.stream:
            self.notes.extend(note for note in map(_constant_note, ("training", "test"), parts) if note)
        self._note_empty_classes(train)
        if (folder / SCALE).is_file():
            self.notes.append(scale_note(self.competition.data, folder))
        stamp = self.tree.stamp(stamped(self.competition, self.tree)) if self.stream else None
        write_json(
            folder / "meta.json",
            {
                "source": f"{kind} in {self.tree.path} ({counts}{broken}{streamed})",
                "is_sample": self.sample,
                "n_broken": n_broken,
                "classes": list(self.classes),
                "notes": self.notes,
                "fingerprint": _fingerprint(parts, stamp),
            },
        )

    def _note_empty_classes(self, train: Samples) -> None:
        """Say which classes of classes.txt no row has any more: a label may have been mended since they were read."""
        if not self.competition.classes_read or train.labels is None or train.labels.ndim > 1 or train.soft is not None:
            return
        there = set(train.labels.tolist())
        empty = [f"'{name}'" for place, name in enumerate(self.classes) if place not in there]
        if empty:
            self.notes.append(
                f"{CLASSES_FILE}: no training row is of {listed(empty, 5)}; take out of it what is no class, "
                "or delete it to have the classes read anew"
            )


def stamped(competition: Competition, tree: FileTree) -> list[str]:
    """Names of the files that the data are read from."""
    spec = competition.data
    tables = spec.merge if spec.format == "table_pixels" or spec.is_stack else ()
    names = [found for name in (spec.train, spec.test, *tables) if name for found in tree.matching(name)]
    if spec.format == "custom" and not tree.is_zip:
        names = sorted(name.removeprefix("/") for name in walk(tree.path, ""))
    elif spec.format in (*PICTURE_FORMATS, "arrays") and not spec.is_stack and not tree.is_zip:
        folders = [*names, *spec.merge]
        names = [name for f in folders for name in ([f] if tree.is_packed(f) else tree.names(f) or [f])]
    if spec.format == "image_csv" or spec.is_stack:
        names += [spec.labels, *spec.merge_labels, *([spec.test_rows] if spec.test_rows else [])]
    if spec.format in ("image_csv", "image_folder", "arrays") and spec.join:
        names.append(spec.join.file)
    names += spec.features_from.file if spec.features_from else ()
    if spec.format == "captioned":
        names += [*spec.captions, *([spec.test_captions] if spec.test_captions else [])]
    if competition.submission.sample and competition.submission.sample not in names:
        names.append(competition.submission.sample)
    if competition.submission.lookup:
        names.append(competition.submission.lookup.file)
    return [name for name in names if tree.has(name)]


def scale_note(spec: DataSpec, folder: Path) -> str:
    """What resize = "scale" did to the images whose scale.json lies in `folder`."""
    told = read_json(folder / SCALE)
    larger, sizes = f"{told['larger']:,} of {told['images']:,} training images", folder / "test" / SIZES
    if sizes.is_file():
        extents = np.load(sizes, allow_pickle=False)
        larger += f" and {count_larger(extents, spec.size, told['factor']):,} of {len(extents):,} test images"
    return (
        f"resize = 'scale': a pixel of an image is {told['factor']:.3g} pixels of the frame {spec.size[0]} x {spec.size[1]}, into which "
        f"{spec.fits:.4g} of the training images fit; {larger} are larger, and were shrunk to fit"
    )


def files_of_rows(dataset: Dataset, split: str) -> list[tuple[str, ...]]:
    """The image files of each row of a split, as they were when it was decoded; the data's own `competition` and `tree` must be there."""
    samples = dataset.train if split == "train" else dataset.test
    assert samples is not None and dataset.competition is not None and dataset.tree is not None
    competition, tree, files = dataset.competition, dataset.tree, dataset.files or dataset.tree
    building = Building(competition, tree, dataset.is_sample, True, False, lambda done, total: None, files)
    found = building.files_by_id(split, dataset.cache / "submission.csv")
    lost = next((i for i in samples.ids.tolist() if i not in found), None)
    if lost is not None:  # own code may list otherwise each time
        raise UserError(
            f"{competition.folder}: id '{plain(lost, 80)}' was there when the images were decoded, and is listed no more"
        )
    return [found[i] for i in samples.ids.tolist()]


_FLAT, _FLAT_SHARE = 16, 0.05


def _constant_note(kind: str, samples: Samples, rows_at_once: int = 1024) -> str:
    """A warning, where many decoded images hold next to nothing: their content may have been lost in decoding."""
    if samples.images.shape[1] * samples.images.shape[2] < 2:
        return ""  # captions without images
    flat: list[int] = []
    for start in range(0, len(samples), rows_at_once):
        rows = np.asarray(samples.images[start : start + rows_at_once]).reshape(
            -1, int(np.prod(samples.images.shape[1:]))
        )
        flat += (start + np.flatnonzero(rows.max(axis=1) - rows.min(axis=1) < _FLAT)).tolist()
    if len(flat) < max(_FLAT_SHARE * len(samples), 1):
        return ""
    return (
        f"{len(flat):,} of {len(samples):,} {kind} images are nearly constant once decoded (all values within {_FLAT} of 256), e.g. "
        f"'{samples.ids[flat[0]]}': look at them with harness.data preview. What is drawn in transparency may need another "
        "data.background, values of 16 bits a data.range"
    )


def _write_streamed(
    listing: Listing, arrays: dict[str, np.ndarray], tree: FileTree, decoder: Decoder, folder: Path
) -> None:
    np.save(folder / "ids.npy", np.array(listing.ids, dtype=np.str_))
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    where = {"path": str(tree.path.resolve()), "top": tree.top, "files": listing.files}
    write_json(folder / "pictures.json", where | {"decoder": dataclasses.asdict(decoder)})


def _fingerprint(parts: list[Samples], stamp: Any = None, rows_at_once: int = 4096) -> str:
    """Of ids, groups, labels and pixels; with a `stamp` of the files (streamed images) of that in place of pixels."""
    digest = hashlib.blake2b(digest_size=8)
    for samples in parts:
        digest.update("\n".join(samples.ids).encode())
        digest.update(samples.groups.astype("<i8").tobytes())
        if samples.labels is not None:
            digest.update(samples.labels.astype("<i8" if samples.labels.ndim == 1 else "<f4").tobytes())
        for more in (samples.soft, samples.fold, samples.weight):
            if more is not None:
                digest.update(more.tobytes())
        if samples.columns is not None:
            digest.update(json.dumps([samples.columns.number_names, samples.columns.categories]).encode())
            digest.update(samples.columns.numbers.tobytes() + samples.columns.codes.tobytes())
        if samples.captions is not None:
            digest.update("\n".join(samples.captions.ravel()).encode())
        digest.update(str(samples.images.shape).encode())
        if stamp is not None:
            digest.update(json.dumps(stamp).encode())
            continue
        for start in range(0, len(samples), rows_at_once):
            digest.update(np.ascontiguousarray(samples.images[start : start + rows_at_once]).data)
    return digest.hexdigest()
