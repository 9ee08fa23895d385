"""Annotations as JSON, mostly in COCO's form."""

from __future__ import annotations

from typing import Any

from benchmarks.coverage import graders
from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Family, Kit

family = Family()


@family(
    "iwildcam-2020-fgvc7",
    "`train/<id>.jpg`; COCO JSON with location and sequence, the test's without annotations",
    "one of 216 classes",
    "accuracy",
    "`Id,Category`: the class's number",
    toml="""
    metric = "accuracy"
    [data]
    format = "image_csv"
    size = [12, 16]
    labels = "iwildcam2020_train_annotations.json"
    label = "category_id"
    group_by = ["location"]
    [submission]
    sample = "sample_submission.csv"
    id = "Id"
    target = "Category"
    """,
)
def iwildcam_2020(kit: Kit) -> Grader:
    classes = [0, 2, 3, 24, 70, 96, 233, 267, 372]
    ids = [f"{a}-21bc-11ea-a13a-{b}" for a, b in zip(kit.hexes(90, 8), kit.hexes(90, 12), strict=True)]
    kinds = [classes[k] for k in kit.kinds(90, len(classes))]
    images: list[dict[str, Any]] = []
    for place, (i, kind) in enumerate(zip(ids, kinds, strict=True)):
        kit.picture(f"{'train' if place < 70 else 'test'}/{i}.jpg", kind, (12, 16))
        image = {
            "id": i,
            "file_name": f"{i}.jpg",
            "width": 16,
            "height": 12,
            "location": place % 12 + place // 70 * 100,
        }
        images.append(
            image | {"seq_id": f"s{place // 2}", "seq_num_frames": 3, "frame_num": 0, "datetime": "2013-08-02"}
        )
    categories = [{"id": c, "name": f"animal {c}", "count": 7} for c in classes]
    annotations = [
        {"count": 1, "image_id": i, "category_id": k, "id": f"a{i}"} for i, k in zip(ids[:70], kinds, strict=False)
    ]
    told = {"images": images[:70], "annotations": annotations, "categories": categories, "info": {"version": "1"}}
    kit.json("iwildcam2020_train_annotations.json", told)
    kit.json("iwildcam2020_test_information.json", {"images": images[70:], "categories": categories, "info": {}})
    kit.csv("sample_submission.csv", ["Id", "Category"], [(i, 0) for i in ids[70:]])
    answers = {i: str(kind) for i, kind in zip(ids[70:], kinds[70:], strict=True)}
    return graders.one_class(["Id", "Category"], answers, classes, "accuracy")


@family(
    "inaturalist-2019-fgvc6",
    "`train_val2019/Plants/400/<hash>.jpg`; COCO JSON for training, validation and test, whose ids are the rows'",
    "one of 1,010 species",
    "top-1 error",
    "`id,predicted`: the species' number; ids of the JSON",
    toml="""
    metric = "error"
    symmetries = ["hflip"]
    [data]
    format = "image_csv"
    size = 16
    train = "train_val2019"
    test = "test2019"
    labels = "train2019.json"
    label = "category_id"
    files = "{file_name}"
    test_rows = "test2019.json"
    [submission]
    sample = "kaggle_sample_submission.csv"
    target = "predicted"
    """,
)
def inaturalist(kit: Kit) -> Grader:
    names = kit.hexes(110, 32)
    ids = {"train": list(range(72)), "val": list(range(265213, 265225)), "test": list(range(268243, 268269))}
    answers, start = {}, 0
    for split, numbers in ids.items():
        images, annotations = [], []
        for place, (number, kind) in enumerate(zip(numbers, kit.kinds(len(numbers), 12), strict=True)):
            group = "Plants" if kind % 2 else "Birds"
            file = f"test2019/{names[start + place]}.jpg"
            if split != "test":
                file = f"train_val2019/{group}/{kind}/{names[start + place]}.jpg"
            kit.picture(file, kind, (16, 14))
            images.append(
                {"license": 0, "file_name": file, "rights_holder": "", "height": 16, "width": 14, "id": number}
            )
            annotations.append({"image_id": number, "category_id": kind, "id": number})
            answers.update({str(number): str(kind)} if split == "test" else {})
        start += len(numbers)
        told: dict[str, Any] = {"info": {"year": 2019}, "images": images, "licenses": []}
        more = {"annotations": annotations, "categories": [{"id": k, "name": str(k)} for k in range(12)]}
        kit.json(f"{split}2019.json", told | (more if split != "test" else {}))
    kit.csv("kaggle_sample_submission.csv", ["id", "predicted"], [(i, 0) for i in answers])
    return graders.one_class(["id", "predicted"], answers, range(1010), "error")


def _herbarium(kit: Kit, folder: str, train_name: str, test_name: str) -> Grader:
    """COCO metadata beside the images of each split."""
    answers: dict[str, str] = {}
    for split, n, naming in (("train", 72, train_name), ("test", 24, test_name)):
        images, annotations = [], []
        for place, kind in enumerate(kit.kinds(n, 12)):
            number = place if split == "test" else 437000 + 7 * place
            file = naming.format(kind=kind, number=number, part=number // 1000)
            kit.picture(f"{folder}{split}/{file}", kind, (18, 12))
            images.append({"file_name": file, "height": 1000, "id": number, "license": 1, "width": 661})
            annotations.append({"category_id": 15000 + kind, "id": number, "image_id": number, "region_id": 1})
            answers.update({str(number): str(15000 + kind)} if split == "test" else {})
        categories = [{"family": "Poaceae", "genus": "Poa", "id": 15000 + k, "name": f"Poa no. {k}"} for k in range(12)]
        told: dict[str, Any] = {"images": images, "info": {"year": 2020}, "licenses": [{"id": 1, "name": "CC"}]}
        more = {"annotations": annotations, "categories": categories, "regions": [{"id": 1, "name": "Andes"}]}
        kit.json(f"{folder}{split}/metadata.json", told | (more if split == "train" else {}))
    kit.csv(f"{folder}sample_submission.csv", ["Id", "Predicted"], [(i, 0) for i in answers])
    return graders.one_class(["Id", "Predicted"], answers, range(64500), "macro F1")


@family(
    "herbarium-2020-fgvc7",
    "all below `nybg2020/`: `train/images/000/00/437000.jpg`, `train/metadata.json` (COCO), the same for the test",
    "one of 32,093 species",
    "macro F1",
    "`Id,Predicted`: the species' number; ids of the JSON",
    toml="""
    metric = "macro_f1"
    [data]
    format = "image_csv"
    size = [18, 12]
    train = "nybg2020/train"
    test = "nybg2020/test"
    labels = "nybg2020/train/metadata.json"
    label = "category_id"
    files = "{file_name}"
    test_rows = "nybg2020/test/metadata.json"
    [submission]
    sample = "nybg2020/sample_submission.csv"
    id = "Id"
    target = "Predicted"
    """,
)
def herbarium_2020(kit: Kit) -> Grader:
    return _herbarium(kit, "nybg2020/", "images/{kind:03d}/{kind:02d}/{number}.jpg", "images/{part:03d}/{number}.jpg")


@family(
    "herbarium-2021-fgvc8",
    "`train/images/604/92/1814367.jpg`, `train/metadata.json` (COCO), the same for the test",
    "one of 64,500 species",
    "macro F1",
    "`Id,Predicted`: the species' number; ids of the JSON",
    toml="""
    metric = "macro_f1"
    [data]
    format = "image_csv"
    size = [18, 12]
    labels = "train/metadata.json"
    label = "category_id"
    files = "{file_name}"
    test_rows = "test/metadata.json"
    [submission]
    sample = "sample_submission.csv"
    id = "Id"
    target = "Predicted"
    """,
)
def herbarium_2021(kit: Kit) -> Grader:
    return _herbarium(kit, "", "images/{kind:03d}/{kind:02d}/{number}.jpg", "images/{part:03d}/{number}.jpg")


@family(
    "herbarium-2022-fgvc9",
    "`train_images/000/00/00000__001.jpg`; JSON whose images have `image_id`, not `id`; the test's is a list of records",
    "one of 15,501 species",
    "macro F1",
    "`Id,Predicted`: the species' number",
    toml="""
    metric = "macro_f1"
    [data]
    format = "image_csv"
    size = [18, 12]
    train = "train_images"
    test = "test_images"
    labels = "train_metadata.json"
    id = "image_id"
    label = "category_id"
    files = "{file_name}"
    test_rows = "test_metadata.json"
    [submission]
    sample = "sample_submission.csv"
    id = "Id"
    target = "Predicted"
    """,
)
def herbarium_2022(kit: Kit) -> Grader:
    images, annotations, seen = [], [], [0] * 12
    for kind in kit.kinds(72, 12):
        seen[kind] += 1
        i, file = (
            f"{kind:05d}__{seen[kind]:03d}",
            f"{kind // 100:03d}/{kind % 100:02d}/{kind:05d}__{seen[kind]:03d}.jpg",
        )
        kit.picture(f"train_images/{file}", kind, (18, 12))
        images.append({"image_id": i, "file_name": file, "license": 0})
        annotations.append({"genus_id": 1, "institution_id": 52, "category_id": kind, "image_id": i})
    told: dict[str, Any] = {
        "annotations": annotations,
        "images": images,
        "categories": [],
        "genera": [],
        "distances": [],
    }
    told["categories"] = [
        {"category_id": k, "scientificName": f"Abies no. {k}", "family": "Pinaceae"} for k in range(12)
    ]
    kit.json("train_metadata.json", told | {"license": [], "institutions": []})
    tests, answers = [], {}
    for number, kind in enumerate(kit.kinds(24, 12)):
        file = f"000/{number:03d}/test-{number:06d}.jpg"
        kit.picture(f"test_images/{file}", kind, (18, 12))
        tests.append({"image_id": str(number), "file_name": file, "license": 0})
        answers[str(number)] = str(kind)
    kit.json("test_metadata.json", tests)
    kit.csv("sample_submission.csv", ["Id", "Predicted"], [(i, 42) for i in answers])
    return graders.one_class(["Id", "Predicted"], answers, range(15505), "macro F1")
