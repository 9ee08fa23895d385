"""report.html of a clustering run: how good the clusters are, what is in them, honest beside leaky, what produced it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from harness.competition import Competition
from harness.competition.metrics import confusion
from harness.cv.clustering.scores import Pooled
from harness.cv.report.page import curves, fold_table, label, produced_section, shown
from harness.data.cache import Dataset
from harness.report import figures
from harness.report.gallery import Shot, top_bars
from harness.report.page import Page
from harness.runs import Folds, Run, RunFolder

_SHEET = 12  # images of a contact sheet
_LINES = 8  # captions of one, where there are no images

WHY_LEAKY = (
    "The leaky way fits word vectors, scaler, components and clusters on all rows and then scores rows that helped to make "
    "their own labels; the honest way fits them on the training folds only, and a row is labelled by the nearest centroid "
    "of clusters that have never seen it. The leaky score says how well a network repeats a partition that it was given; the "
    "honest one says how well clusters and network carry over to new images."
)


def write_cluster_report(
    folder: RunFolder,
    competition: Competition,
    dataset: Dataset,
    folds: Folds,
    pooled: Pooled,
    scores: dict[str, Any],
    other: Run | None,
) -> None:
    """Write report.html; every figure in it comes from the arguments."""
    recipe, environment = folder.recipe(), folder.environment()
    names, clusters = environment["competition"]["classes"], scores["clusters"]
    page = Page(
        title=f"{competition.title}: {folder.name}",
        lead=f"{recipe.description or recipe.name}. {dataset.source}, fingerprint {dataset.fingerprint}.",
        warnings=_warnings(dataset, scores, environment, folds),
    )
    _cards(page, scores, clusters)
    rows = np.flatnonzero((pooled.labels >= 0) & folds.kept)
    section = page.section("Folds").table(*fold_table(scores), total=2)
    section.text(
        "Each fold's clusters are numbered as the first fold's that they share most rows with (Hungarian method); a row "
        "counts with the label and the prediction of the fold that does not know it."
    )
    _ways(page, scores, other)
    assert recipe.clusters is not None
    _clusters_section(page, dataset, pooled, rows, names, scores, recipe.clusters.picture)
    _over_k(page, environment["clusters"]["over_k"])
    _contents(page, dataset, pooled, rows, names)
    if recipe.model.name != "kmeans":
        matrix = confusion(pooled.labels[rows], pooled.oof[rows].argmax(axis=1), len(names))
        page.section("Network against labels").figure(
            figures.confusion_matrix(matrix, names),
            "Rows: the pseudo-label; columns: what the network says, out of fold.",
        )
    _training(page, folder)
    told = {k: v for k, v in environment.items() if k not in ("competition", "clusters")}
    produced_section(page, recipe, told)
    page.write(folder.path / "report.html")


def _warnings(dataset: Dataset, scores: dict[str, Any], environment: dict[str, Any], folds: Folds) -> list[str]:
    found = []
    if dataset.is_sample:
        found.append("Embedded sample, drawn by a program: these scores say nothing about real images.")
    if not scores["complete"]:
        found.append(f"Partial: {len(scores['folds'])} of {folds.k} folds are done; scores cover their rows only.")
    if environment["optimistic"]:
        found.append(environment["optimistic"])
    return found


def _cards(page: Page, scores: dict[str, Any], clusters: dict[str, Any]) -> None:
    for name, value in scores["metrics"].items():
        page.card(label(name), shown(value["pooled"]), f"95 %: {shown(value['low'])} to {shown(value['high'])}")
    page.card("stability over folds", shown(clusters["stability_folds"]), "adjusted Rand index; 1 = all the same")
    if clusters["stability_seeds"] is not None:
        page.card("stability over seeds", shown(clusters["stability_seeds"]), "each on 80 % of the training rows")
        page.card("Davies-Bouldin", shown(clusters["davies_bouldin"] or float("nan")), "less is better")
        page.card("Calinski-Harabasz", f"{clusters['calinski_harabasz'] or float('nan'):,.1f}", "more is better")


def _ways(page: Page, scores: dict[str, Any], other: Run | None) -> None:
    section = page.section("Honest and leaky")
    leaky = scores["clusters"]["leaky"]
    if other is None:
        section.text(
            f"Only the {'leaky' if leaky else 'honest'} way was run; {'leave out' if leaky else 'add'} --leaky for the other."
        )
    else:
        ways = {leaky: scores, not leaky: other.scores}
        names = [name for name in scores["metrics"] if name in other.scores["metrics"]]
        rows = [
            [label(name), *(_interval(ways[way]["metrics"][name]) for way in (False, True)), _difference(ways, name)]
            for name in names
        ]
        section.table(["measure", "honest [95 %]", "leaky [95 %]", "leaky - honest"], rows)
    section.text(WHY_LEAKY)


def _difference(ways: dict[bool, dict[str, Any]], name: str) -> str:
    return f"{ways[True]['metrics'][name]['pooled'] - ways[False]['metrics'][name]['pooled']:+.5f}"


def _interval(value: dict[str, Any]) -> str:
    return f"{shown(value['pooled'])} [{shown(value['low'])}, {shown(value['high'])}]"


def _clusters_section(
    page: Page,
    dataset: Dataset,
    pooled: Pooled,
    rows: np.ndarray,
    names: list[str],
    scores: dict[str, Any],
    how: str,
) -> None:
    section, sizes = page.section("Clusters"), scores["clusters"]["sizes"]
    words = typical_words(dataset.train.captions, pooled.labels, rows, len(names))
    lines = [
        [name, f"{sizes[c]:,}", f"{100 * sizes[c] / max(sum(sizes), 1):.1f} %", ", ".join(words[c])]
        for c, name in enumerate(names)
    ]
    section.table(["cluster", "rows", "share", "typical words"], lines)
    if "plane" in pooled.parts[0]:
        section.figure(
            figures.scatter(pooled.parts[0]["plane"][rows], pooled.labels[rows], names),
            f"The space that fold 0 clusters in, in two dimensions ({how.upper()}); colours are the labels out of fold.",
        )


def typical_words(
    captions: np.ndarray | None, labels: np.ndarray, rows: np.ndarray, k: int, most: int = 8
) -> list[list[str]]:
    """For each cluster the words whose share among its images is furthest above that among all; [] without captions."""
    from collections import Counter

    from harness.text.tokens import tokenise

    if captions is None:
        return [[] for _ in range(k)]
    of_row = [{word for caption in row for word in caption} for row in tokenise(captions[rows])]
    overall, found = Counter(word for words in of_row for word in words), []
    for cluster in range(k):
        members = [words for words, c in zip(of_row, labels[rows], strict=True) if c == cluster]
        inside = Counter(word for words in members for word in words)
        lift = {w: n / max(len(members), 1) - overall[w] / len(of_row) for w, n in inside.items()}
        found.append(sorted(lift, key=lambda w: (-lift[w], w))[:most])
    return found


def _over_k(page: Page, lines: list[dict[str, Any]]) -> None:
    if not lines:
        return
    section = page.section("How many clusters")
    curves_ = {
        name: ([line["k"] for line in lines], [line[name] for line in lines])
        for name in ("balance", "silhouette", "stability", "mean")
    }
    best = max(lines, key=lambda line: line["mean"])["k"]
    section.figure(
        figures.lines(curves_, "clusters", "0 to 1, more is better"),
        f"On the training rows of fold 0. By the mean of the three {best} would be taken.",
    )


def _contents(page: Page, dataset: Dataset, pooled: Pooled, rows: np.ndarray, names: list[str]) -> None:
    """A contact sheet for each cluster: the images nearest its middle, their first caption below."""
    section, near = page.section("What is in them"), _near(pooled, rows)
    captions, has_pictures = dataset.train.captions, dataset.train.images.shape[1] > 1
    for cluster, name in enumerate(names):
        members = rows[pooled.labels[rows] == cluster]
        first = members[np.argsort(near[members], kind="stable")][: _SHEET if has_pictures else _LINES]
        said = [captions[row][0] if captions is not None else str(dataset.train.ids[row]) for row in first]
        section.text(f"{name}: nearest its middle, of {len(members):,}.")
        if not len(first):
            continue
        if has_pictures:
            shots = [
                Shot(s, str(dataset.train.ids[row]), {}, float(pooled.oof[row].max()), top_bars(names, pooled.oof[row]))
                for row, s in zip(first, said, strict=True)
            ]
            section.gallery([np.asarray(dataset.train.images[row]) for row in first], shots)
        else:
            section.table(
                ["image", "first caption"],
                [[str(dataset.train.ids[row]), s] for row, s in zip(first, said, strict=True)],
            )


def _near(pooled: Pooled, rows: np.ndarray) -> np.ndarray:
    """Squared distance of each row to its cluster's middle, by the first fold; where there is none, by how sure the network is."""
    if "near" in pooled.parts[0]:
        return pooled.parts[0]["near"]
    sure = np.zeros(len(pooled.labels))
    sure[rows] = 1 - pooled.oof[rows].max(axis=1)
    return sure


def _training(page: Page, folder: RunFolder) -> None:
    path = folder.path / "history.jsonl"
    history = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    if not history:
        return
    section = page.section("Training")
    section.figure(figures.learning_curves(curves(history, "loss"), "training loss"), "Mean training loss per epoch.")
    if any("watched_loss" in line for line in history):
        section.figure(
            figures.learning_curves(curves(history, "watched_loss"), "watched loss"),
            "Mean cross-entropy of the rows that early stopping watches.",
        )
