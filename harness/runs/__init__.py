"""The run folder: what a run leaves behind, complete or absent, verified when it is read, aligned by id.

oof/<slug>/<run>/
    recipe.json             the resolved recipe
    folds.csv               id, group, fold
    environment.json        data source and fingerprint, versions, git commit, hardware, precision, seconds
    start.zip               these three (and clean.csv) a second time, so that one that is lost can be restored
    fold-K.npz              valid_index, valid_proba, test_proba, history of fold K
    checkpoints/fold-K.safetensors
    fold-K.manifest.json    checksums of the fold's files, written last: a fold that has it is done
    oof.parquet             id, label, fold, one probability column per class
    test.parquet            id, one probability column per class (mean over the folds)
    history.jsonl           a line per fold, seed and epoch
    report.html             not in the manifest: its links to other pages change as those are written
    scores.json             per fold and pooled, with intervals
    manifest.json           checksums of all the others, written last: a run that has it is finished
    progress-K.jsonl        how far the work on fold K is (`notes.progress`); gone when it stands
    about.json              name, note and tags that a person gave it (`harness.report.about`); none of the run
"""

from harness.runs.fold_result import FoldResult
from harness.runs.folder import RunFolder
from harness.runs.folds import Folds
from harness.runs.run import Run, load_run, runs_in, runs_of

__all__ = ["FoldResult", "Folds", "Run", "RunFolder", "load_run", "runs_in", "runs_of"]
