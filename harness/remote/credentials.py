"""Credentials of a service: from variables, else from one file that only its owner may read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UserError
from harness.base.secrets import check_private
from harness.remote.errors import NoCredentials


@dataclass(frozen=True)
class Credentials:
    """Where a service's credentials are looked for.

    Attributes
    ----------
    service : for people, e.g. "Codabench"
    variables : {name in the file: environment variable}
    enough : each a set of names that suffices; the last is the one that people are told to write into the file
    file : its name in the home folder
    person : which of the names is the person's own there: no secret, unless it is an e-mail address
    """

    service: str
    variables: Mapping[str, str]
    enough: tuple[tuple[str, ...], ...]
    file: str
    person: str = ""

    def required(self) -> dict[str, str]:
        """What there is of them, which is enough.

        Raises
        ------
        NoCredentials
            Names the places.
        UserError
            If the file may be read by others, or holds something else.
        """
        found = self.found()
        if any(set(names) <= set(found) for names in self.enough):
            return found
        ways = ", or ".join(" and ".join(self.variables[name] for name in names) for names in self.enough)
        raise NoCredentials(
            f"no {self.service} credentials: set {ways}, or put {self._example('...')} into "
            f"{self._path() or f'~/{self.file}'} (chmod 600)"
        )

    def secrets(self) -> list[str]:
        """What must not be shown of them."""
        return [value for name, value in self.found().items() if name != self.person or "@" in value]

    def found(self) -> dict[str, str]:
        """What there is of them; may be none."""
        found = {name: os.environ[variable] for name, variable in self.variables.items() if os.environ.get(variable)}
        path = self._path()
        if found or path is None or not path.is_file():
            return found
        check_private(path)
        other = "".join(f', or with "{names[0]}"' for names in self.enough[:-1])
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:  # whose words may quote the file
            example = self._example('"..."')
            raise UserError(f"{path}: is no JSON ({type(error).__name__}). Write {example}{other}") from None
        if not isinstance(told, dict):
            raise UserError(f"{path}: wants an object {self._example('...')}{other}")
        return {name: str(told[name]) for name in self.variables if told.get(name)}

    def _example(self, value: str) -> str:
        return "{" + ", ".join(f'"{name}": {value}' for name in self.enough[-1]) + "}"

    def _path(self) -> Path | None:
        try:
            return Path.home() / self.file
        except RuntimeError:  # no home folder
            return None
