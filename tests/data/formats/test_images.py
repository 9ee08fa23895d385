"""Folders of images: decoded once, upright, grey or RGB, at one size."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.competition.data_spec import DataSpec
from harness.data.dataset import load_dataset
from harness.data.files.archives import FileTree
from harness.data.files.decode import Decoder, decode
from harness.data.formats import images as image_decoding
from harness.data.formats.images import decode_all


def load(project: Path):
    return load_dataset(find_competition(project / "competitions" / "shapes"), project / "data")


def test_labels_ids_and_pixels(shapes: Path):
    dataset = load(shapes)
    assert dataset.train.images.shape == (40, 12, 12, 1)
    assert dataset.train.ids[0] == "circle/0.png" and dataset.train.labels[0] == 0
    assert dataset.train.labels.sum() == 20
    assert sorted(dataset.test.ids) == list("012345")
    saved = np.asarray(Image.open(shapes / "data" / "shapes" / "train" / "square" / "3.png"))
    row = dataset.train.ids.tolist().index("square/3.png")
    np.testing.assert_array_equal(dataset.train.images[row, :, :, 0], saved)


def test_it_is_decoded_once(shapes: Path):
    calls = []
    competition = find_competition(shapes / "competitions" / "shapes")
    load_dataset(competition, shapes / "data", tick=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (6, 6) and (40, 40) in calls
    calls.clear()
    load_dataset(competition, shapes / "data", tick=lambda done, total: calls.append((done, total)))
    assert calls == []


def test_a_new_picture_is_noticed(shapes: Path):
    before = load(shapes)
    Image.new("L", (12, 12), 9).save(shapes / "data" / "shapes" / "train" / "circle" / "new.png")
    after = load(shapes)
    assert len(after.train) == 41 and after.fingerprint != before.fingerprint


def test_other_sizes_modes_and_exif_are_brought_to_one_form():
    upright = np.zeros((20, 30, 3), dtype=np.uint8)
    upright[:, :15, 0] = 255  # red on the left
    turned = Image.fromarray(np.rot90(upright).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held at 90 degrees
    file = io.BytesIO()
    turned.save(file, "PNG", exif=exif)
    image = decode(file, 10, 15, 3, "x")
    assert image.shape == (10, 15, 3)
    assert image[5, 2, 0] > 250 and image[5, 12, 0] < 5
    palette = io.BytesIO()
    Image.fromarray(upright).convert("P").save(palette, "PNG")
    assert decode(palette, 20, 30, 1, "x").shape == (20, 30, 1)
    inks = io.BytesIO()
    Image.fromarray(upright).convert("CMYK").save(inks, "JPEG", quality=95)
    seen = decode(inks, 20, 30, 3, "x").astype(int)
    assert np.abs(seen - upright).mean() < 12  # four inks and JPEG cost a little, channels are not mixed up
    glass = Image.fromarray(upright).convert("RGBA")
    glass.putalpha(128)
    see_through = io.BytesIO()
    glass.save(see_through, "PNG")
    on_white = np.where(upright == 255, 255, 127)  # half of it is the white below
    np.testing.assert_allclose(decode(see_through, 20, 30, 3, "x"), on_white, atol=1)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n then nothing"])
def test_a_broken_picture_is_named(shapes: Path, content: bytes):
    (shapes / "data" / "shapes" / "train" / "circle" / "7.png").write_bytes(content)
    with pytest.raises(UserError, match=r"circle/7\.png: cannot be decoded"):
        load(shapes)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_refused(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UserError, match="cannot be decoded .144 pixels, more than the limit of 100"):
        load(shapes)


def test_misspelt_and_empty_class_folders(shapes: Path):
    train = shapes / "data" / "shapes" / "train"
    (train / "circle").rename(train / "cirlce")
    with pytest.raises(UserError, match="folder 'cirlce' is no class .did you mean 'circle'"):
        load(shapes)
    (train / "cirlce").rename(shapes / "elsewhere")
    (train / "circle").mkdir()
    with pytest.raises(UserError, match="no images of class 'circle'"):
        load(shapes)


def test_16_bit_grey_keeps_its_shades_and_32_bit_is_refused():
    shades = np.array([[0, 256, 30_000, 65_535]] * 4, dtype=np.uint16)
    file = io.BytesIO()
    Image.fromarray(shades).save(file, "PNG")
    assert decode(file, 4, 4, 1, "x")[0, :, 0].tolist() == [0, 1, 117, 255]
    deep = io.BytesIO()
    Image.fromarray(shades.astype(np.float32)).save(deep, "TIFF")
    with pytest.raises(UserError, match="x: cannot be decoded .mode F: 32 bits"):
        decode(deep, 4, 4, 1, "x")


def test_a_picture_moved_to_another_class_changes_its_label(shapes: Path):
    before = load(shapes)
    train = shapes / "data" / "shapes" / "train"
    (train / "circle" / "3.png").rename(train / "square" / "moved.png")
    (train / "square" / "3.png").rename(train / "circle" / "3.png")
    (train / "square" / "moved.png").rename(train / "square" / "3.png")
    assert load(shapes).fingerprint != before.fingerprint


@pytest.mark.parametrize("form", ["{}", "{}.png"])
def test_test_ids_are_what_the_sample_submission_calls_the_files(shapes: Path, form: str):
    toml = shapes / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text() + '\n[submission]\nsample = "sample.csv"\n')
    lines = [form.format(i) + ",circle" for i in range(6)]
    (shapes / "data" / "shapes" / "sample.csv").write_text("\n".join(["id,label", *lines]) + "\n")
    assert sorted(load(shapes).test.ids) == [form.format(i) for i in range(6)]


def test_a_named_sample_submission_that_is_not_there_is_told(shapes: Path):
    toml = shapes / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text() + '\n[submission]\nsample = "sampel.csv"\n')
    with pytest.raises(UserError, match=r"sampel\.csv: not there.*submission\.sample"):
        load(shapes)


def test_pictures_in_a_zip_are_read_in_place(shapes: Path, tmp_path: Path):
    plain, packed = load(shapes), tmp_path / "packed" / "shapes"
    packed.mkdir(parents=True)
    shutil.make_archive(str(packed / "shapes"), "zip", shapes / "data" / "shapes")
    zipped = load_dataset(find_competition(shapes / "competitions" / "shapes"), tmp_path / "packed")
    assert zipped.fingerprint == plain.fingerprint
    assert [p.name for p in packed.iterdir()] == ["shapes.zip"]


def damage(project: Path, *names: str) -> None:
    for name in names:
        (project / "data" / "shapes" / name).write_bytes(b"\x89PNG\r\n\x1a\n broken")


def test_all_broken_pictures_are_counted_and_the_first_are_named(shapes: Path):
    damage(shapes, "train/circle/3.png", "train/square/1.png", "test/2.png", "test/4.png")
    for _ in range(2):  # another time, from what was decoded by then
        with pytest.raises(UserError) as told:
            load(shapes)
        said = str(told.value).replace("\\", "/")
        assert said.startswith("4 images cannot be decoded: ") and said.endswith("add --skip-broken.")
        named = [place in said for place in ("train/circle/3.png", "train/square/1.png", "test/2.png", "test/4.png")]
        assert named == [True, True, True, False] and "test/2.png and 1 more. The first of them: " in said
    damage(shapes, *(f"train/{name}/{i}.png" for name in ("circle", "square") for i in range(20)))
    with pytest.raises(UserError, match="42 images cannot be decoded"):
        load(shapes)


def test_where_none_can_be_decoded_the_rest_is_not_tried(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    damage(shapes, *(f"train/{name}/{i}.png" for name in ("circle", "square") for i in range(20)))
    monkeypatch.setattr("harness.data.formats.images._AT_ONCE", 10)
    with pytest.raises(
        UserError, match=r"none of the first 10 images can be decoded\. The first of them: .*--skip-broken"
    ):
        load(shapes)


def test_broken_pictures_are_left_out_when_asked_for_and_recorded(shapes: Path):
    damage(shapes, "train/circle/3.png", "test/2.png")
    with pytest.raises(UserError, match=r"circle/3.png: cannot be decoded .*add --skip-broken"):
        load(shapes)
    competition = find_competition(shapes / "competitions" / "shapes")
    dataset = load_dataset(competition, shapes / "data", skip_broken=True)
    assert len(dataset.train) == 39 and "circle/3.png" not in dataset.train.ids
    assert len(dataset.test) == 6  # all must be predicted: the broken one stays, black
    assert not dataset.test.images[dataset.test.ids.tolist().index("2")].any()
    recorded = (dataset.cache / "broken.csv").read_text()
    assert "train/circle/3.png" in recorded.replace("\\", "/") and "test/2.png" in recorded.replace("\\", "/")
    assert "2 could not be decoded" in dataset.source
    saved = np.asarray(Image.open(shapes / "data" / "shapes" / "train" / "square" / "3.png"))
    row = dataset.train.ids.tolist().index("square/3.png")
    np.testing.assert_array_equal(dataset.train.images[row, :, :, 0], saved)
    assert load(shapes).fingerprint == dataset.fingerprint  # what was agreed to once holds for later commands


def test_a_stopped_decoding_goes_on_where_it_was(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(image_decoding, "_AT_ONCE", 10)
    competition, decoded, real = find_competition(shapes / "competitions" / "shapes"), [], Decoder.__call__

    def counting(decoder, file, where):
        decoded.append(where)
        if len(decoded) == 25:
            raise KeyboardInterrupt
        return real(decoder, file, where)

    monkeypatch.setattr(Decoder, "__call__", counting)
    with pytest.raises(KeyboardInterrupt):
        load_dataset(competition, shapes / "data")
    first = len(decoded)
    dataset = load_dataset(competition, shapes / "data")
    assert first + len(decoded) - first <= 25 + 46 - 20 + 10  # two whole parts of ten were kept
    assert len(decoded) - first <= 46 - 20
    monkeypatch.setattr(Decoder, "__call__", real)
    shutil.rmtree(dataset.cache)
    np.testing.assert_array_equal(load_dataset(competition, shapes / "data").train.images, dataset.train.images)


def test_what_is_stopped_in_the_test_has_not_decoded_the_training_images_in_vain(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
):
    deep = np.full((12, 12), 1000, np.uint16)
    Image.fromarray(deep).save(shapes / "data" / "shapes" / "train" / "circle" / "0.png")
    decoded, real = [], Decoder.__call__

    def counting(decoder, file, where):
        decoded.append(where)
        if len(decoded) == 43:  # 40 of them are training images
            raise KeyboardInterrupt
        return real(decoder, file, where)

    monkeypatch.setattr(Decoder, "__call__", counting)
    with pytest.raises(KeyboardInterrupt):
        load(shapes)
    before = len(decoded)
    dataset = load(shapes)
    assert all("/test/" in where.replace("\\", "/") for where in decoded[before:]) and len(decoded) - before == 6
    assert any("1 image has 16 bits a pixel, of which no value is above 1,000" in note for note in dataset.notes)
    assert not list(dataset.cache.rglob("decoded.npy")) and not list(dataset.cache.rglob("largest.npy"))


def test_streamed_pictures_are_the_decoded_ones(shapes: Path):
    competition = find_competition(shapes / "competitions" / "shapes")
    whole, streamed = load(shapes), load_dataset(competition, shapes / "data", stream=True)
    assert streamed.train.images.shape == whole.train.images.shape and "decoded on the way" in streamed.source
    for rows in (slice(3, 9), np.array([7, 0, 7]), slice(0, 0)):
        np.testing.assert_array_equal(streamed.train.images[rows], whole.train.images[rows])
    np.testing.assert_array_equal(streamed.train.images[5], whole.train.images[5])
    assert streamed.train.ids.tolist() == whole.train.ids.tolist() and not list(streamed.cache.rglob("images.npy"))
    assert load_dataset(competition, shapes / "data", stream=True).fingerprint == streamed.fingerprint


def test_a_test_folder_with_class_folders_is_a_test_without_labels(shapes: Path):
    """Kaggle's chest_xray/test has NORMAL/ and PNEUMONIA/ in it: its images are predicted, its folders tell nothing."""
    test = shapes / "data" / "shapes" / "test"
    names = sorted(p.name for p in test.iterdir())
    for place, name in enumerate(names):
        (test / ("circle" if place % 2 else "square")).mkdir(exist_ok=True)
        (test / name).rename(test / ("circle" if place % 2 else "square") / name)
    dataset = load(shapes)
    assert len(dataset.test) == 6 and dataset.test.labels is None
    assert sorted(dataset.test.ids) == [str(i) for i in range(6)]
    (test / "circle" / names[0]).write_bytes((test / "square" / names[0]).read_bytes())
    both = load(shapes).test.ids  # the same name in two folders: the folder tells them apart
    assert {f"circle/{Path(names[0]).stem}", f"square/{Path(names[0]).stem}"} <= set(both)


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        (
            [0, 4095],
            "2 images of 3 have values above 4,095, the white of data.range, up to 9,000: .*data.range = \\[0, 16383\\]",
        ),
        ([0, 16383], None),
        ([0, 3000], None),  # a window
        ([100, 4095], None),
    ],
)
def test_values_above_the_bits_that_are_told_are_noted(tmp_path: Path, bounds: list[int], said: str | None):
    for name, value in {"a": 100, "b": 5000, "c": 9000}.items():
        Image.fromarray(np.full((8, 8), value, np.uint16)).save(tmp_path / f"{name}.png")
    spec = DataSpec(format="image_folder", size=[8, 8], channels=1, range=bounds)
    files = [(f"{name}.png",) for name in "abc"]
    _, notes = decode_all(FileTree(tmp_path), files, spec, tmp_path, lambda done, total: None, False)
    assert [bool(re.search(said or "", note)) for note in notes] == ([True] if said else [])
