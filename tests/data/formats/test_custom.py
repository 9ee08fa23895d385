"""A list of files by `load_samples`: read in place, gone on with, streamed, broken ones left out, as in every other layout."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import py7zr
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.data.dataset import load_dataset
from harness.data.formats import images as image_decoding

LISTING = """\
from harness.competition import Listing

def load_samples(folder, split, files):
    names = [name for name in files.names(split) if name.endswith(".png")]
    if split == "test":
        return Listing.of(names, [name.split("/")[-1][:-4] for name in names])
    return Listing.of(
        names,
        ids=["/".join(name.split("/")[1:]) for name in names],
        labels=[name.split("/")[1] for name in names],
        groups=[int(name.split("/")[2][:-4]) // 2 for name in names],
        weight=[1 + (n % 2) for n in range(len(names))],
    )
"""


def listed(project: Path, code: str = LISTING) -> Path:
    """The competition 'shapes' in a project, its files listed by its own code."""
    folder = project / "competitions" / "shapes"
    toml = (folder / "competition.toml").read_text().replace('"image_folder"', '"custom"')
    (folder / "competition.toml").write_text(toml)
    (folder / "competition.py").write_text(code)
    return folder


def load(project: Path, **options: bool):
    return load_dataset(find_competition(project / "competitions" / "shapes"), project / "data", **options)


def zipped(data: Path) -> None:
    with zipfile.ZipFile(data / "shapes.zip", "w") as archive:
        for path in sorted(data.rglob("*.png")):
            archive.write(path, f"top/{path.relative_to(data).as_posix()}")
    for name in ("train", "test"):
        shutil.rmtree(data / name)


def zipped_folder(data: Path) -> None:
    with zipfile.ZipFile(data / "train.zip", "w") as archive:
        for path in sorted((data / "train").rglob("*.png")):
            archive.write(path, path.relative_to(data).as_posix())
    shutil.rmtree(data / "train")


def in_a_7z(data: Path) -> None:
    with py7zr.SevenZipFile(data / "train.7z", "w") as archive:
        archive.writeall(data / "train", "train")
    shutil.rmtree(data / "train")


@pytest.mark.parametrize("pack", [lambda data: None, zipped, zipped_folder, in_a_7z])
def test_listed_files_are_those_of_class_folders_wherever_they_lie(shapes: Path, pack):
    wanted = load(shapes)
    listed(shapes)
    pack(shapes / "data" / "shapes")
    found = load(shapes)
    assert found.train.ids.tolist() == wanted.train.ids.tolist() and found.classes == ("circle", "square")
    assert np.array_equal(found.train.images, wanted.train.images) and np.array_equal(
        found.test.images, wanted.test.images
    )
    assert np.array_equal(found.train.labels, wanted.train.labels) and sorted(found.test.ids) == list("012345")
    assert len(np.unique(found.train.groups)) == 10 and found.train.weight[:4].tolist() == [1, 2, 1, 2]
    streamed = load(shapes, stream=True)
    assert not isinstance(streamed.train.images, np.memmap)
    assert np.array_equal(streamed.train.images[:], wanted.train.images)


def test_broken_files_are_left_out_when_asked_for(shapes: Path):
    listed(shapes)
    (shapes / "data" / "shapes" / "train" / "circle" / "3.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"circle/3.png: cannot be decoded .*add --skip-broken"):
        load(shapes)
    found = load(shapes, skip_broken=True)
    assert len(found.train) == 39 == len(found.train.weight) and "circle/3.png" not in found.train.ids
    assert "1 could not be decoded" in found.source


def stop_after(monkeypatch: pytest.MonkeyPatch, most: int | None) -> list[str]:
    """Count decoded images, and break off where they are more."""
    calls: list[str] = []
    plain = image_decoding.Decoder.__call__

    def counting(decoder, file, where):
        calls.append(where)
        if most is not None and len(calls) > most:
            raise KeyboardInterrupt
        return plain(decoder, file, where)

    monkeypatch.setattr(image_decoding.Decoder, "__call__", counting)
    monkeypatch.setattr(image_decoding, "_AT_ONCE", 8)
    return calls


def test_a_broken_off_decoding_goes_on_where_it_was(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    wanted = load(shapes)
    listed(shapes)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 20)
        load(shapes)
    with monkeypatch.context() as patch:
        calls = stop_after(patch, None)
        found = load(shapes)
    assert 24 <= len(calls) < 40  # of 46
    assert np.array_equal(found.train.images, wanted.train.images)


def test_a_list_that_has_changed_since_is_begun_anew(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    wanted = load(shapes)
    turned = LISTING.replace("    if split", "    if os.environ.get('TURNED'):\n        names.reverse()\n    if split")
    listed(shapes, f"import os\n{turned}")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 20)
        load(shapes)
    monkeypatch.setenv("TURNED", "1")
    with monkeypatch.context() as patch:
        calls = stop_after(patch, None)
        found = load(shapes)
    assert len(calls) == 46
    assert np.array_equal(found.train.images, wanted.train.images[::-1])


def test_arrays_cannot_be_streamed(shapes: Path):
    arrays = (
        "import numpy as np\nfrom harness.competition import Samples\n\ndef load_samples(folder, split):\n    if split == 'test':\n        return None\n"
        "    images = np.zeros((20, 12, 12, 1), np.uint8)\n"
        "    return Samples(np.arange(20).astype(str), images, np.arange(20) % 2, weight=np.arange(20))\n"
    )
    listed(shapes, arrays)
    assert load(shapes).train.weight.tolist() == list(range(20))
    with pytest.raises(UserError, match=r"--stream: .*load_samples gives decoded arrays. Give a Listing"):
        load(shapes, stream=True)
    listed(shapes, arrays.replace("weight=np.arange(20)", "weight=np.arange(20) - 1.0"))
    with pytest.raises(UserError, match=r"load_samples\(..., 'train'\): row 1, weight: '-1.0' is no weight"):
        load(shapes)


def test_columns_stand_beside_listed_files(shapes: Path):
    folder = listed(shapes)
    with (folder / "competition.toml").open("a") as toml:
        toml.write('features = ["n", "image.width"]\nfeatures_from = "more.csv"\n')
    ids = [f"{kind}/{n}.png" for kind in ("circle", "square") for n in range(20)] + [str(n) for n in range(6)]
    rows = "".join(f"{i},{n}\n" for n, i in enumerate(ids))
    (shapes / "data" / "shapes" / "more.csv").write_text(f"id,n\n{rows}")
    image = shapes / "data" / "shapes" / "train" / "circle" / "0.png"
    Image.open(image).resize((20, 12)).save(image)
    found = load(shapes)
    numbers = dict(zip(found.train.ids.tolist(), found.train.columns.numbers.tolist(), strict=True))
    assert numbers["circle/0.png"] == [0, 20] and numbers["square/3.png"] == [23, 12]
    assert sorted(found.test.columns.numbers[:, 0].tolist()) == list(range(40, 46))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("names[:3], ids[:3], labels[:2]", r"3 ids but 2 of label; every row needs both"),
        ("names[:3], ids[:3], labels[:3], groups=[1]", r"3 ids but 1 of groups"),
        ("names[:3], ids[:3]", r"has no labels; give them to Listing.of"),
        ("[], [], []", r"lists no images"),
        ("names[:2], ['a', 'a'], labels[:2]", r"id 'a' stands in row 1 and in row 2"),
        ("names[:2], ['a', 'b\x1b[31m'], labels[:2]", r"row 2: id '.*' is empty or has unprintable characters"),
        (
            "['train/x.png', *names[1:]], ids, labels",
            r"row 1: file 'train/x.png' is not there: .*data/shapes/train/x.png",
        ),
        ("['/etc/x.png', *names[1:]], ids, labels", r"row 1: file '/etc/x.png' is no name relative to .*data/shapes"),
        ("['../x.png', *names[1:]], ids, labels", r"row 1: file '../x.png' is no name relative to"),
        ("['train', *names[1:]], ids, labels", r"row 1: file 'train' does not end as an image's does: .png"),
        ("[(names[0], names[1]), *names[1:]], ids, labels", r"row 2 has 1 file, row 1 2"),
        ("names, ids, ['disc', *labels[1:]]", r"load_samples\(..., 'train'\): row 1: label 'disc' is no class"),
        ("names, ids, labels, weight=[float('nan')] * 40", r"row 1, weight: 'nan' is no weight"),
        ("names, ids, labels, fold=[-1] * 40", r"row 1, column 'fold': '-1' is no fold"),
        ("names, ids, labels, folds=[1]", r"load_samples\(..., 'train'\) failed: TypeError: .*'folds'"),
    ],
)
def test_what_a_list_may_not_hold(shapes: Path, given: str, said: str):
    listed(
        shapes,
        "from harness.competition import Listing\n\ndef load_samples(folder, split, files):\n"
        "    names = files.names('train')\n    ids, labels = list(range(40)), [name.split('/')[1] for name in names]\n"
        f"    return Listing.of({given})\n",
    )
    with pytest.raises(UserError, match=said):
        load(shapes)


def test_a_file_that_lacks_in_an_archive_is_no_broken_image(shapes: Path):
    listed(
        shapes,
        LISTING.replace(
            "    return Listing.of(\n        names,",
            "    return Listing.of(\n        [*names[1:], 'train/circle/none.png'],",
        ),
    )
    zipped_folder(shapes / "data" / "shapes")
    with pytest.raises(UserError, match=r"row 40: file 'train/circle/none.png' is not there"):
        load(shapes, skip_broken=True)
