"""Mistakes in data and competition.toml."""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image

from tests.e2e.cures.case import (
    CV,
    DATA,
    Case,
    after,
    change,
    done,
    edit,
    labels_csv,
    npz,
    own_code,
    quoted,
    sample_submission,
    save_npz,
    toml,
    wrong_png,
)


def _files_by_column(project: Path) -> None:
    """The labels' table says which file a row is; the test has a sample submission only."""
    table = project / "data/shapes/labels.csv"
    rows = [line.split(",") for line in table.read_text().split()[1:]]
    table.write_text("id,file,label\n" + "".join(f"{i},{i}.png,{label}\n" for i, label in rows))
    edit(toml(project), 'labels = "labels.csv"', 'labels = "labels.csv"\nfiles = "{file}"')
    sample_submission(project)


def _list_of_tests(project: Path) -> None:
    (project / "data/shapes/test.csv").write_text("id,file\n" + "".join(f"{i},{i}.png\n" for i in range(6)))
    edit(toml(project), 'files = "{file}"', 'files = "{file}"\ntest_rows = "test.csv"')


def _weights(project: Path) -> None:
    """A weight for each row of the labels' table, of which one is negative."""
    labels_csv(project)
    table = project / "data/shapes/labels.csv"
    rows = table.read_text().split()[1:]
    table.write_text("id,label,w\n" + "".join(f"{row},{-1 if n == 3 else n + 1}\n" for n, row in enumerate(rows)))
    edit(toml(project), 'labels = "labels.csv"', 'labels = "labels.csv"\nweight = "w"')


CASES = {
    "a negative weight": Case(
        _weights,
        CV,
        r"labels\.csv: row 4, column 'w': '-1' is no weight, a number from 0 on. Correct the cell",
        done(change("labels.csv", ",-1", ",1")),
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
    "one column for the probability of two classes": Case(
        lambda p: (
            sample_submission(p, extra='value = "probability"\n'),
            edit(p / "data/shapes/sample.csv", "circle", "0.5"),
        ),
        DATA,
        r'one column beside the id, .label.*target = "label"',
        lambda p, s: edit(toml(p), 'value = "probability"', 'value = "probability"\ntarget = "label"'),
    ),
    "test files by a column of another table": Case(
        lambda p: (labels_csv(p), _files_by_column(p)),
        DATA,
        r"'\{file\}' is no column.*name the table that lists them, data\.test_rows",
        done(_list_of_tests),
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
    "a competition misspelt": Case(
        lambda p: None, ("harness.data", "shapez"), "did you mean 'shapes'", lambda p, s: DATA
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
    "a label in another case": Case(
        after(labels_csv, change("labels.csv", "circle0,circle", "circle0,Circle")),
        DATA,
        "it is written 'circle' there",
        done(change("labels.csv", "circle0,Circle", "circle0,circle")),
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
    "a competition that is to be copied first": Case(
        lambda p: None,
        ("harness.data", "digit-recognizer", "--sample"),
        "comes with the harness; this copies it: python -m harness.data init --like digit-recognizer",
        lambda p, said: ("harness.data", "init", "--like", "digit-recognizer"),
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
}  # fmt: skip
