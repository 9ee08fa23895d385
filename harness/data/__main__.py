"""python -m harness.data COMPETITION: fetch its files where they are not there, check them, say what is in them.

python -m harness.data init PLACE: a competition.toml for files that no competition describes yet.
python -m harness.data preview COMPETITION --recipe R: a grid of what the model sees.
python -m harness.data cache: what lies in the cache, and how to take it away.
python -m harness.data keys: what competition.toml and recipes may say.
"""

from __future__ import annotations

import importlib
import json
import runpy
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.base.command import JsonOption, new_app, user_command
from harness.base.data_parts import DATA_PARTS
from harness.base.errors import UserError, nearest
from harness.base.options import CompetitionChoice, DataOptions
from harness.base.untrusted_text import counted, listed

_MOST_CLASSES = 200

app = new_app()


@app.command()
@user_command
def main(
    which: CompetitionChoice,
    where: DataOptions,
    again: Annotated[bool, typer.Option("--download", help="Fetch the files anew although they are there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch a competition's files (Kaggle) if they are not there, check them whole, and say what is in them.

    Parts, each with a --help of its own:

    python -m harness.data init PLACE: make a competition of files of your own, or of one on Kaggle; the first step.

    python -m harness.data preview COMPETITION --recipe R: images beside what a recipe's augmentation makes of them.

    python -m harness.data cache: what lies in the cache; --clear takes it away.

    python -m harness.data keys [NAME]: what competition.toml and recipes may say, which metrics there are.
    """
    from harness.base.progress import watching
    from harness.competition import DataChoice, find_competition
    from harness.data.chosen import load_chosen
    from harness.data.dataset import is_there
    from harness.data.download import can_download, download

    contest, root = find_competition(which.required()).using(DataChoice(set=where.data_set)), where.root
    if again and not can_download(contest):
        raise UserError(
            f"--download: the files of '{contest.slug}' are not on Kaggle; get them from {contest.url or 'its page'}"
        )
    with watching() as watcher:
        if again or (not where.sample and can_download(contest) and not is_there(contest, root)):
            zipped = download(contest, root / contest.slug, watcher.downloading)
            watcher.say(f"downloaded: {zipped}; its sha256 is in {zipped.parent / 'download.json'}")
        contest, dataset = load_chosen(contest, where, watcher)
    found = _describe(contest, dataset)
    print(json.dumps(found, indent=2)) if as_json else _print(contest.title, found)


def _describe(competition: Any, dataset: Any) -> dict[str, Any]:
    import numpy as np

    labels, task = dataset.train.labels, competition.kind
    counts: np.ndarray
    if task.is_one_class or competition.is_clustering:
        counts = np.bincount(labels, minlength=len(competition.classes))
    else:
        counts = labels.sum(axis=0) if task.of == "labels" else np.zeros(0)
    captions = dataset.train.captions
    return {
        "source": dataset.source,
        "is_sample": dataset.is_sample,
        "fingerprint": dataset.fingerprint,
        "cache": str(dataset.cache),
        "image": list(dataset.train.images.shape[1:]),
        "train": len(dataset.train),
        "test": len(dataset.test) if dataset.test else 0,
        "groups": len(np.unique(dataset.train.groups)),
        "notes": list(dataset.notes),
        "sample_submission": dataset.submission is not None,
        **({} if dataset.train.columns is None else {"columns": list(dataset.train.columns.names)}),
        "captions": None if captions is None else int((captions != "").sum()),
        "task": competition.task,
        "classes": {name: int(n) for name, n in zip(competition.classes, counts, strict=False)},
        "numbers": {}
        if task.of != "numbers"
        else {
            name: {"min": float(c.min()), "mean": float(c.mean()), "max": float(c.max())}
            for name, c in zip(competition.classes, labels.T, strict=True)
        },
    }


def _print(title: str, found: dict[str, Any]) -> None:
    height, width, channels = found["image"]
    print(f"{title}: {found['source']}")
    print(
        f"images:       {height}x{width}, {channels} channel{'s' if channels > 1 else ''}, {counted(found['groups'], 'group')}"
    )
    print(f"fingerprint:  {found['fingerprint']}")
    print(f"decoded in:   {Path(found['cache'])}")
    print(
        f"submission:   {'checked against the sample submission' if found['sample_submission'] else 'no sample submission'}"
    )
    if "columns" in found:
        print(f"columns:      {len(found['columns']):,} beside each image: {listed(found['columns'], 8)}")
    if found["captions"] is not None:
        print(f"captions:     {found['captions']:,} of {found['train']:,} images; no classes are given")
    wide = max((len(name) + 1 for name in [*found["classes"], *found["numbers"]][:_MOST_CLASSES]), default=0)
    wide = min(max(wide, 24), 48)
    for name, count in list(found["classes"].items())[:_MOST_CLASSES]:
        print(f"  {name:<{wide}}{count:>10,}  {100 * count / found['train']:5.2f} %")

    for name, of in list(found["numbers"].items())[:_MOST_CLASSES]:
        print(f"  {name:<{wide}}{of['min']:>12.5g} to {of['max']:.5g}, mean {of['mean']:.5g}")
    if len(found["classes"]) > _MOST_CLASSES:
        print(f"  ... {len(found['classes']):,} classes in all (--json lists them)")


def _refuse_misspelt(words: list[str]) -> None:
    """End with what was meant by a first word that is no competition and comes near a part of this command."""
    parts = tuple(DATA_PARTS)
    near = (
        nearest(words[0], parts, 0.75)
        if words[0] not in parts and len(words) > 1 and not words[0].startswith("-")
        else ""
    )
    if near and not words[1].startswith("-"):
        print(
            f"error: python -m harness.data {words[0]}: no such part{near}; there are: {', '.join(parts)}",
            file=sys.stderr,
        )
        sys.exit(2)


if __name__ == "__main__":
    _refuse_misspelt(sys.argv[1:] or [""])
    if sys.argv[1:2] and sys.argv[1] in DATA_PARTS:
        module = DATA_PARTS[sys.argv[1]]
        if module.endswith("__main__"):  # as a command of its own: nothing here imports what later stages do
            runpy.run_module(module.removesuffix(".__main__"), run_name="__main__", alter_sys=True)
        else:
            part = sys.argv.pop(1)
            importlib.import_module(module).app(prog_name=f"python -m harness.data {part}")
    else:
        app(prog_name="python -m harness.data")
