"""The board served: nothing without the token or for another host, no file that is not a page of ours, a live view, Ctrl-C."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.board.server import Board, Server
from harness.clean.verdicts import Verdict, write_verdicts
from harness.runs.notes.progress import read_progress
from tests.board.drawn import HOSTILE, draw_board, draw_progress, draw_run
from tests.conftest import REPOSITORY


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    draw_board(tmp_path / "out")
    with Server(Board(tmp_path / "out")) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and text; path : with a {} for the token."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.putrequest(method, path.format(server.board.token), skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    told = answer.status, dict(answer.getheaders()), answer.read().decode()
    connection.close()
    return told


@pytest.mark.parametrize(
    "path", ["/", "/x/oof/board.html", "/oof/board.html", "/live.json", "//{}/live.json/..", "/{}x/live.json"]
)
def test_without_the_token_nothing_is_told(server: Server, path: str):
    status, _, said = ask(server, path)
    assert status in (403, 404) and "cells" not in said and server.board.token not in said


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1.evil.example", ""])
def test_another_host_is_refused(server: Server, host: str):
    assert ask(server, "/{}/live.json", Host=host)[0] == 403
    assert ask(server, "/{}/live.json", Host=f"localhost:{server.server_port}")[0] == 200


def test_only_this_machine_is_listened_to(server: Server):
    assert server.server_address[0] == "127.0.0.1"


def test_pages_are_given_with_headers_that_bind_them(server: Server):
    for path, connects in (("oof/board.html", "'self'"), ("oof/cells/quick-00000000/report.html", "'none'")):
        status, headers, text = ask(server, "/{}/" + path)
        assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8" and text
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store" and headers["X-Frame-Options"] == "DENY"
        policy = headers["Content-Security-Policy"]
        assert (
            "default-src 'none'" in policy
            and "frame-ancestors 'none'" in policy
            and f"connect-src {connects};" in policy
        )
        assert "Python" not in headers["Server"]
    status, headers, text = ask(server, "/{}/oof/board.html", "HEAD")
    assert status == 200 and text == "" and int(headers["Content-Length"]) > 1000
    status, headers, _ = ask(server, "/{}/")
    assert status == 302 and headers["Location"] == f"/{server.board.token}/oof/board.html"
    assert ask(server, "/{}/live.json", "POST")[0] == 403 and ask(server, "/{}/live.json", "DELETE")[0] == 501


def test_no_other_file_is_given(server: Server):
    out, secret = server.board.out, server.board.out.parent / "secret.html"
    secret.write_text("secret")
    run = out / "oof" / "cells" / "quick-00000000"
    (run / "link.html").symlink_to(secret)
    (run / "inner.html").symlink_to(run / "report.html")
    (run / "weights.safetensors").write_bytes(b"secret")
    (run / ".hidden.html").write_text("secret")
    (out / "oof" / "away").symlink_to(out.parent, target_is_directory=True)
    (out / "submissions").mkdir()
    (out / "submissions" / "ledger.sqlite").write_text("secret")
    (out / "top.html").write_text("secret")
    os.mkfifo(run / "pipe.html")
    inside = "oof/cells/quick-00000000/"
    wrong = [
        "link.html",
        "weights.safetensors",
        ".hidden.html",
        "pipe.html",
        "",
        "../quick-00000001",
        "not.html",
        "a\0.html",
    ]
    paths = [inside + name for name in wrong]
    paths += ["oof/away/secret.html", "submissions/ledger.sqlite", "top.html", "oof", "oof/", "oof/cells", "oof/cells/"]
    paths += ["oof/../../secret.html", "oof/%2e%2e/%2e%2e/secret.html", "oof/..%2f..%2fsecret.html", "../secret.html"]
    paths += [f"oof/{secret}", f"oof/%2f{secret}", "oof/cells/quick-00000000\\..\\report.html", "oof/cells/%00.html"]
    for path in paths:
        status, _, said = ask(server, "/{}/" + path.replace("\0", "%00"))
        assert status == 404 and "secret" not in said, path
    assert ask(server, "/{}/" + inside + "inner.html")[0] == 200
    assert ask(server, "/{}/" + inside + "scores.json")[1]["Content-Type"] == "text/plain; charset=utf-8"


def test_outputs_may_lie_on_another_disk(tmp_path: Path):
    draw_run(tmp_path / "disk" / "cells" / "quick-1")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "oof").symlink_to(tmp_path / "disk", target_is_directory=True)
    assert Board(tmp_path / "out").file(["oof", "cells", "quick-1", "report.html"])[0]


def test_what_runs_is_followed(server: Server):
    told = json.loads(ask(server, "/{}/live.json")[2])
    running = {run["run"]: run for run in told["running"]}
    fold = running["quick-running"]["folds"][0]
    assert (
        (fold["epoch"], fold["epochs"], fold["fold"]) == (4, 10, "1") and fold["images_per_s"] > 0 and fold["left"] > 0
    )
    assert [study["trials"]["complete"] for study in told["studies"]] == [1]
    assert told["plays"][0]["steps"] == [["train quick", "done"], ["train strong", "begun"]]
    assert ["cells", "quick-00000000"] in told["finished"].values() and HOSTILE.replace("/", "") in str(
        told["finished"]
    )
    run = server.board.out / "oof/cells/quick-running"
    draw_progress(run, 1, epochs=7)
    server.board._told = -10.0  # an answer serves for a second
    again = json.loads(ask(server, "/{}/live.json")[2])
    assert again["running"][0]["folds"][0]["epoch"] == 7 and again["version"] == told["version"]
    assert read_progress(run)[0].is_running()
    draw_run(server.board.out / "oof/cells/quick-new")
    server.board._told = -10.0
    assert json.loads(ask(server, "/{}/live.json")[2])["version"] != told["version"]


VERDICTS = "/{}/oof/cells/clean/verdicts"


def post(server: Server, body: str, path: str = VERDICTS, **headers: str) -> tuple[int, str]:
    """As the page of cleaning does it, but for what headers say."""
    own = {"Origin": f"http://127.0.0.1:{server.server_port}", "Content-Type": "application/json"}
    sent = {name.replace("_", "-"): value for name, value in {**own, **headers}.items() if value}
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request("POST", path.format(server.board.token), body, sent)
    answer = connection.getresponse()
    told = answer.status, answer.read().decode()
    connection.close()
    return told


def test_verdicts_are_saved_in_their_place(server: Server):
    path = server.board.out / "oof/cells/clean/clean.csv"
    rows = [
        Verdict("r1", "foreign", "keep", "", 'odd, "very"'),
        Verdict("r2", "label error", "keep", "", "to cat; 0.9"),
    ]
    write_verdicts(path, rows)
    before = path.read_text()
    assert json.loads(ask(server, VERDICTS)[2]) == {"r1": "keep", "r2": "keep"}
    assert post(server, '{"r1": "exclude", "r2": "relabel"}') == (200, "saved\n")
    assert path.read_text() == before.replace("foreign,keep", "foreign,exclude").replace("error,keep", "error,relabel")
    changed = path.read_text()
    for body in ('{"r9": "keep"}', '{"r1": "delete"}', '{"r1": "relabel"}', '{"r1": 3}', "[]", "{", ""):
        assert post(server, body)[0] in (400, 422), body
    for origin in ("http://evil.example", "null", "", f"http://localhost:{server.server_port}"):
        assert post(server, '{"r1": "keep"}', Origin=origin)[0] == 403
    assert post(server, '{"r1": "keep"}', Content_Type="text/plain")[0] == 403
    assert post(server, '{"r1": "keep"}', VERDICTS.replace("{}", "x"))[0] == 403
    assert post(server, '{"r1": "keep"}', "/{}/oof/cells/quick-00000000/verdicts")[0] == 404
    assert path.read_text() == changed
    elsewhere = server.board.out.parent / "clean.csv"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert post(server, '{"r1": "keep"}')[0] == 404 and elsewhere.read_text() == changed


def test_a_comparison_of_nothing_says_so(server: Server):
    for query in ("", "?run=quick-00000000", "?run=a&run=b"):
        status, headers, said = ask(server, "/{}/oof/cells/compare-runs.html" + query)
        assert status == 422 and headers["Content-Type"].startswith("text/plain") and said


def test_a_port_that_is_taken(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="--port .*cannot be had"):
        Server(Board(tmp_path), taken.getsockname()[1])


def _hear_ctrl_c() -> None:
    """Also where the tests run in the background, where a shell has its commands ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_as_every_command(tmp_path: Path, number: int):
    command = [sys.executable, "-m", "harness.board", "--serve", "--out", str(tmp_path)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        preexec_fn=None if sys.platform == "win32" else _hear_ctrl_c,
    )
    assert process.stdout
    line = next(line for line in process.stdout if line.startswith("serving: http://127.0.0.1:"))
    port, token = line.split("127.0.0.1:")[1].strip().strip("/").split("/")
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
    connection.request("GET", f"/{token}/live.json")
    assert json.loads(connection.getresponse().read())["running"] == []
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130 and "the board is closed" in said and token not in said
