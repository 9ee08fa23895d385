"""What harness.clean finds: on spoiled sets of our own, made from rows that nobody doubts.

python -m benchmarks.clean [--data DIR] [--rounds 4]

The real training set of blood cells is spoiled, and which rows are is not known. So its plain rows (no verdict) and its
test images (all clean, labelled here by a linear model of the plain rows) are taken for clean, and spoiled anew in each
round: 30 exact and 30 near copies (JPEG, a pixel cropped, 5 % brighter) with the right label and as many with a wrong one,
140 times one photograph, 60 times another and 40 mixed ones laid over cells at 60, 70, 80 or 100 %, with random labels.
Photographs are Flickr8k's and aerial views, others in every round. The plain rows were picked by the same command, so the
false accusations are counted on the test images too, which were not.
"""

from __future__ import annotations

import argparse
import io
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from harness.base.command import data_root
from harness.clean.copies.hamming_search import near_pairs
from harness.clean.judge import find
from harness.clean.label_votes import label_probabilities
from harness.competition import Competition, Samples, find_competition
from harness.data.dataset import load_dataset

KINDS = ("exact", "exact wrong", "near", "near wrong", "foreign")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, default=None)
    arguments.add_argument("--rounds", type=int, default=4)
    given = arguments.parse_args()
    root = data_root(given.data)
    competition = find_competition("bloodcells")
    dataset = load_dataset(competition, root)
    started = time.perf_counter()
    real = find(dataset.train, competition.classes, dataset.test)
    print(f"real training set: {len(dataset.train):,} rows judged in {time.perf_counter() - started:.1f} s")
    base, is_test = clean_base(competition, dataset.train, dataset.test, {v.id for v in real.verdicts})
    for number in range(given.rounds):
        pictures = photographs(root, seed=number)
        show(competition, base, is_test, pictures, seed=number)
        held_out = is_test & (np.arange(len(base)) % 2 == 0)  # odd ones among the others have their like there
        show(competition, part(base, ~held_out), is_test[~held_out], pictures, number, part(base, held_out))
    hashes = np.unique(np.random.default_rng(0).integers(0, 2**64, 200_000, dtype=np.uint64))
    started = time.perf_counter()
    near_pairs(hashes, hashes, 4)
    print(f"{len(hashes):,} hashes searched for pairs within 4 bits in {time.perf_counter() - started:.2f} s")


def clean_base(competition: Competition, train: Samples, test: Samples, judged: set[str]) -> tuple[Samples, np.ndarray]:
    """Rows taken for clean, and which of them are test images."""
    plain = np.flatnonzero(~np.isin(train.ids, list(judged)))
    both = np.concatenate([train.images, test.images])
    labels = np.r_[train.labels, np.zeros(len(test), np.int64)]
    rows = np.arange(len(train), len(both))
    labels[rows] = label_probabilities(both, labels, rows, plain).argmax(axis=1)
    chosen = np.r_[plain, rows]
    samples = Samples(chosen.astype(str), both[chosen], labels[chosen])
    return samples, chosen >= len(train)


def photographs(root: Path, seed: int) -> list[np.ndarray]:
    """Ten photographs, two of them for the families, and three aerial views; 96x96."""
    rng, found = np.random.default_rng(seed), []
    for archive, n in (("flickr8k.zip", 10), ("ucm_captions.zip", 3)):
        with zipfile.ZipFile(root / "flickr8k" / archive) as file:
            names = sorted(n for n in file.namelist() if n.startswith("Images/") and n.endswith(".jpg"))
            for name in rng.choice(names, n, replace=False):
                picture = Image.open(io.BytesIO(file.read(name))).convert("RGB")
                side = min(picture.size)
                found.append(np.asarray(picture.crop((0, 0, side, side)).resize((96, 96))))
    return found


def spoil(base: Samples, pictures: list[np.ndarray], seed: int) -> tuple[Samples, np.ndarray]:
    """The base with spoiled rows behind it, and the kind of every row ("" = clean)."""
    rng = np.random.default_rng(seed)
    images, labels, kinds = [], [], []
    sources = rng.permutation(len(base))[:120]
    for place, source in enumerate(sources):
        kind = KINDS[place // 30]
        image, label = base.images[source], base.labels[source]
        images.append(nearly(image, place % 3) if kind.startswith("near") else image)
        labels.append((label + rng.integers(1, 8)) % 8 if kind.endswith("wrong") else label)
        kinds.append(kind)
    for place in range(240):
        picture = pictures[0 if place < 140 else 1 if place < 200 else rng.integers(2, len(pictures))]
        share, cell = rng.choice([0.6, 0.7, 0.8, 1.0]), base.images[rng.integers(len(base))]
        images.append((share * picture + (1 - share) * cell).astype(np.uint8))
        labels.append(rng.integers(8))
        kinds.append("foreign")
    ids = np.r_[[f"base-{i}" for i in range(len(base))], [f"spoiled-{i}" for i in range(len(images))]]
    samples = Samples(ids, np.concatenate([base.images, np.stack(images)]), np.r_[base.labels, labels].astype(np.int64))
    return samples, np.r_[[""] * len(base), kinds]


def nearly(image: np.ndarray, way: int) -> np.ndarray:
    """JPEG again, one pixel cropped, or 5 % brighter."""
    if way == 0:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=75)
        return np.asarray(Image.open(buffer))
    if way == 1:
        return np.asarray(Image.fromarray(image[1:-1, 1:-1]).resize(image.shape[1::-1], Image.Resampling.BILINEAR))
    return (image * 1.05).clip(0, 255).astype(np.uint8)


def part(samples: Samples, rows: np.ndarray) -> Samples:
    """Some rows."""
    return Samples(samples.ids[rows], samples.images[rows], samples.labels[rows])


def show(
    competition: Competition,
    base: Samples,
    is_test: np.ndarray,
    pictures: list[np.ndarray],
    seed: int,
    test: Samples | None = None,
) -> None:
    """Judge a spoiled set, by itself or beside a test, and print what was found of each kind, and which clean rows were accused."""
    samples, kinds = spoil(base, pictures, seed)
    started = time.perf_counter()
    said = {v.id: v for v in find(samples, competition.classes, test).verdicts}
    seconds = time.perf_counter() - started
    fits = {
        "exact": ("exact duplicate", "label conflict"),
        "exact wrong": ("label conflict",),
        "near": ("near duplicate", "exact duplicate", "label conflict"),
        "near wrong": ("label conflict",),
        "foreign": ("foreign", "label conflict"),
    }
    parts = []
    for kind in KINDS:
        these = samples.ids[kinds == kind]
        found = sum(
            i in said and said[i].verdict in fits[kind] and (kind != "foreign" or said[i].action != "keep")
            for i in these
        )
        parts.append(f"{kind} {found}/{len(these)}")
    excluded = np.array([i in said and said[i].action == "exclude" for i in samples.ids[kinds == ""]])
    wrong = samples.ids[np.char.endswith(kinds, "wrong")]
    out = sum(said[i].action == "exclude" for i in wrong if i in said)
    print(
        f"round {seed}{'' if test is None else f', beside {len(test)} test images'}: {', '.join(parts)}; wrong labels excluded {out}/{len(wrong)}; clean rows excluded: "
        f"{excluded[~is_test].mean():.2%} of plain rows, {excluded[is_test].mean():.2%} of test images; {seconds:.1f} s"
    )


if __name__ == "__main__":
    main()
