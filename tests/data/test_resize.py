"""data.resize: in competition.toml and by a recipe the same pixels; old names and caches stay; scale asks no test row."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition import DataChoice, find_competition
from harness.competition.data_spec import DataSpec
from harness.competition.recipe import recipe_of
from harness.data.dataset import load_dataset
from harness.data.files.frame import Frame
from harness.data.resize import frame_of_raw, open_resized, resize, without_fill
from tests.conftest import make_shapes

SIZES = [(12, 30), (40, 11), (9, 9), (24, 24), (13, 50)]


@pytest.fixture
def unlike(tmp_path: Path) -> Path:
    """The shapes, but of unlike sizes; the last test image is very large."""
    make_shapes(tmp_path)
    rng = np.random.default_rng(3)
    files = sorted((tmp_path / "data" / "shapes").rglob("*.png"))
    for n, path in enumerate(files):
        size = (400, 300) if path == files[5] else SIZES[n % len(SIZES)]
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(path)
    assert "/test/" in str(files[5])
    return tmp_path


def load(project: Path, data: str = "", **options):
    path = project / "competitions" / "shapes" / "competition.toml"
    text = path.read_text()
    path.write_text(text.replace('format = "image_folder"', f'format = "image_folder"\n{data}'))
    competition = find_competition(path.parent)
    path.write_text(text)
    return competition, load_dataset(competition, project / "data", **options)


WAYS = {
    "fit": DataChoice(resize="fit", fill="mean"),
    "cover": DataChoice(resize="cover"),
    "scale": DataChoice(resize="scale", fits=0.8),
}
TOML = {"fit": 'resize = "fit"\nfill = "mean"', "cover": 'resize = "cover"', "scale": 'resize = "scale"\nfits = 0.8'}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_recipe_and_the_competition_give_the_same_pixels(unlike: Path, way: str, stream: bool):
    _, theirs = load(unlike, TOML[way])
    competition, own = load(unlike, stream=stream)
    before = np.array(own.train.images[np.arange(40)])
    resize(own, WAYS[way])
    played, chosen = open_resized(competition, own.cache, WAYS[way])
    rows = np.arange(40)
    np.testing.assert_array_equal(chosen.train.images[rows], theirs.train.images[rows])
    np.testing.assert_array_equal(chosen.test.images[np.arange(6)], theirs.test.images[np.arange(6)])
    assert chosen.fingerprint == own.fingerprint and chosen.train.ids.tolist() == own.train.ids.tolist()
    assert (played.data.resize, chosen.way) == (way, played.data.way)
    assert (np.array(own.train.images[rows]) != np.asarray(chosen.train.images[rows])).any()
    np.testing.assert_array_equal(own.train.images[rows], before)


@pytest.mark.parametrize("way", WAYS)
def test_the_pixels_are_those_of_the_frame(unlike: Path, way: str):
    competition, dataset = load(unlike, TOML[way])
    frame = frame_of_raw(competition, dataset.cache, DataChoice())
    assert (frame.factor is not None) == (way == "scale")
    for row in range(6):
        path = unlike / "data" / "shapes" / "train" / dataset.train.ids[row]
        raw = np.asarray(Image.open(path))[:, :, None]
        np.testing.assert_array_equal(frame.pixels(raw), dataset.train.images[np.array([row])][0])


def test_scale_is_chosen_by_training_rows_and_what_is_too_large_is_told(unlike: Path):
    competition, dataset = load(unlike, 'resize = "scale"\nfits = 0.8')
    factor = frame_of_raw(competition, dataset.cache, DataChoice()).factor
    assert factor == pytest.approx(12 / 40)  # 12 x 12; a fifth of the images is 50 wide, the next are 40 high
    note = next(note for note in dataset.notes if "resize = 'scale'" in note)
    assert "8 of 40 training images" in note and "of 6 test images" in note
    larger = next((unlike / "data" / "shapes" / "test").glob("*.png"))
    Image.fromarray(np.zeros((900, 900), np.uint8)).save(larger)
    again = load(unlike, 'resize = "scale"\nfits = 0.8')[1]
    assert again.cache != dataset.cache
    assert frame_of_raw(competition, again.cache, DataChoice()).factor == factor


@pytest.mark.parametrize("way", WAYS)
def test_without_fill_the_images_are_those_that_are_stretched(unlike: Path, way: str):
    competition, dataset = load(unlike, TOML[way])
    seen = without_fill(competition, dataset)
    wanted = dataset if way == "cover" else load(unlike)[1]
    np.testing.assert_array_equal(seen.train.images[:], wanted.train.images[:])
    np.testing.assert_array_equal(seen.test.images[:], wanted.test.images[:])


def test_another_size_of_another_way_is_made_of_what_was_decoded_in_it(unlike: Path):
    competition, dataset = load(unlike)
    choice = DataChoice(size=(6, 9), resize="scale")
    notes = resize(dataset, choice)
    assert len(notes) == 1 and "resize = 'scale'" in notes[0] and "12 x 12" in notes[0]
    _, whole = open_resized(competition, dataset.cache, choice.model_copy(update={"size": None}))
    _, small = open_resized(competition, dataset.cache, choice)
    assert small.train.images.shape == (40, 6, 9, 1) and small.test.images.shape == (6, 6, 9, 1)
    rows = np.array([3])
    wanted = Frame(6, 9, "fit").pixels(np.asarray(whole.train.images[rows][0]))
    np.testing.assert_array_equal(small.train.images[rows][0], wanted)
    raw = frame_of_raw(competition, dataset.cache, choice)
    factor = frame_of_raw(competition, dataset.cache, choice.model_copy(update={"size": None})).factor
    assert raw.factor == pytest.approx(factor / 2)


def test_what_stands_is_not_made_again_and_what_is_damaged_is(unlike: Path):
    _, dataset = load(unlike)
    resize(dataset, WAYS["fit"])
    path = next(dataset.cache.glob("12x12-fit-mean/train/images.npy"))
    stood = path.stat().st_mtime_ns
    resize(dataset, WAYS["fit"])
    assert path.stat().st_mtime_ns == stood
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    resize(dataset, WAYS["fit"])
    assert path.read_bytes() == good


def test_parts_of_unlike_sizes_are_put_together_before_they_meet_the_frame(tmp_path: Path):
    from harness.data.files.archives import FileTree
    from harness.data.files.decode import Decoder
    from harness.data.formats.images import decode_row

    rng = np.random.default_rng(0)
    fine, coarse = rng.integers(0, 256, (20, 10), dtype=np.uint8), rng.integers(0, 256, (10, 5), dtype=np.uint8)
    Image.fromarray(fine).save(tmp_path / "a.png")
    Image.fromarray(coarse).save(tmp_path / "b.png")
    found = decode_row(FileTree(tmp_path), ["a.png", "b.png"], Decoder(20, 20, 2, resize="scale", factor=1.0))
    np.testing.assert_array_equal(found.pixels[:, 5:15, 0], fine)
    wide = np.asarray(Image.fromarray(coarse).resize((10, 20), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(found.pixels[:, 5:15, 1], wide)
    assert (found.height, found.width) == (20, 10)


def test_what_was_named_before_keeps_its_name():
    values = {"model": {"name": "cnn"}, "data": {"size": [8, 8]}}
    assert recipe_of("r", values, None, "r").digest() == "3f6694d7"
    spec = DataSpec(format="image_folder", size=(8, 8))
    assert not {"resize", "fill", "fits"} & set(spec.model_dump()) and "size" in spec.model_dump()
    assert spec.model_copy(update={"resize": "fit"}).model_dump(mode="json")["resize"] == "fit"
    assert recipe_of("r", values, ["data.resize=fit"], "r").digest() != "3f6694d7"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("data.resize=strech", r"data\.resize = 'strech'.*did you mean 'stretch'"),
        ("data.fill=edges", r"data\.fill = 'edges'.*did you mean 'edge'"),
        ("data.fits=0", r"data\.fits = 0"),
        ("data.fits=98", r"data\.fits = 98"),
        ("data.resise=fit", "did you mean 'data.resize'"),
    ],
)
def test_a_wrong_value_is_told_with_the_nearest(given: str, said: str):
    with pytest.raises(UserError, match=said):
        recipe_of("r", {"model": {"name": "cnn"}}, [given], "r")


@pytest.mark.parametrize(
    ("choice", "said"),
    [({"resize": "cover", "fill": "mean"}, "nothing to fill"), ({"resize": "fit", "fits": 0.9}, "fits is for")],
)
def test_keys_that_would_do_nothing_are_refused(choice: dict, said: str, tmp_path: Path):
    with pytest.raises(ValueError, match=said):
        DataChoice(**choice)
    with pytest.raises(ValueError, match=said):
        DataSpec(format="image_folder", size=(8, 8), **choice)


LISTING = """\
from harness.competition import Listing

def load_samples(folder, split, files):
    names = [name for name in files.names(split) if name.endswith(".png")]
    labels = None if split == "test" else [name.split("/")[1] for name in names]
    return Listing.of(names, [name.removeprefix(split + "/") for name in names], labels)
"""


def test_images_that_own_code_lists_are_decoded_anew(unlike: Path):
    folder = unlike / "competitions" / "shapes"
    theirs = load(unlike, TOML["fit"])[1]
    (folder / "competition.py").write_text(LISTING)
    (folder / "competition.toml").write_text(
        (folder / "competition.toml").read_text().replace("image_folder", "custom")
    )
    files = unlike / "data" / "shapes"
    shutil.make_archive(str(files / "shapes"), "zip", files)
    for split in ("train", "test"):
        shutil.rmtree(files / split)
    competition = find_competition(folder)
    own = load_dataset(competition, unlike / "data")
    resize(own, WAYS["fit"])
    _, chosen = open_resized(competition, own.cache, WAYS["fit"])
    np.testing.assert_array_equal(chosen.train.images[:], theirs.train.images[:])
    np.testing.assert_array_equal(np.sort(chosen.test.images[:], 0), np.sort(theirs.test.images[:], 0))
    scale = DataChoice(resize="scale")
    resize(own, scale)
    assert frame_of_raw(competition, own.cache, scale).factor is not None


def test_a_recipe_that_fills_what_is_stretched_is_refused(unlike: Path):
    competition = find_competition(unlike / "competitions" / "shapes")
    with pytest.raises(UserError, match="nothing to fill"):
        competition.using(DataChoice(fill="mean"))
