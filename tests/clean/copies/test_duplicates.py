"""Duplicates: exact and near, turned and between train and test; no cell is a duplicate of another."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from harness.clean.copies.duplicates import families, find_duplicates, flat_rows
from harness.clean.copies.phash import ORIENTATIONS, orient
from tests.clean.cells import as_jpeg, brighter, cells


def cropped(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image[:, 1:]).resize((48, 48), Image.Resampling.BILINEAR))


def pairs(images: np.ndarray, test: np.ndarray | None = None) -> set[tuple[int, int]]:
    found = find_duplicates(images, test)
    return set(zip(found.first.tolist(), found.second.tolist(), strict=True))


def test_different_cells_are_no_duplicates():
    assert pairs(cells(150)[0]) == set()


@pytest.mark.parametrize("change", [as_jpeg, brighter, cropped, lambda image: image])
def test_copies_are_found_whatever_was_done_to_them(change):
    images, _ = cells(60)
    copies = np.stack([change(image) for image in images[:10]])
    assert pairs(np.concatenate([images, copies])) == {(i, 60 + i) for i in range(10)}


@pytest.mark.parametrize("orientation", range(1, 8))
def test_turned_copies_are_found_with_their_turn(orientation: int):
    images, _ = cells(30)
    turned = np.stack([orient(image, orientation) for image in images[:5]])
    found = find_duplicates(np.concatenate([images, turned]))
    assert found.first.tolist() == [0, 1, 2, 3, 4] and not found.exact.any()
    # the first image, so turned, is the second
    assert {ORIENTATIONS[k] for k in found.orientation} == {ORIENTATIONS[orientation]}


def test_copies_in_the_test_are_paired_with_their_training_row_and_not_with_each_other():
    images, _ = cells(40)
    test = np.concatenate([images[:3], cells(10, seed=9)[0], cells(1, seed=9)[0]])
    assert pairs(images, test) == {(0, 40), (1, 41), (2, 42)}


def test_many_exact_copies_cost_a_line_each():
    images, _ = cells(20)
    many = np.concatenate([images, np.repeat(images[:1], 500, axis=0)])
    found = find_duplicates(many)
    assert len(found.first) == 500 and found.exact.all() and set(found.first.tolist()) == {0}


def test_frames_of_a_fixed_camera_are_one_family_of_few_pairs():
    frame, n = cells(1)[0][0].astype(float), 300
    noise = np.random.default_rng(0).normal(0, 6, (n, *frame.shape))
    frames = (frame + noise).clip(0, 255).astype(np.uint8)
    found = find_duplicates(frames)
    assert len(np.unique(families(n, found.first, found.second))) == 1
    assert len(found.first) <= 40 * n < n * (n - 1) / 2 / 3


def test_flat_pictures_are_no_duplicates_of_each_other():
    images, _ = cells(6)
    flat = np.stack([np.full((48, 48, 3), value, np.uint8) for value in (0, 1, 90, 255)])
    assert pairs(np.concatenate([images, flat])) == set()
    assert flat_rows(np.concatenate([images, flat])).tolist() == [False] * 6 + [True] * 4


def test_families_are_what_pairs_connect():
    number = families(7, np.array([0, 2, 5]), np.array([2, 3, 6]))
    assert number[0] == number[2] == number[3] and number[5] == number[6]
    assert len({number[0], number[1], number[4], number[5]}) == 4


def test_grey_pictures_have_duplicates_too():
    images = cells(30)[0].mean(axis=3, keepdims=True).astype(np.uint8)
    assert pairs(np.concatenate([images, images[4:5]])) == {(4, 30)}
