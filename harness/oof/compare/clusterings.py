"""Clustering runs side by side, and their consensus as a run of its own."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.command import carried
from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.base.untrusted_text import counted
from harness.clustering.labeller import cluster_names
from harness.clustering.matching import consensus
from harness.clustering.quality import TRUTH_METRICS, against_truth, agreement
from harness.competition import Competition, Recipe
from harness.competition.metrics import METRICS, group_weights
from harness.competition.recipe import ModelSpec
from harness.cv.clustering.scores import add_metric, summary
from harness.oof.compare.pairwise import Pair, compare_pairs
from harness.oof.compare.runs import comparison_lines
from harness.oof.ensemble.blend import ANY_DATA, why_there_is_none
from harness.oof.predictions import Predictions, align
from harness.report import figures
from harness.report.links import linked_runs
from harness.report.page import Page
from harness.runs import FoldResult, Run, RunFolder, load_run
from harness.runs.cure import finish
from harness.runs.notes.differences import difference_table
from harness.runs.run import proba_column

SHOWN = ("accuracy", "macro_f1", "silhouette", *TRUTH_METRICS)


def refuse_clustering(competition: Competition, what: str) -> None:
    """Refuse what only labels allow (UserError)."""
    if competition.is_clustering:
        raise UserError(
            f"{what}: is for labelled competitions; '{competition.slug}' has clusters. harness.oof compare and ensemble work"
        )


def load_clusterings(
    competition: Competition, out: Path, names: Sequence[str] = (), where: DataOptions = ANY_DATA
) -> list[Run]:
    """The named finished runs, or all complete ones on the rows and folds that most of them share.

    Raises
    ------
    UserError
        If a named run is not there, or there is none.
    """
    lines = comparison_lines(competition, out, names, where)
    runs = [load_run(out / "oof" / competition.slug / line["run"]) for line in lines if line["complete"] or names]
    if not runs:
        raise UserError(
            f"no complete run of '{competition.slug}' in {out / 'oof' / competition.slug}. Train one: python -m harness.cv "
            f"{competition.called}{carried('--data', '--out')}{why_there_is_none(out, competition)}"
        )
    if names:
        _check_same_rows(runs)
        return runs
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(f"{run.environment['data']['fingerprint']} {run.folds.hash}", []).append(run)
    return max(groups.values(), key=len)


def _check_same_rows(runs: Sequence[Run]) -> None:
    for run in runs:
        if run.folds.hash != runs[0].folds.hash:
            raise UserError(
                f"runs '{runs[0].name}' and '{run.name}' have other rows or folds: they cannot be held against each other"
            )
        if not run.complete:
            raise UserError(f"run '{run.name}' is partial. {finish(run.path)}")


def clustering_table(runs: Sequence[Run], intervals: bool = False) -> tuple[list[str], list[list[str]]]:
    """Header and rows: what each clusters, how, and its pooled scores, on a page with their intervals."""
    shown = [name for name in SHOWN if any(name in run.scores["metrics"] for run in runs)]
    rows = []
    for run in runs:
        found = run.scores["metrics"]
        values = [_shown(found[name], intervals) if name in found else "" for name in shown]
        rows.append([run.recipe.name, run.name, _way(run), str(len(run.classes)), *values])
    return ["recipe", "run", "labels", "k", *(name.replace("_", " ") for name in shown)], rows


def _shown(value: dict[str, float], interval: bool) -> str:
    return f"{value['pooled']:.4f}" + (f" [{value['low']:.4f}, {value['high']:.4f}]" if interval else "")


def _way(run: Run) -> str:
    spec = run.recipe.clusters
    if spec is None:
        return "consensus"
    if spec.labels == "truth":
        return "true kinds"
    return f"{spec.source}{', leaky' if spec.leaky else ''}"


def cluster_labels_of(run: Run) -> np.ndarray:
    """Cluster of every row, out of fold, int64 (n,)."""
    return np.nan_to_num(run.oof).argmax(axis=1)


def paired_networks(competition: Competition, runs: Sequence[Run]) -> tuple[tuple[str, ...], list[Pair]]:
    """Networks that learnt the same labels of the same rows, by the paired tests of labelled competitions."""
    networks = [run for run in runs if run.recipe.model.name not in ("kmeans", "ensemble")]
    groups: dict[str, list[Run]] = {}
    for run in networks:
        groups.setdefault(hashlib.sha256(run.labels.tobytes()).hexdigest(), []).append(run)
    largest = max(groups.values(), key=len, default=[])
    if len(largest) < 2:
        return (), []
    named = competition.model_copy(update={"classes": tuple(largest[0].classes)})
    without_test = [_without_test(run) for run in largest]  # one may lack what the test does not have
    predictions = align(without_test, named)
    return predictions.members, compare_pairs(predictions, METRICS["accuracy"])


def paired_clusterings(truth: np.ndarray | None, runs: Sequence[Run]) -> tuple[tuple[str, ...], list[Pair]]:
    """Clusterings against true kinds, each cluster standing for the kind it has most rows of (Hungarian method)."""
    from scipy.optimize import linear_sum_assignment

    runs = [run for run in runs if run.recipe.model.name in ("kmeans", "ensemble")]
    if truth is None or len(runs) < 2:
        return (), []
    size = max(int(truth.max()) + 1, *(len(run.classes) for run in runs))
    oof = np.zeros((len(runs), len(truth), size), dtype=np.float32)
    for place, run in enumerate(runs):
        said = cluster_labels_of(run)
        table = np.bincount(said * size + truth, minlength=size * size).reshape(size, size)
        rows, columns = linear_sum_assignment(-table)
        kinds = np.zeros(size, dtype=np.int64)
        kinds[rows] = columns
        oof[place, np.arange(len(truth)), kinds[said]] = 1
    names = tuple(run.name for run in runs)
    return names, compare_pairs(Predictions(names, truth, runs[0].folds, oof, None, None), METRICS["accuracy"])


def _without_test(run: Run) -> Run:
    import dataclasses

    return dataclasses.replace(run, test_ids=None, test=None)


def truth_of(competition: Competition, ids: np.ndarray) -> np.ndarray | None:
    """True kinds int64 (n,), where they are known."""
    hook = competition.hook("truth")
    found = hook(ids)[0] if hook else None
    return None if found is None else np.asarray(found, dtype=np.int64)


def write_clusterings(path: Path, competition: Competition, runs: Sequence[Run]) -> None:
    """Write the page: scores, which runs agree with which, paired tests, what each recipe answers to."""
    sample = any(run.environment["data"]["is_sample"] for run in runs)
    warnings = ["Runs on the embedded sample say nothing about real images."] if sample else []
    leaky = [run.name for run in runs if run.recipe.clusters and run.recipe.clusters.leaky]
    if leaky:
        warnings.append(f"Leaky, so no estimate of anything: {', '.join(leaky)}.")
    page = Page(
        title=f"{competition.title}: runs compared",
        lead=f"{counted(len(runs), 'run')} on the same rows.",
        warnings=warnings,
    )
    header, rows = clustering_table(runs, intervals=True)
    reports = [path.parent / run.name / "report.html" for run in runs]
    page.section("Scores").table(header, linked_runs(rows, header.index("run"), reports, path), left=3)
    if told := recipe_differences(runs):
        page.section("What differs between their recipes").table(*told, folded=True)
    labels = [cluster_labels_of(run) for run in runs]
    same = np.array([[agreement([a, b]) for b in labels] for a in labels])
    names = [run.name for run in runs]
    page.section("Who agrees with whom").figure(
        figures.matrix(same, names), "Adjusted Rand index of the clusters out of fold; 1 = the same partition."
    )
    for title, (members, pairs) in (
        ("Networks on the same labels, two by two", paired_networks(competition, runs)),
        (
            "Clusters against the true kinds, two by two",
            paired_clusterings(truth_of(competition, runs[0].folds.ids), runs),
        ),
    ):
        if pairs:
            page.section(title).table(*pairs_table(members, pairs))
    answers = {run.recipe.name: run.recipe.answers_to for run in runs if run.recipe.answers_to}
    if answers:
        page.section("What they answer to").table(["recipe", "published"], [[a, b] for a, b in answers.items()])
    page.write(path)


def recipe_differences(runs: Sequence[Run]) -> tuple[list[str], list[list[str]]] | None:
    """Header and rows: what differs between the runs' recipes; None where nothing does."""
    return difference_table([run.name for run in runs], [run.recipe.model_dump(mode="json") for run in runs])


def pairs_table(names: Sequence[str], pairs: Sequence[Pair]) -> tuple[list[str], list[list[str]]]:
    """Header and rows."""
    rows = [
        [
            names[p.first],
            names[p.second],
            f"{p.difference:+.5f} [{p.low:+.5f}, {p.high:+.5f}]",
            "may be chance" if p.is_noise else "beyond chance",
            f"{p.only_first:,} : {p.only_second:,}",
            f"{p.p_value:.2g}",
        ]
        for p in pairs
    ]
    return ["run", "against", "accuracy, difference [95 %]", "verdict", "only one is right", "McNemar p"], rows


def build_consensus(competition: Competition, out: Path, names: Sequence[str] = ()) -> RunFolder:
    """Save the partition that most runs agree on (co-association, Fred and Jain 2005) as a run.

    Each row counts with what its own fold's clusters say of it in every member, so the members' honesty is kept. Test rows
    get theirs in the same way, where all members have them.

    Raises
    ------
    UserError
        If there are fewer than two runs with the same rows, folds and number of clusters.
    """
    runs = [run for run in load_clusterings(competition, out, names) if names or not _is_left_out(run)]
    k = len(runs[0].classes) if runs else 0
    runs = runs if names else [run for run in runs if len(run.classes) == k]
    _check_members(competition, runs)
    n, of_test = len(runs[0].folds.ids), [run.test.argmax(axis=1) for run in runs if run.test is not None]
    labellings, test = [cluster_labels_of(run) for run in runs], len(of_test) == len(runs)
    if test:
        labellings = [np.concatenate(parts) for parts in zip(labellings, of_test, strict=True)]
    together = consensus(labellings, k)
    proba = np.eye(k, dtype=np.float32)[together]
    return _save(competition, out, runs, k, proba[:n], proba[n:] if test else None)


def _is_left_out(run: Run) -> bool:
    """Without being named, leaky runs, those that learnt the truth and other consensus runs are no members."""
    spec = run.recipe.clusters
    return spec is None or spec.leaky or spec.labels == "truth"


def _check_members(competition: Competition, runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        raise UserError(
            f"a consensus needs two runs or more of '{competition.slug}' on the same rows and folds with as many clusters; "
            f"there are: {', '.join(run.name for run in runs) or 'none'}"
        )
    first = runs[0]
    for run in runs[1:]:
        if (run.folds.hash, len(run.classes)) != (first.folds.hash, len(first.classes)):
            raise UserError(
                f"runs '{first.name}' and '{run.name}' have other rows, folds or numbers of clusters: no consensus of them"
            )


def _save(
    competition: Competition, out: Path, runs: Sequence[Run], k: int, oof: np.ndarray, test: np.ndarray | None
) -> RunFolder:
    import pandas as pd

    members = {run.name: hashlib.sha256((run.path / "oof.parquet").read_bytes()).hexdigest() for run in runs}
    digest = hashlib.sha256(json.dumps(sorted(members.items())).encode()).hexdigest()[:8]
    first, folds = runs[0], runs[0].folds
    sample = "sample-" if first.environment["data"]["is_sample"] else ""
    folder = RunFolder(out / "oof" / competition.slug / f"{sample}ensemble-consensus-{digest}")
    recipe = Recipe(
        name="ensemble-consensus",
        description=f"{len(runs)} clusterings: what most of them agree on",
        model=ModelSpec(name="ensemble", args={"method": "consensus", "members": members}),
        cv=first.recipe.cv,
        data=first.recipe.data,
    )
    kept = {key: first.environment[key] for key in ("folds", "harness")}
    about = {
        **kept,
        "competition": first.environment["competition"] | {"classes": cluster_names(k)},
        "data": first.environment["data"] | {"n_test": 0 if test is None else len(test)},
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "ensemble": {"method": "consensus", "members": members},
        "optimistic": "",
    }
    folder.unfinish()
    folder.start(recipe, folds, about)
    columns = [proba_column(name) for name in cluster_names(k)]

    def table(ids: dict[str, np.ndarray], proba: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(ids | {name: proba[:, i] for i, name in enumerate(columns)})

    said = oof.argmax(axis=1)
    folder.save_tables(
        table({"id": folds.ids, "label": said, "fold": folds.fold}, oof),
        None if test is None or first.test_ids is None else table({"id": first.test_ids}, test),
        [],
    )
    for fold in range(folds.k):
        valid = folds.valid_rows(fold)
        empty = np.zeros((0, k), np.float32)
        folder.save_fold(FoldResult(fold, valid, oof[valid], empty if test is None else test, [], 0.0))
    folder.finish(_scores(competition, runs, said, k))
    return folder


def _scores(competition: Competition, runs: Sequence[Run], said: np.ndarray, k: int) -> dict[str, Any]:
    folds, truth = runs[0].folds, truth_of(competition, runs[0].folds.ids)
    members = [cluster_labels_of(run) for run in runs]

    def values(rows: np.ndarray) -> dict[str, float]:
        found = {"agreement": float(np.mean([agreement([said[rows], m[rows]]) for m in members]))}
        return found | ({} if truth is None else against_truth(truth[rows], said[rows]))

    rows = folds.scored_rows(range(folds.k))
    drawn = [values(np.repeat(rows, w.astype(np.int64))) for w in group_weights(folds.groups[rows], 200)]
    parts = [folds.scored_rows([fold]) for fold in range(folds.k)]
    per_fold = [values(part) for part in parts]
    scores: dict[str, Any] = {
        "metric": "agreement",
        "complete": True,
        "folds": [{"fold": fold, "n": len(part)} for fold, part in enumerate(parts)],
        "metrics": {},
        "threshold": None,
        "excluded": {"n": 0},
        "pseudo": None,
        "clusters": {"k": k, "leaky": any(r.recipe.clusters and r.recipe.clusters.leaky for r in runs)},
        "seconds": {},
    }
    for name, whole in values(rows).items():
        add_metric(scores, name, summary(whole, [d[name] for d in drawn], [line[name] for line in per_fold]))
    return scores
