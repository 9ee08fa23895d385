"""Tables whose cells may hold encoded images: Parquet (the Hugging Face hub), TFRecord (TensorFlow).

Text and numbers of a file are columns as of any table; the images are read one after the other, and never all at once.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from harness.data.files.archives import FileTree
from harness.data.files.embedded.found import Found

_TFRECORD = re.compile(r"\.tfrec(ords?)?(-\d+-of-\d+)?$", re.I)


def is_tfrecord(name: str) -> bool:
    """Whether a file's name ends as a TFRecord's: also 'train.tfrecord-00000-of-00008'."""
    return bool(_TFRECORD.search(name))


def is_embedding(name: str) -> bool:
    """Whether a file's name ends as that of such a table."""
    return is_tfrecord(name) or name.lower().endswith(".parquet")


def text_columns(tree: FileTree, name: str, text_of: Callable[[Any], str]) -> Found:
    """The columns of text and numbers, and the names of those that hold images.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    return _once(tree, name, tuple(map(tuple, tree.stamp([name]))), text_of)


@functools.lru_cache(maxsize=256)
def _once(tree: FileTree, name: str, stamp: object, text_of: Callable[[Any], str]) -> Found:
    """Records are read from front to end, images and all: of an unchanged file once, whoever asks for labels, ids and columns."""
    found: Found = _reader(name).text_columns(tree, name, text_of)
    return found


def encoded_images(tree: FileTree, name: str, column: str) -> Iterator[bytes]:
    """The bytes of each row's image, in order; b"" where a row has none."""
    images: Iterator[bytes] = _reader(name).encoded_images(tree, name, column)
    return images


def _reader(name: str) -> ModuleType:
    from harness.data.files.embedded import parquet, tfrecord

    return tfrecord if is_tfrecord(name) else parquet
