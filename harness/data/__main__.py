"""python -m harness.data COMPETITION: where its data lies, whether it is whole, what is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.base.command import DataOption, JsonOption, SampleOption, data_root, new_app, user_command

app = new_app()


@app.command()
@user_command
def main(
    competition: Annotated[str, typer.Argument(help="Folder or slug, e.g. competitions/digit-recognizer.")],
    data: DataOption = None,
    sample: SampleOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read a competition's data, check it whole, and say what is in it."""
    from harness.competition import find_competition
    from harness.data.dataset import load_dataset

    contest = find_competition(competition)
    dataset = load_dataset(contest, data_root(data), sample=sample)
    found = _describe(contest, dataset)
    print(json.dumps(found, indent=2)) if as_json else _print(contest.title, found)


def _describe(competition: Any, dataset: Any) -> dict[str, Any]:
    import numpy as np

    counts = np.bincount(dataset.train.labels, minlength=len(competition.classes))
    return {
        "source": dataset.source,
        "is_sample": dataset.is_sample,
        "fingerprint": dataset.fingerprint,
        "cache": str(dataset.cache),
        "image": list(dataset.train.images.shape[1:]),
        "train": len(dataset.train),
        "test": len(dataset.test) if dataset.test else 0,
        "groups": len(np.unique(dataset.train.groups)),
        "sample_submission": dataset.submission is not None,
        "classes": {name: int(n) for name, n in zip(competition.classes, counts, strict=True)},
    }


def _print(title: str, found: dict[str, Any]) -> None:
    height, width, channels = found["image"]
    print(f"{title}: {found['source']}")
    print(
        f"images:       {height}x{width}, {channels} channel{'s' if channels > 1 else ''}, {found['groups']:,} groups"
    )
    print(f"fingerprint:  {found['fingerprint']}")
    print(f"decoded in:   {Path(found['cache'])}")
    print(
        f"submission:   {'checked against the sample submission' if found['sample_submission'] else 'no sample submission'}"
    )
    for name, count in found["classes"].items():
        print(f"  {name:<24}{count:>10,}  {100 * count / found['train']:5.2f} %")


if __name__ == "__main__":
    app()
