"""Groups: by columns, by a pattern, by both; a row without one is alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.competition import find_competition
from harness.data.dataset import load_dataset
from harness.data.rows.groups import group_numbers, in_either

LISTING = """\
from harness.competition import Listing

def load_samples(folder, split, files):
    if split == "test":
        return None
    return Listing.of([f"train/{i}.png" for i in (1, 2, 10, 20)], [1, 2, 10, 20], list("abab"), groups=["p", "q", None, "q"])
"""
ARRAYS = """\
import numpy as np
from harness.competition import Samples

def load_samples(folder, split):
    if split == "test":
        return None
    groups = np.array([0, 1, 2, 1])
    return Samples(np.array(["1", "2", "10", "20"]), np.zeros((4, 2, 2, 1), np.uint8), np.array([0, 1, 0, 1]), groups=groups)
"""
COLUMNS = ",".join(f"pixel{n}" for n in range(4))
LAYOUTS = {
    "image_csv": ('labels = "train.csv"\ngroup_by = "p"', "id,label,p\n1,a,p\n2,b,q\n10,a,\n20,b,q\n"),
    "csv_pixels": (
        'id = "id"\ntrain = "train.csv"\ngroup_by = "p"',
        f"id,label,p,{COLUMNS}\n1,a,p,0,0,0,0\n2,b,q,0,0,0,0\n10,a,,0,0,0,0\n20,b,q,0,0,0,0\n",
    ),
    "custom": ('classes = ["a", "b"]', LISTING),
    "custom arrays": ('classes = ["a", "b"]', ARRAYS),
}


def groups(project: Path, layout: str, pattern: str = "") -> list[int]:
    """Of the rows 1, 2, 10, 20: of 2 and 20 the column says that they belong together, of 10 nothing."""
    keys, text = LAYOUTS[layout]
    folder, files = project / "competitions" / "g", project / "data" / "g"
    folder.mkdir(parents=True)
    (files / "train").mkdir(parents=True)
    for i in (1, 2, 10, 20):
        Image.new("L", (2, 2)).save(files / "train" / f"{i}.png")
    (folder / "competition.py" if layout.startswith("custom") else files / "train.csv").write_text(text)
    above, keys = (keys, "") if "classes" in keys else ("", keys)
    more = f"group = '{pattern}'\n" if pattern else ""
    (folder / "competition.toml").write_text(
        f'title = "G"\nmetric = "accuracy"\n{above}\n[data]\nformat = "{layout.split()[0]}"\nsize = 2\nchannels = 1\n'
        f'optional = ["test"]\n{keys}\n{more}'
    )
    return load_dataset(find_competition(folder), project / "data").train.groups.tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_that_share_either_a_column_or_what_a_pattern_finds_belong_together(tmp_path: Path, layout: str):
    one, two, ten, twenty = groups(tmp_path, layout, "^(1|5)")
    assert one == ten and two == twenty and one != two


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_row_without_a_group_is_alone(tmp_path: Path, layout: str):
    one, two, ten, twenty = groups(tmp_path, layout)
    assert two == twenty and len({one, two, ten}) == 3


def test_two_rows_may_belong_together_by_way_of_others():
    found = in_either(np.array([0, 0, 1, 1, 2]), np.array([7, 8, 8, 9, 5])).tolist()
    assert len(set(found[:4])) == 1 and found[4] != found[0]
    many = np.zeros(256, dtype=np.int64)  # as often as an int8 overflows to 0
    assert len(set(in_either(many, many).tolist())) == 1


def test_rows_without_a_text_are_alone():
    found = group_numbers(["p", "", "p", ""]).tolist()
    assert found[0] == found[2] and len(set(found)) == 3
