"""Readers of tables: pixels, labels, captions, submissions; CSV, TSV, JSON, Parquet."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np

from benchmarks.fuzz.changes import csv_cells, json_lines, json_values
from benchmarks.fuzz.forms import (
    parquet_columns,
    xml_parts,
    zip_lies,
)
from benchmarks.fuzz.parts import (
    CLASSES,
    CSV_WORDS,
    Reader,
    Seed,
)
from benchmarks.fuzz.readers.made import competition_of, encode_targets, spec_of


def readers() -> list[Reader]:
    """Of this kind."""
    return [
        Reader("pixels", _pixel_csvs, _read_pixels, CSV_WORDS),
        Reader("labels", _label_csvs, _read_labels, CSV_WORDS),
        Reader("weights", _weights, _read_weights, (*CSV_WORDS, b"1e999", b"nan", b"-0.0")),
        Reader("table", _tables, _read_any_table, (*CSV_WORDS, b'"images":', b'"image_id":', b"NaN", b"1e999", b"PAR1")),
        Reader("cells", _cells_of_pixels, _read_cells_of_pixels, (*CSV_WORDS, b"[", b"1e999", b"NaN")),
        Reader("captions", _caption_files, _read_captions, (*CSV_WORDS, b"#", b"\t", b"image,caption", b".jpg.1", "\u2028".encode())),
        Reader("sample", _submissions, _read_sample, CSV_WORDS),
        Reader("ready", _submissions, _read_ready, CSV_WORDS),
    ]  # fmt: skip


def _pixel_csvs() -> list[Seed]:
    header = ["label", *(f"pixel{n}" for n in range(16))]
    rows = [[CLASSES[n % 3], *(str((n * 31 + p) % 256) for p in range(16))] for n in range(6)]
    plain = "\n".join(",".join(row) for row in [header, *rows, []]).encode()
    quoted = "\r\n".join(",".join(f'"{cell}"' for cell in row) for row in [header, *rows]).encode()
    return [Seed("train.csv", plain, csv_cells), Seed("train.csv", quoted, csv_cells)]


def _read_pixels(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.formats.csv_pixels import read_csv_pixels

    (path.parent / "out").mkdir()
    rows = read_csv_pixels(FileTree(path.parent), path.name, spec_of(format="csv_pixels"), True, path.parent / "out")
    encode_targets(rows.targets)


def _tables() -> list[Seed]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"id": f"{n}", "label": CLASSES[n % 3], "more": [n, None, 1.5]} for n in range(6)]
    coco = {
        "images": [{"id": n, "file_name": f"{n}.png"} for n in range(6)],
        "annotations": [{"id": n, "image_id": n, "category_id": n % 3} for n in range(6)],
        "categories": [{"id": n, "name": name} for n, name in enumerate(CLASSES)],
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": [str(n) for n in range(6)], "label": [CLASSES[n % 3] for n in range(6)]}), buffer)
    tabbed = "id\tlabel\n" + "".join(f"{n}\t{CLASSES[n % 3]}\n" for n in range(6))
    return [
        Seed("labels.json", json.dumps(rows).encode(), json_values),
        Seed("labels.json", json.dumps(coco).encode(), json_values),
        Seed("labels.jsonl", "\n".join(map(json.dumps, rows)).encode(), json_lines),
        Seed("labels.parquet", buffer.getvalue(), parquet_columns),
        Seed("labels.tsv", tabbed.encode(), csv_cells),
        Seed("labels.xlsx", _workbook(), zip_lies(xml_parts)),
    ]


def _workbook() -> bytes:
    import datetime

    import openpyxl

    book, buffer = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    for row in (
        ["id", "label", "day", "sum"],
        *([n, CLASSES[n % 3], datetime.date(2026, 1, n + 1), 0.5 * n] for n in range(6)),
    ):
        sheet.append(row)
    book.create_sheet("more").append(["=A1", True])
    book.save(buffer)
    return buffer.getvalue()


def _read_any_table(path: Path) -> None:
    from harness.competition.samples import RawTargets
    from harness.data.files.archives import FileTree
    from harness.data.rows.tables import joined, read_table

    table = read_table(FileTree(path.parent), path.name, "data.labels")
    name = "label" if table.has("label") else "category"
    joined(table, table, "id", "id")
    encode_targets(RawTargets([table.column(name, "data.label")], [name], table.shown))


def _cells_of_pixels() -> list[Seed]:
    text = "emotion,pixels\n" + "".join(
        f"{CLASSES[n % 3]},{' '.join(str((n * 7 + p) % 256) for p in range(16))}\n" for n in range(5)
    )
    rows = [{"emotion": CLASSES[n % 3], "pixels": [float(n * p % 256) for p in range(16)]} for n in range(5)]
    return [Seed("train.csv", text.encode(), csv_cells), Seed("train.json", json.dumps(rows).encode(), json_values)]


def _read_cells_of_pixels(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.formats.table_pixels import read_table_pixels

    (path.parent / "out").mkdir()
    spec = spec_of(format="table_pixels", pixels="pixels", label="emotion")
    encode_targets(read_table_pixels(FileTree(path.parent), path.name, spec, True, path.parent / "out").targets)


def _label_csvs() -> list[Seed]:
    rows = "".join(f"{n},{CLASSES[n % 3]}\n" for n in range(1, 8))
    return [
        Seed("labels.csv", f"id,label\n{rows}".encode(), csv_cells),
        Seed("labels.csv", b'other,"label",id\n1,"cat","a,b"\r\n,dog,c\n', csv_cells),
    ]


def _read_labels(path: Path) -> None:
    from harness.competition.samples import RawTargets
    from harness.data.files.archives import FileTree
    from harness.data.rows.tables import read_table

    table = read_table(FileTree(path.parent), path.name, "data.labels")
    table.column("id", "data.id")
    encode_targets(RawTargets([table.column("label", "data.label")], ["label"], table.shown))


def _weights() -> list[Seed]:
    rows = "".join(f"{n},{n / 4}\n" for n in range(1, 8))
    return [Seed("weights.csv", f"id,w\n{rows}".encode(), csv_cells)]


def _read_weights(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.rows.tables import Table, joined, read_table
    from harness.data.rows.weights import note_on_weights, weights_of

    labels = Table(["id"], [[str(n) for n in range(1, 8)]], "labels.csv")
    table = joined(labels, read_table(FileTree(path.parent), path.name, "data.join.file"), "id", "id")
    weights = weights_of(table, spec_of(format="image_csv", weight="w"))
    if weights is not None:
        note_on_weights(weights)


def _caption_files() -> list[Seed]:
    lines = [(f"{n}.jpg", f"a dog , number {n} .") for n in range(6)]
    comma = "image,caption\n" + "".join(f"{i},{c}\n" for i, c in lines)
    quoted = "image,caption\n" + "".join(f'{i},"{c}"\n{i},"a ""second"" one"\n' for i, c in lines)
    token = "".join(f"{i}#{k}\t{c}\n" for i, c in lines for k in range(2))
    return [Seed("captions.txt", text.encode(), csv_cells) for text in (comma, quoted, token)]


def _read_captions(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.formats.captioned import read_captioned

    (path.parent / "out").mkdir()
    competition = competition_of(path.parent, format="captioned", train=path.name, test=None)
    read_captioned(competition, FileTree(path.parent), "train", path.parent / "out", lambda done, total: None, False)


def _submissions() -> list[Seed]:
    rows = [(str(n), CLASSES[n % 3]) for n in range(1, 7)]
    plain = "id,label\n" + "".join(f"{i},{c}\n" for i, c in rows)
    marked = "\ufeffid,label\r\n" + "".join(f'"{i}","{c}"\r\n' for i, c in rows)
    return [Seed("file.csv", plain.encode(), csv_cells), Seed("file.csv", marked.encode(), csv_cells)]


def _read_sample(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.rows.sample_submission import check_submission_ids

    competition = competition_of(path.parent, format="image_folder", optional=("x",))
    check_submission_ids(competition, np.arange(1, 7).astype(np.str_), path, FileTree(path.parent / "fuzz.zip"))


def _read_ready(path: Path) -> list[str]:
    """As `harness.submit --file` reads, writes anew and checks it; and as the sample that another file is checked against."""
    from harness.data.rows.sample_submission import read_submission_ids
    from harness.submit.preflight import check_submission, labels_hash, read_ready_file

    competition, ids = competition_of(path.parent, format="image_folder"), np.arange(1, 7).astype(np.str_)
    read_submission_ids(competition, path, str(path))  # a data set's sample was read before
    (table, _), ordered = read_ready_file(path, competition, ids), path.with_name("sorted.csv")
    table.to_csv(ordered, index=False)
    labels_hash(ordered)
    own = check_submission(path, competition, ids) if path.read_bytes()[:3] != b"\xef\xbb\xbf" else []
    return check_submission(ordered, competition, ids) + check_submission(ordered, competition, ids, sample=path) + own
