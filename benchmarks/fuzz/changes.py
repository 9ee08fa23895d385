"""Changes of bytes, and of text by its structure: CSV, JSON, TOML."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.fuzz.parts import (
    LARGEST_INPUT,
    Dice,
)

INTEGERS = (0, 1, 2, 3, 4, 16, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40,
            2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip


def scramble(dice: Dice, content: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """A few changes that know nothing of the format, but for its words."""
    data = bytearray(content)
    for _ in range(dice.choice((1, 1, 1, 2, 2, 4, 8))):
        change = dice.choice(_CHANGES)
        dice.note(change.__name__.strip("_").replace("_", " "))
        change(dice, data, others, tokens)
    return bytes(data)


def _spot(dice: Dice, data: bytearray) -> int:
    """A position: often near the beginning or the end, where headers and indices are."""
    where, n = dice.random(), len(data)
    if where < 0.4:
        return dice.randrange(min(n, 64) + 1)
    return max(n - dice.randrange(96), 0) if where < 0.6 else dice.randrange(n + 1)


def _block(dice: Dice, data: bytearray) -> tuple[int, int]:
    start = _spot(dice, data)
    return start, start + 1 + int(dice.random() ** 3 * max(len(data) - start, 1))


def _flip_a_bit(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    if data:
        data[min(_spot(dice, data), len(data) - 1)] ^= 1 << dice.randrange(8)


def _overwrite_bytes(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    start, count = _spot(dice, data), dice.choice((1, 1, 2, 4, 16))
    data[start : start + count] = dice.randbytes(count)


def _put_in_an_integer(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    start, size = _spot(dice, data), dice.choice((1, 2, 4, 8))
    number = dice.choice(INTEGERS) % 256**size
    data[start : start + size] = number.to_bytes(size, dice.choice(("little", "big")))


def _truncate(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    del data[dice.randrange(len(data) + 1) :]


def _repeat_a_block(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    start, end = _block(dice, data)
    times = dice.choice((1, 1, 2, 10, 1_000))
    data[start:start] = (data[start:end] * times)[:LARGEST_INPUT]


def _remove_a_block(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    start, end = _block(dice, data)
    del data[start:end]


def _move_a_block(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    start, end = _block(dice, data)
    block = data[start:end]
    del data[start:end]
    to = _spot(dice, data)
    data[to:to] = block


def _splice(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    other = dice.choice(others)
    cut = dice.random()
    data[int(cut * len(data)) :] = other[int(dice.choice((cut, dice.random())) * len(other)) :]


def _put_in_a_word(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    word, start = dice.choice(tokens or (b"\x00", b"\xff" * 4)), _spot(dice, data)
    data[start : start + dice.choice((0, len(word)))] = word


def _zeros(dice: Dice, data: bytearray, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    start, end = _block(dice, data)
    data[start:end] = bytes(end - start)


_CHANGES = (_flip_a_bit, _overwrite_bytes, _put_in_an_integer, _truncate, _repeat_a_block, _remove_a_block, _move_a_block,
            _splice, _put_in_a_word, _zeros)  # fmt: skip


# Changing text by its structure

CELLS = (b"", b" ", b'"', b'""', b'"a', b'a"b', b"\x00", b"nan", b"NaN", b"inf", b"-1", b"1e999", b"256", b"9" * 25, b"9" * 5_000,
         b"0x10", b"1.5", b"true", b"None", b"\xff\xfe", b"\xed\xa0\x80", b"\xc3\xa9", "\u0661\u0662".encode(), "\u00b2".encode(), b"\r",
         b"\n", b"a\nb", b'"a\nb"', b"\x85", "\u2028".encode(), b"../x", b"a,b", b"#", b"\t", b";", b"keep", b"cat", b" cat", b"id",
         b"x" * 200_000)  # fmt: skip

_ROW_CHANGES = "add a cell", "drop a cell", "repeat a cell", "repeat a row", "drop a row", "shuffle rows", "many rows"


def csv_cells(dice: Dice, content: bytes) -> bytes:
    """Cells, rows, the header and the encoding of a CSV."""
    rows = [row.split(b",") for row in content.split(b"\n")]
    for _ in range(dice.choice((1, 1, 2, 3))):
        row = dice.choice(rows[:1] if dice.random() < 0.3 else rows)
        at, act = dice.randrange(len(row)), dice.randrange(12)
        if act < 5:
            row[at] = dice.choice(CELLS)
            dice.note(f"cell {row[at][:12]!r}{'...' if len(row[at]) > 12 else ''}")
        else:
            dice.note(_ROW_CHANGES[act - 5])
            _change_rows(dice, rows, row, at, act)
        rows = [r for r in rows if r] or [[b""]]
    text = b"\n".join(b",".join(row) for row in rows)
    if dice.random() < 0.15:
        text = _reencoded(dice, text)
    return text


def _change_rows(dice: Dice, rows: list[list[bytes]], row: list[bytes], at: int, act: int) -> None:
    if act == 5:
        row.insert(at, dice.choice(CELLS))
    elif act == 6:
        del row[at]
    elif act == 7:
        row.insert(at, row[at])
    elif act == 8:
        rows.insert(dice.randrange(len(rows) + 1), list(row))
    elif act == 9:
        rows.remove(row)
    elif act == 10:
        rows.sort(key=lambda _: dice.random())
    elif dice.random() < 0.3:
        rows[1:1] = [[b"%d" % number, *row[1:]] for number in range(1_000)]


def _reencoded(dice: Dice, text: bytes) -> bytes:
    """Another delimiter, line end, encoding; a byte-order mark; nothing but the header."""
    way = dice.choice((";", "tab", "crlf", "cr", "bom", "utf-16", "header only", "no last line end", "zeros"))
    dice.note(way)
    return {
        ";": lambda: text.replace(b",", b";"),
        "tab": lambda: text.replace(b",", b"\t"),
        "crlf": lambda: text.replace(b"\n", b"\r\n"),
        "cr": lambda: text.replace(b"\n", b"\r"),
        "bom": lambda: b"\xef\xbb\xbf" + text,
        "utf-16": lambda: text.decode("latin-1").encode("utf-16"),
        "header only": lambda: text.partition(b"\n")[0],
        "no last line end": lambda: text.rstrip(b"\n"),
        "zeros": lambda: text.replace(b",", b"\x00,"),
    }[way]()


JSON_VALUES = (None, True, False, 0, -1, 1, 1.5, 2**31, 2**63, -(2**63) - 1, 1e308, float("nan"), float("inf"), "", "x", "nan", "\x00",
               "\ud800", "../x", "x" * 5_000, [], [[]], [None], {}, {"": 0}, [1, "a"])  # fmt: skip
RAW_VALUES = ("9" * 5_000, "-0", "1e999", "[" * 50_000, '{"a":' * 50_000, "Infinity", "01", "'x'", "")
_RAW = "raw value"


def json_values(dice: Dice, content: bytes) -> bytes:
    """Values of a JSON file of other types, keys gone or unknown, nesting, numbers beyond all bounds."""
    try:
        holder = {"": json.loads(content)}
    except RecursionError:  # nested by an earlier change
        return content[: len(content) // 2]
    raw = dice.choice(RAW_VALUES)
    for _ in range(dice.choice((1, 1, 2, 3))):
        parent, key = dice.choice(list(_nodes(holder)))
        act = dice.randrange(10)
        if act < 5:
            parent[key] = copy.deepcopy(dice.choice(JSON_VALUES))
            dice.note(f"{key} = {str(parent[key])[:20]!r}")
        elif act == 5:
            parent[key] = _RAW
            dice.note(f"{key} = {raw[:12]}")
        elif act == 6 and parent is not holder:
            del parent[key]
            dice.note(f"without {key}")
        elif act == 7 and isinstance(parent, dict):
            parent[dice.choice(("x", "", "name", str(key) + "s"))] = copy.deepcopy(parent[key])
            dice.note(f"{key} under another key")
        elif act == 8:
            parent[key] = [copy.deepcopy(parent[key]) for _ in range(dice.choice((1, 2, 50)))]
            dice.note(f"{key} in a list")
        else:
            other, at = dice.choice(list(_nodes(holder)))
            parent[key] = copy.deepcopy(other[at])
            dice.note(f"{key} = that of {at}")
    return json.dumps(holder[""]).replace(json.dumps(_RAW), raw).encode()


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of nested dicts and lists."""
    for key in list(value if isinstance(value, dict) else range(len(value))):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _nodes(value[key])


def json_lines(dice: Dice, content: bytes) -> bytes:
    """One line of a file of JSON lines changed, dropped, repeated or moved."""
    lines = content.splitlines()
    at, act = dice.randrange(len(lines)), dice.randrange(8)
    if act < 5:
        lines[at] = json_values(dice, lines[at])
    elif act == 5:
        dice.note(f"without line {at + 1}")
        del lines[at]
    elif act == 6:
        dice.note(f"line {at + 1} again")
        lines.insert(dice.randrange(len(lines)), lines[at])
    else:
        dice.note("lines in another order")
        dice.shuffle(lines)
    return b"\n".join(lines) + b"\n"


TOML_VALUES = ("nan", "inf", "-1", "0", "1e999", "9" * 30, "9" * 5_000, "true", '""', '"x"', '"\\u0000"', '"\\ud800"', "[]", "[[]]", "{}",
               "1979-05-27T07:32:00Z", "07:32:00", "0x7fffffffffffffff", "[" * 2_000 + "]" * 2_000, "[" * 2_000, "{a=" * 500, '"../x"',
               '"/x"', '"(((a+)+)+)+$"', '"("', "[1, 'a', {}]", "'''", "{low = 1, high = 2}", "{choices = [nan, [], {}]}",
               "{each = {low = 1, high = 3}, length = [2, 1]}", "1_000", "''", "a.b = 1", "x" * 5_000)  # fmt: skip


def toml_lines(dice: Dice, content: bytes) -> bytes:
    """Values of other types, keys of other tables, lines gone, repeated or in another table."""
    lines = content.decode().splitlines()
    keys = [line.partition(" = ")[0] for line in lines if " = " in line]
    for _ in range(dice.choice((1, 1, 2, 3))):
        at, act = dice.randrange(len(lines)), dice.randrange(10)
        key, equals, _ = lines[at].partition(" = ")
        if act < 5 and equals:
            lines[at] = f"{key} = {dice.choice(TOML_VALUES)}"
            dice.note(lines[at])
        elif act < 7:
            lines.insert(at, f"{dice.choice(keys)} = {dice.choice(TOML_VALUES)}")
            dice.note(f"added {lines[at]}")
        elif act == 7 and len(lines) > 1:
            dice.note(f"without {lines.pop(at)}")
        elif act == 8:
            lines.insert(dice.randrange(len(lines)), lines[at])
            dice.note(f"again {lines[at]}")
        else:
            dotted = ".".join([key or "a"] * dice.choice((1, 2, 2_000)))
            lines.insert(at, dice.choice(("[{}]", "[[{}]]", "{} = 1", "[x.{}]")).format(dotted))
            dice.note(f"added {lines[at]}")
    return "\n".join(lines).encode()
