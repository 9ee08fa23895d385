"""A bundle of any task answers as the file that harness.submit writes: labels, grades, numbers, probabilities, the best names."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.runs import Run, load_run
from harness.submit.arguments import BundleOptions
from harness.submit.bundle.answers import Answering, Form
from harness.submit.prepare.bundle import prepare_bundle
from harness.submit.prepare.code import prepare_code
from tests.conftest import TINY_RECIPE
from tests.submit.inside import tried_inside  # noqa: F401 - a fixture

TOML = """\
title = "Patches"
task = "{task}"
metric = "{metric}"
[data]
format = "image_csv"
size = [12, 12]
channels = 1
train = "images"
test = "images"
optional = ["test"]
labels = "train.csv"
test_rows = "test.csv"
id = "id"
label = {label}
[submission]
id = "id"
{submission}
"""
NAMES = ["left", "right", "middle"]


@dataclass(frozen=True)
class Case:
    """A competition, how it is trained, and what its bundles run on."""

    task: str
    metric: str
    label: str
    submission: str
    settings: tuple[str, ...] = ()
    bundles: tuple[tuple[str, ...], ...] = (("--backend", "torch"),)
    sent: tuple[str, ...] = ()


ONNX, TORCH = ("--backend", "onnx"), ("--backend", "torch")
SMALL_TIMM = 'model={name="timm", args={backbone="test_resnet", image_size=32, head=[4]}}'
CASES = {
    "labels": Case(
        "multilabel", "samples_f1", json.dumps(NAMES), 'value = "labels"\nempty = "likeliest"', bundles=(TORCH, ONNX)
    ),
    "voted labels": Case(
        "multilabel", "macro_f1", json.dumps(NAMES), 'value = "onehot"', ("predict.across_folds=vote",)
    ),
    "labels' probabilities": Case(
        "multilabel", "log_loss", json.dumps(NAMES), 'value = "probability"', ("train.label_smoothing=0.4",)
    ),
    "grades": Case("ordinal", "quadratic_kappa", '"level"', 'target = "level"', ("train.seeds=2",), (TORCH, ONNX)),
    "voted grades": Case(
        "ordinal", "quadratic_kappa", '"level"', 'value = "index"', ("predict.across_folds=vote", "train.seeds=2")
    ),
    "numbers": Case(
        "regression", "rmse", '["price", "ink"]', "", (SMALL_TIMM,), (TORCH, ("--backend", "timm", "--half"), (*ONNX, "--half"))
    ),
    "a share": Case("regression", "mae", '"ink"', "", ("train.loss=bce", 'predict.tta=["identity","hflip"]')),
    "two classes": Case(
        "binary", "macro_f1", '"bright"', 'value = "index"', ("train.sampling=balanced",), sent=("--threshold", "0.3")
    ),
    "the best names": Case("single", "map_at_k(k=2)", '"level"', 'value = "ranked"\nk = 2'),
}  # fmt: skip


LONG_CASES = {
    "long labels": Case(
        "multilabel",
        "roc_auc",
        json.dumps(NAMES),
        'sample = "long.csv"\nlong = "{id}_{class}"\ntarget = "p"\nvalue = "probability"',
    ),
    "numbers looked up": Case(
        "regression",
        "rmse",
        '["price", "ink"]',
        'sample = "asked.csv"\nlong = "what"\nlookup = {file = "lookup.csv", id = "image"}\ntarget = "p"',
    ),
}
"""Files with a row for each image and class, or each image and number; a bundle answers image by image."""


def write(root: Path, case: Case, hidden: bool = False) -> None:
    """Patches of up to three bright stripes on a grey ground, and all that may be asked of them."""
    rng, data = np.random.default_rng(0), root / "data" / "patches"
    (data / "images").mkdir(parents=True)
    rows = []
    for n in range(72):
        has = rng.random(3) < (0.7, 0.4, 0.5)
        image = rng.integers(0, 90, (12, 12))
        for stripe in np.flatnonzero(has):
            image[:, 4 * stripe : 4 * stripe + 4] += rng.integers(60, 160)
        Image.fromarray(image.astype(np.uint8)).save(data / "images" / f"p{n}.png")
        level = int(has.sum())
        told = {"id": f"p{n}", "level": "abcd"[level], "bright": int(level > 1)}
        ink = float(image.mean() / 255)
        rows.append(told | dict(zip(NAMES, has.astype(int), strict=True)) | {"ink": ink, "price": 3e5 + 2e5 * ink})
    table = pd.DataFrame(rows)
    table[:60].to_csv(data / "train.csv", index=False)
    if not hidden:
        table[60:][["id"]].to_csv(data / "test.csv", index=False)
        images = table[60:]["id"].tolist()
        asked = [(i, name) for i in images for name in reversed(NAMES)]
        pd.DataFrame({"id": [f"{i}_{name}" for i, name in asked], "p": 0.5}).to_csv(data / "long.csv", index=False)
        lookup = pd.DataFrame([(f"r{n}", i, ("ink", "price")[n % 2]) for n, i in enumerate(images)])
        lookup.set_axis(["id", "image", "what"], axis=1).to_csv(data / "lookup.csv", index=False)
        pd.DataFrame({"id": lookup[0], "p": 0}).to_csv(data / "asked.csv", index=False)
    folder = root / "competitions" / "patches"
    (folder / "recipes").mkdir(parents=True)
    toml = TOML.format(task=case.task, metric=case.metric, label=case.label, submission=case.submission)
    if "map_at_k" in case.metric:
        toml = toml.replace('metric = "map_at_k(k=2)"', 'metric = {name = "map_at_k", k = 2}')
    (folder / "competition.toml").write_text(toml)
    (folder / "recipes" / "tiny.toml").write_text(TINY_RECIPE)


def train(root: Path, run_command, case: Case) -> None:
    settings = [word for setting in ("cv.folds=2", *case.settings) for word in ("--set", setting)]
    done = run_command("harness.cv", "patches", "--recipe", "tiny", "--workers", "1", *settings, cwd=root)
    assert done.returncode == 0, done.stderr


def submit(root: Path, run_command, *options: str) -> dict[str, Any]:
    done = run_command("harness.submit", "patches", "--dry-run", "--json", *options, cwd=root)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def opened(path: str, folder: Path) -> dict[str, Any]:
    """What a bundle's model.py defines, run where it was unpacked."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    text = (folder / "model.py").read_text()
    assert "import harness" not in text and "from harness" not in text
    module: dict[str, Any] = {"__name__": "bundle", "__file__": str(folder / "model.py")}
    exec(compile(text, str(folder / "model.py"), "exec"), module)
    return module


def as_file(case: Case, answers: np.ndarray, names: list[str]) -> list[list[str]]:
    """A bundle's answers as the cells that the file has of them."""
    if 'value = "labels"' in case.submission:
        return [[" ".join(np.array(names)[row == 1])] for row in answers]
    if 'value = "ranked"' in case.submission:
        return [[" ".join(np.array(names)[row])] for row in answers]
    if 'target = "level"' in case.submission:
        return [[names[row]] for row in answers]
    return [[str(cell) for cell in np.atleast_1d(row)] for row in answers]


@pytest.mark.usefixtures("tried_inside")
@pytest.mark.parametrize("name", CASES)
def test_a_bundle_answers_as_the_file_does(tmp_path: Path, run_command, name: str):
    case = CASES[name]
    write(tmp_path, case)
    train(tmp_path, run_command, case)
    file = pd.read_csv(submit(tmp_path, run_command, *case.sent)["file"], dtype=str).set_index("id")
    images = [np.asarray(Image.open(tmp_path / "data" / "patches" / "images" / f"{name}.png")) for name in file.index]
    [run] = [load_run(path.parent) for path in (tmp_path / "oof" / "patches").glob("*/scores.json")]
    assert name != "labels' probabilities" or run.scores["decision"]["scaling"]["values"]
    for options in case.bundles:
        if "onnx" in options and not importlib.util.find_spec("onnxruntime"):
            continue
        told = submit(tmp_path, run_command, "--bundle", *options, *case.sent)
        assert "the same answers as the harness" in told["trial"][0]
        folder = tmp_path / options[1]
        module = opened(told["file"], folder)
        if options == ONNX:  # it would tell its maker what it runs
            assert (
                'os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")'
                in (folder / "model.py").read_text().partition("import onnxruntime")[0]
            )
        model, about = module["Model"](), json.loads((folder / "bundle.json").read_text())
        answers, outputs = model.predict(np.stack(images)), model.predict_proba(images)
        assert outputs.dtype == np.float32 and outputs.shape == (len(images), len(about["names"]))
        if np.issubdtype(answers.dtype, np.floating):
            spread = run.task.units(run.labels) * (0.02 if "--half" in options else 1e-4)
            cells = file.to_numpy(dtype=float)
            assert (np.abs(answers.reshape(cells.shape) - cells) <= spread).all()
            np.testing.assert_array_equal(answers.reshape(outputs.shape), outputs)
        else:
            assert as_file(case, answers, about["names"]) == file.to_numpy().tolist()
            aligned = run.test[[list(run.test_ids).index(name) for name in file.index]]
            np.testing.assert_allclose(outputs, aligned, atol=1e-4)


@pytest.mark.usefixtures("tried_inside")
@pytest.mark.parametrize("name", LONG_CASES)
def test_a_bundle_answers_image_by_image_where_the_file_is_long(tmp_path: Path, run_command, name: str):
    case = LONG_CASES[name]
    write(tmp_path, case)
    train(tmp_path, run_command, case)
    file = pd.read_csv(submit(tmp_path, run_command)["file"]).set_index("id")["p"]
    module = opened(submit(tmp_path, run_command, "--bundle")["file"], tmp_path / "opened")
    names = json.loads((tmp_path / "opened" / "bundle.json").read_text())["names"]
    data = tmp_path / "data" / "patches"
    images = pd.read_csv(data / "test.csv")["id"].tolist()
    answers = module["Model"]().predict(
        np.stack([np.asarray(Image.open(data / "images" / f"{i}.png")) for i in images])
    )
    told = {(i, n): value for i, row in zip(images, answers, strict=True) for n, value in zip(names, row, strict=True)}
    if "looked" in name:
        lookup = pd.read_csv(data / "lookup.csv").set_index("id").loc[file.index]
        pairs = list(zip(lookup["image"], lookup["what"], strict=True))
    else:
        pairs = [tuple(row.rsplit("_", 1)) for row in file.index]
    assert len(file) == len(pd.read_csv(data / ("asked.csv" if "looked" in name else "long.csv")))
    np.testing.assert_allclose(file.to_numpy(), [told[pair] for pair in pairs], rtol=1e-3, atol=1e-4)


def test_what_is_no_answer_image_by_image_is_refused(tmp_path: Path):
    case = CASES["two classes"]
    write(tmp_path, case)
    folder = tmp_path / "competitions" / "patches"
    toml = (folder / "competition.toml").read_text()
    (folder / "competition.toml").write_text(toml.replace("[submission]\n", '[submission]\nrows = "id"\n'))
    with pytest.raises(UserError, match=r"mean of several images here \(\[submission\] rows = 'id'\). Send the file"):
        prepare_bundle(find_competition(str(folder)), None, [], tmp_path, BundleOptions(bundle=True), None, None, [])  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["code", "bundle"])
def test_images_that_share_a_row_are_refused_in_the_same_words_by_bundles_and_code(tmp_path: Path, option: str):
    write(tmp_path, CASES["two classes"])
    contest = find_competition(str(tmp_path / "competitions" / "patches")).model_copy(update={"platform": "kaggle"})
    dataset: Any = SimpleNamespace(test=SimpleNamespace(rows=np.array(["a", "a"])))
    prepare, options = {"code": prepare_code, "bundle": prepare_bundle}[option], BundleOptions(**{option: True})
    said = rf"--{option}: its model.py answers image by image, and a row of the submission is the mean of several images here \(by competition.py"
    with pytest.raises(UserError, match=said):
        prepare(contest, dataset, [], tmp_path, options, None, None, [])


@pytest.mark.usefixtures("tried_inside")
def test_a_hook_that_writes_files_is_no_part_of_a_bundle(tmp_path: Path, run_command):
    case = CASES["two classes"]
    write(tmp_path, case)
    hook = tmp_path / "competitions" / "patches" / "competition.py"
    hook.write_text(
        "import pandas as pd\n\n\ndef to_submission(ids, proba, classes):\n"
        "    return pd.DataFrame({'id': ids, 'label': proba.argmax(axis=1)})\n"
    )
    train(tmp_path, run_command, case)
    told = submit(tmp_path, run_command, "--bundle")
    assert "to_submission writes files alone: the bundle answers by [submission] value = 'index'" in str(
        told["warnings"]
    )


@pytest.mark.usefixtures("tried_inside")
@pytest.mark.parametrize("name", ["labels", "a share"])
def test_code_is_sent_where_the_test_is_hidden(tmp_path: Path, run_command, name: str):
    case = CASES[name]
    write(tmp_path, case, hidden=True)
    toml = tmp_path / "competitions" / "patches" / "competition.toml"
    toml.write_text(
        toml.read_text().replace('test_rows = "test.csv"\n', "").replace('test = "images"', 'test = "test"')
    )
    done = run_command("harness.play", "patches", "--fold-epochs", "20", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0 and "--bundle" in done.stdout, done.stderr
    [file] = (tmp_path / "submissions" / "patches").rglob("*.zip")
    module = opened(str(file), tmp_path / "opened")
    competition = find_competition(str(toml.parent))
    paths = sorted((tmp_path / "data" / "patches" / "images").glob("*.png"))[:5]
    answers = module["Model"]().predict(np.stack([np.asarray(Image.open(path)) for path in paths]))
    run = load_run(tmp_path / "oof" / "patches" / file.stem)
    assert Answering(competition, run, run.scores).form.wrong(answers, 5) == ""


def answering(root: Path, name: str, decision: dict[str, Any] | None, vote: bool = False) -> Answering:
    write(root, CASES[name])
    competition = find_competition(str(root / "competitions" / "patches"))
    predict = SimpleNamespace(across_folds="vote" if vote else "mean")
    run = SimpleNamespace(
        name="run",
        task=competition.kind,
        recipe=SimpleNamespace(predict=predict),
        labels=np.array([0.0, 2.0]),
    )
    return Answering(competition, cast(Run, run), {"decision": decision})


@pytest.mark.parametrize(
    ("name", "decision", "vote", "level", "firm"),
    [
        ("voted labels", {"values": [0.3, 0.5, 0.5]}, False, [0.3005, 0.9, 0.9], [0.5, 0.9, 0.9]),
        ("labels", {"values": [0.9, 0.9, 0.9]}, False, [0.5, 0.4, 0.5], [0.5, 0.4, 0.8]),  # none given: the likeliest
        ("grades", {"values": [0.2, 1.5, 2.5]}, False, [0.8, 0.2, 0, 0], [0.5, 0.5, 0, 0]),
        ("the best names", None, False, [0.6, 0.2, 0.2, 0.0], [0.6, 0.3, 0.1, 0.0]),
        ("two classes", None, True, [0.5, 0.5], [0.4, 0.6]),
    ],
)
def test_answers_may_differ_only_where_ours_are_level(
    tmp_path: Path, name: str, decision: dict[str, Any] | None, vote: bool, level: list[float], firm: list[float]
):
    how, folds = answering(tmp_path, name, decision, vote), [np.array([level, firm], dtype=np.float32)] * 3
    ours = how.of(folds)
    assert how.apart(ours, folds, 1e-3).tolist() == []
    other = (ours + 1) % 2 if ours.ndim == 1 else ours.copy()
    if ours.ndim == 2:
        other[:, 0] = 1 - ours[:, 0]
    assert how.apart(other, folds, 1e-3).tolist() == [1]


def test_numbers_may_differ_by_a_share_of_their_spread(tmp_path: Path):
    how, folds = answering(tmp_path, "a share", None), [np.array([[0.2], [0.4]])] * 2  # spread 1
    assert how.apart(np.array([0.2009, 0.4011]), folds, 1e-3).tolist() == [1]


@pytest.mark.parametrize(
    ("answers", "form", "said"),
    [
        (np.zeros((2, 3)), Form(0, 0), r"gives \(2, 3\) for 2 images; wanted \(2,\)$"),
        (np.zeros((2, 3), dtype=np.int64), Form(3, 0), "gives int64; wanted floats"),
        (np.array([[0.5, np.nan]] * 2), Form(2, 0), "not finite"),
        (np.array([[0, 2]] * 2), Form(2, 2), "labels 0 to 2; there are 2 classes"),
        (np.zeros(2, dtype=np.int64), Form(3, 2), r"wanted \(2, 3\)$"),
    ],
)
def test_answers_of_another_form_are_told(answers: np.ndarray, form: Form, said: str):
    with pytest.raises(UserError, match=said):
        raise UserError(form.wrong(answers, 2))
