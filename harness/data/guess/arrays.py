"""From the names and shapes of an .npz's arrays to images, labels and test."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import listed, plain
from harness.data.files.stacks import open_stack
from harness.data.formats.npz import label_array, member_of_npz, members_of_npz, shapes_of_arrays
from harness.data.guess.inventory import Inventory
from harness.data.guess.layout import Layout
from harness.data.guess.looks import axis_of_channels
from harness.data.guess.stacks import Known, arrays_to_merge, of_stacks
from harness.data.guess.targets import Targets, find_targets
from harness.data.guess.words import has_word, of_labels, of_test, of_test_path, of_training, of_validation
from harness.data.rows.tables import read_table

Shapes = Mapping[str, tuple[int, ...]]

_NO_LABEL = (
    "id",
    "ids",
    "index",
    "indices",
    "fold",
    "folds",
    "group",
    "groups",
    "name",
    "names",
    "file",
    "files",
    "weight",
    "weights",
)


def of_arrays(layout: Layout, inventory: Inventory) -> Targets:
    """The layout of the first .npz that has training images; where their labels stand in another file, or others are to be trained on too, as of
    arrays in files of their own.

    Raises
    ------
    UserError
        If it holds no images, or no labels of them.
    """
    name = next((n for n in inventory.arrays if of_training(n)), None)
    name = name or next((n for n in inventory.arrays if not of_test_path(n)), inventory.arrays[0])
    shapes = shapes_of_arrays(inventory.tree, name)
    images = [key for key, shape in shapes.items() if len(shape) in (3, 4)]
    if not images:
        raise UserError(
            f"{inventory.tree.show(name)}: holds no array of images (n, H, W) or (n, H, W, C): {_held(shapes)}"
        )
    train = next(filter(of_training, images), None) or next((key for key in images if not of_test(key)), images[0])
    label = _label(layout, shapes, train)
    if label is None or not _is_plain(inventory, name, train):
        return of_stacks(layout, inventory, _as_files(inventory))
    if _has_more(inventory, name, images, train, label):
        return of_stacks(layout, inventory, _as_files(inventory), member_of_npz(name, label))
    test = next((key for key in images if key != train and of_test(key)), None)
    other = next((n for n in inventory.arrays if n != name and of_test_path(n)), None)
    layout.set("format", "npz")
    layout.set("size", list(shapes[train][1:3]))
    layout.set("channels", shapes[train][3] if len(shapes[train]) == 4 else 1)
    layout.set("train", name)
    layout.set("images", train)
    layout.set("label", label)
    _set_test(layout, name, test, other)
    return _targets_of_array(layout, label_array(inventory.tree, name, label))


def _has_more(inventory: Inventory, name: str, images: list[str], train: str, label: str) -> bool:
    """Whether there are arrays for validation, with labels, to be trained on too."""
    others = [member_of_npz(name, key) for key in images if key != train and of_validation(key)]
    if not others:
        return False
    labels = member_of_npz(name, label)
    known = Known(read_table(inventory.tree, labels, "data.labels"), Targets(label=["label"]), None, ["label"])
    own = member_of_npz(name, train)
    return bool(arrays_to_merge(inventory, _as_files(inventory), own, others, {own, labels}, known))


def _is_plain(inventory: Inventory, name: str, key: str) -> bool:
    """Whether an array holds pixels as data.format = "npz" reads them: bytes, the channels behind."""
    with open_stack(inventory.tree, member_of_npz(name, key)) as stack:
        return stack.dtype == np.uint8 and (len(stack.shape) == 3 or axis_of_channels(stack.shape[1:]) == 2)


def _as_files(inventory: Inventory) -> dict[str, tuple[int, ...]]:
    """The arrays of all .npz as files of their own, by what they are called in them: 'train/X.npy' of train.npz."""
    of_each = [members_of_npz(inventory.tree, name) for name in inventory.arrays]
    return {name: shape for shapes in of_each for name, shape in shapes.items()}


def _set_test(layout: Layout, name: str, test: str | None, other: str | None) -> None:
    """data.test, which is the file itself, another or to come; test : its array in the file; other : the other file."""
    if test is None and other is None:
        layout.set("test", "test.npz", "there is no test array")
        layout.set("optional", ["test.npz"])
        return
    layout.set("test", other or name)
    if test and not other:
        layout.set("test_images", test)


def _label(layout: Layout, shapes: Shapes, train: str) -> str | None:
    """The array with a value for each image that is called as labels are; None where no array has one for each.

    Where several are alike the first is taken, and it is said.
    """
    n = shapes[train][0]
    fitting = [key for key, shape in shapes.items() if shape[:1] == (n,) and len(shape) in (1, 2) and not of_test(key)]
    ranked = sorted(fitting, key=_likeliness)
    if not ranked:
        return None
    alike = [key for key in ranked if _likeliness(key) == _likeliness(ranked[0])]
    if len(alike) > 1 or has_word(ranked[0], *_NO_LABEL):
        layout.unknown.append(
            f"which array holds the labels: {listed(fitting)} have a row for each of the {n:,} of '{train}', and '{ranked[0]}' was taken; "
            "correct data.label otherwise"
        )
    return ranked[0]


def _likeliness(key: str) -> tuple[bool, bool, bool]:
    """Sorts an array before less likely labels, by its name."""
    return not of_labels(key), has_word(key, *_NO_LABEL), not of_training(key)


def _held(shapes: Shapes) -> str:
    return plain(", ".join(f"{key} {shape}" for key, shape in shapes.items()), 300) or "nothing"


def _targets_of_array(layout: Layout, labels: np.ndarray) -> Targets:
    """By labels that are indices, or names as text."""
    is_text = labels.dtype.kind == "U"
    targets = Targets(submission={"id": "id", "target": "label", "value": "class" if is_text else "index"})
    targets.fits = ("balanced_accuracy", "macro_f1", "log_loss")
    if layout.sample:
        targets = find_targets(None, labels.tolist() if is_text else ["0", "1", "2"], None, layout.sample, None)
        if not is_text:
            targets.submission["value"] = "index"
    targets.label = []
    return targets
