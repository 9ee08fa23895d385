"""python -m harness.play COMPETITION --hours H: from data to the best submission that so many hours can buy."""

from __future__ import annotations

import json
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
from harness.base.option_groups import Without
from harness.base.options import CompetitionChoice, DataOptions
from harness.base.places.home import from_here
from harness.base.terminal import print_table
from harness.cv.arguments import ClusterOptions, FoldOptions
from harness.kernels.options import KaggleOptions
from harness.play.arguments import NOT_SENT, BudgetOptions, PlanOptions

if TYPE_CHECKING:
    from harness.competition import Competition
    from harness.play.request import Outcome, Request

app = new_app()


@app.command()
@user_command
def main(
    which: CompetitionChoice,
    amount: BudgetOptions,
    how: PlanOptions,
    where: DataOptions,
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
    from harness.base.progress import watching
    from harness.competition import DataChoice, find_competition
    from harness.play.request import Request, check, play

    asked = Request(which.required(), amount, how, where, folds, nodes, out_root(out))
    contest = find_competition(asked.named).using(DataChoice(set=where.data_set))
    check(contest, asked)
    if place.check():
        _play_elsewhere(contest, which.competition, asked, place, as_json)
        return
    try:
        with watching() as watcher:
            done = play(contest, asked, watcher)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("stopped. What was finished is kept; the same command goes on with the rest.") from None
    if done.planned is not None:
        _show_plan(done, as_json)
        return
    _show(done, as_json)
    if any(one["state"] == NOT_SENT for one in done.sent):
        raise typer.Exit(EXIT_USER_ERROR)


def _play_elsewhere(
    contest: Competition, named: str | None, asked: Request, place: KaggleOptions, as_json: bool
) -> None:
    from harness.base.progress import watching
    from harness.kernels.command import Command
    from harness.play.elsewhere import play_on_kaggle

    command = Command.typed("harness.play", named)
    with watching() as watcher:
        told = play_on_kaggle(contest, asked, place, command, watcher)
    if told is not None:
        _print_result(told, asked.out / "oof" / contest.slug / "play" / "play.toml", as_json)


def _show_plan(done: Outcome, as_json: bool) -> None:
    player, planned = done.player, done.planned or []
    unit = "seconds" if player.costs.in_seconds else "fold-epochs"
    if as_json:
        print(json.dumps([{"what": w, "why": y, unit: c} for w, y, c in planned], indent=2))
        return
    print_table(["step", "why", f"about, in {unit}"], [[w, y, f"{c:,.0f}" if c else ""] for w, y, c in planned], left=2)
    for limit in player.limits:
        print(f"limit: {limit.name}: {limit.seen}; {limit.cure}")


def _show(done: Outcome, as_json: bool) -> None:
    from harness.cv.report.offer import submission_offer
    from harness.play.summary import as_dict, without_nan

    player, sent = done.player, list(done.sent)
    told, table = as_dict(player, sent), player.table
    _print_result(without_nan(told) if as_json else told, table.home / table.plan, as_json)
    if as_json or sent or not player.final or table.sample:
        return
    offer = submission_offer(table.competition, player.final, carried("--data", "--out"), table.hidden)
    place = "codabench" if table.hidden else "kaggle"
    nowhere = (
        f'hand in the file yourself; or say in competition.toml where it goes, e.g. platform = "{place}", and then:'
    )
    for line in next_lines(*([nowhere] if table.competition.platform == "none" else []), *offer):
        print(line)


def _print_result(told: dict[str, Any], plan: Path, as_json: bool) -> None:
    from harness.play.summary import result_lines

    if as_json:
        print(json.dumps(told, indent=2))
        return
    for line in result_lines(told):
        print(line)
    plan = from_here(plan)
    print(f"page:     {plan.parent / 'play.html'}\nplan:     {plan}")


if __name__ == "__main__":
    app()
