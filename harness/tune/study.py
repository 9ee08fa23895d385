"""The study itself: samplers, pruners, and the loop that goes on until enough trials have ended."""

from __future__ import annotations

import os
import socket
import time
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from harness.base.errors import UserError
from harness.base.untrusted_text import counted
from harness.competition import Recipe
from harness.cv.options import Watcher
from harness.tune.space import Space, grid_of, parameters_of
from harness.tune.storage import check_identity, heartbeat, open_storage, requeue_dead_trials
from harness.tune.trial import FAILURES, Trials

SAMPLERS = ("tpe", "cmaes", "random", "grid")
PRUNERS = ("hyperband", "median", "percentile", "wilcoxon", "none")


@dataclass(frozen=True)
class Plan:
    """How a study is carried out.

    Attributes
    ----------
    name : of the study; storage : database URL, or None for a journal file in home
    about : what its trials are about; must be the same wherever the study is worked on
    trials : finished ones in the end, pruned ones among them
    sampler : of SAMPLERS; pruner : of PRUNERS
    """

    name: str
    storage: str | None
    home: Path
    about: dict[str, Any]
    trials: int
    sampler: str
    pruner: str
    seed: int


def prune_where(pruner: str) -> str:
    """What a pruner looks at: "epochs" of the first fold, "folds", or "none"."""
    return {"hyperband": "epochs", "median": "epochs", "none": "none"}.get(pruner, "folds")


def open_study(plan: Plan, trials: Trials) -> Any:
    """Create or load the study.

    Raises
    ------
    UserError
        If the storage cannot be used, or holds another study of that name.
    """
    import optuna

    storage = open_storage(plan.storage, plan.home, trials.watcher.say)
    where = "the database" if plan.storage else plan.home / "study.journal"
    greater: Literal["minimize", "maximize"] = "maximize" if trials.metric.greater_is_better else "minimize"
    directions: list[Literal["minimize", "maximize"]] = [greater, "minimize"][: len(trials.objectives)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # multivariate, group and constant_liar are called experimental
        try:
            study = optuna.create_study(
                storage=storage,
                study_name=plan.name,
                sampler=_sampler(plan, trials),
                pruner=_pruner(plan, trials.recipe),
                directions=directions,
                load_if_exists=True,
            )
        except (AssertionError, KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise UserError(
                f"{where}: study '{plan.name}' holds something that Optuna did not write ({type(error).__name__}). Put a copy of it back, "
                "or begin another study: --study NAME"
            ) from error
    check_identity(study, plan.about, str(where))
    return study


def _sampler(plan: Plan, trials: Trials) -> Any:
    import optuna.samplers as s

    constrained = any(vars(trials.limits).values())
    seed = _seed_of(plan, trials)
    constraints = (lambda trial: trial.user_attrs.get("constraints", [])) if constrained else None
    if plan.sampler == "tpe":
        return s.TPESampler(
            seed=seed,
            n_startup_trials=max(plan.trials // 10, 3),  # with Hyperband of each bracket
            multivariate=True,
            group=True,
            constant_liar=True,
            constraints_func=constraints,
        )
    if plan.sampler == "cmaes":
        try:
            import cmaes  # noqa: F401
        except ImportError as error:
            raise UserError("--sampler cmaes: needs the package cmaes: pip install cmaes") from error
        return s.CmaEsSampler(seed=seed, n_startup_trials=5)
    if plan.sampler == "random":
        return s.RandomSampler(seed=seed)
    return _grid(trials.space, plan.seed)


def _seed_of(plan: Plan, trials: Trials) -> int:
    """Other numbers after every start, and on every machine of a shared study: the same ones would draw the same trials."""
    begun = len(list((trials.home / "oof" / trials.competition.slug).glob("*/recipe.json")))
    who = zlib.crc32(f"{socket.gethostname()}:{os.getpid()}".encode()) if plan.storage else 0
    return (plan.seed + 1_000 * begun + who) % 2**31


def _grid(space: Space, seed: int) -> Any:
    """A grid whose last point does not call `study.stop`, which is for optuna's own loop."""
    import optuna.samplers as s

    class Grid(s.GridSampler):
        def after_trial(self, *args: Any, **kwargs: Any) -> None: ...

    return Grid(grid_of(space), seed=seed)


def _pruner(plan: Plan, recipe: Recipe) -> Any:
    import optuna.pruners as p

    if plan.pruner == "hyperband":
        least = max(recipe.train.epochs // 9, 1)
        return p.HyperbandPruner(min_resource=least, max_resource=recipe.train.epochs, reduction_factor=3)
    if plan.pruner == "median":
        return p.MedianPruner(n_startup_trials=4, n_warmup_steps=max(recipe.train.epochs // 4, 1))
    if plan.pruner == "percentile":
        return p.PercentilePruner(50.0, n_startup_trials=4)
    if plan.pruner == "wilcoxon":
        return p.WilcoxonPruner(p_threshold=0.2, n_startup_steps=2)
    return p.NopPruner()


def work(study: Any, trials: Trials, plan: Plan, watcher: Watcher) -> None:
    """Ask for trials and train them until enough have ended, whoever ended them.

    The recipe as it stands is the first trial, so that tuning never ends below it on the study's own folds.
    """
    import optuna

    own = {} if plan.sampler == "grid" else own_parameters(trials.recipe, trials.space)

    def parameters(trial: Any) -> dict[str, Any] | None:
        """What a trial that died was about to be trained with."""
        if plan.sampler == "grid":
            return _grid_point(study.sampler, trial)
        return own if own and trial.user_attrs.get("first", trial.number) == 0 else dict(trial.params)

    pace = _Pace(plan.trials, ended_trials(study))
    while True:
        requeue_dead_trials(study, parameters, watcher.say)
        if ended_trials(study) >= plan.trials:
            return
        _refuse_endless_failures(study, plan)
        if plan.sampler == "grid" and study.sampler.is_exhausted(study) and not (_running(study) or _waiting(study)):
            return
        exhausted = plan.sampler == "grid" and study.sampler.is_exhausted(study) and not _waiting(study)
        if ended_trials(study) + _running(study) >= plan.trials or exhausted:
            time.sleep(_PATIENCE)  # another process may yet die, and its trial wait to be taken up
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = study.ask()
        if ended_trials(study) + _running(study) > plan.trials and not _is_first_of_running(study, trial, plan):
            study.tell(trial, state=optuna.trial.TrialState.FAIL)  # another process took the last one
            continue
        if trial.number == 0 and own:
            trial = _with_fixed(study, trial, own)
        with heartbeat(study, trial), watcher.waiting(f"trial {trial.number}"):
            said, mistake = _run_trial(study, trial, trials)
        if mistake and own and trial.params == own:
            _give_up(study, trials, own, mistake)
        watcher.say(f"{said} · {pace.line(ended_trials(study))}")


@dataclass(frozen=True)
class _Pace:
    """How many trials have ended, whoever ended them, and how long the rest will take at the pace since we began."""

    trials: int
    before: int
    began: float = field(default_factory=time.monotonic)

    def line(self, ended: int) -> str:
        done, left = ended - self.before, max(self.trials - ended, 0)
        if not left or done <= 0:
            return f"{ended} of {self.trials}"
        return f"{ended} of {self.trials}, {_span((time.monotonic() - self.began) / done * left)} left"


def _span(seconds: float) -> str:
    """As a person says it."""
    if seconds < 90:
        return f"about {max(seconds, 1):.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


_PATIENCE = 1.0


def _refuse_endless_failures(study: Any, plan: Plan) -> None:
    from optuna.trial import TrialState

    failed = [t for t in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)) if "mistake" in t.user_attrs]
    if len(failed) > max(plan.trials, 5):
        raise UserError(
            f"study '{study.study_name}': {counted(len(failed), 'trial')} could not be trained, the last: {failed[-1].user_attrs['mistake']}. "
            "Narrow the space."
        )


def _give_up(study: Any, trials: Trials, own: dict[str, Any], mistake: str) -> None:
    """The recipe as it stands is not trained: no place in the space will cure that. Next time it is the first again."""
    study.enqueue_trial(own, skip_if_exists=False)
    raise UserError(f"recipe '{trials.recipe.name}' as it stands cannot be trained, so it is not tuned: {mistake}")


def _run_trial(study: Any, trial: Any, trials: Trials) -> tuple[str, str]:
    """Train a trial and tell the study; returns what became of it, and why it could not be trained ("" if it could)."""
    import optuna

    state = optuna.trial.TrialState
    try:
        try:
            values = trials(trial)
        except optuna.TrialPruned:
            study.tell(trial, state=state.PRUNED)
        except FAILURES as error:
            study.tell(trial, state=state.FAIL)
            return f"trial {trial.number}: cannot be trained: {error}", str(error)
        else:
            study.tell(trial, values)
    except (optuna.exceptions.UpdateFinishedTrialError, ValueError) as error:
        if study._storage.get_trial(trial._trial_id).state == state.RUNNING:
            raise
        return f"trial {trial.number}: was given up as dead meanwhile, and is trained again elsewhere ({error})", ""
    return _line(study, trial.number, trials.metric.name), ""


def _with_fixed(study: Any, trial: Any, parameters: dict[str, Any]) -> Any:
    """The same trial with these parameters. A queue would do, if two processes that begin at once did not both fill it."""
    import optuna

    study._storage.set_trial_system_attr(trial._trial_id, "fixed_params", parameters)
    return optuna.trial.Trial(study, trial._trial_id)


def own_parameters(recipe: Recipe, space: Space) -> dict[str, Any]:
    """The recipe's own values as Optuna's parameters; {} where one that is always searched lies outside the space."""
    content = recipe.model_dump(mode="json")
    found: dict[str, Any] = {}
    for key, spec in space.items():
        value: Any = content
        default: Any = recipe  # what is written leaves some keys out at their default
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
            default = getattr(default, part, None) if isinstance(default, BaseModel) else None
        value = default if value is None else value
        own = parameters_of(spec, value, key)
        if not own and not spec.when and spec.length != (0, 0):
            return {}
        found |= own
    return found


def ended_trials(study: Any) -> int:
    """How many trials were trained or pruned; not those whose process died, which are repeated."""
    from optuna.trial import TrialState

    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))


def _grid_point(sampler: Any, trial: Any) -> dict[str, Any] | None:
    """The grid's point of a trial; None where it had none yet."""
    number = trial.system_attrs.get("grid_id")
    if number is None:
        return None
    return dict(zip(sampler._param_names, sampler._all_grids[number], strict=True))


def _waiting(study: Any) -> int:
    from optuna.trial import TrialState

    return len(study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))


def _running(study: Any) -> int:
    from optuna.trial import TrialState

    return len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))


def _is_first_of_running(study: Any, trial: Any, plan: Plan) -> bool:
    """Whether this trial is among those that may still be trained when two processes asked at once: the lowest numbers are."""
    from optuna.trial import TrialState

    running = sorted(t.number for t in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
    return trial.number in running[: max(plan.trials - ended_trials(study), 0)]


def _line(study: Any, number: int, metric: str) -> str:
    trial = study.trials[number]
    shown = ", ".join(f"{key.rpartition('.')[2]} {_shown(value)}" for key, value in trial.params.items())
    cost = f"{trial.user_attrs.get('epochs', 0)} fold-epochs"
    if trial.state.name != "COMPLETE":  # Optuna keeps a pruned trial's last report as its value
        why = "beyond the limits" if trial.user_attrs.get("beyond") else "pruned"
        return f"trial {number}: {why} after {cost} ({shown})"
    return f"trial {number}: {metric} {trial.values[0]:.5f}, {cost} ({shown})"


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def best_trial(study: Any) -> Any:
    """The completed trial with the best score, within the limits.

    Raises
    ------
    UserError
        If none was completed.
    """
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    complete = [t for t in complete if not t.user_attrs.get("beyond")]
    if not complete:
        raise UserError(
            f"study '{study.study_name}': no trial was completed; widen the limits or the space, or run more trials"
        )
    sign = 1 if study.directions[0] == StudyDirection.MAXIMIZE else -1
    return max(complete, key=lambda t: (sign * t.values[0], -t.number))


def values_of(trial: Any, space: Space) -> dict[str, Any]:
    """The recipe's values that a finished trial stands for, by key."""
    from harness.tune.space import suggest

    class Frozen:
        def suggest_categorical(self, name: str, choices: Any) -> Any:
            return trial.params[name]

        def suggest_int(self, name: str, *args: Any, **kwargs: Any) -> Any:
            return trial.params[name]

        suggest_float = suggest_int

    return suggest(Frozen(), space)
