"""Several labels a row: names in a cell, a column for each."""

from __future__ import annotations

from benchmarks.coverage import graders
from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Family, Kit, mixed

family = Family()


@family(
    "plant-pathology-2020-fgvc7",
    "one folder `images/Train_0.jpg`, `images/Test_0.jpg`; a column of 0 and 1 for each class",
    "one of 4 classes, one-hot",
    "mean column AUC",
    "`image_id` and the 4 columns",
    toml="""
    task = "multilabel"
    metric = "roc_auc"
    symmetries = ["hflip", "vflip"]
    [data]
    format = "image_csv"
    size = [12, 16]
    train = "images"
    test = "images"
    labels = "train.csv"
    id = "image_id"
    label = ["healthy", "multiple_diseases", "rust", "scab"]
    [submission]
    sample = "sample_submission.csv"
    id = "image_id"
    value = "probability"
    """,
)
def pathology_2020(kit: Kit) -> Grader:
    columns = ["healthy", "multiple_diseases", "rust", "scab"]
    tables = {}
    for split, n in (("Train", 60), ("Test", 24)):
        kinds = kit.kinds(n, 4)
        for number, kind in enumerate(kinds):
            kit.picture(f"images/{split}_{number}.jpg", kind, (12, 16))
        tables[split] = {f"{split}_{i}": [int(k == c) for c in range(4)] for i, k in enumerate(kinds)}
    kit.csv("train.csv", ["image_id", *columns], [(i, *row) for i, row in tables["Train"].items()])
    kit.csv("test.csv", ["image_id"], [(i,) for i in tables["Test"]])
    kit.csv("sample_submission.csv", ["image_id", *columns], [(i, *[0.25] * 4) for i in tables["Test"]])
    return graders.label_columns(["image_id", *columns], tables["Test"])


@family(
    "plant-pathology-2021-fgvc8",
    "`train_images/*.jpg`, a table with labels separated by blanks, ids with ending; three example test images",
    "any of 6 labels",
    "F1 by row",
    "`image,labels`: names with blanks between",
    toml="""
    task = "multilabel"
    metric = "samples_f1"
    [data]
    format = "image_csv"
    size = 16
    train = "train_images"
    test = "test_images"
    labels = "train.csv"
    id = "image"
    label = "labels"
    separator = " "
    [submission]
    sample = "sample_submission.csv"
    id = "image"
    target = "labels"
    empty = "likeliest"
    """,
)
def pathology_2021(kit: Kit) -> Grader:
    labels = ["complex", "frog_eye_leaf_spot", "healthy", "powdery_mildew", "rust", "scab"]
    known = [[5, 1], [2], [1], [4], [0], [3], [5], [1, 0], [4, 0], [5, 1, 0], [3, 0], [4, 1]]
    names = [f"{name}.jpg" for name in kit.hexes(75, 16)]
    sets = [known[k] for k in kit.kinds(75, 12)]
    for place, (name, row) in enumerate(zip(names, sets, strict=True)):
        kit.picture(f"{'train' if place < 72 else 'test'}_images/{name}", mixed(row, 6))
    rows = [(n, " ".join(labels[k] for k in row)) for n, row in zip(names[:72], sets, strict=False)]
    kit.csv("train.csv", ["image", "labels"], rows)
    kit.csv("sample_submission.csv", ["image", "labels"], [(name, "healthy") for name in names[72:]])
    answers = {name: [labels[k] for k in row] for name, row in zip(names[72:], sets[72:], strict=True)}
    return graders.label_sets(["image", "labels"], answers, labels, "samples")


def _imet(metric: str) -> str:
    return f"""
    task = "multilabel"
    metric = {metric}
    [data]
    format = "image_csv"
    size = 16
    labels = "train.csv"
    label = "attribute_ids"
    separator = " "
    [submission]
    sample = "sample_submission.csv"
    target = "attribute_ids"
    """


@family(
    "imet-2019-fgvc6",
    "`train/*.png`, a table with numbers separated by blanks; `labels.csv` names them",
    "any of 1,103 labels",
    "F2 by row",
    "`id,attribute_ids`: numbers with blanks between",
    toml=_imet('{name = "fbeta", beta = 2}'),
)
def imet_2019(kit: Kit) -> Grader:
    return _attributes(kit, 16, "culture", "samples", 2.0)


@family(
    "imet-2020-fgvc7",
    "`train/*.png`, a table with numbers separated by blanks; `labels.csv` names them",
    "any of 3,474 labels",
    "micro F1",
    "`id,attribute_ids`: numbers with blanks between",
    toml=_imet('"micro_f1"'),
)
def imet_2020(kit: Kit) -> Grader:
    return _attributes(kit, 32, "country", "micro", 1.0)


def _attributes(kit: Kit, length: int, prefix: str, average: str, beta: float) -> Grader:
    ids, sets = kit.hexes(80, length), kit.label_sets(60, 12) + kit.label_sets(20, 12)
    for place, (i, row) in enumerate(zip(ids, sets, strict=True)):
        kit.picture(f"{'train' if place < 60 else 'test'}/{i}.png", mixed(row, 12), (14 + place % 4, 16))
    rows = [(i, " ".join(map(str, row))) for i, row in zip(ids[:60], sets, strict=False)]
    kit.csv("train.csv", ["id", "attribute_ids"], rows)
    kit.csv("labels.csv", ["attribute_id", "attribute_name"], [(n, f"{prefix}::{n}") for n in range(12)])
    kit.csv("sample_submission.csv", ["id", "attribute_ids"], [(i, "0 1 2") for i in ids[60:]])
    answers = dict(zip(ids[60:], sets[60:], strict=True))
    return graders.label_sets(["id", "attribute_ids"], answers, range(12), average, beta)


@family(
    "planet-understanding-the-amazon-from-space",
    "`train-jpg/train_0.jpg`; the test in two folders, `test-jpg/test_0.jpg` and `test-jpg-additional/file_0.jpg`; zipped tables",
    "any of 17 labels",
    "F2 by row",
    "`image_name,tags`: names with blanks between",
    toml="""
    task = "multilabel"
    metric = {name = "fbeta", beta = 2}
    symmetries = ["hflip", "vflip", "rot90", "rot180", "rot270"]
    [data]
    format = "image_csv"
    size = 16
    train = "train-jpg"
    test = "."
    labels = "train_v2.csv"
    id = "image_name"
    label = "tags"
    separator = " "
    [submission]
    sample = "sample_submission_v2.csv"
    id = "image_name"
    target = "tags"
    """,
)
def planet(kit: Kit) -> Grader:
    tags = ["haze", "primary", "agriculture", "clear", "water", "habitation", "road", "cultivation", "slash_burn"]
    tags += ["cloudy", "partly_cloudy"]
    names = [*(f"train_{n}" for n in range(60)), *(f"test_{n}" for n in range(12)), *(f"file_{n}" for n in range(8))]
    sets = kit.label_sets(60, len(tags)) + kit.label_sets(20, len(tags))
    folders = {"train": "train-jpg", "test": "test-jpg", "file": "test-jpg-additional"}
    for name, row in zip(names, sets, strict=True):
        kit.picture(f"{folders[name.partition('_')[0]]}/{name}.jpg", mixed(row, len(tags)))
    rows = [(name, " ".join(tags[k] for k in row)) for name, row in zip(names[:60], sets, strict=False)]
    kit.csv("train_v2.csv.zip", ["image_name", "tags"], rows)
    sample = "primary clear agriculture road water"
    kit.csv("sample_submission_v2.csv.zip", ["image_name", "tags"], [(name, sample) for name in names[60:]])
    answers = {name: [tags[k] for k in row] for name, row in zip(names[60:], sets[60:], strict=True)}
    return graders.label_sets(["image_name", "tags"], answers, tags, "samples", 2.0)


@family(
    "ranzcr-clip-catheter-line-classification",
    "`train/1.2.826.0....jpg`, grey, ids full of dots; 11 columns of 0 and 1, and the patient, who is the group",
    "any of 11 labels",
    "mean column AUC",
    "`StudyInstanceUID` and the 11 columns",
    toml="""
    task = "multilabel"
    metric = "roc_auc"
    [data]
    format = "image_csv"
    size = 16
    channels = 1
    labels = "train.csv"
    id = "StudyInstanceUID"
    label = ["ETT - Abnormal", "ETT - Borderline", "ETT - Normal", "NGT - Abnormal", "NGT - Borderline", "NGT - Incompletely Imaged",
             "NGT - Normal", "CVC - Abnormal", "CVC - Borderline", "CVC - Normal", "Swan Ganz Catheter Present"]
    group_by = "PatientID"
    [submission]
    sample = "sample_submission.csv"
    id = "StudyInstanceUID"
    value = "probability"
    """,
)
def ranzcr(kit: Kit) -> Grader:
    columns = [f"{a} - {b}" for a in ("ETT", "NGT", "CVC") for b in ("Abnormal", "Borderline", "Normal")]
    columns.insert(5, "NGT - Incompletely Imaged")
    columns.append("Swan Ganz Catheter Present")
    ids = [f"1.2.826.0.1.3680043.8.498.{n}{n % 97:020d}" for n in kit.numbers(90, 10**8, 10**8 + 10**6)]
    sets = kit.label_sets(66, 11) + kit.label_sets(24, 11)
    patients = kit.hexes(30, 9)
    rows = []
    for place, (i, row) in enumerate(zip(ids, sets, strict=True)):
        kit.picture(f"{'train' if place < 66 else 'test'}/{i}.jpg", mixed(row, 11), (16, 18), grey=True)
        rows.append((i, *(int(c in row) for c in range(11)), patients[place // 3]))
    kit.csv("train.csv", ["StudyInstanceUID", *columns, "PatientID"], rows[:66])
    points = [(i, "CVC - Normal", "[[1487, 1279], [1477, 1168]]") for i in ids[:9]]
    kit.csv("train_annotations.csv", ["StudyInstanceUID", "label", "data"], points)
    kit.csv("sample_submission.csv", ["StudyInstanceUID", *columns], [(i, *[0] * 11) for i in ids[66:]])
    answers = {row[0]: row[1:12] for row in rows[66:]}
    return graders.label_columns(["StudyInstanceUID", *columns], answers)


@family(
    "human-protein-atlas-image-classification",
    "four grey files a row: `<id>_red.png`, `_green`, `_blue`, `_yellow`; numbers separated by blanks",
    "any of 28 labels",
    "macro F1",
    "`Id,Predicted`: numbers with blanks between",
    toml="""
    task = "multilabel"
    metric = "macro_f1"
    [data]
    format = "image_csv"
    size = 16
    channels = 4
    labels = "train.csv"
    id = "Id"
    label = "Target"
    separator = " "
    files = ["{Id}_red.png", "{Id}_green.png", "{Id}_blue.png", "{Id}_yellow.png"]
    [submission]
    sample = "sample_submission.csv"
    id = "Id"
    target = "Predicted"
    empty = "likeliest"
    """,
)
def protein_atlas(kit: Kit) -> Grader:
    ids = [f"{n[:8]}-bbad-11e8-b2ba-{n[8:]}" for n in kit.hexes(80, 20)]
    sets = kit.label_sets(60, 10, 2) + kit.label_sets(20, 10, 2)
    for place, (i, row) in enumerate(zip(ids, sets, strict=True)):
        for channel, colour in enumerate(("red", "green", "blue", "yellow")):
            shown = [k for k in row if k % 4 == channel]
            kit.picture(f"{'train' if place < 60 else 'test'}/{i}_{colour}.png", mixed(shown, 10), grey=True)
    rows = [(i, " ".join(map(str, row))) for i, row in zip(ids[:60], sets, strict=False)]
    kit.csv("train.csv", ["Id", "Target"], rows)
    kit.csv("sample_submission.csv", ["Id", "Predicted"], [(i, 0) for i in ids[60:]])
    answers = dict(zip(ids[60:], sets[60:], strict=True))
    return graders.label_sets(["Id", "Predicted"], answers, range(28), "macro")


@family(
    "rsna-intracranial-hemorrhage-detection",
    "`stage_2_train/ID_0a1b.dcm`; `stage_2_train.csv`: six rows an image, `ID_0a1b_epidural,0`, some twice",
    "any of 5 kinds, and any at all",
    "weighted log loss",
    "`ID,Label`: six rows an image, a probability each",
    toml="""
    task = "multilabel"
    metric = "log_loss"
    [data]
    format = "image_csv"
    size = 16
    channels = 1
    train = "stage_2_train"
    test = "stage_2_test"
    labels = "stage_2_train.csv"
    id = "ID"
    long = "{id}_{class}"
    label = "Label"
    [submission]
    sample = "stage_2_sample_submission.csv"
    id = "ID"
    long = "{id}_{class}"
    target = "Label"
    value = "probability"
    """,
)
def hemorrhages(kit: Kit) -> Grader:
    names = ["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"]
    ids, kinds = [f"ID_{name}" for name in kit.hexes(96, 9)], kit.kinds(96, 6)
    for place, (i, kind) in enumerate(zip(ids, kinds, strict=True)):
        kit.dicom(f"stage_2_{'train' if place < 72 else 'test'}/{i}.dcm", kind, i)
    told = {i: [int(kind == k) for k in range(5)] + [int(kind < 5)] for i, kind in zip(ids, kinds, strict=True)}
    rows = [(f"{i}_{name}", value) for i in ids for name, value in zip(names, told[i], strict=True)]
    kit.csv("stage_2_train.csv", ["ID", "Label"], rows[: 6 * 72] + rows[:6])
    kit.csv("stage_2_sample_submission.csv", ["ID", "Label"], [(i, 0.5) for i, _ in rows[6 * 72 :]])
    return graders.one_probability(["ID", "Label"], dict(rows[6 * 72 :]), "log loss")
