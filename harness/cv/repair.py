"""A damaged run is put right, or told: what happens before a cross-validation goes on with what stands."""

from __future__ import annotations

import numpy as np

from harness.base.errors import UserError
from harness.cv.options import Options, Watcher
from harness.runs import Folds, RunFolder


def repair_or_refuse(folder: RunFolder, folds: Folds, options: Options, watcher: Watcher) -> None:
    """With --resume put right what is damaged; without it, say what is.

    What was written before training is restored from its second place, folds whose files are lost are taken away, to be
    trained anew, and what the folds make together is put together again.
    """
    if options.fresh or folder.is_old or not any(folder.path.glob("[!.]*")):
        return
    if not options.resume:
        wrong = folder.faults() if folder.finished else folder.start_faults() if folder.started else []
        if wrong:
            raise UserError(folder.damaged(wrong))
        return
    restored = folder.restore_start()
    if restored:
        watcher.say(f"{folder.path}: restored {', '.join(restored)}")
    for fold in range(folds.k):
        if not (folder.fold_files(fold) or folder.fold_manifest(fold).exists()):
            continue
        wrong = _fold_faults(folder, folds, fold)
        if wrong:
            watcher.say(f"{folder.path}: fold {fold} is trained anew: {wrong[0]}")
            folder.remove_fold(fold)
            folder.unfinish()
    wrong = folder.faults() if folder.finished else []
    if wrong:
        noise = (
            "; the noise suite's scores go with it: --noise makes them again"
            if (folder.path / "noise.json").is_file()
            else ""
        )
        watcher.say(f"{folder.path}: put together again: {wrong[0]}{noise}")
        folder.unfinish()


def _fold_faults(folder: RunFolder, folds: Folds, fold: int) -> list[str]:
    """What is wrong with a fold's files: their checksums, and whether they are of this fold."""
    if not folder.fold_manifest(fold).exists():
        return ["it was not finished"]
    wrong = folder.fold_faults(fold)
    if wrong:
        return wrong
    try:
        same = np.array_equal(folder.load_fold(fold).valid_index, folds.valid_rows(fold))
    except UserError as error:
        return [str(error)]
    return [] if same else [f"{folder.fold_path(fold).name} is of another fold"]
