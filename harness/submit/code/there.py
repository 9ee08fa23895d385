"""What the notebook of a code submission takes from the harness: the test's images, read as those of the training, and the file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.competition import Competition, find_competition
from harness.competition.data_spec import DataSpec
from harness.competition.schema import validate
from harness.data.build import Building
from harness.data.cache import Dataset, open_samples
from harness.data.files.archives import FileTree
from harness.data.formats.images import SCALE
from harness.runs.align import align_rows
from harness.submit.submission import answered_table, wanted_form, wanted_ids

_AT_ONCE = 256


@dataclass(frozen=True)
class Test:
    """The test as it lies here; `dataset` has it as its training rows too, since nothing else is read."""

    competition: Competition
    dataset: Dataset

    def batches(self, n: int = _AT_ONCE) -> Iterator[np.ndarray]:
        """Its images, uint8 (up to n, H, W, C), in order."""
        images = self.dataset.train.images
        for start in range(0, len(self.dataset.train), n):
            rows = range(start, min(start + n, len(self.dataset.train)))
            yield np.stack([images[row] for row in rows])

    def write(self, answers: np.ndarray, path: Path) -> None:
        """Write the answers (n, ...) as [submission] says, in the order of the sample submission that lies here."""
        ids, form = wanted_ids(self.competition, self.dataset), wanted_form(self.competition, self.dataset)
        rows = align_rows(self.dataset.train.ids, ids, "the test's images")
        table = answered_table(self.competition, ids, answers[rows])
        path.write_text(form.text(table), encoding="utf-8", newline="")


def open_test(home: Path, job: dict[str, Any], given: Path) -> Test:
    """Find the competition's files below `given` by their folder's name, and read the test.

    home : folder with what was sent, unpacked: pack/competition, pack/out

    Raises
    ------
    FileNotFoundError
        If no folder of that name holds the test.
    """
    folder = home / job["slug"]
    shutil.copytree(home / "pack" / "competition", folder)
    data = validate(DataSpec, job["data"], "the run's [data]")
    competition = find_competition(folder).model_copy(update={"data": data, "classes": tuple(job["classes"])})
    tree = FileTree(_files(given, job["folder"], str(data.test)))
    part = home / "decoded"
    part.mkdir()
    if (home / "pack" / "out" / SCALE).is_file():
        shutil.copyfile(home / "pack" / "out" / SCALE, part / SCALE)
    streams = data.format in ("image_folder", "image_csv")
    building = Building(competition, tree, False, False, streams, lambda done, total: None, tree)
    if not building.write_test(part):
        raise FileNotFoundError(f"{tree.path}: there is no test ({data.test})")
    samples, sample = open_samples(part / "test"), part / "submission.csv"
    submission = sample if sample.is_file() else None
    print(f"test: {len(samples)} images of {tree.path}")
    return Test(competition, Dataset(samples, samples, submission, str(tree.path), False, "", part))


def _files(given: Path, folder: str, test: str) -> Path:
    for pattern in (folder, f"*/{folder}", f"*/*/{folder}", "*", "*/*"):
        for path in sorted(given.glob(pattern)):
            if path.is_dir() and FileTree(path).has(test):
                return path
    raise FileNotFoundError(f"no folder below {given} holds {test}: is the competition's data attached?")
