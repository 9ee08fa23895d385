"""Every layout of docs/layouts.md, as its TOML stands there: made, trained, submitted."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import PINNED, REPOSITORY
from tests.data.files.tfrecords import Record, write_tfrecord

PAGE = (REPOSITORY / "docs" / "layouts.md").read_text(encoding="utf-8")
CODE = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?```python\n(.*?)```", PAGE, re.M | re.S))
EXAMPLES = dict(re.findall(r"^## (.+?)\n(?:(?!^## ).)*?```toml\n(.*?)```", PAGE, re.M | re.S))
RNG = np.random.default_rng(0)
N, TEST = 24, 6


def pixels(kind: int, channels: int = 3, side: int = 12) -> np.ndarray:
    """An image whose brightness tells its kind."""
    return np.clip(40 + 60 * kind + RNG.normal(0, 15, (side, side, channels)), 0, 255).astype(np.uint8)


def save(path: Path, kind: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(kind)).save(path)


def write(path: Path, **columns: list[object]) -> None:
    pd.DataFrame(columns).to_csv(path, index=False)


def folders(d: Path) -> None:
    for n in range(N):
        save(d / "train" / ("Common Chickweed", "Maize")[n % 2] / f"{n}.png", n % 2)
    for n in range(TEST):
        save(d / "test" / f"t{n}.png", n % 2)
    write(d / "sample_submission.csv", file=[f"t{n}.png" for n in range(TEST)], species=["Maize"] * TEST)


def names(d: Path) -> None:
    for n in range(N):
        save(d / "train" / f"{('cat', 'dog')[n % 2]}.{n}.jpg", n % 2)
    for n in range(TEST):
        save(d / "test" / f"{n + 1}.jpg", n % 2)
    write(d / "sample_submission.csv", id=range(1, TEST + 1), label=[0.5] * TEST)


def grades(d: Path) -> None:
    ids = [f"{n // 2}_{('left', 'right')[n % 2]}" for n in range(2 * N)]
    for n, i in enumerate(ids):
        save(d / "train_images" / f"{i}.jpeg", n // 2 % 3)
    for n in range(TEST):
        save(d / "test_images" / f"{100 + n}_left.jpeg", n % 3)
    write(
        d / "trainLabels.csv",
        image=ids,
        level=[n // 2 % 3 for n in range(2 * N)],
        patient=[n // 2 for n in range(2 * N)],
    )


def drivers(d: Path) -> None:
    for n in range(N):
        save(d / "imgs" / "train" / f"c{n % 2}" / f"img_{n}.jpg", n % 2)
    for n in range(TEST):
        save(d / "imgs" / "test" / f"img_{900 + n}.jpg", n % 2)
    files = [f"img_{n}.jpg" for n in range(N)]
    write(d / "labels.csv", img=files, classname=[f"c{n % 2}" for n in range(N)])
    write(d / "drivers.csv", name=files, subject=[f"p{n // 4}" for n in range(N)])


def one_hot(d: Path) -> None:
    for n in range(N):
        save(d / "images" / f"Train_{n}.jpg", n % 3)
    for n in range(TEST):
        save(d / "images" / f"Test_{n}.jpg", n % 3)
    columns = {c: [int(n % 3 == k) for n in range(N)] for k, c in enumerate(("healthy", "rust", "scab"))}
    write(d / "train.csv", image_id=[f"Train_{n}" for n in range(N)], **columns)
    write(d / "test.csv", image_id=[f"Test_{n}" for n in range(TEST)])


def tags(d: Path) -> None:
    for n in range(N):
        save(d / "train-jpg" / f"train_{n}.jpg", n % 3)
    for n in range(TEST):
        save(d / "test-jpg" / f"test_{n}.jpg", n % 3)
    cells = [("clear", "haze primary", "primary")[n % 3] for n in range(N)]
    write(d / "train_v2.csv", image_name=[f"train_{n}" for n in range(N)], tags=cells)


def proteins(d: Path) -> None:
    for split, n_rows in (("train", N), ("test", TEST)):
        for n in range(n_rows):
            for c in ("red", "green", "blue", "yellow"):
                path = d / split / f"{split}{n}_{c}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels(n % 3, 1)[..., 0]).save(path)
    write(d / "train.csv", Id=[f"train{n}" for n in range(N)], nucleus=[int(n % 3 > 0) for n in range(N)],
          membrane=[int(n % 3 != 1) for n in range(N)])  # fmt: skip
    ids = [f"test{n}" for n in range(TEST)]
    write(d / "sample_submission.csv", Id=ids, nucleus=[0] * TEST, membrane=[0] * TEST)


def moles(d: Path) -> None:
    def split(name: str, first: int, n_rows: int, labelled: bool) -> None:
        rows = range(first, first + n_rows)
        ids = [f"ISIC_{n}" for n in rows]
        for n, i in zip(rows, ids, strict=True):
            (d / name).mkdir(exist_ok=True)
            Image.fromarray(pixels(n % 2, side=12 + n % 3)).save(d / name / f"{i}.jpg")
        columns: dict[str, list[object]] = {
            "image_name": list(ids),
            "patient_id": [f"p{n // 2}" for n in rows],
            "sex": [("male", "female", "")[n % 3] for n in rows],
            "age": ["" if n % 5 == 0 else 30 + n for n in rows],
            "site": [1 + n % 4 for n in rows],
            "margin1": [n / 7 for n in rows],
            "margin2": [RNG.normal() for _ in rows],
        }
        write(d / f"{name}.csv", **columns, **({"target": [n % 2 for n in rows]} if labelled else {}))

    split("train", 0, 2 * N, True)
    split("test", 900, TEST, False)
    write(d / "sample_submission.csv", image_name=[f"ISIC_{900 + n}" for n in range(TEST)], target=[0] * TEST)


def hemorrhages(d: Path) -> None:
    for split, n_rows in (("train", N), ("test", TEST)):
        for n in range(n_rows):
            save(d / split / f"ID_{split}{n}.png", n % 3)
    told = {"epidural": lambda n: int(n % 3 > 1), "any": lambda n: int(n % 3 > 0)}
    rows = [(f"ID_train{n}_{name}", holds(n)) for n in range(N) for name, holds in told.items()]
    write(d / "train.csv", ID=[i for i, _ in rows], Label=[value for _, value in rows])
    asked = [f"ID_test{n}_{name}" for n in range(TEST) for name in told]
    write(d / "sample_submission.csv", ID=asked, Label=[0.5] * len(asked))


def several_rows(d: Path) -> None:
    for split, n_rows in (("train", N), ("test", TEST)):
        for n in range(n_rows):
            save(d / split / f"{split}{n}.png", n % 3)
    rows = [(f"train{n}", tag) for n in range(N) for tag in (["red fox"] if n % 3 else []) + ["hare"] * (n % 3 != 1)]
    write(d / "train.csv", image=[i for i, _ in rows], tag=[tag for _, tag in rows])
    asked = [(f"test{n}", tag) for n in range(TEST) for tag in ("hare", "red fox")]
    half = [0.5] * len(asked)
    write(d / "sample_submission.csv", image=[i for i, _ in asked], tag=[tag for _, tag in asked], probability=half)


def points(d: Path) -> None:
    names = ["left_eye_x", "left_eye_y", "nose_x"]
    cells = [" ".join(map(str, pixels(n % 3, 1).ravel())) for n in range(2 * N)]
    told = {name: [n % 3 + k for n in range(N)] for k, name in enumerate(names)}
    told["left_eye_y"] = ["" if n % 5 == 4 else value for n, value in enumerate(told["left_eye_y"])]
    write(d / "training.csv", **told, Image=cells[:N])
    write(d / "test.csv", ImageId=range(1, TEST + 1), Image=cells[:TEST])
    asked = [(n, name) for n in range(1, TEST + 1) for k, name in enumerate(names) if (n + k) % 3]
    rows = range(1, len(asked) + 1)
    write(d / "IdLookupTable.csv", RowId=rows, ImageId=[n for n, _ in asked], FeatureName=[name for _, name in asked])
    write(d / "SampleSubmission.csv", RowId=rows, Location=[0] * len(asked))


def coco(d: Path) -> None:
    def split(name: str, folder: str, n_rows: int, labelled: bool) -> None:
        images = [{"id": 10 * n + labelled, "file_name": f"{folder}/Plants/{n % 4}/{n:x}f.jpg"} for n in range(n_rows)]
        for n, image in enumerate(images):
            save(d / image["file_name"], n % 2)
        told: dict[str, object] = {"images": images}
        if labelled:
            told["annotations"] = [
                {"id": n, "image_id": i["id"], "category_id": 70 + n % 2} for n, i in enumerate(images)
            ]
            told["categories"] = [{"id": 70, "name": "oak"}, {"id": 71, "name": "beech"}]
        (d / name).write_text(json.dumps(told))

    split("train.json", "train_val", N, True)
    split("test.json", "test", TEST, False)


def whales(d: Path) -> None:
    labels = [f"w_{n}" if n < 6 else f"v_{n % 3}" for n in range(N)]  # six with one image each
    for n in range(N):
        save(d / "train" / f"{n:x}.jpg", n % 3)
    for n in range(TEST):
        save(d / "test" / f"t{n}.jpg", n % 3)
    write(d / "train.csv", Image=[f"{n:x}.jpg" for n in range(N)], Id=labels)
    write(d / "sample_submission.csv", Image=[f"t{n}.jpg" for n in range(TEST)], Id=["w_0 w_1 w_2 w_3 w_4"] * TEST)


def galaxies(d: Path) -> None:
    for n in range(N + TEST):
        save(d / "images" / f"{1000 + n}.jpg", n % 3)
    write(
        d / "train.csv",
        GalaxyID=[1000 + n for n in range(N)],
        smooth=[n % 3 / 2 for n in range(N)],
        disk=[1 - n % 3 / 2 for n in range(N)],
    )
    ids = [1000 + n for n in range(N, N + TEST)]
    write(d / "sample_submission.csv", GalaxyID=ids, smooth=[0.0] * TEST, disk=[0.0] * TEST)


def voted(d: Path) -> None:
    for n in range(N):
        save(d / "train" / f"{n}.png", n % 3)
    for n in range(TEST):
        save(d / "test" / f"{90 + n}.png", n % 3)
    shares = {c: [30 if n % 3 == k else n % 7 for n in range(N)] for k, c in enumerate(("smooth", "disk", "artifact"))}
    write(d / "train.csv", id=range(N), **shares, fold=[n // 3 % 2 for n in range(N)])


def doubtful(d: Path) -> None:
    for n in range(N):
        save(d / "train" / f"{n}.png", n % 2)
    for n in range(TEST):
        save(d / "test" / f"{90 + n}.png", n % 2)
    write(d / "train.csv", id=range(N), label=[("oak", "beech")[n % 2] for n in range(N)])
    write(d / "sure.csv", id=range(N), sure=[n % 4 / 2 for n in range(N)])


def breasts(d: Path) -> None:
    for n in range(2 * N):
        save(d / "train_images" / f"p{n // 4}" / f"{n}.png", n // 4 % 2)
    for n in range(2 * TEST):
        save(d / "test_images" / f"q{n // 4}" / f"{500 + n}.png", n // 4 % 2)
    train = range(2 * N)
    write(
        d / "train.csv",
        patient_id=[f"p{n // 4}" for n in train],
        image_id=list(train),
        cancer=[n // 4 % 2 for n in train],
    )
    test = range(2 * TEST)
    names = [f"q{n // 4}_{'LR'[n // 2 % 2]}" for n in test]
    write(
        d / "test.csv", patient_id=[f"q{n // 4}" for n in test], image_id=[500 + n for n in test], prediction_id=names
    )
    write(d / "sample_submission.csv", prediction_id=sorted(set(names)), cancer=[0.02] * TEST)


def faces(d: Path) -> None:
    cells = [" ".join(map(str, pixels(n % 2, 1).ravel())) for n in range(N + TEST)]
    write(d / "train.csv", emotion=[n % 2 for n in range(N)], pixels=cells[:N])
    write(d / "test.csv", pixels=cells[N:])
    write(d / "sample_submission.csv", id=range(TEST), emotion=[0] * TEST)


def icebergs(d: Path) -> None:
    def rows(n_rows: int, labelled: bool) -> list[dict[str, object]]:
        found = []
        for n in range(n_rows):
            bands = {f"band_{b}": (RNG.normal(-20 + 15 * (n % 2), 4, 144)).round(3).tolist() for b in (1, 2)}
            found.append(
                {"id": f"x{n}{labelled}", **bands, "inc_angle": "na"} | ({"is_iceberg": n % 2} if labelled else {})
            )
        return found

    (d / "train.json").write_text(json.dumps(rows(N, True)))
    (d / "test.json").write_text(json.dumps(rows(TEST, False)))


def signals(d: Path) -> None:
    for n in range(N):
        path = d / "train" / f"{n % 3}" / f"{n:04x}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, RNG.normal(n % 2, 0.5, (6, 27, 25)).astype(np.float16))
    write(d / "train_labels.csv", id=[f"{n:04x}" for n in range(N)], target=[n % 2 for n in range(N)])


def camera_traps(d: Path) -> None:
    told = []
    for n in range(2 * N + TEST):
        species, name = ("fox", "hare")[n // 2 % 2], f"photos/cam{n % 9}/{n:02x}.jpg"
        save(d / name, n // 2 % 2)
        boxes = [{"species": "fox", "area": 60}, {"species": species, "area": 120}]
        told.append({"file": name, "split": "train" if n < 2 * N else "test", "camera": n % 9, "boxes": boxes})
    (d / "annotations.json").write_text(json.dumps(told))
    files = [path for path in d.rglob("*.*") if path.is_file()]
    with zipfile.ZipFile(d / "mine.zip", "w") as archive:
        for path in files:
            archive.write(path, path.relative_to(d).as_posix())
            path.unlink()
    for folder in sorted((path for path in d.rglob("*") if path.is_dir()), reverse=True):
        folder.rmdir()


def plankton(d: Path) -> None:
    def animal(path: Path, kind: int, n: int) -> None:
        side = 8 + n
        shape = (side, 2 * side) if kind else (2 * side, side)
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.full(shape, 250, np.uint8)
        image[shape[0] // 3 : -shape[0] // 3, shape[1] // 3 : -shape[1] // 3] = 60
        Image.fromarray(image).save(path)

    for n in range(N):
        animal(d / "train" / ("copepod", "diatom")[n % 2] / f"{100 + n}.jpg", n % 2, n)
    for n in range(TEST):
        animal(d / "test" / f"{n + 1}.jpg", n % 2, 3 * n)
    share = [0.5] * TEST
    write(d / "sample_submission.csv", image=[f"{n + 1}.jpg" for n in range(TEST)], copepod=share, diatom=share)


def one_table(d: Path) -> None:
    rows = range(N + TEST)
    for n in rows:
        save(d / "images" / f"{n}.png", n % 2)
    level = ["" if n >= N or n % 8 == 5 else n % 2 for n in rows]
    split = ["test" if n >= N else ("train", "train", "val")[n % 3] for n in rows]
    write(d / "metadata.csv", image_id=list(rows), split=list(split), level=list(level))


def pairs(d: Path) -> None:
    for n in range(8):
        save(d / "images" / f"{n}.jpg", n % 2)

    def table(path: Path, first: int, n_rows: int, **more: list[object]) -> None:
        sides = {f"image_{k}": [f"{(k * n + n // 3) % 8}.jpg" for n in range(n_rows)] for k in (1, 2)}
        write(path, pair_id=list(range(first, first + n_rows)), **sides, **more)

    table(d / "train.csv", 0, N, same=[(n + n // 3) % 2 for n in range(N)])
    table(d / "test.csv", 50, TEST)
    write(d / "sample_submission.csv", pair_id=list(range(50, 50 + TEST)), same=[0] * TEST)


def videos(d: Path) -> None:
    for split, n_rows in (("train", N), ("test", TEST)):
        for n in range(n_rows):
            for frame in range(2):
                save(d / split / f"vid_{n}" / f"frame_{frame}.jpg", n % 2)
    write(
        d / "train_labels.csv",
        video_id=[f"vid_{n}" for n in range(N)],
        label=[("run", "walk")[n % 2] for n in range(N)],
    )
    write(d / "sample_submission.csv", video_id=[f"vid_{n}" for n in range(TEST)], label=["run"] * TEST)


def stacks(d: Path) -> None:
    d.mkdir(parents=True, exist_ok=True)
    np.save(d / "X_train.npy", np.stack([pixels(n % 2) for n in range(N)]))
    np.save(d / "X_test.npy", np.stack([pixels(n % 2) for n in range(TEST)]))
    kinds = ["fox", "hare"]
    write(
        d / "train.csv",
        image=[f"i{n}" for n in range(N)],
        species=[kinds[n % 2] for n in range(N)],
        camera=[n // 4 for n in range(N)],
    )
    write(d / "test.csv", image=[f"t{n}" for n in range(TEST)])
    write(d / "sample_submission.csv", image=[f"t{n}" for n in range(TEST)], species=["fox"] * TEST)


def from_the_hub(d: Path) -> None:
    (d / "data").mkdir()
    for part, n_rows in (("train-00000-of-00002", N), ("train-00001-of-00002", N), ("test-00000-of-00001", TEST)):
        cells = []
        for n in range(n_rows):
            buffer = io.BytesIO()
            Image.fromarray(pixels(n % 2)).save(buffer, "PNG")
            cells.append({"bytes": buffer.getvalue(), "path": f"{n}.png"})
        beside = (
            {"id": [f"t{n}" for n in range(n_rows)]} if "test" in part else {"label": [n % 2 for n in range(n_rows)]}
        )
        pd.DataFrame({"image": cells, **beside}).to_parquet(d / "data" / f"{part}.parquet")
    write(d / "sample_submission.csv", id=[f"t{n}" for n in range(TEST)], label=["0"] * TEST)


def flowers(d: Path) -> None:
    ids = [f"{n:09x}" for n in range(2 * N + TEST)]
    for part, first, last in (("train", 0, N), ("val", N, 2 * N), ("test", 2 * N, 2 * N + TEST)):
        records = []
        for n in range(first, last):
            buffer = io.BytesIO()
            Image.fromarray(pixels(n % 2)).save(buffer, "JPEG", quality=95)
            known: Record = {"id": ids[n].encode(), "image": buffer.getvalue()}
            records.append(known if part == "test" else {**known, "class": n % 2})
        write_tfrecord(d / "tfrecords-224x224" / part / f"00-{last - first}.tfrec", records)
    write(d / "sample_submission.csv", id=ids[-TEST:], label=[0] * TEST)


MAKERS: dict[str, Callable[[Path], None]] = {
    "A folder for each class": folders,
    "The label in the file's name": names,
    "A table of labels, patients as groups": grades,
    "The group in another table": drivers,
    "One-hot columns, one folder for training and test": one_hot,
    "Several labels in a cell": tags,
    "A column for each label, several files for each row": proteins,
    "Columns beside the images": moles,
    "COCO annotations, files in many folders": coco,
    "Many classes, most with one image, the five likeliest names": whales,
    "Numbers": galaxies,
    "A row for each image and class": hemorrhages,
    "A row for each label of an image": several_rows,
    "Points, asked for by a lookup table": points,
    "Votes of annotators, folds that are given": voted,
    "Rows that count more, rows that count less": doubtful,
    "Several images for one row of the submission": breasts,
    "Pixels in a cell": faces,
    "Lists of numbers as channels": icebergs,
    "Arrays as files, a hidden test": signals,
    "A list of your own": camera_traps,
    "Training and test in one table, rows without a label": one_table,
    "Pairs of images": pairs,
    "Folders of images as rows": videos,
    "All images in one array": stacks,
    "Images inside Parquet": from_the_hub,
    "Images inside TFRecords": flowers,
    "Images of unlike sizes, cut out at one scale": plankton,
}


def test_every_example_of_the_page_is_tried():
    assert set(EXAMPLES) == set(MAKERS) and set(CODE) <= set(EXAMPLES)


@pytest.mark.parametrize("name", MAKERS)
def test_a_layout_is_read_trained_and_submitted(name: str, tmp_path: Path, run_command):
    folder = tmp_path / "competitions" / "mine"
    folder.mkdir(parents=True)
    toml = EXAMPLES[name].replace("size = 64", "size = 12")
    (folder / "competition.toml").write_text(toml, encoding="utf-8")
    if name in CODE:
        (folder / "competition.py").write_text(CODE[name], encoding="utf-8")
    (tmp_path / "data" / "mine").mkdir(parents=True)
    MAKERS[name](tmp_path / "data" / "mine")
    fast = ("--workers", "1", "--set", "train.epochs=2", "--set", "cv.folds=2", *PINNED)
    done = run_command("harness.cv", "mine", *fast, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ("were shrunk to fit" in done.stderr) == ("scale" in name)
    sent = run_command("harness.submit", "mine", "--dry-run", cwd=tmp_path)
    if "hidden" in name:
        assert sent.returncode == 2 and "hidden" in sent.stderr
        return
    assert sent.returncode == 0 and "passes its checks" in sent.stdout, sent.stderr
    [path] = (tmp_path / "submissions" / "mine").glob("*.csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert len(table) == TEST * (2 if "long = " in toml else 1)  # of two classes, or so many numbers asked for
    sample = tmp_path / "data" / "mine" / "sample_submission.csv"
    if sample.is_file():
        assert list(table.columns) == list(pd.read_csv(sample).columns)
