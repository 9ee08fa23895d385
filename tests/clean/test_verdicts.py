"""clean.csv: written, read back, changed by hand, and what it makes of the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.clean.verdicts import Verdict, apply_verdicts, read_verdicts, write_verdicts
from harness.competition import Samples

CLASSES = ("cat", "dog")


@pytest.fixture
def samples() -> Samples:
    ids = np.array([f"i{k}" for k in range(8)])
    return Samples(ids, np.zeros((8, 2, 2, 1), np.uint8), np.arange(8) % 2, groups=np.array([0, 0, 1, 2, 3, 4, 5, 6]))


def written(tmp_path: Path, *verdicts: Verdict) -> Path:
    write_verdicts(tmp_path / "clean.csv", verdicts)
    return tmp_path / "clean.csv"


def test_what_is_written_is_read(tmp_path: Path):
    verdicts = [
        Verdict('a "b", c', "near duplicate", "group", "family-1", 'like row 3, "exactly"\nso'),
        Verdict("ü", "foreign", "exclude", "", ""),
    ]
    assert read_verdicts(written(tmp_path, *verdicts)) == verdicts


def test_each_action_does_what_it_says(tmp_path: Path, samples: Samples):
    path = written(
        tmp_path,
        Verdict("i1", "near duplicate", "group", "f", ""),
        Verdict("i4", "near duplicate", "group", "f", ""),
        Verdict("i2", "foreign", "exclude", "", ""),
        Verdict("i3", "label error", "relabel", "", "to cat; OOF gives it 0.9"),
        Verdict("i6", "near duplicate", "keep", "g", ""),
        Verdict("i7", "near duplicate", "keep", "g", ""),
    )
    cleaning = apply_verdicts(path, samples, CLASSES)
    assert cleaning.kept.tolist() == [True, True, False, True, True, True, True, True]
    assert cleaning.samples.labels.tolist() == [0, 1, 0, 0, 0, 1, 0, 1]
    groups = cleaning.samples.groups
    assert groups[0] == groups[1] == groups[4]  # i1's patient comes along
    assert len(set(groups.tolist())) == 6 and groups[6] != groups[7]
    assert cleaning.counts == {"keep": 2, "group": 2, "exclude": 1, "relabel": 1}
    assert len(cleaning.digest) == 12


def test_wording_does_not_count_and_actions_do(tmp_path: Path, samples: Samples):
    def digest(*verdicts: Verdict) -> str:
        return apply_verdicts(written(tmp_path, *verdicts), samples, CLASSES).digest

    assert digest() == digest(Verdict("i1", "label error", "keep", "", "x")) == ""
    one = digest(Verdict("i1", "foreign", "exclude", "", "x"))
    assert one == digest(Verdict("i1", "odd", "exclude", "", "other words")) != ""
    assert one != digest(Verdict("i2", "foreign", "exclude", "", "x"))


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_several_labels_or_numbers_are_not_relabelled(tmp_path: Path, samples: Samples, dtype: type):
    labels = np.array([[0, 1], [1, 1]] * 4, dtype=dtype)
    path = written(tmp_path, Verdict("i2", "label error", "relabel", "", "to dog"))
    with pytest.raises(UserError, match=r"clean\.csv: id 'i2': relabel is for one of several classes.*keep or exclude"):
        apply_verdicts(path, replace(samples, labels=labels), CLASSES)


def test_broken_pictures_stand_in_the_list_though_they_are_no_rows(tmp_path: Path, samples: Samples):
    assert apply_verdicts(
        written(tmp_path, Verdict("gone.png", "broken", "exclude", "", "")), samples, CLASSES
    ).kept.all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,action\n", "its columns are id,action; wanted id,verdict,action,group,evidence"),
        ("", "its columns are none"),
        ("id,verdict,action,group,evidence\ni1,x,exclude\n", "line 2 has 3 values, wanted 5"),
        ("id,verdict,action,group,evidence\ni1,x,exlude,,\n", r"line 2 \(id 'i1'\): action 'exlude' is unknown \(did you mean 'exclude'"),
        ("id,verdict,action,group,evidence\nnobody,x,exclude,,\n", "1 ids are missing, e.g. 'nobody'"),
        ("id,verdict,action,group,evidence\ni1,x,exclude,,\ni1,x,keep,,\n", "id 'i1' stands 2 times"),
        ("id,verdict,action,group,evidence\ni1,x,relabel,,to cta; why\n", "its evidence must begin with 'to CLASS;'"),
    ],
)  # fmt: skip
def test_a_file_changed_wrongly_is_told_with_its_line(tmp_path: Path, samples: Samples, text: str, said: str):
    (tmp_path / "clean.csv").write_text(text)
    with pytest.raises(UserError, match=said):
        apply_verdicts(tmp_path / "clean.csv", samples, CLASSES)
