"""Answers that no platform should give, and some that a platform does: nothing is spent twice for them, nothing breaks."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.base.secrets import redact
from harness.ledger import State
from harness.remote.errors import Refused, Unclear, Unreachable
from harness.remote.retry import retry_after, wait_words
from harness.submit.sending import send
from tests.submit.servers import FAULTS, Fault
from tests.submit.test_sending import attempt, both, codabench, entry, kaggle  # noqa: F401 - fixtures

ODD = ['{"detail": "later"}', "null", "[1]", '"x"', "5", '{"results": {}}', '{"submissions": "x"}', "[" * 5000]
LISTS = {"kaggle": "ListSubmissions", "codabench": "list"}
FINAL = {"kaggle": "CreateSubmission", "codabench": "submit"}


def say(text: str) -> None: ...


@pytest.mark.parametrize("body", ODD)
def test_a_list_of_another_shape_is_no_empty_list(both, entry, body: str):  # noqa: F811
    name, server, platform = both
    ledger, number = entry
    server.faults = {FINAL[name]: [FAULTS["lost"]], LISTS[name]: [Fault("status", 200, body)] * 99}
    assert attempt(ledger, platform, number).state == State.UNKNOWN
    ledger_state = attempt(ledger, platform, number).state
    assert ledger_state == State.UNKNOWN and server.calls.count(FINAL[name]) == 1
    server.faults = {}
    assert attempt(ledger, platform, number).state == State.COMPLETE and len(server.submissions) == 1


def test_a_new_line_without_the_name_may_be_ours(both, entry, monkeypatch):  # noqa: F811
    name, server, platform = both
    ledger, number = entry
    key = "description" if name == "kaggle" else "filename"
    lister = "_ListSubmissions" if name == "kaggle" else "_list"
    whole = getattr(server, lister)

    def nameless(told):
        found = whole(told if name == "kaggle" else {})
        return {k: [{n: v for n, v in line.items() if n != key} for line in lines] for k, lines in found.items()}

    server.faults = {FINAL[name]: [FAULTS["lost"]]}
    monkeypatch.setattr(server, lister, nameless)
    for _ in range(2):
        assert attempt(ledger, platform, number).state == State.UNKNOWN
    assert len(server.submissions) == 1


def test_a_submission_on_the_second_page_is_found(both, entry, monkeypatch):  # noqa: F811
    name, server, platform = both
    ledger, number = entry
    lister = "_ListSubmissions" if name == "kaggle" else "_list"
    whole = getattr(server, lister)

    def paged(told):
        found = whole(told if name == "kaggle" else {})
        if name == "kaggle":
            older = [{"ref": 1000 + i, "description": "older", "status": "COMPLETE"} for i in range(20)]
            first = not told.get("pageToken")
            return {"submissions": older, "nextPageToken": "two"} if first else found
        older = [{"id": 1000 + i, "filename": "older.zip", "status": "Finished"} for i in range(20)]
        first = "page" not in told
        return {"results": older, "next": f"{server.url}/api/submissions/?page=2"} if first else found

    monkeypatch.setattr(server, lister, paged)
    server.faults = {FINAL[name]: [FAULTS["lost"]]}
    assert attempt(ledger, platform, number).state == State.COMPLETE and len(server.submissions) == 1


@pytest.mark.parametrize("status", [408, 409, 425, 500, 503])
def test_an_error_that_says_nothing_of_what_was_done_is_unclear(both, entry, status: int, monkeypatch):  # noqa: F811
    name, server, platform = both
    ledger, number = entry
    step = "_CreateSubmission" if name == "kaggle" else "_submit"
    work = getattr(server, step)

    def done_all_the_same(told):
        work(told)
        return (status, {"detail": "?"}) if name == "codabench" else None

    if name == "kaggle":
        pytest.skip("its mock answers 200 only; the client's errors go by the same list")
    monkeypatch.setattr(server, step, done_all_the_same)
    found = attempt(ledger, platform, number)
    assert found.state == State.COMPLETE and len(server.submissions) == 1


def test_a_changed_file_is_not_sent_after_an_unclear_end(both, entry):  # noqa: F811
    name, server, platform = both
    ledger, number = entry
    server.faults = {FINAL[name]: [FAULTS["500"]]}
    assert attempt(ledger, platform, number).state == State.UNKNOWN
    path = Path(ledger.entry(number).intent.file)
    path.write_text("id,label\n1,square\n")
    with pytest.raises(UserError, match="is not sent again"):
        send(ledger, platform, number, say)
    path.unlink()
    with pytest.raises(UserError, match="is not there any more"):
        send(ledger, platform, number, say)
    assert server.submissions == []


@pytest.mark.parametrize("body", ODD)
def test_odd_answers_end_in_one_of_three_errors(both, body: str):  # noqa: F811
    name, server, platform = both
    steps = {
        "kaggle": (
            "GetSubmissionLimits",
            "GetCompetition",
            "StartSubmissionUpload",
            "ListSubmissions",
            "GetLeaderboard",
        ),
        "codabench": ("login", "can", "phase", "start", "list", "look", "board"),
    }[name]
    for step in steps:
        if name == "codabench":
            platform._token = None
        server.faults = {s: [Fault("status", 200, body)] * 9 for s in (step,)}
        for call in (
            platform.standing,
            lambda: platform.find("tag"),
            lambda: platform.look("501"),
            platform.leaderboard,
        ):
            try:
                call()
            except (Refused, Unreachable):
                continue


def test_an_odd_answer_to_the_final_call_is_unclear(both):  # noqa: F811
    name, server, platform = both
    server.uploads["x"] = b"x"
    for body in ("null", "[]", "{}", '{"ref": null, "message": null}', '{"id": null}'):
        server.faults = {FINAL[name]: [Fault("status", 200, body)]}
        with pytest.raises(Unclear):
            platform.submit("x", "message")


def test_codabench_says_less_than_it_might(codabench, entry, monkeypatch):  # noqa: F811
    """A finished submission without its score, statuses in lower case, an upload that is confirmed by nothing."""
    server, platform = codabench
    server.clear()
    ledger, number = entry
    whole = server._one

    def bare(n):
        return {"id": n, "filename": whole(n)["filename"], "status": "finished"}

    monkeypatch.setattr(server, "_one", bare)
    server.faults = {"completed": [Fault("status", 204, "")]}
    found = attempt(ledger, platform, number)
    assert found.state == State.PENDING and "does not show its score" in found.detail
    board = {"submissions": [{"id": int(found.ref), "owner": "me", "scores": [{"score": "0.8"}]}]}
    monkeypatch.setattr(server, "_board", lambda: board)
    found = attempt(ledger, platform, number)
    assert (found.state, found.public) == (State.COMPLETE, 0.8) and len(server.submissions) == 1


def test_codabench_quota_is_told_from_what_is_over_for_good(codabench, monkeypatch):  # noqa: F811
    server, platform = codabench
    server.clear()
    server.left = 0
    standing = platform.standing()
    assert standing.left_today == 0 and standing.problems == []
    monkeypatch.setattr(server, "_phase", lambda: {"max_submissions_per_person": 5, "used_submissions_per_person": 5})
    assert platform.standing().problems
    server.left = 3
    monkeypatch.setattr(server, "_phase", lambda: {"status": "current", "competition": 7})
    standing = platform.standing()  # the competition's page is not there: the quota is not known
    assert standing.left_today is None and standing.problems == []


def test_a_server_that_drips_is_given_up(codabench, monkeypatch):  # noqa: F811
    from harness.remote.retry import within

    with pytest.raises(TimeoutError):
        within(0.1, lambda: time.sleep(3))
    assert within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)


@pytest.mark.parametrize("score", ["nan", "inf", "-inf", None, "x"])
def test_a_score_that_is_no_number_is_none(codabench, score):  # noqa: F811
    _, platform = codabench
    assert platform._score([{"score": score}]) is None


def test_retry_after_is_seconds_or_a_date():
    assert retry_after("7") == 7 and retry_after(None) is None and retry_after("soon") is None
    assert retry_after("nan") is None and retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert 3500 < retry_after(time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))) <= 3600


@pytest.mark.parametrize("asked", ["1e18", "1e300", "Fri, 01 Jan 9999 00:00:00 GMT", "inf", "-5"])
def test_whatever_wait_is_asked_for_can_be_said(asked: str):
    seconds = retry_after(asked)
    assert seconds is None or 0 <= seconds < 4e7
    assert len(wait_words(seconds)) < 80


@pytest.mark.parametrize(
    "text",
    [
        r"http://s/x?a=1\u0026X-Amz-Signature=SIGN-THAT-NOBODY",
        "x&amp;X-Amz-Signature=SIGN-THAT-NOBODY&amp;y",
        "x%3FX-Amz-Signature%3DSIGN-THAT-NOBODY",
        "X-Goog-Signature=SIGN-THAT-NOBODY",
        "{'X-Amz-Signature': 'SIGN-THAT-NOBODY'}",
        '{"signature": "SIGN-THAT-NOBODY"}',
        "<SignatureProvided>SIGN-THAT-NOBODY</SignatureProvided>",
        "upload_id=SIGN-THAT-NOBODY",
        r"{\"password\": \"SIGN-THAT-NOBODY\"}",
        "https://me:SIGN-THAT-NOBODY@host/x",
        "Authorization: Basic SIGN-THAT-NOBODY",
    ],
)
def test_signatures_are_taken_out_of_whatever_is_said(text: str):
    assert "SIGN-THAT-NOBODY" not in redact(text)


def test_a_known_secret_is_found_in_every_writing():
    secret = 'p"a/s&s ü'
    for text in (secret, '{"x": "p\\"a/s&s \\u00fc"}', "p%22a%2Fs%26s%20%C3%BC", "p&quot;a/s&amp;s ü"):
        assert "[redacted]" in redact(text, [secret]), text
