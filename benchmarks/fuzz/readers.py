"""The readers of data, of competitions and of recipes; the list of all readers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz.changes import csv_cells, json_lines, json_values, scramble, toml_lines
from benchmarks.fuzz.forms import (
    NAMES,
    jpeg_exif,
    npy_lies,
    parquet_columns,
    png_chunks,
    seven_zip_header,
    tiff_tags,
    zip_lies,
    zip_of,
)
from benchmarks.fuzz.parts import (
    CLASSES,
    CSV_WORDS,
    NPY_WORDS,
    TOML_WORDS,
    ZIP_WORDS,
    Dice,
    Reader,
    Seed,
)


def readers_of_data() -> list[Reader]:
    """Of what a competition brings."""
    zip_words = (*ZIP_WORDS, *(name.encode() for name in NAMES))
    return [
        Reader("zip", _zips, _read_zip, zip_words),
        Reader("dataset", _zips, _read_dataset, zip_words),
        Reader("7z", _seven_zips, _read_seven_zip, (b"7z\xbc\xaf\x27\x1c", b"\x17\x06", b"\x01\x05", b"\xff" * 9, b"\x06\xf1\x07\x01")),
        Reader("npz", _npzs, _read_npz, NPY_WORDS),
        Reader("pixels", _pixel_csvs, _read_pixels, CSV_WORDS),
        Reader("labels", _label_csvs, _read_labels, CSV_WORDS),
        Reader("table", _tables, _read_any_table, (*CSV_WORDS, b'"images":', b'"image_id":', b"NaN", b"1e999", b"PAR1")),
        Reader("cells", _cells_of_pixels, _read_cells_of_pixels, (*CSV_WORDS, b"[", b"1e999", b"NaN")),
        Reader("array", _image_arrays, _read_image_array, NPY_WORDS),
        Reader("init", _zips, _read_init, zip_words),
        Reader("captions", _caption_files, _read_captions, (*CSV_WORDS, b"#", b"\t", b"image,caption", b".jpg.1", "\u2028".encode())),
        Reader("sample", _submissions, _read_sample, CSV_WORDS),
        Reader("ready", _submissions, _read_ready, CSV_WORDS),
        Reader("competition", _competition_tomls, _read_competition, TOML_WORDS),
        Reader("recipe", _recipe_tomls, _read_recipe, TOML_WORDS),
        Reader("pictures", _pictures, _read_picture, (b"II*\x00\x08\x00\x00\x00", b"Exif\x00\x00", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"IHDR", b"IDAT",
               b"eXIf", b"\xff\xda", b"\xff\xe1", b"\xff\xd8", b"GIF89a", b"RIFF", b"WEBPVP8X", b"P6 9 9 255\n", b"BM")),
    ]  # fmt: skip


def _spec(**values: Any) -> Any:
    from harness.competition.data_spec import DataSpec

    return DataSpec.model_validate({"size": (4, 4), "channels": 1, **values})


def _competition(folder: Path, **data: Any) -> Any:
    from harness.competition import Competition
    from harness.competition.data_spec import SubmissionSpec

    classes = () if data.get("format") == "captioned" else CLASSES
    return Competition(slug="fuzz", folder=folder / "contest", title="Fuzz", metric="accuracy", classes=classes, data=_spec(**data),
                       submission=SubmissionSpec(sample="sample.csv" if data.get("optional") else None))  # fmt: skip


def _png(number: int, mode: str = "RGB", kind: str = "png", **options: Any) -> bytes:
    from PIL import Image

    rng, buffer = np.random.default_rng(number), io.BytesIO()
    picture = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 65_536, (7, 9)).astype(np.uint16))
    elif mode != "RGB":
        picture = picture.convert(mode)
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _tree_members() -> list[tuple[str, bytes]]:
    members = [(f"train/{c}/{n}.png", _png(n)) for n, c in enumerate(CLASSES)]
    return [
        *members,
        ("test/a.png", _png(7)),
        ("test/b.jpg", _png(8, kind="jpeg")),
        ("sample.csv", b"id,label\na,cat\nb,cat\n"),
    ]


def _member(dice: Dice, content: bytes) -> bytes:
    """Some file of a data set's zip."""
    if content.startswith(b"id,"):
        return csv_cells(dice, content)
    return (
        png_chunks(dice, content)
        if content.startswith(b"\x89PNG") and dice.random() < 0.5
        else scramble(dice, content, [content], ())
    )


def _zips() -> list[Seed]:
    form = zip_lies(_member)
    return [Seed("fuzz.zip", zip_of(_tree_members(), method), form) for method in (8, 0, 12, 14)]


def _read_zip(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.rows.listing import list_by_folder, list_test

    tree = FileTree(path)
    for name in tree.names("train") + tree.names("test"):
        with tree.open(name) as file:
            while file.read(2**20):
                pass
    list_test(tree, "test", _spec(format="image_folder"))
    list_by_folder(tree, _spec(format="image_folder"), ["train"], CLASSES)
    tree.archive.close()


def _read_dataset(path: Path) -> None:
    from harness.data.dataset import load_dataset

    if path.parent.name != "fuzz":
        (path.parent / "fuzz").mkdir()
        path = path.rename(path.parent / "fuzz" / path.name)
    load_dataset(_competition(path.parent, format="image_folder", optional=("test", "sample.csv")), path.parent.parent)


def _seven_zips() -> list[Seed]:
    import py7zr

    seeds = []
    for filters in ([{"id": py7zr.FILTER_LZMA2, "preset": 1}], [{"id": py7zr.FILTER_COPY}], [{"id": py7zr.FILTER_BZIP2}],
                    [{"id": py7zr.FILTER_DELTA}, {"id": py7zr.FILTER_LZMA2, "preset": 1}], [{"id": py7zr.FILTER_DEFLATE}],
                    [{"id": py7zr.FILTER_ZSTD, "level": 3}], [{"id": py7zr.FILTER_PPMD, "order": 6, "mem": "64k"}]):  # fmt: skip
        buffer = io.BytesIO()
        with py7zr.SevenZipFile(buffer, "w", filters=filters) as archive:
            archive.set_encoded_header_mode(False)
            for name, content in _tree_members()[:4]:
                archive.writestr(content, name)
        seeds.append(Seed("train.7z", buffer.getvalue(), seven_zip_header))
    return seeds


def _read_seven_zip(path: Path) -> None:
    from harness.data.files.archives import FileTree

    tree = FileTree(path.parent)
    for name in tree.names("train"):
        with tree.open(name) as file:
            file.read()


def _npzs() -> list[Seed]:
    images, labels = (
        np.arange(96, dtype=np.uint8).reshape(6, 4, 4),
        np.array([[0], [1], [2], [0], [1], [2]], dtype=np.uint8),
    )
    seeds = []
    for save, other in ((np.savez, np.int64), (np.savez_compressed, np.uint8)):
        buffer = io.BytesIO()
        save(buffer, images=images, labels=labels.astype(other), more=np.array(["a", "b"]))
        seeds.append(Seed("train.npz", buffer.getvalue(), zip_lies(npy_lies)))
    return seeds


def _read_npz(path: Path) -> None:
    from harness.competition.tasks import TASKS
    from harness.data.files.archives import FileTree
    from harness.data.formats.npz import labels_of_array, read_npz

    folder = path.parent / "out"
    folder.mkdir()
    spec = _spec(format="npz", label="labels", train=path.name)
    labels = read_npz(FileTree(path.parent), path.name, spec, "train", folder)
    if labels is not None:
        labels_of_array(TASKS["single"], labels, CLASSES, str(path))


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
    rows = read_csv_pixels(FileTree(path.parent), path.name, _spec(format="csv_pixels"), True, path.parent / "out")
    _encode(rows.targets)


def _encode(raw: Any) -> None:
    from harness.competition.tasks import TASKS
    from harness.data.rows.targets import encode

    encode(TASKS["single"], raw, CLASSES)


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
    ]


def _read_any_table(path: Path) -> None:
    from harness.competition.samples import RawTargets
    from harness.data.files.archives import FileTree
    from harness.data.rows.tables import joined, read_table

    table = read_table(FileTree(path.parent), path.name, "data.labels")
    name = "label" if table.has("label") else "category"
    joined(table, table, "id", "id")
    _encode(RawTargets([table.column(name, "data.label")], [name], table.shown))


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
    spec = _spec(format="table_pixels", pixels="pixels", label="emotion")
    _encode(read_table_pixels(FileTree(path.parent), path.name, spec, True, path.parent / "out").targets)


def _image_arrays() -> list[Seed]:
    seeds = []
    for array in (
        np.arange(63, dtype=np.uint8).reshape(7, 9),
        np.linspace(0, 1, 63, dtype=np.float32).reshape(7, 9, 1),
    ):
        buffer = io.BytesIO()
        np.save(buffer, array)
        seeds.append(Seed("a.npy", buffer.getvalue(), npy_lies))
    return seeds


def _read_image_array(path: Path) -> None:
    from harness.data.files.decode import Decoder

    with path.open("rb") as file:
        Decoder(4, 4, 1, bounds=(0.0, 1.0))(file, str(path))


def _read_init(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.guess.guess import guess
    from harness.data.guess.inventory import take_stock

    guess(take_stock(FileTree(path).below_top()))


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
    _encode(RawTargets([table.column("label", "data.label")], ["label"], table.shown))


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
    competition = _competition(path.parent, format="captioned", train=path.name, test=None)
    read_captioned(competition, FileTree(path.parent), "train", path.parent / "out", lambda done, total: None, False)


def _submissions() -> list[Seed]:
    rows = [(str(n), CLASSES[n % 3]) for n in range(1, 7)]
    plain = "id,label\n" + "".join(f"{i},{c}\n" for i, c in rows)
    marked = "\ufeffid,label\r\n" + "".join(f'"{i}","{c}"\r\n' for i, c in rows)
    return [Seed("file.csv", plain.encode(), csv_cells), Seed("file.csv", marked.encode(), csv_cells)]


def _read_sample(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.rows.sample_submission import check_submission_ids

    competition = _competition(path.parent, format="image_folder", optional=("x",))
    check_submission_ids(competition, np.arange(1, 7).astype(np.str_), path, FileTree(path.parent / "fuzz.zip"))


def _read_ready(path: Path) -> list[str]:
    """As `harness.submit --file` reads, writes anew and checks it; and as the sample that another file is checked against."""
    from harness.data.rows.sample_submission import read_submission_ids
    from harness.submit.preflight import check_submission, labels_hash, read_ready_file

    competition, ids = _competition(path.parent, format="image_folder"), np.arange(1, 7).astype(np.str_)
    read_submission_ids(competition, path, str(path))  # a data set's sample was read before
    (table, _), ordered = read_ready_file(path, competition, ids), path.with_name("sorted.csv")
    table.to_csv(ordered, index=False)
    labels_hash(ordered)
    own = check_submission(path, competition, ids) if path.read_bytes()[:3] != b"\xef\xbb\xbf" else []
    return check_submission(ordered, competition, ids) + check_submission(ordered, competition, ids, sample=path) + own


_COMPETITION_TOML = """\
title = "Fuzz"
platform = "kaggle"
url = "https://example.org"
dataset = "owner/name"
metric = "accuracy"
also = ["macro_f1", "log_loss"]
classes = ["cat", "dog", "owl"]
symmetries = ["hflip"]

[data]
format = "image_csv"
size = [4, 4]
channels = 1
train = "train"
merge = ["val"]
test = "test"
optional = ["test"]
labels = "labels.csv"
label = "label"
id = "id"
group = "(\\\\d+)_"
archive = "fuzz.zip"

[submission]
id = "id"
value = "probability"
sample = "sample.csv"

[leaderboard]
public_share = 0.5
private_share = 0.5
counted = 100

[codabench]
phase = 3
site = "https://example.org"

[sets.other.data]
format = "npz"
size = [4, 4]
[sets.other.submission]
id = "x"
"""


def _competition_tomls() -> list[Seed]:
    return [Seed("competition.toml", _COMPETITION_TOML.encode(), toml_lines)]


def _read_competition(path: Path) -> None:
    from harness.competition import find_competition
    from harness.competition.recipe import DataChoice

    competition = find_competition(path.parent)
    for name in competition.sets:
        competition.using(DataChoice(set=name)).leaderboard.rows(10)
    competition.model_dump(mode="json")


_RECIPE_TOML = """\
description = "one"
answers_to = "two"
seed = 3

[data]
size = [8, 8]

[model]
name = "cnn"
[model.args]
stages = [[4]]
batch_norm = true

[augment]
fill = "reflect"
rotation = 180.0
shift = 0.08
horizontal_flip = 0.5
randaugment = { operations = 2, magnitude = 0.4 }
erasing_area = [0.02, 0.12]

[train]
epochs = 2
batch_size = 16
optimizer = "adamw"
lr = 0.01
schedule = "one_cycle"
warmup = 0.1
precision = "fp32"

[cv]
folds = 3
seed = 1

[predict]
tta = ["identity", "hflip"]
weights = [1.0, 2.0]
across_folds = "vote"

[tune]
"train.lr" = { low = 0.001, high = 0.1, log = true }
"train.optimizer" = { choices = ["adamw", "sgd"] }
"""


def _recipe_tomls() -> list[Seed]:
    clusters = '[model]\nname = "cnn"\npretrained = false\n[clusters]\n[text]\n[pseudo]\nrun = "x"\nthreshold = 0.9\n'
    return [
        Seed("recipes/one.toml", _RECIPE_TOML.encode(), toml_lines),
        Seed("recipes/two.toml", clusters.encode(), toml_lines),
    ]


def _read_recipe(path: Path) -> None:
    from harness.competition import load_recipe

    recipe = load_recipe(path.parent.parent, path.stem)
    recipe.digest()
    recipe.model_dump(mode="json")


def _pictures() -> list[Seed]:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "an image"
    eps = io.BytesIO()
    Image.new("L", (4, 4)).save(eps, "eps")
    seeds = [Seed("a.png", _png(1, mode), png_chunks) for mode in ("RGB", "L", "P", "RGBA", "LA", "1", "I;16")]
    seeds += [Seed("a.png", _png(2, exif=exif), png_chunks), Seed("a.png", _png(2, interlace=1), png_chunks)]
    seeds += [
        Seed("a.jpg", _png(3, kind="jpeg", exif=exif), jpeg_exif),
        Seed("a.jpg", _png(3, "CMYK", "jpeg"), jpeg_exif),
    ]
    seeds += [Seed("a.jpg", _png(4, "L", "jpeg", progressive=True), jpeg_exif), Seed("a.png", _png(4, kind="ppm"))]
    seeds += [Seed("a.gif", _png(5, "P", "gif", save_all=True, append_images=[Image.new("P", (9, 7))]))]
    seeds += [Seed("a.bmp", _png(6, mode, "bmp")) for mode in ("RGB", "P", "1")]
    packings = (
        (None, "RGB"),
        ("tiff_lzw", "RGB"),
        ("jpeg", "RGB"),
        ("tiff_adobe_deflate", "L"),
        (None, "I;16"),
        ("packbits", "1"),
    )
    seeds += [Seed("a.tif", _png(7, mode, "tiff", compression=packing), tiff_tags) for packing, mode in packings]
    seeds += [
        Seed("a.webp", _png(8, kind="webp", exif=exif.tobytes())),
        Seed("a.webp", _png(8, "RGBA", "webp", lossless=True)),
    ]
    return [*seeds, Seed("eps.png", eps.getvalue())]


def _read_picture(path: Path) -> None:
    from harness.data.files.archives import FileTree
    from harness.data.files.decode import Decoder

    if path.name == "eps.png" and path.read_bytes() == _pictures()[-1].content:
        return  # the one seed that is rightly refused
    for channels in (1, 3):
        tree = FileTree(path.parent)
        with tree.open(path.name) as file:
            Decoder(8, 8, channels)(file, tree.show(path.name))
