"""Two classes, and one probability handed in."""

from __future__ import annotations

import shutil

import numpy as np

from benchmarks.coverage import graders
from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Family, Kit

family = Family()


@family(
    "aerial-cactus-identification",
    "`train.zip`, `test.zip` of `train/<id>.jpg`, a table, ids with ending",
    "one of 2 classes",
    "AUC",
    "`id,has_cactus`: probability",
    toml="""
    metric = "roc_auc"
    task = "binary"
    symmetries = ["hflip", "vflip", "rot90", "rot180", "rot270"]
    [data]
    format = "image_csv"
    size = 32
    labels = "train.csv"
    label = "has_cactus"
    [submission]
    sample = "sample_submission.csv"
    target = "has_cactus"
    value = "probability"
    """,
)
def cactus(kit: Kit) -> Grader:
    names, kinds = [f"{n}.jpg" for n in kit.hexes(80, 32)], kit.kinds(80, 2)
    for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        kit.picture(f"{'train' if place < 60 else 'test'}/{name}", kind, (32, 32))
    kit.pack("train", "test")
    kit.csv("train.csv", ["id", "has_cactus"], zip(names[:60], kinds, strict=False))
    answers = dict(zip(names[60:], kinds[60:], strict=True))
    kit.csv("sample_submission.csv", ["id", "has_cactus"], [(name, 0.5) for name in answers])
    return graders.one_probability(["id", "has_cactus"], answers, "AUC")


@family(
    "histopathologic-cancer-detection",
    "`train/<id>.tif`, a table, ids without ending; the sample holds 0",
    "one of 2 classes",
    "AUC",
    "`id,label`: probability",
    toml="""
    metric = "roc_auc"
    task = "binary"
    symmetries = ["hflip", "vflip", "rot90", "rot180", "rot270"]
    [data]
    format = "image_csv"
    size = 16
    labels = "train_labels.csv"
    [submission]
    sample = "sample_submission.csv"
    value = "probability"
    target = "label"
    """,
)
def histopathologic(kit: Kit) -> Grader:
    ids, kinds = kit.hexes(80, 40), kit.kinds(80, 2)
    for place, (i, kind) in enumerate(zip(ids, kinds, strict=True)):
        kit.picture(f"{'train' if place < 60 else 'test'}/{i}.tif", kind)
    kit.csv("train_labels.csv", ["id", "label"], zip(ids[:60], kinds, strict=False))
    answers = dict(zip(ids[60:], kinds[60:], strict=True))
    kit.csv("sample_submission.csv", ["id", "label"], [(i, 0) for i in answers])
    return graders.one_probability(["id", "label"], answers, "AUC")


@family(
    "siim-isic-melanoma-classification",
    "each image twice: `jpeg/train/ISIC_1.jpg` and `train/ISIC_1.dcm`; a table with the patient, who is the group",
    "one of 2 classes, few positive",
    "AUC",
    "`image_name,target`: probability",
    toml="""
    metric = "roc_auc"
    task = "binary"
    symmetries = ["hflip", "vflip", "rot90", "rot180", "rot270"]
    [data]
    format = "image_csv"
    size = [12, 16]
    train = "jpeg/train"
    test = "jpeg/test"
    labels = "train.csv"
    id = "image_name"
    label = "target"
    group_by = ["patient_id"]
    [submission]
    sample = "sample_submission.csv"
    id = "image_name"
    target = "target"
    value = "probability"
    """,
)
def melanoma(kit: Kit) -> Grader:
    ids, kinds = [f"ISIC_{n:07d}" for n in kit.numbers(100, 15719, 9999999)], [int(k == 0) for k in kit.kinds(100, 5)]
    rows = []
    for place, (i, kind) in enumerate(zip(ids, kinds, strict=True)):
        split, patient = "train" if place < 75 else "test", f"IP_{7279968 + place // 3}"
        kit.picture(f"jpeg/{split}/{i}.jpg", kind, (12, 16))
        kit.dicom(f"{split}/{i}.dcm", kind, patient)
        about = [i, patient, "male", 45.0, "head/neck"]
        rows.append([*about, "melanoma" if kind else "unknown", "malignant" if kind else "benign", kind])
    header = ["image_name", "patient_id", "sex", "age_approx", "anatom_site_general_challenge"]
    kit.csv("train.csv", [*header, "diagnosis", "benign_malignant", "target"], rows[:75])
    kit.csv("test.csv", header, [row[:5] for row in rows[75:]])
    kit.place("tfrecords/train00-2071.tfrec").write_bytes(b"\x10\0\0\0\0\0\0\0")
    kit.csv("sample_submission.csv", ["image_name", "target"], [(i, 0) for i in ids[75:]])
    answers = dict(zip(ids[75:], kinds[75:], strict=True))
    return graders.one_probability(["image_name", "target"], answers, "AUC")


@family(
    "seti-breakthrough-listen",
    "`train/0/<id>.npy`, float16 (6, H, W), in folders by the id's first digit",
    "one of 2 classes",
    "AUC",
    "`id,target`: probability",
    toml="""
    metric = "roc_auc"
    task = "binary"
    [data]
    format = "image_csv"
    size = [16, 12]
    channels = 6
    range = [-4, 4]
    labels = "train_labels.csv"
    label = "target"
    [submission]
    sample = "sample_submission.csv"
    target = "target"
    value = "probability"
    """,
)
def seti(kit: Kit) -> Grader:
    ids, kinds = kit.hexes(80, 15), kit.kinds(80, 2)
    for place, (i, kind) in enumerate(zip(ids, kinds, strict=True)):
        cadence = kit.pixels(kind, 16, 12, 6).astype(np.float16) / 50 - 2
        np.save(kit.place(f"{'train' if place < 60 else 'test'}/{i[0]}/{i}.npy"), np.moveaxis(cadence, 2, 0))
    kit.csv("train_labels.csv", ["id", "target"], zip(ids[:60], kinds, strict=False))
    answers = dict(zip(ids[60:], kinds[60:], strict=True))
    kit.csv("sample_submission.csv", ["id", "target"], [(i, 0.5) for i in answers])
    return graders.one_probability(["id", "target"], answers, "AUC")


@family(
    "invasive-species-monitoring",
    "`train.7z`, `test.7z`, `train_labels.csv.zip`; ids count from 1 in both",
    "one of 2 classes",
    "AUC",
    "`name,invasive`: probability",
    toml="""
    metric = "roc_auc"
    task = "binary"
    symmetries = ["hflip"]
    [data]
    format = "image_csv"
    size = [12, 16]
    labels = "train_labels.csv"
    id = "name"
    label = "invasive"
    [submission]
    sample = "sample_submission.csv"
    id = "name"
    target = "invasive"
    value = "probability"
    """,
)
def invasive(kit: Kit) -> Grader:
    kinds, truth = kit.kinds(60, 2), kit.kinds(20, 2)
    for folder, rows in (("train", kinds), ("test", truth)):
        for number, kind in enumerate(rows, start=1):
            kit.picture(f"{folder}/{number}.jpg", kind, (12, 16))
    kit.pack("train", "test", kind="7z")
    kit.csv("train_labels.csv.zip", ["name", "invasive"], enumerate(kinds, start=1))
    kit.csv("sample_submission.csv.zip", ["name", "invasive"], [(n, 0.5) for n in range(1, 21)])
    answers = {str(n): kind for n, kind in enumerate(truth, start=1)}
    return graders.one_probability(["name", "invasive"], answers, "AUC")


@family(
    "statoil-iceberg-classifier-challenge",
    "`train.json.7z`: a list of records with two radar bands as lists of numbers, and an angle that may be 'na'",
    "one of 2 classes",
    "log loss",
    "`id,is_iceberg`: probability",
    toml="""
    metric = "log_loss"
    task = "binary"
    symmetries = ["hflip", "vflip"]
    [data]
    format = "table_pixels"
    size = 15
    channels = 2
    range = [-45, 35]
    train = "train.json"
    test = "test.json"
    pixels = ["band_1", "band_2"]
    id = "id"
    label = "is_iceberg"
    [submission]
    sample = "sample_submission.csv"
    target = "is_iceberg"
    value = "probability"
    """,
)
def iceberg(kit: Kit) -> Grader:
    ids, kinds = kit.hexes(80, 8), kit.kinds(80, 2)
    records = []
    for place, (i, kind) in enumerate(zip(ids, kinds, strict=True)):
        bands = kit.pixels(kind, 15, 15, 2) / 4.0 - 40
        record = {"id": i, "band_1": bands[:, :, 0].ravel().tolist(), "band_2": bands[:, :, 1].ravel().tolist()}
        record["inc_angle"] = "na" if place % 9 == 0 else round(30 + 10 * float(kit.rng.random()), 4)
        records.append(record | ({"is_iceberg": kind} if place < 60 else {}))
    kit.json("train.json", records[:60])
    kit.json("test.json", records[60:])
    kit.csv("sample_submission.csv", ["id", "is_iceberg"], [(i, 0.5) for i in ids[60:]])
    answers = dict(zip(ids[60:], kinds[60:], strict=True))
    return graders.one_probability(["id", "is_iceberg"], answers, "log loss")


@family(
    "isic-2024-challenge",
    "`train-image/image/*.jpg`; the test only as HDF5 with the bytes of a JPEG for each id; a code competition",
    "one of 2 classes, 1 in 1,000 positive",
    "partial AUC",
    "`isic_id,target`: probability",
    toml="""
    metric = {name = "partial_auc", min_tpr = 0.8}
    task = "binary"
    symmetries = ["hflip", "vflip", "rot90", "rot180", "rot270"]
    [data]
    format = "image_csv"
    size = 16
    train = "train-image/image"
    test = "test-image"
    labels = "train-metadata.csv"
    id = "isic_id"
    label = "target"
    group_by = "patient_id"
    [submission]
    sample = "sample_submission.csv"
    id = "isic_id"
    target = "target"
    value = "probability"
    """,
)
def isic_2024(kit: Kit) -> Grader:
    import h5py

    ids = [f"ISIC_{n:07d}" for n in kit.numbers(63, 15670, 9999999)]
    kinds = [int(k == 0) for k in kit.kinds(63, 8)]
    rows = []
    for place, (i, kind) in enumerate(zip(ids, kinds, strict=True)):
        kit.picture(f"{'train-image/image' if place < 60 else 'unpacked'}/{i}.jpg", kind)
        rows.append((i, kind, f"IP_{1000000 + place // 3}", 60.0, "male", "Other"))
    header = ["isic_id", "target", "patient_id", "age_approx", "sex", "tbp_tile_type"]
    kit.csv("train-metadata.csv", header, rows[:60])
    kit.csv("test-metadata.csv", [header[0], *header[2:]], [(row[0], *row[2:]) for row in rows[60:]])
    for name, chosen, folder in (("train", ids[:60], "train-image/image"), ("test", ids[60:], "unpacked")):
        with h5py.File(kit.place(f"{name}-image.hdf5"), "w") as file:
            for i in chosen:
                file[i] = np.void((kit.root / folder / f"{i}.jpg").read_bytes())
    shutil.rmtree(kit.root / "unpacked")
    kit.csv("sample_submission.csv", ["isic_id", "target"], [(i, 0.3) for i in ids[60:]])
    return graders.one_probability(["isic_id", "target"], dict(zip(ids[60:], kinds[60:], strict=True)), "partial AUC")


@family(
    "rsna-breast-cancer-detection",
    "DICOM `train_images/<patient>/<image>.dcm`; several images of one prediction id; a code competition",
    "one of 2 classes, few positive",
    "probabilistic F1",
    "`prediction_id,cancer`: probability of a breast, of several images",
    toml="""
    metric = "probabilistic_f"
    task = "binary"
    [data]
    format = "image_csv"
    size = 16
    channels = 1
    train = "train_images"
    test = "test_images"
    labels = "train.csv"
    test_rows = "test.csv"
    id = "image_id"
    files = "{patient_id}/{image_id}.dcm"
    label = "cancer"
    group_by = "patient_id"
    [submission]
    sample = "sample_submission.csv"
    id = "prediction_id"
    rows = "prediction_id"
    target = "cancer"
    value = "probability"
    """,
)
def breasts(kit: Kit) -> Grader:
    rows, tests, answers = [], [], {}
    for place, kind in enumerate(kit.kinds(30, 3)):
        patient, cancer = 10006 + 5 * place, int(kind == 0)
        for number, (side, view) in enumerate((s, v) for s in "LR" for v in ("CC", "MLO")):
            image, has = 462822612 + 97 * (4 * place + number), cancer if side == "L" else 0
            split = "train" if place < 26 else "test"
            kit.dicom(f"{split}_images/{patient}/{image}.dcm", has, str(patient))
            if split == "train":
                rows.append((2, patient, image, side, view, 61.0, has, 0))
            else:
                tests.append((2, patient, image, side, view, 61.0, f"{patient}_{side}"))
                answers[f"{patient}_{side}"] = has
    header = ["site_id", "patient_id", "image_id", "laterality", "view", "age"]
    kit.csv("train.csv", [*header, "cancer", "biopsy"], rows)
    kit.csv("test.csv", [*header, "prediction_id"], tests)
    kit.csv("sample_submission.csv", ["prediction_id", "cancer"], [(i, 0.0211) for i in answers])
    return graders.one_probability(["prediction_id", "cancer"], answers, "probabilistic F1")
