"""Messages name what is wrong, where and the cure; here each is provoked, and its cure is carried out: then it works."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_shapes, run_inside

CV = ("harness.cv", "shapes", "--recipe", "tiny", "--set", "cv.folds=2", "--set", "train.epochs=1", "--workers", "1")
DATA = ("harness.data", "shapes")


def toml(project: Path) -> Path:
    return project / "competitions" / "shapes" / "competition.toml"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def add(project: Path, text: str) -> None:
    toml(project).write_text(toml(project).read_text() + text)


def sample_submission(project: Path, header: str = "id,label", extra: str = "") -> None:
    add(project, '\n[submission]\nsample = "sample.csv"\n' + extra)
    (project / "data" / "shapes" / "sample.csv").write_text(header + "\n" + "".join(f"{i},circle\n" for i in range(6)))


@dataclass(frozen=True)
class Case:
    """A mistake, the command that finds it, what it says, and its cure as the message names it."""

    spoil: Callable[[Path], None]
    command: tuple[str, ...]
    said: str
    cure: Callable[[Path, str], tuple[str, ...] | None]
    """Carries the cure out, by what was said; returns another command where the cure is one."""


def quoted(pattern: str) -> Callable[[Path, str], tuple[str, ...]]:
    """The cure is to add options that the message spells out."""

    def cure(project: Path, said: str) -> tuple[str, ...]:
        found = re.search(pattern, said)
        assert found, said
        return tuple(found[0].split())

    return cure


def wrong_png(project: Path) -> None:
    (project / "data" / "shapes" / "train" / "circle" / "3.png").write_bytes(b"no image")


CASES = {
    "unknown recipe": Case(lambda p: None, (*CV[:3], "tny", *CV[4:]), r"Recipes of shapes: tiny", lambda p, s: CV),
    "more folds than rows": Case(
        lambda p: None, (*CV, "--set", "cv.folds=50"), r"--set cv\.folds=16", quoted(r"--set cv\.folds=16")
    ),
    "a broken image": Case(wrong_png, CV, r"circle/3\.png: cannot be decoded", quoted("--skip-broken")),
    "a broken image, taken out": Case(
        wrong_png, CV, "take it out of the folder", lambda p, s: (p / "data/shapes/train/circle/3.png").unlink()
    ),
    "a misspelt class folder": Case(
        lambda p: (p / "data/shapes/train/circle").rename(p / "data/shapes/train/circel"),
        DATA,
        r"did you mean 'circle'",
        lambda p, s: (p / "data/shapes/train/circel").rename(p / "data/shapes/train/circle") and None,
    ),
    "an unknown key": Case(
        lambda p: edit(toml(p), "metric =", "metrik ="),
        DATA,
        r"did you mean 'metric'",
        lambda p, s: edit(toml(p), "metrik =", "metric ="),
    ),
    "a dangling link": Case(
        lambda p: (p / "data/shapes/train/circle/x.png").symlink_to("/nowhere"),
        DATA,
        "Mend the link, or take it away",
        lambda p, s: (p / "data/shapes/train/circle/x.png").unlink(),
    ),
    "a sample submission of another header": Case(
        lambda p: sample_submission(p, "image,label"),
        DATA,
        r"no column 'id'.*it has image, label.*submission\.id",
        lambda p, s: edit(toml(p), 'sample = "sample.csv"', 'sample = "sample.csv"\nid = "image"'),
    ),
    "a target of another name": Case(
        lambda p: sample_submission(p, "id,kind"),
        DATA,
        r"no column 'label'.*submission\.target",
        lambda p, s: edit(toml(p), 'sample = "sample.csv"', 'sample = "sample.csv"\ntarget = "kind"'),
    ),
    "a sample submission with more columns": Case(
        lambda p: (
            sample_submission(p),
            edit(p / "data/shapes/sample.csv", "id,label", "id,label,usage"),
            edit(p / "data/shapes/sample.csv", "circle", "circle,x"),
        ),
        DATA,
        r"columns that \[submission\] does not describe: usage",
        lambda p, s: (
            (p / "competitions/shapes/competition.py").write_text(
                "def to_submission(ids, proba, classes):\n    import pandas as pd\n    return pd.DataFrame({'id': ids, 'label': 'circle', 'usage': 'x'})\n"
            )
            and None
        ),
    ),
    "a test that is not there": Case(
        lambda p: shutil.rmtree(p / "data/shapes/test"),
        DATA,
        r"data\.test",
        lambda p, s: edit(toml(p), "channels = 1", 'channels = 1\noptional = ["test"]'),
    ),
    "a size beyond all images": Case(
        lambda p: edit(toml(p), "[12, 12]", "[60000, 60000]"),
        DATA,
        "lower it",
        lambda p, s: edit(toml(p), "[60000, 60000]", "[12, 12]"),
    ),
    "32 bits without a range": Case(
        lambda p: (
            edit(toml(p), "channels = 1", "channels = 1"),
            Image.new("F", (12, 12), 0.5).save(p / "data/shapes/train/circle/3.tiff"),
        ),
        DATA,
        r"data\.range = \[LOW, HIGH\]; the largest value here is 0\.5",
        lambda p, s: edit(toml(p), "channels = 1", "channels = 1\nrange = [0, 1]"),
    ),
    "a pattern that never ends": Case(
        lambda p: (
            edit(toml(p), "channels = 1", "channels = 1\ngroup = '(a|aa)+$'"),
            (p / "data/shapes/train/circle/1.png").rename(p / f"data/shapes/train/circle/{'a' * 60}b.png"),
        ),
        DATA,
        "Write it without a repetition inside a repetition",
        lambda p, s: edit(toml(p), "(a|aa)+$", "(a+)"),
    ),
    "folds that stand in part": Case(
        lambda p: run_inside(*CV, "--folds", "0", cwd=p),
        CV,
        "Add --resume to train what is missing",
        quoted("--resume"),
    ),
    "a damaged run": Case(
        lambda p: (run_inside(*CV, cwd=p), next((p / "oof/shapes").glob("tiny-*/oof.parquet")).write_bytes(b"PAR1")),
        ("harness.oof", "errors", "shapes", "--run", "RUN"),
        r"Heal it by: python -m harness\.cv shapes .*--resume",
        lambda p, s: tuple(re.search(r"python -m (harness\.cv .*--resume)", s)[1].split()),
    ),
    "a run of another name": Case(
        lambda p: run_inside(*CV, cwd=p),
        ("harness.oof", "errors", "shapes", "--run", "tiny"),
        r"Runs beside it: tiny-[0-9a-f]{8}",
        lambda p, s: ("harness.oof", "errors", "shapes", "--run", re.search(r"tiny-[0-9a-f]{8}", s)[0]),
    ),
    "no run at all": Case(
        lambda p: None,
        ("harness.submit", "--comp", "shapes", "--dry-run"),
        r"Train one: python -m harness\.cv shapes",
        lambda p, s: (run_inside(*CV, cwd=p), None)[1],
    ),
    "a partial run": Case(
        lambda p: run_inside(*CV, "--folds", "0", cwd=p),
        ("harness.submit", "--comp", "shapes", "--dry-run", "--run", "RUN"),
        "Finish it with --resume",
        lambda p, s: (run_inside(*CV, "--resume", cwd=p), None)[1],
    ),
    "verdicts that were cut": Case(
        lambda p: (
            run_inside("harness.clean", "shapes", cwd=p),
            (p / "oof/shapes/clean/clean.csv").write_text("id,verdict,action,gro"),
        ),
        CV,
        r"Judge the rows again: python -m harness\.clean shapes --overwrite",
        lambda p, s: (run_inside("harness.clean", "shapes", "--overwrite", cwd=p), None)[1],
    ),
    "verdicts that were cut, left out": Case(
        lambda p: (
            run_inside("harness.clean", "shapes", cwd=p),
            (p / "oof/shapes/clean/clean.csv").write_text("id,verdict,action,gro"),
        ),
        CV,
        "or go without: --no-clean",
        quoted("--no-clean"),
    ),
    "verdicts that are gone": Case(
        lambda p: (run_inside("harness.clean", "shapes", cwd=p), (p / "oof/shapes/clean/clean.csv").unlink()),
        CV,
        r"python -m harness\.clean shapes --overwrite",
        lambda p, s: (run_inside("harness.clean", "shapes", "--overwrite", cwd=p), None)[1],
    ),
    "no platform": Case(
        lambda p: run_inside(*CV, cwd=p),
        ("harness.submit", "--comp", "shapes"),
        "--dry-run writes and checks the file",
        quoted("--dry-run"),
    ),
}


SET = ("--set",)
SCRATCH = ("harness.cv", "shapes", "--recipe", "net", "--set", "cv.folds=2", "--workers", "1")
TUNE = (
    "harness.tune",
    "shapes",
    "--recipe",
    "tiny",
    "--trials",
    "1",
    "--no-nested",
    "--set",
    "cv.folds=2",
    "--device",
    "cpu",
)
SPACE = '\n[tune]\n"train.lr" = {low = 1e-4, high = 1e-2, log = true}\n'


def options(*words: str) -> Callable[[Path, str], tuple[str, ...]]:
    """The cure is to add these options."""
    return lambda project, said: words


def instead(command: tuple[str, ...], old: str, new: str) -> Callable[[Path, str], tuple[str, ...]]:
    """The cure is to write a word of the command otherwise."""
    return lambda project, said: tuple(new if word == old else word for word in command)


def done(action: Callable[[Path], object]) -> Callable[[Path, str], None]:
    """The cure is to do something, and to repeat the command."""
    return lambda project, said: (action(project), None)[1]


def wrong_option(option: str, right: str, said: str, command: tuple[str, ...] = CV) -> Case:
    """A value of --set that is refused, and the right one."""
    return Case(lambda p: None, (*command, "--set", option), said, instead((*command, "--set", option), option, right))


def own_code(text: str) -> Callable[[Path], object]:
    return lambda project: (project / "competitions/shapes/competition.py").write_text(text)


def net(project: Path) -> None:
    """A recipe with a small network of timm."""
    (project / "competitions/shapes/recipes/net.toml").write_text(
        '[model]\nname = "timm"\n[model.args]\nbackbone = "test_resnet"\n[train]\nepochs = 1\nprecision = "fp32"\nchannels_last = false\n'
    )


def labels_csv(project: Path, text: str | None = None) -> None:
    """All images in one folder, and their labels in a CSV; `text` instead of the right one."""
    train = project / "data/shapes/train"
    files = sorted(train.glob("*/*.png"))
    rows = "".join(f"{p.parent.name}{p.stem},{p.parent.name}\n" for p in files)
    for path in files:
        path.rename(train / f"{path.parent.name}{path.name}")
    for name in ("circle", "square"):
        (train / name).rmdir()
    edit(toml(project), '"image_folder"', '"image_csv"\nlabels = "labels.csv"\nlabel = "label"')
    (project / "data/shapes/labels.csv").write_text("id,label\n" + rows)
    if text is not None:
        (project / "data/shapes/labels.csv").write_text(text)


def change(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Edit a file of the data."""
    return lambda project: edit(project / "data/shapes" / name, old, new)


def after(*actions: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda project: [action(project) for action in actions]


def npz(project: Path, labels: int = 16) -> None:
    """The images as one .npz."""
    edit(
        toml(project),
        '"image_folder"',
        '"npz"\ntrain = "all.npz"\ntest = "test.npz"\nlabel = "labels"\noptional = ["test.npz"]',
    )
    save_npz(project, labels)


def save_npz(project: Path, labels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (16, 12, 12), dtype=np.uint8)
    np.savez(project / "data/shapes/all.npz", images=images, labels=np.arange(labels) % 2)


def trained(*more: str) -> Callable[[Path], object]:
    return lambda project: run_inside(*CV, *more, cwd=project)


CASES |= {
    "a key with a letter missing": wrong_option("train.epoch=2", "train.epochs=2", r"did you mean 'train\.epochs'"),
    "a value of another type": wrong_option("train.epochs=two", "train.epochs=2", "valid integer"),
    "a value beyond its range": wrong_option("train.lr=1e30", "train.lr=0.1", "less than or equal to 100"),
    "an unknown view": wrong_option('predict.tta=["hflipp"]', 'predict.tta=["hflip"]', "did you mean 'hflip'"),
    "no view": wrong_option("predict.tta=[]", "predict.tta=['identity']", r"e\.g\. \['identity'\]"),
    "padding beyond the image": wrong_option("augment.pad_crop=40", "augment.pad_crop=11", "less than the shorter side, 12"),
    "colour of grey images": wrong_option("augment.saturation=0.5", "seed=0", "these images are grey; take it out"),
    "more frozen blocks than there are": wrong_option("train.freeze_blocks=9", "seed=0", "leave it out to train all"),
    "an unknown model": wrong_option("model.name=cnnn", "model.name=cnn", "did you mean 'cnn'"),
    "an argument that the model has not": wrong_option(
        "model.args.dropot=0.1", "model.args.dropout=0.1", "did you mean 'dropout'"
    ),
    "a key without a value": wrong_option("train.epochs", "train.epochs=3", "write it as KEY=VALUE, e.g. --set train.epochs=3"),
    "a fold that is not there": Case(
        lambda p: None, (*CV, "--folds", "7"), "folds 0 to 1", instead((*CV, "--folds", "7"), "7", "1")
    ),
    "a loss that explodes": Case(
        lambda p: None,
        (*CV, "--set", "train.lr=100", "--set", "train.optimizer=sgd", "--set", "train.epochs=4"),
        r"Lower it: --set train\.lr=\S+, or limit the gradient: --set train\.clip_norm=1",
        lambda p, s: (*CV, "--set", "train.optimizer=sgd", *re.search(r"--set train\.lr=[^,\s]+", s)[0].split()),
    ),
    "no such device": Case(lambda p: None, (*CV, "--device", "xla:99"), "Take --device cpu", instead((*CV, "--device", "xla:99"), "xla:99", "cpu")),
    "both fresh and resumed": Case(
        trained(), (*CV, "--fresh", "--resume"), "give one of them", lambda p, s: (*CV, "--resume")
    ),
    "a competition misspelt": Case(
        lambda p: None, ("harness.data", "shapez"), "did you mean 'shapes'", lambda p, s: DATA
    ),
    "no model of one's own": Case(
        lambda p: None,
        (*CV, "--set", "model.name=custom"),
        "needs build_model in .*competition.py",
        done(own_code(
            "import torch\ndef build_model(height, width, channels, n_classes, stages, batch_norm):\n"
            "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, n_classes))\n"
        )),
    ),
    "a hook that nobody calls": Case(
        own_code("def to_submision(ids, proba, classes):\n    return None\n\ndef score(labels, proba):\n    return 1.0\n"),
        CV,
        r"did you mean 'to_submission'\?\).*prefix it with _",
        done(own_code("def _to_submision(ids, proba, classes):\n    return None\n")),
    ),
    "code that ends the process": Case(
        own_code("import sys\nsys.exit(3)\n"),
        CV,
        "competition.py: could not be imported: SystemExit: 3",
        done(lambda p: (p / "competitions/shapes/competition.py").unlink()),
    ),
    "weights that cannot be fetched": Case(
        net,
        (*SCRATCH, "--set", "model.args.weights=pretrained"),
        r"must be asked for: --set model\.args\.weights=scratch",
        quoted(r"--set model\.args\.weights=scratch"),
    ),
    "weights that are not there": Case(
        net, (*SCRATCH, "--set", "model.args.weights=x.safetensors"), "x.safetensors: not there", options("--set", "model.args.weights=scratch")
    ),
    "a backbone misspelt": Case(
        net, (*SCRATCH, "--set", "model.args.backbone=test_resnett"), "the nearest: test_resnet", options("--set", "model.args.backbone=test_resnet")
    ),
    "an empty class folder": Case(
        lambda p: [path.unlink() for path in (p / "data/shapes/train/square").glob("*.png")],
        DATA,
        "square.*Complete it, or take the class out of 'classes'",
        done(lambda p: [shutil.copy(path, p / "data/shapes/train/square") for path in (p / "data/shapes/train/circle").glob("*")]),
    ),
    "no data": Case(
        lambda p: (p / "data/shapes").rename(p / "kept"),
        DATA,
        r"the folder is <data root>/<slug>/; the root comes from --data DIR",
        lambda p, s: ((p / "kept").rename(p / "shapes") and ("--data", ".")),
    ),
    "a label column of another name": Case(
        after(labels_csv, change("labels.csv", "id,label", "id,kind")),
        DATA,
        r"no column 'label'; it has id, kind\. Correct data\.label",
        done(lambda p: edit(toml(p), 'label = "label"', 'label = "kind"')),
    ),
    "two columns of one name": Case(
        after(labels_csv, change("labels.csv", "id,label", "id,label,label"), lambda p: (p / "data/shapes/labels.csv").write_text((p / "data/shapes/labels.csv").read_text().replace(",circle\n", ",circle,x\n").replace(",square\n", ",square,x\n"))),
        DATA,
        "2 columns are named 'label'.*Rename one",
        done(change("labels.csv", "label,label", "label,other")),
    ),
    "labels without rows": Case(
        lambda p: labels_csv(p, "id,label\n"),
        DATA,
        r"has no rows\..*or correct data\.labels",
        done(lambda p: (p / "data/shapes/labels.csv").write_text(
            "id,label\n" + "".join(f"{path.stem},{path.stem[:6]}\n" for path in (p / "data/shapes/train").glob("*")))),
    ),
    "a label file of another name": Case(
        after(labels_csv, lambda p: (p / "data/shapes/labels.csv").rename(p / "data/shapes/train.csv")),
        DATA,
        r"labels\.csv: not there\. Download it, or correct data\.labels",
        done(lambda p: edit(toml(p), '"labels.csv"', '"train.csv"')),
    ),
    "an unknown label": Case(
        after(labels_csv, change("labels.csv", "circle0,circle", "circle0,disc")),
        DATA,
        "label 'disc' is no class.*Correct the row",
        done(change("labels.csv", "circle0,disc", "circle0,circle")),
    ),
    "spaces around a label": Case(
        after(labels_csv, change("labels.csv", "circle0,circle", "circle0, circle")),
        DATA,
        "take the spaces around it out",
        done(change("labels.csv", "circle0, circle", "circle0,circle")),
    ),
    "an id twice": Case(
        after(labels_csv, change("labels.csv", "circle1,circle", "circle0,circle")),
        DATA,
        "id 'circle0' stands in row 1 and in row 2. Take one out",
        done(change("labels.csv", "circle0,circle\ncircle0,circle", "circle0,circle")),
    ),
    "an id without an image": Case(
        after(labels_csv, change("labels.csv", "circle1,circle", "circle99,circle")),
        DATA,
        r"1 of its 16 ids have no image in .*e\.g\. 'circle99'",
        done(change("labels.csv", "circle99,circle", "circle1,circle")),
    ),
    "an id that two images have": Case(
        after(labels_csv, lambda p: shutil.copy(p / "data/shapes/train/circle1.png", p / "data/shapes/train/circle1.bmp")),
        DATA,
        r"id 'circle1' may be .*circle1\.(bmp|png) or .*Take one away",
        done(lambda p: (p / "data/shapes/train/circle1.bmp").unlink()),
    ),
    "a row with too few values": Case(
        after(labels_csv, change("labels.csv", "circle1,circle", "circle1")),
        DATA,
        "row 2 has 1 values, the header has 2",
        done(change("labels.csv", "circle1\n", "circle1,circle\n")),
    ),
    "labels in another encoding": Case(
        after(labels_csv, lambda p: (p / "data/shapes/labels.csv").write_bytes(b"id,label,\xe9\n")),
        DATA,
        r"is not in UTF-8 .*Save it as UTF-8",
        done(lambda p: (p / "data/shapes/labels.csv").write_text(
            "id,label\n" + "".join(f"{path.stem},{path.stem[:6]}\n" for path in (p / "data/shapes/train").glob("*")))),
    ),
    "more labels than images in an npz": Case(
        lambda p: npz(p, 17),
        DATA,
        r"16 images \('images'\) but 17 labels \('labels'\)",
        done(lambda p: save_npz(p, 16)),
    ),
    "an array of another name": Case(
        after(npz, lambda p: edit(toml(p), 'label = "labels"', 'label = "label"')),
        DATA,
        r"no array 'label' \(did you mean 'labels'",
        done(lambda p: edit(toml(p), 'label = "label"', 'label = "labels"')),
    ),
    "no function that loads": Case(
        lambda p: edit(toml(p), '"image_folder"', '"custom"'),
        DATA,
        "needs load_samples in competition.py",
        done(own_code(
            "import numpy as np\nfrom harness.competition import Samples\n\ndef load_samples(root, split):\n"
            "    n = 16 if split == 'train' else 4\n    images = np.zeros((n, 12, 12, 1), np.uint8)\n"
            "    labels = np.arange(n) % 2 if split == 'train' else None\n"
            "    return Samples(images=images, ids=np.arange(n).astype(str), labels=labels)\n"
        )),
    ),
    "an unknown metric": Case(
        lambda p: edit(toml(p), '"accuracy"', '"acuracy"'),
        DATA,
        "did you mean 'accuracy'",
        done(lambda p: edit(toml(p), '"acuracy"', '"accuracy"')),
    ),
    "a metric without its function": Case(
        lambda p: edit(toml(p), '"accuracy"', '"custom"'),
        CV,
        r"needs score\(labels, proba\) in .*competition\.py",
        done(own_code("def score(labels, proba):\n    return float((proba.argmax(1) == labels).mean())\n")),
    ),
    "TOML that is none": Case(
        lambda p: edit(toml(p), "channels = 1", "channels 1"),
        DATA,
        "not valid TOML.*line 8",
        done(lambda p: edit(toml(p), "channels 1", "channels = 1")),
    ),
    "TOML in another encoding": Case(
        lambda p: toml(p).write_text(toml(p).read_text(), encoding="utf-16"),
        DATA,
        r"competition\.toml: is not in UTF-8 .*Save it as UTF-8",
        done(lambda p: toml(p).write_text(toml(p).read_text(encoding="utf-16"), encoding="utf-8-sig")),
    ),
    "a noise folder that is lost": Case(
        after(trained("--noise"), lambda p: [shutil.rmtree(path) for path in (p / "oof/shapes").glob("tiny-*/noise")]),
        ("harness.oof", "forecast", "shapes", "--run", "RUN"),
        "noise: is not there, and noise.json says that it was",
        lambda p, s: (*CV, "--noise", "--resume"),
    ),
    "no space to search": Case(
        lambda p: None, TUNE, r'Add for example:\s+\[tune\]\s+"train\.lr" = \{low',
        done(lambda p: (p / "competitions/shapes/recipes/tiny.toml").write_text(
            (p / "competitions/shapes/recipes/tiny.toml").read_text() + SPACE)),
    ),
    "an unknown sampler": Case(
        lambda p: (p / "competitions/shapes/recipes/tiny.toml").write_text(
            (p / "competitions/shapes/recipes/tiny.toml").read_text() + SPACE),
        (*TUNE, "--sampler", "tpee"), "did you mean 'tpe'", instead((*TUNE, "--sampler", "tpee"), "tpee", "tpe"),
    ),
    "one run is no ensemble": Case(
        trained(),
        ("harness.oof", "ensemble", "shapes"),
        "needs two runs or more .* Train another recipe with harness.cv",
        done(trained("--set", "seed=5")),
    ),
    "an unknown way to combine": Case(
        after(trained(), trained("--set", "seed=5")),
        ("harness.oof", "ensemble", "shapes", "--method", "means"),
        "did you mean 'mean'",
        lambda p, s: ("harness.oof", "ensemble", "shapes", "--method", "mean"),
    ),
    "no run to compare": Case(
        lambda p: None, ("harness.oof", "compare", "shapes"), r"Train one: python -m harness\.cv shapes", done(trained())
    ),
    "no competition to send to": Case(
        trained(), ("harness.submit", "--dry-run"), "name the competition to send to", options("--comp", "shapes")
    ),
    "a threshold that is no probability": Case(
        trained(),
        ("harness.submit", "--comp", "shapes", "--dry-run", "--threshold", "2"),
        "a probability between 0 and 1, or 'oof'",
        lambda p, s: ("harness.submit", "--comp", "shapes", "--dry-run", "--threshold", "0.5"),
    ),
    "a file that is not there": Case(
        trained(),
        ("harness.submit", "--comp", "shapes", "--dry-run", "--file", "mine.csv"),
        "--file mine.csv: not there",
        done(lambda p: (p / "mine.csv").write_text(
            "id,label\n" + "".join(f"{path.stem},circle\n" for path in (p / "data/shapes/test").glob("*")))),
    ),
    "a run by its path": Case(
        trained(),
        ("harness.submit", "--comp", "shapes", "--dry-run", "--run", "oof/shapes/RUN"),
        r"give the run's name only \('tiny-[0-9a-f]{8}'\)",
        lambda p, s: ("harness.submit", "--comp", "shapes", "--dry-run", "--run", re.search(r"tiny-[0-9a-f]{8}", s)[0]),
    ),
    "verdicts changed by hand": Case(
        after(lambda p: run_inside("harness.clean", "shapes", cwd=p),
              lambda p: edit(p / "oof/shapes/clean/clean.csv", "keep", "exclude") if "keep" in (p / "oof/shapes/clean/clean.csv").read_text()
              else (p / "oof/shapes/clean/clean.csv").write_text((p / "oof/shapes/clean/clean.csv").read_text() + "circle0,ok,keep,,by hand\n")),
        ("harness.clean", "shapes"),
        "was changed by hand.*Add --overwrite",
        quoted("--overwrite"),
    ),
    "a noise suite that is damaged": Case(
        after(trained("--noise"), lambda p: [path.write_bytes(b"x") for path in (p / "oof/shapes").glob("tiny-*/noise/*.npz")]),
        ("harness.oof", "forecast", "shapes", "--run", "RUN"),
        "Repeat harness.cv with --noise",
        lambda p, s: (*CV, "--noise", "--resume"),
    ),
}  # fmt: skip


def filled(command: tuple[str, ...], project: Path) -> tuple[str, ...]:
    runs = [path.name for path in (project / "oof" / "shapes").glob("tiny-*")]
    return tuple(word.replace("RUN", runs[0]) if "RUN" in word else word for word in command)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("cures")
    make_shapes(project, per_class=8)
    return project


@pytest.mark.parametrize("name", CASES)
def test_the_cure_cures(fresh: Path, tmp_path: Path, name: str):
    project, case = tmp_path / "project", CASES[name]
    shutil.copytree(fresh, project, symlinks=True)
    case.spoil(project)
    told = run_inside(*filled(case.command, project), cwd=project)
    assert told.returncode == 2 and "Traceback" not in told.stderr, told.stderr + told.stdout
    assert told.stderr.count("error: ") == 1 and re.search(case.said, told.stderr, re.S), told.stderr
    assert not re.search(r"KeyError|NoneType|object has no attribute", told.stderr)
    assert all(any(run.iterdir()) for run in (project / "oof/shapes").glob("tiny-*")), (
        "a run's folder in which nothing was begun"
    )
    cure = case.cure(project, told.stderr)
    command = case.command if cure is None else (*case.command, *cure) if cure[0].startswith("--") else cure
    cured = run_inside(*filled(command, project), cwd=project)
    assert cured.returncode == 0, cured.stderr
    if command is not case.command and not cure[0].startswith("--"):
        again = run_inside(*filled(case.command, project), cwd=project) if name == "a damaged run" else cured
        assert again.returncode == 0, again.stderr


def test_a_broken_credentials_file_is_named(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    from harness.base.errors import UserError
    from harness.remote.kaggle_client import check_kaggle_credentials

    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(shapes))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(shapes))
    path = shapes / "kaggle.json"
    for content in ('{"username": "me", "key"', "[]", '{"username": "me"}', '{"username": 1, "key": "k"}'):
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(UserError, match=r"kaggle\.json: is no JSON of the form .*Make a new token") as error:
            check_kaggle_credentials()
        assert '"me"' not in str(error.value)
    path.write_text(json.dumps({"username": "me", "key": "k"}))
    check_kaggle_credentials()


@pytest.mark.parametrize(("name", "known"), [("quick", ["quick"]), ("tiny ", ["tiny "]), ("a", ["a", "b"])])
def test_a_name_is_never_offered_for_itself(name: str, known: list[str]):
    from harness.base.errors import nearest

    assert f"'{name}'" not in nearest(name, known)


def test_too_many_calls_say_when():
    from harness.remote.retry import wait_words

    assert re.fullmatch(r"; it asks to wait 90 s, until \d\d:\d\d", wait_words(90.0))
    assert "does not say when" in wait_words(None)


@pytest.mark.parametrize("folds", [("--folds", "0"), ("--folds=1",)])
def test_a_partial_run_names_the_command_that_finishes_it(fresh: Path, tmp_path: Path, folds: tuple[str, ...]):
    project = tmp_path / "project"
    shutil.copytree(fresh, project, symlinks=True)
    told = run_inside(*CV, *folds, cwd=project)
    command = re.search(r"the others: python -m (\S.*--resume)", told.stdout)
    assert told.returncode == 0 and command and "harness.submit" not in told.stdout, told.stdout + told.stderr
    done = run_inside(*shlex.split(command[1]), cwd=project)
    assert done.returncode == 0 and "partial" not in done.stdout, done.stderr
    assert "harness.submit" in done.stdout
