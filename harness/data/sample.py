"""The embedded sample: small real or drawn data in the competition's true layout, written by its `make_sample`."""

from __future__ import annotations

from pathlib import Path

from harness.base.command import cache_root
from harness.base.errors import UserError, not_installed
from harness.base.storage.atomic_files import complete_folder, remove_folder
from harness.base.storage.manifest import faults, manifest_beside, write_manifest
from harness.competition import Competition
from harness.data.files.archives import walk


def sample_folder(competition: Competition) -> Path:
    """Folder with the sample's files, written on first use.

    Raises
    ------
    UserError
        If the competition has no `make_sample`.
    """
    make_sample = competition.hook("make_sample")
    if make_sample is None:
        raise UserError(
            f"'{competition.slug}' has no embedded sample: --sample needs make_sample(folder) in "
            f"{competition.folder / 'competition.py'}. Use its real data instead."
        )
    stamp = (competition.folder / "competition.py").stat().st_mtime_ns
    folder = cache_root() / competition.slug / f"sample-{stamp:x}"
    sums = manifest_beside(folder)
    if folder.is_dir() and faults(sums):
        remove_folder(folder)  # damaged, or of an older version: it is written in a second
    if not folder.is_dir():
        with complete_folder(folder) as building:
            try:
                make_sample(building)
            except ModuleNotFoundError as error:
                raise UserError(
                    f"{competition.folder / 'competition.py'}: make_sample: {not_installed(error)}"
                ) from error
        write_manifest(sums, walk(folder, folder.name))
    return folder
