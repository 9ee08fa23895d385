"""Names in a cell, likeliest first."""

from __future__ import annotations

from benchmarks.coverage import graders
from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Family, Kit

family = Family()


_WHALES = """
    metric = "map@5"
    [data]
    format = "image_csv"
    size = [12, 16]
    labels = "train.csv"
    id = "Image"
    label = "Id"
    [submission]
    sample = "sample_submission.csv"
    id = "Image"
    target = "Id"
    value = "ranked"
    """


@family(
    "whale-categorization-playground",
    "`train/00022e1a.jpg`, `train.csv`: `Image,Id`; most whales have one image, and many are 'new_whale'",
    "one of 4,251 whales",
    "MAP@5",
    "`Image,Id`: five names with blanks between",
    toml=_WHALES,
)
def whales_playground(kit: Kit) -> Grader:
    return _whales(kit, ["new_whale", "w_1287fbc", "w_98baff9", "w_7554f44", "w_1eafe46"])


@family(
    "humpback-whale-identification",
    "zips `train.zip`, `test.zip` without an inner folder; `train.csv`: `Image,Id`; rare classes",
    "one of 5,005 whales",
    "MAP@5",
    "`Image,Id`: five names with blanks between",
    toml=_WHALES,
)
def humpbacks(kit: Kit) -> Grader:
    grader = _whales(kit, ["new_whale", "w_23a388d", "w_9b5109b", "w_9c506f6", "w_0369a5c"])
    kit.pack("train", "test", flat=True)
    return grader


def _whales(kit: Kit, guess: list[str]) -> Grader:
    classes = [*guess, *(f"w_{name}" for name in kit.hexes(40, 7))]
    kinds = [*range(45), *(int(k) for k in kit.rng.choice(45, 45, p=[0.56, *[0.01] * 44]))]
    names = [f"{name}.jpg" for name in kit.hexes(90, 8)]
    for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        kit.picture(f"{'train' if place < 70 else 'test'}/{name}", kind, (12, 16))
    kit.csv("train.csv", ["Image", "Id"], [(n, classes[k]) for n, k in zip(names[:70], kinds, strict=False)])
    answers = {name: classes[k] for name, k in zip(names[70:], kinds[70:], strict=True)}
    kit.csv("sample_submission.csv", ["Image", "Id"], [(name, " ".join(guess)) for name in answers])
    return graders.ranked(["Image", "Id"], answers, classes, 5)


@family(
    "happy-whale-and-dolphin",
    "`train_images/*.jpg`; a table with species and individual",
    "one of 15,587 animals",
    "MAP@5",
    "`image,predictions`: five names with blanks between",
    toml="""
    metric = "map@5"
    [data]
    format = "image_csv"
    size = 16
    train = "train_images"
    test = "test_images"
    labels = "train.csv"
    id = "image"
    label = "individual_id"
    [submission]
    sample = "sample_submission.csv"
    id = "image"
    target = "predictions"
    value = "ranked"
    """,
)
def happy_whale(kit: Kit) -> Grader:
    guess = ["37c7aba965a5", "114207cab555", "a6e325d8e924", "19fbb960f07d", "c995c043c353"]
    classes, kinds = [*guess, *kit.hexes(25, 12)], kit.kinds(100, 30)
    names = [f"{name}.jpg" for name in kit.hexes(100, 14)]
    species = ["melon_headed_whale", "humpback_whale", "bottlenose_dolphin", "bottlenose_dolpin", "kiler_whale"]
    for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        kit.picture(f"{'train' if place < 75 else 'test'}_images/{name}", kind)
    rows = [(n, species[k % 5], classes[k]) for n, k in zip(names[:75], kinds, strict=False)]
    kit.csv("train.csv", ["image", "species", "individual_id"], rows)
    answers = {name: classes[k] for name, k in zip(names[75:], kinds[75:], strict=True)}
    kit.csv("sample_submission.csv", ["image", "predictions"], [(name, " ".join(guess)) for name in answers])
    return graders.ranked(["image", "predictions"], answers, classes, 5)


@family(
    "hotel-id-to-combat-human-trafficking-2021",
    "`train_images/<chain>/*.jpg`; a table with chain, hotel and time; one example test image",
    "one of 7,770 hotels",
    "MAP@5",
    "`image,hotel_id`: five numbers with blanks between; ids with ending",
    toml="""
    metric = "map@5"
    [data]
    format = "image_csv"
    size = 16
    train = "train_images"
    test = "test_images"
    labels = "train.csv"
    id = "image"
    label = "hotel_id"
    [submission]
    sample = "sample_submission.csv"
    id = "image"
    target = "hotel_id"
    value = "ranked"
    """,
)
def hotels(kit: Kit) -> Grader:
    classes = [36363, 53586, 18807, 64314, 60181, *kit.numbers(20, 20000, 36000)]
    kinds = kit.kinds(75, 25)
    names = [f"{name}.jpg" for name in kit.hexes(76, 16)]
    rows = []
    for name, kind in zip(names, kinds, strict=False):
        kit.picture(f"train_images/{kind % 6}/{name}", kind)
        rows.append((name, kind % 6, classes[kind], f"2018-04-09 18:35:{kind:02d}"))
    kit.csv("train.csv", ["image", "chain", "hotel_id", "timestamp"], rows)
    kit.picture(f"test_images/{names[-1]}", 3)
    kit.csv("sample_submission.csv", ["image", "hotel_id"], [(names[-1], "36363 53586 18807 64314 60181")])
    return graders.ranked(["image", "hotel_id"], {names[-1]: str(classes[3])}, classes, 5)


@family(
    "ifood-2019-fgvc6",
    "`train_set/train_000000.jpg`, `val_set/`, `test_set/`; a table of labels for training and one for validation",
    "one of 251 dishes",
    "top-3 error",
    "`img_name,label`: three numbers with blanks between",
    toml="""
    metric = {name = "top_k_accuracy", k = 3}
    [data]
    format = "image_csv"
    size = 16
    train = "train_set"
    test = "test_set"
    labels = "train_labels.csv"
    id = "img_name"
    label = "label"
    [submission]
    sample = "sample_submission.csv"
    id = "img_name"
    target = "label"
    value = "ranked"
    k = 3
    """,
)
def ifood(kit: Kit) -> Grader:
    kinds = {"train": kit.kinds(72, 12), "val": kit.kinds(12, 12), "test": kit.kinds(24, 12)}
    names = {split: [f"{split}_{n:06d}.jpg" for n in range(len(rows))] for split, rows in kinds.items()}
    for split, rows in kinds.items():
        for name, kind in zip(names[split], rows, strict=True):
            kit.picture(f"{split}_set/{name}", kind, (14 + kind % 4, 16))
        if split != "test":
            kit.csv(f"{split}_labels.csv", ["img_name", "label"], zip(names[split], rows, strict=True))
    kit.place("class_list.txt").write_text("".join(f"{n} dish_{n}\n" for n in range(12)), encoding="utf-8")
    kit.csv("sample_submission.csv", ["img_name", "label"], [(name, "0 1 2") for name in names["test"]])
    answers = {name: str(kind) for name, kind in zip(names["test"], kinds["test"], strict=True)}
    return graders.ranked(["img_name", "label"], answers, range(251), 3)


@family(
    "landmark-recognition-2020",
    "`train/0/0/0/<id>.jpg`, folders by the id's first characters; `train.csv`: `id,landmark_id`",
    "one of 81,313 landmarks",
    "micro average precision (GAP)",
    "`id,landmarks`: the class's number and a confidence with a blank between",
    toml="""
    metric = "gap"
    [data]
    format = "image_csv"
    size = 16
    labels = "train.csv"
    label = "landmark_id"
    [submission]
    sample = "sample_submission.csv"
    target = "landmarks"
    value = "confident"
    """,
)
def landmarks(kit: Kit) -> Grader:
    classes, ids = kit.numbers(15, 1, 203094), kit.hexes(80, 16)
    rows = [(i, classes[k]) for i, k in zip(ids, kit.kinds(80, 15), strict=True)]
    for place, (i, name) in enumerate(rows):
        kit.picture(f"{'train' if place < 60 else 'test'}/{i[0]}/{i[1]}/{i[2]}/{i}.jpg", classes.index(name))
    kit.csv("train.csv", ["id", "landmark_id"], rows[:60])
    kit.csv("sample_submission.csv", ["id", "landmarks"], [(i, f"{classes[0]} 0.1") for i, _ in rows[60:]])
    return graders.with_confidence(["id", "landmarks"], {i: str(name) for i, name in rows[60:]})
