"""Labels that files' paths tell."""

from __future__ import annotations

from benchmarks.coverage import graders
from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Family, Kit

family = Family()


@family(
    "dogs-vs-cats-redux-kernels-edition",
    "zips of `train/cat.0.jpg`, `train/dog.0.jpg` and `test/1.jpg`",
    "one of 2 classes, told by the file's name",
    "log loss",
    "`id,label`: probability of dog",
    toml="""
    metric = "log_loss"
    task = "binary"
    classes = ["cat", "dog"]
    symmetries = ["hflip"]
    [data]
    format = "image_folder"
    size = 16
    label_pattern = '^(cat|dog)\\.'
    [submission]
    sample = "sample_submission.csv"
    target = "label"
    value = "probability"
    """,
)
def dogs_redux(kit: Kit) -> Grader:
    return _dogs(kit, "test", "sample_submission.csv", 0.5, "log loss")


@family(
    "dogs-vs-cats",
    "`train.zip` of `train/cat.0.jpg`, `test1.zip` of `test1/1.jpg`",
    "one of 2 classes, told by the file's name",
    "accuracy",
    "`id,label`: 1 = dog",
    toml="""
    metric = "accuracy"
    task = "binary"
    classes = ["cat", "dog"]
    symmetries = ["hflip"]
    [data]
    format = "image_folder"
    size = 16
    test = "test1"
    label_pattern = '^(cat|dog)\\.'
    [submission]
    sample = "sampleSubmission.csv"
    value = "index"
    """,
)
def dogs(kit: Kit) -> Grader:
    return _dogs(kit, "test1", "sampleSubmission.csv", 0, "accuracy")


def _dogs(kit: Kit, test: str, sample: str, value: float, metric: str) -> Grader:
    for number in range(25):
        for kind, name in enumerate(("cat", "dog")):
            kit.picture(f"train/{name}.{number}.jpg", kind, (12 + number % 5, 16))
    answers = {str(number): kind for number, kind in enumerate(kit.kinds(20, 2), start=1)}
    for name, kind in answers.items():
        kit.picture(f"{test}/{name}.jpg", kind)
    kit.pack("train", test)
    kit.csv(sample, ["id", "label"], [(name, value) for name in answers])
    return graders.one_probability(["id", "label"], answers, metric)


@family(
    "alaska2-image-steganalysis",
    "`Cover/00001.jpg` and three folders of copies with a message (`JMiPOD`, `JUNIWARD`, `UERD`), `Test/0001.jpg`",
    "one of 2: plain, or any of the three",
    "weighted AUC",
    "`Id,Label`: probability that there is a message; ids with ending",
    toml="""
    metric = "roc_auc"
    task = "binary"
    classes = ["Cove", "D"]  # what the pattern's groups match: Cove(r); the D of JMiPOD, JUNIWARD and UERD
    symmetries = ["hflip", "vflip", "rot90", "rot180", "rot270"]
    [data]
    format = "image_folder"
    size = 16
    train = "."
    test = "Test"
    label_pattern = '^(?:(Cove)r|(?:JMiPO|JUNIWAR|UER)(D))/'
    group = '/(\\d+)\\.jpg$'
    [submission]
    sample = "sample_submission.csv"
    id = "Id"
    target = "Label"
    value = "probability"
    """,
)
def alaska(kit: Kit) -> Grader:
    for number in range(1, 21):
        for kind, name in enumerate(("Cover", "JMiPOD", "JUNIWARD", "UERD")):
            kit.picture(f"{name}/{number:05d}.jpg", min(kind, 1))
    answers = {f"{number:04d}.jpg": kind for number, kind in enumerate(kit.kinds(24, 2), start=1)}
    for name, kind in answers.items():
        kit.picture(f"Test/{name}", kind)
    kit.csv("sample_submission.csv", ["Id", "Label"], [(name, 0) for name in answers])
    return graders.one_probability(["Id", "Label"], answers, "weighted AUC")
