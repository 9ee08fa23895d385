"""Folders that lie packed: Kaggle's train.7z in its zip, or a zip beside the other files; nothing that they say is believed."""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import py7zr
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.data.dataset import load_dataset
from harness.data.files import packed
from harness.data.files.archives import FileTree
from harness.data.files.packed import repack
from harness.data.files.unpack import repack_here


def seven_zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writef(io.BytesIO(content), name)
    return buffer.getvalue()


FILES = {f"train/{i}.txt": bytes([65 + i]) * (i * 700) for i in range(6)}


@pytest.mark.parametrize("outer", ["folder", "zip"])
def test_a_7z_is_read_as_if_its_folder_were_there(tmp_path: Path, outer: str):
    if outer == "folder":
        (tmp_path / "train.7z").write_bytes(seven_zip(FILES))
        tree = FileTree(tmp_path)
    else:
        with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("train.7z", seven_zip(FILES))
            archive.writestr("labels.csv", "id,label\n")
        tree = FileTree(tmp_path / "all.zip")
        with tree.open("labels.csv") as file:
            assert file.read() == b"id,label\n"
    assert tree.has("train") and not tree.has("test")
    assert tree.names("train") == sorted(FILES)
    for name, content in FILES.items():
        with tree.open(name) as file:
            assert file.read() == content


def test_names_without_the_folder_are_taken_for_its_own(tmp_path: Path):
    bare = {name.removeprefix("train/"): content for name, content in FILES.items()}
    (tmp_path / "train.7z").write_bytes(seven_zip(bare))
    assert FileTree(tmp_path).names("train") == sorted(FILES)


def test_a_zip_beside_the_others_is_read_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    monkeypatch.setattr(packed, "cache_root", lambda: pytest.fail("nothing is copied"))
    tree = FileTree(tmp_path)
    assert tree.names("train") == sorted(FILES)
    with tree.open("train/2.txt") as file:
        assert file.read() == FILES["train/2.txt"]


def test_it_is_unpacked_once_and_tells_how_far_it_is(tmp_path: Path):
    (tmp_path / "train.7z").write_bytes(seven_zip(FILES))
    told: list[tuple[int, int]] = []
    FileTree(tmp_path, lambda done, total: told.append((done, total))).names("train")
    assert told == [(i, 6) for i in range(1, 7)]
    FileTree(tmp_path, lambda done, total: pytest.fail("unpacked twice")).names("train")


def test_a_plain_folder_goes_before_a_packed_one(tmp_path: Path):
    (tmp_path / "train.7z").write_bytes(b"not even a 7z")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "x.txt").write_bytes(b"plain")
    assert FileTree(tmp_path).names("train") == ["train/x.txt"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "no 7z"])
def test_damage_is_told_and_leaves_nothing(tmp_path: Path, damage: str):
    rng = np.random.default_rng(0)
    content = seven_zip({"train/a.bin": rng.bytes(5000), "train/b.bin": rng.bytes(5000)})
    broken = {"cut": content[:-40], "flipped": content[:3000] + b"\xff\x00\xff" + content[3003:], "no 7z": b"PK"}[
        damage
    ]
    (tmp_path / "train.7z").write_bytes(broken)
    with pytest.raises(UserError, match=r"train\.7z: the 7z is truncated, corrupt or not to be trusted"):
        FileTree(tmp_path).names("train")
    stamp = FileTree(tmp_path)
    with pytest.raises(UserError):  # no half-written zip is taken for a whole one
        stamp.names("train")


def test_names_that_lead_out_are_refused(tmp_path: Path):
    content = seven_zip({"train/aa/evil.txt": b"x"})
    # the header is not compressed for so small an archive: change the name in it, and its checksum with it
    evil = rename_in_header(content, "train/aa/evil.txt", "../../../evil.txt")
    (tmp_path / "train.7z").write_bytes(evil)
    with pytest.raises(UserError, match="not to be trusted"):
        repack(tmp_path / "train.7z", tmp_path / "out.zip", "train.7z", lambda done, total: None)
    assert not list(tmp_path.parent.glob("evil.txt")) and not (tmp_path / "evil.txt").exists()


def rename_in_header(content: bytes, old: str, new: str) -> bytes:
    """The archive written anew with a name that py7zr itself would not write."""
    assert len(old) == len(new)
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w") as archive:
        archive.set_encoded_header_mode(False)
        archive.writef(io.BytesIO(b"x"), old)
    raw = bytearray(buffer.getvalue())
    at = raw.find(old.encode("utf-16-le"))
    assert at > 0
    raw[at : at + 2 * len(old)] = new.encode("utf-16-le")
    import struct
    import zlib

    offset, size = struct.unpack("<QQ", raw[12:28])
    header = bytes(raw[32 + offset : 32 + offset + size])
    start = struct.pack("<QQI", offset, size, zlib.crc32(header))
    raw[8:12] = struct.pack("<I", zlib.crc32(start))
    raw[12:32] = start
    return bytes(raw)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "train.7z").write_bytes(seven_zip({"train/zeros.bin": bytes(3_000_000)}))
    monkeypatch.setattr(packed, "_ALWAYS_FINE", 100_000)
    with pytest.raises(UserError, match=r"would unpack to 3,000,000, more than 200 times as much"):
        repack_here(tmp_path / "train.7z", tmp_path / "out.zip", "train.7z", lambda done, total: None)


def test_a_7z_that_ends_the_process_that_reads_it_is_damaged(tmp_path: Path):
    """A wrong method in the index lets a library write where it may not: found by fuzzing."""
    (tmp_path / "train.7z").write_bytes(seven_zip({"train/a.bin": bytes(range(256)) * 8}))
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nif 'harness.data.files.unpack' in sys.argv or '-m' in sys.orig_argv: {code}"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(UserError, match="the process that read it ended with SIGSEGV"):
            repack(tmp_path / "train.7z", tmp_path / "out.zip", "train.7z", lambda done, total: None)
    finally:
        sys.path.remove(str(tmp_path))


def test_an_hdf5_file_of_encoded_images_is_a_folder(tmp_path: Path):
    h5py = pytest.importorskip("h5py")
    picture, array = png(3), np.arange(12, dtype=np.uint8).reshape(3, 4)
    with h5py.File(tmp_path / "test-image.hdf5", "w") as file:
        file["ISIC_1"] = np.void(picture)
        file["ISIC_2"] = np.frombuffer(picture, dtype=np.uint8)
        file["sub/ISIC_3"] = array
        file["outside"] = h5py.ExternalLink("/etc/passwd", "x")
    tree = FileTree(tmp_path)
    assert tree.names("test-image") == ["test-image/ISIC_1.png", "test-image/ISIC_2.png", "test-image/sub/ISIC_3.npy"]
    for name in tree.names("test-image")[:2]:
        with tree.open(name) as opened:
            assert opened.read() == picture
    with tree.open("test-image/sub/ISIC_3.npy") as opened:
        np.testing.assert_array_equal(np.load(io.BytesIO(opened.read())), array)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + bytes(88), b"no such file"])
def test_a_damaged_hdf5_file_is_named(tmp_path: Path, content: bytes):
    pytest.importorskip("h5py")
    (tmp_path / "test.h5").write_bytes(content)
    with pytest.raises(UserError, match=r"test.h5: the HDF5 file is truncated, corrupt"):
        FileTree(tmp_path).names("test")


def test_arrays_of_an_hdf5_file_are_npy_files(tmp_path: Path):
    h5py = pytest.importorskip("h5py")
    images, kinds = np.random.default_rng(0).random((5, 4, 4, 3)), ["fox", "hase\u0308", "fox", "", "fox"]
    with h5py.File(tmp_path / "test.h5", "w") as file:
        file["x"], file["y"], file["names"], file["n_classes"] = images, np.arange(5), kinds, 5
        file["makes"] = np.array([b"BMW", b"Audi", b"BM", b"RIFF", b"GIF8"])
        file.create_dataset("encoded", (2,), h5py.vlen_dtype(np.uint8))[:] = [
            np.frombuffer(png(n), np.uint8) for n in (1, 2)
        ]
    tree = FileTree(tmp_path)
    makes = np.array(["BMW", "Audi", "BM", "RIFF", "GIF8"])
    for name, array in (("x", images), ("y", np.arange(5)), ("names", np.array(kinds)), ("makes", makes)):
        with tree.open(f"test/{name}.npy") as opened:
            np.testing.assert_array_equal(np.load(io.BytesIO(opened.read())), array)
    assert tree.names("test/encoded") == ["test/encoded/0.png", "test/encoded/1.png"]
    with tree.open("test/encoded/1.png") as opened:
        assert opened.read() == png(2)


def test_an_hdf5_file_of_other_things_says_what_it_holds(tmp_path: Path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "test.h5", "w") as file:
        file["x"] = np.zeros(3, [("a", "i4"), ("b", "f4")])
    with pytest.raises(
        UserError, match=r"holds neither encoded images nor arrays of numbers or texts: 'x' is \[\('a'.*\(3,\)"
    ):
        FileTree(tmp_path).names("test")


def test_a_gz_that_unpacks_to_far_more_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(bytes(300 * 2**20)))
    with pytest.raises(UserError, match=r"x.csv.gz: .* would unpack to .*No data set does that"):
        FileTree(tmp_path).size("x.csv")


CSV_TOML = """\
title = "Signs"
metric = "accuracy"
classes = ["cat", "dog"]

[data]
format = "image_csv"
size = [8, 8]
channels = 3

[submission]
sample = "sampleSubmission.csv"
"""


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """Kaggle's CIFAR-10 layout: images in train.7z and test.7z, labels in a CSV, all in one zip."""
    (tmp_path / "competitions" / "signs").mkdir(parents=True)
    (tmp_path / "competitions" / "signs" / "competition.toml").write_text(CSV_TOML)
    write_signs(tmp_path, "".join(f"{i},{'cat' if i % 3 else 'dog'}\n" for i in range(1, 13)))
    return tmp_path


def write_signs(project: Path, labels: str) -> None:
    folder = project / "data" / "signs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "signs.zip", "w") as archive:
        for split, n in (("train", 12), ("test", 5)):
            archive.writestr(f"{split}.7z", seven_zip({f"{split}/{i}.png": png(i) for i in range(1, n + 1)}))
        archive.writestr("trainLabels.csv", "id,label\n" + labels)
        archive.writestr("sampleSubmission.csv", "id,label\n" + "".join(f"{i},cat\n" for i in range(1, 6)))


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (number * 10, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def load(project: Path):
    return load_dataset(find_competition(project / "competitions" / "signs"), project / "data")


def test_kaggles_layout_is_read_by_the_csvs_ids(signs: Path):
    dataset = load(signs)
    assert dataset.train.ids.tolist() == [str(i) for i in range(1, 13)]  # the CSV's order, 10 after 9
    assert dataset.train.labels.tolist() == [0 if i % 3 else 1 for i in range(1, 13)]
    assert dataset.train.images[9, 0, 0, 0] == 100 and dataset.test.ids.tolist() == list("12345")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("1,cat\n2,dog\n1,cat\n", "id '1' stands in row 1 and in row 3"),
        ("1,cat\n2,Dog\n", r"row 2: label 'Dog' is no class \(it is written 'dog' there\)"),
        ("1,cat\n2,dgo\n", r"row 2: label 'dgo' is no class \(did you mean 'dog'\?\)"),
        ("1,cat\n2,1.0\n", "row 2: label '1.0' is no class"),
        ("1,cat\n99,dog\n", "1 of its 2 ids have no image"),
        ("", "has no rows"),
        ("1,cat,4\n", "cannot be read as CSV"),
    ],
)
def test_a_wrong_label_file_is_told_with_the_row(signs: Path, labels: str, said: str):
    write_signs(signs, labels)
    with pytest.raises(UserError, match=said):
        load(signs)


def test_blanks_around_a_label_are_a_note(signs: Path):
    write_signs(signs, "1,cat\n2, dog\n")
    dataset = load(signs)
    assert dataset.train.labels.tolist() == [0, 1]
    assert any("blanks around the label do not count; 1 row of 2 has some, e.g. ' dog'" in n for n in dataset.notes)


def test_a_label_file_without_the_column_is_told(signs: Path):
    toml = signs / "competitions" / "signs" / "competition.toml"
    toml.write_text(toml.read_text().replace('format = "image_csv"', 'format = "image_csv"\nlabel = "class"'))
    with pytest.raises(UserError, match="no column 'class'; it has id, label. Correct data.label"):
        load(signs)


def tar(files: dict[str, bytes], mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("train/link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return buffer.getvalue()


@pytest.mark.parametrize(("name", "mode"), [("train.tar", "w"), ("train.tar.gz", "w:gz"), ("train.tgz", "w:gz")])
def test_a_tar_is_read_as_if_its_folder_were_there_and_its_links_are_not_followed(tmp_path: Path, name: str, mode: str):
    (tmp_path / name).write_bytes(tar({f"./{file}": content for file, content in FILES.items()}, mode))
    tree = FileTree(tmp_path)
    assert tree.has("train") and tree.names("train") == sorted(FILES)
    with tree.open("train/3.txt") as file:
        assert file.read() == FILES["train/3.txt"]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_that_is_cut_off_is_told(tmp_path: Path, mode: str):
    whole = tar({f"train/{n}.txt": bytes(range(256)) * 60 for n in range(20)}, mode)
    (tmp_path / "train.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"train.tar.gz: the tar is truncated, corrupt.*Download it again"):
        FileTree(tmp_path).names("train")


def test_a_tar_with_a_name_that_leads_out_is_refused(tmp_path: Path):
    (tmp_path / "train.tar").write_bytes(tar({"../../evil.txt": b"x"}, "w"))
    with pytest.raises(UserError, match="leads out of its folder"):
        FileTree(tmp_path).names("train")
