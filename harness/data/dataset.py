"""From a competition and a data root to checked samples: found, decoded once into the cache, opened as memory maps.

While a cache folder is made it is called .<key>.part; a killed decoding of images goes on from there. The key is made of
the files' names, sizes, times of change and the [data] section, and of classes that the data themselves did not name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness.base.command import cache_root
from harness.base.errors import UserError
from harness.base.places.home import from_here
from harness.base.storage.atomic_files import read_json, remove_folder, resumable_folder
from harness.base.storage.manifest import MANIFEST, faults
from harness.base.terminal import note
from harness.base.untrusted_text import counted, listed
from harness.competition import Competition
from harness.competition.class_file import CLASSES_FILE, save_classes
from harness.competition.scoring.registry import CLASSES, LABELS
from harness.data.build import Building, Tick, stamped
from harness.data.cache import Dataset, open_cache
from harness.data.files.archives import FileTree
from harness.data.files.decode import is_image
from harness.data.missing import archive_name, no_data, other_content
from harness.data.sample import sample_folder

_CACHE_VERSION = 5


def load_dataset(
    competition: Competition,
    root: Path,
    *,
    sample: bool = False,
    skip_broken: bool = False,
    stream: bool = False,
    tick: Tick = lambda done, total: None,
    unpack_tick: Tick = lambda done, total: None,
    say: Callable[[str], None] = note,
) -> Dataset:
    """Find, decode (once) and check a competition's data.

    Parameters
    ----------
    root : data root; the files lie in <root>/<slug>/, plain or as the platform's zip
    sample : take the embedded sample instead; never done unasked
    skip_broken : leave images out that cannot be decoded, and say so, instead of refusing the data
    stream : keep no decoded copy: decode images whenever they are asked for
    tick, unpack_tick : called with (done, total) while images are decoded, and before that while a 7z is unpacked
    say : told what is odd about the data, and that a damaged cache is made anew

    Raises
    ------
    UserError
        If the data are missing (names the cures) or wrong (says which file and row).
    """
    folder = sample_folder(competition) if sample else root / competition.slug
    tree = find_files(competition, folder, unpack_tick)
    if stream and competition.data.format not in ("image_folder", "image_csv", "custom"):
        raise UserError(f"--stream: is for folders of images; data.format of '{competition.slug}' is another")
    cache = _cache_folder(competition, tree, stream)
    if cache.is_dir():
        wrong = faults(cache / MANIFEST)
        if wrong:
            say(f"{cache}: {wrong[0]}; the images are decoded anew")
            remove_folder(cache)
    files = tree if competition.data.format != "custom" else _view(competition, folder, unpack_tick) or tree
    if not cache.is_dir():
        building = Building(competition, tree, sample, skip_broken, stream, tick, files)
        with resumable_folder(cache) as part, _blaming_classes_file(competition):
            if part is not None:
                building.write(part)
    dataset = open_cache(cache)
    for told in dataset.notes:
        say(f"note: {told}")
    return dataclasses.replace(dataset, competition=_with_classes(competition, dataset, say), tree=tree, files=files)


def _cache_folder(competition: Competition, tree: FileTree, stream: bool) -> Path:
    """Where the decoded data lie: those of the classes in classes.txt, which may have been edited, or replaced, since they were read."""
    folder, kind = cache_root() / competition.slug, "-stream" if stream else ""
    as_read = folder / (_key(competition, tree, [] if competition.classes_read else competition.classes) + kind)
    if not competition.classes_read or (as_read.is_dir() and _has_classes(as_read, competition.classes)):
        return as_read
    return folder / (_key(competition, tree, competition.classes) + kind)


def _has_classes(cache: Path, classes: Sequence[str]) -> bool:
    """Whether decoded data have these classes, in this order; not, where it cannot be told."""
    try:
        return list(read_json(cache / "meta.json")["classes"]) == list(classes)
    except (UserError, KeyError, TypeError):
        return False


@contextlib.contextmanager
def _blaming_classes_file(competition: Competition) -> Iterator[None]:
    """Messages ask to correct 'classes' in competition.toml; where they stand in classes.txt, that is named."""
    try:
        yield
    except UserError as error:
        if not competition.classes_read:
            raise
        path = from_here(competition.folder) / CLASSES_FILE
        said = str(error).replace("'classes' in competition.toml", f"{path} (delete it to have the classes read anew)")
        said = said.replace("leave 'classes' out of competition.toml", f"delete {path}")
        raise UserError(said) from error


def _with_classes(competition: Competition, dataset: Dataset, say: Callable[[str], None]) -> Competition:
    """The competition with the classes that its data name, which are kept beside competition.toml.

    Raises
    ------
    UserError
        If they cannot be kept there.
    """
    if competition.classes or competition.is_clustering:
        return competition
    found = competition.with_classes(dataset.classes)
    try:
        save_classes(competition.folder, dataset.classes)
    except (OSError, UserError) as error:
        raise UserError(
            f"{competition.folder}: classes.txt cannot be written there ({error}). Write the classes into competition.toml: classes = "
            f"{json.dumps(list(dataset.classes)[:3], ensure_ascii=False)[:-1]}, ...]"
        ) from error
    say(
        f"note: {_outputs(competition, dataset.classes)} read from the data ({listed(dataset.classes, 5)}); kept in "
        f"{from_here(competition.folder) / CLASSES_FILE}"
    )
    return found


def _outputs(competition: Competition, names: Sequence[str]) -> str:
    """How many classes, labels or numbers there are, by the task."""
    one, several = {CLASSES: ("class", "classes"), LABELS: ("label", "")}.get(competition.kind.of, ("target", ""))
    return counted(len(names), one, several)


def is_there(competition: Competition, root: Path) -> bool:
    """Whether files of the competition lie below a data root, so that nothing is to be fetched.

    A zip counts as there, whatever it holds, and is never downloaded over.
    """
    folder = root / competition.slug
    return _tree(competition, folder) is not None or (folder / archive_name(competition)).is_file()


def find_files(competition: Competition, folder: Path, tick: Tick = lambda done, total: None) -> FileTree:
    """The folder itself when it holds the training data, else the platform's zip in it.

    Raises
    ------
    UserError
        If neither is there; names the download command and --sample.
    """
    found = _tree(competition, folder, tick)
    if found is not None:
        return found
    archive = folder / archive_name(competition)
    if archive.is_file():
        raise UserError(other_content(competition, FileTree(archive)))
    raise UserError(no_data(competition, folder))


def _tree(competition: Competition, folder: Path, tick: Tick = lambda done, total: None) -> FileTree | None:
    if competition.data.format == "custom" and folder.is_dir() and any(_visible(folder)):
        return FileTree(folder, tick)
    return _view(competition, folder, tick)


def _view(competition: Competition, folder: Path, tick: Tick) -> FileTree | None:
    """The folder where it holds the training data, else the platform's zip where that does."""
    trees = [FileTree(folder, tick), FileTree(folder / archive_name(competition), tick)]
    if competition.set and competition.data.archive:
        trees.reverse()  # the folder may hold another set's files of the same names
    for tree in trees:
        if tree.path.exists():
            for view in (tree, tree.below_top()) if tree.is_zip else (tree,):
                if _holds(view, competition.data.train):
                    return view
    return None


def _holds(view: FileTree, train: str) -> bool:
    """Whether the training data are there; where that is the folder itself, whether it holds images and not the zip alone."""
    return any(map(is_image, view.names("."))) if train == "." else view.has(train)


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _key(competition: Competition, tree: FileTree, classes: Sequence[str]) -> str:
    content = [
        _CACHE_VERSION,
        str(tree.path.resolve()),
        tree.stamp(stamped(competition, tree)),
        competition.data.model_dump(mode="json"),
        competition.submission.model_dump(mode="json"),
        *([competition.task] if competition.task != "single" else []),
        *(
            ["as classes"] if competition.task == "regression" and len(competition.data.label) > 1 else []
        ),  # numbers' order
        classes,
        [p.stat().st_mtime_ns for p in [competition.folder / "competition.py"] if p.is_file()],
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
