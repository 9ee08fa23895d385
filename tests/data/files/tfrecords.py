"""TFRecords as TensorFlow writes them, encoded by hand: Protobuf's wire format, and zeros in place of the checksums."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

Value = bytes | int | float
Record = dict[str, Value | list[Value]]


def varint(value: int) -> bytes:
    """A whole number: seven bits a byte, the last one below 128; negative ones in ten bytes."""
    value &= 2**64 - 1
    found = []
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def field(number: int, content: bytes) -> bytes:
    """A field of bytes."""
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def example(record: Record) -> bytes:
    """An Example: {1: {1: entries {1: key, 2: Feature}}}; of a Feature 1 is a list of bytes, 2 of floats, 3 of whole numbers."""
    entries = b""
    for key, told in record.items():
        values = told if isinstance(told, list) else [told]
        if all(isinstance(value, bytes) for value in values):
            kind = field(1, b"".join(field(1, value) for value in values if isinstance(value, bytes)))
        elif all(isinstance(value, int) for value in values):
            kind = field(3, field(1, b"".join(varint(int(value)) for value in values)))
        else:
            kind = field(2, field(1, struct.pack(f"<{len(values)}f", *values)))
        entries += field(1, field(1, key.encode()) + field(2, kind))
    return field(1, entries)


def write_tfrecord(path: Path, records: Sequence[Record | bytes]) -> None:
    """Write records, or their bytes; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    contents = (record if isinstance(record, bytes) else example(record) for record in records)
    path.write_bytes(b"".join(struct.pack("<Q", len(c)) + bytes(4) + c + bytes(4) for c in contents))
