"""Fetch a competition's files by the kaggle client: one zip, checked, put in place whole, its checksum kept beside it."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from harness.base.command import carried
from harness.base.errors import UserError
from harness.base.storage.atomic_files import explain_disk_errors, write_json
from harness.competition import Competition
from harness.data.files.archives import explain_zip_errors, open_zip
from harness.data.missing import archive_name
from harness.remote.errors import NoCredentials, Refused, Unreachable
from harness.remote.kaggle_client import KaggleClient

Tick = Callable[[int, int | None], None]
"""(bytes there, bytes in all or None where the server does not say)"""


def can_download(competition: Competition) -> bool:
    """Whether its files can be had by the kaggle client; those of its other sets cannot."""
    return not competition.set and _is_on_kaggle(competition)


def _is_on_kaggle(competition: Competition) -> bool:
    return competition.platform == "kaggle" or competition.dataset is not None


def download(competition: Competition, folder: Path, tick: Tick = lambda done, total: None) -> Path:
    """Fetch everything into <folder>/<slug>.zip, or go on where a killed download was; returns the file.

    <folder>/download.json holds where it came from, when, its size and sha256. The zip stays packed: it is read in place.

    Raises
    ------
    UserError
        If the platform refuses (rules, not joined: names the page to open), cannot be reached (what is there is kept),
        or what it sent is no sound zip.
    """
    part = folder / ".download"
    with explain_disk_errors(folder):
        part.mkdir(parents=True, exist_ok=True)
        fetched = _fetch(competition, part, tick)
        _check(fetched)
        target = folder / archive_name(competition)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_json(
            folder / "download.json",
            {
                "file": target.name,
                "from": page_of(competition),
                "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "bytes": fetched.stat().st_size,
                "sha256": _sha256(fetched),
            },
        )
        fetched.replace(target)
        shutil.rmtree(part, ignore_errors=True)
    return target


def page_of(competition: Competition) -> str:
    """Where a person gets the files, or the right to them."""
    if competition.dataset:
        return f"https://www.kaggle.com/datasets/{competition.dataset}"
    return f"https://www.kaggle.com/c/{competition.slug}"


def _fetch(competition: Competition, part: Path, tick: Tick) -> Path:
    client, page = KaggleClient(competition.slug), page_of(competition)

    def alive() -> int:
        there = [p for p in part.iterdir() if not p.name.endswith(_MARKER)]
        done = sum(p.stat().st_size for p in there)
        tick(done, _size_told(part))
        return done

    try:
        told = client.once("download", None, alive, folder=str(part), dataset=competition.dataset)
    except Refused as error:
        raise UserError(_refused(competition, str(error), page)) from error
    except NoCredentials as error:
        raise UserError(f"{error.args[0]}\n  or download it by hand from {page} into {part.parent}") from error
    except Unreachable as error:
        raise UserError(
            f"{error.args[0]}\n  What has come is kept in {part}; go on with: python -m harness.data {competition.called}{carried('--data')}"
        ) from error
    if len(told["files"]) != 1:
        raise UserError(f"{part}: holds {len(told['files'])} files after the download; remove it and try again")
    fetched = part / told["files"][0]
    if not fetched.is_file():
        shutil.rmtree(part, ignore_errors=True)
        raise UserError(f"Kaggle sent no file but something else; see {page}, and try again")
    tick(fetched.stat().st_size, fetched.stat().st_size)
    return fetched


def _refused(competition: Competition, said: str, page: str) -> str:
    if competition.dataset:
        return f"{said}\n  See {page}"
    return (
        f"{said}\n  Kaggle gives the files of a competition to those who have joined it: open {page}/rules, join, accept the "
        "rules, and try again."
    )


def _check(path: Path) -> None:
    """A sound zip, every member by its CRC.

    Raises
    ------
    UserError
        If it is not; it is removed, so that the next download begins anew.
    """
    try:
        with explain_zip_errors(path), open_zip(path) as archive:
            bad = archive.testzip()
        if bad:
            raise UserError(f"{path}:{bad}: does not match its checksum. Download it again.")
    except Exception:
        path.unlink(missing_ok=True)
        raise


def _size_told(part: Path) -> int | None:
    """The whole size, as the client writes it beside a file on its way."""
    try:
        return json.loads(next(part.glob(f"*{_MARKER}")).read_text(encoding="utf-8"))["size"]
    except (StopIteration, OSError, ValueError, KeyError):
        return None


_MARKER = ".kaggle-partial"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
