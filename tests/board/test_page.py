"""board.html: everything that is there, nothing that is not, whatever stands in the files, and quickly."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.board.live import live_state
from harness.board.overview import read_overview
from harness.board.page import board_page, write_board
from harness.board.reading import Reader
from harness.board.runs import FINISHED, RUNNING, STOPPED, UNREADABLE
from harness.ledger import open_ledger
from tests.board.drawn import HOSTILE, draw_board, draw_progress, draw_run
from tests.conftest import run_inside
from tests.ledger.test_ledger import INTENT


def test_runs_are_in_the_state_that_they_are_in(tmp_path: Path):
    overview = read_overview(draw_board(tmp_path), Reader())
    cells = next(contest for contest in overview.contests if contest.slug == "cells")
    states = {run.name: run.state for run in cells.runs}
    assert states["quick-00000000"] == FINISHED and states["quick-running"] == RUNNING
    assert states["quick-stopped"] == STOPPED and states["quick-half"] == UNREADABLE
    assert cells.best and cells.best.name == "ensemble-mean-01234567" and cells.runs[0] is cells.best
    assert [run.name for run in cells.under_way] == ["quick-running", "quick-trial"]
    (study,), (play,) = cells.studies, cells.plays
    assert study.running and study.trials["complete"] == 1 and study.trials["running"] == 1
    assert play.running and [step.what for step in play.steps] == ["train quick", "train strong"]
    assert any("quick-half/environment.json" in said for said in overview.troubles)


def test_the_time_left_of_a_run_is_that_of_its_folds(tmp_path: Path):
    run = draw_run(tmp_path / "oof/cells/quick-1", None, done=1)
    for fold in (1, 2):
        draw_progress(run, fold, epochs=5, of=10)
    (contest,) = read_overview(tmp_path, Reader()).contests
    (card,) = contest.runs
    left = card.eta(time.time())
    assert (
        left and 15 < left < 40
    )  # 10 s were for half a fold; two folds run, two wait: 10 s + 20 s and what the test took
    assert card.eta(time.time() + 1e4) is None
    for fold in (1, 2):
        draw_progress(run, fold, epochs=5, of=10, together=(1, 2))  # no others were asked for
    ((card,),) = [contest.runs for contest in read_overview(tmp_path, Reader()).contests]
    left = card.eta(time.time())
    assert left and left < 15


def test_the_page_says_all_of_it_and_escapes_it(tmp_path: Path):
    overview = read_overview(draw_board(tmp_path), Reader())
    html = write_board(overview).read_text(encoding="utf-8")
    assert HOSTILE not in html and "&lt;script&gt;document.title" in html and "<i>" not in html
    assert 'href="cells/quick-00000005/report.html"' in html and "cells, study quick-1a2b" in html
    assert "epochs 3" in html and "ensemble of 2" in html and "first try" in html and "#night" in html
    assert "4 of 10" in html and "0.5500" in html and len(html) < 5e6
    told = json.dumps(live_state(overview), allow_nan=False)
    assert "quick-running" in told and json.loads(told)["running"][0]["folds"][0]["curve"][-1] == [4, 0.5, 0.55]


def test_submissions_and_plays_stand_there(tmp_path: Path):
    open_ledger(draw_board(tmp_path)).add(replace(INTENT, competition="cells", run="quick-00000000"))
    overview = read_overview(tmp_path, Reader())
    html = board_page(overview).html()
    assert [line["run"] for line in overview.submissions] == ["quick-00000000"] and "0.90000" in html
    assert "train strong" in html and "its plan as it went" in html
    (tmp_path / "submissions" / "ledger.sqlite").write_bytes(b"no database at all, but long enough to be looked at" * 9)
    overview = read_overview(tmp_path, Reader())
    assert overview.submissions == () and any(said.startswith("submissions: ") for said in overview.troubles)


def test_pages_and_board_link_each_other(tmp_path: Path):
    draw_board(tmp_path)
    page = tmp_path / "oof/cells/quick-00000000/report.html"
    assert "Board" not in page.read_text()
    write_board(read_overview(tmp_path, Reader()))
    assert "<a href='../../board.html'>Board</a>" in page.read_text()


def test_fifty_runs_are_read_and_shown_in_no_time(tmp_path: Path):
    draw_board(tmp_path, runs=50)
    reader, started = Reader(), time.perf_counter()
    html = board_page(read_overview(tmp_path, reader)).html()
    first, started = time.perf_counter() - started, time.perf_counter()
    read_overview(tmp_path, reader, submissions=False)
    again = time.perf_counter() - started
    assert html.count("quick-000000") >= 50
    assert first < 5 and again < 1, (first, again)  # 0.3 s and 0.06 s on two cores; a busy machine gets room


def test_nothing_is_there(tmp_path: Path):
    done = run_inside("harness.board", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "0 competitions, 0 runs" in done.stdout and "Nothing runs now" in (tmp_path / "oof/board.html").read_text()


def test_one_competition_is_shown_alone(tmp_path: Path):
    overview = read_overview(draw_board(tmp_path), Reader(), only="cells")
    assert [contest.slug for contest in overview.contests] == ["cells"]


def test_the_command_tells_what_it_left_out(tmp_path: Path):
    done = run_inside("harness.board", "--out", str(draw_board(tmp_path)))
    assert done.returncode == 0, done.stderr
    assert "left out: oof/cells/quick-half/environment.json" in done.stdout and "page: " in done.stdout
    assert "2 competitions, 11 runs (2 under way), 0 submissions" in done.stdout
    told = json.loads(run_inside("harness.board", "--json", "--out", str(tmp_path)).stdout)
    assert [run["run"] for run in told["running"]] == ["quick-running", "quick-trial"]


KEYS = st.sampled_from(
    [
        "competition",
        "data",
        "folds",
        "k",
        "hash",
        "workers",
        "started",
        "ensemble",
        "members",
        "model",
        "name",
        "args",
        "metric",
        "metrics",
        "pooled",
        "seconds",
        "accuracy",
        "complete",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
)
FILES = ("environment.json", "recipe.json", "scores.json", "about.json", "progress-0.jsonl")


@settings(max_examples=40, deadline=None)
@given(contents=st.fixed_dictionaries(dict.fromkeys(FILES, JSON)), cut=st.integers(0, 3))
def test_whatever_stands_in_the_files(contents: dict[str, object], cut: int, tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("root")
    run = draw_run(root / "oof/cells/quick-1")
    for name, content in contents.items():
        text = json.dumps(content)
        (run / name).write_text(text[: len(text) - cut])
    overview = read_overview(root, Reader())
    board_page(overview).html()
    json.dumps(live_state(overview), allow_nan=False)
