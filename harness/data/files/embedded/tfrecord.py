"""TFRecord: records of TensorFlow's Example, each a row, whose features are columns."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator
from typing import IO, Any

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.data.files.archives import FileTree
from harness.data.files.decode import ending_of_content
from harness.data.files.embedded.found import Found

_LARGEST, _LONGEST = 1 << 30, 4_096  # bytes of a record, values of a column's cell


def text_columns(tree: FileTree, name: str, text_of: Callable[[Any], str]) -> Found:
    """The features that hold no images, as text; the first record with a feature says whether it holds images.

    Bytes that are neither an image nor text, and long lists (pixels without a shape, say), are left out.
    """
    columns: dict[str, list[str]] = {}
    pictures: dict[str, None] = {}
    aside: set[str] = set()
    rows = 0
    for example in _examples(tree, name):
        for feature, values in example.items():
            if feature in pictures or feature in aside:
                continue
            if feature not in columns and _is_image(values):
                pictures[feature] = None
                continue
            if len(values) > _LONGEST:
                aside.add(feature)
                columns.pop(feature, None)
                continue
            try:
                cells = columns.setdefault(feature, [""] * rows)
                cells.append(_cell(values, text_of))
            except UnicodeDecodeError:
                aside.add(feature)
                columns.pop(feature)
        rows += 1
        for cells in columns.values():
            if len(cells) < rows:
                cells.append("")
    return Found(sorted(columns), [columns[feature] for feature in sorted(columns)], tuple(pictures), rows)


def encoded_images(tree: FileTree, name: str, column: str) -> Iterator[bytes]:
    """The bytes of each record's image, in order; b"" where a record has none."""
    for example in _examples(tree, name):
        values = example.get(column, [])
        yield values[0] if values and isinstance(values[0], bytes) else b""


def _is_image(values: list[Any]) -> bool:
    return len(values) == 1 and isinstance(values[0], bytes) and ending_of_content(values[0]) is not None


def _cell(values: list[Any], text_of: Callable[[Any], str]) -> str:
    told = [value.decode() if isinstance(value, bytes) else value for value in values]
    return text_of(told[0]) if len(told) == 1 else text_of(told) if told else ""


def _examples(tree: FileTree, name: str) -> Iterator[dict[str, list[Any]]]:
    """The values of each record's features.

    Raises
    ------
    UserError
        If a record is cut off, or is no Example: says which.
    """
    from google.protobuf.message import DecodeError

    shown, new = tree.show(name), _example()
    with tree.open(name) as file:
        for number, content in enumerate(_records(file, shown), start=1):
            try:
                features = new.FromString(content).features.feature
            except DecodeError as error:
                raise UserError(
                    f"{shown}: record {number} is no Example of TensorFlow's ({plain(error, 200)}). Download it again."
                ) from error
            yield {
                key: list(getattr(value, kind).value) if (kind := value.WhichOneof("kind")) else []
                for key, value in features.items()
            }


def _records(file: IO[bytes], shown: str) -> Iterator[bytes]:
    """Each record's bytes: its length (8 bytes), a checksum of that (4), the content, a checksum (4)."""
    number = 0
    while head := file.read(12):
        number += 1
        length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else _LARGEST + 1
        content = file.read(length) if length <= _LARGEST else b""
        if length > _LARGEST or len(content) < length or len(file.read(4)) < 4:
            raise UserError(f"{shown}: record {number} is cut off, or this is no TFRecord. Download it again.")
        yield content


@functools.cache
def _example() -> Any:
    """The message tensorflow.Example, by its published definition (tensorflow/core/example/example.proto, feature.proto)."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="harness/example.proto", package="harness.tfrecord", syntax="proto3")

    def message(name: str, *fields: tuple[str, int, int, bool, str], inside: Any = file.message_type) -> Any:
        made = inside.add(name=name)
        for number, (field, kind, label, in_oneof, of) in enumerate(fields, start=1):
            made.field.add(
                name=field,
                number=number,
                type=kind,
                label=label,
                type_name=f".harness.tfrecord.{of}" if of else None,
                oneof_index=0 if in_oneof else None,
            )
        return made

    one, many = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    message("BytesList", ("value", kinds.TYPE_BYTES, many, False, ""))
    message("FloatList", ("value", kinds.TYPE_FLOAT, many, False, ""))
    message("Int64List", ("value", kinds.TYPE_INT64, many, False, ""))
    lists = (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List"))
    feature = message("Feature", *((name, kinds.TYPE_MESSAGE, one, True, of) for name, of in lists))
    feature.oneof_decl.add(name="kind")
    features = message("Features", ("feature", kinds.TYPE_MESSAGE, many, False, "Features.FeatureEntry"))
    entry = message(
        "FeatureEntry",
        ("key", kinds.TYPE_STRING, one, False, ""),
        ("value", kinds.TYPE_MESSAGE, one, False, "Feature"),
        inside=features.nested_type,
    )
    entry.options.map_entry = True
    message("Example", ("features", kinds.TYPE_MESSAGE, one, False, "Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("harness.tfrecord.Example"))
