"""Bundles: the same answers without the harness, and a trial that finds what the platform would not forgive."""

from __future__ import annotations

import importlib.util
import json
import socket
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.data.files.frame import Frame
from harness.submit.bundle import trial
from harness.submit.bundle.answers import Form
from harness.submit.bundle.sandbox import isolation
from harness.submit.bundle.trial import try_bundle
from tests.conftest import make_shapes
from tests.submit.inside import run_inside, tried_inside  # noqa: F401 - a fixture

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 12, 12, 1), dtype=np.uint8)
TWO = Form(columns=0, numbers=2)
GOOD = "import numpy as np\nclass Model:\n    def predict(self, X):\n        return (X.mean(axis=(1, 2, 3)) > 127).astype(int)\n"


def bundle(folder: Path, text: str = GOOD, name: str = "model.py") -> Path:
    path = folder / "bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, text)
    return path


def test_a_good_one_passes_and_is_timed(tmp_path: Path):
    tried = try_bundle(bundle(tmp_path), PIXELS, TWO, 60, None)
    assert tried.answers.tolist() == (PIXELS.mean(axis=(1, 2, 3)) > 127).astype(int).tolist()
    assert tried.isolated in ("sandbox", "network namespace", "python") and tried.printed == ""
    assert 0 < tried.peak_gib < 4 and tried.images_within(60) > 100


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("X.mean(axis=(1, 2, 3)) > 127", "np.eye(2)[(X.mean(axis=(1, 2, 3)) > 127).astype(int)]"), "not one-hot"),
        (("astype(int)", "astype(float)"), "wanted whole numbers"),
        (("> 127).astype(int)", "> 127).astype(int) + 5"), "there are 2 classes"),
        (("return", "import harness; return"), "harness"),
        (("return", "import urllib.request as u; u.urlopen('http://127.0.0.1:9', timeout=2); return"), "fails where"),
        (("return", "import time; time.sleep(60); return"), "took longer than"),
        (("class Model", "class Other"), "cannot import name 'Model'"),
    ],
    ids=["one-hot", "float", "label", "harness", "network", "slow", "class"],
)
def test_what_the_platform_would_not_forgive_is_found(tmp_path: Path, change: tuple[str, str], said: str):
    with pytest.raises(UserError, match=said):
        try_bundle(bundle(tmp_path, GOOD.replace(*change)), PIXELS, TWO, 6, None)


def test_what_it_prints_is_told(tmp_path: Path):
    text = GOOD.replace("return", "print('hello')\n        return")
    assert try_bundle(bundle(tmp_path, text), PIXELS, TWO, 60, None).printed == "hello"


def test_too_much_memory(tmp_path: Path):
    with pytest.raises(UserError, match="GiB of memory"):
        try_bundle(bundle(tmp_path), PIXELS, TWO, 60, 0.001)


def test_memory_is_watched_while_it_runs(tmp_path: Path):
    text = GOOD.replace("return", "import time; held = b'x' * 900_000_000; time.sleep(60); return")
    started = time.monotonic()
    with pytest.raises(UserError, match=r"takes more than 0\.50 GiB"):
        try_bundle(bundle(tmp_path, text), PIXELS, TWO, 60, 0.5)
    assert time.monotonic() - started < 40


def test_its_children_end_with_it(tmp_path: Path):
    mark = f"{tmp_path.name}-{time.time_ns()}"
    child = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(120)', '{mark}'], start_new_session=True)"
    text = GOOD.replace("return", f"{child}\n        import time; time.sleep(60)\n        return")
    with pytest.raises(UserError, match="took longer than"):
        try_bundle(bundle(tmp_path, text), PIXELS, TWO, 4, None)
    time.sleep(0.5)
    running = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists()]
    assert not any(mark.encode() in line for line in running)


def test_it_sees_neither_home_nor_sockets_and_writes_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if isolation() != "sandbox":
        pytest.skip("this system gives no file system of its own")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "token-that-nobody-may-see")
    secret = tmp_path / "secret.txt"
    secret.write_text("home")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    listening.listen()
    text = f"""
import os, socket
seen = []
def tries(what):
    try:
        what()
        seen.append(what.__name__)
    except OSError:
        pass
def reads(): open({str(secret)!r})
def writes(): open({str(tmp_path / "written")!r}, "w")
def usr(): open("/usr/written", "w")
def library(): open(os.__file__, "a")
def talks(): socket.socket(socket.AF_UNIX).connect({str(tmp_path / "s")!r})
def environment():
    for pid in os.listdir("/proc"):
        if pid.isdigit() and b"nobody-may-see" in open(f"/proc/{{pid}}/environ", "rb").read():
            return
    raise OSError
for what in (reads, writes, usr, library, talks, environment): tries(what)
if os.listdir("/").count("home") or "nobody" in str(os.environ): seen.append("home")
open("/tmp/own", "w").write("its own /tmp")
if seen: raise SystemExit(", ".join(seen))
{GOOD}"""
    assert len(try_bundle(bundle(tmp_path, text), PIXELS, TWO, 60, None).answers) == 10
    assert not (tmp_path / "written").exists() and not Path("/tmp/own").exists()


def test_what_it_says_is_plain(tmp_path: Path):
    text = GOOD.replace("return", "print('\\x1b[31mred\\x1b]0;title\\x07')\n        return")
    assert try_bundle(bundle(tmp_path, text), PIXELS, TWO, 60, None).printed == "\\x1b[31mred\\x1b]0;title\\x07"
    with pytest.raises(UserError, match=r"fails where .*: ValueError: \\x1b\[31m") as error:
        try_bundle(bundle(tmp_path, "raise ValueError('\\x1b[31m')"), PIXELS, TWO, 60, None)
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["import os; os._exit(0)", "raise SystemExit(0)", GOOD.replace("return", "import os; os._exit(0)")]
)
def test_one_that_ends_without_labels_is_told(tmp_path: Path, text: str):
    with pytest.raises(UserError, match="ends without giving answers"):
        try_bundle(bundle(tmp_path, text), PIXELS, TWO, 60, None)


@pytest.mark.parametrize("name", ["inner/model.py", "../model.py", "other.py"])
def test_a_zip_that_is_not_flat_is_refused(tmp_path: Path, name: str):
    with pytest.raises(UserError, match=r"not flat|no model\.py"):
        try_bundle(bundle(tmp_path, GOOD, name), PIXELS, TWO, 60, None)
    assert not (tmp_path.parent / "model.py").exists()


def test_no_zip(tmp_path: Path):
    (tmp_path / "bundle.zip").write_text("nothing of the kind")
    with pytest.raises(UserError, match="is no zip"):
        try_bundle(tmp_path / "bundle.zip", PIXELS, TWO, 60, None)


def test_a_run_becomes_a_bundle_that_says_the_same_on_every_backend(tmp_path: Path, run_command):
    make_shapes(tmp_path)
    settings = (
        "--set",
        "cv.folds=2",
        "--set",
        'predict.tta=["identity","hflip","shift1"]',
        "--set",
        "data.size=[10,10]",
    )
    done = run_command(
        "harness.cv", "shapes", "--data", "data", "--recipe", "tiny", "--workers", "1", *settings, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    for backend, files in FILES.items():
        if backend == "onnx" and not importlib.util.find_spec("onnxruntime"):
            continue
        sizes = []
        for half in ((), ("--half",)):
            with pytest.MonkeyPatch.context() as patch:
                if half:  # how a backend runs apart is known by now
                    patch.setattr(trial, "run_apart", run_inside)
                told = submit(run_command, tmp_path, "--backend", backend, *half)
            assert told.returncode == 0, told.stderr
            said = json.loads(told.stdout)
            assert "the same answers as the harness" in said["trial"][0] and said["file"].endswith(".zip")
            with zipfile.ZipFile(said["file"]) as archive:
                assert sorted(archive.namelist()) == files
                assert "import harness" not in archive.read("model.py").decode()
                sizes.append(sum(info.file_size for info in archive.infolist()))
        assert sizes[1] < sizes[0]
    small = submit(run_command, tmp_path, "--size", "0.001")
    assert small.returncode == 2 and "more than the limit" in small.stderr and "--half" in small.stderr
    tight = submit(run_command, tmp_path, "--memory", "0.001")
    assert tight.returncode == 2 and "GiB of memory" in tight.stderr
    unknown = submit(run_command, tmp_path, "--backend", "jax")
    assert unknown.returncode == 2 and "torch, timm, onnx" in unknown.stderr


NETWORKS = {
    "timm": 'name = "timm"\n[model.args]\nbackbone = "test_resnet"\nimage_size = 32\nhead = [8]\ndropout = 0.2',
    "timm, levels": 'name = "timm"\n[model.args]\nbackbone = "test_efficientnet"\nlevels = true\nimage_size = 32\nhead = [8]',
    "torch": 'name = "cnn"\n[model.args]\nstages = [[4]]\ndense = [8]\ndropout = 0.2',  # its graph holds the network once for each view
}


@pytest.mark.parametrize("network", NETWORKS)
def test_all_views_without_the_harness(tmp_path: Path, run_command, monkeypatch: pytest.MonkeyPatch, network: str):
    """The views of model.py are the harness's own text; a network of timm's has dense layers on it."""
    make_shapes(tmp_path)
    recipe = tmp_path / "competitions" / "shapes" / "recipes" / "net.toml"
    recipe.write_text(
        f"[model]\n{NETWORKS[network]}\n"
        '[predict]\ntta = ["identity", "rot90", "five_crop", "scale110", "scale90", "shift2", "diagonal1", "brightness90"]\n'
        'weights = [2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]\ncombine = "logit"\nacross_folds = "vote"\n'
        '[train]\nepochs = 1\nbatch_size = 16\nlr = 0.01\nprecision = "fp32"\nchannels_last = false\n[cv]\nfolds = 2\n'
    )
    done = run_command("harness.cv", "shapes", "--data", "data", "--recipe", "net", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    backend = network.split(",")[0]
    if backend == "torch":  # it runs apart in the test above
        monkeypatch.setattr(trial, "run_apart", run_inside)
    told = submit(run_command, tmp_path, "--backend", backend)
    assert told.returncode == 0, told.stderr
    assert "the same answers as the harness" in json.loads(told.stdout)["trial"][0]


@pytest.mark.usefixtures("tried_inside")
def test_a_graph_of_onnx_has_the_levels_of_a_backbone(tmp_path: Path, run_command):
    make_shapes(tmp_path)
    made = tmp_path / "competitions" / "shapes" / "recipes" / "levels.toml"
    made.write_text(
        f"[model]\n{NETWORKS['timm, levels']}\n[features]\n[train]\nepochs = 1\n"
        'batch_size = 16\nprecision = "fp32"\nchannels_last = false\n[cv]\nfolds = 2\n'
    )
    done = run_command("harness.cv", "shapes", "--data", "data", "--recipe", "levels", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = submit(run_command, tmp_path, "--backend", "onnx")
    assert told.returncode == 0, told.stderr
    assert "the same answers as the harness" in json.loads(told.stdout)["trial"][0]


@pytest.mark.usefixtures("tried_inside")
@pytest.mark.parametrize("way", ["fit", "cover", "scale"])
def test_a_bundle_brings_images_to_the_frame_as_they_were_trained(tmp_path: Path, run_command, way: str):
    """Decoded images give the harness's own labels; images as they come, of unlike sizes, the pixels of the harness's own frame."""
    make_shapes(tmp_path)
    rng = np.random.default_rng(0)
    for n, path in enumerate(sorted((tmp_path / "data" / "shapes").rglob("*.png"))):
        with Image.open(path) as image:
            image.resize((12 + 3 * (n % 7), 12 + 5 * (n % 4))).save(path)
    settings = ("--set", "cv.folds=2", "--set", "data.size=[10,8]", "--set", f"data.resize={way}")
    done = run_command(
        "harness.cv",
        "shapes",
        "--data",
        "data",
        "--recipe",
        "tiny",
        "--workers",
        "1",
        "--noise",
        *settings,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    told = submit(run_command, tmp_path)
    assert told.returncode == 0, told.stderr
    made = json.loads(told.stdout)["file"]
    with zipfile.ZipFile(made) as archive:
        text, about = archive.read("model.py").decode(), json.loads(archive.read("bundle.json"))
    assert about["frame"]["resize"] == way and (about["frame"]["factor"] is None) == (way != "scale")
    module: dict[str, object] = {"__name__": "bundle", "__file__": str(tmp_path / "model.py")}
    (tmp_path / "bundle.json").write_text(json.dumps(about))
    exec(text.split("class TorchBase")[0], module)
    raw = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((30, 9, 1), (1, 50, 1), (12, 12, 1), (7, 7, 1))]
    frame = Frame(**about["frame"])
    wanted = [(frame.of_frames() if image.shape == (12, 12, 1) else frame).pixels(image) for image in raw]
    np.testing.assert_array_equal(module["as_trained"](raw), np.stack(wanted))  # type: ignore[operator]


FILES = {
    "torch": ["bundle.json", "fold-0.npz", "fold-1.npz", "graph.pt2", "model.py"],
    "onnx": ["bundle.json", "fold-0.onnx", "fold-1.onnx", "model.py"],
}


def submit(run_command, folder: Path, *options: str):
    args = ("--comp", "shapes", "--data", "data", "--bundle", "--dry-run", "--json", *options)
    return run_command("harness.submit", *args, cwd=folder)
