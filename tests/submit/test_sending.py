"""The fault matrix: whatever a platform does at any step, nothing is spent twice, nothing is lost, --resume ends it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.base.errors import UserError
from harness.competition.competition import CodabenchSpec, Competition, find_competition
from harness.ledger import Entry, Ledger, State, open_ledger
from harness.remote.errors import Refused, Unclear, Unreachable
from harness.submit.platform import Platform
from harness.submit.platforms.codabench import Codabench
from harness.submit.platforms.kaggle import Kaggle
from harness.submit.sending import poll, send
from tests.conftest import FOLDER_TOML
from tests.ledger.test_ledger import INTENT
from tests.submit import servers
from tests.submit.servers import FAULTS

STEPS = {
    "kaggle": ("StartSubmissionUpload", "put", "CreateSubmission", "ListSubmissions"),
    "codabench": ("login", "start", "put", "completed", "can", "submit", "look"),
}
FINAL = ("CreateSubmission", "submit")
SECRETS = ("that-nobody-may-see",)


@pytest.fixture(scope="module")
def kaggle() -> Iterator[tuple[servers.Server, Platform]]:
    servers.skip_without_kaggle()
    yield from _pair(servers.Kaggle(), lambda: Kaggle("shapes"))


@pytest.fixture(scope="module")
def codabench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[servers.Server, Platform]]:
    yield from _pair(servers.Codabench(), lambda: Codabench(contest(tmp_path_factory.mktemp("contest"))))


def contest(folder: Path) -> Competition:
    (folder / "shapes").mkdir()
    (folder / "shapes" / "competition.toml").write_text(FOLDER_TOML.replace("metric", 'platform = "codabench"\nmetric'))
    return find_competition(folder / "shapes").model_copy(update={"codabench": CodabenchSpec(phase=9)})


def _pair(server, make) -> Iterator[tuple[servers.Server, Platform]]:
    quick = {"HARNESS_RETRY_SECONDS": "0.01", "HARNESS_GRACE_SECONDS": "0.1", "HARNESS_CALL_SECONDS": "1.5"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (quick | server.environment()).items():
            patch.setenv(name, value)
        yield server, make()
    server.close()
    assert server.stray == []


@pytest.fixture(params=["kaggle", "codabench"])
def both(request) -> tuple[str, servers.Server, Platform]:
    server, platform = request.getfixturevalue(request.param)
    server.clear()
    return request.param, server, platform


@pytest.fixture
def entry(tmp_path: Path) -> tuple[Ledger, int]:
    ledger, path = open_ledger(tmp_path), tmp_path / "one.csv"
    path.write_text("id,label\n1,circle\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return ledger, ledger.add_once(replace(INTENT, file=str(path), sha256=digest))


def attempt(ledger: Ledger, platform: Platform, number: int) -> Entry:
    """What one call of the command does."""
    with contextlib.suppress(UserError, Unreachable):
        send(ledger, platform, number, lambda text: None)
        poll(ledger, platform, number, 0.3, lambda text: None)
    return ledger.entry(number)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", range(7))
def test_nothing_is_spent_twice_and_nothing_is_lost(both, entry, fault: str, place: int):
    name, server, platform = both
    if place >= len(STEPS[name]):
        pytest.skip("this platform has fewer steps")
    step = STEPS[name][place]
    if name == "codabench":
        platform._token = None  # so that it logs in again
    ledger, number = entry
    server.faults = {step: [FAULTS[fault]]}
    found = attempt(ledger, platform, number)
    assert len(server.submissions) <= 1
    if found.state in (State.REFUSED, State.INTENT, State.UPLOADED):
        assert not server.submissions  # "nothing was spent" is true
    for _ in range(3):  # --resume, as often as it takes
        if found.state == State.REFUSED:
            break
        found = attempt(ledger, platform, number)
        assert len(server.submissions) <= 1
    if found.state == State.REFUSED:
        assert fault in ("400", "401", "403", "404") and not server.submissions
    else:
        assert (found.state, found.public) == (State.COMPLETE, 0.91) and len(server.submissions) == 1
    told = "".join(f"{event}" for event in ledger.events(number))
    assert not any(secret in told for secret in SECRETS)


def test_a_lost_answer_is_found_by_its_tag_at_once(both, entry):
    name, server, platform = both
    ledger, number = entry
    server.faults = {"CreateSubmission" if name == "kaggle" else "submit": [FAULTS["lost"]]}
    found = attempt(ledger, platform, number)
    assert found.state == State.COMPLETE and len(server.submissions) == 1


@pytest.mark.parametrize("fault", ["400", "401", "403", "404", "429", "500"])
def test_a_no_after_the_work_was_done_is_found_out(both, entry, fault: str):
    """A 4xx answer to the final call was "refused, nothing was spent", and the next submit sent again."""
    name, server, platform = both
    ledger, number = entry
    final = "CreateSubmission" if name == "kaggle" else "submit"
    server.faults = {final: [servers.after(fault)] * 9}
    found = attempt(ledger, platform, number)
    assert found.state == State.COMPLETE and len(server.submissions) == 1 and server.calls.count(final) == 1


@pytest.mark.parametrize("fault", ["400", "403", "429"])
def test_a_no_where_the_list_cannot_be_had_is_unclear(both, entry, fault: str):
    name, server, platform = both
    ledger, number = entry
    final, listing = ("CreateSubmission", "ListSubmissions") if name == "kaggle" else ("submit", "list")
    server.faults = {final: [servers.after(fault)], listing: [FAULTS["500"]] * 9}
    found = attempt(ledger, platform, number)
    assert found.state == State.UNKNOWN and server.calls.count(final) == 1
    server.faults = {}
    assert attempt(ledger, platform, number).state == State.COMPLETE and len(server.submissions) == 1


def test_a_no_that_is_true_is_said_after_the_list_was_asked(both, entry):
    name, server, platform = both
    ledger, number = entry
    final, listing = ("CreateSubmission", "ListSubmissions") if name == "kaggle" else ("submit", "list")
    server.faults = {final: [FAULTS["403"]]}
    with pytest.raises(UserError, match="accept the rules.*\n.*not in the platform's list .* so nothing was spent"):
        send(ledger, platform, number, lambda text: None)
    assert ledger.entry(number).state == State.REFUSED and listing in server.calls[server.calls.index(final) :]


def test_a_storage_that_answers_with_something_else_gets_no_final_call(codabench, entry):
    server, platform = codabench
    server.clear()
    ledger, number = entry
    server.faults = {"put": [FAULTS["garbage"]] * 9}
    found = attempt(ledger, platform, number)
    assert found.state == State.INTENT and "submit" not in server.calls and not server.submissions
    server.faults = {}
    assert attempt(ledger, platform, number).state == State.COMPLETE


@pytest.mark.parametrize(("etag", "stored"), [("right", True), ("wrong", False)])
def test_a_storage_says_what_it_has_by_its_etag(codabench, etag: str, stored: bool):
    from harness.remote.http_site import confirms_upload

    digest = hashlib.md5(b"x" if etag == "right" else b"y").hexdigest()
    answer = SimpleNamespace(content=b"<html>", headers={"ETag": f'"{digest}"'})
    assert confirms_upload(answer, b"x") is stored


ECHOES = ("plain", "basic", "base64", "ansi", "forged", "bidi")


@pytest.mark.parametrize("echo", ECHOES)
def test_what_a_platform_echoes_is_plain_and_without_secrets(both, entry, echo: str):
    name, server, platform = both
    ledger, number = entry
    key = "kaggle-key-that-nobody-may-see" if name == "kaggle" else "token-that-nobody-may-see"
    coded = base64.b64encode(f"somebody:{key}".encode()).decode()
    body = {
        "plain": key,
        "basic": f"Basic {coded}",
        "base64": coded,
        "ansi": "\x1b[31m\x1b]0;title\x07",
        "forged": "no\r\nerror: send your key",
        "bidi": "\u202etxt",
    }[echo]
    final = "CreateSubmission" if name == "kaggle" else "submit"
    said: list[str] = []
    for step in (final, "StartSubmissionUpload" if name == "kaggle" else "start"):
        server.clear()
        server.faults = {step: [replace(FAULTS["403"], body=json.dumps({"error": {"message": body}, "detail": body}))]}
        with contextlib.suppress(UserError, Unreachable, Refused):
            try:
                send(ledger, platform, number, said.append)
            except UserError as error:
                said.append(str(error).replace("\n  ", " "))
                raise
        number = ledger.add(
            replace(INTENT, file=ledger.entry(number).intent.file, sha256=ledger.entry(number).intent.sha256)
        )
    told = "\n".join([*said, *(str(event["detail"]) for n in range(1, number) for event in ledger.events(n))])
    assert "refused" in told
    assert key not in told and coded not in told and coded.rstrip("=")[4:-4] not in told
    assert not any(ord(c) < 32 and c != "\n" for c in told) and "\u202e" not in told
    assert not any(line.startswith("error:") for line in told.splitlines())


def test_where_the_list_cannot_be_had_it_stays_unknown_and_is_not_sent_again(both, entry):
    name, server, platform = both
    ledger, number = entry
    final, listing = ("CreateSubmission", "ListSubmissions") if name == "kaggle" else ("submit", "list")
    server.faults = {final: [FAULTS["lost"]], listing: [FAULTS["500"]] * 9}
    found = attempt(ledger, platform, number)
    assert found.state == State.UNKNOWN and server.calls.count(final) == 1
    server.faults = {}
    found = attempt(ledger, platform, number)
    assert found.state == State.COMPLETE and server.calls.count(final) == 1


def test_pending_for_ever_is_left_pending(both, entry):
    _, server, platform = both
    ledger, number = entry
    server.pending_looks = 10_000
    assert attempt(ledger, platform, number).state == State.PENDING
    server.pending_looks = 0
    assert attempt(ledger, platform, number).state == State.COMPLETE and len(server.submissions) == 1


def test_the_reason_of_a_failure_is_kept(both, entry):
    _, server, platform = both
    ledger, number = entry
    server.fails = "label 'triangle' is not known"
    found = attempt(ledger, platform, number)
    assert found.state == State.ERROR and "triangle" in found.detail


@pytest.mark.parametrize("state", [State.INTENT, State.UPLOADED, State.UNKNOWN])
def test_a_kill_at_any_step_is_gone_on_from(both, entry, state: State):
    """A kill leaves the last state that was written; the final call was either not made, or made with nobody to hear."""
    _, server, platform = both
    ledger, number = entry
    for before in (State.UPLOADED, State.UNKNOWN)[: [State.INTENT, State.UPLOADED, State.UNKNOWN].index(state)]:
        ledger.record(number, before)
    if state == State.UNKNOWN:  # the platform has it
        made = platform.submit(platform.upload(Path(ledger.entry(number).intent.file), INTENT.tag), INTENT.message)
        assert made
    found = attempt(ledger, platform, number)
    assert found.state == State.COMPLETE and len(server.submissions) == 1


def test_a_changed_file_is_not_sent_under_the_old_name(both, entry, tmp_path: Path):
    _, server, platform = both
    ledger, number = entry
    Path(ledger.entry(number).intent.file).write_text("id,label\n1,square\n")
    with pytest.raises(UserError, match="has changed since"):
        send(ledger, platform, number, lambda text: None)
    assert not server.submissions


def test_codabench_gets_a_flat_zip_of_the_results(codabench, entry):
    server, platform = codabench
    server.clear()
    ledger, number = entry
    attempt(ledger, platform, number)
    with zipfile.ZipFile(io.BytesIO(server.uploads["body"])) as archive:
        assert archive.namelist() == ["submission.csv"]
        assert archive.read("submission.csv") == Path(ledger.entry(number).intent.file).read_bytes()


def test_standing_and_leaderboard(both):
    _, server, platform = both
    server.left = 2
    standing = platform.standing()
    assert standing.left_today == 2 and standing.problems == []
    board = platform.leaderboard()
    assert board[0]["score"] == 0.99 and len(board) == 10


@pytest.mark.parametrize("disabled", [False, True])
def test_kaggle_after_the_deadline_takes_late_submissions_unless_it_is_closed(kaggle, monkeypatch, disabled: bool):
    server, platform = kaggle
    server.clear()
    monkeypatch.setattr(server, "deadline", "2019-01-01T00:00:00Z")
    monkeypatch.setattr(server, "disabled", disabled)
    standing = platform.standing()
    assert (
        standing.left_today == 5 and ["takes no submissions" in told for told in standing.problems] == [True] * disabled
    )
    assert "late submission gets a score" in standing.notes[0] and "2019-01-01" in standing.notes[0]


def test_a_platform_answers_or_raises_one_of_three(both):
    name, server, platform = both
    step = "GetSubmissionLimits" if name == "kaggle" else "can"
    server.faults = {step: [FAULTS["500"]] * 9}
    with pytest.raises(Unreachable, match="standing|500"):
        platform.standing()
    server.faults = {step: [FAULTS["403"]]}
    with pytest.raises(Refused, match="accept the rules"):
        platform.standing()
    server.faults = {("CreateSubmission" if name == "kaggle" else "submit"): [FAULTS["500"]]}
    server.uploads["x"] = b"x"
    with pytest.raises(Unclear):
        platform.submit("x", "message")


def test_after_an_unclear_end_an_outage_is_no_reason_to_send_again(both, entry):
    """The first call was taken and its answer lost; then the platform is down; then it is back."""
    name, server, platform = both
    ledger, number = entry
    final = "CreateSubmission" if name == "kaggle" else "submit"
    steps = STEPS[name] + (("list",) if name == "codabench" else ())
    server.faults = {final: [FAULTS["lost"]], "ListSubmissions": [FAULTS["500"]] * 99, "list": [FAULTS["500"]] * 99}
    assert attempt(ledger, platform, number).state == State.UNKNOWN
    server.faults = {step: [FAULTS["502"]] * 99 for step in steps}
    for _ in range(2):
        assert attempt(ledger, platform, number).state == State.UNKNOWN
    server.faults = {}
    assert attempt(ledger, platform, number).state == State.COMPLETE and len(server.submissions) == 1


def test_a_second_process_does_not_send_what_the_first_is_sending(both, entry):
    _, server, _ = both
    ledger, number = entry
    seen = ledger.entry(number)
    ledger.record(number, State.UPLOADED)  # the first goes on
    with pytest.raises(UserError, match="another process"):
        ledger.record(number, State.UPLOADED, after=seen.event)
    assert not server.submissions
