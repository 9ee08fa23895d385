"""Numbers as targets, and pixels in tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from benchmarks.coverage import graders
from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Family, Kit

family = Family()


@family(
    "petfinder-pawpularity-score",
    "`train/*.jpg`, a table with 12 more columns of 0 and 1; eight example test images",
    "a whole number from 1 to 100",
    "RMSE",
    "`Id,Pawpularity`",
    toml="""
    task = "regression"
    metric = "rmse"
    symmetries = ["hflip"]
    [data]
    format = "image_csv"
    size = 16
    labels = "train.csv"
    id = "Id"
    label = "Pawpularity"
    [submission]
    sample = "sample_submission.csv"
    id = "Id"
    target = "Pawpularity"
    """,
)
def pawpularity(kit: Kit) -> Grader:
    more = ["Subject Focus", "Eyes", "Face", "Near", "Action", "Accessory", "Group", "Collage", "Human", "Occlusion"]
    more += ["Info", "Blur"]
    ids, scores = kit.hexes(88, 32), [int(v) for v in kit.rng.integers(1, 101, 88)]
    rows = []
    for place, (i, score) in enumerate(zip(ids, scores, strict=True)):
        kit.picture(f"{'train' if place < 80 else 'test'}/{i}.jpg", [score / 100], (14 + place % 3, 16))
        rows.append((i, *(int(v) for v in kit.rng.integers(0, 2, 12)), score))
    kit.csv("train.csv", ["Id", *more, "Pawpularity"], rows[:80])
    kit.csv("test.csv", ["Id", *more], [row[:-1] for row in rows[80:]])
    values = [round(float(v), 2) for v in kit.rng.uniform(1, 100, 8)]
    kit.csv("sample_submission.csv", ["Id", "Pawpularity"], zip(ids[80:], values, strict=True))
    answers = {i: [score] for i, score in zip(ids[80:], scores[80:], strict=True)}
    return graders.numbers(["Id", "Pawpularity"], answers)


@family(
    "galaxy-zoo-the-galaxy-challenge",
    "zips `images_training_rev1.zip`, `images_test_rev1.zip`; 37 numbers a row; three benchmarks in place of a sample",
    "37 numbers from 0 to 1",
    "RMSE",
    "`GalaxyID` and the 37 columns",
    toml="""
    task = "regression"
    metric = "rmse"
    symmetries = ["hflip", "vflip", "rot90", "rot180", "rot270"]
    [data]
    format = "image_csv"
    size = 16
    train = "images_training_rev1"
    test = "images_test_rev1"
    labels = "training_solutions_rev1/training_solutions_rev1.csv"
    id = "GalaxyID"
    label = ["Class1.1", "Class1.2", "Class1.3", "Class2.1", "Class2.2", "Class3.1", "Class3.2"]
    [submission]
    sample = "all_zeros_benchmark/all_zeros_benchmark.csv"
    id = "GalaxyID"
    """,
)
def galaxies(kit: Kit) -> Grader:
    columns = ["Class1.1", "Class1.2", "Class1.3", "Class2.1", "Class2.2", "Class3.1", "Class3.2"]
    ids, rows = kit.numbers(80, 100008, 999999), kit.rng.random((80, 7)).round(6)
    for place, (i, row) in enumerate(zip(ids, rows, strict=True)):
        kit.picture(f"images_{'training' if place < 60 else 'test'}_rev1/{i}.jpg", row.tolist())
    kit.pack("images_training_rev1", "images_test_rev1")
    table = [(i, *row) for i, row in zip(ids, rows.tolist(), strict=True)]
    kit.csv("training_solutions_rev1.zip", ["GalaxyID", *columns], table[:60])
    _rename_inside(kit, "training_solutions_rev1")
    for name, value in (("all_ones_benchmark", 1), ("all_zeros_benchmark", 0), ("central_pixel_benchmark", 0.3)):
        kit.csv(f"{name}.zip", ["GalaxyID", *columns], [(i, *[value] * 7) for i in ids[60:]])
        _rename_inside(kit, name)
    return graders.numbers(["GalaxyID", *columns], {str(row[0]): row[1:] for row in table[60:]})


def _rename_inside(kit: Kit, name: str) -> None:
    """'name.zip' holds 'name.csv'."""
    import zipfile

    path = kit.root / f"{name}.zip"
    with zipfile.ZipFile(path) as archive:
        content = archive.read(name)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.csv", content)


@family(
    "noaa-fisheries-steller-sea-lion-population-count",
    "`Train/0.jpg` with its table `Train/train.csv`, marked copies `TrainDotted/0.jpg`, `Test/0.jpg`; other names of ids in the test",
    "5 counts",
    "mean column RMSE",
    "`test_id` and the 5 columns",
    toml="""
    task = "regression"
    metric = "mcrmse"
    symmetries = ["hflip", "vflip", "rot90", "rot180", "rot270"]
    [data]
    format = "image_csv"
    size = [12, 16]
    train = "Train"
    test = "Test"
    labels = "Train/train.csv"
    id = "train_id"
    label = ["adult_males", "subadult_males", "adult_females", "juveniles", "pups"]
    [submission]
    sample = "sample_submission.csv"
    id = "test_id"
    """,
)
def sea_lions(kit: Kit) -> Grader:
    columns = ["adult_males", "subadult_males", "adult_females", "juveniles", "pups"]
    counts = kit.rng.integers(0, 60, (90, 5))
    for place, row in enumerate(counts):
        shown = (row / 60).tolist()
        if place >= 70:
            kit.picture(f"Test/{place - 70}.jpg", shown, (12, 16))
            continue
        for folder in ("Train", "TrainDotted"):
            kit.picture(f"{folder}/{place}.jpg", shown, (12, 16))
    kit.csv("Train/train.csv", ["train_id", *columns], [(n, *row) for n, row in enumerate(counts[:70].tolist())])
    kit.place("Train/MismatchedTrainImages.txt").write_text("train_id\n3\n7\n", encoding="utf-8")
    kit.csv("sample_submission.csv", ["test_id", *columns], [(n, 1, 2, 3, 4, 5) for n in range(20)])
    answers = {str(n): row for n, row in enumerate(counts[70:].tolist())}
    return graders.numbers(["test_id", *columns], answers)


@family(
    "facial-keypoints-detection",
    "`training.csv`: 30 numbers, often missing, and 9,216 pixels in a cell; `IdLookupTable.csv` says what is asked",
    "30 numbers, of most rows only 8",
    "RMSE",
    "`RowId,Location`: a row for each image and asked number",
    toml="""
    task = "regression"
    metric = "rmse"
    [data]
    format = "table_pixels"
    train = "training.csv"
    test = "test.csv"
    pixels = "Image"
    size = 16
    channels = 1
    id = "ImageId"
    label = ["left_eye_center_x", "left_eye_center_y", "nose_tip_x", "nose_tip_y"]
    where = {left_eye_center_x = "?*", left_eye_center_y = "?*"}
    [submission]
    sample = "SampleSubmission.csv"
    id = "RowId"
    lookup = {file = "IdLookupTable.csv", id = "ImageId"}
    long = "FeatureName"
    target = "Location"
    """,
)
def keypoints(kit: Kit) -> Grader:
    points = ["left_eye_center_x", "left_eye_center_y", "nose_tip_x", "nose_tip_y"]

    def cell(values: np.ndarray) -> str:
        return " ".join(map(str, kit.pixels(values.tolist(), 16, 16, 1).ravel()))

    rows = kit.rng.random((60, 4))
    table = [[*(96 * row).round(3), cell(row)] for row in rows]
    for row in table[1::3]:
        row[1] = row[0] = ""
    kit.csv("training.csv", [*points, "Image"], table)
    truth = kit.rng.random((12, 4))
    kit.csv("test.csv", ["ImageId", "Image"], [(n, cell(row)) for n, row in enumerate(truth, start=1)])
    asked = [(n, p) for n in range(1, 13) for p in range(4) if (n + p) % 3]
    lookup = [(r, n, points[p], "") for r, (n, p) in enumerate(asked, start=1)]
    kit.csv("IdLookupTable.csv", ["RowId", "ImageId", "FeatureName", "Location"], lookup)
    kit.csv("SampleSubmission.csv", ["RowId", "Location"], [(row[0], 0) for row in lookup])
    answers = {str(r): [96 * float(truth[n - 1, p])] for r, (n, p) in enumerate(asked, start=1)}
    return graders.numbers(["RowId", "Location"], answers)


def _flat(kit: Kit, kind: int, side: int) -> list[int]:
    return [int(v) for v in kit.pixels(kind, side, side, 1).ravel()]


def _pixel_header(side: int) -> list[str]:
    return [f"pixel{n}" for n in range(side * side)]


@family(
    "digit-recognizer",
    "`train.csv`: label and 784 columns of pixels; `test.csv` without ids",
    "one of 10 digits",
    "accuracy",
    "`ImageId,Label`: the digit; ids count from 1",
    toml="""
    metric = "accuracy"
    [data]
    format = "csv_pixels"
    size = 28
    channels = 1
    train = "train.csv"
    test = "test.csv"
    [submission]
    sample = "sample_submission.csv"
    id = "ImageId"
    target = "Label"
    """,
)
def digits(kit: Kit) -> Grader:
    kinds, truth = kit.kinds(60, 10), kit.kinds(20, 10)
    kit.csv("train.csv", ["label", *_pixel_header(28)], ([k, *_flat(kit, k, 28)] for k in kinds))
    kit.csv("test.csv", _pixel_header(28), (_flat(kit, k, 28) for k in truth))
    kit.csv("sample_submission.csv", ["ImageId", "Label"], [(n, 0) for n in range(1, 21)])
    answers = {str(n): str(k) for n, k in enumerate(truth, start=1)}
    return graders.one_class(["ImageId", "Label"], answers, range(10), "accuracy")


@family(
    "Kannada-MNIST",
    "`train.csv`: label and 784 columns; `test.csv`: id and 784 columns; `Dig-MNIST.csv` beside",
    "one of 10 digits",
    "accuracy",
    "`id,label`: the digit; ids count from 0",
    toml="""
    metric = "accuracy"
    [data]
    format = "csv_pixels"
    size = 28
    channels = 1
    train = "train.csv"
    test = "test.csv"
    id = "id"
    [submission]
    sample = "sample_submission.csv"
    """,
)
def kannada(kit: Kit) -> Grader:
    kinds, truth = kit.kinds(60, 10), kit.kinds(20, 10)

    def labelled(rows: Iterable[int]) -> Iterable[list[Any]]:
        return ([k, *_flat(kit, k, 28)] for k in rows)

    kit.csv("train.csv", ["label", *_pixel_header(28)], labelled(kinds))
    kit.csv("Dig-MNIST.csv", ["label", *_pixel_header(28)], labelled(kit.kinds(20, 10)))
    kit.csv("test.csv", ["id", *_pixel_header(28)], ([n, *_flat(kit, k, 28)] for n, k in enumerate(truth)))
    kit.csv("sample_submission.csv", ["id", "label"], [(n, 0) for n in range(20)])
    answers = {str(n): str(k) for n, k in enumerate(truth)}
    return graders.one_class(["id", "label"], answers, range(10), "accuracy")


@family(
    "challenges-in-representation-learning-facial-expression (FER2013)",
    "`train.csv`: `emotion,pixels` with 2,304 numbers in a cell; `test.csv`: `pixels`; no ids",
    "one of 7 classes",
    "accuracy",
    "`id,emotion`: the class's number; ids count from 1",
    toml="""
    metric = "accuracy"
    symmetries = ["hflip"]
    [data]
    format = "table_pixels"
    size = 48
    channels = 1
    train = "train.csv"
    test = "test.csv"
    pixels = "pixels"
    label = "emotion"
    [submission]
    target = "emotion"
    """,
)
def faces(kit: Kit) -> Grader:
    kinds, truth = kit.kinds(42, 7), kit.kinds(14, 7)

    def cell(kind: int) -> str:
        return " ".join(map(str, _flat(kit, kind, 48)))

    rows = [(k, cell(k)) for k in kinds]
    tests = [cell(k) for k in truth]
    kit.csv("train.csv", ["emotion", "pixels"], rows)
    kit.csv("test.csv", ["pixels"], [(text,) for text in tests])
    every = [(k, "Training", text) for k, text in rows]
    every += [(k, "PublicTest", text) for k, text in zip(truth, tests, strict=True)]
    kit.csv("icml_face_data.csv", ["emotion", " Usage", " pixels"], every)
    answers = {str(n): str(k) for n, k in enumerate(truth, start=1)}
    return graders.one_class(["id", "emotion"], answers, range(7), "accuracy")
