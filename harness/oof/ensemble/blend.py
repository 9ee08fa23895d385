"""Blends of runs: the same rule applied to OOF and to test probabilities, so that the OOF score speaks for the test."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.command import carried
from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.base.storage.atomic_files import read_json
from harness.base.untrusted_text import listed
from harness.competition import Competition, DataChoice
from harness.competition.tasks import Task
from harness.cv.scores import score_run
from harness.data.cache import Dataset
from harness.oof.predictions import align, check_member
from harness.runs import Run, RunFolder, runs_of
from harness.runs.align import align_rows


@dataclass(frozen=True)
class Blend:
    """Probabilities of several runs made one; of a single run, that run's.

    Attributes
    ----------
    name : the run's name, or 'blend-' and 8 hex digits over the members' names
    members : names of the runs
    oof : float32 (n, C); kept : bool (n,), rows that scores are taken from
    test_ids : str (n_test,), test : float32 (n_test, C)
    test_folds : float32 (n_test, C) of each fold's models, where they are to be scaled; () where they are not, or vote
    scores : as `score_run` gives them; the mean has nothing to fit, so they are as honest as a single run's
    """

    name: str
    members: tuple[str, ...]
    oof: np.ndarray
    kept: np.ndarray
    test_ids: np.ndarray
    test: np.ndarray
    scores: dict[str, Any]
    test_folds: tuple[np.ndarray, ...] = ()

    def scaled_test(self, task: Task) -> np.ndarray:
        """Test probabilities (n_test, C), scaled as the run's decision says; as they are where it scales nothing.

        Each fold's are scaled, then averaged: the scaling was found for what single folds' models say, and their mean is less sure
        already. The log loss of the mean is at most the mean of theirs, which is what OOF promises. Votes are no probabilities and stay.
        """
        scaling = scaling_of(self.scores)
        if not scaling or not self.test_folds:
            return self.test
        total = np.zeros(self.test.shape)
        for fold in self.test_folds:
            total += task.scaled(fold, scaling)
        return (total / len(self.test_folds)).astype(np.float32)


def scaling_of(scores: dict[str, Any]) -> dict[str, list[float]]:
    """The scaling of probabilities in a run's scores that test predictions get; {} where there is none."""
    found: dict[str, list[float]] = ((scores.get("decision") or {}).get("scaling") or {}).get("values") or {}
    return found


def mean_of_probabilities(runs: Sequence[Run], competition: Competition, partial: bool = False) -> Blend:
    """Unweighted mean over runs.

    partial : take a single run of which not all folds are trained, too

    Raises
    ------
    UserError
        If the runs cannot be aligned, are partial, or have no test predictions.
    """
    hidden = [run.name for run in runs if run.test is None]
    if hidden:
        raise UserError(f"run '{hidden[0]}' has no test predictions: the test of '{competition.slug}' is hidden.")
    if len(runs) == 1:
        return _alone(runs[0], competition, partial)
    together = align(runs, competition)
    assert together.test is not None and together.test_ids is not None
    oof, folds = together.oof.mean(axis=0, dtype=np.float64).astype(np.float32), together.folds
    scores = score_run(competition, together.labels, oof, folds, list(range(folds.k)))
    return Blend(
        name=runs[0].name if len(runs) == 1 else blend_name(together.members),
        members=together.members,
        oof=oof,
        kept=folds.kept,
        test_ids=together.test_ids,
        test=together.test.mean(axis=0, dtype=np.float64).astype(np.float32),
        scores=scores,
        test_folds=_test_folds(runs) if scaling_of(scores) else (),
    )


def _alone(run: Run, competition: Competition, partial: bool) -> Blend:
    """A single run as a blend: nothing is copied."""
    scores = scores_now(run, competition, partial)
    assert run.test is not None and run.test_ids is not None
    of_folds = _test_folds([run]) if scaling_of(scores) else ()
    kept = run.folds.kept & np.isin(run.folds.fold, _trained(run))
    return Blend(run.name, (run.name,), run.oof, kept, run.test_ids, run.test, scores, of_folds)


def scores_now(run: Run, competition: Competition, partial: bool = False) -> dict[str, Any]:
    """A run's scores and decision by the competition's metrics as they are now, whatever it was scored by when it was trained.

    Raises
    ------
    UserError
        If it is partial, of other classes or of another task.
    """
    check_member(run, competition, partial)
    return score_run(competition, run.labels, run.oof, run.folds, _trained(run))


def _trained(run: Run) -> list[int]:
    """The folds that stand."""
    return [fold["fold"] for fold in run.scores["folds"]] if not run.complete else list(range(run.folds.k))


def _test_folds(runs: Sequence[Run]) -> tuple[np.ndarray, ...]:
    """Each fold's test probabilities, mean over runs, in the order of the first; () where a run's folds vote."""
    if any(run.recipe.predict.across_folds == "vote" for run in runs):
        return ()
    found = []
    for fold in _trained(runs[0]):
        parts = []
        for run in runs:
            assert run.test_ids is not None and runs[0].test_ids is not None
            said = RunFolder(run.path).load_fold(fold).test_proba
            parts.append(said if run is runs[0] else said[align_rows(run.test_ids, runs[0].test_ids, str(run.path))])
        found.append(np.asarray(np.mean(parts, axis=0, dtype=np.float64), dtype=np.float32))
    return tuple(found)


ANY_DATA = DataOptions()
"""No word about the data that a run is to be on."""


def is_on(where: DataOptions, run: Path, environment: dict[str, Any] | None = None) -> bool:
    """Whether a run is on the embedded sample and the data set, where they are asked for.

    environment : of the run, where it was read already
    """
    if not where.described:
        return True
    about = RunFolder(run).environment() if environment is None else environment
    data_set = read_json(run / "recipe.json").get("data", {}).get("set", "")
    return (about["data"]["is_sample"] or not where.sample) and where.data_set in ("", data_set)


def ranked_runs(
    out: Path, competition: Competition, where: DataOptions = ANY_DATA
) -> list[tuple[Path, dict[str, Any]]]:
    """Folders of the complete runs with their environment, best pooled OOF score first; reads their small files only.

    A run that was scored by another metric than the competition has now is left out, and so is one that is damaged; both are said.
    """
    found, otherwise = [], []
    for path in runs_of(out, competition.slug):
        try:
            folder = RunFolder(path)
            wrong = folder.faults(["scores.json", "environment.json"])
            if wrong:
                raise UserError(folder.damaged(wrong))
            scores, environment = read_json(path / "scores.json"), folder.environment()
            main = scores["metrics"].get(competition.metric)
            if not is_on(where, path, environment):
                continue
        except UserError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        except KeyError:
            continue
        if not scores["complete"]:
            continue
        if main is None or scores["metric"] != competition.metric:
            otherwise.append(path.name)
        else:
            found.append((-main["pooled"] if main["greater_is_better"] else main["pooled"], path, environment))
    if otherwise and found:  # where none is left, whoever asked says it: see `why_there_is_none`
        print(f"left out: {otherwise_scored(otherwise, competition.metric)}", file=sys.stderr)
    found.sort(key=lambda line: (line[0], line[1]))
    return [(path, environment) for _, path, environment in found]


def named_or_best(
    competition: Competition, out: Path, names: Sequence[str], where: DataOptions = ANY_DATA
) -> list[Path]:
    """Folders of the named runs, or of the best one, on the sample or the data set that is asked for.

    Raises
    ------
    UserError
        If there is no run, or a named one is of other data.
    """
    competition.using(DataChoice(set=where.data_set))  # that there is such a set
    if names:
        named = [out / "oof" / competition.slug / Path(name).name for name in dict.fromkeys(names)]
        for path in named:
            if (path / "environment.json").is_file() and not is_on(where, path):
                raise UserError(
                    f"--run {path.name}: is not{where.described}; leave that option out, or name another run"
                )
        return named
    ranked = ranked_runs(out, competition, where)
    found = [
        pair for pair in ranked if not pair[1]["data"]["is_sample"]
    ] or ranked  # the sample's only where there are no others
    if not found:
        raise UserError(
            f"no complete run of '{competition.slug}'{where.described} in {out / 'oof' / competition.slug}. Train one: python -m harness.cv "
            f"{competition.called}{carried('--data', '--out')}{why_there_is_none(out, competition)}"
        )
    return [found[0][0]]


def otherwise_scored(names: Sequence[str], metric: str) -> str:
    """That runs have no score by the competition's metric, and the cure."""
    return (
        f"scored by another metric than competition.toml's '{metric}': {listed(names, 5)}. The same harness.cv command scores a run anew and "
        "trains nothing; an ensemble is made again by harness.oof ensemble"
    )


def why_there_is_none(out: Path, competition: Competition) -> str:
    """What to add to "no finished run": runs that are there and not whole, or scored by another metric, so that nobody trains what only
    has to be finished or scored."""
    parts, otherwise = [], []
    for folder in sorted((out / "oof" / competition.slug).glob("*/recipe.json")):
        path = folder.parent
        whole = RunFolder(path).finished
        with contextlib.suppress(UserError, KeyError, TypeError):
            scores = read_json(path / "scores.json")
            whole = whole and scores["complete"]
            if whole and scores["metric"] != competition.metric and not competition.is_clustering:
                otherwise.append(path.name)
        if not whole:
            parts.append(path.name)
    said = f"\n  Not finished, or partial: {listed(parts, 5)}; go on with them by --resume." if parts else ""
    return said + (f"\n  There are runs {otherwise_scored(otherwise, competition.metric)}." if otherwise else "")


def rows_of(environment: dict[str, Any]) -> tuple[str, str]:
    """Data and verdicts that a run's rows are by; its scores are of the same rows as those of runs with equal ones."""
    return environment["data"]["fingerprint"], environment["data"].get("clean", "")


def best_runs(
    out: Path, competition: Competition, fingerprint: str, cleaned: str = "", ensembles: bool = True
) -> list[Path]:
    """Folders of the complete runs on this data by these verdicts (digest; "" = none), best first; of other folds than the best
    has, none: they cannot be blended with it. ensembles : whether they count as runs."""
    ours = [pair for pair in ranked_runs(out, competition) if rows_of(pair[1]) == (fingerprint, cleaned)]
    ours = [pair for pair in ours if ensembles or "ensemble" not in pair[1]]
    return [path for path, about in ours if about["folds"]["hash"] == ours[0][1]["folds"]["hash"]]


def check_same_data(run: Run, dataset: Dataset) -> None:
    """Refuse a run of other data than is given (UserError)."""
    if run.environment["data"]["fingerprint"] != dataset.fingerprint:
        if run.environment["data"]["source"] == dataset.source:
            raise UserError(
                f"run '{run.name}': the files have changed since it was trained (another content: {dataset.source}). Put the old "
                "files back, or train it on the new ones: the same harness.cv command makes another run."
            )
        raise UserError(
            f"run '{run.name}' was trained on other data ({run.environment['data']['source']}) than is given now "
            f"({dataset.source}). Give the same --data or --sample as in training."
        )


def blend_name(members: Sequence[str]) -> str:
    """Name of a blend; the order of its members does not matter. The sample's says so."""
    digest = hashlib.sha256("\n".join(sorted(members)).encode()).hexdigest()[:8]
    return ("sample-" if all(m.startswith("sample-") for m in members) else "") + f"blend-{digest}"
