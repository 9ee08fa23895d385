"""python -m harness.board: what there is and what runs, on one page."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from harness.base.command import JsonOption, OutOption, new_app, out_root, user_command
from harness.base.options import CompetitionChoice
from harness.base.places.home import from_here

app = new_app()


@app.command()
@user_command
def main(
    which: CompetitionChoice,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show it on 127.0.0.1, where it follows what runs; Ctrl-C ends it.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="With --serve: the port; 0 = any that is free.")] = 0,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """All competitions, runs, studies, plays and submissions on one page, and what runs now; or those of one competition.

    Writes oof/board.html; --serve writes nothing. Nothing is trained, and nothing in a run is changed.
    """
    root = out_root(out).resolve()
    from harness.board.live import live_state
    from harness.board.overview import read_overview
    from harness.board.page import counted, write_board
    from harness.board.reading import Reader
    from harness.competition import find_competition

    only = find_competition(which.given).slug if which.given else ""
    if serve:
        from harness.board.server import serve_board

        serve_board(root, only, port)
        return
    overview = read_overview(root, Reader(), only=only)
    path = write_board(overview)
    if as_json:
        print(json.dumps({**live_state(overview), "page": str(path)}, indent=2))
        return
    for said in overview.troubles:
        print(f"left out: {said}")
    runs = sum(len(contest.runs) for contest in overview.contests)
    under_way = sum(len(contest.under_way) for contest in overview.contests)
    told = (
        counted(len(overview.contests), "competition"),
        f"{counted(runs, 'run')} ({under_way} under way)",
        counted(len(overview.submissions), "submission"),
    )
    print(f"{', '.join(told)}\npage: {from_here(path)}")


if __name__ == "__main__":
    app()
