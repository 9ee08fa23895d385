"""Changes of binary formats by their structure: archives, arrays, images, tables, databases, weights."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import sqlite3
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence

from benchmarks.fuzz.changes import INTEGERS, json_values, scramble
from benchmarks.fuzz.parts import (
    OUTSIDE,
    Dice,
    Form,
)

NAMES = (f"{OUTSIDE}/a.png", "../escaped.png", "train/../../escaped.png", "..\\escaped.png", "train\\cat\\1.png", "C:/a.png", "/", "", ".",
         "train", "train/", "train/cat", "train/cat/1.png", "train/cat/1.png/x.png", "train//1.png", "./train/cat/9.png", "a" * 300,
         "train/" + "b/" * 500 + "c.png", "train/\x00.png", "train/cat/\n.png", "train/cat/\u202e.png", "train/wolf/1.png",
         "train/cat/.hidden.png", "images.npy", "labels.npy", "images", "train/cat/CON.png", "test/..", "train/ /a.png", "train.7z",
         "train.zip", "train/cat/\udcff.png".encode("utf-8", "surrogateescape").decode("latin-1"))  # fmt: skip


def zip_of(members: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with these members, twice of one name where they say so."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for name, content in members:
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, method
            archive.writestr(info, content)
    return buffer.getvalue()


def zip_lies(inner: Callable[[Dice, bytes], bytes]) -> Form:
    """Members changed by their own structure, hostile names, other methods of packing, fields of headers that lie."""

    def change(dice: Dice, content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
        for _ in range(dice.choice((0, 1, 1, 2))):
            at, act = dice.randrange(len(members)), dice.randrange(7)
            name, inside = members[at]
            if act < 4:
                members[at] = name, inner(dice, inside)
            elif act == 4:
                members[at] = dice.choice(NAMES), inside
                dice.note(f"{name} named {members[at][0]!r}")
            elif act == 5:
                members.append((dice.choice((name, *NAMES)), inside))
                dice.note(f"added {members[-1][0]!r}")
            elif len(members) > 1:
                dice.note(f"without {members.pop(at)[0]}")
        packed = bytearray(zip_of(members, dice.choice((*[0] * 8, *[8] * 8, 12, 14))))
        for _ in range(dice.choice((0, 0, 1, 1, 2))):
            _lie_in_a_zip(dice, packed)
        return bytes(packed)

    return change


_ZIP_FIELDS = {
    b"PK\x01\x02": ((6, "H"), (8, "H"), (10, "H"), (16, "I"), (20, "I"), (24, "I"), (28, "H"), (30, "H"), (32, "H"), (38, "I"), (42, "I")),
    b"PK\x03\x04": ((6, "H"), (8, "H"), (14, "I"), (18, "I"), (22, "I"), (26, "H"), (28, "H")),
    b"PK\x05\x06": ((4, "H"), (8, "H"), (10, "H"), (12, "I"), (16, "I"), (20, "H")),
}  # fmt: skip


def _lie_in_a_zip(dice: Dice, packed: bytearray) -> None:
    """Overwrite one field of one header: flags, method, sizes, lengths, offsets."""
    mark = dice.choice(list(_ZIP_FIELDS))
    starts = [found.start() for found in re.finditer(re.escape(mark), packed)]
    if not starts:
        return
    offset, kind = dice.choice(_ZIP_FIELDS[mark])
    size = struct.calcsize(kind)
    number = dice.choice((*INTEGERS, 1, 8, 9, 12, 14, 93, 97, 99, 0x800, 0x801, 0x2000)) % 256**size
    at = dice.choice(starts) + offset
    packed[at : at + size] = number.to_bytes(size, "little")
    dice.note(f"zip header {mark[2:].hex()}+{offset} = {number}")


DESCRIPTIONS = ("'|u1'", "'<u8'", "'>i4'", "'|O'", "'<f4'", "'|S0'", "'|S3'", "'|V0'", "'<U0'", "'<U1'", "'|b1'", "'<M8[ns]'", "'<c16'",
                "[('a', '|O')]", "[('a', '<i4'), ('b', '<f8')]", "[]", "''", "'x'", "('|u1', (2, 2))", "None", "1", "'<i999'", "'|i1'",
                "'<m8'", "[('a', [('b', '|u1', (1000, 1000, 1000))])]", "'V2147483647'")  # fmt: skip
SHAPES = ("()", "(0,)", "(6,)", "(6, 4, 4)", "(-1,)", "(4, -4)", f"({2**62},)", f"({2**40}, {2**40})", "(True, True)", "(6.0,)", "[6]",
          "6", "None", "('6',)", f"({'9' * 400},)", "(1,) * 9", f"({'1,' * 70})", "(" * 90 + ")" * 90, "(0, 4, 4)", "(6, 4, 4, 1)",
          "(6, 0, 0)", "(6, 1)", "(1, 6)", f"({2**32 + 6},)", "(6, 4, 4, 0)", f"(0, {2**62}, 4)", "-" * 2_000 + "1")  # fmt: skip


XML_WORDS = (b't="s"', b't="n"', b't="e"', b't="b"', b't="d"', b'r="ZZZ9"', b'r="99999999999"', b"<f>A1</f>", b"<v>1e999</v>", b"<v>-1</v>", b"</row>",
             b"<row>", b'<dimension ref="A1:XFD1048576"/>', b"<v>#N/A</v>", b"&lt;", b"&a;", b'<!DOCTYPE a [<!ENTITY a "b">]>', b"<mergeCells/>")  # fmt: skip


def xml_parts(dice: Dice, content: bytes) -> bytes:
    """Tags, attributes and values of a spreadsheet's part dropped, repeated or put in; now and then any bytes."""
    if dice.random() < 0.1:
        return scramble(dice, content, [content], XML_WORDS)
    parts = re.split(rb"(?=<)|(?<=>)| (?=[a-z]+=)", content)
    for _ in range(dice.choice((1, 1, 2, 4))):
        at, act = dice.randrange(len(parts)), dice.randrange(4)
        if act == 0:
            dice.note(f"without {parts.pop(at)[:40]!r}")
        elif act == 1:
            parts.insert(at, dice.choice(parts))
        else:
            parts.insert(at, dice.choice(XML_WORDS))
        parts = parts or [b""]
    dice.note("a part's XML")
    return b" ".join(parts) if dice.random() < 0.5 else b"".join(parts)


def npy_lies(dice: Dice, content: bytes) -> bytes:
    """A .npy whose header lies of shape, type, order, version or its own length; or other bytes."""
    if not content.startswith(b"\x93NUMPY") or dice.random() < 0.2:
        return scramble(dice, content, [content], (b"\x93NUMPY\x01\x00",))
    length = struct.unpack("<H", content[8:10])[0]
    header, body = content[10 : 10 + length].decode("latin-1").strip(), content[10 + length :]
    found = re.fullmatch(r"\{'descr': (.*), 'fortran_order': (.*), 'shape': (\(.*\)), \}", header)
    descr, order, shape = found.groups() if found else ("'|u1'", "False", "(6,)")
    lie = dice.randrange(8)
    descr = dice.choice(DESCRIPTIONS) if lie in (0, 1, 2) else descr
    shape = dice.choice(SHAPES) if lie in (2, 3, 4, 5) else shape
    order = dice.choice(("True", "1", "None", "'x'")) if lie == 6 else order
    keys = dice.choice(
        ("'descr': {}, 'fortran_order': {}, 'shape': {}, ", "'descr': {}, 'fortran_order': {}, 'shape': {}, 'x': 0")
    )
    text = f"{{{keys.format(descr, order, shape)}}}"
    dice.note(f"npy header {text[:50]}")
    if lie == 7:
        text = dice.choice(
            (
                "{}",
                "",
                "[]",
                "{'descr': '|u1'}",
                "{1: 2}",
                "\x00",
                "{" * 500,
                "(" * 9_000,
                "f'{x}'",
                "{'shape': ",
                "'" * 3,
            )
        )
        dice.note(f"npy header {text[:20]!r}")
    version = dice.choice((b"\x01\x00",) * 6 + (b"\x02\x00", b"\x03\x00", b"\x09\x09"))
    coded = text.encode("latin-1") + b" " * dice.choice((0, 1, 40)) + b"\n"
    said = dice.choice((len(coded),) * 8 + (0, 1, 65_535, len(coded) + 9))
    length_field = struct.pack("<H", said % 65_536) if version == b"\x01\x00" else struct.pack("<I", said)
    body = dice.choice((body,) * 5 + (b"", body[:-1], body + b"\x00", body * 2))
    return b"\x93NUMPY" + version + length_field + coded + body


def seven_zip_header(dice: Dice, content: bytes) -> bytes:
    """The index at the end of a 7z changed, with right checksums and lengths; or its first header."""
    offset, size = struct.unpack("<QQ", content[12:28])
    index = bytearray(content[32 + offset : 32 + offset + size])
    for _ in range(dice.choice((1, 1, 2, 4))):
        at, act = dice.randrange(len(index) or 1), dice.randrange(6)
        if act < 3:
            index[at : at + 1] = bytes([dice.choice((0, 1, 2, 127, 128, 254, 255, dice.randrange(256)))])
        elif act == 3:
            del index[at : at + dice.choice((1, 2, 8))]
        elif act == 4:
            index[at:at] = index[at : at + dice.choice((1, 8))] or b"\x00"
        else:
            index[at : at + 9] = b"\xff" + dice.choice(INTEGERS).to_bytes(8, "little")
        dice.note(f"7z index, byte {at}")
    body, index = content[32 : 32 + offset], bytes(index)
    if dice.random() < 0.15:
        body = scramble(dice, body, [body], ())
    fields = struct.pack("<QQI", len(body), len(index), zlib.crc32(index))
    if dice.random() < 0.1:
        dice.note("7z first header")
        fields = struct.pack("<QQI", *(dice.choice(INTEGERS) % 2**64 for _ in range(2)), zlib.crc32(index))
    return content[:8] + struct.pack("<I", zlib.crc32(fields)) + fields + body + index


PNG_CHUNKS = (b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"acTL", b"fcTL", b"fdAT", b"PLTE", b"tRNS", b"gAMA", b"pHYs", b"IDAT", b"IHDR",
              b"IEND", b"cHRM", b"sBIT", b"\x00\x00\x00\x00")  # fmt: skip


def png_chunks(dice: Dice, content: bytes) -> bytes:
    """Chunks of a PNG changed, added, dropped or repeated, with right checksums."""
    chunks, at = [], 8
    while at + 12 <= len(content):
        size = struct.unpack(">I", content[at : at + 4])[0]
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    for _ in range(dice.choice((1, 1, 2, 3))):
        if not chunks:  # dropped or cut off by an earlier change
            break
        at, act = dice.randrange(len(chunks)), dice.randrange(6)
        kind, body = chunks[at]
        dice.note(f"{('change', 'change', 'add', 'drop', 'repeat', 'rename')[act]} chunk {kind.decode('latin-1')}")
        if act < 2:
            chunks[at] = kind, scramble(dice, body, [body], ())
        elif act == 2:
            chunks.insert(
                max(at, 1), (dice.choice(PNG_CHUNKS), dice.choice((b"", b"\x00", dice.randbytes(26), _exif(dice))))
            )
        elif act == 3 and len(chunks) > 1:
            del chunks[at]
        elif act == 4:
            chunks.insert(at, (kind, body))
        else:
            chunks[at] = dice.choice(PNG_CHUNKS), body
    packed = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks)
    return content[:8] + b"".join(packed)


def _exif(dice: Dice) -> bytes:
    """A TIFF directory of one or two entries with odd types, counts and offsets."""
    order = dice.choice("<>")
    entries = [
        struct.pack(
            f"{order}HHII",
            dice.choice((0x0112, 0x8769, 0x8825, 0x010E, 0x0000, 0xFFFF)),
            dice.choice((0, 1, 2, 3, 4, 5, 7, 10, 12, 13, 99)),
            dice.choice(INTEGERS) % 2**32,
            dice.choice((*INTEGERS, 6, 8, 9)) % 2**32,
        )
        for _ in range(dice.choice((1, 1, 2)))
    ]
    head = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(f"{order}IH", 8, len(entries))
    return head + b"".join(entries) + bytes(dice.choice((0, 2, 4)))


def jpeg_exif(dice: Dice, content: bytes) -> bytes:
    """A JPEG with an EXIF block of its own, or one of its segments changed."""
    if dice.random() < 0.5:
        dice.note("odd EXIF")
        block = b"Exif\x00\x00" + _exif(dice)
        return content[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + content[2:]
    marks = [found.start() for found in re.finditer(rb"\xff[\xc0-\xfe]", content)]
    at = dice.choice(marks)
    data = bytearray(content)
    data[at + 1 : at + 2] = bytes([dice.randrange(0xC0, 0xFF)]) if dice.random() < 0.3 else data[at + 1 : at + 2]
    start = at + 2 + dice.randrange(12)
    data[start : start + 1] = dice.randbytes(1)
    dice.note(f"segment at {at}")
    return bytes(data)


def tiff_tags(dice: Dice, content: bytes) -> bytes:
    """Entries of a TIFF's directory with other tags, types, counts and values."""
    order = "<" if content[:2] == b"II" else ">"
    start = struct.unpack(f"{order}I", content[4:8])[0]
    count = struct.unpack(f"{order}H", content[start : start + 2])[0]
    data = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 3))):
        at = start + 2 + 12 * dice.randrange(count)
        offset, size = dice.choice(((0, 2), (2, 2), (4, 4), (8, 2), (8, 4)))
        number = (
            dice.choice((*INTEGERS, 5, 6, 7, 8, 0x102, 0x103, 0x106, 0x115, 0x153, 0x8769, 32_773, 34_925, 50_000))
            % 256**size
        )
        dice.note(f"tag {struct.unpack(f'{order}H', data[at : at + 2])[0]}+{offset} = {number}")
        data[at + offset : at + offset + size] = struct.pack(f"{order}{'H' if size == 2 else 'I'}", number)
    return bytes(data)


def parquet_columns(dice: Dice, content: bytes) -> bytes:
    """A sound parquet file of other columns, types, rows or metadata than a run's."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    for _ in range(dice.choice((1, 1, 2))):
        names, n, act = table.column_names, table.num_rows, dice.randrange(8)
        at = dice.randrange(len(names))
        if act < 4:
            values = dice.choice(_COLUMNS)
            column = pa.array([values[row % len(values)] for row in range(n)])
            dice.note(f"{names[at]} = {values!r}")
            table = table.set_column(at, names[at], column)
        elif act == 4 and len(names) > 1:
            dice.note(f"without {names[at]}")
            table = table.remove_column(at)
        elif act == 5:
            dice.note(f"another {names[at]}")
            table = table.append_column(dice.choice((names[at], "x")), table.column(at))
        elif act == 6:
            dice.note("other rows")
            table = dice.choice(
                (
                    table.slice(0, 0),
                    table.slice(0, 1),
                    pa.concat_tables([table, table]),
                    table.take(pa.array([n - 1] * n, pa.int64())),
                )
            )
        else:
            metadata = dict(table.schema.metadata or {})
            with contextlib.suppress(ValueError):  # what was changed before may no longer be JSON
                metadata[b"pandas"] = json_values(dice, metadata.get(b"pandas", b"{}"))
            table = table.replace_schema_metadata(metadata)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


_COLUMNS = ([None], ["0"], ["a", None], [0, None], [1.5], [math.nan], [2**63 - 1], [-1], [b"\xff"], [[0.5]], [{"a": 1}], [True], ["x" * 9],
            [""], [7], [1e300])  # fmt: skip


def sqlite_cells(dice: Dice, content: bytes) -> bytes:
    """A sound database with other values, without rows, columns or tables."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.deserialize(content)
    with contextlib.closing(database):
        for _ in range(dice.choice((1, 1, 2, 3))):
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            if not tables:
                break
            table, act = dice.choice(sorted(tables)), dice.randrange(10)
            columns = [line[1] for line in database.execute(f"PRAGMA table_info({table})")]
            column, value = dice.choice(columns), dice.choice(_CELLS)
            row = f"rowid = (SELECT rowid FROM {table} LIMIT 1 OFFSET {dice.randrange(3)})"
            command, values = {
                6: (f"DELETE FROM {table} WHERE {row}", ()),
                7: (f"DROP TABLE {table}", ()),
                8: (f"ALTER TABLE {table} RENAME COLUMN {column} TO {column}_", ()),
                9: (f"ALTER TABLE {table} ADD COLUMN other TEXT NOT NULL DEFAULT 'x'", ()),
            }.get(act, (f"UPDATE {table} SET {column} = ? WHERE {row}", (value,)))
            dice.note(f"{command.split(' WHERE')[0]} {str(values)[:20] if values else ''}")
            with contextlib.suppress(sqlite3.Error):
                database.execute(command, values)
        return database.serialize()


_CELLS = (None, "", "x", "[]", "{}", "null", "[1, {}]", "nan", "[" * 50_000, "9" * 5_000, 0, -1, 2**31, 2**62, 1.5, float("inf"), b"\xff\xfe",
          "complete", "scored", "\x00", '[{"team": 1}]', '{"x": NaN}')  # fmt: skip


def safetensors_header(dice: Dice, content: bytes) -> bytes:
    """The JSON header of a safetensors file changed, with its right length or a wrong one."""
    length = struct.unpack("<Q", content[:8])[0]
    header, body = content[8 : 8 + length], content[8 + length :]
    if dice.random() < 0.8:
        header = _tensor_fields(dice, header)
    said = dice.choice((len(header),) * 8 + (0, 1, 2**63, 2**64 - 1, len(header) + 1))
    return (
        struct.pack("<Q", said)
        + header
        + dice.choice((body,) * 6 + (b"", body[:-4], body + bytes(4), bytes(len(body))))
    )


def _tensor_fields(dice: Dice, header: bytes) -> bytes:
    values = json.loads(header)
    name = dice.choice(list(values))
    part = dice.choice(("dtype", "shape", "data_offsets", "all"))
    if part == "all" or part not in values[name]:
        return json_values(dice, header)
    values[name][part] = dice.choice(
        {
            "dtype": ("F64", "F16", "BF16", "I8", "BOOL", "U8", "F8_E4M3", "F4", "C64", "x", "", None),
            "shape": ([], [0], [-1], [2**62, 4], [2**32, 2**32], [1.5], "x", [1] * 70),
            "data_offsets": ([0, 0], [0, 2**63], [4, 0], [2**64 - 1, 0], [0], [0, 4], "x"),
        }[part]
    )
    dice.note(f"{name}.{part} = {str(values[name][part])[:30]}")
    return json.dumps(values).encode()
