"""The run folder: what a run leaves behind, complete or absent, verified when it is read, aligned by id.

oof/<slug>/<run>/
    recipe.json             the resolved recipe
    folds.csv               id, group, fold
    environment.json        data source and fingerprint, versions, git commit, hardware, precision, seconds
    fold-K.npz              valid_index, valid_proba, test_proba, history of fold K; a fold that is there is done
    checkpoints/fold-K.safetensors
    oof.parquet             id, label, fold, one probability column per class
    test.parquet            id, one probability column per class (mean over the folds)
    history.jsonl           a line per fold, seed and epoch
    scores.json             per fold and pooled, with intervals; written last: a run that has it is finished
    report.html
"""

from harness.runs.folds import Folds
from harness.runs.run import FoldResult, Run, RunFolder, load_run, runs_of

__all__ = ["FoldResult", "Folds", "Run", "RunFolder", "load_run", "runs_of"]
