"""Very many classes: ranked names, a column for each class."""

from __future__ import annotations

from benchmarks.coverage import graders
from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Family, Kit

family = Family()


@family(
    "dog-breed-identification",
    "`train/<id>.jpg`, `labels.csv`: ids without ending",
    "one of 120 breeds",
    "log loss",
    "id and a column for each breed, in the sample's order",
    toml="""
    metric = "log_loss"
    symmetries = ["hflip"]
    [data]
    format = "image_csv"
    size = 16
    labels = "labels.csv"
    label = "breed"
    [submission]
    sample = "sample_submission.csv"
    value = "probability"
    """,
)
def breeds(kit: Kit) -> Grader:
    classes = [
        f"{a}_{b}" for a in ("afghan", "border", "irish", "scotch", "welsh") for b in ("hound", "setter", "collie")
    ]
    classes += [f"{a}-haired_{b}" for a in ("wire", "short") for b in ("fox_terrier", "pointer", "dachshund")]
    ids = kit.hexes(126, 32)
    kinds = kit.kinds(84, len(classes))
    for i, kind in zip(ids, kinds, strict=False):
        kit.picture(f"train/{i}.jpg", kind, (14, 16))
    kit.csv("labels.csv", ["id", "breed"], [(i, classes[k]) for i, k in zip(ids, kinds, strict=False)])
    answers = {i: classes[k] for i, k in zip(ids[84:], kit.kinds(42, len(classes)), strict=True)}
    for i, label in answers.items():
        kit.picture(f"test/{i}.jpg", classes.index(label), (14, 16))
    share = 1 / len(classes)
    kit.csv("sample_submission.csv", ["id", *sorted(classes)], [(i, *[share] * len(classes)) for i in answers])
    return graders.class_columns(["id", *sorted(classes)], answers)


@family(
    "leaf-classification",
    "`images/` holds train and test, binary, of any size; tables as `train.csv.zip` with 192 features",
    "one of 99 species",
    "log loss",
    "id and a column for each species, in the sample's order",
    toml="""
    metric = "log_loss"
    symmetries = ["hflip", "vflip"]
    [data]
    format = "image_csv"
    size = 16
    channels = 1
    train = "images"
    test = "images"
    labels = "train.csv"
    label = "species"
    [submission]
    sample = "sample_submission.csv"
    value = "probability"
    """,
)
def leaves(kit: Kit) -> Grader:
    classes = sorted(f"{a}_{b}" for a in ("Acer", "Quercus", "Alnus", "Cornus") for b in ("Rubrum", "Alba", "Mollis"))
    numbers, kinds = kit.numbers(90, 1, 1585), kit.kinds(90, 12)
    features = [f"{part}{n}" for part in ("margin", "shape", "texture") for n in range(1, 65)]
    rows = [(n, classes[k], *kit.rng.random(192).round(6)) for n, k in zip(numbers, kinds, strict=True)]
    for number, kind in zip(numbers, kinds, strict=True):
        kit.picture(f"images/{number}.jpg", kind, (12 + number % 6, 18), grey=True)
    kit.pack("images")
    kit.csv("train.csv.zip", ["id", "species", *features], rows[:60])
    kit.csv("test.csv.zip", ["id", *features], [(row[0], *row[2:]) for row in rows[60:]])
    kit.csv("sample_submission.csv.zip", ["id", *classes], [(row[0], *[1 / 12] * 12) for row in rows[60:]])
    return graders.class_columns(["id", *classes], {str(row[0]): row[1] for row in rows[60:]})


@family(
    "noaa-right-whale-recognition",
    "one folder `imgs/w_0.jpg` for both; a table names the training images",
    "one of 447 whales, most with few images",
    "log loss",
    "`Image` and a column for each whale; ids with ending",
    toml="""
    metric = "log_loss"
    [data]
    format = "image_csv"
    size = [12, 16]
    train = "imgs"
    test = "imgs"
    labels = "train.csv"
    id = "Image"
    label = "whaleID"
    [submission]
    sample = "sample_submission.csv"
    id = "Image"
    value = "probability"
    """,
)
def right_whales(kit: Kit) -> Grader:
    classes = [f"whale_{n:05d}" for n in sorted(kit.numbers(16, 195, 99626))]
    kinds = [*range(16), *(int(k) for k in kit.rng.choice(16, 64, p=[0.4, *[0.04] * 15]))]
    names = [f"w_{n}.jpg" for n in kit.numbers(80, 0, 11468)]
    for name, kind in zip(names, kinds, strict=True):
        kit.picture(f"imgs/{name}", kind, (12, 16))
    kit.csv("train.csv", ["Image", "whaleID"], [(n, classes[k]) for n, k in zip(names[:60], kinds, strict=False)])
    answers = {name: classes[k] for name, k in zip(names[60:], kinds[60:], strict=True)}
    kit.csv("sample_submission.csv", ["Image", *classes], [(n, *[1 / 16] * 16) for n in answers])
    return graders.class_columns(["Image", *classes], answers)
