"""The ledger's table: runs by the names that people gave them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.leaderboard.page import write_page
from harness.leaderboard.table import HEADER, lines_of, run_label, table_rows
from harness.ledger import State, open_ledger
from harness.runs.notes.label import Label
from tests.ledger.test_ledger import INTENT


def test_a_run_goes_by_its_name(tmp_path: Path):
    run = tmp_path / "oof/shapes/tiny-1"
    run.mkdir(parents=True)
    (run / "report.html").write_text("<!--links--><!--/links-->")
    Label("first <i>").write(run)
    ledger = open_ledger(tmp_path)
    ledger.add(INTENT)
    ledger.add(replace(INTENT, run="tiny-2"))
    lines = lines_of(ledger, None, {})
    for line in lines:
        line["name"] = run_label(tmp_path, line["competition"], line["run"])
    place = HEADER.index("run")
    assert [row[place] for row in table_rows(lines)] == ["first <i> (tiny-1)", "tiny-2"]
    page = tmp_path / "submissions/leaderboard.html"
    write_page(page, "Leaderboard", lines, {})
    html = page.read_text(encoding="utf-8")
    assert '<a href="../oof/shapes/tiny-1/report.html">first &lt;i&gt; (tiny-1)</a>' in html and "<i>" not in html


def test_a_rank_is_on_the_board_of_its_own_phase(tmp_path: Path):
    ledger = open_ledger(tmp_path)
    for phase, scores in ((9, [0.5]), (10, [0.95, 0.9])):
        entry = ledger.add(replace(INTENT, platform=f"codabench:{phase}"))
        ledger.record(entry, State.COMPLETE, public=0.8)
        ledger.add_snapshot("shapes", f"codabench:{phase}", [{"team": "a", "score": score} for score in scores])
    assert [(line["rank"], line["teams"]) for line in lines_of(ledger, None, {})] == [(1, 1), (3, 2)]


@pytest.mark.parametrize("run", ["../tiny-1", "/etc/tiny-1", "a/b", ""])
def test_what_was_sent_may_be_no_run(tmp_path: Path, run: str):
    assert run_label(tmp_path, "shapes", run) == ""
