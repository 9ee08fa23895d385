"""Verdicts: each kind of spoiled row is found and named, clean rows are left in peace."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from harness.clean.judge import Findings, find
from harness.clean.label_votes import winner
from harness.clean.odd.outliers import outlier_scores
from harness.clean.verdicts import Verdict
from harness.competition import Samples
from tests.clean.cells import as_jpeg, brighter, cells, photograph

CLASSES = ("purple", "red", "blue")
N = 240


@pytest.fixture(scope="module")
def spoiled() -> tuple[Samples, dict[str, list[int]], Findings]:
    """240 clean cells; then exact and near copies with right and wrong labels, a family of photographs, flat images."""
    images, labels = cells(N)
    blend = [(0.7 * photograph(1) + 0.3 * images[i]).astype(np.uint8) for i in range(6)]
    parts = {
        "exact": ([images[i] for i in range(6)], labels[:6]),
        "exact wrong": ([images[i] for i in range(6, 12)], (labels[6:12] + 1) % 3),
        "near": ([as_jpeg(images[i]) for i in range(12, 18)], labels[12:18]),
        "near wrong": ([brighter(images[i]) for i in range(18, 24)], (labels[18:24] + 1) % 3),
        "foreign": ([photograph(1)] * 8 + blend + [photograph(s) for s in range(2, 6)], np.arange(18) % 3),
        "flat": ([np.full((48, 48, 3), v, np.uint8) for v in (0, 255)], np.array([0, 1])),
    }
    rows, everything, named = {}, [images], [labels]
    for name, (pictures, these) in parts.items():
        start = sum(map(len, named))
        rows[name] = list(range(start, start + len(these)))
        everything.append(np.stack(pictures))
        named.append(np.asarray(these))
    samples = Samples(
        np.array([f"r{i}" for i in range(sum(map(len, named)))]),
        np.concatenate(everything),
        np.concatenate(named).astype(np.int64),
    )
    return samples, rows, find(samples, CLASSES)


def verdicts(findings: Findings) -> dict[int, tuple[str, str]]:
    return {int(v.id[1:]): (v.verdict, v.action) for v in findings.verdicts}


def test_every_spoiled_row_is_named_for_what_it_is(spoiled):
    _, rows, findings = spoiled
    said = verdicts(findings)
    assert all(said[r] == ("exact duplicate", "group") for r in rows["exact"])
    assert all(said[r] == ("near duplicate", "group") for r in rows["near"])
    assert all(said[r][0] == "label conflict" for r in rows["exact wrong"] + rows["near wrong"])
    assert all(said[r] == ("foreign", "exclude") for r in rows["foreign"])
    assert all(said[r] == ("blank", "exclude") for r in rows["flat"])


def test_of_two_labels_the_wrong_one_is_excluded_and_its_partner_kept(spoiled):
    _, rows, findings = spoiled
    said = verdicts(findings)
    wrong = rows["exact wrong"] + rows["near wrong"]
    assert sum(said[r][1] == "exclude" for r in wrong) == len(wrong)
    assert Counter(said[r] for r in range(6, 12)) == {("label conflict", "group"): 6}


def test_clean_rows_are_not_accused(spoiled):
    _, _, findings = spoiled
    said = verdicts(findings)
    partners = set(range(24))  # the originals of copies are part of their families
    accused = [r for r in range(N) if r in said and r not in partners]
    assert len(accused) <= 0.02 * N


def test_copies_share_a_group_and_the_evidence_names_the_partner(spoiled):
    _, rows, findings = spoiled
    by_row = {int(v.id[1:]): v for v in findings.verdicts}
    for original, copy in zip(range(6), rows["exact"], strict=True):
        assert by_row[original].group == by_row[copy].group == f"family-r{original}"
        assert f"like id r{original} (every pixel)" in by_row[copy].evidence


def test_verdicts_do_not_depend_on_the_test_labels_or_the_rows_order(spoiled):
    samples, _, findings = spoiled
    order = np.random.default_rng(0).permutation(len(samples))
    again = find(Samples(samples.ids[order], samples.images[order], samples.labels[order]), CLASSES)
    assert {(v.id, v.verdict, v.action) for v in again.verdicts} == {
        (v.id, v.verdict, v.action) for v in findings.verdicts
    }


def test_a_training_row_that_the_test_repeats_is_told_and_kept():
    images, labels = cells(60)
    train = Samples(np.arange(60).astype(str), images, labels)
    test = Samples(np.array(["t0", "t1"]), np.stack([images[7], cells(1, seed=5)[0][0]]))
    said = {v.id: v for v in find(train, CLASSES, test).verdicts}
    assert said["7"].verdict == "copy of a test image" and said["7"].action == "keep" and "t0" in said["7"].evidence


def test_label_errors_are_shown_by_out_of_fold_probabilities():
    images, labels = cells(120)
    given = labels.copy()
    given[[5, 50]] = (labels[[5, 50]] + 1) % 3
    oof = np.full((120, 3), 0.02)
    oof[np.arange(120), labels] = 0.96
    said = {v.id: v for v in find(Samples(np.arange(120).astype(str), images, given), CLASSES, oof=oof).verdicts}
    for row in (5, 50):
        assert said[str(row)].verdict == "label error" and said[str(row)].action == "keep"
        assert said[str(row)].evidence.startswith(f"to {CLASSES[labels[row]]}; OOF gives it 0.96")
    assert sum(v.verdict == "label error" for v in said.values()) == 2


def tiny_world(test_tiny: int | None) -> dict[str, Verdict]:
    """Verdicts on 30 cells, the fourth of which was tiny; of 15 test cells so many were too, None = no test."""
    images, labels = cells(30)
    sizes, test_sizes = np.full((30, 2), 48), np.full((15, 2), 48)
    sizes[3] = (5, 9)
    test_sizes[: test_tiny or 0] = (6, 7)
    test = None if test_tiny is None else Samples(np.arange(15).astype(str), cells(15, seed=8)[0])
    train = Samples(np.arange(30).astype(str), images, labels)
    found = find(train, CLASSES, test, (sizes, None if test is None else test_sizes))
    return {v.id: v for v in found.verdicts if v.verdict == "tiny"}


def test_tiny_originals_are_told_and_excluded_where_the_test_holds_none():
    for test_tiny, reason in ((None, "no test images to hold it against"), (0, "none of the test images are as small")):
        said = tiny_world(test_tiny)
        assert list(said) == ["3"] and said["3"].action == "exclude"
        assert "9x5 pixels" in said["3"].evidence and reason in said["3"].evidence


def test_tiny_originals_are_kept_where_the_test_holds_as_many():
    said = tiny_world(1)
    assert said["3"].action == "keep" and said["3"].evidence.endswith(
        "3.3 % of the training images and 6.7 % of the test images are as small: kept"
    )


def of_two_worlds(n_odd: int, test_odd: int) -> tuple[Samples, Samples]:
    """200 cells and 100 test cells, the last of which are photographs."""
    images, labels = cells(200)
    test = cells(100, seed=9)[0]
    odd = [photograph(s) for s in range(100, 100 + n_odd + test_odd)]
    images[200 - n_odd :] = odd[:n_odd]
    if test_odd:
        test[100 - test_odd :] = odd[n_odd:]
    return Samples(np.arange(200).astype(str), images, labels), Samples(np.arange(100).astype(str), test)


def test_foreign_images_are_excluded_unless_the_test_holds_as_many():
    for test_odd, action in ((0, "exclude"), (5, "keep")):
        train, test = of_two_worlds(10, test_odd)
        said = {int(v.id): v for v in find(train, CLASSES, test).verdicts if v.verdict == "foreign"}
        photographs = [said[row] for row in range(190, 200)]
        assert {v.action for v in photographs} == {action}
        assert all("of the test images are as " in v.evidence for v in photographs)


def test_look_alikes_under_many_labels_are_no_copies_where_the_test_has_them_too():
    images, labels = cells(120)
    test = cells(40, seed=9)[0]
    images[100:112] = [brighter(as_jpeg(images[0], 60 + k)) for k in range(12)]
    for like, kind in ((False, ("foreign", "exclude")), (True, ("look-alike", "keep"))):
        if like:
            test[:6] = [as_jpeg(images[0], 50 + k) for k in range(6)]
        train = Samples(np.arange(120).astype(str), images, labels)
        said = verdicts_by_id(find(train, CLASSES, Samples(np.arange(40).astype(str), test)))
        assert {said[str(row)] for row in range(100, 112)} == {kind}


def test_a_pair_under_two_labels_is_grouped_where_test_images_are_as_like_training_images():
    images, labels = cells(120)
    images[100] = brighter(images[0])
    labels = np.where(np.arange(120) == 100, (labels[0] + 1) % 3, labels)
    train, test = Samples(np.arange(120).astype(str), images, labels), cells(40, seed=9)[0]
    said = verdicts_by_id(find(train, CLASSES, Samples(np.arange(40).astype(str), test)))
    assert said["100"] == ("label conflict", "exclude")
    test[:2] = [as_jpeg(images[5]), as_jpeg(images[9])]
    said = verdicts_by_id(find(train, CLASSES, Samples(np.arange(40).astype(str), test)))
    assert said["0"] == said["100"] == ("look-alike", "group")


def verdicts_by_id(findings: Findings) -> dict[str, tuple[str, str]]:
    return {v.id: (v.verdict, v.action) for v in findings.verdicts}


def test_another_lamp_makes_no_foreign_picture():
    images, _ = cells(200)
    bluish = (images[:10] * np.array([0.8, 0.85, 1.0])).astype(np.uint8)
    strange = outlier_scores(np.concatenate([images[10:], bluish, np.stack([photograph(3)])]))
    assert (strange[-11:-1] < 3).mean() >= 0.8 and strange[-1] > 4


@pytest.mark.parametrize(
    ("labels", "proba", "right"),
    [
        ([0, 0, 1], [0.1, 0.8, 0.1], 0),  # two of three copies agree
        ([0, 1], [0.7, 0.1, 0.2], 0),
        ([0, 1], [0.1, 0.1, 0.8], None),
        ([1, 2], [0.9, 0.02, 0.08], 2),
    ],
)
def test_the_winning_label(labels: list[int], proba: list[float], right: int | None):
    assert winner(np.array(labels), np.array(proba)) == right
