"""Every damage: a file, what is done to it, and the commands that read it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.damages.project import BAD, SLUG, Whole

VERDICTS = ("seen", "healed", "harmless", *BAD)

AREAS = ("runs", "cache", "journal", "clean")


@dataclass(frozen=True)
class Damage:
    """A file and what is done to it.

    Attributes
    ----------
    area : one of AREAS; file : its name in the tables; kind : what is done
    path : of the file, below a place
    apply : does it to a place
    commands : names of those that are run
    """

    area: str
    file: str
    kind: str
    path: str
    apply: Callable[[Path], None]
    commands: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.area}/{self.file}/{self.kind}"


def flip(path: Path) -> None:
    """Turn one bit of the middle byte."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


PLAIN: dict[str, Callable[[Path], Any]] = {
    "deleted": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "flipped": flip,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}
"""Damages of any file."""


def plain(area: str, file: str, path: str, names: tuple[str, ...]) -> list[Damage]:
    """The damages of PLAIN to one file."""

    def apply(harm: Callable[[Path], Any]) -> Callable[[Path], None]:
        return lambda place: harm(place / path)

    return [Damage(area, file, kind, path, apply(harm), names) for kind, harm in PLAIN.items()]


def changed(area: str, file: str, kind: str, path: str, harm: Callable[[Path], Any], names: tuple[str, ...]) -> Damage:
    """A damage of one file only."""
    return Damage(area, file, kind, path, lambda place: harm(place / path), names)


def damages(whole: Whole) -> list[Damage]:
    """All of them."""
    return [*_run_damages(whole), *_cache_damages(whole), *_journal_damages(whole), *_clean_damages(whole)]


def _run_damages(whole: Whole) -> list[Damage]:
    run, donor = whole.run(), whole.work / "donor"
    all_read = ("cv", "resume", "compare", "errors", "ensemble", "submit")  # submit forecasts too
    by_weights = ("bundle", "other suite")
    more = {
        "recipe.json": (*by_weights, "pseudo", "submit best"),
        "environment.json": (*by_weights, "pseudo", "submit best", "forecast"),
        "folds.csv": (*by_weights, "pseudo"),
        "fold-1.npz": ("pseudo",),
        "checkpoints/fold-1.safetensors": by_weights,
        "scores.json": ("submit best", "pseudo", "forecast"),
        "noise.json": ("calibrate", "forecast"),
        "noise/fold-1-rows-1000.npz": ("calibrate", "forecast"),
        "clean.csv": by_weights,
        "manifest.json": (*by_weights, "pseudo"),
        "start.zip": by_weights,
    }
    found = []
    more |= {"oof.parquet": ("forecast",), "test.parquet": ("forecast",), "history.jsonl": ()}
    for name in more:
        path, names = f"{run}/{name}", (*all_read, *more[name])
        if not (whole.place / path).is_file():
            continue
        found += plain("runs", name, path, tuple(n for n in names if n != "bundle" or name in _BUNDLED))
        source = donor / path.replace("fold-1", "fold-0")
        if "fold-1" not in name:
            source = donor / whole.run("other") / name
        if source.is_file() and source.read_bytes() != (whole.place / path).read_bytes():
            found.append(changed("runs", name, "swapped", path, _taking(source), names))
        for kind, harm in VALUES.get(name, {}).items():
            found.append(changed("runs", name, kind, path, harm, names))
    found.append(_all_folds_swapped(whole, all_read))
    return found


def _all_folds_swapped(whole: Whole, names: tuple[str, ...]) -> Damage:
    """Two folds' checkpoints in each other's place: every file is there, and whole."""
    folder = f"{whole.run()}/checkpoints"

    def apply(place: Path) -> None:
        a, b = place / folder / "fold-0.safetensors", place / folder / "fold-1.safetensors"
        first = a.read_bytes()
        a.write_bytes(b.read_bytes())
        b.write_bytes(first)

    path = f"{folder}/fold-1.safetensors"
    return Damage("runs", "checkpoints/fold-1.safetensors", "exchanged", path, apply, (*names, "bundle", "other suite"))


def _taking(source: Path) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(source.read_bytes())


def _cache_damages(whole: Whole) -> list[Damage]:
    cache = whole.cache()
    train = ("data", "cv", "fresh", "errors", "submit", "overwrite")
    test = ("data", "cv", "fresh", "submit", "overwrite")
    small = ("small", "small fresh", "data")
    read_by = {f"train/{name}.npy": train for name in ("images", "ids", "labels", "sizes")}
    read_by |= {f"test/{name}.npy": test for name in ("images", "ids", "sizes")}
    read_by |= {"train/images-8x8.npy": small, "test/images-8x8.npy": small}
    read_by |= {"meta.json": ("data", "cv", "fresh", "errors", "submit", "clean"), "submission.csv": ("data", "submit")}
    found = []
    for name, names in read_by.items():
        path = f"{cache}/{name}"
        if not (whole.place / path).is_file():
            continue
        found += plain("cache", name, path, names)
        if name.endswith(".npy"):
            found.append(
                changed("cache", name, "row appended", path, _with_rows(lambda a: np.append(a, a[-1:], 0)), names)
            )
            found.append(changed("cache", name, "row removed", path, _with_rows(lambda a: a[:-1]), names))
        if name.endswith(".csv"):
            found.append(changed("cache", name, "row appended", path, _with_lines(lambda n: [*n, n[-1]]), names))
            found.append(changed("cache", name, "row removed", path, _with_lines(lambda n: n[:-1]), names))
    found.append(changed("cache", "train/labels.npy", "values", f"{cache}/train/labels.npy", _other_label, train))
    other = _with_json(lambda told: told.update(fingerprint="0" * 16))
    found.append(changed("cache", "meta.json", "values", f"{cache}/meta.json", other, read_by["meta.json"]))
    return found


def _journal_damages(whole: Whole) -> list[Damage]:
    path = f"{whole.study()}/study.journal"
    found = plain("journal", "study.journal", path, ("tune",))
    kinds: dict[str, Callable[[list[str]], str]] = {
        "cut in the last line": lambda n: "".join(n)[:-20],
        "last line missing": lambda n: "".join(n[:-1]),
        "garbage line": lambda n: "".join([*n[: len(n) // 2], "%%% no JSON\n", *n[len(n) // 2 :]]),
        "zeros at the end": lambda n: "".join(n) + "\0" * 512,
        "half line, whole line": lambda n: "".join([*n[:-1], n[-2][: len(n[-2]) // 2] + "\n", n[-1]]),
        "half line runs into the next": lambda n: "".join([*n[:-2], n[-2][: len(n[-2]) // 2], n[-1]]),
        "line doubled": lambda n: "".join([*n, n[-1]]),
    }

    def apply(harm: Callable[[list[str]], str]) -> Callable[[Path], Any]:
        return lambda file: file.write_text(harm(file.read_text().splitlines(keepends=True)))

    return found + [changed("journal", "study.journal", k, path, apply(harm), ("tune",)) for k, harm in kinds.items()]


def _clean_damages(whole: Whole) -> list[Damage]:
    folder = f"project/oof/{SLUG}/clean"
    names = ("clean", "overwrite", "cv", "submit", "submit best")
    found = []
    for name in ("clean.csv", "clean.json"):
        found += plain("clean", name, f"{folder}/{name}", names)

    def old(place: Path) -> tuple[str, str]:
        """The pair as a run of harness.clean would have left it that had found fewer rows."""
        lines = (place / folder / "clean.csv").read_text().splitlines(keepends=True)
        table = "".join(lines[: 1 + (len(lines) - 1) // 2])
        told = json.loads((place / folder / "clean.json").read_text())
        return table, json.dumps(told | {"as_written": hashlib.sha256(table.encode()).hexdigest()}, indent=2) + "\n"

    def old_table(place: Path) -> None:
        (place / folder / "clean.csv").write_text(old(place)[0])

    def old_about(place: Path) -> None:
        (place / folder / "clean.json").write_text(old(place)[1])

    def other_data(place: Path) -> None:
        _with_json(lambda told: told.update(fingerprint="0" * 16))(place / folder / "clean.json")

    found.append(Damage("clean", "clean.csv", "old beside new", f"{folder}/clean.csv", old_table, names))
    found.append(Damage("clean", "clean.json", "old beside new", f"{folder}/clean.json", old_about, names))
    found.append(Damage("clean", "clean.json", "values", f"{folder}/clean.json", other_data, names))
    return found


def _with_json(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Change what a JSON file holds, in place."""

    def apply(path: Path) -> None:
        told = json.loads(path.read_text())
        change(told)
        path.write_text(json.dumps(told, indent=2) + "\n")

    return apply


def _with_rows(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return lambda path: np.save(path, change(np.load(path)))


def _with_lines(change: Callable[[list[str]], list[str]]) -> Callable[[Path], Any]:
    return lambda path: path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def _with_arrays(change: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[Path], None]:
    """Change what an .npz holds, in place."""

    def apply(path: Path) -> None:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        change(arrays)
        with path.open("wb") as file:
            np.savez(file, **arrays)

    return apply


def _with_table(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """What a parquet file holds, replaced by what `change` makes of it."""

    def apply(path: Path) -> None:
        import pandas as pd

        change(pd.read_parquet(path)).to_parquet(path, index=False)

    return apply


def _one_row_turned(table: Any) -> Any:
    """One row's two probabilities in each other's place."""
    table.loc[3, ["proba_circle", "proba_square"]] = table.loc[3, ["proba_square", "proba_circle"]].to_numpy()
    return table


def _two_predictions_exchanged(table: Any) -> Any:
    """Probabilities of the most and the least certain row in each other's place; ids stay."""
    columns = ["proba_circle", "proba_square"]
    a, b = int(table["proba_circle"].argmin()), int(table["proba_circle"].argmax())
    table.loc[[a, b], columns] = table.loc[[b, a], columns].to_numpy()
    return table


def _zeroed_weights(path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    save_file({name: np.zeros_like(tensor) for name, tensor in load_file(path).items()}, path)


def _other_label(path: Path) -> None:
    labels = np.load(path)
    labels[5] = 1 - labels[5]
    np.save(path, labels)


def _other_member(path: Path) -> None:
    """A whole zip whose recipe says another learning rate."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member.replace(b"0.01", b"0.02") if name.endswith("recipe.json") else member)
    path.write_bytes(content.getvalue())


def _better(scores: dict[str, Any]) -> None:
    scores["metrics"]["accuracy"].update(pooled=0.999, mean=0.999)


def _better_noise(told: dict[str, Any]) -> None:
    told.update(mean=0.99, camera=0.99)


def _other_digest(manifest: Any) -> None:
    """Change the first sha256 that the manifest holds, wherever it stands."""
    stack = [manifest]
    while stack:
        at = stack.pop()
        for key, value in at.items() if isinstance(at, dict) else enumerate(at):
            if isinstance(value, dict | list):
                stack.append(value)
            elif isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
                at[key] = "0" * 64
                return


def _fold_moved(lines: list[str]) -> list[str]:
    """folds.csv with one row in the next fold."""
    row, fold, kept = lines[4].rsplit(",", 2)
    return [*lines[:4], f"{row},{(int(fold) + 1) % 3},{kept}", *lines[5:]]


_BUNDLED = ("checkpoints/fold-1.safetensors", "manifest.json")
"""Files whose every damage a bundle is tried with (it takes seconds); with the others' only where they stay valid."""

VALUES: dict[str, dict[str, Callable[[Path], Any]]] = {
    "recipe.json": {"values": _with_json(lambda told: told["train"].update(lr=0.02))},
    "environment.json": {
        "values": _with_json(lambda told: told["competition"]["classes"].reverse()),
        "other data": _with_json(lambda told: told["data"].update(fingerprint="0" * 16)),
    },
    "folds.csv": {"values": _with_lines(_fold_moved)},
    "fold-1.npz": {
        "values": _with_arrays(lambda a: a.update(valid_proba=a["valid_proba"][::-1])),
        "one number": _with_arrays(lambda a: a["test_proba"].__setitem__((0, 0), 0.9)),
        "row missing": _with_arrays(lambda a: a.update({k: a[k][:-1] for k in ("valid_index", "valid_proba")})),
    },
    "checkpoints/fold-1.safetensors": {"values": _zeroed_weights},
    "oof.parquet": {
        "values": _with_table(_one_row_turned),
        "rows exchanged": _with_table(lambda t: t.iloc[[1, 0, *range(2, len(t))]]),
        "row missing": _with_table(lambda t: t.iloc[:-1]),
    },
    "test.parquet": {
        "values": _with_table(_two_predictions_exchanged),
        "rows exchanged": _with_table(lambda t: t.iloc[[1, 0, *range(2, len(t))]]),
        "row missing": _with_table(lambda t: t.iloc[:-1]),
    },
    "history.jsonl": {
        "values": _with_lines(lambda n: [re.sub(r'"loss": [^,]+', '"loss": 0.001', n[0]), *n[1:]]),
        "row removed": _with_lines(lambda n: n[:-1]),
    },
    "scores.json": {
        "values": _with_json(_better),
        "other fold": _with_json(lambda told: told["folds"][0].update(accuracy=0.999)),
    },
    "noise.json": {"values": _with_json(_better_noise)},
    "noise/fold-1-rows-1000.npz": {"values": _with_arrays(lambda a: a.update(proba=a["proba"][..., ::-1]))},
    "clean.csv": {"values": _with_lines(lambda n: [line.replace(",exclude,", ",keep,") for line in n])},
    "manifest.json": {"values": _with_json(_other_digest)},
    "start.zip": {"values": _other_member},
}
"""Damages that leave a file valid, by the file's name in a run folder."""
