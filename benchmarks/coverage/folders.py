"""Class folders, and labels in file names."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.coverage import graders
from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Family, Kit

family = Family()


@family(
    "plant-seedlings-classification",
    "`train/<Class name>/*.png` (names with blanks), `test/*.png`",
    "one of 12 classes",
    "micro F1",
    "`file,species`: the class's name; ids with ending",
    toml="""
    metric = "micro_f1"
    symmetries = ["hflip", "vflip", "rot90", "rot180", "rot270"]
    [data]
    format = "image_folder"
    size = 16
    [submission]
    sample = "sample_submission.csv"
    id = "file"
    target = "species"
    """,
)
def seedlings(kit: Kit) -> Grader:
    classes = ["Black-grass", "Charlock", "Cleavers", "Common Chickweed", "Common wheat", "Fat Hen", "Loose Silky-bent"]
    classes += ["Maize", "Scentless Mayweed", "Shepherds Purse", "Small-flowered Cranesbill", "Sugar beet"]
    for name, kind in zip(kit.hexes(72, 9), kit.kinds(72, 12), strict=True):
        kit.picture(f"train/{classes[kind]}/{name}.png", kind, (15, 15))
    answers = {f"{n}.png": classes[k] for n, k in zip(kit.hexes(24, 9), kit.kinds(24, 12), strict=True)}
    for name, label in answers.items():
        kit.picture(f"test/{name}", classes.index(label), (15, 15))
    kit.csv("sample_submission.csv", ["file", "species"], [(name, "Sugar beet") for name in answers])
    return graders.one_class(["file", "species"], answers, classes, "micro F1")


@family(
    "state-farm-distracted-driver-detection",
    "`imgs/train/c0/img_1.jpg`, `imgs/test/img_2.jpg`; a list names each image's driver, who is the group",
    "one of 10 classes",
    "log loss",
    "`img` and a column for each of c0 to c9; ids with ending",
    toml="""
    metric = "log_loss"
    [data]
    format = "image_csv"
    size = [12, 16]
    train = "imgs/train"
    test = "imgs/test"
    labels = "driver_imgs_list.csv"
    id = "img"
    label = "classname"
    group_by = ["subject"]
    [submission]
    sample = "sample_submission.csv"
    id = "img"
    value = "probability"
    """,
)
def state_farm(kit: Kit) -> Grader:
    classes, numbers = [f"c{n}" for n in range(10)], kit.numbers(120, 1, 102150)
    rows = []
    for place, kind in enumerate(kit.kinds(90, 10)):
        kit.picture(f"imgs/train/c{kind}/img_{numbers[place]}.jpg", kind, (12, 16))
        rows.append((f"p{2 + place % 9:03d}", f"c{kind}", f"img_{numbers[place]}.jpg"))
    kit.csv("driver_imgs_list.csv", ["subject", "classname", "img"], sorted(rows))
    answers = {f"img_{numbers[90 + n]}.jpg": f"c{k}" for n, k in enumerate(kit.kinds(30, 10))}
    for name, label in answers.items():
        kit.picture(f"imgs/test/{name}", classes.index(label), (12, 16))
    kit.csv("sample_submission.csv", ["img", *classes], [(name, *[0.1] * 10) for name in answers])
    return graders.class_columns(["img", *classes], answers)


@family(
    "datasciencebowl (plankton)",
    "zips of `train/<class>/100224.jpg` and `test/1.jpg`, grey, of any size",
    "one of 121 classes",
    "log loss",
    "`image` and a column for each class; ids with ending",
    toml="""
    metric = "log_loss"
    symmetries = ["hflip", "vflip", "rot90", "rot180", "rot270"]
    [data]
    format = "image_folder"
    size = 16
    channels = 1
    [submission]
    sample = "sampleSubmission.csv"
    id = "image"
    value = "probability"
    """,
)
def plankton(kit: Kit) -> Grader:
    parts = ["acantharia_protist", "copepod_calanoid", "diatom_chain_string", "fecal_pellet", "trichodesmium_puff"]
    classes = sorted(f"{part}{more}" for part in parts for more in ("", "_big_center", "_halo", "_other"))
    numbers = kit.numbers(140, 1, 200000)
    for number, kind in zip(numbers, kit.kinds(100, 20), strict=False):
        kit.picture(f"train/{classes[kind]}/{number}.jpg", kind, (10 + number % 9, 10 + number % 7), grey=True)
    answers = {f"{numbers[100 + n]}.jpg": classes[k] for n, k in enumerate(kit.kinds(40, 20))}
    for name, label in answers.items():
        kit.picture(f"test/{name}", classes.index(label), grey=True)
    kit.pack("train", "test")
    kit.csv("sampleSubmission.csv", ["image", *classes], [(n, *[1 / 20] * 20) for n in answers])
    return graders.class_columns(["image", *classes], answers)


@family(
    "intel-mobileodt-cervical-cancer-screening",
    "`train/Type_1/0.jpg` and more in `additional_Type_1_v2/Type_1/0.jpg`; numbers repeat in each class; `test/0.jpg`",
    "one of 3 classes",
    "log loss",
    "`image_name` and a column for each class; ids with ending",
    toml="""
    metric = "log_loss"
    [data]
    format = "image_folder"
    size = [16, 12]
    merge = ["additional_Type_1_v2", "additional_Type_2_v2", "additional_Type_3_v2"]
    [submission]
    sample = "sample_submission.csv"
    id = "image_name"
    value = "probability"
    """,
)
def cervical(kit: Kit) -> Grader:
    classes = ["Type_1", "Type_2", "Type_3"]
    for kind, name in enumerate(classes):
        for number in range(15):
            kit.picture(f"train/{name}/{number}.jpg", kind, (16, 12))
        for number in range(8):
            kit.picture(f"additional_{name}_v2/{name}/{number}.jpg", kind, (16, 12))
    answers = {f"{number}.jpg": classes[kind] for number, kind in enumerate(kit.kinds(20, 3))}
    for name, label in answers.items():
        kit.picture(f"test/{name}", classes.index(label), (16, 12))
    kit.csv("sample_submission.csv", ["image_name", *classes], [(n, 0.1688, 0.5273, 0.3038) for n in answers])
    return graders.class_columns(["image_name", *classes], answers)


@family(
    "the-nature-conservancy-fisheries-monitoring",
    "`train/ALB/img_1.jpg`; the test in two folders: ids are `img_5.jpg` of one and `test_stg2/image_1.jpg` of the other",
    "one of 8 classes",
    "log loss",
    "`image` and a column for each class",
    toml="""
    metric = "log_loss"
    [data]
    format = "image_folder"
    size = [12, 16]
    test = "."
    [submission]
    sample = "sample_submission_stg2.csv"
    id = "image"
    value = "probability"
    """,
)
def fisheries(kit: Kit) -> Grader:
    classes = ["ALB", "BET", "DOL", "LAG", "NoF", "OTHER", "SHARK", "YFT"]
    numbers = kit.numbers(104, 1, 8000)
    for place, kind in enumerate(kit.kinds(72, 8)):
        kit.picture(f"train/{classes[kind]}/img_{numbers[place]:05d}.jpg", kind, (12, 16))
    kinds = kit.kinds(32, 8)
    first = {f"img_{numbers[72 + n]:05d}.jpg": classes[k] for n, k in enumerate(kinds[:12])}
    second = {f"test_stg2/image_{n:05d}.jpg": classes[k] for n, k in enumerate(kinds[12:], start=1)}
    for name, label in (first | second).items():
        kit.picture(name if "/" in name else f"test_stg1/{name}", classes.index(label), (12, 16))
    values = [0.455, 0.053, 0.031, 0.018, 0.123, 0.079, 0.047, 0.194]
    kit.csv("sample_submission_stg1.csv", ["image", *classes], [(n, *values) for n in first])
    kit.csv("sample_submission_stg2.csv", ["image", *classes], [(n, *values) for n in first | second])
    return graders.class_columns(["image", *classes], first | second)


@family(
    "sp-society-camera-model-identification",
    "`train/<camera>/(HTC-1-M7)1.jpg`, `test/img_0002a04_manip.tif`",
    "one of 10 cameras",
    "weighted accuracy",
    "`fname,camera`: the class's name; ids with ending",
    toml="""
    metric = "accuracy"
    [data]
    format = "image_folder"
    size = 16
    [submission]
    sample = "sample_submission.csv"
    id = "fname"
    target = "camera"
    """,
)
def camera(kit: Kit) -> Grader:
    classes = ["HTC-1-M7", "iPhone-4s", "iPhone-6", "LG-Nexus-5x", "Motorola-Droid-Maxx", "Motorola-Nexus-6"]
    classes += ["Motorola-X", "Samsung-Galaxy-Note3", "Samsung-Galaxy-S4", "Sony-NEX-7"]
    short = ["HTC-1-M7", "I4s", "iP6", "LG5x", "MAX", "MotoNex6", "MotoX", "GalaxyN3", "GalaxyS4", "Nex7"]
    for kind, name in enumerate(classes):
        for number in range(1, 8):
            kit.picture(f"train/{name}/({short[kind]}){number}.jpg", kind, (16, 18))
    names = [f"img_{n}_{kit.rng.choice(['unalt', 'manip'])}.tif" for n in kit.hexes(30, 7)]
    answers = {name: classes[k] for name, k in zip(names, kit.kinds(30, 10), strict=True)}
    for name, label in answers.items():
        kit.picture(f"test/{name}", classes.index(label))
    kit.csv("sample_submission.csv", ["fname", "camera"], [(name, "HTC-1-M7") for name in answers])
    return graders.one_class(["fname", "camera"], answers, classes, "accuracy")


@family(
    "cassava-disease",
    "`train/cbb/train-cbb-1.jpg`, `test/0/test-img-1.jpg`; more images without labels in `extraimages/`",
    "one of 5 classes",
    "accuracy",
    "`Category,Id`: the class's name first, ids with ending",
    toml="""
    metric = "accuracy"
    [data]
    format = "image_folder"
    size = 16
    [submission]
    sample = "sample_submission_file.csv"
    id = "Id"
    target = "Category"
    """,
)
def cassava_disease(kit: Kit) -> Grader:
    classes = ["cbb", "cbsd", "cgm", "cmd", "healthy"]
    for number, kind in enumerate(kit.kinds(60, 5), start=1):
        kit.picture(f"train/{classes[kind]}/train-{classes[kind]}-{number}.jpg", kind, (16, 14))
    answers = {f"test-img-{n}.jpg": classes[k] for n, k in enumerate(kit.kinds(25, 5), start=1)}
    for name, label in answers.items():
        kit.picture(f"test/0/{name}", classes.index(label), (16, 14))
    for number in range(1, 9):
        kit.picture(f"extraimages/extra-image-{number}.jpg", number % 5, (16, 14))
    kit.csv("sample_submission_file.csv", ["Category", "Id"], [(classes[n % 5], i) for n, i in enumerate(answers)])
    return replace(graders.one_class(["Category", "Id"], answers, classes, "accuracy"), place=1)
