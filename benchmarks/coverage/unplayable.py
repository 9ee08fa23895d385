"""What TOML cannot say today; each with its reason. `init` is tried on them all the same."""

from __future__ import annotations

import numpy as np

from benchmarks.coverage import graders
from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Family, Kit

family = Family()


@family(
    "bengaliai-cv19",
    "Parquet tables with 32,332 columns of pixels; three targets a row",
    "one of 168, of 11 and of 7 classes",
    "weighted macro recall",
    "`row_id,target`: three rows an image, `Test_0_consonant_diacritic`",
    why_not="a row has three targets of classes, and three rows of the submission",
)
def bengali(kit: Kit) -> Grader:
    import pandas as pd

    heads = {"grapheme_root": 8, "vowel_diacritic": 4, "consonant_diacritic": 3}
    rows = [[int(kit.rng.integers(n)) for n in heads.values()] for _ in range(60)]
    for split, chosen in (("train", rows[:52]), ("test", rows[52:])):
        pixels = [kit.pixels(row[0], 12, 16, 1).ravel() for row in chosen]
        table = pd.DataFrame(np.stack(pixels), columns=[str(n) for n in range(192)])
        table.insert(0, "image_id", [f"{split.title()}_{n}" for n in range(len(chosen))])
        table.to_parquet(kit.place(f"{split}_image_data_0.parquet"))
    kit.csv("train.csv", ["image_id", *heads, "grapheme"], [(f"Train_{n}", *r, "x") for n, r in enumerate(rows[:52])])
    asked = [(f"Test_{n}", head) for n in range(8) for head in sorted(heads)]
    kit.csv("test.csv", ["image_id", "row_id", "component"], [(i, f"{i}_{head}", head) for i, head in asked])
    kit.csv("sample_submission.csv", ["row_id", "target"], [(f"{i}_{head}", 0) for i, head in asked])
    place = {head: number for number, head in enumerate(heads)}
    answers = {f"{i}_{head}": str(rows[52 + int(i[5:])][place[head]]) for i, head in asked}
    return graders.one_class(["row_id", "target"], answers, range(168), "accuracy")


@family(
    "cdiscount-image-classification-challenge",
    "`train.bson`: a document a product, with the bytes of 1 to 4 JPEGs",
    "one of 5,270 classes",
    "accuracy",
    "`_id,category_id`: the class's number",
    why_not="BSON is not read, and a row has several images",
)
def cdiscount(kit: Kit) -> Grader:
    classes = kit.numbers(8, 1000000235, 1000023000)
    for name in ("train.bson", "train_example.bson", "test.bson"):
        kit.place(name).write_bytes((22).to_bytes(4, "little") + b"\x10_id\0" + bytes(13))
    kit.csv("category_names.csv", ["category_id", "category_level1"], [(c, "TELEPHONIE") for c in classes])
    answers = {str(n): str(classes[k]) for n, k in zip(kit.numbers(12, 10, 90), kit.kinds(12, 8), strict=True)}
    kit.csv("sample_submission.csv", ["_id", "category_id"], [(i, classes[0]) for i in answers])
    return graders.one_class(["_id", "category_id"], answers, classes, "accuracy")
