"""Files as strangers have them: linked, misnamed, ambiguous, transparent, deep, damaged, in other Unicode forms. Nothing is lost unsaid."""

from __future__ import annotations

import io
import os
import shutil
import struct
import time
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.data.dataset import load_dataset
from harness.data.files.archives import FileTree
from harness.data.files.decode import Decoder, decode
from harness.data.formats.captioned import parse_captions
from harness.data.rows.groups import groups_by_pattern
from tests.conftest import draw

CSV_TOML = """\
title = "Signs"
metric = "accuracy"
classes = ["cat", "dog"]
[data]
format = "image_csv"
size = [12, 12]
channels = 1
labels = "labels.csv"
test = "test"
optional = ["test"]
"""


def load(project: Path, name: str = "shapes", **options):
    return load_dataset(find_competition(project / "competitions" / name), project / "data", **options)


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """competitions/signs with six images in train/ and labels.csv."""
    folder = tmp_path / "competitions" / "signs"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(CSV_TOML)
    train, rng = tmp_path / "data" / "signs" / "train", np.random.default_rng(0)
    train.mkdir(parents=True)
    for i in range(6):
        Image.fromarray(draw("circle", rng)).save(train / f"{i}.png")
    write_labels(tmp_path, [(str(i), "cat" if i % 2 else "dog") for i in range(6)])
    return tmp_path


def write_labels(project: Path, rows: list[tuple[str, str]], header: str = "id,label") -> None:
    lines = [header, *(",".join(row) for row in rows)]
    (project / "data" / "signs" / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def toml_with(project: Path, name: str, line: str) -> None:
    path = project / "competitions" / name / "competition.toml"
    path.write_text(path.read_text().replace("[data]\n", f"[data]\n{line}\n"))


# Which files there are


def test_linked_folders_and_files_are_followed_and_loops_are_not(shapes: Path, tmp_path: Path):
    train, elsewhere = shapes / "data" / "shapes" / "train", tmp_path / "elsewhere"
    before = load(shapes)
    (train / "circle").rename(elsewhere)
    (train / "circle").symlink_to(elsewhere, target_is_directory=True)
    (train / "square" / "3.png").rename(tmp_path / "3.png")
    (train / "square" / "3.png").symlink_to(tmp_path / "3.png")
    (elsewhere / "again").symlink_to(elsewhere, target_is_directory=True)
    shutil.move(shapes / "data" / "shapes" / "test", tmp_path / "test")
    (shapes / "data" / "shapes" / "test").symlink_to(tmp_path / "test", target_is_directory=True)
    after = load(shapes)
    assert after.fingerprint == before.fingerprint and len(after.test) == 6


def test_a_dangling_link_is_refused(shapes: Path):
    (shapes / "data" / "shapes" / "train" / "circle" / "x.png").symlink_to("/nowhere/x.png")
    with pytest.raises(UserError, match=r"x\.png: is a link to /nowhere/x\.png.*Mend the link"):
        load(shapes)


def test_a_folder_that_cannot_be_read_is_refused(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    real = os.scandir

    def denied(place):
        if str(place).endswith("square"):
            raise PermissionError(13, "Permission denied", str(place))
        return real(place)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(UserError, match=r"square: the folder cannot be read .*permissions"):
        load(shapes)


def test_a_pipe_among_the_pictures_is_refused(shapes: Path):
    os.mkfifo(shapes / "data" / "shapes" / "train" / "circle" / "pipe.png")
    with pytest.raises(UserError, match=r"pipe\.png: is no file"):
        load(shapes)


def test_all_that_pillow_reads_counts_and_what_is_left_out_is_said(shapes: Path):
    circle, told = shapes / "data" / "shapes" / "train" / "circle", []
    for i, ending in enumerate(("jfif", "ppm", "jp2", "tga", "webp")):
        kind = {"jfif": "JPEG", "jp2": "JPEG2000", "tga": "TGA"}.get(ending)
        Image.open(circle / f"{i}.png").convert("RGB").save(circle / f"new-{i}.{ending}", kind)
    (circle / "notes.txt").write_text("x")
    (circle / "more.TXT").write_text("x")
    (circle / "README").write_text("x")
    dataset = load(shapes, say=told.append)
    assert len(dataset.train) == 45
    assert any("2 with .txt, 1 with no ending" in line for line in told) and dataset.notes
    told.clear()
    load(shapes, say=told.append)  # it is said every time, not only when they are decoded
    assert any("2 with .txt" in line for line in told)


def test_an_empty_folder_says_what_it_holds(shapes: Path):
    for path in (shapes / "data" / "shapes" / "test").iterdir():
        path.rename(path.with_suffix(".dat"))
    with pytest.raises(UserError, match=r"test: no images there. It holds 6 with .dat.*\.png"):
        load(shapes)


# Which file an id means


def test_an_id_of_two_files_is_refused_with_both(signs: Path):
    train = signs / "data" / "signs" / "train"
    (train / "masks").mkdir()
    shutil.copy(train / "3.png", train / "masks" / "3.png")
    with pytest.raises(UserError, match=r"id '3' may be .*train/3\.png or .*train/masks/3\.png"):
        load(signs, "signs")
    shutil.rmtree(train / "masks")
    Image.open(train / "4.png").save(train / "4.bmp")
    with pytest.raises(UserError, match=r"id '4' may be .*train/4\.(bmp|png) or .*train/4\.(bmp|png)"):
        load(signs, "signs")
    write_labels(signs, [(f"{i}.png", "cat" if i % 2 else "dog") for i in range(6)])  # with its ending it is plain
    assert len(load(signs, "signs").train) == 6


@pytest.mark.parametrize("form", ["{}", "{}.png", "a/{}.png", "a/{}", "./a/{}.png", "train/a/{}.png", "a\\{}.png"])
def test_ids_may_be_names_and_paths(signs: Path, form: str):
    train = signs / "data" / "signs" / "train"
    (train / "a").mkdir()
    for i in range(6):
        (train / f"{i}.png").rename(train / "a" / f"{i}.png")
    ids = [form.format(i) for i in range(6)]
    write_labels(signs, [(name, "cat" if i % 2 else "dog") for i, name in enumerate(ids)])
    dataset = load(signs, "signs")
    assert dataset.train.ids.tolist() == ids and dataset.train.labels.tolist() == [1, 0] * 3


def test_pictures_without_a_label_are_counted(signs: Path):
    write_labels(signs, [(str(i), "cat" if i % 2 else "dog") for i in range(4)])
    told: list[str] = []
    assert len(load(signs, "signs", say=told.append).train) == 4
    assert any("2 of 6 images" in line and "not named by" in line and "train/4.png" in line for line in told)


def test_a_few_missing_pictures_are_counted_as_a_few(signs: Path):
    write_labels(signs, [(str(i), "cat" if i % 2 else "dog") for i in range(3, 9)])
    with pytest.raises(UserError, match=r"3 of its 6 ids have no image .*e\.g\. '6'"):
        load(signs, "signs")


def test_a_column_that_stands_twice_is_refused(signs: Path):
    write_labels(signs, [(str(i), "cat,dog") for i in range(6)], "id,label,label")
    with pytest.raises(UserError, match=r"2 columns are named 'label' \(places 2, 3\)"):
        load(signs, "signs")


def test_a_comma_at_the_end_of_each_line_is_no_column(signs: Path):
    write_labels(signs, [(str(i), ("cat" if i % 2 else "dog") + ",") for i in range(6)], "id,label,")
    assert load(signs, "signs").train.ids.tolist() == list("012345")
    write_labels(signs, [(str(i), ("cat" if i % 2 else "dog") + ",") for i in range(6)], "id,label")
    assert load(signs, "signs").train.ids.tolist() == list("012345")


def test_names_are_compared_in_one_unicode_form(signs: Path):
    train = signs / "data" / "signs" / "train"
    for i in range(6):
        (train / f"{i}.png").rename(train / (unicodedata.normalize("NFD", f"Kätzchen-{i}") + ".png"))
    ids = [unicodedata.normalize("NFC", f"Kätzchen-{i}") for i in range(6)]
    write_labels(signs, [(name, "cat" if i % 2 else "dog") for i, name in enumerate(ids)])
    assert load(signs, "signs").train.ids.tolist() == ids  # the table's spelling stays
    write_labels(signs, [(ids[0], "cat"), (unicodedata.normalize("NFD", ids[0]), "dog")])
    with pytest.raises(UserError, match="stands in row 1 and in row 2"):
        load(signs, "signs")


def test_class_folders_in_another_unicode_form(shapes: Path):
    toml = shapes / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace('"circle"', '"' + unicodedata.normalize("NFC", "Käse") + '"'), "utf-8")
    train = shapes / "data" / "shapes" / "train"
    (train / "circle").rename(train / unicodedata.normalize("NFD", "Käse"))
    assert load(shapes).train.labels.sum() == 20


# What is in an image


def encoded(image: Image.Image, kind: str = "PNG", **options) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def drawing_in_alpha() -> np.ndarray:
    alpha = np.zeros((12, 12), np.uint8)
    alpha[3:9, 3:9] = 255
    return alpha


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_drawn_in_the_alpha_channel_is_seen(mode: str):
    alpha = drawing_in_alpha()
    image = Image.new("RGBA", (12, 12), (0, 0, 0, 0))
    image.putalpha(Image.fromarray(alpha))
    if mode == "P":
        image, options = Image.fromarray((alpha > 0).astype(np.uint8), "P"), {"transparency": 0}
        image.putpalette([0, 0, 0, 0, 0, 0])
    else:
        image, options = image.convert(mode), {}
    for channels in (1, 3):
        pixels = decode(encoded(image, **options), 12, 12, channels, "x.png")
        assert (pixels[alpha > 0] == 0).all() and (pixels[alpha == 0] == 255).all()
    black = Decoder(12, 12, 1, background="black")(encoded(image, **options), "x.png").pixels
    assert not black.any()


def test_12_bits_in_16_need_a_stated_range_and_are_told(signs: Path):
    train, told = signs / "data" / "signs" / "train", []
    rng = np.random.default_rng(0)
    deep = [rng.integers(0, 4096, (12, 12)).astype(np.uint16) for _ in range(6)]
    for i, values in enumerate(deep):
        Image.fromarray(values).save(train / f"{i}.png")
    dark = load(signs, "signs", say=told.append)
    assert dark.train.images.max() <= 15
    assert any("data.range = [0, 4095]" in line for line in told) and any("nearly constant" in line for line in told)
    toml_with(signs, "signs", "range = [0, 4095]")
    told.clear()
    seen = load(signs, "signs", say=told.append).train.images[0, :, :, 0]
    np.testing.assert_allclose(seen, deep[0] / 4095 * 255, atol=0.51)
    assert not told


def test_a_range_opens_pictures_of_32_bits():
    values = np.linspace(-1, 1, 144, dtype=np.float32).reshape(12, 12)
    pixels = Decoder(12, 12, 1, bounds=(-1.0, 1.0))(encoded(Image.fromarray(values), "TIFF"), "x.tif").pixels
    np.testing.assert_allclose(pixels[:, :, 0], (values + 1) / 2 * 255, atol=0.51)


def test_postscript_in_disguise_is_not_run(tmp_path: Path):
    content = (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 12 12\n(" + str(tmp_path / "owned").encode() + b") (w) file\n"
    )
    with pytest.raises(UserError, match=r"evil\.png: cannot be decoded"):
        decode(io.BytesIO(content), 12, 12, 3, "evil.png")
    assert not (tmp_path / "owned").exists()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_beside_sound_pixels_is_no_loss():
    image = Image.fromarray(draw("circle", np.random.default_rng(0)))
    sound = decode(encoded(image, "JPEG", quality=95), 12, 12, 1, "x.jpg")
    for broken in (b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"Exif\0\0MM\0*", b"Exif\0\0" + bytes(range(256)), b"Exif\0\0"):
        content = encoded(image, "JPEG", quality=95).getvalue()
        content = content[:2] + b"\xff\xe1" + struct.pack(">H", len(broken) + 2) + broken + content[2:]
        np.testing.assert_array_equal(decode(io.BytesIO(content), 12, 12, 1, "x.jpg"), sound)


def test_whatever_a_decoder_raises_is_the_users_error(monkeypatch: pytest.MonkeyPatch):
    def trip(self):
        raise struct.error("unpack requires a buffer of 4 bytes")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", trip)
    with pytest.raises(UserError, match=r"x\.png: cannot be decoded \(unpack requires"):
        decode(encoded(Image.new("L", (12, 12))), 12, 12, 1, "x.png")


# Zips as other systems make them


def zip_of(path: Path, project: Path, rename) -> None:
    root = project / "data" / "shapes"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*.png")):
            info = zipfile.ZipInfo("x")
            info.filename = rename(file.relative_to(root).as_posix())
            archive.writestr(info, file.read_bytes())


@pytest.mark.parametrize(
    "rename", [lambda n: n.replace("/", "\\"), lambda n: f"./{n}", lambda n: f"Shapes v2/{n}", lambda n: f".\\top\\{n}"]
)
def test_zips_of_other_systems_are_read(shapes: Path, tmp_path: Path, rename):
    before = load(shapes).fingerprint
    packed = tmp_path / "packed" / "shapes"
    packed.mkdir(parents=True)
    zip_of(packed / "shapes.zip", shapes, rename)
    competition = find_competition(shapes / "competitions" / "shapes")
    assert load_dataset(competition, tmp_path / "packed").fingerprint == before
    streamed = load_dataset(competition, tmp_path / "packed", stream=True)
    assert streamed.train.images[0].shape == (12, 12, 1)


def test_a_zip_with_other_names_says_what_it_holds(shapes: Path, tmp_path: Path):
    from harness.data.dataset import is_there

    packed = tmp_path / "packed" / "shapes"
    packed.mkdir(parents=True)
    zip_of(packed / "shapes.zip", shapes, lambda n: n.replace("train/", "Train/"))
    competition = find_competition(shapes / "competitions" / "shapes")
    assert is_there(competition, tmp_path / "packed")  # so that it is never downloaded over
    with pytest.raises(UserError, match=r"holds no 'train' .*At its top are 'Train', 'test'.*data\.train = \"Train\""):
        load_dataset(competition, tmp_path / "packed")


def test_two_files_of_one_name_in_a_zip_are_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("train/a.png", b"1")
        archive.writestr("./train/a.png", b"2")
    with pytest.raises(UserError, match=r"holds two files named 'train/a\.png'"):
        FileTree(tmp_path / "x.zip").names("train")


# A stranger's competition.toml


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("submission", 'sample = "/etc/passwd"'),
        ("submission", 'sample = "../../secret.csv"'),
        ("data", 'archive = "/etc/shadow"'),
        ("data", 'captions = ["../captions.txt"]'),
        ("data", 'test_captions = "/etc/passwd"'),
        ("data", 'merge = ["/etc"]'),
    ],
)
def test_paths_stay_inside_the_data_folder(shapes: Path, table: str, line: str):
    path = shapes / "competitions" / "shapes" / "competition.toml"
    text = path.read_text()
    path.write_text(
        text.replace("[data]\n", f"[data]\n{line}\n") if table == "data" else f"{text}\n[{table}]\n{line}\n"
    )
    with pytest.raises(UserError, match="must be a file or folder below <data root>/<slug>/"):
        find_competition(path.parent)


def test_a_size_that_no_image_has_is_refused(shapes: Path):
    path = shapes / "competitions" / "shapes" / "competition.toml"
    path.write_text(path.read_text().replace("[12, 12]", "[65536, 65536]"))
    with pytest.raises(UserError, match=r"data.size.*4294967296|data\.size.*65,536 x 65,536 pixels"):
        find_competition(path.parent)


def test_more_than_the_disk_has_is_refused_before_it_is_written(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(UserError, match=r"need .* GiB of disk, .* are free. Lower data\.size"):
        load(shapes)


def test_a_pattern_that_never_ends_is_stopped(shapes: Path):
    started = time.monotonic()
    with pytest.raises(UserError, match=r"data\.group = '\(a\|aa\)\+\$'.*takes too long, on id"):
        groups_by_pattern(["a" * 60 + "b"], "(a|aa)+$")
    assert time.monotonic() - started < 20


def test_control_characters_are_refused_where_they_stand(shapes: Path):
    path = shapes / "competitions" / "shapes" / "competition.toml"
    path.write_text(path.read_text().replace('"Shapes"', '"Sha\\u001b[31mpes\\u202e"'))
    with pytest.raises(UserError, match=r"competition\.toml: title = 'Sha\\x1b\[31mpes\\u202e': holds characters"):
        find_competition(path.parent)


# Captions


def captions(tmp_path: Path, content: bytes | str) -> dict[str, list[str]]:
    (tmp_path / "c.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    return parse_captions(FileTree(tmp_path), "c.txt")


def test_captions_end_at_line_ends_and_nowhere_else(tmp_path: Path):
    text = "image,caption\na.jpg,one\x85half\u2028more\x0cand\r\nb.jpg,two\rc.jpg,three\n"
    assert captions(tmp_path, text) == {"a.jpg": ["one\x85half\u2028more\x0cand"], "b.jpg": ["two"], "c.jpg": ["three"]}


def test_quoted_captions_may_hold_commas_quotes_and_lines(tmp_path: Path):
    text = 'image,caption\na.jpg,"one, ""two""\nthree"\nb.jpg,a dog, running\n'
    assert captions(tmp_path, text) == {"a.jpg": ['one, "two" three'], "b.jpg": ["a dog, running"]}


def test_a_quote_that_is_not_closed_is_told(tmp_path: Path):
    with pytest.raises(UserError, match=r"line 2: a quote is opened and not closed"):
        captions(tmp_path, 'image,caption\na.jpg,"one\nb.jpg,two\nc.jpg,"three\n')


@pytest.mark.parametrize("header", ["image_name,comment_number,comment", "photo,text", "caption,image"])
def test_another_header_is_no_picture(tmp_path: Path, header: str):
    with pytest.raises(UserError, match=r"its first line is .*wanted the header 'image,caption'"):
        captions(tmp_path, f"{header}\na.jpg,one\n")


def test_windows_encodings_are_recognised_or_refused(tmp_path: Path):
    assert captions(tmp_path, "image,caption\na.jpg,“naïve” — café\n".encode("cp1252")) == {"a.jpg": ["“naïve” — café"]}
    assert captions(tmp_path, "image,caption\na.jpg,ä\n".encode("utf-16")) == {"a.jpg": ["ä"]}
    for content in (b"image,caption\na.jpg,\x81\x8d\n", b"image,caption\na.jpg,\0\n", b"\xff\xfea"):
        with pytest.raises(UserError, match="is not text in UTF-8"):
            captions(tmp_path, content)
