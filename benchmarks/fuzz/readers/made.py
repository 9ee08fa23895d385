"""What several kinds of readers are made of: a competition, an image, the last step of a table's targets."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz.parts import (
    CLASSES,
)


def spec_of(**values: Any) -> Any:
    """[data] of images of 4 x 4 in grey."""
    from harness.competition.data_spec import DataSpec

    return DataSpec.model_validate({"size": (4, 4), "channels": 1, **values})


def competition_of(folder: Path, **data: Any) -> Any:
    """A competition of three classes with this [data]; with `optional` it has a sample submission."""
    from harness.competition import Competition
    from harness.competition.data_spec import SubmissionSpec

    classes = () if data.get("format") == "captioned" else CLASSES
    return Competition(slug="fuzz", folder=folder / "contest", title="Fuzz", metric="accuracy", classes=classes, data=spec_of(**data),
                       submission=SubmissionSpec(sample="sample.csv" if data.get("optional") else None))  # fmt: skip


def png(number: int, mode: str = "RGB", kind: str = "png", **options: Any) -> bytes:
    """A drawn image of 7 x 9 as a file of a kind that Pillow writes."""
    from PIL import Image

    rng, buffer = np.random.default_rng(number), io.BytesIO()
    picture = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 65_536, (7, 9)).astype(np.uint16))
    elif mode != "RGB":
        picture = picture.convert(mode)
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def encode_targets(raw: Any) -> None:
    """Make arrays of a table's targets, as every format does in the end."""
    from harness.competition.tasks import TASKS
    from harness.data.rows.targets import encode

    encode(TASKS["single"], raw, CLASSES)
