"""Files that a row names by its columns."""

from __future__ import annotations

from benchmarks.coverage import graders
from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Family, Kit

family = Family()


@family(
    "iwildcam-2019-fgvc6",
    "flat zips; a table with file name, location and sequence, the test's without the label",
    "one of 14 classes",
    "macro F1",
    "`Id,Category`: the class's number",
    toml="""
    metric = "macro_f1"
    [data]
    format = "image_csv"
    size = [12, 16]
    train = "train_images"
    test = "test_images"
    labels = "train.csv"
    id = "id"
    label = "category_id"
    files = "{file_name}"
    test_rows = "test.csv"
    group_by = ["location"]
    [submission]
    sample = "sample_submission.csv"
    id = "Id"
    target = "Category"
    """,
)
def iwildcam_2019(kit: Kit) -> Grader:
    classes = [0, 1, 3, 8, 10, 11, 13, 14, 16]
    header = ["category_id", "date_captured", "file_name", "frame_num", "id", "location", "rights_holder", "seq_id"]
    header += ["seq_num_frames", "width", "height"]
    ids = [f"{a}-{b}" for a, b in zip(kit.hexes(90, 8), kit.hexes(90, 12), strict=True)]
    kinds = [classes[k] for k in kit.kinds(90, len(classes))]
    rows = []
    for number, (i, kind) in enumerate(zip(ids, kinds, strict=True)):
        where, split = number % 11 + (0 if number < 70 else 100), "train_images" if number < 70 else "test_images"
        kit.picture(f"{split}/{i}.jpg", kind, (12, 16))
        row = [kind, "2011-05-13 23:43:18", f"{i}.jpg", 1, i, where, "Justin Brown", f"seq{number // 2}", 3, 1024, 747]
        rows.append(row)
    kit.pack("train_images", "test_images", flat=True)
    kit.csv("train.csv", header, rows[:70])
    kit.csv("test.csv", header[1:], [row[1:] for row in rows[70:]])
    answers = {i: str(kind) for i, kind in zip(ids[70:], kinds[70:], strict=True)}
    kit.csv("sample_submission.csv", ["Id", "Category"], [(i, 0) for i in answers])
    return graders.one_class(["Id", "Category"], answers, range(23), "macro F1")


@family(
    "recursion-cellular-image-classification",
    "six grey files a row by its columns: `train/HEPG2-01/Plate1/B03_s1_w1.png`; the experiment is the group",
    "one of 1,108 treatments",
    "accuracy",
    "`id_code,sirna`: the class's number",
    toml="""
    metric = "accuracy"
    [data]
    format = "image_csv"
    size = 16
    channels = 6
    train = "train"
    test = "test"
    test_rows = "test.csv"
    labels = "train.csv"
    id = "id_code"
    label = "sirna"
    files = ["{experiment}/Plate{plate}/{well}_s1_w1.png", "{experiment}/Plate{plate}/{well}_s1_w2.png",
             "{experiment}/Plate{plate}/{well}_s1_w3.png", "{experiment}/Plate{plate}/{well}_s1_w4.png",
             "{experiment}/Plate{plate}/{well}_s1_w5.png", "{experiment}/Plate{plate}/{well}_s1_w6.png"]
    group_by = ["experiment"]
    [submission]
    sample = "sample_submission.csv"
    id = "id_code"
    target = "sirna"
    """,
)
def recursion(kit: Kit) -> Grader:
    rows = []
    for number, kind in enumerate(kit.kinds(64, 8)):
        split, cell = ("train", f"HEPG2-{1 + number % 6:02d}") if number < 48 else ("test", "HUVEC-17")
        plate, well = 1 + number % 4, f"{'BCDEFGHIJKLMNO'[number // 22]}{2 + number % 22:02d}"
        for site in (1, 2):
            for channel in range(1, 7):
                kit.picture(f"{split}/{cell}/Plate{plate}/{well}_s{site}_w{channel}.png", kind * 7 + channel, grey=True)
        rows.append((f"{cell}_{plate}_{well}", cell, plate, well, kind * 100))
    kit.csv("train.csv", ["id_code", "experiment", "plate", "well", "sirna"], rows[:48])
    kit.csv("test.csv", ["id_code", "experiment", "plate", "well"], [row[:4] for row in rows[48:]])
    kit.csv("sample_submission.csv", ["id_code", "sirna"], [(row[0], 0) for row in rows[48:]])
    answers = {row[0]: str(row[4]) for row in rows[48:]}
    return graders.one_class(["id_code", "sirna"], answers, range(1108), "accuracy")
