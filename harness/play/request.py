"""What is asked of a play, by a command or from Python, and how it is carried out: the same from both."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.base.progress import LineWatcher
from harness.base.storage.atomic_files import write_json
from harness.cv.arguments import ClusterOptions, FoldOptions
from harness.play.arguments import BudgetOptions, PlanOptions

if TYPE_CHECKING:
    from harness.competition import Competition
    from harness.play.player import Player
    from harness.play.spending.budget import FoldEpochs, WallTime
    from harness.play.steps.table import Table


@dataclass(frozen=True)
class Request:
    """What is asked for, as the options of harness.play group it.

    Attributes
    ----------
    named : how the user named the competition, for commands that are shown
    out : folder that oof/ and submissions/ are written under
    """

    named: str
    amount: BudgetOptions
    how: PlanOptions
    where: DataOptions
    folds: FoldOptions
    nodes: ClusterOptions
    out: Path

    def home(self, contest: Competition) -> Path:
        """The folder of the play."""
        return self.out.resolve() / "oof" / contest.slug / "play"


@dataclass(frozen=True)
class Outcome:
    """A play that has ended, or its plan.

    Attributes
    ----------
    planned : steps (what, why, about how much) of a play that is only planned, else None
    sent : what became of each submission
    """

    player: Player
    planned: list[tuple[str, str, float]] | None = None
    sent: tuple[dict[str, Any], ...] = ()


def check(contest: Competition, asked: Request) -> None:
    """Refuse a budget that is none, and a competition that cannot be played (UserError)."""
    asked.amount.check()
    if asked.how.submit and asked.where.sample:
        raise UserError("--submit: the embedded sample is no data of a competition; leave out --sample")
    if asked.how.submit and contest.platform == "none":
        raise UserError(
            f'--submit: {contest.folder / "competition.toml"} names no platform to send to: platform = "kaggle" or "codabench"'
        )
    if contest.is_clustering:
        raise UserError(
            f"'{contest.slug}' has no labels, so no score tells one run from another. Play it by its recipes: harness.cv"
        )
    if asked.how.plan:
        from harness.play.plan.file import read_plan

        read_plan(asked.how.plan, contest.folder, contest.set)  # what is wrong with it is said before data are read


def play(contest: Competition, asked: Request, inner: LineWatcher) -> Outcome:
    """Play, or with how.dry_run plan only; what was begun with the same request is gone on with.

    Raises
    ------
    UserError
        For whatever the user can put right; what was finished is kept.
    """
    from harness.competition.builtin.facts import weights_at_hand
    from harness.cv.jobs.executor import start_server
    from harness.play.spending.budget import DeadlineWatcher, OutOfTime
    from harness.play.summary import as_dict, without_nan

    check(contest, asked)
    how, home = asked.how, asked.home(contest)
    if how.fresh and not how.dry_run:
        _begin_anew(home)
    if asked.folds.workers != 1 and not asked.nodes.cluster:
        start_server(with_timm=bool(weights_at_hand()))
    start = home / "anew" if how.fresh else home  # nothing stands there, and planning writes nothing
    budget = _budget(asked.amount, start if how.dry_run else home)
    try:
        with contextlib.nullcontext() if how.dry_run else budget.running():
            table = _table(contest, asked, home, DeadlineWatcher(inner, budget))
            player = _player(table, budget, how, (start if how.dry_run else home) / "journal.jsonl")
            if how.dry_run:
                return Outcome(player, player.plan_only())
            _play(player, how.plan)
            done = Outcome(player, sent=tuple(_send(player, how.submit)))
            write_json(home / "result.json", without_nan(as_dict(player, list(done.sent))))
            return done
    except OutOfTime:
        raise UserError(
            "the budget was spent while the images were still being decoded; those that were are kept. Give it more --hours: the same "
            "command goes on"
        ) from None


def _table(contest: Competition, asked: Request, home: Path, watcher: LineWatcher) -> Table:
    from harness.data.chosen import load_chosen
    from harness.distributed.executor import Cluster
    from harness.play.steps.table import Table

    contest, dataset = load_chosen(contest, asked.where, watcher)
    watcher.say(f"{contest.title}: {dataset.source}, fingerprint {dataset.fingerprint}")
    nodes = asked.nodes
    return Table(
        contest,
        dataset,
        asked.out.resolve(),
        home,
        watcher,
        asked.named,
        asked.folds.workers,
        asked.folds.device,
        Cluster(nodes.cluster, nodes.cpus_per_fold, nodes.gpus_per_fold) if nodes.cluster else None,
        asked.where.sample,
        bool(asked.how.plan),
    )


def _play(player: Player, plan: Path | None) -> None:
    from harness.play.plan.file import read_plan

    if plan:
        contest = player.table.competition
        player.replay(read_plan(plan, contest.folder, contest.set))
    else:
        player.play()


def _begin_anew(home: Path) -> None:
    for name in ("journal.jsonl", "spent.json"):
        (home / name).unlink(missing_ok=True)


def _budget(amount: BudgetOptions, home: Path) -> WallTime | FoldEpochs:
    from harness.play.spending.budget import FoldEpochs, WallTime

    if amount.fold_epochs is not None:
        return FoldEpochs(amount.fold_epochs)
    assert amount.hours is not None  # `check` saw to that
    return WallTime(3600 * amount.hours, home / "spent.json")


def _player(table: Table, budget: WallTime | FoldEpochs, how: PlanOptions, path: Path) -> Player:
    from harness.ledger import open_ledger
    from harness.play.journal import Journal
    from harness.play.player import Player

    journal, contest = Journal(path), table.competition
    if not how.dry_run:
        told = {"data": table.dataset.fingerprint, "metric": contest.metric}
        journal.open_for({**told, "budget": budget.unit, "plan": str(how.plan or "")})
    return Player(table, budget, journal, open_ledger(table.out), _keep_pages)


def _keep_pages(player: Player) -> None:
    """play.html and play.toml (of a plan that is replayed replay.toml: the plan itself is its author's) as they stand now."""
    from harness.play.page import write_play_page
    from harness.play.plan.file import write_plan

    table, steps = player.table, player.journal.steps
    recipes = {
        key: f"{table.recipes}/{step.outcome['recipe']['name']}.toml"
        for key, step in steps.items()
        if "recipe" in step.outcome
    }
    write_plan(table.home / table.plan, table.called, steps.values(), recipes)
    write_play_page(table.home / "play.html", player)


def _send(player: Player, most: int) -> list[dict[str, Any]]:
    from harness.play.steps.finish import send_best

    if not most or not player.final:
        return []
    names = [player.final, *(name for name in player.runs if name != player.final)]
    return send_best(player.table, names, most, player.ledger, player.table.watcher.say)
