"""python -m harness.play COMPETITION --hours H: from data to the best submission that so many hours can buy."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.base.command import (
    EXIT_USER_ERROR,
    JsonOption,
    OutOption,
    carried,
    new_app,
    next_lines,
    out_root,
    user_command,
)
from harness.base.errors import UserError
from harness.base.option_groups import Without
from harness.base.options import CompetitionChoice, DataOptions
from harness.base.terminal import print_table
from harness.cv.arguments import ClusterOptions, FoldOptions
from harness.kernels.options import KaggleOptions
from harness.play.arguments import NOT_SENT, BudgetOptions, PlanOptions

if TYPE_CHECKING:
    from harness.competition import Competition
    from harness.play.player import Player
    from harness.play.spending.budget import FoldEpochs, WallTime
    from harness.play.steps.table import Table

app = new_app()


@app.command()
@user_command
def main(
    which: CompetitionChoice,
    amount: BudgetOptions,
    how: PlanOptions,
    where: Annotated[DataOptions, Without("data_set")],
    folds: Annotated[FoldOptions, Without("folds", "resume", "fresh", "clean")],
    nodes: ClusterOptions,
    place: Annotated[KaggleOptions, Without("dry_run")],
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play a competition: clean, baseline, noise suite, a race of recipes, ensemble, judgement, forecast, submission.

    Every step is predicted before it is begun; what does not fit is left out, and a checked submission lies there from the first
    minute on. Killed, it goes on with the same command and the rest of its hours. Writes oof/<slug>/play/.
    """
    out = out_root(out)
    from harness.base.progress import watching
    from harness.competition import find_competition
    from harness.cv.jobs.executor import start_server
    from harness.data.chosen import load_chosen
    from harness.distributed.executor import Cluster
    from harness.play.plan.file import read_plan
    from harness.play.spending.budget import DeadlineWatcher, OutOfTime
    from harness.play.steps.table import Table

    named = which.required()
    contest = find_competition(named)
    amount.check()
    _refuse_clustering(contest)
    if how.plan:
        read_plan(how.plan, contest.folder)  # what is wrong with it is said before data are read
    if place.check():
        _play_elsewhere(contest, which.competition, how, where, folds, nodes, place, out, as_json)
        return
    home = out.resolve() / "oof" / contest.slug / "play"
    if how.fresh and not how.dry_run:
        _begin_anew(home)
    if folds.workers != 1 and not nodes.cluster:
        start_server()
    budget = _budget(amount, home)
    try:
        with watching(quiet=as_json) as inner, contextlib.nullcontext() if how.dry_run else budget.running():
            watcher = DeadlineWatcher(inner, budget)
            contest, dataset = load_chosen(contest, where, watcher)
            watcher.say(f"{contest.title}: {dataset.source}, fingerprint {dataset.fingerprint}")
            cluster = Cluster(nodes.cluster, nodes.cpus_per_fold, nodes.gpus_per_fold) if nodes.cluster else None
            table = Table(
                contest,
                dataset,
                out.resolve(),
                home,
                watcher,
                named,
                folds.workers,
                folds.device,
                cluster,
                where.sample,
            )
            player = _player(table, budget, how)
            if how.dry_run:
                _show_plan(player, as_json)
                return
            _play(player, how.plan)
            sent = _send(player, how.submit, where.sample)
    except OutOfTime:
        raise UserError(
            "the budget was spent while the images were still being decoded; those that were are kept. Give it more --hours: the same "
            "command goes on"
        ) from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt("stopped. What was finished is kept; the same command goes on with the rest.") from None
    _show(player, sent, named, as_json)
    if any(one["state"] == NOT_SENT for one in sent):
        raise typer.Exit(EXIT_USER_ERROR)


def _play_elsewhere(
    contest: Competition,
    named: str | None,
    how: PlanOptions,
    where: DataOptions,
    folds: FoldOptions,
    nodes: ClusterOptions,
    place: KaggleOptions,
    out: Path,
    as_json: bool,
) -> None:
    from harness.base.progress import watching
    from harness.play.elsewhere import play_on_kaggle

    if nodes.cluster or folds.device != "auto":
        raise UserError("--on kaggle: does not go with --cluster and --device")
    place = dataclasses.replace(place, dry_run=how.dry_run)
    with watching(quiet=as_json) as watcher:
        told = play_on_kaggle(contest, named, how, where, place, out.resolve(), watcher)
    if told is not None:
        _print_result(told, out.resolve() / "oof" / contest.slug / "play", as_json)


def _play(player: Player, plan: Path | None) -> None:
    from harness.play.plan.file import read_plan

    if plan:
        player.replay(read_plan(plan, player.table.competition.folder))
    else:
        player.play()


def _refuse_clustering(contest: Competition) -> None:
    if contest.is_clustering:
        raise UserError(
            f"'{contest.slug}' has no labels, so no score tells one run from another. Play it by its recipes: harness.cv"
        )


def _begin_anew(home: Path) -> None:
    for name in ("journal.jsonl", "spent.json"):
        (home / name).unlink(missing_ok=True)


def _budget(amount: BudgetOptions, home: Path) -> WallTime | FoldEpochs:
    from harness.play.spending.budget import FoldEpochs, WallTime

    if amount.fold_epochs is not None:
        return FoldEpochs(amount.fold_epochs)
    assert amount.hours is not None  # `check` saw to that
    return WallTime(3600 * amount.hours, home / "spent.json")


def _player(table: Table, budget: WallTime | FoldEpochs, how: PlanOptions) -> Player:
    from harness.ledger import open_ledger
    from harness.play.journal import Journal
    from harness.play.player import Player

    journal, contest = Journal(table.home / "journal.jsonl"), table.competition
    if not how.dry_run:
        told = {"data": table.dataset.fingerprint, "metric": contest.metric}
        journal.open_for({**told, "budget": budget.unit, "plan": str(how.plan or "")})
    return Player(table, budget, journal, open_ledger(table.out), _keep_pages)


def _keep_pages(player: Player) -> None:
    """play.html and play.toml as they stand now."""
    from harness.play.page import write_play_page
    from harness.play.plan.file import write_plan

    table, steps = player.table, player.journal.steps
    recipes = {
        key: f"recipes/{step.outcome['recipe']['name']}.toml" for key, step in steps.items() if "recipe" in step.outcome
    }
    write_plan(table.home / "play.toml", table.named, steps.values(), recipes)
    write_play_page(table.home / "play.html", player)


def _send(player: Player, most: int, sample: bool) -> list[dict[str, Any]]:
    from harness.play.steps.finish import send_best

    if not most or not player.final:
        return []
    if sample:
        raise UserError("--submit: the embedded sample is no data of a competition; leave out --sample")
    names = [player.final, *(name for name in player.runs if name != player.final)]
    return send_best(player.table, names, most, player.ledger, player.table.watcher.say)


def _show_plan(player: Player, as_json: bool) -> None:
    planned = player.plan_only()
    unit = "seconds" if player.costs.in_seconds else "fold-epochs"
    if as_json:
        print(json.dumps([{"what": w, "why": y, unit: c} for w, y, c in planned], indent=2))
        return
    print_table(["step", "why", f"about, in {unit}"], [[w, y, f"{c:,.0f}" if c else ""] for w, y, c in planned], left=2)
    for limit in player.limits:
        print(f"limit: {limit.name}: {limit.seen}; {limit.cure}")


def _show(player: Player, sent: list[dict[str, Any]], named: str, as_json: bool) -> None:
    from harness.base.storage.atomic_files import write_json
    from harness.play.summary import as_dict

    told, table = as_dict(player, sent), player.table
    write_json(table.home / "result.json", told)
    _print_result(told, table.home, as_json)
    if as_json or sent or not player.final or table.sample:
        return
    command = f"python -m harness.submit {shlex.quote(named)} --run {player.final}{' --bundle' if table.hidden else ''}{carried('--data', '--out')}"
    nowhere = 'hand in the file yourself; or say in competition.toml where it goes, e.g. platform = "kaggle", and then:'
    for line in next_lines(*([nowhere] if table.competition.platform == "none" else []), command):
        print(line)


def _print_result(told: dict[str, Any], home: Path, as_json: bool) -> None:
    from harness.play.summary import result_lines

    if as_json:
        print(json.dumps(told, indent=2))
        return
    for line in result_lines(told):
        print(line)
    print(f"page:     {home / 'play.html'}\nplan:     {home / 'play.toml'}")


if __name__ == "__main__":
    app()
