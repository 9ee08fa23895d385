"""Checksums of what is stored and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.base.storage.manifest import faults, manifest_beside, sealed_file, write_manifest
from harness.base.storage.npy import open_array


def seal(path: Path, text: str) -> None:
    with sealed_file(path) as temporary:
        temporary.write_text(text)


def test_a_sealed_file_is_whole_and_every_change_of_it_is_seen(tmp_path: Path):
    path = tmp_path / "a.txt"
    seal(path, "one")
    assert faults(manifest_beside(path)) == []
    for spoilt in ("two", "one more", ""):
        path.write_text(spoilt)
        assert len(faults(manifest_beside(path))) == 1
    path.unlink()
    assert faults(manifest_beside(path)) == ["a.txt is not there"]


@pytest.mark.parametrize("stands", [False, True])
def test_a_kill_before_the_file_takes_its_place_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stands: bool):
    path = tmp_path / "a.txt"
    if stands:
        seal(path, "one")
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if Path(target) == path:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        seal(path, "another")
    assert faults(manifest_beside(path)), "neither the old file nor none is taken for the new one"
    assert path.is_file() == stands


def test_a_manifest_that_was_changed_counts_for_nothing(tmp_path: Path):
    (tmp_path / "a").write_text("one")
    manifest = tmp_path / "manifest.json"
    write_manifest(manifest, ["a"])
    manifest.write_text(manifest.read_text().replace('"bytes": 3', '"bytes": 4'))
    assert faults(manifest) == ["manifest.json is damaged"]


@pytest.mark.parametrize("kind", ["S0", "U0", "V0", "O"])
def test_arrays_of_no_size_are_refused_and_do_not_end_the_process(tmp_path: Path, kind: str):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(3, "u1" if kind != "O" else object), allow_pickle=True)
    if kind != "O":
        path.write_bytes(path.read_bytes().replace(b"'|u1'", f"'|{kind}'".encode()))
    with pytest.raises(ValueError, match="not numbers"):
        open_array(path)


def test_arrays_are_mapped(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.arange(5))
    array = open_array(tmp_path / "a.npy")
    assert isinstance(array, np.memmap) and array.tolist() == [0, 1, 2, 3, 4]
