"""From the folds of a clustering recipe to a finished run."""

from __future__ import annotations

import numpy as np

from harness.base.errors import UserError
from harness.competition import Competition, Recipe
from harness.competition.tasks.answering import majority
from harness.cv.clustering.scores import Pooled, score_clusters
from harness.data.cache import Dataset
from harness.runs import Folds, Run, RunFolder, load_run, runs_in
from harness.runs.run import proba_column


def finish_clusters(folder: RunFolder, competition: Competition, dataset: Dataset, folds: Folds) -> None:
    """Put the folds that stand together: oof.parquet (label: the pseudo-label), test.parquet, report.html, scores.json."""
    import pandas as pd

    from harness.cv.clustering.report import write_cluster_report

    recipe, environment = folder.recipe(), folder.environment()
    names, results = environment["competition"]["classes"], [folder.load_fold(f) for f in folder.done(folds.k)]
    pooled = Pooled(folder, results, len(folds.ids), len(names))
    test = np.asarray(np.mean(pooled.tests, axis=0, dtype=np.float64), dtype=np.float32)
    if recipe.predict.across_folds == "vote" and len(test):
        test = majority(pooled.tests).astype(np.float32)
    columns = [proba_column(name) for name in names]

    def table(first: dict[str, np.ndarray], proba: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(first | {name: proba[:, i] for i, name in enumerate(columns)})

    has_test = environment["data"]["n_test"] > 0 and dataset.test is not None
    folder.save_tables(
        table({"id": dataset.train.ids, "label": pooled.labels, "fold": folds.fold}, pooled.oof),
        table({"id": dataset.test.ids}, test) if has_test and dataset.test else None,
        [line for result in results for line in result.history],
    )
    trained = [result.fold for result in results]
    scores = score_clusters(competition, recipe, pooled, folds, trained, dataset.train.truth)
    scores["seconds"] = {str(r.fold): round(r.seconds, 2) for r in results}
    scores["pseudo"] = None
    write_cluster_report(folder, competition, dataset, folds, pooled, scores, counterpart_run(folder, recipe))
    folder.finish(scores)


def counterpart_run(folder: RunFolder, recipe: Recipe) -> Run | None:
    """The finished run of the same recipe done the other way (leaky or honest), on the same data and folds, if there is one."""
    assert recipe.clusters is not None
    wanted = recipe.model_copy(
        update={"clusters": recipe.clusters.model_copy(update={"leaky": not recipe.clusters.leaky})}
    ).digest()
    for path in runs_in(folder.path.parent):
        try:
            found = load_run(path)
        except UserError:
            continue
        same = found.environment["data"]["fingerprint"] == folder.environment()["data"]["fingerprint"]
        same = same and found.folds.hash == folder.environment()["folds"]["hash"]
        if same and found.recipe.clusters and found.recipe.digest() == wanted:
            return found
    return None


def update_counterpart_report(folder: RunFolder, competition: Competition, dataset: Dataset) -> None:
    """Write the other way's page anew, so that it shows this run too."""
    other = counterpart_run(folder, folder.recipe())
    if other is not None:
        finish_clusters(RunFolder(other.path), competition, dataset, other.folds)
