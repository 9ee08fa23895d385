"""Ordered grades."""

from __future__ import annotations

from benchmarks.coverage import graders
from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Family, Kit

family = Family()


@family(
    "aptos2019-blindness-detection",
    "`train_images/*.png`, a table, ids without ending; few example test images",
    "one of 5 grades",
    "quadratic kappa",
    "`id_code,diagnosis`: the grade",
    toml="""
    task = "ordinal"
    metric = "quadratic_kappa"
    symmetries = ["hflip", "vflip"]
    [data]
    format = "image_csv"
    size = 16
    train = "train_images"
    test = "test_images"
    labels = "train.csv"
    id = "id_code"
    label = "diagnosis"
    [submission]
    sample = "sample_submission.csv"
    id = "id_code"
    target = "diagnosis"
    """,
)
def aptos(kit: Kit) -> Grader:
    ids, kinds = kit.hexes(68, 12), [*kit.kinds(60, 5), *kit.kinds(8, 5)]
    for place, (i, kind) in enumerate(zip(ids, kinds, strict=True)):
        kit.picture(f"{'train' if place < 60 else 'test'}_images/{i}.png", [kind / 4, 0.5], (14, 18))
    kit.csv("train.csv", ["id_code", "diagnosis"], zip(ids[:60], kinds, strict=False))
    kit.csv("test.csv", ["id_code"], [(i,) for i in ids[60:]])
    kit.csv("sample_submission.csv", ["id_code", "diagnosis"], [(i, 0) for i in ids[60:]])
    answers = {i: str(kind) for i, kind in zip(ids[60:], kinds[60:], strict=True)}
    return graders.one_class(["id_code", "diagnosis"], answers, range(5), "quadratic kappa")


@family(
    "diabetic-retinopathy-detection",
    "`train/10_left.jpeg`, `10_right.jpeg`: two eyes of a person, who is the group; zipped tables",
    "one of 5 grades",
    "quadratic kappa",
    "`image,level`: the grade",
    toml="""
    task = "ordinal"
    metric = "quadratic_kappa"
    [data]
    format = "image_csv"
    size = [12, 16]
    labels = "trainLabels.csv"
    id = "image"
    label = "level"
    group = '^(\\d+)_'
    [submission]
    sample = "sampleSubmission.csv"
    id = "image"
    target = "level"
    """,
)
def retinopathy(kit: Kit) -> Grader:
    people, kinds = sorted(kit.numbers(40, 1, 44351)), kit.kinds(40, 5)
    rows = []
    for place, (person, kind) in enumerate(zip(people, kinds, strict=True)):
        for side in ("left", "right"):
            grade = min(max(kind + int(kit.rng.integers(-1, 2)), 0), 4) if place > 5 else place % 5
            kit.picture(f"{'train' if place < 30 else 'test'}/{person}_{side}.jpeg", [grade / 4, 0.3], (12, 16))
            rows.append((f"{person}_{side}", grade))
    kit.csv("trainLabels.csv.zip", ["image", "level"], rows[:60])
    kit.csv("sampleSubmission.csv.zip", ["image", "level"], [(name, 0) for name, _ in rows[60:]])
    answers = {name: str(grade) for name, grade in rows[60:]}
    return graders.one_class(["image", "level"], answers, range(5), "quadratic kappa")
