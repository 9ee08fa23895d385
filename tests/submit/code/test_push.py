"""The file that a notebook wrote, held against the harness's own answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.submit.code.package import About, open_package, write_package
from harness.submit.code.push import differences


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_file_is_read_by_the_separator_that_it_has(tmp_path: Path, mark: str):
    about = About("s", "r", "s", (), (), {}, ("a", "b"), 0.1, {}, 60.0, None)
    rows = ["id,label", "1,a", "2,b"]
    expected = "\n".join(rows[:2]).replace(",", mark)
    ids = json.dumps({"column": "id", "ids": ["1", "2"]}).encode()
    path = tmp_path / "r.code"
    write_package(path, about, {"expected.csv": expected.encode(), "ids.json": ids})
    found = tmp_path / "submission.csv"
    found.write_text("\n".join(rows).replace(",", mark))
    assert differences(open_package(path), found) == ""
    found.write_text("\n".join([*rows[:1], "1,b", "2,b"]).replace(",", mark))
    assert "has 'b' for 1 in label, the harness 'a'" in differences(open_package(path), found)
