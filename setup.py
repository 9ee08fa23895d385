"""What setup.cfg cannot say: the competition folders that come with the harness go into its wheel, from competitions/."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))  # pip builds where nothing of this is installed

from harness.base.places.templates import IN_WHEEL, templates  # noqa: E402


class BuildWithTemplates(build_py):
    """Build the package, with competitions/<slug>/ as harness/templates/<slug>/; an editable install reads competitions/ itself."""

    def run(self) -> None:
        """Copy the package, then the competitions."""
        super().run()
        for source, target in self._copies().items():
            self.mkpath(str(target.parent))
            self.copy_file(str(source), str(target), preserve_mode=False)

    def get_source_files(self) -> list[str]:
        """Files that the sdist must hold, relative to the project."""
        return [*super().get_source_files(), *map(str, self._sources())]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Files that are built."""
        return [*super().get_outputs(include_bytecode), *map(str, self._copies().values())]

    def _sources(self) -> list[Path]:
        return [Path("competitions", slug, name) for slug, names in templates().items() for name in names]

    def _copies(self) -> dict[Path, Path]:
        below = Path(self.build_lib, "harness", IN_WHEEL)
        return {} if self.editable_mode else {p: below.joinpath(*p.parts[1:]) for p in self._sources()}


setup(cmdclass={"build_py": BuildWithTemplates})
