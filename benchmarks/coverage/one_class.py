"""A table with one class a row."""

from __future__ import annotations

import io

from PIL import Image

from benchmarks.coverage import graders
from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Family, Kit

family = Family()


@family(
    "cassava-leaf-disease-classification",
    "`train_images/*.jpg`, a table, ids with ending, TFRecords beside; one example test image",
    "one of 5 classes",
    "accuracy",
    "`image_id,label`: the class's number",
    toml="""
    metric = "accuracy"
    [data]
    format = "image_csv"
    size = 16
    train = "train_images"
    test = "test_images"
    labels = "train.csv"
    id = "image_id"
    label = "label"
    [submission]
    sample = "sample_submission.csv"
    id = "image_id"
    target = "label"
    """,
)
def cassava(kit: Kit) -> Grader:
    kinds = kit.kinds(60, 5)
    names = [f"{n}.jpg" for n in kit.numbers(61, 1_000_015_157, 1_000_900_000)]
    for name, kind in zip(names, [*kinds, 4], strict=True):
        kit.picture(f"{'test_images' if name == names[-1] else 'train_images'}/{name}", kind, (12, 16))
    kit.csv("train.csv", ["image_id", "label"], zip(names, kinds, strict=False))
    kit.json(
        "label_num_to_disease_map.json",
        dict(enumerate(["Cassava Bacterial Blight (CBB)", "CBSD", "CGM", "CMD", "Healthy"])),
    )
    kit.place("train_tfrecords/ld_train00-1338.tfrec").write_bytes(b"\x10\0\0\0\0\0\0\0")
    kit.csv("sample_submission.csv", ["image_id", "label"], [(names[-1], 4)])
    return graders.one_class(["image_id", "label"], {names[-1]: "4"}, range(5), "accuracy")


@family(
    "paddy-disease-classification",
    "`train_images/<class>/100001.jpg` and a table with variety and age; the sample's cells are empty",
    "one of 10 classes",
    "accuracy",
    "`image_id,label`: the class's name",
    toml="""
    metric = "accuracy"
    [data]
    format = "image_csv"
    size = [16, 12]
    train = "train_images"
    test = "test_images"
    labels = "train.csv"
    id = "image_id"
    label = "label"
    [submission]
    sample = "sample_submission.csv"
    id = "image_id"
    target = "label"
    """,
)
def paddy(kit: Kit) -> Grader:
    classes = ["bacterial_leaf_blight", "bacterial_leaf_streak", "bacterial_panicle_blight", "blast", "brown_spot"]
    classes += ["dead_heart", "downy_mildew", "hispa", "normal", "tungro"]
    kinds, numbers = sorted(kit.kinds(80, 10)), kit.numbers(80, 100001, 110408)
    rows = []
    for number, kind in zip(numbers, kinds, strict=True):
        kit.picture(f"train_images/{classes[kind]}/{number}.jpg", kind, (16, 12))
        rows.append((f"{number}.jpg", classes[kind], kit.rng.choice(["ADT45", "KarnatakaPonni"]), 45 + kind))
    kit.csv("train.csv", ["image_id", "label", "variety", "age"], rows)
    truth = {f"{200001 + n}.jpg": kind for n, kind in enumerate(kit.kinds(20, 10))}
    for name, kind in truth.items():
        kit.picture(f"test_images/{name}", kind, (16, 12))
    kit.csv("sample_submission.csv", ["image_id", "label"], [(name, "") for name in truth])
    answers = {name: classes[kind] for name, kind in truth.items()}
    return graders.one_class(["image_id", "label"], answers, classes, "accuracy")


@family(
    "cifar-10",
    "`train.7z`, `test.7z`, a table; ids count from 1 in both",
    "one of 10 classes",
    "accuracy",
    "`id,label`: the class's name",
    toml="""
    metric = "accuracy"
    symmetries = ["hflip"]
    [data]
    format = "image_csv"
    size = 32
    labels = "trainLabels.csv"
    [submission]
    sample = "sampleSubmission.csv"
    """,
)
def cifar(kit: Kit) -> Grader:
    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    kinds, truth = kit.kinds(60, 10), kit.kinds(20, 10)
    for folder, rows in (("train", kinds), ("test", truth)):
        for number, kind in enumerate(rows, start=1):
            kit.picture(f"{folder}/{number}.png", kind, (32, 32))
    kit.pack("train", "test", kind="7z")
    kit.csv("trainLabels.csv", ["id", "label"], [(n, classes[k]) for n, k in enumerate(kinds, start=1)])
    kit.csv("sampleSubmission.csv", ["id", "label"], [(n, "cat") for n in range(1, 21)])
    answers = {str(n): classes[k] for n, k in enumerate(truth, start=1)}
    return graders.one_class(["id", "label"], answers, classes, "accuracy")


@family(
    "street-view-getting-started-with-julia",
    "zips of `train/1.Bmp` and of resized copies; 62 letters and digits, 'a' beside 'A'",
    "one of 62 classes",
    "accuracy",
    "`ID,Class`: the character",
    toml="""
    metric = "accuracy"
    [data]
    format = "image_csv"
    size = 20
    train = "trainResized"
    test = "testResized"
    labels = "trainLabels.csv"
    id = "ID"
    label = "Class"
    [submission]
    sample = "sampleSubmission.csv"
    id = "ID"
    target = "Class"
    """,
)
def julia(kit: Kit) -> Grader:
    classes = [*"0123456789", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *"abcdefghijklmnopqrstuvwxyz"]
    kinds, truth = kit.kinds(124, 62), kit.kinds(62, 62)
    for folder, rows, first in (("train", kinds, 1), ("test", truth, 6284)):
        for number, kind in enumerate(rows, start=first):
            height = 14 + number % 9
            kit.picture(f"{folder}/{number}.Bmp", kind, (height, 16))
            kit.picture(f"{folder}Resized/{number}.Bmp", kind, (20, 20))
    kit.pack("train", "trainResized", "test", "testResized")
    kit.csv("trainLabels.csv", ["ID", "Class"], [(n, classes[k]) for n, k in enumerate(kinds, start=1)])
    answers = {str(n): classes[k] for n, k in enumerate(truth, start=6284)}
    kit.csv("sampleSubmission.csv", ["ID", "Class"], [(i, "A") for i in answers])
    return graders.one_class(["ID", "Class"], answers, classes, "accuracy")


@family(
    "sorghum-id-fgvc-9",
    "`train_images/*.png`, a table with a row '.DS_Store' without label; `test/`; the sample calls the id otherwise",
    "one of 100 cultivars",
    "accuracy",
    "`filename,cultivar`: the class's name",
    toml="""
    metric = "accuracy"
    [data]
    format = "image_csv"
    size = 16
    train = "train_images"
    labels = "train_cultivar_mapping.csv"
    id = "image"
    label = "cultivar"
    [submission]
    sample = "sample_submission.csv"
    id = "filename"
    target = "cultivar"
    """,
)
def sorghum(kit: Kit) -> Grader:
    classes = [f"PI_{n}" for n in kit.numbers(12, 144134, 329719)]
    kinds, days = kit.kinds(60, 12), kit.hexes(80, 10)
    rows = [(f"2017-06-{10 + n % 20}__12-35-{n:02d}-{days[n]}.png", classes[k]) for n, k in enumerate(kinds)]
    for (name, _), kind in zip(rows, kinds, strict=True):
        kit.picture(f"train_images/{name}", kind)
    rows.insert(17, (".DS_Store", ""))
    kit.csv("train_cultivar_mapping.csv", ["image", "cultivar"], rows)
    answers = {f"{days[60 + n]}.png": classes[k] for n, k in enumerate(kit.kinds(20, 12))}
    for name, label in answers.items():
        kit.picture(f"test/{name}", classes.index(label))
    kit.csv("sample_submission.csv", ["filename", "cultivar"], [(name, classes[0]) for name in answers])
    return graders.one_class(["filename", "cultivar"], answers, classes, "accuracy")


@family(
    "ubc-ovarian-cancer-subtype-classification",
    "`train_images/4.png` and `train_thumbnails/4_thumbnail.png` (not of every row); one example test image",
    "one of 5 classes",
    "balanced accuracy",
    "`image_id,label`: the class's name",
    toml="""
    metric = "balanced_accuracy"
    symmetries = ["hflip", "vflip", "rot90", "rot180", "rot270"]
    [data]
    format = "image_csv"
    size = 16
    train = "train_images"
    test = "test_images"
    labels = "train.csv"
    id = "image_id"
    [submission]
    sample = "sample_submission.csv"
    id = "image_id"
    """,
)
def ubc_ocean(kit: Kit) -> Grader:
    classes = ["HGSC", "LGSC", "EC", "CC", "MC"]
    kinds, numbers = kit.kinds(50, 5), kit.numbers(51, 4, 65000)
    rows = []
    for number, kind in zip(numbers, kinds, strict=False):
        small_core = number % 7 == 0
        kit.picture(f"train_images/{number}.png", kind, (20, 24))
        if not small_core:
            kit.picture(f"train_thumbnails/{number}_thumbnail.png", kind, (8, 8))
        rows.append((number, classes[kind], 24, 20, small_core))
    kit.csv("train.csv", ["image_id", "label", "image_width", "image_height", "is_tma"], rows)
    kit.csv("test.csv", ["image_id", "image_width", "image_height"], [(numbers[-1], 24, 20)])
    kit.picture(f"test_images/{numbers[-1]}.png", 2, (20, 24))
    kit.picture(f"test_thumbnails/{numbers[-1]}_thumbnail.png", 2, (8, 8))
    kit.csv("sample_submission.csv", ["image_id", "label"], [(numbers[-1], "HGSC")])
    answers = {str(numbers[-1]): "EC"}
    return graders.one_class(["image_id", "label"], answers, classes, "balanced accuracy")


@family(
    "flower-classification-with-tpus",
    "TFRecords alone: `tfrecords-jpeg-192x192/train/00-192x192-798.tfrec`, `val/` with labels too, `test/`; the same in three more sizes",
    "one of 104 flowers",
    "macro F1",
    "`id,label`: the class's number",
    toml="""
    metric = "macro_f1"
    symmetries = ["hflip"]
    [data]
    format = "table_pixels"
    size = 16
    train = "tfrecords-jpeg-224x224/train/*.tfrec"
    merge = ["tfrecords-jpeg-224x224/val/*.tfrec"]
    test = "tfrecords-jpeg-224x224/test/*.tfrec"
    pixels = "image"
    id = "id"
    label = "class"
    [submission]
    sample = "sample_submission.csv"
    """,
)
def flowers(kit: Kit) -> Grader:
    ids, kinds = kit.hexes(76, 9), kit.kinds(76, 4)
    parts = (("train/00", 0, 25), ("train/01", 25, 50), ("val/00", 50, 60), ("test/00", 60, 76))
    for side in (192, 224, 331, 512):
        for part, first, last in parts:
            records = []
            for i, kind in zip(ids[first:last], kinds[first:last], strict=True):
                buffer = io.BytesIO()
                Image.fromarray(kit.pixels(kind, side // 16, side // 16)).save(buffer, "JPEG", quality=95)
                known: dict[str, bytes | int] = {"id": i.encode(), "image": buffer.getvalue()}
                records.append(known if part.startswith("test") else {**known, "class": kind})
            kit.tfrecord(f"tfrecords-jpeg-{side}x{side}/{part}-{side}x{side}-{last - first}.tfrec", records)
    kit.csv("sample_submission.csv", ["id", "label"], [(i, 0) for i in ids[60:]])
    answers = dict(zip(ids[60:], map(str, kinds[60:]), strict=True))
    return graders.one_class(["id", "label"], answers, range(104), "macro F1")
