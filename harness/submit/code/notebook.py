"""The notebook of a code submission."""

from __future__ import annotations

from harness.kernels.kaggle.notebook import FIND, told_job
from harness.submit.code.package import Package

REPORT = "harness-code.json"

_UNPACK = """
import time
import numpy as np

home = Path(tempfile.mkdtemp(prefix="harness-"))
for name, sha256 in JOB["files"].items():  # the harness, the competition's folder, the model
    zipfile.ZipFile(attached(name, sha256)).extractall(home / name.rpartition(".")[2])
sys.path[:0] = [str(home / "whl"), str(home / "bundle")]
"""

_PREDICT = """
from harness.submit.code.there import open_test  # reads images as those of the training were read

test = open_test(home, JOB, INPUT)
began = time.perf_counter()
from model import Model  # complete in its folder

model = Model()
loaded = time.perf_counter()
answers = np.concatenate([model.predict(images) for images in test.batches()])
done = time.perf_counter()
print(f"{len(answers)} images, {loaded - began:.1f} s to load, {done - loaded:.1f} s to read and predict")
"""

_WRITE = """
test.write(answers, WORKING / JOB["output"])
told = {"rows": len(answers), "load": loaded - began, "predict": done - loaded}
(WORKING / "harness-code.json").write_text(json.dumps(told))
print((WORKING / JOB["output"]).read_text()[:300])
"""


def code_cells(package: Package, tag: str) -> list[tuple[str, str]]:
    """Its cells, in order."""
    about = package.about
    words = f"""
# {about.run}

Pushed by competition-harness for https://www.kaggle.com/c/{about.slug}: finds the test's images, predicts with `model.py`, writes `{about.output}`.
Run `{tag}`.
"""
    job = {
        "files": package.hashes,
        "slug": about.slug,
        "folder": about.folder,
        "data": about.data,
        "classes": list(about.classes),
        "output": about.output,
    }
    return [
        ("markdown", words),
        ("code", FIND + told_job(job)),
        ("code", _UNPACK),
        ("code", _PREDICT),
        ("code", _WRITE),
    ]
