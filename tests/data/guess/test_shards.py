"""Which files are parts of one table, by their names."""

from __future__ import annotations

import fnmatch

import pytest

from harness.data.guess.shards import as_patterns, of_one_size

HASH = "1a2b3c4d5e6f7a8b"


@pytest.mark.parametrize(
    ("names", "patterns"),
    [
        (["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"], ["data/train-*.parquet"]),
        ([f"train-0000{n}-of-00002-{HASH}.parquet" for n in range(2)], ["train-*.parquet"]),
        (["default/test/0000.parquet", "default/test/0001.parquet"], ["default/test/*.parquet"]),
        (["train.parquet", "test.parquet"], ["train.parquet", "test.parquet"]),
        (["00-224x224-798.tfrec", "01-224x224-798.tfrec", "15-224x224-783.tfrec"], ["*.tfrec"]),
        (["cifar10_train.tfrecord", "cifar10_test.tfrecord"], ["cifar10_train.tfrecord", "cifar10_test.tfrecord"]),
        (
            [f"melanoma2020_{part}_0{n}.tfrec" for part in ("train", "test") for n in range(2)],
            ["melanoma2020_train*.tfrec", "melanoma2020_test*.tfrec"],
        ),
        (
            ["train00-4.tfrec", "train01-4.tfrec", "train_ood00-3.tfrec"],
            ["train[0-9]*-4.tfrec", "train_ood00-3.tfrec"],
        ),
        ([f"x-train.tfrecord-0000{n}-of-00008" for n in range(8)], ["x-train.tfrecord-[0-9]*-of-00008"]),
        (["2019/train00.tfrec", "2020/train00.tfrec"], ["2019/train00.tfrec", "2020/train00.tfrec"]),
        (["train.csv", "a.txt"], ["train.csv", "a.txt"]),
    ],
)
def test_parts_are_one_pattern_that_matches_nothing_else(names: list[str], patterns: list[str]):
    found = as_patterns(names)
    assert found == patterns
    for pattern in found:
        matched = [
            name for name in names if name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)
        ]
        assert not {name for name in matched if any("test" in one for one in matched) and "train" in name}


def test_of_the_same_in_several_sizes_one_is_taken():
    names = [f"jpeg-{side}x{side}/{part}/*.tfrec" for side in (64, 192, 512) for part in ("train", "test")]
    taken, aside = of_one_size([*names, "train.csv"])
    assert taken == ["jpeg-192x192/train/*.tfrec", "jpeg-192x192/test/*.tfrec", "train.csv"] and len(aside) == 4
    folds = [f"fold_{n}/*.tfrec" for n in range(3)]
    assert of_one_size(folds) == (folds, [])
    assert of_one_size(["a-64x64/*.tfrec", "b-64x64/*.tfrec"]) == (["a-64x64/*.tfrec", "b-64x64/*.tfrec"], [])
