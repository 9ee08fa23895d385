"""A ready file of one's own."""

from __future__ import annotations

from pathlib import Path

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.competition import Competition
from harness.data.cache import Dataset
from harness.data.rows.sample_submission import Form, sample_separator
from harness.submit.preflight import read_ready_file
from harness.submit.prepare.prepared import Prepared, intent_of, refuse_problems
from harness.submit.submission import wanted_ids


def prepare_file(competition: Competition, dataset: Dataset, file: Path, out: Path, message: str | None) -> Prepared:
    """Check a ready file; its rows are put into the platform's order in a copy below submissions/<slug>/.

    Raises
    ------
    UserError
        If it cannot be read or does not pass its checks.
    """
    ids, path = wanted_ids(competition, dataset), out / "submissions" / competition.slug / f"file-{file.stem}.csv"
    table, moved = read_ready_file(file, competition, ids, dataset.submission)
    with complete_file(path) as temporary:
        temporary.write_text(
            Form(separator=sample_separator(dataset.submission)).text(table), encoding="utf-8", newline=""
        )
    try:
        refuse_problems(path, competition, ids, dataset, f"--file {file}")
    except UserError:
        path.unlink()  # beside checked files it would look like one
        raise
    intent = intent_of(competition, path, len(table), path.stem, (), message or f"file {file.name}", None, None)
    return Prepared(intent, dataset.source, None, None, None, {}, [moved] if moved else [])
