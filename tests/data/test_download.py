"""harness.data fetches by the real kaggle client from a server on loopback: whole, gone on with, refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, make_shapes
from tests.submit import servers
from tests.submit.servers import FAULTS, Fault


@pytest.fixture
def server() -> Iterator[servers.Kaggle]:
    servers.skip_without_kaggle()
    server = servers.Kaggle()
    yield server
    server.close()
    assert server.stray == []


@pytest.fixture
def project(tmp_path: Path, server: servers.Kaggle) -> Path:
    """A competition on Kaggle whose files are only there."""
    make_shapes(tmp_path)
    toml = tmp_path / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace("metric =", 'platform = "kaggle"\nmetric ='))
    files, packed = tmp_path / "data" / "shapes", io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(files.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(files).as_posix())
                path.unlink()
    (tmp_path / "data").rename(tmp_path / "unused")
    server.zip = packed.getvalue()
    return tmp_path


def environment(project: Path, server: servers.Kaggle | None) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KAGGLE")}
    more = {"PYTHONPATH": str(REPOSITORY), "HOME": str(project), "HARNESS_RETRY_SECONDS": "0.05"}
    return kept | more | (server.environment() if server else {})


def fetch(run_command, project: Path, server: servers.Kaggle | None, *options: str):
    done = run_command("harness.data", "shapes", *options, cwd=project, env=environment(project, server))
    assert "that-nobody-may-see" not in done.stdout + done.stderr and "Traceback" not in done.stderr
    return done


def test_what_is_not_there_is_fetched_once_and_its_checksum_kept(project: Path, server, run_command):
    done = fetch(run_command, project, server, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["train"] == 40
    told = json.loads((project / "data" / "shapes" / "download.json").read_text())
    assert told["sha256"] == hashlib.sha256(server.zip).hexdigest() and told["bytes"] == len(server.zip)
    assert (project / "data" / "shapes" / "shapes.zip").read_bytes() == server.zip
    assert not (project / "data" / "shapes" / ".download").exists()
    fetch(run_command, project, server)
    assert server.calls.count("file") == 1
    again = fetch(run_command, project, server, "--download")
    assert again.returncode == 0 and server.calls.count("file") == 2


def test_a_connection_that_breaks_is_gone_on_with(project: Path, server, run_command):
    server.faults = {"file": [Fault("cut")]}
    done = fetch(run_command, project, server)
    assert done.returncode == 0, done.stderr
    assert (project / "data" / "shapes" / "shapes.zip").read_bytes() == server.zip
    assert server.calls.count("file") == 2


@pytest.mark.parametrize(("fault", "said"), [("403", "accept the rules"), ("401", "new one"), ("404", "no such")])
def test_a_refusal_names_the_page_to_open(project: Path, server, run_command, fault: str, said: str):
    server.faults = {"DownloadDataFiles": [FAULTS[fault]] * 9}
    done = fetch(run_command, project, server)
    assert done.returncode == 2 and said in done.stderr and "https://www.kaggle.com/c/shapes/rules" in done.stderr


def test_what_is_no_zip_is_thrown_away(project: Path, server, run_command):
    whole, server.zip = server.zip, b"<html>you are not logged in</html>"
    done = fetch(run_command, project, server)
    assert done.returncode == 2 and "Download it again" in done.stderr
    damaged = bytearray(whole)
    damaged[60] ^= 255  # inside the first image
    server.zip = bytes(damaged)
    done = fetch(run_command, project, server)
    assert done.returncode == 2 and "Download it again" in done.stderr
    server.zip = whole
    assert fetch(run_command, project, server).returncode == 0


def test_a_name_that_climbs_out_is_refused(project: Path, server, run_command):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../evil.txt", "x")
    server.zip = packed.getvalue()
    done = fetch(run_command, project, server)
    assert done.returncode == 2 and "leads out of its folder" in done.stderr
    assert not list(project.rglob("evil.txt"))


def test_without_credentials_it_says_where_to_put_them(project: Path, run_command):
    done = fetch(run_command, project, None)
    assert done.returncode == 2 and "no Kaggle credentials" in done.stderr and "kaggle.com/c/shapes" in done.stderr


def test_a_broken_zip_of_the_users_is_not_overwritten(project: Path, server, run_command):
    mine = project / "data" / "shapes" / "shapes.zip"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(server.zip[:-100])
    done = fetch(run_command, project, server)
    assert done.returncode == 2 and mine.read_bytes() == server.zip[:-100] and not server.calls


def test_a_data_set_of_kaggles_is_fetched_for_a_competition_of_none(project: Path, server, run_command):
    toml = project / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace('platform = "kaggle"', 'dataset = "somebody/shapes"'))
    done = fetch(run_command, project, server)
    assert done.returncode == 0, done.stderr
    assert "DownloadDataset" in server.calls


def test_files_that_are_not_on_kaggle_cannot_be_fetched(project: Path, server, run_command):
    toml = project / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace('platform = "kaggle"\n', 'url = "https://example.org"\n'))
    done = fetch(run_command, project, server, "--download")
    assert done.returncode == 2 and "not on Kaggle" in done.stderr and "example.org" in done.stderr


def test_init_by_a_slug_downloads_and_asks_the_page(project: Path, server, run_command):
    (project / "competitions" / "shapes").rename(project / "unused2")
    done = run_command("harness.data", "init", "shapes", cwd=project, env=environment(project, server))
    assert done.returncode == 0, done.stderr
    text = (project / "competitions" / "shapes" / "competition.toml").read_text()
    assert 'metric = "log_loss"' in text and "the competition's page calls it 'Multiclass Loss'" in text
    assert 'platform = "kaggle"' in text and "5 submissions a day" in text and "\x1b" not in text + done.stdout
    assert (project / "data" / "shapes" / "shapes.zip").read_bytes() == server.zip
    checked = fetch(run_command, project, server)
    assert checked.returncode == 0, checked.stderr


def test_init_by_a_slug_without_credentials_says_what_it_looked_for(tmp_path: Path, run_command):
    done = run_command("harness.data", "init", "shapes", cwd=tmp_path, env=environment(tmp_path, None))
    assert (
        done.returncode == 2
        and "no such folder or zip here; to fetch a competition of that name from Kaggle" in done.stderr
    )
