"""Cross-validation from Python: what `python -m harness.cv` does, by the same names, into the same folders, to the same bits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.calls import api_call, fold_list, place, settings
from harness.api.contest import AnyCompetition, Contest, competition, named
from harness.api.run import FinishedRun

if TYPE_CHECKING:
    from harness.base.progress import LineWatcher
    from harness.cv.request import Outcome, Request
    from harness.kernels.options import KaggleOptions

AGAIN = "the script or notebook that called harness.cv"


@api_call
def cv(
    comp: AnyCompetition,
    recipe: str = "quick",
    *,
    set: Mapping[str, Any] | Iterable[str] | None = None,
    folds: int | Iterable[int] | None = None,
    sample: bool = False,
    noise: bool = False,
    noise_rows: int = 1000,
    resume: bool = True,
    fresh: bool = False,
    clean: bool = True,
    workers: int | None = None,
    device: str = "auto",
    cluster: str | None = None,
    on: str | None = None,
    accelerator: str | None = None,
    session_hours: float = 12,
    name: str | None = None,
    note: str | None = None,
    tags: Iterable[str] = (),
    log: str | None = None,
    out: str | Path | None = None,
    quiet: bool = False,
) -> FinishedRun:
    """Cross-validate a recipe: OOF and test probabilities, scores with intervals, a report.

    A run that stands is not trained again, and one that was stopped goes on, so a script may simply be run once more.

    Parameters
    ----------
    comp : slug, folder, what `harness.competition` gave, or `harness.Samples`
    recipe : a file of the competition's recipes/, a path that ends in .toml, or a built-in one: quick, strong, transfer, finetune, columns
    set : what is changed of the recipe: {"train.epochs": 3, "model.name": "cnn"}
    folds : fold or folds to train; None = all
    sample : take the competition's small embedded sample
    noise : then hold the run against the noise suite, `noise_rows` rows of it (0 = all)
    resume : go on with a run that was stopped; False: refuse one
    fresh : train anew what stands
    clean : go by the verdicts of `harness.clean`, where there are any
    workers : folds side by side; None = one per GPU, else per core
    device : auto, cpu, cuda, cuda:N or mps
    cluster : the Ray cluster that folds are trained on: auto, HOST:PORT or ray://HOST:PORT; None = this machine
    on : "kaggle": train it in a private notebook there, and bring the run back; called again it follows the session that runs
    accelerator, session_hours : with `on`: a GPU by Kaggle's name, "none" or None = an NVIDIA T4; hours of a session
    name, note, tags : what tables and pages call the run, a line and words about it; no part of the run
    log : a tracker that is told of it too: tensorboard, wandb or mlflow
    out : folder that oof/ is written under; None = the project's folder
    quiet : print nothing

    Raises
    ------
    UserError
        For whatever the user can put right; folds that were finished stay.
    """
    from harness.base.progress import watching
    from harness.cv.arguments import ClusterOptions, FoldOptions, LabelOptions, NoiseOptions, TrainedRecipe
    from harness.cv.request import Request
    from harness.kernels.options import KaggleOptions

    contest = competition(comp, sample=sample)
    asked = Request(
        recipe=TrainedRecipe(recipe=str(recipe), settings=settings(set)).on(contest.where),
        where=contest.where,
        folds=FoldOptions(
            folds=fold_list(folds),
            resume=resume and not fresh,
            fresh=fresh,
            workers=workers,
            clean=clean,
            device=device,
        ),
        noise=NoiseOptions(noise=noise, noise_rows=noise_rows),
        nodes=ClusterOptions(cluster=cluster),
        out=place(out),
        command=AGAIN,
        about=LabelOptions(name=name, note=note, tag=list(tags), log=log),
    )
    there = KaggleOptions(on=on, accelerator=accelerator, session_hours=session_hours)
    with watching(quiet=quiet) as watcher:
        done = _trained(contest, asked, there, watcher)
    assert done is not None  # nothing was asked for instead
    return FinishedRun(contest, done.run.path.resolve(), done.noisy)


def _trained(contest: Contest, asked: Request, there: KaggleOptions, watcher: LineWatcher) -> Outcome | None:
    """Train here, or where `there` says."""
    from harness.cv.request import train

    if not there.check():
        return train(contest.spec, asked, watcher)
    from harness.cv.elsewhere.train import train_elsewhere
    from harness.kernels.command import Command

    groups = (asked.recipe, asked.where, asked.folds, asked.noise, asked.about, there)
    command = Command.called("harness.cv", named(contest), *groups)
    return train_elsewhere(contest.spec, asked, there, command, watcher)
